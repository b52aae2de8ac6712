//! Stopping a run from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::ExecError;

/// Stops runs that it was given to: when asked, or at a deadline. Clones stop together.
///
/// It is looked at between steps, so a run ends after the steps that are under way.
///
/// ```
/// use pullback_exec::CancelToken;
/// let token = CancelToken::new();
/// let other = token.clone();
/// other.cancel();
/// assert!(token.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl CancelToken {
    /// A token without a deadline.
    #[must_use]
    pub fn new() -> Self {
        CancelToken::default()
    }

    /// The same token, with a deadline of its own.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        CancelToken { deadline: Some(deadline), ..self.clone() }
    }

    /// The same token, with a deadline so long from now.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.with_deadline(Instant::now() + timeout)
    }

    /// Stops what runs with this token, and all that is started with it later.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](CancelToken::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`ExecError::Cancelled`] or [`ExecError::Deadline`] when it is time to stop.
    pub(crate) fn check(&self) -> Result<(), ExecError> {
        if self.is_cancelled() {
            return Err(ExecError::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(ExecError::Deadline),
            _ => Ok(()),
        }
    }
}
