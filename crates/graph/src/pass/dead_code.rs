//! Drops the nodes that no output depends on. Inputs stay: they are the signature.

use crate::pass::Pass;

/// No rules: the driver visits only what is used.
pub(crate) static PASS: Pass =
    Pass { name: "dead_code", description: "drops nodes that no output depends on", rules: &[] };
