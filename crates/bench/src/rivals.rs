//! What other engines take for the workloads, what they answer, and what we aim at.
//!
//! The times are medians per step on 2 cores of an AMD EPYC (Zen 4, AVX-512, 24 GiB, a virtual machine), in float32, of the
//! best of: PyTorch 2.15 (eager with fused optimizers, and compiled), JAX 0.12 (a compiled step with donated state, and a
//! compiled loop of 50 steps, here "JAX loop") and TensorFlow 2.21 with XLA. The runs on one thread were pinned to a core.
//! The state went back to its start every 200 steps, as it does here. The answers are those of JAX, or of PyTorch where JAX
//! did not finish compiling within 300 s; the engines agree as far as the tolerances of [`check`](crate::check()) say.
//!
//! What they take on another machine is read from a file, if there is one: see [`Others`]. Of the models, only
//! the answers are known here.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

use crate::answers::ANSWERS;
use crate::error::BenchError;

/// What is known of a workload.
#[derive(Clone, Debug)]
pub struct Published {
    /// The best engine on 1 and on 2 threads, if any was measured.
    pub best: Option<[Rival; 2]>,
    /// How many times faster than that we mean to be.
    pub aims: Option<[f64; 2]>,
    /// What a step costs at least, if that was counted.
    pub floor: Option<Floor>,
    /// Losses after so many updates.
    pub losses: &'static [(usize, f64)],
    /// The sum and the Euclidean norm of every other output, in order.
    pub sums: &'static [(f64, f64)],
}

impl Published {
    /// The best engine on so many threads, and how many times faster we mean to be. With more than two, those on two.
    #[must_use]
    pub fn rival(&self, threads: usize) -> (Option<Rival>, Option<f64>) {
        let at = usize::from(threads > 1);
        (self.best.as_ref().map(|best| best[at].clone()), self.aims.map(|aims| aims[at]))
    }

    /// The time that a machine with these limits needs at least, in µs.
    #[must_use]
    pub fn floor_micros(&self, limits: &Limits) -> Option<f64> {
        self.floor.map(|floor| floor.micros(limits))
    }
}

/// An engine and its time for a step.
#[derive(Clone, Debug)]
pub struct Rival {
    /// The engine.
    pub engine: Cow<'static, str>,
    /// The median, in µs.
    pub median: f64,
    /// How many steps it runs in a call. To be compared with, we run as many.
    pub steps_per_call: usize,
}

/// What engines take on this machine, from a file with one JSON object per line:
///
/// ```json
/// {"engine": "JAX loop", "workload": "W3", "threads": 1, "median_us": 1.2, "steps_per_call": 50}
/// ```
///
/// `steps_per_call` is 1 if it is left out. Of several engines, the fastest counts.
#[derive(Clone, Debug, Default)]
pub struct Others {
    rows: Vec<(String, usize, Rival)>,
}

impl Others {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or a line is no such object; the line is named.
    pub fn read(file: &Path) -> Result<Others, BenchError> {
        let text = std::fs::read_to_string(file)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let rows = lines.map(|(at, line)| {
            row(line).ok_or_else(|| BenchError::Others { file: file.to_path_buf(), line: at + 1 })
        });
        Ok(Others { rows: rows.collect::<Result<_, _>>()? })
    }

    /// The fastest engine on so many threads, if any was measured.
    #[must_use]
    pub fn best(&self, workload: &str, threads: usize) -> Option<Rival> {
        let rows = self.rows.iter().filter(|(name, count, _)| name == workload && *count == threads);
        rows.map(|(.., rival)| rival).min_by(|a, b| a.median.total_cmp(&b.median)).cloned()
    }
}

/// The engine and its time that a line of the file says.
fn row(line: &str) -> Option<(String, usize, Rival)> {
    let object: Value = serde_json::from_str(line).ok()?;
    let whole = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let rival = Rival {
        engine: object.get("engine")?.as_str()?.to_string().into(),
        median: object.get("median_us")?.as_f64()?,
        steps_per_call: object.get("steps_per_call").map_or(Some(1), whole)?,
    };
    Some((object.get("workload")?.as_str()?.to_string(), whole(object.get("threads")?)?, rival))
}

/// What a step costs at least.
#[derive(Clone, Copy, Debug)]
pub enum Floor {
    /// Floating-point operations at the machine's peak, and bytes at the bandwidth of where they are.
    ///
    /// The operations are those of matrix products (without the gradient of the data); the bytes those that the update of
    /// the parameters moves. W7 and W8 count an estimate of their elementwise work, and their arrays.
    Work {
        /// Millions of operations.
        mflop: f64,
        /// Megabytes (10⁶).
        megabytes: f64,
        /// Where they are.
        level: Level,
    },
    /// 10 ns for each of so many scalar operations, forward and backward.
    Operations(usize),
}

/// Where data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The first cache.
    L1,
    /// The second cache.
    L2,
    /// The third cache.
    L3,
    /// Memory.
    Dram,
}

/// What a machine can do with so many threads.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Multiplications and additions of f32, in 10⁹ a second.
    pub gflops: f64,
    /// 10⁹ bytes a second, by [`Level`].
    pub bandwidth: [f64; 4],
}

/// The limits of the machine that the engines were measured on, with 1 and with 2 threads.
pub const LIMITS: [Limits; 2] = [
    Limits { gflops: 117.4, bandwidth: [294.3, 117.3, 81.6, 32.6] },
    Limits { gflops: 234.5, bandwidth: [451.3, 206.2, 135.8, 42.3] },
];

impl Floor {
    /// The time on a machine with these limits, in µs.
    #[must_use]
    pub fn micros(self, limits: &Limits) -> f64 {
        match self {
            Floor::Work { mflop, megabytes, level } => {
                (mflop / limits.gflops + megabytes / limits.bandwidth[level as usize]) * 1e3
            }
            Floor::Operations(count) => count as f64 * 0.010,
        }
    }
}

/// What is known of the workload of this name.
#[must_use]
pub fn published(name: &str) -> Option<&'static Published> {
    PUBLISHED.iter().chain(ANSWERS).find(|(known, _)| *known == name).map(|(_, published)| published)
}

const fn rival(engine: &'static str, median: f64) -> Rival {
    Rival { engine: Cow::Borrowed(engine), median, steps_per_call: 1 }
}

/// JAX with 50 steps inside one call.
const fn jax_loop(median: f64) -> Rival {
    Rival { engine: Cow::Borrowed("JAX loop"), median, steps_per_call: 50 }
}

const fn work(mflop: f64, megabytes: f64, level: Level) -> Floor {
    Floor::Work { mflop, megabytes, level }
}

const JAX: &str = "JAX";
const PYTORCH: &str = "PyTorch";
const PYTORCH_COMPILED: &str = "PyTorch compiled";
const TF_XLA: &str = "TF XLA";

const PUBLISHED: &[(&str, Published)] = &[
    (
        "W1b32",
        Published {
            best: Some([jax_loop(137.9), jax_loop(158.5)]),
            aims: Some([1.4, 2.0]),
            floor: Some(work(7.332, 1.5414, Level::L2)),
            losses: &[(0, 2.298_531_3), (1, 2.226_688_6), (10, 1.653_600_2), (50, 0.005_390_617)],
            sums: &[],
        },
    ),
    (
        "W1b128",
        Published {
            best: Some([jax_loop(397.4), jax_loop(321.5)]),
            aims: Some([1.3, 1.8]),
            floor: Some(work(29.33, 1.5414, Level::L2)),
            losses: &[(0, 2.298_842_4), (1, 2.258_065_5), (10, 1.940_944), (50, 0.040_434_38)],
            sums: &[],
        },
    ),
    (
        "W2",
        Published {
            best: Some([rival(PYTORCH, 29_870.0), rival(JAX, 16_120.0)]),
            aims: Some([1.2, 1.25]),
            floor: Some(work(2448.4, 52.183, Level::Dram)),
            losses: &[(0, 2.301_590_7), (1, 2.092_640_6), (10, 0.013_208_735), (50, 7.450_58e-9)],
            sums: &[],
        },
    ),
    (
        "W3",
        Published {
            best: Some([jax_loop(1.4), jax_loop(1.4)]),
            aims: Some([1.4, 1.4]),
            floor: Some(work(0.0004, 0.0, Level::L1)),
            losses: &[(0, 0.252_889_75), (1, 0.252_764_17), (10, 0.251_679_75), (50, 0.247_650_07)],
            sums: &[],
        },
    ),
    (
        "W4",
        Published {
            best: Some([jax_loop(11_140.0), rival(JAX, 7_510.0)]),
            aims: Some([1.4, 1.8]),
            floor: Some(work(746.1, 42.517, Level::L3)),
            losses: &[(0, 2.309_025_8), (1, 2.296_868_3), (10, 2.199_413_8), (50, 1.833_479)],
            sums: &[],
        },
    ),
    (
        "W5",
        Published {
            best: Some([rival(PYTORCH, 24_470.0), rival(PYTORCH_COMPILED, 11_020.0)]),
            aims: Some([1.8, 1.6]),
            floor: Some(work(1121.3, 6.0528, Level::L3)),
            losses: &[(0, 2.318_827_6), (1, 2.206_510_5), (10, 1.944_804_5), (50, 0.005_726_577)],
            sums: &[],
        },
    ),
    (
        "W6",
        Published {
            best: Some([rival(TF_XLA, 248_390.0), rival(TF_XLA, 153_450.0)]),
            aims: Some([1.25, 1.4]),
            floor: Some(work(20_300.0, 90.052, Level::Dram)),
            losses: &[(0, 4.730_606_6), (1, 4.553_243_2), (10, 3.156_304_6), (50, 0.007_940_15)],
            sums: &[],
        },
    ),
    (
        "W7",
        Published {
            best: Some([rival(PYTORCH_COMPILED, 5_700.0), rival(PYTORCH_COMPILED, 2_860.0)]),
            aims: Some([1.3, 1.3]),
            floor: Some(work(150.0, 16.8, Level::Dram)),
            losses: &[(0, 528_685.375)],
            sums: &[(-172_234.698, 480.980_18), (173_867.702, 1_237.527_29)],
        },
    ),
    (
        "W8",
        Published {
            best: Some([rival(PYTORCH, 15_410.0), rival(PYTORCH, 9_370.0)]),
            aims: Some([3.5, 3.5]),
            floor: Some(work(190.0, 50.4, Level::Dram)),
            losses: &[(0, 0.896_679_8)],
            sums: &[(0.0, 1.379_405_26), (0.844_898_3, 2.010_062_21), (0.0, 1.501_059_98)],
        },
    ),
    (
        "W9n1000",
        Published {
            best: Some([rival(JAX, 46.1), rival(JAX, 79.2)]),
            aims: Some([1.5, 1.5]),
            floor: Some(Floor::Operations(1_000)),
            losses: &[(0, 0.120_971_14)],
            sums: &[
                scalar(0.034_201_72),
                scalar(0.125_834_23),
                scalar(0.135_199_77),
                scalar(0.082_027_88),
                scalar(0.074_661_28),
                scalar(0.088_471_93),
                scalar(0.067_321_14),
                scalar(0.066_062_72),
            ],
        },
    ),
    (
        "W9n10000",
        Published {
            best: Some([rival(PYTORCH, 113_590.0), rival(PYTORCH, 127_010.0)]),
            aims: Some([100.0, 100.0]),
            floor: Some(Floor::Operations(10_000)),
            losses: &[(0, 0.228_595_76)],
            sums: &[
                scalar(0.076_414_25),
                scalar(0.117_976_22),
                scalar(-0.005_094_603),
                scalar(-0.036_882_07),
                scalar(-0.004_334_675),
                scalar(0.121_162_12),
                scalar(0.102_229_1),
                scalar(0.228_500_75),
            ],
        },
    ),
    (
        "W9n100000",
        Published {
            best: Some([rival(PYTORCH, 1_506_390.0), rival(PYTORCH, 1_604_960.0)]),
            aims: Some([100.0, 100.0]),
            floor: Some(Floor::Operations(100_000)),
            losses: &[(0, 0.183_922_16)],
            sums: &[
                scalar(0.246_699_54),
                scalar(0.039_231_42),
                scalar(0.240_553_95),
                scalar(0.059_291_94),
                scalar(0.299_590_95),
                scalar(-0.055_084_81),
                scalar(0.142_732_64),
                scalar(-0.024_228_08),
            ],
        },
    ),
    (
        "W10",
        Published {
            best: Some([rival(JAX, 629.6), rival(JAX, 557.6)]),
            aims: Some([1.2, 1.6]),
            floor: Some(work(48.2, 0.4404, Level::L2)),
            losses: &[],
            sums: &[
                (-2.850_159_2, 2.700_529_63),
                (0.086_952_62, 0.153_779_2),
                (0.950_791_54, 1.995_632_14),
                (-0.022_278_14, 0.244_786_39),
                (0.0, 2.034_096_07),
                (0.0, 0.215_062_61),
            ],
        },
    ),
    (
        "W11",
        Published {
            best: Some([jax_loop(2_190.0), jax_loop(2_090.0)]),
            aims: Some([1.7, 1.7]),
            floor: Some(work(78.5, 16.64, Level::L3)),
            losses: &[(0, 0.348_833_86), (1, 0.347_636_37), (10, 0.341_461_9), (50, 0.331_406_98)],
            sums: &[],
        },
    ),
];

/// The sum and the norm of a scalar.
const fn scalar(value: f64) -> (f64, f64) {
    (value, value.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_engine_of_a_file_counts_and_a_bad_line_is_named() {
        let folder = std::env::temp_dir().join(format!("others-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let file = folder.join("others.jsonl");
        let row = |engine: &str, median: f64| {
            format!(r#"{{"engine": "{engine}", "workload": "W3", "threads": 1, "median_us": {median}}}"#)
        };
        std::fs::write(&file, format!("{}\n\n{}\n", row("slow", 9.0), row("fast", 2.5)))
            .expect("it is written");
        let others = Others::read(&file).expect("the lines are right");
        let best = others.best("W3", 1).expect("there are two");
        assert_eq!((best.engine.as_ref(), best.median, best.steps_per_call), ("fast", 2.5, 1));
        assert!(others.best("W3", 2).is_none() && others.best("W4", 1).is_none());

        std::fs::write(&file, format!("{}\n{{}}\n", row("slow", 9.0))).expect("it is written");
        let error = Others::read(&file).expect_err("the second line says nothing");
        assert!(error.to_string().contains("line 2"), "{error}");
        std::fs::remove_dir_all(&folder).expect("the folder is removed");
    }
}
