//! Kernels against the interpreter: every op of the catalogue, shapes that are cut into pieces, and fused graphs.

mod catalogue;
mod causal;
mod columns;
mod fusion;
mod recompute;
mod summed;
mod epilogues;
mod strips;
mod linalg;
mod shapes;

use std::ops::Range;

use pullback_graph::op::{BinaryOp, Choices};
use pullback_graph::{Builder, DType, Graph, NodeId, Op, OpClass, OpRules, Tensor, TensorType, dispatch};

use crate::kernel::routine::{Polygamma, Routines};
use crate::kernel::{Buffers, Kernel, Region, Scratch, Slice, SliceMut, Typed};

/// The order in which pieces run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Forward,
    Backward,
    /// Every second one, then the rest: on one worker, whose scratch holds what the last piece left there.
    Alternating,
    /// As many neighbors in one call as the kernel ever takes.
    Together,
}

const ORDERS: [Order; 4] = [Order::Forward, Order::Backward, Order::Alternating, Order::Together];

impl Order {
    fn of(self, kernel: &Kernel) -> Vec<Range<usize>> {
        let (pieces, together) = (kernel.pieces(), kernel.together(1));
        let single = |piece| piece..piece + 1;
        match self {
            Order::Forward => (0..pieces).map(single).collect(),
            Order::Backward => (0..pieces).rev().map(single).collect(),
            Order::Alternating => (0..pieces).step_by(2).chain((1..pieces).step_by(2)).map(single).collect(),
            Order::Together => {
                (0..pieces).step_by(together).map(|piece| piece..(piece + together).min(pieces)).collect()
            }
        }
    }
}

fn slice(tensor: &Tensor) -> Slice<'_> {
    dispatch!(tensor.dtype(), T => T::slice(tensor.values::<T>()))
}

/// Elements that no test expects.
fn garbage(ty: &TensorType) -> Tensor {
    let sizes = ty.shape.known().unwrap();
    match ty.dtype {
        DType::F32 => Tensor::full(&sizes, 12345.678_f32),
        DType::F64 => Tensor::full(&sizes, -98765.4321_f64),
        DType::I64 => Tensor::full(&sizes, -77_i64),
        DType::Bool => Tensor::full(&sizes, true),
    }
}

/// Runs all pieces of a kernel with results of these types; with `in_place`, over the buffer of that operand in the place
/// of that result.
fn run(
    kernel: &mut Kernel,
    reads: &[&Tensor],
    types: &[&TensorType],
    order: Order,
    in_place: Option<(usize, usize)>,
    scratch: &mut Scratch,
) -> Result<Vec<Tensor>, String> {
    let written: Vec<TensorType> = types
        .iter()
        .enumerate()
        .map(|(write, ty)| match kernel.rest(write) {
            Some(rest) => TensorType::new(rest.operand(), [rest.len()]),
            None => (*ty).clone(),
        })
        .collect();
    let mut results: Vec<Tensor> = written
        .iter()
        .enumerate()
        .map(|(write, ty)| match in_place {
            Some((read, over)) if over == write => reads[read].reshape(&ty.shape.known().unwrap()).unwrap(),
            _ => garbage(ty),
        })
        .collect();
    for (write, result) in results.iter().enumerate() {
        let ranges: Vec<_> =
            (0..kernel.pieces()).map(|piece| kernel.written(piece..piece + 1, write)).collect();
        assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "pieces are neighbours");
        assert_eq!(
            (ranges[0].start, ranges[ranges.len() - 1].end),
            (0, result.len()),
            "pieces cover the result"
        );
    }
    let taken = |at: usize| in_place.is_some_and(|(read, _)| read == at);
    let reads: Vec<Slice<'_>> = reads
        .iter()
        .enumerate()
        .map(|(at, read)| if taken(at) { dispatch!(read.dtype(), T => T::slice(&[])) } else { slice(read) })
        .collect();
    let overwritten: Vec<Option<u32>> = (0..types.len())
        .map(|write| in_place.filter(|(_, over)| *over == write).map(|(read, _)| read as u32))
        .collect();
    kernel.overwrite(&overwritten);
    for pieces in order.of(kernel) {
        let mut writes: Vec<SliceMut<'_>> = Vec::new();
        for (write, result) in results.iter_mut().enumerate() {
            let range = kernel.written(pieces.clone(), write);
            dispatch!(result.dtype(), T => writes.push(T::slice_mut(&mut result.make_mut::<T>().unwrap()[range])));
        }
        let buffers = Buffers { reads: &reads, writes: &mut writes };
        kernel.run(pieces, buffers, scratch)?;
    }
    for (write, result) in results.iter_mut().enumerate() {
        if let Some(rest) = kernel.rest(write) {
            *result =
                run(&mut rest.into(), &[result], &types[write..=write], order, None, scratch)?.remove(0);
        }
    }
    Ok(results)
}

/// The value of every node that a region writes.
fn run_regions(graph: &Graph, regions: &[Region], feeds: &[Tensor], order: Order) -> Vec<Option<Tensor>> {
    let mut values: Vec<Option<Tensor>> = vec![None; graph.len()];
    for (input, value) in graph.inputs().iter().zip(feeds) {
        values[input.index()] = Some(value.clone());
    }
    let mut scratch = Scratch::default();
    for region in regions {
        if matches!(graph.node(region.root).op, Op::Input(_)) {
            continue;
        }
        let mut kernel = Kernel::lower(graph, region);
        let reads: Vec<&Tensor> = region
            .operands
            .iter()
            .map(|id| values[id.index()].as_ref().expect("operands come first"))
            .collect();
        let types: Vec<&TensorType> = region.outputs.iter().map(|node| graph.ty(*node)).collect();
        let results = match kernel.alias() {
            Some(operand) => vec![reads[operand].reshape(&types[0].shape.known().unwrap()).unwrap()],
            None => run(&mut kernel, &reads, &types, order, None, &mut scratch).unwrap(),
        };
        for (node, value) in region.outputs.iter().zip(results) {
            values[node.index()] = Some(value);
        }
    }
    values
}

/// A graph of one op over inputs of these types.
fn graph_of(op: &Op, operands: &[TensorType]) -> Option<(Graph, NodeId)> {
    let builder = Builder::new();
    let inputs: Vec<_> = operands
        .iter()
        .enumerate()
        .map(|(at, ty)| builder.input(&format!("x{at}"), ty.dtype, &ty.shape))
        .collect();
    let node = builder.push(op.clone(), &inputs).ok()?;
    Some((builder.finish([("y", node)]).unwrap(), node.id()))
}

/// Whether `got` may stand for `expected`: the same value everywhere (any NaN for a NaN), or within `tolerance`.
fn assert_close(got: &Tensor, expected: &Tensor, tolerance: Option<&Tensor>, what: &str) {
    assert_eq!(got.ty(), expected.ty(), "{what}");
    let tolerance = tolerance.map(Tensor::to_f64_vec);
    dispatch!(got.dtype(), T => {
        for (at, (a, b)) in got.values::<T>().iter().zip(expected.values::<T>()).enumerate() {
            let (x, y) = (pullback_graph::Element::to_f64(*a), pullback_graph::Element::to_f64(*b));
            let allowed = tolerance.as_ref().map_or(0.0, |tolerance| tolerance[at]);
            let same = a == b || (x.is_nan() && y.is_nan()) || (x - y).abs() <= allowed;
            assert!(same, "{what}: element {at} is {a:?}, expected {b:?} (± {allowed:e})");
        }
    });
}

/// How far a kernel of `op` may be from the interpreter: nothing, but for functions with routines, where it is what those
/// state and what the interpreter's own may be off, and for sums and products, where it is units in the last place of the
/// sum of absolute values.
fn tolerance(op: &Op, operands: &[Tensor], ty: &TensorType) -> Option<Tensor> {
    let accuracy = match (op, ty.dtype) {
        (Op::Unary(row), DType::F32) => f32::unary_accuracy(*row),
        (Op::Unary(row), DType::F64) => f64::unary_accuracy(*row),
        (Op::Binary(row), DType::F32) => f32::binary_accuracy(*row),
        (Op::Binary(row), DType::F64) => f64::binary_accuracy(*row),
        // The interpreter's own may be off as far.
        (Op::Polygamma(op), DType::F32) => Some(2.0 * Polygamma::accuracy::<f32>(*op)),
        (Op::Polygamma(op), DType::F64) => Some(2.0 * Polygamma::accuracy::<f64>(*op)),
        _ => None,
    };
    if let Some(accuracy) = accuracy {
        let (epsilon, least) = match ty.dtype {
            // The smallest numbers are further apart than their size would have it.
            DType::F32 => (f64::from(f32::EPSILON), 3e-45),
            _ => (f64::EPSILON, 1e-323),
        };
        let values = op.evaluate(&operands.iter().collect::<Vec<_>>(), ty).unwrap().to_f64_vec();
        // What is added to an operand may cancel it.
        let cancels = matches!(op, Op::Binary(BinaryOp::Logaddexp));
        let parts = if cancels { operands.iter().map(Tensor::to_f64_vec).collect() } else { Vec::new() };
        return Some(Tensor::from_fn(&ty.shape.known().unwrap(), |i| {
            let value = match (op, ty.dtype) {
                (Op::Polygamma(op), DType::F64) => Polygamma::size::<f64>(*op, values[i]),
                _ => values[i].abs(),
            };
            let size = parts.iter().map(|part: &Vec<f64>| part[i].abs()).fold(value, f64::max);
            (size * epsilon * (accuracy + 2.0)).max(least)
        }));
    }
    let (terms, class) = match op {
        Op::Reduce(_) => (40.0, OpClass::Reduction),
        Op::DotGeneral(op) => {
            let contracted: usize = op.contract_left.iter().map(|axis| operands[0].sizes()[axis]).product();
            (2.0 + contracted as f64, OpClass::Contraction)
        }
        _ => return None,
    };
    assert_eq!(op.class(), class);
    let epsilon = match ty.dtype {
        DType::F32 => f64::from(f32::EPSILON),
        DType::F64 => f64::EPSILON,
        DType::I64 | DType::Bool => return None,
    };
    let absolute = |operand: &Tensor| -> Tensor {
        let values = operand.to_f64_vec();
        Tensor::from_fn(operand.sizes(), |i| values[i].abs())
    };
    let operands: Vec<Tensor> = operands.iter().map(absolute).collect();
    let wide = ty.with_dtype(DType::F64);
    let sizes = op.evaluate(&operands.iter().collect::<Vec<_>>(), &wide).unwrap().to_f64_vec();
    Some(Tensor::from_fn(&ty.shape.known().unwrap(), |i| sizes[i] * terms * epsilon))
}

/// Lowers one op and compares every way of running it with the interpreter.
fn check(op: &Op, operands: &[Tensor], what: &str) -> bool {
    let types: Vec<TensorType> = operands.iter().map(Tensor::ty).collect();
    let Some((graph, node)) = graph_of(op, &types) else { return false };
    let ty = graph.ty(node);
    let expected = op.evaluate(&operands.iter().collect::<Vec<_>>(), ty);
    let region = Region::single(&graph, node);
    let mut kernel = Kernel::lower(&graph, &region);
    let reads: Vec<&Tensor> = region.operands.iter().map(|id| &operands[id.index()]).collect();
    let tolerance = expected.is_ok().then(|| tolerance(op, operands, ty)).flatten();
    let mut scratch = Scratch::default();
    let is_like = |operand: &&usize| {
        let read = reads[**operand];
        (read.dtype(), Some(read.len())) == (ty.dtype, ty.shape.numel().known())
    };
    let in_place = kernel.in_place().iter().filter(is_like).map(|operand| Some((*operand, 0)));
    let in_place: Vec<_> = in_place.collect();
    let mut first: Option<Tensor> = None;
    for place in [None].into_iter().chain(in_place) {
        for order in ORDERS {
            let what = format!("{what}: {} over {types:?}, {order:?}, in place {place:?}", kernel.name());
            match (&expected, run(&mut kernel, &reads, &[ty], order, place, &mut scratch)) {
                (Ok(expected), Ok(got)) => {
                    let [got] = got.try_into().expect("one result");
                    assert_close(&got, expected, tolerance.as_ref(), &what);
                    match &first {
                        Some(first) => assert_close(&got, first, None, &what),
                        None => first = Some(got),
                    }
                }
                (Err(expected), Err(got)) => assert_eq!(*expected, got, "{what}"),
                (expected, got) => panic!("{what}: the interpreter says {expected:?}, the kernel {got:?}"),
            }
        }
    }
    if let Some(operand) = kernel.alias() {
        let seen = reads[operand].reshape(&ty.shape.known().unwrap()).unwrap();
        assert_close(&seen, &expected.unwrap(), None, what);
    }
    true
}

/// A tensor with ordinary values and, where the type has them, zeros of both signs, infinities and NaN.
fn values(dtype: DType, sizes: &[usize], choices: &mut Choices) -> Tensor {
    let special = [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.5, -2.5];
    dispatch!(dtype, T => Tensor::from_fn(sizes, |_| {
        let value = match choices.below(12) {
            0 if !matches!(dtype, DType::I64) => special[choices.below(special.len())],
            _ => choices.between(-3.0, 3.0, &[]),
        };
        <T as pullback_graph::Element>::from_f64(value)
    }))
}
