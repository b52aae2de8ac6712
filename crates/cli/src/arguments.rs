//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use pullback_graph::KinkPolicy;

/// Look at, check, plan, time and convert graph files.
///
/// FILE is a graph file (JSON) or a text as `pullback text` prints it; `-` is standard input.
#[derive(Debug, Parser)]
#[command(name = "pullback", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a summary: nodes by scope and by op, parameters, operations, inputs and outputs.
    Show(Show),
    /// Print the text IR, one node a line.
    Text(View),
    /// List each forward node with the line that made it and its gradient.
    Gradients(View),
    /// Print a picture for Graphviz.
    Dot(View),
    /// Print a flowchart for Mermaid.
    Mermaid(View),
    /// Print the plan by which the graph would run: steps, buffers, memory, critical path.
    Plan(Plan),
    /// Run the graph with random values, and print how long it takes and where the time goes.
    ///
    /// Whole numbers that index are drawn from the axis that they index, others are 0 or 1.
    Bench(Bench),
    /// Compare the gradients with difference quotients, at random values of the inputs.
    Check(Check),
    /// Convert between the file format (.json) and the text IR (.txt).
    Convert(Convert),
    /// Answer reference cases, JSON lines of operations and inputs, with values and gradients.
    Reference(Reference),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The graph file, or - for standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) sizes: Sizes,
}

#[derive(Debug, Args)]
pub(crate) struct View {
    /// The graph file, or - for standard input.
    pub(crate) file: PathBuf,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The graph file, or - for standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) sizes: Sizes,
    /// Predict the time on machines with so many threads.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Vec<u16>,
    /// Hold at most so many bytes, and compute again what is needed late.
    #[arg(long, value_name = "BYTES")]
    pub(crate) fit_in: Option<usize>,
    /// Plan the graph as it is, without optimizing it first.
    #[arg(long)]
    pub(crate) no_passes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The graph file, or - for standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) sizes: Sizes,
    /// Run on so many threads, one after the other. Default: 1, and all cores.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Vec<u16>,
    /// Predict the time on machines with so many threads, from the times of the steps.
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "2,4,8,16,32,64", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) predict: Vec<u16>,
    /// How long to run for on each number of threads.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) seconds: f64,
    /// How many of the steps to list, the longest first.
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    pub(crate) top: usize,
    /// Plan with rates measured on this machine instead of those assumed of any.
    #[arg(long)]
    pub(crate) measure_rates: bool,
    /// Draw float inputs from this range.
    #[arg(long, value_name = "LOW..HIGH", default_value = "-1..1", value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: (f64, f64),
    /// Draw other values.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The graph file, or - for standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) sizes: Sizes,
    /// The output to differentiate. Default: the first one that is a single float and updates no state.
    #[arg(long)]
    pub(crate) output: Option<String>,
    /// The inputs to differentiate in. Default: the parameters, or all float inputs if there are none.
    #[arg(long, value_name = "INPUTS", value_delimiter = ',')]
    pub(crate) wrt: Vec<String>,
    /// The order of derivatives to check.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) order: u8,
    /// Draw float inputs from this range.
    #[arg(long, value_name = "LOW..HIGH", default_value = "-1..1", value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: (f64, f64),
    /// Draw other values.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The graph file, or - for standard input.
    pub(crate) input: PathBuf,
    /// The file to write; it ends in .json or .txt.
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// The cases, one JSON object a line, or - for standard input.
    pub(crate) cases: PathBuf,
    /// The file to write the answers to, one JSON object a line.
    pub(crate) answers: PathBuf,
    /// Compute cases of double precision in single.
    #[arg(long)]
    pub(crate) f32: bool,
    /// How gradients at kinks are chosen: min_norm, torch or jax. Where several choices are accepted, the first is.
    #[arg(long, value_name = "POLICY", default_value = "min_norm", value_parser = policy)]
    pub(crate) kinks: KinkPolicy,
    /// Run the graphs with the reference interpreter instead of sessions.
    #[arg(long)]
    pub(crate) interpret: bool,
}

/// Sizes of symbolic dimensions.
#[derive(Debug, Args)]
pub(crate) struct Sizes {
    /// Give a symbolic dimension a size; may be repeated.
    #[arg(long, value_name = "SYMBOL=SIZE", value_delimiter = ',', value_parser = binding)]
    pub(crate) bind: Vec<(String, usize)>,
}

/// A policy by its name, in which `-` is `_`.
fn policy(text: &str) -> Result<KinkPolicy, String> {
    text.replace('-', "_").parse()
}

fn binding(text: &str) -> Result<(String, usize), String> {
    let (symbol, size) = text.split_once('=').ok_or("expected SYMBOL=SIZE, such as batch=32")?;
    let size = size.parse().map_err(|_| format!("{size:?} is not a size"))?;
    Ok((symbol.to_string(), size))
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let ends = text.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    let (low, high): (f64, f64) = ends.ok_or("expected LOW..HIGH, such as -1..1")?;
    if low < high && (high - low).is_finite() { Ok((low, high)) } else { Err(format!("{text} is empty")) }
}
