//! Element types: what a tensor may hold, and the Rust types that stand for them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::buffer::Buffer;
use crate::tensor::Data;

/// The element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Two's complement 64-bit integer; also what indices and labels are.
    I64,
    /// Truth value.
    Bool,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 4] = [DType::F32, DType::F64, DType::I64, DType::Bool];

    /// Whether gradients can flow through values of this type.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// Bytes of one element in memory.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::Bool => 1,
        }
    }

    /// The name used in the text IR and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::Bool => "bool",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        DType::ALL
            .into_iter()
            .find(|dtype| dtype.name() == text)
            .ok_or_else(|| format!("unknown element type {text:?}, expected f32, f64, i64 or bool"))
    }
}

/// A Rust type that a tensor can hold.
///
/// Sealed by [`Data`]: there is one implementation per [`DType`].
pub trait Element: Copy + Default + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static {
    /// The element type this Rust type stands for.
    const DTYPE: DType;
    /// Wraps a buffer.
    fn wrap(buffer: Arc<Buffer<Self>>) -> Data;
    /// The buffer, if it holds this type.
    fn unwrap(data: &Data) -> Option<&Arc<Buffer<Self>>>;
    /// The buffer, if it holds this type.
    fn unwrap_mut(data: &mut Data) -> Option<&mut Arc<Buffer<Self>>>;
    /// The value nearest to `value`: rounded to f32, truncated to i64, compared with zero for bool.
    fn from_f64(value: f64) -> Self;
    /// The value as a double; exact for all but large integers.
    fn to_f64(self) -> f64;
    /// The value nearest to an integer, rounded once.
    fn from_i64(value: i64) -> Self;
    /// The value converted to another type: rounded once, truncated to i64, compared with zero for bool.
    #[inline(always)]
    fn convert<To: Element>(self) -> To {
        To::from_f64(self.to_f64())
    }
    /// The bits, widened: equal bits mean the same value, NaN payload and sign of zero included.
    fn to_bits64(self) -> u64;
    /// The value of these bits, as [`to_bits64`](Element::to_bits64) gives them.
    fn from_bits64(bits: u64) -> Self;
}

macro_rules! element {
    ($ty:ty, $variant:ident, $from:expr, $to:expr, $of_int:expr, $bits:expr, $of_bits:expr $(, $convert:item)?) => {
        impl Element for $ty {
            const DTYPE: DType = DType::$variant;

            fn wrap(buffer: Arc<Buffer<Self>>) -> Data {
                Data::$variant(buffer)
            }

            fn unwrap(data: &Data) -> Option<&Arc<Buffer<Self>>> {
                match data {
                    Data::$variant(buffer) => Some(buffer),
                    _ => None,
                }
            }

            fn unwrap_mut(data: &mut Data) -> Option<&mut Arc<Buffer<Self>>> {
                match data {
                    Data::$variant(buffer) => Some(buffer),
                    _ => None,
                }
            }

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                $from(value)
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                $to(self)
            }

            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                $of_int(value)
            }

            $(#[inline(always)]
            $convert)?

            fn to_bits64(self) -> u64 {
                $bits(self)
            }

            fn from_bits64(bits: u64) -> Self {
                $of_bits(bits)
            }
        }
    };
}

element!(f32, F32, |v| v as f32, f64::from, |v| v as f32, |v: f32| u64::from(v.to_bits()), |bits| {
    f32::from_bits(bits as u32)
});
element!(f64, F64, |v| v, |v| v, |v| v as f64, f64::to_bits, f64::from_bits);
element!(
    i64,
    I64,
    |v| v as i64,
    |v| v as f64,
    |v| v,
    |v| v as u64,
    |bits| bits as i64,
    // Through a double, f32 would be rounded twice.
    fn convert<To: Element>(self) -> To {
        To::from_i64(self)
    }
);
element!(bool, Bool, |v| v != 0.0, |v| if v { 1.0 } else { 0.0 }, |v| v != 0, u64::from, |bits| bits != 0);

/// Runs an expression with `$T` bound to the Rust type of an element type.
#[macro_export]
macro_rules! dispatch {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::Bool => {
                type $T = bool;
                $body
            }
        }
    };
}

/// Runs an expression with `$T` bound to `f32` or `f64`; `$other` stands for the types without fractions.
#[macro_export]
macro_rules! dispatch_float {
    ($dtype:expr, $T:ident => $body:expr, else $other:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            _ => $other,
        }
    };
}
