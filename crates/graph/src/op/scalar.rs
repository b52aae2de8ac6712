//! One number with its type, exact to the bit: what literals, bounds and paddings hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dispatch;
use crate::dtype::{DType, Element};
use crate::tensor::Tensor;

/// One element with its type; equal when the bits are. Prints as `1.5f32`, `2i64`, `true`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    dtype: DType,
    bits: u64,
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Scalar { dtype: DType::F64, bits: value.to_bits() }
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Scalar { dtype: DType::I64, bits: value as u64 }
    }
}

impl Scalar {
    /// `value` as an element of type `dtype`: rounded to f32, a truth value if not zero.
    ///
    /// # Errors
    /// A message, when `dtype` is i64 and `value` is not a whole number in its range.
    pub fn of(dtype: DType, value: f64) -> Result<Scalar, String> {
        // -2^63 is the smallest i64, and 2^63 the first number beyond the largest.
        const BEYOND: f64 = -(i64::MIN as f64);
        if dtype == DType::I64 && !(value.fract() == 0.0 && (-BEYOND..BEYOND).contains(&value)) {
            return Err(format!("{value} is not a whole number of 64 bits, and the element type is i64"));
        }
        Ok(dispatch!(dtype, T => Scalar { dtype, bits: <T as Element>::from_f64(value).to_bits64() }))
    }

    /// The element that all elements of a tensor are; `None` when bits differ or there are none.
    #[must_use]
    pub fn of_uniform(tensor: &Tensor) -> Option<Scalar> {
        dispatch!(tensor.dtype(), T => {
            let (first, rest) = tensor.values::<T>().split_first()?;
            let bits = first.to_bits64();
            let same = rest.iter().all(|element| element.to_bits64() == bits);
            same.then_some(Scalar { dtype: T::DTYPE, bits })
        })
    }

    /// This element, bit for bit.
    #[must_use]
    pub fn exactly<T: Element>(element: T) -> Scalar {
        Scalar { dtype: T::DTYPE, bits: element.to_bits64() }
    }

    /// The element type.
    #[must_use]
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The value as a double.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        match self.dtype {
            DType::F32 => f64::from(f32::from_bits(self.bits as u32)),
            DType::F64 => f64::from_bits(self.bits),
            DType::I64 => self.bits as i64 as f64,
            DType::Bool => self.bits as f64,
        }
    }

    /// The value as an element of its own type.
    ///
    /// # Panics
    /// When `T` stands for another type.
    #[must_use]
    pub fn get<T: Element>(self) -> T {
        assert_eq!(T::DTYPE, self.dtype, "a scalar is read as its own type");
        T::from_bits64(self.bits)
    }

    /// A tensor whose every element is this one.
    #[must_use]
    pub fn splat(self, sizes: &[usize]) -> Tensor {
        dispatch!(self.dtype, T => Tensor::full(sizes, self.get::<T>()))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let canonical_nan = match self.dtype {
            DType::F32 => u64::from(f32::NAN.to_bits()),
            _ => f64::NAN.to_bits(),
        };
        match self.dtype {
            DType::F32 | DType::F64 if self.to_f64().is_nan() && self.bits != canonical_nan => {
                write!(f, "nan_{:x}{}", self.bits, self.dtype)
            }
            DType::F32 => write!(f, "{:?}f32", f32::from_bits(self.bits as u32)),
            DType::F64 => write!(f, "{:?}f64", f64::from_bits(self.bits)),
            DType::I64 => write!(f, "{}i64", self.bits as i64),
            DType::Bool => write!(f, "{}", self.bits != 0),
        }
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Scalar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("malformed scalar {text:?}, expected 1.5f32, 2i64 or true");
        let (digits, dtype) = match text {
            "true" => return Ok(Scalar { dtype: DType::Bool, bits: 1 }),
            "false" => return Ok(Scalar { dtype: DType::Bool, bits: 0 }),
            _ => text.split_at_checked(text.len().saturating_sub(3)).ok_or_else(malformed)?,
        };
        let dtype: DType = dtype.parse().map_err(|_| malformed())?;
        if let Some(payload) = digits.strip_prefix("nan_") {
            let bits = u64::from_str_radix(payload, 16).map_err(|_| malformed())?;
            let scalar = Scalar { dtype, bits };
            let fits = dtype.bytes() == 8 || u32::try_from(bits).is_ok();
            return if fits && scalar.to_f64().is_nan() { Ok(scalar) } else { Err(malformed()) };
        }
        let bits = match dtype {
            DType::F32 => u64::from(digits.parse::<f32>().map_err(|_| malformed())?.to_bits()),
            DType::F64 => digits.parse::<f64>().map_err(|_| malformed())?.to_bits(),
            DType::I64 => digits.parse::<i64>().map_err(|_| malformed())? as u64,
            DType::Bool => return Err(malformed()),
        };
        Ok(Scalar { dtype, bits })
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
