//! Borrowed buffers of any element type: what a kernel reads and writes.
//!
//! A slice is dense and row-major; its shape is known to the kernel from the graph, so only the elements travel.

use std::ops::Range;

use pullback_graph::{DType, Element};

/// The elements of an operand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slice<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I64(&'a [i64]),
    Bool(&'a [bool]),
}

/// The elements of a result that a kernel is to write.
#[derive(Debug)]
pub(crate) enum SliceMut<'a> {
    F32(&'a mut [f32]),
    F64(&'a mut [f64]),
    I64(&'a mut [i64]),
    Bool(&'a mut [bool]),
}

/// Elements that slices and scratch buffers of unknown type can be asked for.
pub(crate) trait Typed: Element {
    /// The elements, if they are of this type.
    fn of<'a>(slice: Slice<'a>) -> Option<&'a [Self]>;
    /// The elements to write, if they are of this type.
    fn of_mut<'s>(slice: &'s mut SliceMut<'_>) -> Option<&'s mut [Self]>;
    /// The elements written so far, if they are of this type.
    fn of_written<'s>(slice: &'s SliceMut<'_>) -> Option<&'s [Self]>;
    /// Wraps elements.
    fn slice(elements: &[Self]) -> Slice<'_>;
    /// Wraps elements to write.
    fn slice_mut(elements: &mut [Self]) -> SliceMut<'_>;
}

macro_rules! typed {
    ($($ty:ty => $variant:ident),*) => {
        $(impl Typed for $ty {
            fn of<'a>(slice: Slice<'a>) -> Option<&'a [Self]> {
                match slice {
                    Slice::$variant(elements) => Some(elements),
                    _ => None,
                }
            }

            fn of_mut<'s>(slice: &'s mut SliceMut<'_>) -> Option<&'s mut [Self]> {
                match slice {
                    SliceMut::$variant(elements) => Some(elements),
                    _ => None,
                }
            }

            fn of_written<'s>(slice: &'s SliceMut<'_>) -> Option<&'s [Self]> {
                match slice {
                    SliceMut::$variant(elements) => Some(elements),
                    _ => None,
                }
            }

            fn slice(elements: &[Self]) -> Slice<'_> {
                Slice::$variant(elements)
            }

            fn slice_mut(elements: &mut [Self]) -> SliceMut<'_> {
                SliceMut::$variant(elements)
            }
        })*

        impl Slice<'_> {
            /// The number of elements.
            pub(crate) fn len(&self) -> usize {
                match self {
                    $(Slice::$variant(elements) => elements.len(),)*
                }
            }

            /// The element type.
            pub(crate) fn dtype(&self) -> DType {
                match self {
                    $(Slice::$variant(_) => DType::$variant,)*
                }
            }

            /// Where the first element is.
            pub(crate) fn start(&self) -> *const u8 {
                match self {
                    $(Slice::$variant(elements) => elements.as_ptr().cast(),)*
                }
            }
        }

        impl SliceMut<'_> {
            /// The number of elements.
            pub(crate) fn len(&self) -> usize {
                match self {
                    $(SliceMut::$variant(elements) => elements.len(),)*
                }
            }

            /// The element type.
            pub(crate) fn dtype(&self) -> DType {
                match self {
                    $(SliceMut::$variant(_) => DType::$variant,)*
                }
            }

            /// Where the first element is.
            pub(crate) fn start(&mut self) -> *mut u8 {
                match self {
                    $(SliceMut::$variant(elements) => elements.as_mut_ptr().cast(),)*
                }
            }

            /// The elements at `range`, to write.
            pub(crate) fn part(&mut self, range: Range<usize>) -> SliceMut<'_> {
                match self {
                    $(SliceMut::$variant(elements) => SliceMut::$variant(&mut elements[range]),)*
                }
            }
        }
    };
}

typed!(f32 => F32, f64 => F64, i64 => I64, bool => Bool);

impl<'a> Slice<'a> {
    /// The elements.
    ///
    /// # Panics
    /// When they are of another type: the plan gives each kernel the types that inference found.
    #[track_caller]
    pub(crate) fn typed<T: Typed>(self) -> &'a [T] {
        match T::of(self) {
            Some(elements) => elements,
            None => unreachable!("a kernel was given {} elements where it reads {}", self.dtype(), T::DTYPE),
        }
    }
}

impl SliceMut<'_> {
    /// The elements as they are now.
    ///
    /// # Panics
    /// As [`typed`](SliceMut::typed).
    #[track_caller]
    pub(crate) fn elements<T: Typed>(&self) -> &[T] {
        match T::of_written(self) {
            Some(elements) => elements,
            None => unreachable!("a kernel was given {} elements where it writes {}", self.dtype(), T::DTYPE),
        }
    }

    /// The elements to write.
    ///
    /// # Panics
    /// When they are of another type: the plan gives each kernel the types that inference found.
    #[track_caller]
    pub(crate) fn typed<T: Typed>(&mut self) -> &mut [T] {
        let dtype = self.dtype();
        match T::of_mut(self) {
            Some(elements) => elements,
            None => unreachable!("a kernel was given {dtype} elements where it writes {}", T::DTYPE),
        }
    }
}
