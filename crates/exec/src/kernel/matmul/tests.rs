//! Every backend against each other, for all storage orders, splits and instruction sets.

use pullback_graph::Element;

use super::gemm::Blocked;
use super::plain::Plain;
use super::{Dims, Matmul, Matrix, Method, Panels, Part, Product, Room, Scalar};
use crate::kernel::register::Registers;
use crate::kernel::simd;

fn matrices(dims: Dims) -> (Vec<f64>, Vec<f64>) {
    let value = |seed: usize| ((seed * 7919 + 13) % 1009) as f64 / 500.0 - 1.0;
    ((0..dims.m * dims.k).map(value).collect(), (0..dims.k * dims.n).map(|i| value(i + 31)).collect())
}

/// Left and right as stored: by rows, or by columns.
fn stored(by_rows: bool, rows: usize, columns: usize, elements: &[f64]) -> Matrix<'_, f64> {
    match by_rows {
        true => Matrix { elements, row: columns, column: 1 },
        false => Matrix { elements, row: 1, column: rows },
    }
}

fn product(method: impl Matmul<f64>, dims: Dims, left: Matrix<'_, f64>, right: Matrix<'_, f64>) -> Vec<f64> {
    let mut result = vec![f64::NAN; dims.m * dims.n];
    let mut room = Room::default();
    method.multiply(Product::whole(dims, left, right, &mut result, Some(&mut room)));
    result
}

impl<T: Scalar> Matmul<T> for Method {
    fn multiply(&self, product: Product<'_, T>) {
        Method::multiply(*self, product);
    }
}

#[test]
fn backends_agree_for_all_storage_orders_and_any_row_split() {
    for (m, k, n) in [
        (1, 1, 1),
        (4, 2, 4),
        (7, 5, 3),
        (33, 17, 20),
        (70, 300, 5),
        (1, 64, 9),
        (1, 700, 40),
        (50, 90, 1),
        (100, 800, 50),
        (30, 20, 300),
        (90, 256, 160),
        (100, 530, 290),
        (40, 300, 600),
        (9, 500, 400),
        (256, 400, 20),
    ] {
        let dims = Dims { m, k, n };
        let (left, right) = matrices(dims);
        for orders in 0..4 {
            let a = stored(orders & 1 == 0, m, k, &left);
            let b = stored(orders & 2 == 0, k, n, &right);
            let expected = product(Plain, dims, a, b);
            let whole = product(Blocked, dims, a, b);
            let far = expected.iter().zip(&whole).filter(|(e, g)| (**e - **g).abs() > 1e-12).count();
            assert_eq!(far, 0, "{dims:?}, storage {orders}");
            let method = Method::of(dims, (a.row, a.column), (b.row, b.column));
            let chosen = product(method, dims, a, b);
            let far = expected.iter().zip(&chosen).filter(|(e, g)| (**e - **g).abs() > 1e-12).count();
            assert_eq!(far, 0, "{dims:?}, storage {orders}, {method:?}");
            for split in [1, 2, 5, 8, 40] {
                let mut parts = Vec::new();
                for start in (0..m).step_by(split) {
                    let rows = split.min(m - start);
                    parts.extend(product(Blocked, Dims { m: rows, ..dims }, a.from(start, 0), b));
                }
                assert_eq!(parts, whole, "{dims:?} in blocks of {split} rows, storage {orders}");
            }
        }
    }
}

#[test]
fn vectors_times_matrices_may_be_cut() {
    for (m, k) in [(1, 700), (3, 8), (100, 7), (99, 90), (40, 1000), (1500, 33), (50, 1)] {
        let dims = Dims { m, k, n: 1 };
        let (left, right) = matrices(dims);
        for by_rows in [true, false] {
            let left = stored(by_rows, m, k, &left);
            let right = stored(true, k, 1, &right);
            let method = Method::of(dims, (left.row, left.column), (right.row, right.column));
            assert_ne!(method, Method::Blocked, "{dims:?}, by rows: {by_rows}");
            let expected = product(Plain, dims, left, right);
            let whole = product(method, dims, left, right);
            let far = expected.iter().zip(&whole).filter(|(e, g)| (**e - **g).abs() > 1e-12).count();
            assert_eq!(far, 0, "{dims:?}, by rows: {by_rows}");
            for split in [1, 3, 16, 50] {
                let mut parts = Vec::new();
                for start in (0..m).step_by(split) {
                    let rows = split.min(m - start);
                    parts.extend(product(method, Dims { m: rows, ..dims }, left.from(start, 0), right));
                }
                assert_eq!(parts, whole, "{dims:?} in blocks of {split} rows, by rows: {by_rows}");
            }
        }
    }
}

#[test]
fn a_part_of_a_product_is_the_product_of_what_is_not_zero() {
    // In blocks, by rows and by columns; turned, whose left elements are far apart; turned, whose columns fill no register.
    for (m, k, n) in [(40, 300, 64), (256, 400, 20), (64, 300, 5)] {
        let dims = Dims { m, k, n };
        let (left, right) = matrices(dims);
        let (begin, end) = (k / 4, k - 17);
        for by_rows in [true, false] {
            let zeroed = |at: usize, value: f64| {
                let contracted = if by_rows { at % k } else { at / m };
                if (begin..end).contains(&contracted) { value } else { 0.0 }
            };
            let rest: Vec<f64> = left.iter().enumerate().map(|(at, value)| zeroed(at, *value)).collect();
            let right = stored(true, k, n, &right);
            let expected = product(Blocked, dims, stored(by_rows, m, k, &rest), right);
            let across = n + 3;
            let mut result = vec![7.0; m * across];
            let mut room = Room::default();
            let left = stored(by_rows, m, k, &left);
            let whole = Product::whole(dims, left, right, &mut result, Some(&mut room));
            Blocked.multiply(Product { part: Some(Part { across, contracted: (begin, end) }), ..whole });
            for (row, expected) in result.chunks(across).zip(expected.chunks(n)) {
                assert_eq!(&row[..n], expected, "{dims:?}, left operand by rows: {by_rows}");
                assert_eq!(row[n..], [7.0; 3], "{dims:?}: what lies between rows");
            }
        }
    }
}

#[test]
fn rows_are_multiplied_by_panels_that_are_kept() {
    let dims = Dims { m: 230, k: 600, n: 150 };
    let Dims { k, n, .. } = dims;
    let (left, right) = matrices(dims);
    let of = |part: Part, columns: usize, row: usize, by_rows: bool, room: &mut Room<f64>| {
        let dims = Dims { m: 46, k, n: columns };
        let mut result = vec![f64::NAN; 46 * n];
        let left = Matrix { elements: &left[row * k..], row: k, column: 1 };
        let right = stored(by_rows, k, n, &right);
        let whole = Product::whole(dims, left, right, &mut result, Some(room));
        Blocked.multiply(Product { part: Some(part), ..whole });
        result
    };
    for by_rows in [true, false] {
        let mut room = Room { kept: Some(Panels::default()), ..Room::default() };
        // More and fewer columns, and contracted elements.
        for columns in [16, 40, n, 64, 100, n] {
            room.kept.as_mut().unwrap().keep(0);
            for (group, (begin, end)) in
                [(0, 100), (0, 300), (120, 330), (300, k), (0, k)].into_iter().enumerate()
            {
                let part = Part { across: n, contracted: (begin, end) };
                let got = of(part, columns, group * 46, by_rows, &mut room);
                let expected = of(part, columns, group * 46, by_rows, &mut Room::default());
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(
                    bits(&got),
                    bits(&expected),
                    "{columns} columns, {begin}..{end}, by rows: {by_rows}"
                );
            }
        }
    }
}

fn check_sets<T: Registers + Element>(tolerance: f64) {
    for (m, k, n) in [(1, 1, 1), (5, 3, 2), (13, 40, 33), (25, 500, 70), (12, 64, 300)] {
        let dims = Dims { m, k, n };
        let (left, right) = matrices(dims);
        let expected = product(Plain, dims, stored(true, m, k, &left), stored(true, k, n, &right));
        let of = |values: &[f64]| values.iter().map(|value| T::from_f64(*value)).collect::<Vec<T>>();
        let (left, right) = (of(&left), of(&right));
        let left = Matrix { elements: &left[..], row: k, column: 1 };
        let right = Matrix { elements: &right[..], row: n, column: 1 };
        for set in simd::tests::all() {
            let mut result = vec![T::default(); m * n];
            let mut room = Room::default();
            T::in_registers(set, Product::whole(dims, left, right, &mut result, Some(&mut room)));
            for (got, expected) in result.iter().zip(&expected) {
                let bound = tolerance * k as f64;
                assert!((got.to_f64() - expected).abs() <= bound, "{dims:?}, {set:?}: {got:?}, {expected}");
            }
        }
    }
}

#[test]
fn every_instruction_set_multiplies() {
    check_sets::<f32>(2e-7);
    check_sets::<f64>(4e-16);
}
