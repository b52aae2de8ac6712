//! Named tensors, and whether they are those of a model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pullback_graph::{Tensor, TensorType};

use super::error::WeightsError;

/// Named tensors from a file, in the order in which they were saved; in the order of their bytes when another program
/// wrote the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    pub(super) path: PathBuf,
    pub(super) tensors: Vec<(String, Tensor)>,
}

impl Weights {
    /// The tensors with their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensor `name`, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.iter().find_map(|(other, tensor)| (other == name).then_some(tensor))
    }

    /// The tensors for a model's parameters, in their order: each of the names with its type, and no others.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Misshapen`] or [`WeightsError::Unexpected`] for the first tensor
    /// that does not fit.
    pub fn fit<'a>(
        self,
        expected: impl IntoIterator<Item = (&'a str, &'a TensorType)>,
    ) -> Result<Vec<Tensor>, WeightsError> {
        let Weights { path, tensors } = self;
        let mut left: BTreeMap<String, Tensor> = tensors.iter().cloned().collect();
        let mut fitting = Vec::new();
        for (name, expected) in expected {
            let Some(tensor) = left.remove(name) else {
                return Err(WeightsError::Missing {
                    path,
                    name: name.to_owned(),
                    expected: Box::new(expected.clone()),
                });
            };
            if tensor.ty() != *expected {
                let (expected, got) = (Box::new(expected.clone()), Box::new(tensor.ty()));
                return Err(WeightsError::Misshapen { path, name: name.to_owned(), expected, got });
            }
            fitting.push(tensor);
        }
        match tensors.into_iter().find(|(name, _)| left.contains_key(name)) {
            Some((name, tensor)) => Err(WeightsError::Unexpected { path, name, got: Box::new(tensor.ty()) }),
            None => Ok(fitting),
        }
    }
}

impl IntoIterator for Weights {
    type Item = (String, Tensor);
    type IntoIter = std::vec::IntoIter<(String, Tensor)>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, WeightsError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn tensors_that_do_not_fit_are_named() {
        let tensors = vec![("w".to_owned(), Tensor::zeros([3, 2])), ("b".to_owned(), Tensor::zeros([2]))];
        let weights = Weights { path: PathBuf::from("file"), tensors };
        let ty = |text: &str| text.parse::<TensorType>().unwrap();
        let fit = |expected: &[(&str, TensorType)]| {
            weights.clone().fit(expected.iter().map(|(name, ty)| (*name, ty)))
        };
        let fitting = fit(&[("b", ty("f32[2]")), ("w", ty("f32[3, 2]"))]).unwrap();
        assert_eq!(fitting[0].sizes(), [2]);
        assert_eq!(
            message(fit(&[("w", ty("f32[2, 3]")), ("b", ty("f32[2]"))])),
            "file: tensor \"w\" is f32[3, 2], expected f32[2, 3]"
        );
        assert_eq!(message(fit(&[("b", ty("f64[2]"))])), "file: tensor \"b\" is f32[2], expected f64[2]");
        assert_eq!(message(fit(&[("v", ty("f32[2]"))])), "file: there is no tensor \"v\" (f32[2])");
        assert_eq!(
            message(fit(&[("w", ty("f32[3, 2]"))])),
            "file: tensor \"b\" (f32[2]) is not one of the model's"
        );
    }
}
