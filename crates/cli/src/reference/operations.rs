//! All operations by name.

use std::collections::BTreeMap;

use super::call::{Call, Outputs, Table};
use super::{binary, cells, linalg, losses, models, nn, reduce, shape, unary};

const FAMILIES: [(&str, Table); 9] = [
    ("unary", unary::OPERATIONS),
    ("binary", binary::OPERATIONS),
    ("reduce", reduce::OPERATIONS),
    ("shape", shape::OPERATIONS),
    ("linalg", linalg::OPERATIONS),
    ("nn", nn::OPERATIONS),
    ("cells", cells::OPERATIONS),
    ("losses", losses::OPERATIONS),
    ("models", models::OPERATIONS),
];

/// The names of the operations that are known, by family.
#[must_use]
pub fn operations() -> BTreeMap<&'static str, Vec<&'static str>> {
    let names = |table: Table| table.iter().map(|(name, _)| *name).collect();
    FAMILIES.iter().map(|(family, table)| (*family, names(table))).collect()
}

/// How the operation `name` is called.
pub(super) fn find(name: &str) -> Option<for<'g> fn(&Call<'g>) -> Outputs<'g>> {
    let mut rows = FAMILIES.iter().flat_map(|(_, table)| table.iter());
    rows.find(|(known, _)| *known == name).map(|(_, apply)| *apply)
}
