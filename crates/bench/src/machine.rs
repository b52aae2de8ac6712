//! What this machine can do: arithmetic at its peak, and how fast data moves.
//!
//! Figures are the best of short windows with all threads at it together. Other programs make them smaller.
#![allow(unsafe_code, reason = "calling a function compiled for an instruction set that was detected")]

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::rivals::Limits;

/// How long a loop runs for a figure.
const WINDOW: Duration = Duration::from_millis(20);
/// The best of so many windows counts.
const WINDOWS: usize = 4;
/// The floats of each of the three arrays, by level: a good part of that cache, and for memory far more than any has.
const FLOATS: [usize; 4] = [2 << 10, 32 << 10, 512 << 10, 16 << 20];

/// The limits of this machine with so many threads.
#[must_use]
pub fn limits(threads: usize) -> Limits {
    let gflops = best(threads, || {
        const ROUNDS: usize = 10_000;
        || multiply_add(ROUNDS)
    });
    let bandwidth = FLOATS.map(|floats| {
        // The third cache is shared.
        let floats = if floats == FLOATS[2] { floats / threads } else { floats };
        best(threads, || {
            let mut arrays = [vec![0.0_f32; floats], vec![1.0; floats], vec![2.0; floats]];
            let passes = (FLOATS[2] / floats).max(1);
            move || {
                let [a, b, c] = &mut arrays;
                for _ in 0..passes {
                    triad(a, b, black_box(c));
                    black_box(&mut *a);
                }
                passes * floats * 3 * size_of::<f32>()
            }
        })
    });
    Limits { gflops, bandwidth }
}

/// The most that `threads` threads do in a nanosecond, each with a load of its own, which answers how much it did.
fn best<L: FnMut() -> usize>(threads: usize, load: impl Fn() -> L + Sync) -> f64 {
    let start = Barrier::new(threads);
    let rate = || {
        let mut load = load();
        load();
        let window = || {
            start.wait();
            let (begin, mut done) = (Instant::now(), 0);
            while begin.elapsed() < WINDOW {
                done += load();
            }
            done as f64 / begin.elapsed().as_nanos() as f64
        };
        std::iter::repeat_with(window).take(WINDOWS).collect::<Vec<f64>>()
    };
    let rates: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..threads).map(|_| scope.spawn(rate)).collect();
        helpers.into_iter().map(|helper| helper.join().expect("a loop does not panic")).collect()
    });
    (0..WINDOWS).map(|window| rates.iter().map(|rates| rates[window]).sum()).fold(0.0, f64::max)
}

/// Independent chains of `a ← a · x + y`, enough to hide the latency of one; answers the number of operations.
#[cfg(target_arch = "x86_64")]
fn multiply_add(rounds: usize) -> usize {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};
    const CHAINS: usize = 12;

    #[target_feature(enable = "avx512f")]
    fn wide(rounds: usize) -> usize {
        let (x, y) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(1.0)));
        let mut chains = [y; CHAINS];
        for _ in 0..rounds {
            for chain in &mut chains {
                *chain = _mm512_fmadd_ps(*chain, x, y);
            }
        }
        black_box(chains);
        rounds * CHAINS * 16 * 2
    }

    #[target_feature(enable = "avx2,fma")]
    fn narrow(rounds: usize) -> usize {
        let (x, y) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(1.0)));
        let mut chains = [y; CHAINS];
        for _ in 0..rounds {
            for chain in &mut chains {
                *chain = _mm256_fmadd_ps(*chain, x, y);
            }
        }
        black_box(chains);
        rounds * CHAINS * 8 * 2
    }

    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512.
        unsafe { wide(rounds) }
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has AVX2 and FMA.
        unsafe { narrow(rounds) }
    } else {
        separate(rounds)
    }
}

/// The same for processors whose instruction sets are not detected.
#[cfg(not(target_arch = "x86_64"))]
fn multiply_add(rounds: usize) -> usize {
    separate(rounds)
}

/// The chains with a product and a sum each.
fn separate(rounds: usize) -> usize {
    const LANES: usize = 32;
    let (x, y) = (black_box(0.5_f32), black_box(1.0_f32));
    let mut chains = [y; LANES];
    for _ in 0..rounds {
        for chain in &mut chains {
            *chain = *chain * x + y;
        }
    }
    black_box(chains);
    rounds * LANES * 2
}

/// `a = b + 2 · c` with the widest registers there are.
fn triad(a: &mut [f32], b: &[f32], c: &[f32]) {
    #[inline(always)]
    fn add(a: &mut [f32], b: &[f32], c: &[f32]) {
        for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
            *a = b + 2.0 * c;
        }
    }
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn wide(a: &mut [f32], b: &[f32], c: &[f32]) {
            add(a, b, c);
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { wide(a, b, c) };
            return;
        }
    }
    add(a, b, c);
}
