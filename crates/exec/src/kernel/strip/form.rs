//! Whether a region can take part in a strip, and how it goes through the rows.

use pullback_graph::{Graph, NodeId, Op};

use crate::kernel::products::dot::Dot;
use crate::kernel::regions::read::{Access, read};
use crate::kernel::regions::region::{Extent, Region};
use crate::kernel::regions::role::{Role, numel, role};
use crate::kernel::strip::strips::product_of;

/// How a region goes through the rows of a strip.
#[derive(Debug)]
pub(super) enum Form {
    /// It makes rows of rows, by a product and a program, or by one of the two.
    Rows { product: Option<Dot> },
    /// It is a product that contracts rows, those of one of its operands being held, or of both.
    Sum { product: Dot, held: [bool; 2] },
}

impl Form {
    /// How `region` goes through `rows` rows, given the values that are `held`; `None` if it does not.
    pub(super) fn of(graph: &Graph, region: &Region, rows: usize, held: &[NodeId]) -> Option<Form> {
        let product = product_of(graph, region);
        match product.and_then(|product| sum(graph, region, product, rows, held)) {
            Some(sum) => Some(sum),
            None => rows_of(graph, region, product, rows, held),
        }
    }

    /// The product.
    pub(super) fn product(&self) -> Option<&Dot> {
        match self {
            Form::Rows { product } => product.as_ref(),
            Form::Sum { product, .. } => Some(product),
        }
    }
}

/// A product that contracts rows, and is nothing more.
fn sum(graph: &Graph, region: &Region, node: NodeId, rows: usize, held: &[NodeId]) -> Option<Form> {
    let held = [0, 1].map(|at| operand(graph, node, at).is_some_and(|buffer| held.contains(&buffer)));
    let Op::DotGeneral(op) = &graph.node(node).op else { return None };
    if region.root != node || held == [false, false] {
        return None;
    }
    let product = Dot::of(graph, region, node, op);
    let [_, depth, _] = product.sizes();
    let fits = (0..2).all(|at| !held[at] || product.adds_rows(at)) && product.stack() * depth == rows;
    fits.then_some(Form::Sum { product, held })
}

/// The buffer that a product reads as its operand `at`.
pub(super) fn operand(graph: &Graph, product: NodeId, at: usize) -> Option<NodeId> {
    read(graph, Role::Dot, product, at, |node| role(graph, node)).buffer
}

/// A region that makes rows of rows.
fn rows_of(
    graph: &Graph,
    region: &Region,
    product: Option<NodeId>,
    rows: usize,
    held: &[NodeId],
) -> Option<Form> {
    let root = role(graph, region.root);
    let columns = match region.extent {
        Extent::Flat(_) => 1,
        Extent::Rows { columns, .. } => columns,
    };
    let len = region.extent.len();
    let row =
        len.checked_div(rows).filter(|row| *row > 0 && row * rows == len && row.is_multiple_of(columns))?;
    if !(root.is_computed() || product == Some(region.root)) {
        return None;
    }
    let dot = match product.map(|product| (product, &graph.node(product).op)) {
        Some((product, Op::DotGeneral(op))) => Some(Dot::of(graph, region, product, op)),
        _ => None,
    };
    if let Some(dot) = &dot {
        let [all, _, width] = dot.sizes();
        if all == 0 || !all.is_multiple_of(rows) || !row.is_multiple_of(width) {
            return None;
        }
    }
    // What rows come to is known block by block, each a group of its own.
    let mut combined =
        region.outputs.iter().filter(|output| matches!(role(graph, **output), Role::Columns(_)));
    let is_group = dot.as_ref().is_some_and(|dot| dot.sizes()[2] == row);
    if !combined.all(|output| is_group && row.is_multiple_of(numel(graph, *output))) {
        return None;
    }
    let reads_rows = |node: NodeId| {
        let is_product = Some(node) == product;
        (0..graph.node(node).operands.len()).all(|at| {
            let read = read(graph, root, node, at, |node| role(graph, node));
            let Some(buffer) = read.buffer.filter(|buffer| held.contains(buffer)) else { return true };
            match &dot {
                Some(dot) if is_product => at == 0 && read.through.is_empty() && dot.takes_rows(),
                _ => is_along(numel(graph, buffer), read.access, region.extent),
            }
        })
    };
    let is_run = |node: &NodeId| {
        let role = role(graph, *node);
        role.is_computed() || matches!(role, Role::Alias | Role::Dot)
    };
    region.nodes.iter().copied().filter(is_run).all(reads_rows).then_some(Form::Rows { product: dot })
}

/// Whether a program of this extent reads so many elements at the position of what it computes.
fn is_along(len: usize, access: Access, extent: Extent) -> bool {
    match (access, extent) {
        (Access::Elements, Extent::Rows { rows, .. }) => len == extent.len() || len == rows,
        (Access::Elements, Extent::Flat(all)) => len == all,
        (Access::Spread(columns), Extent::Rows { rows, columns: own }) => len == rows && columns == own,
        (Access::Spread(_) | Access::Buffer, _) => false,
    }
}
