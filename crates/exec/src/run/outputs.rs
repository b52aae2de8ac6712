//! The results of a run.

use std::ops::Index;
use std::sync::Arc;

use pullback_graph::Tensor;

/// The results of a run, by name, in the order of the graph's outputs.
///
/// Outputs that update state are not among them: they are in [`Session::state`](crate::Session::state).
#[derive(Clone, Debug)]
pub struct Outputs {
    names: Arc<[Arc<str>]>,
    tensors: Vec<Tensor>,
}

impl Outputs {
    /// No results yet of these names.
    pub(crate) fn of(names: Arc<[Arc<str>]>) -> Outputs {
        Outputs { tensors: Vec::with_capacity(names.len()), names }
    }

    /// Lets go of the results.
    pub(crate) fn clear(&mut self) {
        self.tensors.clear();
    }

    /// Takes these results, one per name.
    pub(crate) fn fill(&mut self, names: &Arc<[Arc<str>]>, tensors: impl Iterator<Item = Tensor>) {
        if !Arc::ptr_eq(&self.names, names) {
            self.names = names.clone();
        }
        self.tensors.clear();
        self.tensors.extend(tensors);
        debug_assert_eq!(self.names.len(), self.tensors.len(), "every output has a name");
    }

    /// The output named `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let at = self.names.iter().position(|known| **known == *name)?;
        Some(&self.tensors[at])
    }

    /// The output named `name`, without the others.
    #[must_use]
    pub fn take(self, name: &str) -> Option<Tensor> {
        let at = self.names.iter().position(|known| **known == *name)?;
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
        self.names.iter().zip(&self.tensors).map(|(name, tensor)| (&**name, tensor))
    }
}

impl Index<&str> for Outputs {
    type Output = Tensor;

    /// # Panics
    /// When there is no output of that name; the message lists those there are.
    #[track_caller]
    fn index(&self, name: &str) -> &Tensor {
        match self.get(name) {
            Some(tensor) => tensor,
            None => {
                let known: Vec<String> = self.names.iter().map(|name| format!("\"{name}\"")).collect();
                panic!("there is no output \"{name}\"; the outputs are {}", known.join(", "))
            }
        }
    }
}

impl IntoIterator for Outputs {
    type Item = (Arc<str>, Tensor);
    type IntoIter = std::vec::IntoIter<(Arc<str>, Tensor)>;

    fn into_iter(self) -> Self::IntoIter {
        self.names.iter().cloned().zip(self.tensors).collect::<Vec<_>>().into_iter()
    }
}
