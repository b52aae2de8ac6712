//! What a worker does that finds nothing to do: spin, then yield, then sleep until there is something.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::run::schedule::lock;

/// Rounds of spinning, about 10 µs: most steps end sooner.
const SPINS: u32 = 100;

/// How long to yield before sleeping.
const YIELDING: Duration = Duration::from_millis(1);

/// The longest sleep: a bound on the harm a missed signal could do.
const NAP: Duration = Duration::from_millis(10);

/// How long a worker has been idle.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    rounds: u32,
    since: Option<Instant>,
}

impl Backoff {
    /// There was something to do.
    pub(crate) fn reset(&mut self) {
        self.rounds = 0;
        self.since = None;
    }

    /// Waits a little, longer the more often it is called in a row. `awake` says whether there is something to do; it is
    /// asked before falling asleep.
    pub(crate) fn wait(&mut self, sleepers: &Sleepers, awake: impl Fn() -> bool) {
        self.rounds += 1;
        if self.rounds <= SPINS {
            for _ in 0..16 {
                std::hint::spin_loop();
            }
            return;
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() < YIELDING {
            std::thread::yield_now();
        } else {
            sleepers.sleep(awake);
        }
    }
}

/// The workers that sleep.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    count: AtomicUsize,
    door: Mutex<()>,
    bell: Condvar,
}

impl Sleepers {
    /// Sleeps until woken, unless `awake` says there is something to do already.
    fn sleep(&self, awake: impl Fn() -> bool) {
        let door = lock(&self.door);
        self.count.fetch_add(1, Ordering::SeqCst);
        // Either this sees what the other thread offered, or the other thread sees that somebody sleeps.
        fence(Ordering::SeqCst);
        if !awake() {
            drop(self.bell.wait_timeout(door, NAP));
        }
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    /// Something was offered.
    pub(crate) fn wake_one(&self) {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) > 0 {
            drop(lock(&self.door));
            self.bell.notify_one();
        }
    }

    /// The run has ended.
    pub(crate) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) > 0 {
            drop(lock(&self.door));
            self.bell.notify_all();
        }
    }
}
