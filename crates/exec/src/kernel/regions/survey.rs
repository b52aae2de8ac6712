//! What regions compute and read, known before they are made for good: for rewritings that have something computed twice.

use pullback_graph::{Graph, NodeId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::kernel::regions::fuse::regions;
use crate::kernel::regions::read::{Access, read};
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::{Role, role};

/// Who computes and who reads what.
pub(crate) struct Survey<'g> {
    pub(crate) graph: &'g Graph,
    roles: Vec<Role>,
    pub(crate) kept: Vec<bool>,
    pub(crate) regions: Vec<Region>,
    /// The region that computes a node.
    pub(crate) home: Vec<Option<usize>>,
    /// The other regions that read a value, ascending, and whether all of them do element by element.
    pub(crate) readers: FxHashMap<NodeId, (SmallVec<[usize; 2]>, bool)>,
}

impl<'g> Survey<'g> {
    pub(crate) fn of(graph: &'g Graph) -> Survey<'g> {
        let roles: Vec<Role> = graph.ids().map(|id| role(graph, id)).collect();
        let mut kept = vec![false; graph.len()];
        graph.outputs().iter().for_each(|output| kept[output.node.index()] = true);
        let regions = regions(graph, &|id| kept[id.index()]);
        let mut home = vec![None; graph.len()];
        let is_read_through = |id: NodeId| {
            matches!(
                roles[id.index()],
                Role::Literal | Role::Broadcast | Role::Spread(_) | Role::Part | Role::Permute
            )
        };
        for (at, region) in regions.iter().enumerate() {
            let own = region.nodes.iter().filter(|id| **id == region.root || !is_read_through(**id));
            own.for_each(|id| home[id.index()] = Some(at));
        }
        let mut survey = Survey { graph, roles, kept, regions, home, readers: FxHashMap::default() };
        survey.readers = survey.find_readers();
        survey
    }

    fn find_readers(&self) -> FxHashMap<NodeId, (SmallVec<[usize; 2]>, bool)> {
        let mut readers: FxHashMap<NodeId, (SmallVec<[usize; 2]>, bool)> = FxHashMap::default();
        for (at, region) in self.regions.iter().enumerate() {
            for id in region.nodes.iter().filter(|id| self.home[id.index()] == Some(at)) {
                for operand in 0..self.graph.node(*id).operands.len() {
                    let (Some(buffer), access) = self.read(at, *id, operand) else { continue };
                    if self.home[buffer.index()] == Some(at) {
                        continue;
                    }
                    let (regions, along) = readers.entry(buffer).or_insert((SmallVec::new(), true));
                    if regions.last() != Some(&at) {
                        regions.push(at);
                    }
                    *along &= access == Access::Elements && self.is_program(at);
                }
            }
        }
        readers
    }

    pub(crate) fn role(&self, id: NodeId) -> Role {
        self.roles[id.index()]
    }

    /// Whether a region is computed by a program.
    pub(crate) fn is_program(&self, at: usize) -> bool {
        self.role(self.regions[at].root).is_computed()
    }

    /// The buffer that a node of a region reads as its operand number `operand`, and how.
    pub(crate) fn read(&self, region: usize, id: NodeId, operand: usize) -> (Option<NodeId>, Access) {
        let root = self.role(self.regions[region].root);
        let read = read(self.graph, root, id, operand, |id| self.role(id));
        (read.buffer, read.access)
    }
}
