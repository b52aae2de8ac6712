//! Every op of the catalogue, in every element type that it takes: new ops are tested unasked.

use pullback_graph::op::Choices;
use pullback_graph::{DType, Op, Tensor};

use super::{check, values};

#[test]
fn every_op_equals_the_interpreter() {
    let mut leaves = 0;
    for (name, sample) in Op::catalogue() {
        let mut checked = 0;
        for seed in 0..60 {
            let mut choices = Choices::seeded(seed);
            let sample = sample(name, &mut choices);
            if matches!(sample.op, Op::Input(_)) {
                leaves += 1;
                checked += 1;
                continue;
            }
            let operands: Vec<Tensor> =
                sample.operands.iter().map(|operand| operand.value(&mut choices)).collect();
            checked += usize::from(check(&sample.op, &operands, &format!("{name}, seed {seed}")));
            for dtype in [DType::F32, DType::I64, DType::Bool] {
                let narrow = |operand: &Tensor| match operand.dtype() {
                    DType::F64 => operand.cast(dtype),
                    _ => operand.clone(),
                };
                let operands: Vec<Tensor> = operands.iter().map(narrow).collect();
                check(&sample.op, &operands, &format!("{name} of {dtype}, seed {seed}"));
            }
            // Special values, but not for indices.
            if !operands.iter().any(|operand| operand.dtype() == DType::I64) {
                let special: Vec<Tensor> = operands
                    .iter()
                    .map(|operand| values(operand.dtype(), operand.sizes(), &mut choices))
                    .collect();
                let all_finite =
                    special.iter().all(|tensor| tensor.to_f64_vec().iter().all(|x| x.is_finite()));
                if all_finite || !matches!(sample.op, Op::Reduce(_) | Op::DotGeneral(_)) {
                    check(&sample.op, &special, &format!("{name} of special values, seed {seed}"));
                }
            }
        }
        assert!(checked > 0, "{name} has no well-typed sample");
    }
    assert!(leaves > 0);
}
