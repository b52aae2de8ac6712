//! Binding: sizes for symbols, found from the tensors fed, and the graph with them put in.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::dim::{Bindings, Dim};
use crate::error::{FeedError, GraphError};
use crate::graph::{Body, Graph};
use crate::op::{Op, OpRules};
use crate::shape::TensorType;
use crate::tensor::Tensor;

impl Graph {
    /// The same graph with symbols replaced by sizes: attributes, types and all. Node ids stay. Linear in nodes.
    ///
    /// # Errors
    /// [`FeedError::Size`] when a dimension would be negative; a type error when an op does not fit the sizes.
    pub fn bind(&self, bindings: &Bindings) -> Result<Graph, GraphError> {
        if self.is_bound() {
            return Ok(self.clone());
        }
        let old = self.body();
        let mut body = Body {
            nodes: Vec::with_capacity(old.nodes.len()),
            provenance: Vec::with_capacity(old.nodes.len()),
            inputs: Vec::with_capacity(old.inputs.len()),
            cotangents: old.cotangents.clone(),
            scopes: old.scopes.clone(),
            names: old.names.clone(),
            sources: old.sources.clone(),
            kinks: old.kinks,
        };
        for id in self.ids() {
            let node = self.node(id);
            let op = node.op.bind(bindings).map_err(|dim| FeedError::Size {
                dim: dim.to_string(),
                bindings: show(bindings),
                at: self.source(id).cloned(),
            })?;
            body.push(op, node.operands.clone(), self.provenance(id).clone())?;
        }
        Ok(Graph::from_parts(Arc::new(body), self.outputs().to_vec())?)
    }

    /// Whether every size is known. A known type may come of a symbolic attribute in one way only: `dim_size`.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.symbolic_dims().next().is_none()
    }

    /// Every symbol that occurs, sorted. Linear in nodes.
    #[must_use]
    pub fn symbols(&self) -> Vec<Arc<str>> {
        let symbols: BTreeSet<Arc<str>> = self.symbolic_dims().flat_map(Dim::symbols).collect();
        symbols.into_iter().collect()
    }

    /// The dimensions of all nodes that are not known.
    fn symbolic_dims(&self) -> impl Iterator<Item = &Dim> {
        let dims = self.nodes().iter().flat_map(|node| {
            let asked = match &node.op {
                Op::DimSize(op) => Some(&op.size),
                _ => None,
            };
            node.ty.shape.iter().chain(asked)
        });
        dims.filter(|dim| dim.known().is_none())
    }

    /// The sizes of all symbols, from the tensors fed.
    ///
    /// An axis that is one symbol gives it a size; every other axis is then checked against the sizes found.
    ///
    /// # Errors
    /// [`FeedError`] when a feed is missing, unknown or given twice, when a type, a rank or a known size differs, when
    /// two feeds give a symbol different sizes, or when a symbol's size does not follow.
    pub fn solve<'t, N: AsRef<str>>(
        &self,
        feeds: impl IntoIterator<Item = (N, &'t Tensor)>,
    ) -> Result<Bindings, FeedError> {
        self.solve_types(feeds.into_iter().map(|(name, tensor)| (name, tensor.ty())))
    }

    /// [`solve`](Graph::solve), from the types of what will be fed.
    ///
    /// # Errors
    /// As [`solve`](Graph::solve).
    pub fn solve_types<N: AsRef<str>>(
        &self,
        feeds: impl IntoIterator<Item = (N, TensorType)>,
    ) -> Result<Bindings, FeedError> {
        let mut given: Vec<Option<TensorType>> = vec![None; self.inputs().len()];
        let names = self.inputs().iter().enumerate();
        let positions: HashMap<&str, usize> =
            names.filter_map(|(at, id)| Some((&**self.label(*id)?, at))).collect();
        for (name, ty) in feeds {
            let Some(position) = positions.get(name.as_ref()).copied() else {
                let known = self.inputs().iter().filter_map(|id| self.label(*id).cloned()).collect();
                return Err(FeedError::Unknown { name: name.as_ref().into(), known });
            };
            if given[position].replace(ty).is_some() {
                return Err(FeedError::Twice { name: name.as_ref().into() });
            }
        }
        let mut sizes = Solver::default();
        for (id, got) in self.inputs().iter().zip(&given) {
            let Op::Input(input) = &self.node(*id).op else { continue };
            let source = || self.source(*id).cloned();
            let Some(got) = got else {
                let (name, expected) = (input.name.clone(), input.ty.clone());
                let updated = self.outputs().iter().any(|output| output.updates == Some(*id));
                return Err(FeedError::Missing { name, expected, updated, at: source() });
            };
            let expected = input.ty.clone();
            let fits = got.dtype == expected.dtype
                && got.rank() == expected.rank()
                && got
                    .shape
                    .iter()
                    .zip(expected.shape.iter())
                    .all(|(got, dim)| dim.known().is_none() || got == dim);
            if !fits {
                let got = got.clone();
                return Err(FeedError::Type { name: input.name.clone(), expected, got, at: source() });
            }
            let of_feed = got.shape.known().unwrap_or_default();
            for (dim, size) in expected.shape.iter().zip(&of_feed) {
                let Some(symbol) = dim.symbol() else { continue };
                let (first, first_input) =
                    sizes.found.entry(symbol.clone()).or_insert_with(|| (*size, input.name.clone())).clone();
                if first != *size {
                    return Err(FeedError::SymbolConflict {
                        dim: symbol.to_string(),
                        first,
                        first_input,
                        second: *size,
                        second_input: input.name.clone(),
                        at: source(),
                    });
                }
            }
        }
        self.check_composite(&sizes, &given)?;
        let bindings: Bindings = sizes.found.into_iter().map(|(symbol, (size, _))| (symbol, size)).collect();
        match self.symbols().into_iter().find(|symbol| !bindings.contains_key(symbol)) {
            None => Ok(bindings),
            Some(symbol) => Err(FeedError::Unbound { symbol }),
        }
    }

    /// Axes such as `2*batch` have the size that the symbols make them.
    fn check_composite(&self, sizes: &Solver, given: &[Option<TensorType>]) -> Result<(), FeedError> {
        let bindings: Bindings =
            sizes.found.iter().map(|(symbol, (size, _))| (symbol.clone(), *size)).collect();
        for (id, given) in self.inputs().iter().zip(given) {
            let (Op::Input(input), Some(given)) = (&self.node(*id).op, given) else { continue };
            for (dim, size) in input.ty.shape.iter().zip(&given.shape.known().unwrap_or_default()) {
                let expected = dim.bind(&bindings).and_then(|dim| dim.known());
                if dim.symbol().is_none()
                    && dim.known().is_none()
                    && expected.is_some_and(|expected| expected != *size)
                {
                    let first_input = dim.symbols().first().and_then(|symbol| sizes.found.get(symbol));
                    return Err(FeedError::SymbolConflict {
                        dim: dim.to_string(),
                        first: expected.unwrap_or_default(),
                        first_input: first_input.map_or_else(|| input.name.clone(), |(_, name)| name.clone()),
                        second: *size,
                        second_input: input.name.clone(),
                        at: self.source(*id).cloned(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Sizes found so far, and which input gave each.
#[derive(Default)]
struct Solver {
    found: std::collections::BTreeMap<Arc<str>, (usize, Arc<str>)>,
}

fn show(bindings: &Bindings) -> String {
    bindings.iter().map(|(symbol, size)| format!("{symbol} = {size}")).collect::<Vec<_>>().join(", ")
}
