//! What PyTorch 2.15 answers to the models, on one thread, in float32. What it takes is not here: see
//! [`Others`](crate::rivals::Others).
//!
//! Its losses in float64 differ from these by at most a tenth of what [`check`](crate::check()) lets pass.

use crate::rivals::Published;

/// The losses of each model, and the sum and norm of what those in inference answer.
pub(crate) const ANSWERS: &[(&str, Published)] = &[
    (
        "LSTM128",
        trained(&[
            (0, 0.009_020_295_93),
            (1, 0.008_794_137_28),
            (10, 0.007_550_937_59),
            (50, 0.005_335_371_01),
        ]),
    ),
    (
        "LSTM256",
        trained(&[(0, 0.008_604_799_4), (1, 0.008_514_579_39), (10, 0.007_905_041_8), (50, 0.006_517_186_3)]),
    ),
    (
        "GRU64",
        trained(&[(0, 0.040_631), (1, 0.033_301_245_4), (10, 0.017_271_872_6), (50, 0.002_220_510_97)]),
    ),
    (
        "AUTOENCODER",
        trained(&[(0, 0.337_248_951), (1, 0.336_111_665), (10, 0.331_428_319), (50, 0.318_588_972)]),
    ),
    (
        "DENSE512",
        trained(&[
            (0, 0.000_866_268_936),
            (1, 0.000_836_020_452),
            (10, 0.000_613_407_406),
            (50, 0.000_176_947_462),
        ]),
    ),
    ("DENSE512INF", answered(&[(0, 0.000_863_652_909)], &[(-48.996_289_9, 5.319_791_28)])),
    (
        "PENALTY",
        trained(&[(0, 0.697_342_396), (1, 0.678_271_055), (10, 0.499_372_125), (50, 0.026_904_715_2)]),
    ),
    ("BATCHNORM", trained(&[(0, 2.312_554_36), (1, 2.298_751_59), (10, 2.231_070_76), (50, 2.184_092_04)])),
    ("CONV3", trained(&[(0, 2.302_245_38), (1, 2.287_790_06), (10, 2.182_330_61), (50, 2.056_509_73)])),
    ("SEPARABLE", trained(&[(0, 2.300_212_62), (1, 2.292_515_52), (10, 2.228_880_64), (50, 2.072_588_92)])),
    (
        "CAUSAL256",
        trained(&[(0, 0.089_288_517_8), (1, 0.083_247_967_1), (10, 0.058_148_354_3), (50, 0.029_767_001)]),
    ),
    (
        "CAUSAL512",
        trained(&[(0, 0.053_960_572_9), (1, 0.052_268_121_4), (10, 0.042_476_482_7), (50, 0.027_762_591_8)]),
    ),
    (
        "CAUSAL1024",
        trained(&[(0, 0.031_779_788_4), (1, 0.030_852_286_1), (10, 0.025_496_043_3), (50, 0.017_484_825_1)]),
    ),
    ("CAUSALINF", answered(&[(0, 0.032_147_605)], &[(-1_637.295_71, 183.600_676)])),
    (
        "HEADS",
        trained(&[(0, 0.019_603_781_4), (1, 0.018_228_326), (10, 0.012_821_614_7), (50, 0.007_392_995_99)]),
    ),
    ("ENCODER", trained(&[(0, 1.338_735_34), (1, 1.304_790_85), (10, 1.044_124_25), (50, 0.336_089_283)])),
];

/// Losses after so many updates.
const fn trained(losses: &'static [(usize, f64)]) -> Published {
    answered(losses, &[])
}

/// The loss, and the sum and norm of the answer.
const fn answered(losses: &'static [(usize, f64)], sums: &'static [(f64, f64)]) -> Published {
    Published { best: None, aims: None, floor: None, losses, sums }
}
