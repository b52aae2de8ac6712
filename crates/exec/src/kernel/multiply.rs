//! Products compiled for every kind of vector register, one of which is chosen at run time: what
//! [`Loop`](crate::kernel::simd::Loop) is for loops that leave the choice of registers to the compiler.
#![allow(unsafe_code, reason = "calling what was compiled for an instruction set that was detected")]

use crate::kernel::register::{self, Vector};
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
    ($($ty:ty: $baseline:ty, $avx2:ident $avx2_register:ident, $avx512:ident $avx512_register:ident;)*) => {
        $(
            impl Multiply for $ty {
                fn multiply(set: InstructionSet, product: impl InRegisters<$ty>) {
                    match set.min(InstructionSet::detected()) {
                        // SAFETY: the baseline needs no instruction set.
                        InstructionSet::Baseline => unsafe { product.compute::<$baseline>() },
                        // SAFETY: the set is at most what was detected.
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx2 => unsafe { $avx2(product) },
                        // SAFETY: the set is at most what was detected.
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx512 => unsafe { $avx512(product) },
                    }
                }

                fn lanes(set: InstructionSet) -> usize {
                    match set.min(InstructionSet::detected()) {
                        InstructionSet::Baseline => <$baseline>::LANES,
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx2 => std::arch::x86_64::$avx2_register::LANES,
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx512 => std::arch::x86_64::$avx512_register::LANES,
                    }
                }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn $avx2(product: impl InRegisters<$ty>) {
                // SAFETY: this function is compiled for what the register needs.
                unsafe { product.compute::<std::arch::x86_64::$avx2_register>() }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn $avx512(product: impl InRegisters<$ty>) {
                // SAFETY: this function is compiled for what the register needs.
                unsafe { product.compute::<std::arch::x86_64::$avx512_register>() }
            }
        )*
    };
}

multiply! {
    f32: register::Four, avx2_f32 __m256, avx512_f32 __m512;
    f64: register::Two, avx2_f64 __m256d, avx512_f64 __m512d;
}
