//! Random programs: whatever the plan, the threads and the passes, the values are those of the interpreter.

use std::time::Duration;

use proptest::prelude::*;
use pullback_graph::op::Choices;
use pullback_graph::{DType, Generated, Graph, GraphSpec, Output, Tensor, generate, interpret};

use crate::{Options, Record, Session};

/// A random program in which some nodes besides the loss are results.
fn programs() -> impl Strategy<Value = (Graph, Vec<(String, Tensor)>)> {
    (prop::collection::vec(any::<u32>(), 0..300), 1..6_usize).prop_map(|(stream, every)| {
        let spec = GraphSpec { max_nodes: 48, dtype: DType::F32, ..GraphSpec::default() };
        let Generated { graph, feeds } = generate(&mut Choices::new(stream), &spec);
        let nodes = graph.ids().step_by(every).map(|id| Output::new(id.to_string(), id));
        let outputs: Vec<Output> = graph.outputs().iter().cloned().chain(nodes).collect();
        let graph = graph.with_outputs(outputs).expect("their names differ");
        (graph, feeds.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
    })
}

/// Equal but for rounding; what is not finite must be the same.
fn close(left: &Tensor, right: &Tensor) -> bool {
    let (left, right) = (left.to_f64_vec(), right.to_f64_vec());
    let scale =
        right.iter().filter(|value| value.is_finite()).fold(1.0, |scale: f64, value| scale.max(value.abs()));
    left.iter()
        .zip(&right)
        .all(|(a, b)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-4 * scale)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sessions_agree_with_the_interpreter((graph, feeds) in programs()) {
        let values = interpret(&graph, feeds.iter().map(|(name, value)| (name, value))).expect("it can be interpreted");
        let serial = Options::default().threads(1);
        let parallel = Options::default().threads(3).inline_below(Duration::ZERO);
        // One set of bits per graph that is planned, whatever the threads: passes evaluate constants as the interpreter
        // does, and a product that reads through a broadcast may sum in another order than one that does not.
        let mut first: [Option<Vec<Tensor>>; 3] = [None, None, None];
        for (options, record, planned) in [
            (serial.clone(), Record::off(), 0),
            (parallel.clone(), Record::trace(), 0),
            (serial.clone().passes(false), Record::off(), 1),
            (parallel.clone().passes(false), Record::off(), 1),
            (serial, Record::stats(), 2),
            (parallel, Record::stats(), 2),
        ] {
            let mut session = Session::with(&graph, options.clone()).expect("it can be planned");
            session.record(record);
            for _ in 0..2 {
                let outputs = session.run(feeds.iter().cloned()).expect("it runs");
                for (name, tensor) in outputs.iter() {
                    let expected = values.output(name).expect("it is there");
                    prop_assert_eq!(tensor.ty(), expected.ty());
                    prop_assert!(close(tensor, expected), "{name} is {tensor}, not {expected}, with {options:?}");
                }
                let tensors: Vec<Tensor> = outputs.into_iter().map(|(_, tensor)| tensor).collect();
                let first = first[planned].get_or_insert_with(|| tensors.clone());
                for (tensor, expected) in tensors.iter().zip(first) {
                    prop_assert!(tensor.bits_eq(expected), "{tensor} is not {expected}, with {options:?}");
                }
            }
        }
    }
}
