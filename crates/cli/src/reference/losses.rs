//! Losses.

use super::call::Table;

pub(super) const OPERATIONS: Table = &[];
