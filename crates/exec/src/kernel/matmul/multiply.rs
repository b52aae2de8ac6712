//! Products compiled for every kind of vector register, one of which is chosen at run time: what
//! [`Loop`](crate::kernel::simd::Loop) is for loops that leave the choice of registers to the compiler.
#![allow(unsafe_code, reason = "calling what was compiled for an instruction set that was detected")]

use crate::kernel::matmul::register::{self, Vector};
use crate::kernel::simd::InstructionSet;

/// A product of elements of type `T`, to be computed in vector registers.
pub(crate) trait InRegisters<T> {
    /// Computes it. All that it calls must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The instruction set of `V` must be available.
    unsafe fn compute<V: Vector<Element = T>>(self);
}

/// Elements that products can be made of.
pub(crate) trait Multiply: Copy + Default {
    /// Computes a product as compiled for `set`, or for the widest one detected if this processor lacks `set`.
    fn multiply(set: InstructionSet, product: impl InRegisters<Self>);

    /// Elements of a register of `set`.
    fn lanes(set: InstructionSet) -> usize;
}

macro_rules! multiply {
    ($($ty:ty: $baseline:ty, $avx2:ident, $avx512:ident;)*) => {
        $(
            impl Multiply for $ty {
                fn multiply(set: InstructionSet, product: impl InRegisters<$ty>) {
                    // SAFETY: the set is at most what was detected.
                    unsafe {
                        match set.min(InstructionSet::detected()) {
                            InstructionSet::Baseline => <$baseline>::apart(product),
                            #[cfg(target_arch = "x86_64")]
                            InstructionSet::Avx2 => std::arch::x86_64::$avx2::apart(product),
                            #[cfg(target_arch = "x86_64")]
                            InstructionSet::Avx512 => std::arch::x86_64::$avx512::apart(product),
                        }
                    }
                }

                fn lanes(set: InstructionSet) -> usize {
                    match set.min(InstructionSet::detected()) {
                        InstructionSet::Baseline => <$baseline>::LANES,
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx2 => std::arch::x86_64::$avx2::LANES,
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx512 => std::arch::x86_64::$avx512::LANES,
                    }
                }
            }
        )*
    };
}

multiply! {
    f32: register::Four, __m256, __m512;
    f64: register::Two, __m256d, __m512d;
}
