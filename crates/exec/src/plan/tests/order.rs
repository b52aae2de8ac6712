//! Orders and lengths of step graphs.

use proptest::prelude::*;

use crate::csr::Csr;
use crate::plan::id::StepId;
use crate::plan::order::{critical_path, depth_first, reversed, step_graph, tails};
use crate::plan::tests::strategy::step_graphs;

fn csr(graph: &[Vec<StepId>]) -> Csr<StepId> {
    let mut rows = Csr::with_rows(graph.len());
    for row in graph {
        rows.push_row(row.iter().copied());
    }
    rows
}

proptest! {
    #[test]
    fn depth_first_is_topological(graph in step_graphs(100)) {
        let order = depth_first(&csr(&graph), &vec![1; graph.len()]);
        let mut position = vec![usize::MAX; graph.len()];
        for (at, step) in order.iter().enumerate() {
            position[step.index()] = at;
        }
        for (at, row) in graph.iter().enumerate() {
            prop_assert!(row.iter().all(|predecessor| position[predecessor.index()] < position[at]));
        }
    }

    #[test]
    fn the_critical_path_is_as_long_as_the_span(graph in step_graphs(100), seed in any::<u64>()) {
        let times: Vec<u64> = (0..graph.len() as u64).map(|at| 1 + (seed ^ at.wrapping_mul(0x9E37_79B9)) % 50).collect();
        let predecessors = csr(&graph);
        let lengths = tails(&reversed(&predecessors), &times);
        let path = critical_path(&step_graph(&predecessors), &lengths.tail);
        prop_assert_eq!(path.iter().map(|step| times[step.index()]).sum::<u64>(), lengths.span);
        prop_assert!(path.windows(2).all(|pair| graph[pair[1].index()].contains(&pair[0])));
        prop_assert!(lengths.span <= lengths.work);
    }
}
