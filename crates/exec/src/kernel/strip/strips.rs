//! Which regions are strips.
//!
//! Every large value that a product is on the way to is tried in the order in which they are made: if its readers can all go
//! through its rows as it is made, and nothing else has to run in between, they and its maker are a strip, with those that any
//! of them is in already.

use pullback_graph::{Graph, NodeId, Op};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::kernel::conv::Slide;
use crate::kernel::products::dot::{CALL, Dot};
use crate::kernel::regions::heads::head;
use crate::kernel::regions::merge::in_order;
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::{Role, numel, role};
use crate::kernel::strip::form::{Form, operand};
use crate::kernel::strip::group::Strip;
use crate::kernel::strip::size::Size;

/// Regions of a strip at most.
const REGIONS: usize = 12;

/// Operands and results of one of its kernels at most: so many are found without allocating.
pub(super) const OPERANDS: usize = 16;
pub(super) const RESULTS: usize = 8;

/// Values that are held at most, likewise.
pub(super) const HELD: usize = 8;

/// Regions that a search for a path may visit; beyond, there is taken to be one.
const VISITS: usize = 256;

/// The regions, in an order in which they can run, those being strips that pay. What `keep` holds for is written.
///
/// # Complexity
/// Linear in nodes and operands, beside a search of bounded length for each product.
pub(crate) fn strips(graph: &Graph, regions: Vec<Region>, keep: &dyn Fn(NodeId) -> bool) -> Vec<Region> {
    let is_product: Vec<bool> = regions.iter().map(|region| product_of(graph, region).is_some()).collect();
    if is_product.iter().filter(|is_product| **is_product).count() < 2 {
        return regions;
    }
    let mut search = Search::new(graph, &regions, is_product, keep);
    for at in 0..regions.len() {
        if search.is_multiplied(at) && search.is_after_product(at) {
            search.grow(at);
        }
    }
    // What is but added to another product, say, can as well be made beside it, unless a strip reads it.
    for at in 0..regions.len() {
        if search.is_product[at] && search.is_read_by_strip(at) {
            search.grow(at);
        }
    }
    let Search { group, found, .. } = search;
    if found.iter().all(Option::is_none) {
        return regions;
    }
    let mut members: Vec<Vec<Region>> = vec![Vec::new(); regions.len()];
    for (at, region) in regions.into_iter().enumerate() {
        members[group[at]].push(region);
    }
    let strips = members.into_iter().zip(found).filter(|(members, _)| !members.is_empty());
    let strips = strips.flat_map(|(members, found)| match found {
        Some(found) => vec![found.strip(graph, members).into()],
        None => members,
    });
    in_order(graph, strips.collect())
}

/// The product that a region is, or that heads it; `None` if there is none, or if it is a convolution.
pub(crate) fn product_of(graph: &Graph, region: &Region) -> Option<NodeId> {
    let root = role(graph, region.root);
    let product = match root {
        Role::Dot => region.root,
        _ => head(&region.nodes, root, |node| role(graph, node))?,
    };
    let Op::DotGeneral(op) = &graph.node(product).op else { return None };
    Slide::over(graph, region, product, op).is_none().then_some(product)
}

/// A strip that was found.
#[derive(Clone, Debug)]
struct Found {
    rows: usize,
    size: Size,
    held: Vec<NodeId>,
}

impl Found {
    fn strip(self, graph: &Graph, mut regions: Vec<Region>) -> Strip {
        let Found { rows, size: Size { matrix, block }, held } = self;
        let mut shared = 0;
        for (at, region) in regions.iter_mut().enumerate() {
            region.held = region.operands.iter().copied().filter(|operand| held.contains(operand)).collect();
            let own = region.extent.len() / rows;
            region.piece = (own > 0 && role(graph, region.root).is_computed()).then_some(block * own);
            if let Some(Form::Rows { product: Some(product) }) = Form::of(graph, region, rows, &held)
                && product.packed_for(block * (product.sizes()[0] / rows)) > 0
            {
                region.kept = Some(CALL + 1 + at);
                shared = shared.max(rows / product.stack());
            }
        }
        Strip { regions, rows, matrix, block, shared }
    }
}

struct Search<'a> {
    graph: &'a Graph,
    regions: &'a [Region],
    /// Which regions are products, or are headed by one.
    is_product: Vec<bool>,
    keep: &'a dyn Fn(NodeId) -> bool,
    /// The region that computes each node, and the regions that read it.
    writer: Vec<Option<usize>>,
    readers: Vec<SmallVec<[usize; 2]>>,
    /// The first region of the group that each one is in.
    group: Vec<usize>,
    /// The regions in each group, ascending, and what was found of it, by its first region.
    members: Vec<SmallVec<[usize; 2]>>,
    found: Vec<Option<Found>>,
}

impl<'a> Search<'a> {
    fn new(
        graph: &'a Graph,
        regions: &'a [Region],
        is_product: Vec<bool>,
        keep: &'a dyn Fn(NodeId) -> bool,
    ) -> Search<'a> {
        let mut writer = vec![None; graph.len()];
        let mut readers: Vec<SmallVec<[usize; 2]>> = vec![SmallVec::new(); graph.len()];
        for (at, region) in regions.iter().enumerate() {
            region.outputs.iter().for_each(|output| writer[output.index()] = Some(at));
            for operand in &region.operands {
                let readers = &mut readers[operand.index()];
                if readers.last() != Some(&at) {
                    readers.push(at);
                }
            }
        }
        Search {
            graph,
            regions,
            is_product,
            keep,
            writer,
            readers,
            group: (0..regions.len()).collect(),
            members: (0..regions.len()).map(|at| SmallVec::from_slice(&[at])).collect(),
            found: vec![None; regions.len()],
        }
    }

    /// The results of a region that have an element for each of its own.
    fn large(&self, at: usize) -> impl Iterator<Item = &'a NodeId> + use<'a> {
        let (graph, region) = (self.graph, &self.regions[at]);
        region.outputs.iter().filter(|output| numel(graph, **output) == region.extent.len())
    }

    /// Whether a product multiplies what the region number `at` makes.
    fn is_multiplied(&self, at: usize) -> bool {
        self.large(at).any(|output| {
            self.readers[output.index()].iter().any(|reader| {
                let product = product_of(self.graph, &self.regions[*reader]);
                product
                    .is_some_and(|product| (0..2).any(|at| operand(self.graph, product, at) == Some(*output)))
            })
        })
    }

    /// Whether a region is a product, or reads one of as many elements.
    fn is_after_product(&self, at: usize) -> bool {
        let region = &self.regions[at];
        let mut large =
            region.operands.iter().filter(|operand| numel(self.graph, **operand) == region.extent.len());
        self.is_product[at]
            || large.any(|operand| self.writer[operand.index()].is_some_and(|writer| self.is_product[writer]))
    }

    /// Whether a strip that the region number `at` is not in reads what it makes.
    fn is_read_by_strip(&self, at: usize) -> bool {
        let mut readers = self.large(at).flat_map(|output| &self.readers[output.index()]);
        readers
            .any(|reader| self.group[*reader] != self.group[at] && self.found[self.group[*reader]].is_some())
    }

    /// Makes a strip of the region number `at` and those that read what it makes, if that can be and pays.
    fn grow(&mut self, at: usize) {
        let mut members: Vec<usize> = self.members[self.group[at]].to_vec();
        for output in self.large(at) {
            let readers = &self.readers[output.index()];
            if (self.keep)(*output) || readers.is_empty() || readers.len() > REGIONS {
                return;
            }
            members.extend(readers.iter().flat_map(|reader| &self.members[self.group[*reader]]));
        }
        // What has to run in between runs with them.
        loop {
            members.sort_unstable();
            members.dedup();
            if members.len() < 2 || members.len() > REGIONS {
                return;
            }
            match self.between(&members) {
                Some(between) if between.is_empty() => break,
                Some(between) => members.extend(between),
                None => return,
            }
        }
        if let Some(found) = self.found(&members) {
            let first = members[0];
            members.iter().for_each(|member| (self.group[*member], self.found[*member]) = (first, None));
            self.found[first] = Some(found);
            self.members[first] = members.into();
        }
    }

    /// What the strip of these regions, ascending, is like; `None` if they are none.
    fn found(&self, members: &[usize]) -> Option<Found> {
        let held = self.held(members)?;
        let rows = members.iter().filter_map(|member| self.rows(*member, &held)).min()?;
        let regions = members.iter().map(|member| &self.regions[*member]);
        let forms: Option<Vec<Form>> =
            regions.clone().map(|region| Form::of(self.graph, region, rows, &held)).collect();
        let forms = forms?;
        let fits = |region: &Region| region.operands.len() <= OPERANDS && region.outputs.len() <= RESULTS;
        let row = |node: &NodeId| numel(self.graph, *node) / rows;
        let whole = held.iter().all(|node| row(node) * rows == numel(self.graph, *node));
        if !whole
            || held.len() > HELD
            || !regions.clone().all(fits)
            || forms.iter().all(|form| form.product().is_none())
        {
            return None;
        }
        let elements = held.iter().map(row).sum();
        let bytes = held.iter().map(|node| row(node) * self.graph.ty(*node).dtype.bytes()).sum();
        let mut outputs = regions.flat_map(|region| &region.outputs);
        let combines = outputs.any(|output| matches!(role(self.graph, *output), Role::Columns(_)));
        let size = Size::of(&forms, rows, (elements, bytes), combines)?;
        Some(Found { rows, size, held })
    }

    /// The rows of the product of a region that does not contract what is held.
    fn rows(&self, member: usize, held: &[NodeId]) -> Option<usize> {
        let region = &self.regions[member];
        let product = product_of(self.graph, region)?;
        let Op::DotGeneral(op) = &self.graph.node(product).op else { return None };
        let dot = Dot::of(self.graph, region, product, op);
        let is_held =
            |at: &usize| operand(self.graph, product, *at).is_some_and(|buffer| held.contains(&buffer));
        let [rows, depth, _] = dot.sizes();
        match (0..2).find(is_held) {
            Some(1) => Some(dot.stack() * depth),
            Some(_) if !dot.takes_rows() => Some(dot.stack() * depth),
            _ => Some(rows),
        }
    }

    /// The values that these regions hand to each other; `None` if one of them is also read elsewhere, or kept.
    fn held(&self, members: &[usize]) -> Option<Vec<NodeId>> {
        let mut held = Vec::new();
        for output in members.iter().flat_map(|member| &self.regions[*member].outputs) {
            let readers = &self.readers[output.index()];
            let inside = readers.iter().filter(|reader| members.contains(reader)).count();
            if inside == 0 {
                continue;
            }
            if inside < readers.len() || (self.keep)(*output) {
                return None;
            }
            held.push(*output);
        }
        (!held.is_empty()).then_some(held)
    }

    /// Regions that must run after some of these and before others of them: those on one way, if there are ways; `None` if
    /// that takes too long to find out.
    fn between(&self, members: &[usize]) -> Option<Vec<usize>> {
        let last = *members.last().expect("a strip has regions");
        let is_member: FxHashSet<usize> = members.iter().map(|member| self.group[*member]).collect();
        // From which group each one was come to.
        let mut come_from: FxHashMap<usize, usize> = FxHashMap::default();
        let mut waiting: Vec<usize> = is_member.iter().copied().collect();
        while let Some(group) = waiting.pop() {
            let outputs = self.members[group].iter().flat_map(|member| &self.regions[*member].outputs);
            for reader in outputs.flat_map(|output| &self.readers[output.index()]) {
                let next = self.group[*reader];
                if is_member.contains(&next) {
                    if is_member.contains(&group) {
                        continue;
                    }
                    let way = std::iter::successors(Some(group), |group| come_from.get(group).copied());
                    let way = way.take_while(|group| !is_member.contains(group));
                    return Some(way.flat_map(|group| self.members[group].iter().copied()).collect());
                }
                // What runs after the last of them leads to none of them.
                if self.members[next][0] <= last && !come_from.contains_key(&next) {
                    if come_from.len() == VISITS {
                        return None;
                    }
                    come_from.insert(next, group);
                    waiting.push(next);
                }
            }
        }
        Some(Vec::new())
    }
}
