//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measure pullback.
#[derive(Debug, Parser)]
#[command(name = "pullback-bench", version)]
pub struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the workloads that other engines were measured on, check the answers, and compare the times.
    Rivals(Rivals),
    /// Say by how much the process grows for a workload; each gets a process of its own. Linux only.
    Memory(Memory),
}

/// Whose memory to measure.
#[derive(Args, Debug)]
pub struct Memory {
    /// Only these workloads, such as W2,LSTM128.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub only: Vec<String>,
    /// The other models instead of W1 to W11.
    #[arg(long)]
    pub models: bool,
    /// Numbers of threads, each measured for itself.
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_name = "COUNTS")]
    pub threads: Vec<usize>,
}

/// How to measure the workloads.
#[derive(Args, Debug)]
pub struct Rivals {
    /// Only these workloads, such as W1b32,LSTM128.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub only: Vec<String>,
    /// The other models instead of W1 to W11.
    #[arg(long)]
    pub models: bool,
    /// Numbers of threads, each measured for itself.
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_name = "COUNTS")]
    pub threads: Vec<usize>,
    /// How long each workload is timed for.
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// How many steps to run in a call; without, as many as the engine compared with: 50 for a JAX loop, 1 for others.
    #[arg(long, value_name = "COUNT")]
    pub steps_per_call: Option<usize>,
    /// Compare losses after 50 updates even where that takes long.
    #[arg(long)]
    pub full_check: bool,
    /// Also print where the time goes: by kernel, and the steps that take most.
    #[arg(long)]
    pub profile: bool,
    /// How many steps a profile lists.
    #[arg(long, default_value_t = 12, value_name = "COUNT")]
    pub top: usize,
    /// Also print what the times of the steps come to with so many threads, such as 2,4,8,16,32,64.
    #[arg(long, value_delimiter = ',', value_name = "COUNTS")]
    pub predict: Vec<usize>,
    /// Compare with the engines of this file, measured on this machine, where it has some; one JSON object per line,
    /// such as {"engine": "JAX", "workload": "W2", "threads": 1, "median_us": 16788.5, "steps_per_call": 1}.
    #[arg(long, value_name = "FILE")]
    pub others: Option<PathBuf>,
    /// Write all figures to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
