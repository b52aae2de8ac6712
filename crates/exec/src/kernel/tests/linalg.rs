//! Factorizations and equations against the interpreter: sizes around where matrices are cut, stacks, and what has no answer.

use pullback_graph::op::{Cholesky, Cofactor, Determinant, DeterminantForm, Solve, TriangularSolve};
use pullback_graph::{Builder, DType, Element, NodeId, Op, OpRules, Tensor, dispatch_float};

use super::{ORDERS, Order, graph_of, run, run_regions};
use crate::kernel::{Kernel, Region, Scratch, regions};

const SIZES: [usize; 13] = [0, 1, 2, 3, 5, 8, 16, 17, 31, 64, 65, 100, 130];
const FORMS: [DeterminantForm; 3] = [DeterminantForm::Value, DeterminantForm::LogAbs, DeterminantForm::Sign];

/// Numbers without end, of which every seed has its own: `splitmix64`.
struct Numbers(u64);

impl Numbers {
    /// The next one, from `-size` to `size`.
    fn next(&mut self, size: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        ((word >> 11) as f64 / (1_u64 << 52) as f64 - 1.0) * size
    }
}

/// Elements as they are told by their place: matrix, row, column.
fn stack(
    dtype: DType,
    [len, rows, columns]: [usize; 3],
    mut value: impl FnMut(usize, usize, usize) -> f64,
) -> Tensor {
    dispatch_float!(dtype, T => Tensor::from_fn([len, rows, columns].as_slice(), |at| {
        let (row, column) = (at / columns % rows, at % columns);
        <T as Element>::from_f64(value(at / (rows * columns), row, column))
    }), else unreachable!())
}

fn random(dtype: DType, sizes: [usize; 3], choices: &mut Numbers) -> Tensor {
    stack(dtype, sizes, |_, _, _| choices.next(1.0))
}

/// Matrices whose diagonal is large enough for them to be regular, or positive definite.
fn dominant(dtype: DType, len: usize, n: usize, diagonal: f64, choices: &mut Numbers) -> Tensor {
    stack(dtype, [len, n, n], |_, row, column| {
        let own = if row == column { diagonal } else { 0.0 };
        own + choices.next(1.0)
    })
}

/// A tensor with some elements replaced.
fn with(tensor: &Tensor, places: &[(usize, f64)]) -> Tensor {
    let mut values = tensor.to_f64_vec();
    for (place, value) in places {
        values[*place] = *value;
    }
    dispatch_float!(tensor.dtype(), T => {
        Tensor::from_fn(tensor.sizes(), |at| <T as Element>::from_f64(values[at]))
    }, else unreachable!())
}

/// Compares every way of running an op with the interpreter, up to `tolerance` of the largest element of each matrix beside
/// rounding to the element type; bit by bit where matrices are small.
fn check(op: impl Into<Op>, operands: &[&Tensor], tolerance: f64) {
    let op = op.into();
    let types: Vec<_> = operands.iter().map(|operand| operand.ty()).collect();
    let (graph, node): (_, NodeId) = graph_of(&op, &types).expect("a graph");
    let ty = graph.ty(node);
    let what = format!("{op:?} of {types:?}");
    let expected = op.evaluate(operands, ty);
    let mut kernel = Kernel::lower(&graph, &Region::single(&graph, node));
    assert_ne!(kernel.name(), "reference");
    let mut scratch = Scratch::default();
    let mut first: Option<Tensor> = None;
    let in_place = kernel.in_place().iter().map(|operand| Some((*operand, 0))).collect::<Vec<_>>();
    for place in [None].into_iter().chain(in_place) {
        for order in ORDERS {
            let got = run(&mut kernel, operands, &[ty], order, place, &mut scratch);
            let (expected, got) = match (&expected, got) {
                (Ok(expected), Ok(mut got)) => (expected, got.remove(0)),
                (Err(expected), Err(got)) => {
                    assert_eq!(*expected, got, "{what}, {order:?}");
                    continue;
                }
                (expected, got) => panic!("{what}: the interpreter says {expected:?}, the kernel {got:?}"),
            };
            match &first {
                Some(first) => assert_eq!(bits(first), bits(&got), "{what}, {order:?}, {place:?}"),
                None => {
                    assert_close(&got, expected, operands[0], tolerance, &what);
                    first = Some(got);
                }
            }
        }
    }
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    tensor.to_f64_vec().into_iter().map(f64::to_bits).collect()
}

fn assert_close(got: &Tensor, expected: &Tensor, matrices: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(got.ty(), expected.ty(), "{what}");
    let (got, wanted) = (got.to_f64_vec(), expected.to_f64_vec());
    let [len, n, _] = matrices.sizes() else { panic!("a stack has three axes") };
    let epsilon = if expected.dtype() == DType::F32 { f64::from(f32::EPSILON) } else { 0.0 };
    let item = (wanted.len() / len.max(&1)).max(1);
    for (got, wanted) in got.chunks(item).zip(wanted.chunks(item)) {
        let most = wanted.iter().filter(|x| x.is_finite()).fold(0.0_f64, |most, x| most.max(x.abs()));
        let allowed = if *n <= 16 { 0.0 } else { tolerance * most };
        for (at, (got, wanted)) in got.iter().zip(wanted).enumerate() {
            let allowed = if *n <= 16 { 0.0 } else { allowed + epsilon * wanted.abs() };
            let same = got == wanted || (got.is_nan() && wanted.is_nan()) || (got - wanted).abs() <= allowed;
            assert!(same, "{what}: element {at} is {got:?}, expected {wanted:?} (± {allowed:e})");
        }
    }
}

/// Stacks of all sizes, in both element types.
fn for_each(mut test: impl FnMut(DType, usize, usize, &mut Numbers)) {
    let mut choices = Numbers(7);
    for n in SIZES {
        for len in [0, 1, 3] {
            for dtype in [DType::F32, DType::F64] {
                test(dtype, len, n, &mut choices);
            }
        }
    }
}

#[test]
fn triangles_are_solved_as_by_the_interpreter() {
    for_each(|dtype, len, n, choices| {
        for (at, columns) in [45, 0, 1, 7].into_iter().enumerate() {
            let right = random(dtype, [len, n, columns], choices);
            // All options with the first.
            for options in (0..8).filter(|options| at == 0 || options % 3 == at % 3) {
                let [lower, transpose, unit_diagonal] = [1, 2, 4].map(|bit| options & bit != 0);
                let diagonal = if unit_diagonal { 1.0 } else { 3.0 };
                let size = if n > 16 { 0.1 } else { 1.0 };
                let matrices = stack(dtype, [len, n, n], |_, row, column| {
                    let own = if row == column { diagonal } else { 0.0 };
                    own + size * choices.next(1.0)
                });
                check(TriangularSolve { lower, transpose, unit_diagonal }, &[&matrices, &right], 1e-12);
            }
        }
    });
}

#[test]
fn only_the_named_triangle_is_read() {
    for n in [5, 40] {
        let mut choices = Numbers(3);
        let right = random(DType::F64, [1, n, 3], &mut choices);
        let matrix = stack(DType::F64, [1, n, n], |_, row, column| match column.cmp(&row) {
            std::cmp::Ordering::Less => choices.next(0.1),
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => f64::NAN,
        });
        check(TriangularSolve::lower().unit_diagonal(), &[&matrix, &right], 1e-12);
        check(TriangularSolve::lower().unit_diagonal().transposed(), &[&matrix, &right], 1e-12);
    }
}

#[test]
fn factors_are_those_of_the_interpreter() {
    for_each(|dtype, len, n, choices| {
        let matrices = dominant(dtype, len, n, 2.0 + (n as f64).sqrt() * 2.0, choices);
        check(Cholesky, &[&matrices], 1e-13);
    });
}

#[test]
fn equations_are_solved_as_by_the_interpreter() {
    for_each(|dtype, len, n, choices| {
        for diagonal in [2.5, n as f64] {
            let matrices = dominant(dtype, len, n, diagonal, choices);
            for columns in [0, 1, 10] {
                let right = random(dtype, [len, n, columns], choices);
                check(Solve, &[&matrices, &right], 1e-9);
            }
            let identity = stack(dtype, [len, n, n], |_, row, column| f64::from(row == column));
            check(Solve, &[&matrices, &identity], 1e-9);
        }
    });
}

#[test]
fn determinants_and_cofactors_are_those_of_the_interpreter() {
    for_each(|dtype, len, n, choices| {
        // Larger ones would overflow.
        let size = 2.0 / (n.max(1) as f64).sqrt();
        for diagonal in [0.0, 2.0] {
            let matrices = dominant(DType::F64, len, n, diagonal, choices).to_f64_vec();
            let matrices =
                stack(dtype, [len, n, n], |at, row, column| size * matrices[(at * n + row) * n + column]);
            for form in FORMS {
                check(Determinant { form }, &[&matrices], 1e-11);
            }
            check(Cofactor, &[&matrices], 1e-9);
        }
    });
}

#[test]
fn one_elimination_tells_all_of_a_determinant() {
    let builder = Builder::new();
    let x = builder.input("x", DType::F64, [5, 20, 20]);
    let y = builder.input("y", DType::F64, [5, 20, 20]);
    let (sign, log) = x.slogdet();
    let outputs = [("sign", sign), ("log", log), ("det", x.det()), ("other", y.det())];
    let graph = builder.finish(outputs).unwrap();
    let regions = regions(&graph, &|node| graph.outputs().iter().any(|output| output.node == node));
    let of = |nodes: usize| regions.iter().filter(|region| region.nodes.len() == nodes).count();
    assert_eq!(of(3), 1, "{regions:?}");
    let mut choices = Numbers(1);
    let feeds = [0, 1].map(|_| dominant(DType::F64, 5, 20, 1.0, &mut choices));
    let values = run_regions(&graph, &regions, &feeds, Order::Alternating);
    for (output, feed) in graph.outputs().iter().zip([0, 0, 0, 1]) {
        let expected = graph.node(output.node).op.evaluate(&[&feeds[feed]], graph.ty(output.node)).unwrap();
        let got = values[output.node.index()].as_ref().unwrap();
        assert_close(got, &expected, &feeds[feed], 1e-12, &output.name);
    }
}

#[test]
fn singular_matrices_have_the_interpreters_answers() {
    for n in [1, 2, 5, 16, 17, 31, 64, 100] {
        let mut choices = Numbers(n as u64);
        let regular = dominant(DType::F64, 3, n, 1.0, &mut choices);
        let values = regular.to_f64_vec();
        let value = |at: usize, row: usize, column: usize| values[(at * n + row) * n + column];
        let from = n / 3;
        let made: [&dyn Fn(usize, usize, usize) -> f64; 4] = [
            // A row of zeros, a column of zeros, two rows alike, and two columns that differ by a factor.
            &|at, row, column| if at > 0 && row == n / 2 { 0.0 } else { value(at, row, column) },
            &|at, row, column| if at > 1 && column == n / 2 { 0.0 } else { value(at, row, column) },
            &|at, row, column| value(at, if at > 0 && row + 1 == n { from } else { row }, column),
            // What is singular up to rounding is rounded as by the interpreter only where it is small.
            &|at, row, column| match at > 0 && column + 1 == n && n <= 16 {
                true => value(at, row, from) * 2.0,
                false => value(at, row, column),
            },
        ];
        let right = random(DType::F64, [3, n, 4], &mut choices);
        for made in made {
            let matrices = stack(DType::F64, [3, n, n], made);
            check(Solve, &[&matrices, &right], 1e-10);
            check(Cofactor, &[&matrices], 1e-9);
            check(Determinant { form: DeterminantForm::Sign }, &[&matrices], 0.0);
        }
    }
}

#[test]
fn what_has_no_answer_is_reported_as_by_the_interpreter() {
    for n in [2, 8, 16, 17, 40, 100] {
        let mut choices = Numbers(n as u64);
        for dtype in [DType::F32, DType::F64] {
            let right = random(dtype, [40, n, 3], &mut choices);
            for row in [0, n / 2, n - 1] {
                let matrices = dominant(dtype, 40, n, 4.0 * n as f64, &mut choices);
                // In the second matrix and the last: whichever comes first, the second one is reported.
                let places = [1, 39].map(|at| (at * n * n + row * (n + 1), -0.5));
                check(Cholesky, &[&with(&matrices, &places)], 0.0);
                let zeros = places.map(|(place, _)| (place, 0.0));
                check(TriangularSolve::upper(), &[&with(&matrices, &zeros), &right], 0.0);
                let rows = [1, 39].map(|at| (at * n + row) * n..(at * n + row + 1) * n);
                let zeros: Vec<_> = rows.into_iter().flatten().map(|place| (place, 0.0)).collect();
                check(Solve, &[&with(&matrices, &zeros), &right], 0.0);
                let nothing = random(dtype, [40, n, 0], &mut choices);
                check(Solve, &[&with(&matrices, &zeros), &nothing], 0.0);
            }
        }
    }
}

#[test]
fn nan_makes_nan_and_no_error() {
    for n in [2, 5, 16, 17, 40, 100] {
        let mut choices = Numbers(n as u64);
        let matrices = dominant(DType::F64, 3, n, 4.0 * n as f64, &mut choices);
        let right = random(DType::F64, [3, n, 2], &mut choices);
        for place in [0, 1, n + 1, n * n / 2, n * n - 1] {
            let matrices = with(&matrices, &[(n * n + place, f64::NAN)]);
            check(Cholesky, &[&matrices], 1e-12);
            check(Solve, &[&matrices, &right], 1e-10);
            for form in FORMS {
                check(Determinant { form }, &[&matrices], 1e-10);
            }
            check(TriangularSolve::lower(), &[&matrices, &right], 1e-12);
        }
    }
}

#[test]
fn a_matrix_is_a_matrix_wherever_it_stands_in_a_stack() {
    let mut choices = Numbers(5);
    let matrices = dominant(DType::F64, 3, 70, 1.0, &mut choices);
    let values = matrices.to_f64_vec();
    let op = Op::from(Cofactor);
    let of = |tensor: &Tensor| {
        let (graph, node) = graph_of(&op, &[tensor.ty()]).unwrap();
        let mut kernel = Kernel::lower(&graph, &Region::single(&graph, node));
        let ty = graph.ty(node);
        let got = run(&mut kernel, &[tensor], &[ty], Order::Backward, None, &mut Scratch::default());
        bits(&got.unwrap()[0])
    };
    let all = of(&matrices);
    for at in 0..3 {
        let one = stack(DType::F64, [1, 70, 70], |_, row, column| values[(at * 70 + row) * 70 + column]);
        assert_eq!(of(&one), all[at * 4900..][..4900]);
    }
}
