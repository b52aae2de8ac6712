//! What masks of compared positions say, against the interpreter.

use proptest::prelude::*;
use pullback_graph::mask::{EVERYWHERE, Unread, alike, unread};
use pullback_graph::{Builder, DType, Expr, Graph, NodeId, Tensor, interpret};

fn row(x: Expr<'_>) -> Expr<'_> {
    x.iota_like(-2)
}

fn column(x: Expr<'_>) -> Expr<'_> {
    x.iota_like(-1)
}

/// A mask of compared positions, from some numbers.
fn drawn<'b>(x: Expr<'b>, draws: &[(usize, i64, i64)]) -> Expr<'b> {
    let one = |(kind, left, right): &(usize, i64, i64)| {
        let sides = [row(x) + *left, column(x) - *right, row(x) - column(x), x.iota_like(0)];
        let (a, b) = match kind / 6 % 4 {
            0 => (sides[0], sides[1]),
            1 => (sides[1], sides[0]),
            2 => (sides[2], sides[2].zeros_like() + *left),
            _ => (sides[3], sides[1]),
        };
        match kind % 6 {
            0 => a.lt(b),
            1 => a.le(b),
            2 => a.gt(b),
            3 => a.ge(b),
            4 => a.eq(b),
            _ => a.ne(b),
        }
    };
    let mut masks = draws.iter().map(one);
    let first = masks.next().expect("a mask is drawn");
    masks.zip(draws).fold(first, |mask, (other, (kind, ..))| match kind % 4 {
        0 => mask.and(other),
        1 => mask.or(other),
        2 => mask.xor(other),
        _ => mask.not().and(other),
    })
}

proptest! {
    #[test]
    fn rows_are_alike_where_that_is_said(
        (rows, columns) in (1..9_usize, 1..9_usize),
        draws in prop::collection::vec((0..24_usize, -4..5_i64, -4..5_i64), 1..4),
        swaps in any::<bool>(),
    ) {
        let builder = Builder::new();
        let x = builder.input("x", DType::F32, [2, rows, columns]);
        let mask = drawn(x, &draws);
        let along = x.sum_over(-1).expand_dims(-1);
        let y = if swaps { mask.select(along * 2.0, x) } else { mask.select(x.exp(), along) };
        let outputs = [mask, y, (y * along).tanh(), y.reshape([2, 1, rows, columns]), mask.select(y, y)];
        let names = ["mask", "y", "f", "reshaped", "again"];
        let graph = builder.finish(names.into_iter().zip(outputs)).unwrap();
        let feed = Tensor::from_fn(&[2, rows, columns], |at| 0.1 + at as f32 / 64.0);
        let values = interpret(&graph, [("x", &feed)]).unwrap();
        for output in graph.outputs() {
            let value = values.node(output.node);
            let Some(shift) = alike(&graph, output.node) else { continue };
            for (at, elements) in value.to_f64_vec().chunks(columns).enumerate() {
                let first = ((at % rows) as i64).saturating_add(shift).saturating_add(1).max(0);
                let outside = elements.get(first.min(columns as i64) as usize..).unwrap_or_default();
                let is_alike = outside.windows(2).all(|pair| pair[0] == pair[1]);
                prop_assert!(is_alike, "row {at} of {}: {outside:?} behind {shift}", output.name);
            }
        }
    }
}

#[test]
fn shifts_are_those_of_the_mask() {
    type Mask = for<'b> fn(Expr<'b>) -> Expr<'b>;
    let masks: [(Mask, i64); 8] = [
        (|x| row(x).ge(column(x)), 0),
        (|x| column(x).lt(row(x)), -1),
        (|x| column(x).gt(row(x)).not(), 0),
        (|x| column(x).le(row(x) + 40), 40),
        (|x| (row(x) - column(x)).ge(7), -7),
        (|x| row(x).cast(DType::F32).eq(column(x).cast(DType::F32) - 3.0), 3),
        (|x| row(x).ge(column(x)).and((row(x) - 20).le(column(x))), 0),
        (|x| row(x).ge(column(x)).xor(x.ne(x).and(false)), 0),
    ];
    for (at, (mask, shift)) in masks.into_iter().enumerate() {
        let builder = Builder::new();
        let x = builder.input("x", DType::F32, [2, 30, 40]);
        let (y, whole) = (mask(x).select(x, 0.0), x.sum_over(-1).expand_dims(-1).broadcast_to([2, 30, 40]));
        let graph = builder.finish([("y", y), ("whole", whole)]).unwrap();
        // What is not known of floats is known of whole numbers.
        let known = alike(&graph, y.id());
        assert!(known == Some(shift) || (known.is_none() && at == 5), "mask {at}: {known:?}");
        assert_eq!(alike(&graph, x.id()), None);
        assert_eq!(alike(&graph, whole.id()), Some(EVERYWHERE));
    }
}

/// What of the node `scores` of a graph is not read.
fn unread_of(graph: &Graph, scores: NodeId) -> Option<Unread> {
    let readers: Vec<Vec<NodeId>> = graph
        .ids()
        .map(|id| graph.ids().filter(|reader| graph.node(*reader).operands.contains(&id)).collect())
        .collect();
    let keep = |id| graph.outputs().iter().any(|output| output.node == id);
    unread(graph, scores, |id| &readers[id.index()], keep)
}

#[test]
fn what_is_discarded_or_multiplied_by_zero_is_not_read() {
    type Reader = for<'b> fn(Expr<'b>) -> Expr<'b>;
    fn causal(x: Expr<'_>) -> Expr<'_> {
        row(x).ge(column(x))
    }
    let along: Reader = |x| x.sum_over(-1).expand_dims(-1).broadcast_to([30, 40]);
    let of = |reader: Reader| {
        let builder = Builder::new();
        let x = builder.input("x", DType::F32, [30, 40]);
        unread_of(&builder.finish([("y", reader(x))]).unwrap(), x.id())
    };
    let some = |shift, finite| Some(Unread { shift, finite });
    assert_eq!(of(|x| causal(x).select(x, 0.0)), some(0, false));
    assert_eq!(of(|x| causal(x).not().select(x.zeros_like(), (x * 2.0).tanh())), some(0, false));
    assert_eq!(of(|x| causal(x).select(x.exp() / x, x.sum_over(-1).expand_dims(-1) * 0.0)), None);
    assert_eq!(of(along), None, "a sum reads all");
    assert_eq!(of(|x| (x * causal(x).select(x.ones_like(), 0.0)).sum_over(-1)), some(0, true));
    let twice: Reader = |x| (x * 2.0 * causal(x).select(x.ones_like(), 0.0)).sum_over(-1);
    assert_eq!(of(twice), None, "twice a finite number may not be finite");
    let later: Reader = |x| causal(x).select(x, 0.0) + (row(x) + 3).ge(column(x)).select(x, 0.0);
    assert_eq!(of(later), some(3, false));
    assert_eq!(of(|x| causal(x).select(x, x)), None);
    assert_eq!(of(|x| causal(x).select(x + 1.0, 0.0) + x), None);
    let builder = Builder::new();
    let x = builder.input("x", DType::F32, [30, 40]);
    let y = row(x).ge(column(x)).select(x, 0.0);
    assert_eq!(unread_of(&builder.finish([("y", y), ("x", x)]).unwrap(), x.id()), None, "an output");
}
