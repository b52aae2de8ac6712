//! Keeping the compiler from seeing through a loop.
#![allow(unsafe_code, reason = "an empty instruction")]

/// The same place, of which the compiler does not know how it came about: it will not turn the loop around it into another one.
#[inline(always)]
pub(crate) fn opaque<T>(place: *const T) -> *const T {
    #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    #[allow(clippy::pointers_in_nomem_asm_block, reason = "nothing is read or written")]
    let place = {
        let mut place = place;
        // SAFETY: no instruction at all.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) place, options(pure, nomem, nostack, preserves_flags));
        }
        place
    };
    place
}
