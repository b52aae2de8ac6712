//! What a run tells about itself.

use std::time::Duration;

use pullback_graph::NodeStats;

use crate::run::trace::Trace;

/// How a run went.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    pub(crate) wall: Duration,
    pub(crate) steps: usize,
    pub(crate) threads: usize,
    pub(crate) trace: Option<Trace>,
    pub(crate) stats: Option<Vec<Option<NodeStats>>>,
}

impl RunReport {
    /// The time from the first step's start to the last one's end.
    #[must_use]
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// The number of steps in the plan.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The threads that could take part.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// When each step ran, if that was [recorded](crate::Session::record).
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// The statistics of each node's value, by node of the session's graph, if they were
    /// [recorded](crate::Record::stats); `None` for the nodes that a run which failed did not come to.
    #[must_use]
    pub fn stats(&self) -> Option<&[Option<NodeStats>]> {
        self.stats.as_deref()
    }
}
