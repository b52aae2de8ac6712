//! One order after the other: the gradient, then the gradient of the gradient.

use crate::check::case::Case;
use crate::check::compare::compare;
use crate::check::error::CheckError;
use crate::check::options::CheckOptions;
use crate::check::report::CheckReport;
use crate::check::subject::Subject;
use crate::check::trial::{cotangent_of, directions_of};

/// All orders of a case, without looking for the reason of a failure.
pub(crate) fn all_orders(case: &Case, options: &CheckOptions) -> Result<CheckReport, CheckError> {
    let mut subject = Subject::of(case)?;
    let mut report = compare(&subject, options)?;
    for _ in 1..options.order {
        subject = differentiated(&subject, options)?;
        report.absorb(compare(&subject, options)?);
    }
    Ok(report)
}

/// The subject of the next order.
pub(crate) fn differentiated(subject: &Subject, options: &CheckOptions) -> Result<Subject, CheckError> {
    let draw = subject.order as u64;
    let directions = directions_of(subject, options.seed, draw);
    subject.derived(&cotangent_of(subject, options.seed, draw), &directions)
}
