//! Loops compiled for every kind of vector register, one of which is chosen at run time: what
//! [`Loop`](crate::kernel::simd::Loop) is for loops that leave the choice of registers to the compiler.
#![allow(unsafe_code, reason = "calling what was compiled for an instruction set that was detected")]

use crate::kernel::register::{self, Vector};
use crate::kernel::simd::InstructionSet;

/// What is computed of elements of type `T` in vector registers.
pub(crate) trait InRegisters<T> {
    /// Computes it. All that it calls must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The instruction set of `V` must be available.
    unsafe fn compute<V: Vector<Element = T>>(self);
}

/// Elements that there are vector registers of.
pub(crate) trait Registers: Copy + Default {
    /// Computes something as compiled for `set`, or for the widest one detected if this processor lacks `set`.
    fn in_registers(set: InstructionSet, work: impl InRegisters<Self>);

    /// Elements of a register of `set`.
    fn lanes(set: InstructionSet) -> usize;
}

macro_rules! registers {
    ($($ty:ty: $baseline:ty, $avx2:ident, $avx512:ident;)*) => {
        $(
            impl Registers for $ty {
                fn in_registers(set: InstructionSet, work: impl InRegisters<$ty>) {
                    // SAFETY: the set is at most what was detected.
                    unsafe {
                        match set.min(InstructionSet::detected()) {
                            InstructionSet::Baseline => <$baseline>::apart(work),
                            #[cfg(target_arch = "x86_64")]
                            InstructionSet::Avx2 => std::arch::x86_64::$avx2::apart(work),
                            #[cfg(target_arch = "x86_64")]
                            InstructionSet::Avx512 => std::arch::x86_64::$avx512::apart(work),
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

registers! {
    f32: register::Four, __m256, __m512;
    f64: register::Two, __m256d, __m512d;
}
