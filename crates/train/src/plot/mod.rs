//! Pictures of numbers: line charts as SVG files, one-line charts for the terminal.
//!
//! Both draw only what is finite: a loss that became NaN leaves a gap where it did.

mod svg;

mod axis;
mod frame;
mod legend;

mod spark;

pub use spark::sparkline;
pub use svg::LineChart;
