//! Promotion: all pairs of element types, through every way in which tensors meet.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_graph::DType::{Bool, F32, F64, I64};
use pullback_graph::op::{BinaryOp, CompareOp};
use pullback_graph::{Builder, DType, Op, OpRules, Tensor, interpret};

/// What the pair should meet in, written out once more.
const TABLE: [(DType, [DType; 4]); 4] = [
    (Bool, [Bool, I64, F32, F64]),
    (I64, [I64, I64, F32, F64]),
    (F32, [F32, F32, F32, F64]),
    (F64, [F64, F64, F64, F64]),
];

/// Every pair, and what it meets in.
fn pairs() -> impl Iterator<Item = (DType, DType, DType)> {
    let order = TABLE.map(|(dtype, _)| dtype);
    TABLE
        .into_iter()
        .flat_map(move |(left, row)| std::iter::zip(order, row).map(move |(right, meet)| (left, right, meet)))
}

fn ones(dtype: DType) -> Tensor {
    Tensor::vector([1.0]).cast(dtype)
}

#[test]
fn the_table_is_symmetric_and_as_documented() {
    assert_eq!(pairs().count(), 16);
    for (left, right, meet) in pairs() {
        assert_eq!(left.promote(right), meet, "{left}, {right}");
        assert_eq!(right.promote(left), meet, "{right}, {left}");
        assert_eq!(left.promote(left), left);
    }
    let first = DType::promotion_table().lines().nth(2).unwrap().to_string();
    assert_eq!(first, "| bool | bool | i64  | f32  | f64  |");
}

#[test]
fn every_operator_meets_in_the_tables_type() {
    for (left, right, meet) in pairs() {
        for op in BinaryOp::ALL {
            let takes = meet.is_float() || meet == I64 && op.int().is_some();
            if !takes {
                continue;
            }
            let b = Builder::new();
            let (x, y) = (b.constant(ones(left)), b.constant(ones(right)));
            // By name: the methods are made of the same row.
            let result = match op.name_static() {
                "add" => x + y,
                "sub" => x - y,
                "mul" => x * y,
                "div" => x / y,
                "rem" => x % y,
                "pow" => x.pow(y),
                "maximum" => x.maximum(y),
                "minimum" => x.minimum(y),
                "atan2" => x.atan2(y),
                "remainder" => x.remainder(y),
                "hypot" => x.hypot(y),
                "logaddexp" => x.logaddexp(y),
                "xlogy" => x.xlogy(y),
                "xlog1py" => x.xlog1py(y),
                other => panic!("a new operator to try: {other}"),
            };
            assert_eq!(result.dtype(), meet, "{} of {left} and {right}", op.name());
            let graph = b.finish([("y", result)]).unwrap();
            let none: [(&str, &Tensor); 0] = [];
            let value = interpret(&graph, none).unwrap().output("y").unwrap().to_f64_vec()[0];
            let want = Op::from(*op).evaluate(&[&ones(meet), &ones(meet)], &ones(meet).ty()).unwrap();
            assert_eq!(
                value.to_bits(),
                want.to_f64_vec()[0].to_bits(),
                "{} of {left} and {right}",
                op.name()
            );
        }
    }
}

#[test]
fn comparisons_branches_products_and_joints_meet_too() {
    for (left, right, meet) in pairs() {
        let b = Builder::new();
        let (x, y) = (b.input("x", left, [2, 2]), b.input("y", right, [2, 2]));
        for compared in [x.eq(y), x.ne(y), x.lt(y), x.le(y), x.gt(y), x.ge(y)] {
            assert_eq!(compared.dtype(), Bool);
            let Op::Compare(op) = compared.op() else { panic!("{compared:?}") };
            assert!(CompareOp::ALL.contains(&op));
            assert!(compared.operands().iter().all(|operand| operand.dtype() == meet));
        }
        assert_eq!(b.input("c", Bool, [2, 2]).select(x, y).dtype(), meet);
        assert_eq!(x.concat(&[y, x], 0).dtype(), meet);
        assert_eq!(x.stack(&[y], 0).dtype(), meet);
        if meet.is_float() {
            assert_eq!((x.dot(y).dtype(), x.matmul(y).dtype()), (meet, meet));
            let (stack, z) = (b.input("s", left, [3, 2, 2]), b.input("z", right, [1, 2, 2]));
            assert_eq!((stack.matmul(z).dtype(), x.linear_scan(y, 0).dtype()), (meet, meet));
        }
    }
}

#[test]
fn numbers_take_the_tensors_type() {
    let b = Builder::new();
    for dtype in [I64, F32, F64] {
        let x = b.input(dtype.name(), dtype, [2]);
        let results =
            [x + 1.0, 2.0 * x, x / 2_i64, x.maximum(3), x.gt(0.0).select(x, 0.0), x.clamp(0.0, 4.0)];
        assert!(results.iter().all(|result| result.dtype() == dtype), "{dtype}");
    }
}

#[test]
fn conversion_comes_before_repetition() {
    let b = Builder::new();
    let (row, x) = (b.input("row", F32, [3]), b.input("x", F64, [1000, 3]));
    let sum = row + x;
    let repeated = sum.operands()[0];
    assert_eq!(
        (repeated.op().name().into_owned(), repeated.operands()[0].op().name().into_owned()),
        ("broadcast".into(), "cast".into())
    );
    // Operands of one type get no node at all.
    let before = b.len();
    let _ = x + x;
    assert_eq!(b.len(), before + 1);
}

#[test]
#[should_panic(expected = "takes truth values, got i64[2] (C4)")]
fn logic_takes_truth_values_alone() {
    let b = Builder::new();
    let _ = b.input("x", Bool, [2]).and(b.input("n", I64, [2]));
}

#[test]
fn whole_numbers_are_rounded_to_f32_once() {
    // Between two neighbours of f32, just above the middle, by less than a double can tell.
    let n = (1_i64 << 60) + (1 << 36) + 1;
    let cast = Tensor::vector([n, -n, i64::MAX, i64::MIN, 3]).cast(F32);
    assert_eq!(cast, Tensor::vector([n as f32, -n as f32, i64::MAX as f32, i64::MIN as f32, 3.0]));
    assert_ne!(n as f32, n as f64 as f32);
}
