//! Layers: convolutions, pools, normalizations, attention, cells.

use super::call::Table;

pub(super) const OPERATIONS: Table = &[];
