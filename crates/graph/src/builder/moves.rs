//! Handles outlive the nodes they name: a transform may take nodes away and write them anew, under other ids.
//!
//! Each such replacement is an era. A handle keeps the era that it was made in, and what happened since tells which node
//! it names now, or that there is none any more.

use crate::id::NodeId;

/// All replacements so far.
#[derive(Debug, Default)]
pub(super) struct Moves {
    moves: Vec<Move>,
    /// For each era, the first node that any later replacement took away: nodes before it are where they were.
    first_moved: Vec<usize>,
}

/// The nodes from `start` on were replaced.
#[derive(Debug)]
struct Move {
    start: usize,
    /// Where each of them is now, if it is still there.
    places: Vec<Option<NodeId>>,
}

impl Moves {
    /// The present era.
    pub(super) fn era(&self) -> u32 {
        u32::try_from(self.moves.len()).expect("fewer than 2^32 replacements")
    }

    /// Ends an era: the nodes from `start` on are gone, but for those that have a place.
    pub(super) fn push(&mut self, start: usize, places: Vec<Option<NodeId>>) {
        self.moves.push(Move { start, places });
        self.first_moved.push(start);
        // Eras from which this replacement is the first to be met earlier: each is lowered once per level of nesting.
        for first in self.first_moved.iter_mut().rev().skip(1).take_while(|first| **first > start) {
            *first = start;
        }
    }

    /// Says where the nodes are that the last replacement took away.
    pub(super) fn settle(&mut self, places: Vec<Option<NodeId>>) {
        let last = self.moves.last_mut().expect("nodes have been taken away");
        last.places = places;
    }

    /// The node that `id` of `era` is now.
    pub(super) fn resolve(&self, id: NodeId, era: u32) -> Option<NodeId> {
        let era = era as usize;
        if self.first_moved.get(era).is_none_or(|first| id.index() < *first) {
            return Some(id);
        }
        self.moves[era..].iter().try_fold(id, |id, moved| match id.index().checked_sub(moved.start) {
            Some(at) => moved.places.get(at).copied().flatten(),
            None => Some(id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_followed_through_eras() {
        let mut moves = Moves::default();
        let id = NodeId::new;
        moves.push(5, vec![None, Some(id(5))]);
        moves.push(3, vec![Some(id(4)), None, Some(id(3))]);
        moves.push(9, vec![None]);
        assert_eq!(moves.resolve(id(2), 0), Some(id(2)));
        assert_eq!(moves.resolve(id(3), 0), Some(id(4)));
        assert_eq!(moves.resolve(id(5), 0), None, "gone in the first era");
        assert_eq!(moves.resolve(id(6), 0), Some(id(3)), "node 6 became 5, then 3");
        assert_eq!(moves.resolve(id(5), 1), Some(id(3)));
        assert_eq!(moves.resolve(id(9), 2), None);
        assert_eq!(moves.resolve(id(9), 3), Some(id(9)));
    }
}
