//! The results of a run.

use std::ops::Index;
use std::sync::Arc;

use pullback_graph::{Graph, Tensor};

/// The results of a run, by name, in the order of the graph's outputs.
///
/// Outputs that update state are not among them: they are in [`Session::state`](crate::Session::state).
#[derive(Clone, Debug)]
pub struct Outputs {
    names: Arc<Names>,
    tensors: Vec<Tensor>,
}

/// What the outputs of a graph are called; all results of a session share it.
#[derive(Debug)]
pub(crate) struct Names {
    results: Box<[Arc<str>]>,
    /// The outputs that update state, and the state that each updates.
    updates: Box<[(Arc<str>, Arc<str>)]>,
}

impl Names {
    pub(crate) fn of(graph: &Graph) -> Names {
        let results = graph.outputs().iter().filter(|output| output.updates.is_none());
        let updates = graph.outputs().iter().filter_map(|output| {
            let state = graph.label(output.updates?).expect("inputs have names");
            Some((output.name.clone(), state.clone()))
        });
        Names { updates: updates.collect(), results: results.map(|output| output.name.clone()).collect() }
    }

    /// Why there is no result `name`, and what there is.
    fn explain(&self, name: &str) -> String {
        let quoted: Vec<String> = self.results.iter().map(|name| format!("\"{name}\"")).collect();
        let known = match quoted.as_slice() {
            [] => String::new(),
            quoted => format!("; the outputs are {}", quoted.join(", ")),
        };
        for (output, state) in &self.updates {
            if **output == *name {
                return format!(
                    "output \"{name}\" updates state and is not among the results: \
                     read it by `session.state(\"{state}\")`{known}"
                );
            }
            if **state == *name {
                return format!(
                    "there is no output \"{name}\", it is state: read it by `session.state(\"{name}\")`{known}"
                );
            }
        }
        match (quoted.is_empty(), self.updates.is_empty()) {
            (false, _) => format!("there is no output \"{name}\"{known}"),
            (true, false) => format!("there is no output \"{name}\"; all outputs update state"),
            (true, true) => format!("there is no output \"{name}\", nor any other"),
        }
    }
}

impl Outputs {
    /// No results yet of these names.
    pub(crate) fn of(names: Arc<Names>) -> Outputs {
        Outputs { tensors: Vec::with_capacity(names.results.len()), names }
    }

    /// Lets go of the results.
    pub(crate) fn clear(&mut self) {
        self.tensors.clear();
    }

    /// Takes these results, one per name.
    pub(crate) fn fill(&mut self, names: &Arc<Names>, tensors: impl Iterator<Item = Tensor>) {
        if !Arc::ptr_eq(&self.names, names) {
            self.names = names.clone();
        }
        self.tensors.clear();
        self.tensors.extend(tensors);
        debug_assert_eq!(self.names.results.len(), self.tensors.len(), "every output has a name");
    }

    /// The output named `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let at = self.names.results.iter().position(|known| **known == *name)?;
        Some(&self.tensors[at])
    }

    /// The output named `name`, without the others.
    #[must_use]
    pub fn take(self, name: &str) -> Option<Tensor> {
        let at = self.names.results.iter().position(|known| **known == *name)?;
        self.tensors.into_iter().nth(at)
    }

    /// The number of outputs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.names.results.iter().zip(&self.tensors).map(|(name, tensor)| (&**name, tensor))
    }
}

impl Index<&str> for Outputs {
    type Output = Tensor;

    /// # Panics
    /// When there is no output of that name, or it updates state; the message lists those there are.
    #[track_caller]
    fn index(&self, name: &str) -> &Tensor {
        match self.get(name) {
            Some(tensor) => tensor,
            None => panic!("{}", self.names.explain(name)),
        }
    }
}

impl IntoIterator for Outputs {
    type Item = (Arc<str>, Tensor);
    type IntoIter = std::vec::IntoIter<(Arc<str>, Tensor)>;

    fn into_iter(self) -> Self::IntoIter {
        self.names.results.iter().cloned().zip(self.tensors).collect::<Vec<_>>().into_iter()
    }
}
