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
    /// A line of the file with other engines' times is none.
    #[error(
        "{}, line {line}: expected an object with engine, workload, threads and median_us",
        file.display()
    )]
    Others {
        /// The file.
        file: std::path::PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The report cannot be written, or the other engines' times cannot be read.
    #[error(transparent)]
    Output(#[from] std::io::Error),
}
