//! Each op along a leading axis against the op on each element, for every choice of operands that have the axis.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_graph::op::{Batch, Choices, Sample};
use pullback_graph::{
    Builder, Dim, Expr, Op, OpClass, OpRules, Shape, Tensor, TensorType, dispatch, interpret,
};

/// Tensors of one type along a new leading axis.
fn stacked(ty: &TensorType, parts: &[Tensor]) -> Tensor {
    let sizes: Vec<usize> = std::iter::once(parts.len()).chain(ty.shape.known().unwrap()).collect();
    dispatch!(ty.dtype, T => {
        let values = parts.iter().flat_map(|part| part.as_slice::<T>().unwrap().to_vec());
        Tensor::new(&sizes, values.collect::<Vec<T>>()).unwrap()
    })
}

fn longer(shape: &Shape, size: Dim) -> Shape {
    std::iter::once(size).chain(shape.iter().cloned()).collect()
}

/// Whether there is a rule; it is compared with the op on each of `count` elements.
fn check(sample: &Sample, mapped: &[bool], count: usize, size: Dim, choices: &mut Choices) -> bool {
    let what = format!("{:?}, mapped {mapped:?}, {count} times", sample.op);
    let feeds: Vec<Vec<Tensor>> = std::iter::zip(&sample.operands, mapped)
        .map(|(operand, mapped)| {
            (0..if *mapped { count } else { 1 }).map(|_| operand.value(choices)).collect()
        })
        .collect();
    let b = Builder::new();
    let input = |(at, mapped): (usize, &bool)| {
        let ty = &sample.operands[at].ty;
        let shape = if *mapped { longer(&ty.shape, size.clone()) } else { ty.shape.clone() };
        b.input(&format!("x{at}"), ty.dtype, shape)
    };
    let operands: Vec<Expr<'_>> = mapped.iter().enumerate().map(input).collect();
    let at = Batch {
        operands: operands.iter().copied().collect(),
        mapped: mapped.iter().copied().collect(),
        size: size.clone(),
    };
    let Some(result) = sample.op.batch(&at) else { return false };
    let types: Vec<&TensorType> = sample.operands.iter().map(|operand| &operand.ty).collect();
    let one = sample.op.infer(&types).unwrap();
    assert_eq!(result.ty(), one.with_shape(longer(&one.shape, size)), "{what}");

    let graph = b.finish([("y", result)]).unwrap();
    let fed: Vec<(String, Tensor)> = std::iter::zip(&feeds, mapped)
        .enumerate()
        .map(|(at, (parts, mapped))| {
            let value = if *mapped { stacked(&sample.operands[at].ty, parts) } else { parts[0].clone() };
            (format!("x{at}"), value)
        })
        .collect();
    let values = interpret(&graph, fed.iter().map(|(name, value)| (name, value)));
    let each = (0..count).map(|element| {
        let operands: Vec<&Tensor> = std::iter::zip(&feeds, mapped)
            .map(|(parts, mapped)| &parts[if *mapped { element } else { 0 }])
            .collect();
        sample.op.evaluate(&operands, &one)
    });
    let each: Vec<Tensor> = each.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{what}: {error}"));
    let values = values.unwrap_or_else(|error| panic!("{what}: {error}"));
    let (got, expected) = (values.output("y").unwrap(), stacked(&one, &each));
    assert!(got.bits_eq(&expected), "{what}: {got} is not {expected}");
    true
}

#[test]
fn a_leading_axis_is_the_op_on_each_element() {
    for (name, sample) in Op::catalogue() {
        let mut without = Vec::new();
        for seed in 0..24 {
            let mut choices = Choices::seeded(seed);
            let sample = sample(name, &mut choices);
            let operands = sample.operands.len();
            for mask in 1..1_usize << operands {
                let mapped: Vec<bool> = (0..operands).map(|at| mask >> at & 1 == 1).collect();
                for (count, size) in
                    [(3, Dim::Known(3)), (2, "n".into()), (1, Dim::Known(1)), (0, Dim::Known(0))]
                {
                    if !check(&sample, &mapped, count, size, &mut choices) {
                        without.push(mapped.clone());
                    }
                }
            }
            let class = sample.op.class();
            let owed = matches!(
                class,
                OpClass::Movement | OpClass::Indexing | OpClass::Random | OpClass::Elementwise
            );
            assert!(
                without.is_empty() || !owed || name == "stop_gradient",
                "{name} has no rule for {without:?}"
            );
        }
    }
}

#[test]
fn an_index_out_of_range_of_one_element_is_still_an_error() {
    let b = Builder::new();
    let (x, indices) =
        (b.input("x", pullback_graph::DType::F64, [2, 3]), b.constant(Tensor::of([2, 1], [2_i64, 3])));
    let at = Batch {
        operands: [x, indices].into_iter().collect(),
        mapped: [true, true].into_iter().collect(),
        size: 2.into(),
    };
    let y = Op::from(pullback_graph::op::Gather { axis: 0 }).batch(&at).unwrap();
    let graph = b.finish([("y", y)]).unwrap();
    let error = interpret(&graph, [("x", &Tensor::of([2, 3], [0.0; 6]))]).unwrap_err().to_string();
    assert!(error.contains("index 3 is out of range for an axis of size 3"), "{error}");
}
