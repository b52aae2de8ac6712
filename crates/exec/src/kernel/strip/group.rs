//! The regions of a strip, and what they read.

use pullback_graph::NodeId;
use smallvec::SmallVec;

use crate::kernel::regions::region::Region;
use crate::kernel::regions::turned::Turned;

/// Regions that are run over the same rows, a block of rows at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strip {
    /// In an order in which they can run. Each lists what it reads itself, [held](Region::held) or not.
    pub(crate) regions: Vec<Region>,
    /// Rows in all.
    pub(crate) rows: usize,
    /// Rows that products add up, in matrices of so many; `None` if no product of the strip contracts rows.
    pub(crate) matrix: Option<usize>,
    /// Rows of a block.
    pub(crate) block: usize,
    /// Rows that are multiplied by the same matrices, copies of which are [kept](Region::kept); 0 if none are.
    pub(crate) shared: usize,
}

/// A buffer that a strip reads, or the copy that is read in its place.
pub(crate) type Operand<'a> = (NodeId, Option<&'a Turned>);

impl Strip {
    /// What is read from memory, each once.
    pub(crate) fn operands(&self) -> Vec<Operand<'_>> {
        let mut operands = Vec::new();
        for region in &self.regions {
            for operand in self.read_by(region).into_iter().flatten() {
                if !operands.contains(&operand) {
                    operands.push(operand);
                }
            }
        }
        operands
    }

    /// What a region of the strip reads, in its order; `None` for what is held.
    pub(super) fn read_by<'a>(&self, region: &'a Region) -> Vec<Option<Operand<'a>>> {
        let own = region.own_turned();
        let operand = |(at, node): (usize, &NodeId)| {
            let copy = own.filter(|(place, _)| *place == at).map(|(_, turned)| turned);
            (!region.held.contains(node)).then_some((*node, copy))
        };
        region.operands.iter().enumerate().map(operand).collect()
    }

    /// The places of operands that are copies.
    pub(crate) fn turned(&self) -> SmallVec<[(usize, &Turned); 2]> {
        let operands = self.operands().into_iter().enumerate();
        operands.filter_map(|(at, (_, turned))| Some((at, turned?))).collect()
    }

    /// The values that the kernels hand to each other, ascending.
    pub(super) fn held(&self) -> Vec<NodeId> {
        let mut held: Vec<NodeId> = self.regions.iter().flat_map(|region| region.held.clone()).collect();
        held.sort_unstable();
        held.dedup();
        held
    }
}

impl From<Strip> for Region {
    /// The region of all that a strip computes.
    fn from(strip: Strip) -> Region {
        let held = strip.held();
        let last = strip.regions.last().expect("a strip has regions");
        let mut nodes: Vec<NodeId> = strip.regions.iter().flat_map(|region| region.nodes.clone()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let outputs = strip.regions.iter().flat_map(|region| region.outputs.clone());
        let mut outputs: SmallVec<[NodeId; 1]> = outputs.filter(|output| !held.contains(output)).collect();
        outputs.sort_unstable();
        Region {
            root: last.root,
            outputs,
            nodes,
            operands: strip.operands().into_iter().map(|(node, _)| node).collect(),
            extent: last.extent,
            piece: None,
            held: SmallVec::new(),
            turned: None,
            kept: None,
            unread: None,
            narrow: None,
            strip: Some(Box::new(strip)),
        }
    }
}
