//! Matrices by their diagonals: the last two axes are rows and columns, all others hold matrices side by side.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::{Iota, Slice};
use crate::shape::Shape;

impl<'g> Expr<'g> {
    /// The lower triangle of each matrix: 0 above diagonal `k`, which is counted upwards from the main one.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F64, Tensor, interpret};
    /// let b = Builder::new();
    /// let x = b.input("x", F64, [2, 3]);
    /// let graph = b.finish([("tril", x.tril(0)), ("triu", x.triu(1))])?;
    /// let values = interpret(&graph, [("x", &Tensor::of([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))])?;
    /// assert_eq!(values.output("tril")?, &Tensor::of([2, 3], [1.0, 0.0, 0.0, 4.0, 5.0, 0.0]));
    /// assert_eq!(values.output("triu")?, &Tensor::of([2, 3], [0.0, 2.0, 3.0, 0.0, 0.0, 6.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When there are fewer than two axes.
    #[must_use]
    #[track_caller]
    pub fn tril(self, k: i64) -> Expr<'g> {
        self.builder().derived("tril", Location::caller(), || self.diagonals("tril").le(k).select(self, 0.0))
    }

    /// The upper triangle of each matrix: 0 below diagonal `k`, which is counted upwards from the main one.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    #[must_use]
    #[track_caller]
    pub fn triu(self, k: i64) -> Expr<'g> {
        self.builder().derived("triu", Location::caller(), || self.diagonals("triu").ge(k).select(self, 0.0))
    }

    /// Diagonal `offset` of each matrix, counted upwards from the main one: `[…, m, n]` becomes `[…, length]`. One beyond
    /// the matrix has no elements.
    ///
    /// # Panics
    /// When there are fewer than two axes, or their sizes are not known, unless they are one size and `offset` is 0.
    #[must_use]
    #[track_caller]
    pub fn diagonal(self, offset: i64) -> Expr<'g> {
        self.builder().derived("diagonal", Location::caller(), || {
            let [rows, columns] = self.matrix_sizes("diagonal");
            let own = self.shape();
            let lead = own[..own.rank() - 2].to_vec();
            match (rows.known(), columns.known()) {
                (Some(rows), Some(columns)) => {
                    let away = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
                    let (row, column) = if offset < 0 { (away, 0) } else { (0, away) };
                    let length = rows.saturating_sub(row).min(columns.saturating_sub(column));
                    // In row-major order the next element of a diagonal is a row and a column further.
                    let flat =
                        self.reshape(lead.into_iter().chain([Dim::Known(rows * columns)]).collect::<Shape>());
                    let axis = flat.rank() - 1;
                    let start = if length > 0 { row * columns + column } else { 0 };
                    let end = if length > 0 { start + (length - 1) * (columns + 1) + 1 } else { 0 };
                    let mut slice = Slice::along(&flat.shape(), axis, start, end);
                    slice.steps[axis] = columns + 1;
                    flat.apply(slice)
                }
                _ if offset == 0 && rows == columns => {
                    let shape: Shape = lead.iter().cloned().chain([rows, Dim::Known(1)]).collect();
                    let own_row = self.builder().leaf(Iota { axis: lead.len(), shape });
                    self.gather_along(own_row, -1).squeeze(-1)
                }
                _ => {
                    let message = format!("diagonal {offset} of {rows} × {columns} needs known sizes");
                    self.refuse("diagonal", Violation::new("C3", message), &[])
                }
            }
        })
    }

    /// Square matrices with these diagonals, and 0 elsewhere: `[…, n]` becomes `[…, n, n]`.
    ///
    /// # Panics
    /// When this is a scalar.
    #[must_use]
    #[track_caller]
    pub fn diag(self) -> Expr<'g> {
        self.builder().derived("diag", Location::caller(), || {
            if self.rank() == 0 {
                let message = format!("takes at least one axis, got {}", self.ty());
                self.refuse("diag", Violation::new("C2", message), &[]);
            }
            let rows = self.expand_dims(-1);
            let shape = self.shape();
            let size = shape[self.rank() - 1].clone();
            let wide = rows.broadcast_to(shape.iter().cloned().chain([size]).collect::<Shape>());
            wide.diagonals("diag").eq(0_i64).select(wide, 0.0)
        })
    }

    /// The sizes of the last two axes.
    #[track_caller]
    fn matrix_sizes(self, op: &str) -> [Dim; 2] {
        let shape = self.shape();
        match &shape[..] {
            [.., rows, columns] => [rows.clone(), columns.clone()],
            _ => {
                let message = format!("takes at least two axes, got {}", self.ty());
                self.refuse(op, Violation::new("C2", message), &[])
            }
        }
    }

    /// On which diagonal each element of a matrix lies: column minus row.
    #[track_caller]
    fn diagonals(self, op: &str) -> Expr<'g> {
        let shape = Shape::from(self.matrix_sizes(op));
        let [rows, columns] = [0, 1].map(|axis| self.builder().leaf(Iota { shape: shape.clone(), axis }));
        columns - rows
    }
}
