//! An allocator that counts what marked threads ask of the system.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The system's allocator, and a count.
pub(crate) struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Bytes that were asked for and not given back; it wraps when what was asked for unmarked is given back marked.
static BYTES: AtomicUsize = AtomicUsize::new(0);
static ALONE: Mutex<()> = Mutex::new(());

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn note(grown: usize, shrunk: usize, calls: usize) {
    if IS_COUNTED.get() {
        CALLS.fetch_add(calls, Ordering::Relaxed);
        BYTES.fetch_add(grown.wrapping_sub(shrunk), Ordering::Relaxed);
    }
}

// SAFETY: every call is handed on to the system's allocator as it is. Counting neither allocates nor unwinds: the
// counters are atomic, and the flag of a thread is constant at first and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0, 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0, 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size(), 1);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(start, layout, size) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        note(0, layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

/// What was asked for while some code ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Calls that give memory.
    pub(crate) calls: usize,
    /// Bytes asked for, less those given back.
    pub(crate) bytes: isize,
}

/// The calling thread is marked for as long as this lives, and no other test is.
pub(crate) struct Alone(#[allow(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Alone {
    pub(crate) fn new() -> Alone {
        let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        IS_COUNTED.set(true);
        Alone(guard)
    }

    /// What this thread and the [`helper`](Alone::helper) ask for while `work` runs.
    pub(crate) fn count<R>(&self, work: impl FnOnce() -> R) -> (R, Counted) {
        let (calls, bytes) = (CALLS.load(Ordering::SeqCst), BYTES.load(Ordering::SeqCst));
        let result = work();
        let calls = CALLS.load(Ordering::SeqCst) - calls;
        (result, Counted { calls, bytes: BYTES.load(Ordering::SeqCst).wrapping_sub(bytes) as isize })
    }

    /// A pool of one marked thread, which lives as long as the process: threads that start and end allocate.
    pub(crate) fn helper(&self) -> Arc<ThreadPool> {
        static POOL: OnceLock<Arc<ThreadPool>> = OnceLock::new();
        let start = || {
            let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
            pool.broadcast(|_| IS_COUNTED.set(true));
            Arc::new(pool)
        };
        POOL.get_or_init(start).clone()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        IS_COUNTED.set(false);
    }
}
