//! Routines against the exact values, in units in the last place.

mod polygamma;

use std::fmt::LowerExp;
use std::path::Path;
use std::{env, fs, thread};

use pullback_graph::op;
use pullback_graph::op::{BinaryOp, UnaryOp};

use super::{Polygamma, Routines};
use crate::kernel::simd::InstructionSet;
use crate::kernel::simd::tests::all;

/// Element types whose values are compared with exact ones.
trait Judged: Routines + LowerExp {
    /// The distance of the numbers around this one.
    fn unit(around: f64) -> f64;

    /// How many units the exact value may itself be off.
    const SLACK: f64;

    /// Half a unit, for a number of size 1: what is as near to the exact value, for its size, is within a unit.
    const NEAR: f64;
}

impl Judged for f32 {
    const SLACK: f64 = 0.0;
    const NEAR: f64 = 0.5 * f32::EPSILON as f64;

    fn unit(around: f64) -> f64 {
        let size = (around as f32).abs().min(f32::MAX.next_down());
        f64::from(size.next_up()) - f64::from(size)
    }
}

impl Judged for f64 {
    /// Half a unit or so; the table's compositions more.
    const SLACK: f64 = 1.0;
    const NEAR: f64 = 0.5 * f64::EPSILON;

    fn unit(around: f64) -> f64 {
        let size = around.abs().min(f64::MAX.next_down());
        size.next_up() - size
    }
}

/// The exact value, and the number whose last place is the unit: the value, but where operands cancel.
#[derive(Clone, Copy)]
struct Exact {
    value: f64,
    size: f64,
}

impl From<f64> for Exact {
    fn from(value: f64) -> Self {
        Exact { value, size: value }
    }
}

impl Exact {
    /// Whether `got` is so near that it is surely no more than `allowed` off, in a form that compilers vectorize.
    #[inline(always)]
    fn is_met<T: Judged>(self, got: T, allowed: f64) -> bool {
        let is_near = (got.to_f64() - self.value).abs() <= self.value.abs() * (T::NEAR * allowed.min(1.0));
        let is_same = got.to_bits64() == T::from_f64(self.value).to_bits64();
        is_same | (is_near & (self.value != 0.0)) | (got.is_nan() & self.value.is_nan())
    }

    /// How far `got` is off, in units in the last place.
    fn ulps<T: Judged>(self, got: T) -> f64 {
        let rounded = T::from_f64(self.value);
        let far = rounded.to_f64();
        if !far.is_finite() || far == 0.0 {
            // NaN must be NaN; the neighbors of zeros and of the ends of the range are as near as any others.
            let is_near = got.to_bits64().abs_diff(rounded.to_bits64()) <= 1;
            let is_right = if far.is_nan() { got.is_nan() } else { is_near };
            let is_cancelled = far == 0.0 && self.size != 0.0 && got.to_f64().abs() <= T::unit(self.size);
            return if is_right || is_cancelled { 0.0 } else { f64::INFINITY };
        }
        ((got.to_f64() - self.value).abs() / T::unit(self.size) - T::SLACK).max(0.0)
    }
}

/// Compares what a routine gives for some instruction sets with the exact values and the accuracy that it states;
/// answers how far it is off at most, if that is more than 1, and where.
fn judge<T: Judged>(
    allowed: f64,
    sets: &[InstructionSet],
    exact: &[Exact],
    found: &[Vec<T>],
    what: impl Fn(usize) -> String,
) -> (f64, usize) {
    let mut worst = (1.0, 0);
    for (set, values) in sets.iter().zip(found) {
        let mut all_met = true;
        for (got, exact) in values.iter().zip(exact) {
            all_met &= exact.is_met(*got, allowed);
        }
        if all_met {
            continue;
        }
        for (at, (got, exact)) in
            values.iter().zip(exact).enumerate().filter(|(_, (got, exact))| !exact.is_met(**got, allowed))
        {
            let off = exact.ulps(*got);
            if off > worst.0 {
                worst = (off, at);
            }
            let what = || what(at);
            assert!(off <= allowed, "{} is {got:e}, {off:.2} ulp off {:e}, {set:?}", what(), exact.value);
        }
    }
    for fused in found.windows(2).skip(1) {
        let differing = (0..exact.len())
            .find(|at| fused[0][*at].to_bits64() != fused[1][*at].to_bits64() && !fused[0][*at].is_nan());
        assert_eq!(differing.map(&what), None, "the bits differ between instruction sets with FMA");
    }
    worst
}

/// Judges the routine of a row, if it has one.
fn judge_unary<T: Judged>(
    op: UnaryOp,
    sets: &[InstructionSet],
    numbers: &[T],
    exact: impl Fn(&mut [f64]),
) -> Option<(f64, usize)> {
    let allowed = T::unary_accuracy(op)?;
    let run = |set: InstructionSet| {
        let mut out = vec![T::default(); numbers.len()];
        T::unary_loop(op).expect("the op has a routine")(set, numbers, &mut out);
        out
    };
    let found: Vec<Vec<T>> = sets.iter().copied().map(run).collect();
    let mut values: Vec<f64> = numbers.iter().map(|x| x.to_f64()).collect();
    exact(&mut values);
    let exact: Vec<Exact> = values.into_iter().map(Exact::from).collect();
    Some(judge(allowed, sets, &exact, &found, |at| format!("{op:?}({:e})", numbers[at])))
}

/// The same for two operands.
fn judge_binary<T: Judged>(op: BinaryOp, x: &[T], y: &[T]) {
    let Some(allowed) = T::binary_accuracy(op) else { return };
    let run = |set: InstructionSet| {
        let mut out = vec![T::default(); x.len()];
        T::binary_loop(op).expect("the op has a routine")(set, x, y, &mut out);
        out
    };
    let found: Vec<Vec<T>> = all().into_iter().map(run).collect();
    let exact = |(x, y): (&T, &T)| {
        let (x, y) = (x.to_f64(), y.to_f64());
        let value = op.value(x, y);
        // The larger operand and the logarithm that is added to it may cancel.
        let parts = [x.max(y).abs(), (value - x.max(y)).abs()];
        let cancels = op == BinaryOp::Logaddexp && value.is_finite();
        Exact { value, size: if cancels { value.abs().max(parts[0]).max(parts[1]) } else { value } }
    };
    let exact: Vec<Exact> = x.iter().zip(y).map(exact).collect();
    judge(allowed, &all(), &exact, &found, |at| format!("{op:?}({:e}, {:e})", x[at], y[at]));
}

const SPECIAL: [f64; 27] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    2.5,
    -100.0,
    1e-20,
    -1e-20,
    1e-40,
    -1e-40,
    1e-310,
    -5e-324,
    1e30,
    -1e30,
    1e300,
    f32::MAX as f64,
    f32::MIN as f64,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

/// The bits of every `step`-th `f32`.
fn numbers(step: usize) -> impl Iterator<Item = f32> {
    SPECIAL.into_iter().map(|x| x as f32).chain((0..=u32::MAX).step_by(step).map(f32::from_bits))
}

/// Numbers of every size, and many that are ordinary.
fn spread(count: u64) -> impl Iterator<Item = f64> {
    let word =
        |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let unit = move |i| (word(i) >> 11) as f64 / (1_u64 << 53) as f64;
    let number = move |i: u64| match i % 4 {
        0 => f64::from_bits(word(i)),
        1 => (unit(i) - 0.5) * 80.0,
        2 => (unit(i) - 0.5) * 4.0,
        _ => f64::from(f32::from_bits(word(i) as u32)),
    };
    SPECIAL.into_iter().chain((0..count).map(number))
}

#[test]
fn routines_of_f32_are_as_accurate_as_they_say() {
    let numbers: Vec<f32> = numbers(20_011).collect();
    for op in UnaryOp::ALL {
        judge_unary(*op, &all(), &numbers, |values| op.map_in_place(values));
    }
}

/// For the instruction set of this processor, whose bits all with FMA have, on all its cores:
/// `cargo test --release -p pullback-exec everywhere -- --ignored --nocapture`.
#[test]
#[ignore = "all 2^32 numbers take minutes: run by hand after a routine has changed"]
fn routines_of_f32_are_as_accurate_as_they_say_everywhere() {
    const BLOCK: u64 = 1 << 12;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let judge_every = |op: UnaryOp, first: u64| {
        let mut worst = (1.0, 0.0);
        for block in (first..(1 << 32) / BLOCK).step_by(threads) {
            let numbers: Vec<f32> =
                (block * BLOCK..(block + 1) * BLOCK).map(|bits| f32::from_bits(bits as u32)).collect();
            // The routine of `f64`, which is judged on its own, stands for the exact value, since it is faster.
            let (off, at) = judge_unary(op, &[InstructionSet::detected()], &numbers, |values| {
                let x = values.to_vec();
                match f64::unary_loop(op) {
                    Some(routine) => routine(InstructionSet::detected(), &x, values),
                    None => op.map(&x, values),
                }
            })?;
            if off > worst.0 {
                worst = (off, numbers[at]);
            }
        }
        Some(worst)
    };
    for op in UnaryOp::ALL {
        let found: Vec<(f64, f32)> = thread::scope(|scope| {
            let workers: Vec<_> =
                (0..threads as u64).map(|first| scope.spawn(move || judge_every(*op, first))).collect();
            workers.into_iter().filter_map(|worker| worker.join().expect("no routine is off")).collect()
        });
        if let Some((off, at)) = found.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
            println!("{:10} {off:.3} ulp at most, at {at:e}", op.name_static());
        }
    }
}

#[test]
fn routines_of_f64_are_as_accurate_as_they_say() {
    let numbers: Vec<f64> = spread(400_000).collect();
    for op in UnaryOp::ALL {
        judge_unary(*op, &all(), &numbers, |values| op.map_in_place(values));
    }
}

#[test]
fn routines_of_two_operands_are_as_accurate_as_they_say() {
    fn check<T: Judged>() {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for left in SPECIAL {
            for right in SPECIAL {
                x.push(T::from_f64(left));
                y.push(T::from_f64(right));
            }
        }
        x.extend(spread(300_000).map(T::from_f64));
        // In another order, so that every kind meets every kind.
        y.extend(spread(300_000).skip(5).chain(spread(5)).map(T::from_f64));
        y.truncate(x.len());
        x.truncate(y.len());
        for op in BinaryOp::ALL {
            judge_binary(*op, &x, &y);
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn single_elements_have_the_bits_of_slices() {
    fn check<T: Routines>(numbers: &[T]) {
        let bits = |x: &T| if x.is_nan() { u64::MAX } else { x.to_bits64() };
        let others: Vec<T> = numbers.iter().rev().copied().collect();
        for set in all() {
            for op in UnaryOp::ALL {
                let mut of_slice = vec![T::default(); numbers.len()];
                match T::unary_loop(*op) {
                    Some(routine) => routine(set, numbers, &mut of_slice),
                    None => op.map(numbers, &mut of_slice),
                }
                let function = T::unary_function(set, *op);
                for (x, expected) in numbers.iter().zip(&of_slice) {
                    assert_eq!(bits(&function(*x)), bits(expected), "{op:?}({x:?}), {set:?}");
                }
            }
            for op in BinaryOp::ALL {
                let mut of_slice = vec![T::default(); numbers.len()];
                match T::binary_loop(*op) {
                    Some(routine) => routine(set, numbers, &others, &mut of_slice),
                    None => op.map(numbers, &others, &mut of_slice),
                }
                let function = T::binary_function(set, *op);
                for ((x, y), expected) in numbers.iter().zip(&others).zip(&of_slice) {
                    assert_eq!(bits(&function((*x, *y))), bits(expected), "{op:?}({x:?}, {y:?}), {set:?}");
                }
            }
        }
    }
    let numbers: Vec<f32> = numbers(1_000_003).collect();
    check(&numbers);
    check(&numbers.iter().map(|x| f64::from(*x) * 1.1).collect::<Vec<_>>());
}

/// The accuracies that routines state; `UPDATE_EXPECT=1` writes the table anew.
#[test]
fn the_table_of_accuracies_in_docs_is_fresh() {
    let ulp = |accuracy: Option<f64>| accuracy.map_or("as the table".to_owned(), |ulp| format!("{ulp} ulp"));
    let row = |name: &str, single, double| format!("{name:12} {:7}  {}\n", ulp(single), ulp(double));
    let mut table = format!("{:12} {:7}  f64\n", "", "f32");
    for op in UnaryOp::ALL.iter().filter(|op| f32::unary_accuracy(**op).is_some()) {
        table += &row(op.name_static(), f32::unary_accuracy(*op), f64::unary_accuracy(*op));
    }
    for (name, order) in [("ψₙ, n ≤ 3", 3), ("ψₙ, n ≤ 10", 10), ("ψₙ, n ≤ 100", 100)] {
        let op = op::Polygamma { order };
        table += &row(name, Some(Polygamma::accuracy::<f32>(op)), Some(Polygamma::accuracy::<f64>(op)));
    }
    for op in BinaryOp::ALL.iter().filter(|op| f32::binary_accuracy(**op).is_some()) {
        table += &row(op.name_static(), f32::binary_accuracy(*op), f64::binary_accuracy(*op));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/execution.md");
    let text = fs::read_to_string(&path).unwrap();
    let marker = "<!-- printed: routines -->\n```text\n";
    let start = text.find(marker).expect("the document has the table") + marker.len();
    let end = start + text[start..].find("```").expect("the block ends");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, format!("{}{table}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    assert_eq!(text[start..end], table, "run with UPDATE_EXPECT=1 to write it anew");
}
