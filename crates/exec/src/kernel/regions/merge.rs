//! Regions that read the same buffers, or one another, made into one.
//!
//! Growing regions from their roots leaves apart what has a reader in between: a value that is summed up and used in its
//! gradient as well, the gradients of two operands. Two regions of one extent may become one if no other region must run
//! between them; each buffer that both touch is then gone through once less. Only regions of many elements are looked at,
//! where that is what costs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use pullback_graph::{DType, Graph, NodeId};

use crate::kernel::regions::fuse::LIMIT;
use crate::kernel::regions::heads::head;
use crate::kernel::regions::read::{Access, read};
use crate::kernel::regions::region::{Extent, Region};
use crate::kernel::regions::role::{Role, numel};

/// Elements of a region that make it worth to look for another to join.
const LEAST: usize = 4096;

/// Regions that one is tried with.
const TRIES: usize = 8;

/// Regions that a search for a path may visit; beyond, there is taken to be one.
const VISITS: usize = 256;

/// What is known about regions while they are merged, by their indices.
struct Merging<'g, R> {
    graph: &'g Graph,
    regions: &'g [Region],
    role: R,
    /// The region that each one has become part of; itself if none.
    group: Vec<usize>,
    /// The regions in each group, for groups.
    members: Vec<Vec<usize>>,
    extents: Vec<Extent>,
    /// The region that computes each node, by node.
    home: Vec<Option<usize>>,
    /// The regions that read what each one writes.
    readers: Vec<Vec<usize>>,
    /// The search in which a group was visited last.
    visited: Vec<usize>,
    searches: usize,
}

/// The new root of each region, with the extent of its group, where there is something to merge.
pub(crate) fn merge(
    graph: &Graph,
    regions: &[Region],
    role: impl Fn(NodeId) -> Role + Copy,
) -> Option<Vec<(NodeId, Extent)>> {
    // What has a head runs when that can, and is cut as it is.
    let is_candidate = |region: &Region| {
        let root = role(region.root);
        root.is_computed() && region.extent.len() >= LEAST && head(&region.nodes, root, role).is_none()
    };
    if regions.iter().filter(|region| is_candidate(region)).count() < 2 {
        return None;
    }
    let mut merging = Merging::new(graph, regions, role);
    let mut readers_of: Vec<Vec<usize>> = vec![Vec::new(); graph.len()];
    for (at, region) in regions.iter().enumerate().filter(|(_, region)| is_candidate(region)) {
        // What is small is in the cache anyway.
        let large = region.operands.iter().filter(|operand| numel(graph, **operand) == region.extent.len());
        large.for_each(|operand| readers_of[operand.index()].push(at));
    }
    let mut merged = false;
    for (at, region) in regions.iter().enumerate().rev().filter(|(_, region)| is_candidate(region)) {
        let shared = region.operands.iter().chain(&region.outputs).flat_map(|node| &readers_of[node.index()]);
        let mut others: Vec<usize> = shared.copied().filter(|other| *other > at).collect();
        others.sort_unstable();
        others.dedup();
        for other in others.into_iter().take(TRIES) {
            merged |= merging.join(at, other);
        }
    }
    let place = |at: usize| {
        let group = merging.find(at);
        let root = merging.members[group].iter().map(|member| regions[*member].root).max();
        (root.expect("a group has members"), merging.extents[group])
    };
    merged.then(|| (0..regions.len()).map(place).collect())
}

/// The new root of each region, with its extent, where regions of single numbers become one.
///
/// A step for a few numbers costs more than computing them. All regions of single numbers with as many regions of another
/// kind before them, one behind the other, become one: what lies between two of them then lies between two groups.
pub(crate) fn merge_scalars(
    graph: &Graph,
    regions: &[Region],
    role: impl Fn(NodeId) -> Role,
) -> Option<Vec<(NodeId, Extent)>> {
    // Whole numbers may fail, and an error names the region; views may be of more than one number.
    let is_plain = |node: &NodeId| {
        let role = role(*node);
        let plain = matches!(role, Role::Elementwise | Role::Alias | Role::Literal);
        plain && graph.ty(*node).dtype != DType::I64
    };
    let is_scalar: Vec<bool> = regions
        .iter()
        .map(|region| {
            region.extent == Extent::Flat(1)
                && role(region.root).is_computed()
                && region.nodes.iter().all(is_plain)
        })
        .collect();
    let mut levels = vec![0; regions.len()];
    let mut writer: Vec<Option<usize>> = vec![None; graph.len()];
    let mut roots: Vec<Option<NodeId>> = Vec::new();
    let mut merged = false;
    for (at, region) in regions.iter().enumerate() {
        let before = region.operands.iter().filter_map(|operand| writer[operand.index()]);
        let level = before.map(|before| levels[before] + usize::from(is_scalar[at] && !is_scalar[before]));
        levels[at] = level.max().unwrap_or(0);
        region.outputs.iter().for_each(|node| writer[node.index()] = Some(at));
        if is_scalar[at] {
            roots.resize(roots.len().max(levels[at] + 1), None);
            let root = &mut roots[levels[at]];
            merged |= root.is_some();
            *root = (*root).max(Some(region.root));
        }
    }
    let root = |at: usize| if is_scalar[at] { roots[levels[at]] } else { None };
    let place = |(at, region): (usize, &Region)| (root(at).unwrap_or(region.root), region.extent);
    merged.then(|| regions.iter().enumerate().map(place).collect())
}

/// An order in which regions can run, the earliest root first among those that are ready.
pub(crate) fn in_order(graph: &Graph, regions: Vec<Region>) -> Vec<Region> {
    let mut writer = vec![None; graph.len()];
    for (at, region) in regions.iter().enumerate() {
        region.outputs.iter().for_each(|node| writer[node.index()] = Some(at));
    }
    let mut waiting = vec![0_usize; regions.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); regions.len()];
    for (at, region) in regions.iter().enumerate() {
        for before in region.operands.iter().filter_map(|operand| writer[operand.index()]) {
            waiting[at] += 1;
            readers[before].push(at);
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..regions.len()).filter(|at| waiting[*at] == 0).map(Reverse).collect();
    let mut regions: Vec<Option<Region>> = regions.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(regions.len());
    while let Some(Reverse(at)) = ready.pop() {
        ordered.extend(regions[at].take());
        for reader in &readers[at] {
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                ready.push(Reverse(*reader));
            }
        }
    }
    assert!(regions.iter().all(Option::is_none), "merged regions wait for each other");
    ordered
}

impl<'g, R: Fn(NodeId) -> Role + Copy> Merging<'g, R> {
    fn new(graph: &'g Graph, regions: &'g [Region], role: R) -> Self {
        let mut home = vec![None; graph.len()];
        for (at, region) in regions.iter().enumerate() {
            region.outputs.iter().for_each(|node| home[node.index()] = Some(at));
        }
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); regions.len()];
        for (at, region) in regions.iter().enumerate() {
            for before in region.operands.iter().filter_map(|operand| home[operand.index()]) {
                readers[before].push(at);
            }
        }
        Merging {
            graph,
            regions,
            role,
            group: (0..regions.len()).collect(),
            members: (0..regions.len()).map(|at| vec![at]).collect(),
            extents: regions.iter().map(|region| region.extent).collect(),
            home,
            readers,
            visited: vec![0; regions.len()],
            searches: 0,
        }
    }

    /// The group of a region.
    fn find(&self, mut at: usize) -> usize {
        while self.group[at] != at {
            at = self.group[at];
        }
        at
    }

    /// Makes the groups of two regions one, if that can be.
    fn join(&mut self, one: usize, other: usize) -> bool {
        let (one, other) = (self.find(one), self.find(other));
        if one == other {
            return false;
        }
        let nodes =
            |group: usize| self.members[group].iter().map(|at| self.regions[*at].nodes.len()).sum::<usize>();
        let Some(extent) = self.extents[one].with(self.extents[other]) else { return false };
        let fits = nodes(one) + nodes(other) <= LIMIT as usize;
        if !fits
            || !self.reads_along(one, other, extent)
            || !self.reads_along(other, one, extent)
            || self.is_between(one, other)
            || self.is_between(other, one)
        {
            return false;
        }
        self.group[one] = other;
        let (members, readers) =
            (std::mem::take(&mut self.members[one]), std::mem::take(&mut self.readers[one]));
        self.members[other].extend(members);
        self.readers[other].extend(readers);
        self.extents[other] = extent;
        true
    }

    /// Whether a group reads what another computes only element by element, or row by row.
    fn reads_along(&self, group: usize, other: usize, extent: Extent) -> bool {
        let is_computed = |node: NodeId| (self.role)(node).is_computed() || (self.role)(node) == Role::Alias;
        self.members[group].iter().all(|at| {
            let region = &self.regions[*at];
            let root = (self.role)(region.root);
            region.nodes.iter().filter(|node| is_computed(**node)).all(|node| {
                (0..self.graph.node(*node).operands.len()).all(|operand| {
                    let read = read(self.graph, root, *node, operand, self.role);
                    let from = read.buffer.and_then(|buffer| self.home[buffer.index()]);
                    match read.access {
                        _ if from.is_none_or(|from| self.find(from) != other) => true,
                        _ if read
                            .buffer
                            .is_some_and(|read| matches!((self.role)(read), Role::Columns(_))) =>
                        {
                            false
                        }
                        Access::Elements => true,
                        Access::Spread(columns) => {
                            matches!(extent, Extent::Rows { columns: own, .. } if own == columns)
                        }
                        Access::Buffer => false,
                    }
                })
            })
        })
    }

    /// Whether another group must run after `from` and before `to`.
    fn is_between(&mut self, from: usize, to: usize) -> bool {
        self.searches += 1;
        let mut left = VISITS;
        let mut stack = vec![from];
        while let Some(group) = stack.pop() {
            for at in 0..self.readers[group].len() {
                let reader = self.find(self.readers[group][at]);
                if reader == to && group != from {
                    return true;
                }
                if reader == to || reader == from || self.visited[reader] == self.searches {
                    continue;
                }
                if left == 0 {
                    return true;
                }
                left -= 1;
                self.visited[reader] = self.searches;
                stack.push(reader);
            }
        }
        false
    }
}
