//! Tensors: concrete values, dense and row-major, shared by reference count.

use std::fmt;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use rand::{RngExt, SeedableRng};

use crate::buffer::Buffer;
use crate::dispatch;
use crate::dtype::{DType, Element};
use crate::op::{ArgMax, OpRules};
use crate::shape::{Shape, Sizes, TensorType};

/// A dense, row-major array of known shape.
///
/// Cloning shares the buffer; writing through [`Tensor::make_mut`] copies it first when it is shared.
#[derive(Clone)]
pub struct Tensor {
    sizes: Sizes,
    data: Data,
}

/// The buffer of a [`Tensor`], one variant per element type.
#[derive(Clone)]
#[allow(missing_docs, reason = "the variants are the element types")]
pub enum Data {
    F32(Arc<Buffer<f32>>),
    F64(Arc<Buffer<f64>>),
    I64(Arc<Buffer<i64>>),
    Bool(Arc<Buffer<bool>>),
}

/// Why a tensor cannot be made or read as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The buffer does not have as many elements as the shape.
    #[error("a tensor of shape {shape} has {expected} elements, got {got}")]
    Length {
        /// The shape asked for.
        shape: Shape,
        /// Its number of elements.
        expected: usize,
        /// The length of the buffer.
        got: usize,
    },
    /// There is no such axis, or no elements along it.
    #[error("axis {axis} of shape {shape} does not exist or has no elements")]
    Axis {
        /// The axis asked for.
        axis: i64,
        /// The shape.
        shape: Shape,
    },
    /// The tensor holds another element type.
    #[error("expected elements of type {expected}, got {got}")]
    DType {
        /// The type asked for.
        expected: DType,
        /// The type held.
        got: DType,
    },
}

impl Tensor {
    /// A tensor of `sizes` over `values`, in row-major order.
    ///
    /// # Errors
    /// [`TensorError::Length`] when there are not as many values as elements.
    pub fn new<T: Element>(sizes: &[usize], values: Vec<T>) -> Result<Tensor, TensorError> {
        let expected = sizes.iter().copied().fold(1, usize::saturating_mul);
        if values.len() != expected {
            return Err(TensorError::Length { shape: sizes.into(), expected, got: values.len() });
        }
        Ok(Tensor { sizes: sizes.into(), data: T::wrap(Arc::new(values.into())) })
    }

    /// A tensor over a literal list of values.
    ///
    /// ```
    /// use pullback_graph::Tensor;
    /// assert_eq!(Tensor::of([2, 2], [1.0_f32, 2.0, 3.0, 4.0]).to_string(), "f32[2, 2] [1, 2, 3, 4]");
    /// ```
    ///
    /// # Panics
    /// When there are not as many values as elements.
    #[track_caller]
    pub fn of<T: Element, const N: usize>(sizes: [usize; N], values: impl Into<Vec<T>>) -> Tensor {
        match Tensor::new(&sizes, values.into()) {
            Ok(tensor) => tensor,
            Err(error) => panic!("{error}"),
        }
    }

    /// A tensor whose element `i` (row-major) is `element(i)`.
    pub fn from_fn<T: Element>(sizes: &[usize], element: impl FnMut(usize) -> T) -> Tensor {
        let len = sizes.iter().product();
        Tensor { sizes: sizes.into(), data: T::wrap(Arc::new(Buffer::from_fn(len, element))) }
    }

    /// A scalar.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor::full(&[], value)
    }

    /// A vector.
    pub fn vector<T: Element>(values: impl Into<Vec<T>>) -> Tensor {
        let values = values.into();
        Tensor { sizes: Sizes::from_slice(&[values.len()]), data: T::wrap(Arc::new(values.into())) }
    }

    /// Every element is `value`.
    pub fn full<T: Element>(sizes: &[usize], value: T) -> Tensor {
        Tensor::from_fn(sizes, |_| value)
    }

    /// `f32` zeros.
    #[must_use]
    pub fn zeros<const N: usize>(sizes: [usize; N]) -> Tensor {
        Tensor::full(&sizes, 0.0_f32)
    }

    /// `f32` ones.
    #[must_use]
    pub fn ones<const N: usize>(sizes: [usize; N]) -> Tensor {
        Tensor::full(&sizes, 1.0_f32)
    }

    /// `f32` values drawn evenly from [-1, 1) by ChaCha8 seeded with `seed`: the same on every machine.
    #[must_use]
    pub fn random<const N: usize>(sizes: [usize; N], seed: u64) -> Tensor {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        Tensor::from_fn(&sizes, |_| rng.random::<f32>() * 2.0 - 1.0)
    }

    /// Zeros of any element type (`false` for bool).
    #[must_use]
    pub fn zeros_of(dtype: DType, sizes: &[usize]) -> Tensor {
        let len = sizes.iter().product();
        dispatch!(dtype, T => Tensor { sizes: sizes.into(), data: T::wrap(Arc::new(Buffer::zeros(len))) })
    }

    /// The elements of an ndarray array, in its logical order.
    pub fn from_array<T: Element>(array: ArrayD<T>) -> Tensor {
        let sizes = Sizes::from_slice(array.shape());
        let array = array.as_standard_layout().into_owned();
        let (mut values, offset) = array.into_raw_vec_and_offset();
        // A sliced array keeps its whole buffer: what lies outside the slice is dropped here.
        let (start, len) = (offset.unwrap_or(0), sizes.iter().product::<usize>());
        values.truncate(start + len);
        values.drain(..start);
        Tensor { sizes, data: T::wrap(Arc::new(values.into())) }
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match &self.data {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::I64(_) => DType::I64,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// The size of each axis.
    #[must_use]
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The shape, as a node's type has it.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.sizes().into()
    }

    /// The type of a node that has this value.
    #[must_use]
    pub fn ty(&self) -> TensorType {
        TensorType { dtype: self.dtype(), shape: self.shape() }
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// [`TensorError::DType`] when the tensor holds another type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T], TensorError> {
        match T::unwrap(&self.data) {
            Some(buffer) => Ok(buffer),
            None => Err(TensorError::DType { expected: T::DTYPE, got: self.dtype() }),
        }
    }

    /// The elements in row-major order, to write; copies the buffer first if it is shared.
    ///
    /// # Errors
    /// [`TensorError::DType`] when the tensor holds another type.
    pub fn make_mut<T: Element>(&mut self) -> Result<&mut [T], TensorError> {
        let got = self.dtype();
        match T::unwrap_mut(&mut self.data) {
            Some(buffer) => Ok(Arc::<Buffer<T>>::make_mut(buffer)),
            None => Err(TensorError::DType { expected: T::DTYPE, got }),
        }
    }

    /// The elements as an ndarray view.
    ///
    /// # Panics
    /// When the tensor holds another type. Inference has checked types before anything is evaluated.
    #[must_use]
    #[track_caller]
    pub fn view<T: Element>(&self) -> ArrayViewD<'_, T> {
        let values = self.values::<T>();
        ArrayViewD::from_shape(IxDyn(&self.sizes), values).expect("a dense buffer has its shape's length")
    }

    /// The elements in row-major order.
    ///
    /// # Panics
    /// When the tensor holds another type. Inference has checked types before anything is evaluated.
    #[must_use]
    #[track_caller]
    pub fn values<T: Element>(&self) -> &[T] {
        match self.as_slice::<T>() {
            Ok(values) => values,
            Err(error) => panic!("{error}"),
        }
    }

    /// The elements as doubles, in row-major order.
    #[must_use]
    pub fn to_f64_vec(&self) -> Vec<f64> {
        dispatch!(self.dtype(), T => self.values::<T>().iter().map(|value| value.to_f64()).collect())
    }

    /// The only element, as a double; `None` unless there is exactly one.
    #[must_use]
    pub fn item(&self) -> Option<f64> {
        (self.len() == 1).then(|| dispatch!(self.dtype(), T => self.values::<T>()[0].to_f64()))
    }

    /// The same elements with other sizes; shares the buffer.
    ///
    /// # Errors
    /// [`TensorError::Length`] when the number of elements differs.
    pub fn reshape(&self, sizes: &[usize]) -> Result<Tensor, TensorError> {
        let expected = sizes.iter().copied().fold(1, usize::saturating_mul);
        if expected != self.len() {
            return Err(TensorError::Length { shape: sizes.into(), expected, got: self.len() });
        }
        Ok(Tensor { sizes: sizes.into(), data: self.data.clone() })
    }

    /// The positions of the largest elements along `axis` (the first of equal ones), of type i64; a negative axis counts
    /// from the end. NaN counts as largest.
    ///
    /// # Errors
    /// [`TensorError::Axis`] when there is no such axis, or it has no elements to choose from.
    pub fn argmax(&self, axis: i64) -> Result<Tensor, TensorError> {
        let refuse = || TensorError::Axis { axis, shape: self.shape() };
        let rank = self.sizes.len() as i64;
        let at = usize::try_from(if axis < 0 { axis + rank } else { axis }).map_err(|_| refuse())?;
        let op = ArgMax { axis: at };
        let result = op.infer(&[&self.ty()]).map_err(|_| refuse())?;
        op.evaluate(&[self], &result).map_err(|_| refuse())
    }

    /// The elements converted: floats round to nearest or truncate towards zero, `bool` is "not zero". As i64, NaN is 0 and
    /// what is out of range the nearest number in it.
    #[must_use]
    pub fn cast(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() {
            return self.clone();
        }
        dispatch!(self.dtype(), From => dispatch!(dtype, To => {
            let values = self.values::<From>();
            Tensor::from_fn(&self.sizes, |i| values[i].convert::<To>())
        }))
    }

    /// Whether both have the same type, shape and bits; NaN equals the same NaN, and 0 differs from -0.
    #[must_use]
    pub fn bits_eq(&self, other: &Tensor) -> bool {
        self.dtype() == other.dtype()
            && self.sizes == other.sizes
            && dispatch!(self.dtype(), T => {
                let (left, right) = (self.values::<T>(), other.values::<T>());
                left.iter().zip(right).all(|(a, b)| a.to_bits64() == b.to_bits64())
            })
    }

    /// The largest absolute difference of two tensors of one shape; NaN where only one side is NaN.
    ///
    /// # Panics
    /// When the shapes differ.
    #[must_use]
    #[track_caller]
    pub fn max_abs_diff(&self, other: &Tensor) -> f64 {
        assert_eq!(self.sizes, other.sizes, "tensors to compare must have one shape");
        let pairs = self.to_f64_vec().into_iter().zip(other.to_f64_vec());
        pairs
            .map(|(a, b)| if a == b || (a.is_nan() && b.is_nan()) { 0.0 } else { (a - b).abs() })
            .fold(0.0, |worst, diff| if diff.is_nan() || diff > worst { diff } else { worst })
    }
}

impl PartialEq for Tensor {
    /// Equality of bits, so that a NaN equals itself: what interning and round trips need.
    fn eq(&self, other: &Self) -> bool {
        self.bits_eq(other)
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        write!(f, "{} [", self.ty())?;
        dispatch!(self.dtype(), T => {
            for (i, value) in self.values::<T>().iter().take(SHOWN).enumerate() {
                write!(f, "{}{value}", if i > 0 { ", " } else { "" })?;
            }
        });
        f.write_str(if self.len() > SHOWN { ", …]" } else { "]" })
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
