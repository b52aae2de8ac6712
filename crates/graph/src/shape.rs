//! Shapes and tensor types: what `infer` computes and every node carries.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::dim::{Bindings, Dim};
use crate::dtype::DType;

/// Known sizes, one per axis.
pub type Sizes = SmallVec<[usize; 4]>;

/// A short list of axes, in the order that matters to its owner. An axis is below 256.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AxisList(SmallVec<[u8; 16]>);

impl AxisList {
    /// The number of axes listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no axis is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The axis at position `at` of the list.
    ///
    /// # Panics
    /// When the list is shorter.
    #[must_use]
    pub fn get(&self, at: usize) -> usize {
        usize::from(self.0[at])
    }

    /// The axes in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + '_ {
        self.0.iter().map(|axis| usize::from(*axis))
    }

    /// Whether `axis` is listed.
    #[must_use]
    pub fn contains(&self, axis: usize) -> bool {
        self.iter().any(|other| other == axis)
    }

    /// The position of `axis` in the list.
    #[must_use]
    pub fn position(&self, axis: usize) -> Option<usize> {
        self.iter().position(|other| other == axis)
    }

    /// Whether the axes are below `rank` and none is listed twice.
    #[must_use]
    pub fn is_choice_of(&self, rank: usize) -> bool {
        self.iter().enumerate().all(|(at, axis)| axis < rank && self.position(axis) == Some(at))
    }
}

impl FromIterator<usize> for AxisList {
    /// # Panics
    /// When an axis is 256 or more.
    fn from_iter<I: IntoIterator<Item = usize>>(axes: I) -> Self {
        AxisList(axes.into_iter().map(|axis| u8::try_from(axis).expect("fewer than 256 axes")).collect())
    }
}

impl<const N: usize> From<[usize; N]> for AxisList {
    fn from(axes: [usize; N]) -> Self {
        axes.into_iter().collect()
    }
}

impl From<Vec<usize>> for AxisList {
    fn from(axes: Vec<usize>) -> Self {
        axes.into_iter().collect()
    }
}

/// The dimensions of a tensor, outermost first. A scalar has none.
///
/// Clones share the list: most nodes have the shape of an operand, and a graph may have millions of nodes.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Dim>", into = "Vec<Dim>")]
pub struct Shape(
    /// `None` if there are none, and then only.
    Option<Arc<[Dim]>>,
);

impl Shape {
    /// The shape of a scalar.
    #[must_use]
    pub fn scalar() -> Self {
        Shape(None)
    }

    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.len()
    }

    /// The number of elements.
    #[must_use]
    pub fn numel(&self) -> Dim {
        match self.known_numel() {
            Some(count) => Dim::Known(count),
            None => self.iter().product(),
        }
    }

    /// The number of elements, if all sizes are known and it can be counted.
    #[must_use]
    pub fn known_numel(&self) -> Option<usize> {
        self.iter().try_fold(1_usize, |product, dim| product.checked_mul(dim.known()?))
    }

    /// Whether all sizes are known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.iter().all(|dim| dim.known().is_some())
    }

    /// The sizes, if all are known.
    #[must_use]
    pub fn known(&self) -> Option<Sizes> {
        self.iter().map(Dim::known).collect()
    }

    /// Replaces symbols by sizes; the offending dimension if one of them would become negative.
    ///
    /// # Errors
    /// The dimension whose size would be negative or too large.
    pub fn bind(&self, bindings: &Bindings) -> Result<Shape, Dim> {
        self.iter().map(|dim| dim.bind(bindings).ok_or_else(|| dim.clone())).collect()
    }

    /// The common shape of two that broadcast by NumPy's rule: axes are aligned at the end, and size 1 stretches.
    #[must_use]
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let dim = |shape: &Shape, axis: usize| {
            (axis + shape.rank()).checked_sub(rank).map_or(Dim::Known(1), |axis| shape[axis].clone())
        };
        let common = (0..rank).map(|axis| match (dim(self, axis), dim(other, axis)) {
            (a, b) if a == b || b.is_one() => Some(a),
            (a, b) if a.is_one() => Some(b),
            _ => None,
        });
        common.collect()
    }

    /// The axes without those for which `drop` holds.
    #[must_use]
    pub fn without(&self, drop: impl Fn(usize) -> bool) -> Shape {
        self.iter().enumerate().filter(|(axis, _)| !drop(*axis)).map(|(_, dim)| dim.clone()).collect()
    }

    /// The shape with an axis of this size in front.
    #[must_use]
    pub fn behind(&self, first: Dim) -> Shape {
        std::iter::once(first).chain(self.iter().cloned()).collect()
    }

    /// The same shape with axis `axis` of size `dim`.
    #[must_use]
    pub fn with(&self, axis: usize, dim: Dim) -> Shape {
        let mut dims = self.to_vec();
        dims[axis] = dim;
        dims.into()
    }
}

impl Deref for Shape {
    type Target = [Dim];

    fn deref(&self) -> &[Dim] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl FromIterator<Dim> for Shape {
    fn from_iter<I: IntoIterator<Item = Dim>>(dims: I) -> Self {
        let mut dims = dims.into_iter().peekable();
        Shape(dims.peek().is_some().then(|| dims.collect()))
    }
}

impl<D: Into<Dim>, const N: usize> From<[D; N]> for Shape {
    fn from(dims: [D; N]) -> Self {
        dims.into_iter().map(Into::into).collect()
    }
}

impl<D: Into<Dim>> From<Vec<D>> for Shape {
    fn from(dims: Vec<D>) -> Self {
        dims.into_iter().map(Into::into).collect()
    }
}

impl From<Shape> for Vec<Dim> {
    fn from(shape: Shape) -> Self {
        shape.to_vec()
    }
}

impl From<()> for Shape {
    /// A scalar's shape.
    fn from((): ()) -> Self {
        Shape::scalar()
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        sizes.iter().map(|size| Dim::Known(*size)).collect()
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (axis, dim) in self.iter().enumerate() {
            write!(f, "{}{dim}", if axis > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let inner = text
            .trim()
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .ok_or_else(|| format!("malformed shape {text:?}, expected [2, batch]"))?;
        if inner.trim().is_empty() {
            return Ok(Shape::scalar());
        }
        inner.split(',').map(str::parse).collect()
    }
}

/// The type of a node: element type and shape. Prints as `f32[batch, 784]`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TensorType {
    /// The element type.
    pub dtype: DType,
    /// The dimensions.
    pub shape: Shape,
}

impl TensorType {
    /// The type with this element type and shape.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        TensorType { dtype, shape: shape.into() }
    }

    /// The same shape with another element type.
    #[must_use]
    pub fn with_dtype(&self, dtype: DType) -> Self {
        TensorType { dtype, shape: self.shape.clone() }
    }

    /// The same element type with another shape.
    #[must_use]
    pub fn with_shape(&self, shape: impl Into<Shape>) -> Self {
        TensorType { dtype: self.dtype, shape: shape.into() }
    }

    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// Bytes in memory, if the sizes are known.
    #[must_use]
    pub fn bytes(&self) -> Option<usize> {
        Some(self.shape.numel().known()? * self.dtype.bytes())
    }

    /// Whether its elements can be counted: fewer than 256 axes, known sizes that come to at most `isize::MAX` bytes, and
    /// a number of elements of at most 1024 terms. Every node's type is checked, since files may say anything.
    pub(crate) fn is_countable(&self) -> bool {
        let known = self.shape.iter().filter_map(Dim::known).filter(|size| *size != 0);
        let bytes = known.fold(self.dtype.bytes(), usize::saturating_mul);
        let terms = self.shape.iter().map(Dim::term_count).fold(1, usize::saturating_mul);
        self.rank() < 256 && isize::try_from(bytes).is_ok() && terms <= 1024
    }

    /// Replaces symbols by sizes.
    ///
    /// # Errors
    /// The dimension whose size would be negative or too large.
    pub fn bind(&self, bindings: &Bindings) -> Result<TensorType, Dim> {
        Ok(TensorType { dtype: self.dtype, shape: self.shape.bind(bindings)? })
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}

impl fmt::Debug for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TensorType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split =
            text.find('[').ok_or_else(|| format!("malformed type {text:?}, expected f32[2, batch]"))?;
        Ok(TensorType { dtype: text[..split].trim().parse()?, shape: text[split..].parse()? })
    }
}
