//! Whole small networks, up to their loss.

use super::call::Table;

pub(super) const OPERATIONS: Table = &[];
