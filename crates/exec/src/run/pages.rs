//! Large pages for large memory.
//!
//! A processor remembers where a few thousand pages are. The rows of a matrix are a page of 4 KiB apart or more, so that a
//! product looks up a page for every line it reads; of pages of 2 MiB, a model has a few dozen.
#![allow(unsafe_code, reason = "an advice to the system, which changes no memory")]

use std::ptr::NonNull;

/// Asks the system to take large pages for memory that was just allocated. Where it does not, all is the same but slower.
#[cfg(target_os = "linux")]
pub(crate) fn enlarge(start: NonNull<u8>, bytes: usize) {
    /// A large page, on most processors. Parts that lie inside one are left as they are.
    const LARGE: usize = 2 << 20;
    let start = start.as_ptr();
    let skipped = start.addr().next_multiple_of(LARGE) - start.addr();
    let Some(whole) = bytes.checked_sub(skipped).map(|rest| rest - rest % LARGE).filter(|whole| *whole > 0)
    else {
        return;
    };
    // SAFETY: whole pages inside the allocation, whose content the advice does not change.
    unsafe { libc::madvise(start.wrapping_add(skipped).cast(), whole, libc::MADV_HUGEPAGE) };
}

/// Other systems choose on their own.
#[cfg(not(target_os = "linux"))]
pub(crate) fn enlarge(_start: NonNull<u8>, _bytes: usize) {}
