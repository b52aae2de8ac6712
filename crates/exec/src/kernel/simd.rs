//! Loops compiled for several instruction sets, one of which is chosen at run time.
//!
//! The compiler never fuses a product and a sum on its own, so a loop over elements has the same bits in every
//! variant; wider registers only make it faster. A loop that sums must fix its lanes itself (see `reduce`).
#![allow(unsafe_code, reason = "calling a function compiled for an instruction set that was detected")]

#[cfg(target_arch = "x86_64")]
use std::marker::PhantomData;
use std::sync::OnceLock;

/// A loop that pays for wide registers.
///
/// `run` and all that it calls in the loop must be `#[inline(always)]`: what is not inlined is compiled once, for the
/// baseline. That includes the bodies of `fold` and `for_each`, so loops are written with `for`.
pub(crate) trait Loop {
    /// What the loop answers.
    type Output;
    /// Runs the loop. With `FMA` the instruction set rounds `a · b + c` once, in one instruction.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// The instruction sets that loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InstructionSet {
    /// What every processor of the target has: SSE2 on x86-64, NEON on AArch64.
    Baseline,
    /// AVX2 and FMA: x86-64 since 2013.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with byte, word and vector-length extensions.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// The widest set that this processor has; found out once.
    pub(crate) fn detected() -> InstructionSet {
        static DETECTED: OnceLock<InstructionSet> = OnceLock::new();
        *DETECTED.get_or_init(InstructionSet::detect)
    }

    #[cfg(target_arch = "x86_64")]
    fn detect() -> InstructionSet {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (avx2, avx512) {
            (true, true) => InstructionSet::Avx512,
            (true, false) => InstructionSet::Avx2,
            (false, _) => InstructionSet::Baseline,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> InstructionSet {
        InstructionSet::Baseline
    }
}

/// Runs a loop as compiled for the widest instruction set of this processor.
#[inline]
pub(crate) fn run<L: Loop>(body: L) -> L::Output {
    // SAFETY: that set was detected.
    unsafe { run_on(InstructionSet::detected(), body) }
}

/// Runs a loop as compiled for `set`, or for the widest one detected if this processor lacks `set`.
#[inline]
pub(crate) fn run_as<L: Loop>(set: InstructionSet, body: L) -> L::Output {
    // SAFETY: the set is at most what was detected.
    unsafe { run_on(set.min(InstructionSet::detected()), body) }
}

/// Runs a loop as compiled for `set`.
///
/// # Safety
/// The processor has that set.
#[inline(always)]
unsafe fn run_on<L: Loop>(set: InstructionSet, body: L) -> L::Output {
    match set {
        InstructionSet::Baseline => baseline(body),
        // SAFETY: the caller's promise.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { avx2(body) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { avx512(body) },
    }
}

/// A function to be compiled for several instruction sets. The rule of [`Loop`] about what is not inlined holds here too.
pub(crate) trait Function<X> {
    /// What the function answers.
    type Output;
    /// The value at `x`. With `FMA` the instruction set rounds `a · b + c` once, in one instruction.
    fn call<const FMA: bool>(x: X) -> Self::Output;
}

/// A function as compiled for `set`, for callers that find out once what they call many times for single elements.
pub(crate) fn function<X, F: Function<X>>(set: InstructionSet) -> fn(X) -> F::Output {
    match set.min(InstructionSet::detected()) {
        InstructionSet::Baseline => F::call::<{ cfg!(target_arch = "aarch64") }>,
        // SAFETY: `detected` has found AVX2 and FMA on this processor, or this function would not be handed out. Single
        // elements have no use for the wider registers of AVX-512.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::Avx512 => |x| unsafe { avx2(Call::<X, F>(x, PhantomData)) },
    }
}

/// A function of one argument, as a loop.
#[cfg(target_arch = "x86_64")]
struct Call<X, F>(X, PhantomData<F>);

#[cfg(target_arch = "x86_64")]
impl<X, F: Function<X>> Loop for Call<X, F> {
    type Output = F::Output;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> F::Output {
        F::call::<FMA>(self.0)
    }
}

/// Apart from its caller as the others are, which would have to make room for it in vain.
#[inline(never)]
fn baseline<L: Loop>(body: L) -> L::Output {
    body.run::<{ cfg!(target_arch = "aarch64") }>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<L: Loop>(body: L) -> L::Output {
    body.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<L: Loop>(body: L) -> L::Output {
    body.run::<true>()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The sets to test; those that this processor lacks fall back to what it has.
    pub(crate) fn all() -> Vec<InstructionSet> {
        vec![
            InstructionSet::Baseline,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512,
        ]
    }

    struct Fill<'a>(&'a mut [f32]);

    impl Loop for Fill<'_> {
        type Output = usize;

        #[inline(always)]
        fn run<const FMA: bool>(self) -> usize {
            for (at, value) in self.0.iter_mut().enumerate() {
                *value = at as f32 * 0.1 + 1.0;
            }
            self.0.len()
        }
    }

    #[test]
    fn every_set_gives_the_same_bits() {
        let mut expected = vec![0.0; 1003];
        run_as(InstructionSet::Baseline, Fill(&mut expected));
        for set in all() {
            let mut values = vec![0.0; 1003];
            assert_eq!(run_as(set, Fill(&mut values)), 1003);
            assert_eq!(values, expected, "{set:?}");
        }
    }
}
