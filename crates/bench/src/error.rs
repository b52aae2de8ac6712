//! What can go wrong while measuring.

/// Why nothing, or no more, was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A graph could not be built, or a run failed.
    #[error("{workload}: {error}")]
    Engine {
        /// The workload.
        workload: String,
        /// What pullback says.
        error: pullback::Error,
    },
    /// There is no such workload.
    #[error("there is no workload \"{name}\"; the workloads are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The report cannot be written.
    #[error(transparent)]
    Output(#[from] std::io::Error),
}
