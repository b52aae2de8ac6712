//! The check of a graph.

use pullback_graph::{Graph, Tensor};

use crate::check::case::Case;
use crate::check::error::CheckError;
use crate::check::localize::{first_not_finite, localize};
use crate::check::options::CheckOptions;
use crate::check::orders::{all_orders, differentiated};
use crate::check::report::CheckReport;
use crate::check::shrink::shrink;
use crate::check::subject::Subject;

/// Compares the gradient of output `output` in the inputs `wrt` with difference quotients, at the point `feeds`.
///
/// The output may have any shape: cotangents are random. Reverse mode is compared along random directions and element
/// by element, then with forward mode, and with itself for other cotangents. The graph is evaluated in f64, whatever its
/// element type, by the reference interpreter.
///
/// ```
/// use pullback_autodiff::check::{CheckOptions, check_gradient};
/// use pullback_graph::{Builder, DType::F32, Tensor};
/// let b = Builder::new();
/// let x = b.input("x", F32, [2, 3]);
/// let graph = b.finish([("y", x.tanh().sum_over(1))])?;
/// let report = check_gradient(&graph, "y", &["x"], &[("x", &Tensor::random([2, 3], 0))], &CheckOptions::default())?;
/// report.assert();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`CheckError`] when there is nothing to compare: a name does not exist, the feeds do not fit, or an op has no rule.
/// A gradient that is wrong is no error, but a [failure](CheckReport::failures) in the report.
pub fn check_gradient(
    graph: &Graph,
    output: &str,
    wrt: &[&str],
    feeds: &[(&str, &Tensor)],
    options: &CheckOptions,
) -> Result<CheckReport, CheckError> {
    Case::new(graph, output, wrt, feeds)?.check(options)
}

impl Case {
    /// [`check_gradient`] of this case.
    ///
    /// # Errors
    /// As [`check_gradient`].
    pub fn check(&self, options: &CheckOptions) -> Result<CheckReport, CheckError> {
        let mut report = all_orders(self, options)?;
        let Some(failed) = report.failures.iter().map(|failure| failure.order).min() else {
            return Ok(report);
        };
        let mut subject = Subject::of(self)?;
        for _ in 1..failed {
            subject = differentiated(&subject, options)?;
        }
        let is_finite = report.failures.iter().all(|failure| failure.got.is_finite());
        let alone = localize(&subject, options).map(|found| found.culprit);
        report.culprit = alone.or_else(|| first_not_finite(&subject, options).filter(|_| !is_finite));
        report.minimal = options.shrink.then(|| shrink(self.clone(), options));
        Ok(report)
    }
}
