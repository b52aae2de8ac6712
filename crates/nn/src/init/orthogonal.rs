//! Matrices with orthonormal rows or columns.

use super::draws::Draws;

/// A row-major `rows × columns` matrix, drawn evenly among those whose shorter side is orthonormal.
///
/// The vectors of the shorter side are drawn from the normal distribution and made orthonormal one after the other.
/// Gram-Schmidt leaves the triangular factor with a positive diagonal, which is what makes the result uniform (Mezzadri,
/// "How to generate random matrices from the classical compact groups", 2007).
pub(super) fn orthogonal(draws: &mut Draws, rows: usize, columns: usize) -> Vec<f64> {
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector = draws.normal(len, 0.0, 1.0);
        let drawn = norm(&vector);
        // Once leaves rounding errors of the size of the cancellation; twice is enough (Giraud et al. 2005).
        for _ in 0..2 {
            for other in &vectors {
                let along = dot(other, &vector);
                vector.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
        }
        let left = norm(&vector);
        // A draw within the span of the others has no direction of its own left: another one is drawn.
        if left > drawn * 1e-8 {
            vector.iter_mut().for_each(|value| *value /= left);
            vectors.push(vector);
        }
    }
    let at = |row: usize, column: usize| match rows <= columns {
        true => vectors[row][column],
        false => vectors[column][row],
    };
    (0..rows * columns).map(|i| at(i / columns, i % columns)).collect()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}
