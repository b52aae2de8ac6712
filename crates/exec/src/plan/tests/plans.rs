//! Whole plans of small graphs.

use pullback_graph::DType::F32;
use pullback_graph::{Builder, Graph, Output};

use crate::plan::{Owner, Plan, PlanOptions, Rates, Update, plan, predict, simulate};

/// Dense layers, their gradients by hand, and a step of descent: `layers` products forward, twice as many backward.
fn training_graph(layers: usize, width: usize) -> Graph {
    let b = Builder::new();
    let x = b.input("x", F32, [width, width]);
    let weights: Vec<_> = (0..layers).map(|at| b.parameter(&format!("w{at}"), F32, [width, width])).collect();
    let mut activations = vec![x];
    for weight in &weights {
        activations.push(activations[activations.len() - 1].dot(*weight).tanh());
    }
    let mut cotangent = activations[layers];
    let mut outputs: Vec<Output> = vec![("loss", activations[layers].square().sum()).into()];
    for at in (0..layers).rev() {
        let slope = cotangent * (1.0 - activations[at + 1].square());
        let gradient = activations[at].permute([1, 0]).dot(slope);
        cotangent = slope.dot(weights[at].permute([1, 0]));
        let next = weights[at] - gradient * 0.1;
        outputs.push(Output::from((format!("next_w{at}"), next)).updating(weights[at]));
    }
    b.finish(outputs).expect("a valid graph")
}

fn options(threads: usize) -> PlanOptions {
    PlanOptions { threads, inline_below: 0, ..PlanOptions::default() }
}

#[test]
fn weights_are_updated_where_they_are() {
    for threads in [1, 4] {
        let plan = plan(&training_graph(4, 128), &options(threads)).expect("it can be planned");
        assert_eq!(plan.in_order(), threads == 1, "{plan}");
        assert_eq!(plan.states().len(), 4);
        assert!(plan.states().iter().all(|state| matches!(state.update, Update::InPlace(_))), "{plan}");
    }
    let careful = PlanOptions { update_in_place: false, ..options(4) };
    let plan = plan(&training_graph(4, 128), &careful).expect("it can be planned");
    assert!(plan.states().iter().all(|state| matches!(state.update, Update::Copy(_))), "{plan}");
}

#[test]
fn a_state_that_is_also_a_result_is_copied() {
    let b = Builder::new();
    let state = b.state("s", F32, [64]);
    let graph = b
        .finish([Output::from(("next", state.tanh())).updating(state), ("before", state).into()])
        .expect("a valid graph");
    let plan = plan(&graph, &options(1)).expect("it can be planned");
    assert!(matches!(plan.states()[0].update, Update::Copy(_)), "{plan}");
}

#[test]
fn memory_grows_slower_than_the_values() {
    let graph = training_graph(16, 256);
    let bytes_of_all: usize = graph.ids().filter_map(|id| graph.ty(id).bytes()).sum();
    for threads in [1, 8] {
        let plan = plan(&graph, &options(threads)).expect("it can be planned");
        let arena: usize = plan
            .slots()
            .iter()
            .filter(|slot| matches!(slot.owner, Owner::Plan { .. }))
            .map(|slot| slot.bytes)
            .sum();
        // The activations have to be kept, one matrix per layer; what else is needed does not grow with the depth, but
        // for what threads may do at once.
        let matrix = 256 * 256 * 4;
        let most = if threads == 1 { 20 } else { 24 };
        assert!(arena <= most * matrix, "{} matrices on {threads} threads\n{plan}", arena / matrix);
        assert!(plan.peak_bytes() < bytes_of_all);
    }
}

#[test]
fn plans_print_their_steps_and_what_they_take() {
    let text = plan(&training_graph(1, 8), &options(1)).expect("it can be planned").to_string();
    for part in ["plan: ", "  s0: v", "critical path: s", "work ", "span ", "updated in place", "\"w0\""] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn simulation_is_bounded_by_work_and_span() {
    let plan = plan(&training_graph(6, 128), &options(4)).expect("it can be planned");
    let times: Vec<u64> = plan.costs().iter().map(|cost| cost.time).collect();
    let alone = simulate(&plan, &times, 1);
    let work: u64 = times.iter().sum();
    // Pieces are rounded down to whole ns.
    assert!(alone.makespan <= work && alone.makespan * 100 > work * 95, "{} of {work}", alone.makespan);
    let mut before = alone.makespan;
    for workers in [2, 4, 64] {
        let simulation = simulate(&plan, &times, workers);
        assert!(simulation.makespan <= before && simulation.speed_up() <= workers as f64 * 1.05);
        before = simulation.makespan;
    }
}

#[test]
fn predictions_are_of_a_plan_for_so_many_threads() {
    let graph = training_graph(6, 128);
    let alone = plan(&graph, &options(1)).expect("it can be planned");
    let of = |plan: &Plan| plan.costs().iter().map(|cost| cost.time).collect::<Vec<u64>>();
    for workers in [2, 4, 64] {
        let own = plan(&graph, &options(workers)).expect("it can be planned");
        let predicted = predict(&alone, &of(&alone), workers).expect("it was planned before");
        assert_eq!(predicted, simulate(&own, &of(&own), workers));
        // With one thread in mind, memory makes steps wait that need not.
        assert!(predicted.makespan <= simulate(&alone, &of(&alone), workers).makespan);
    }
}

#[test]
fn rates_decide_what_is_worth_a_second_thread() {
    let graph = training_graph(6, 128);
    let with = |rates: Rates| PlanOptions { threads: 4, rates, ..PlanOptions::default() };
    let planned = |rates| plan(&graph, &with(rates)).expect("it can be planned");
    assert!(!planned(Rates::default()).in_order());
    let costly = planned(Rates { hand_over: 1_000_000, ..Rates::default() });
    assert!(costly.in_order());
    let slow = planned(Rates { product: 800, elementwise: 40, bytes: 240, ..Rates::default() });
    assert!(slow.work() > 50 * costly.work(), "{} and {}", slow.work(), costly.work());
}

#[test]
fn sharing_memory_does_not_change_the_expected_schedule() {
    for threads in [2, 3, 8] {
        let graph = training_graph(8, 128);
        let shared =
            plan(&graph, &PlanOptions { share_from: 0, ..options(threads) }).expect("it can be planned");
        let apart = PlanOptions { share_from: usize::MAX, ..options(threads) };
        let apart = plan(&graph, &apart).expect("it can be planned");
        let times: Vec<u64> = shared.costs().iter().map(|cost| cost.time).collect();
        assert_eq!(simulate(&shared, &times, threads), simulate(&apart, &times, threads));
        assert!(shared.peak_bytes() < apart.peak_bytes());
    }
}
