//! What is known of the nodes of a region.

use pullback_graph::NodeId;
use rustc_hash::{FxBuildHasher, FxHashMap};

/// Entries by node: a list where the nodes are close together, as those of a large region are, else a table.
#[derive(Debug)]
pub(super) enum ByNode<T> {
    Near { first: usize, entries: Vec<Option<T>> },
    Far(FxHashMap<NodeId, T>),
}

impl<T> ByNode<T> {
    /// No entries yet, for `nodes`, which are ascending.
    pub(super) fn of(nodes: &[NodeId]) -> ByNode<T> {
        let first = nodes.first().map_or(0, |node| node.index());
        let end = nodes.last().map_or(0, |node| node.index() + 1);
        match end - first <= 4 * nodes.len() {
            true => {
                ByNode::Near { first, entries: std::iter::repeat_with(|| None).take(end - first).collect() }
            }
            false => ByNode::Far(FxHashMap::with_capacity_and_hasher(nodes.len(), FxBuildHasher)),
        }
    }

    /// The entry of a node, which need not be one of those that this is for.
    pub(super) fn get(&self, node: NodeId) -> Option<&T> {
        match self {
            ByNode::Near { first, entries } => entries.get(node.index().checked_sub(*first)?)?.as_ref(),
            ByNode::Far(entries) => entries.get(&node),
        }
    }

    /// Sets the entry of one of the nodes that this is for.
    pub(super) fn insert(&mut self, node: NodeId, entry: T) {
        match self {
            ByNode::Near { first, entries } => entries[node.index() - *first] = Some(entry),
            ByNode::Far(entries) => {
                entries.insert(node, entry);
            }
        }
    }
}
