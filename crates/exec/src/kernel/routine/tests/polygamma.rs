//! The routines of the polygamma functions against exact values, and against the table.

use pullback_graph::op;

use super::{Exact, Judged, judge, numbers, spread};
use crate::kernel::routine::Polygamma;
use crate::kernel::simd::InstructionSet;
use crate::kernel::simd::tests::all;

const ORDERS: [u32; 6] = [0, 1, 2, 3, 10, 100];

/// Orders, numbers and values: computed with 60 digits by mpmath and rounded.
const EXACT: [(u32, f64, f64); 86] = [
    (0, 1e-300, -9.999_999_999_999_999e299),
    (0, 1e-10, -10_000_000_000.577_215),
    (0, 0.03, -33.862_254_420_618_77),
    (0, 0.5, -1.963_510_026_021_423_5),
    (0, 1.0, -0.577_215_664_901_532_9),
    (0, 1.461_632_144_968_362_2, -9.241_265_521_729_427e-17),
    (0, 2.5, 0.703_156_640_645_243_2),
    (0, 7.25, 1.910_453_526_883_736),
    (0, 11.999_999_999_999_998, 2.442_661_679_975_812),
    (0, 14.0, 2.602_918_090_232_222_4),
    (0, 31.9, 3.446_850_145_414_428),
    (0, 63.9, 4.149_474_226_968_974),
    (0, 111.9, 4.713_130_684_964_048),
    (0, 1_000.0, 6.907_255_195_648_812),
    (0, 10_000_000_000.0, 23.025_850_929_890_456),
    (0, 1e100, 230.258_509_299_404_58),
    (1, 1e-10, 1e20),
    (1, 0.03, 1_112.686_736_026_479_6),
    (1, 0.5, 4.934_802_200_544_679),
    (1, 1.0, 1.644_934_066_848_226_4),
    (1, 1.461_632_144_968_362_2, 0.967_672_245_447_621_2),
    (1, 2.5, 0.490_357_756_100_234_85),
    (1, 7.25, 0.147_879_233_158_932_17),
    (1, 11.999_999_999_999_998, 0.086_901_872_871_768_4),
    (1, 14.0, 0.074_040_268_664_010_34),
    (1, 31.9, 0.031_844_442_993_158_08),
    (1, 63.9, 0.015_772_543_688_498_196),
    (1, 111.9, 0.008_976_600_405_322_766),
    (1, 1_000.0, 0.001_000_500_166_666_633_3),
    (1, 10_000_000_000.0, 1.000_000_000_05e-10),
    (1, 1e100, 1e-100),
    (2, 1e-10, -1.999_999_999_999_999_8e30),
    (2, 0.03, -74_076.294_042_670_34),
    (2, 0.5, -16.828_796_644_234_32),
    (2, 1.0, -2.404_113_806_319_188_5),
    (2, 1.461_632_144_968_362_2, -0.885_526_337_967_184_4),
    (2, 2.5, -0.236_204_051_641_727_4),
    (2, 7.25, -0.021_828_952_295_197_74),
    (2, 11.999_999_999_999_998, -0.007_547_205_368_998_914),
    (2, 14.0, -0.005_479_465_690_312_488),
    (2, 31.9, -0.001_013_982_909_921_221_6),
    (2, 63.9, -0.000_248_767_977_878_517_47),
    (2, 111.9, -8.057_881_377_841_592e-05),
    (2, 1_000.0, -1.001_000_499_999_833_3e-06),
    (2, 10_000_000_000.0, -1.000_000_000_1e-20),
    (2, 1e100, -1e-200),
    (3, 1e-10, 5.999_999_999_999_999e40),
    (3, 0.03, 7_407_413.206_591_266),
    (3, 0.5, 97.409_091_034_002_44),
    (3, 1.0, 6.493_939_402_266_829),
    (3, 1.461_632_144_968_362_2, 1.550_998_565_733_906_5),
    (3, 2.5, 0.223_905_848_817_252_06),
    (3, 7.25, 0.006_433_037_597_940_156_5),
    (3, 11.999_999_999_999_998, 0.001_310_093_231_070_826_6),
    (3, 14.0, 0.000_810_664_701_231_508_7),
    (3, 31.9, 6.456_853_777_430_699e-05),
    (3, 63.9, 7.847_082_304_941_069e-06),
    (3, 111.9, 1.446_628_198_012_495_3e-06),
    (3, 1_000.0, 2.003_001_999_999e-09),
    (3, 10_000_000_000.0, 2.000_000_000_3e-30),
    (3, 1e100, 2e-300),
    (10, 1e-10, -3.628_799_999_999_998_4e116),
    (10, 0.03, -2.048_468_221_307_728_4e23),
    (10, 0.5, -7_431_824_508.858_769),
    (10, 1.0, -3_630_593.311_606_629),
    (10, 1.461_632_144_968_362_2, -55_973.390_515_878_826),
    (10, 2.5, -156.229_596_593_233),
    (10, 7.25, -0.001_678_791_673_134_510_8),
    (10, 11.999_999_999_999_998, -8.669_244_238_841_836e-06),
    (10, 14.0, -1.760_496_644_873_587_2e-06),
    (10, 31.9, -3.876_611_607_232_503e-10),
    (10, 63.9, -3.454_423_062_199_551_4e-13),
    (10, 111.9, -1.232_397_353_422_658_4e-15),
    (10, 1_000.0, -3.646_977_263_913_514e-25),
    (10, 10_000_000_000.0, -3.628_800_001_814_4e-95),
    (100, 0.5, -2.366_100_660_490_897e188),
    (100, 1.0, -9.332_621_544_394_415e157),
    (100, 1.461_632_144_968_362_2, -2.095_834_577_952_689_6e141),
    (100, 2.5, -5.998_777_844_943_402e117),
    (100, 7.25, -1.190_874_304_171_082e71),
    (100, 11.999_999_999_999_998, -9.393_593_619_882_922e48),
    (100, 14.0, -1.627_351_061_977_857_5e42),
    (100, 31.9, -1_279_086.659_651_456_6),
    (100, 63.9, -5.207_703_626_452_14e-25),
    (100, 111.9, -1.848_712_851_238_157e-49),
    (100, 1_000.0, -9.807_106_203_035_294e-145),
];

fn values<T: Judged>(op: op::Polygamma, set: InstructionSet, x: &[T]) -> Vec<T> {
    let mut out = vec![T::default(); x.len()];
    Polygamma::new(op).run(set, x, &mut out);
    out
}

/// Holds the routine to so many times the accuracy that it states.
fn judge_order<T: Judged>(op: op::Polygamma, times: f64, x: &[T], exact: impl Iterator<Item = f64>) {
    let found: Vec<Vec<T>> = all().into_iter().map(|set| values(op, set, x)).collect();
    let exact: Vec<Exact> =
        exact.map(|value| Exact { value, size: Polygamma::size::<T>(op, value) }).collect();
    let allowed = times * Polygamma::accuracy::<T>(op);
    judge(allowed, &all(), &exact, &found, |at| format!("{op:?} of {:e}", x[at]));
}

#[test]
fn polygamma_is_as_accurate_as_it_says() {
    for order in ORDERS {
        let rows = || EXACT.into_iter().filter(|(of, ..)| *of == order);
        let x: Vec<f64> = rows().map(|(_, x, _)| x).collect();
        judge_order(op::Polygamma { order }, 1.0, &x, rows().map(|(.., value)| value));
    }
}

#[test]
fn polygamma_agrees_with_the_table() {
    for order in ORDERS {
        let op = op::Polygamma { order };
        let x: Vec<f32> = numbers(400_009).collect();
        judge_order(op, 1.0, &x, x.iter().map(|x| op.value(f64::from(*x))));
        // In `f64` the table may be as far off as the routine, to the other side.
        let x: Vec<f64> = spread(10_000).collect();
        judge_order(op, 2.0, &x, x.iter().map(|x| op.value(*x)));
    }
}

#[test]
fn where_polygamma_has_poles_or_nothing_to_say_it_is_the_table() {
    fn check<T: Judged>() {
        let bits = |x: T| if x.is_nan() { u64::MAX } else { x.to_bits64() };
        let x: Vec<T> =
            [0.0, -0.0, -1.0, -2.0, -0.5, -1e-20, -1e30, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]
                .map(T::from_f64)
                .into();
        for order in ORDERS {
            let op = op::Polygamma { order };
            let expected: Vec<u64> = x.iter().map(|x| bits(op.value(*x))).collect();
            for set in all() {
                let got: Vec<u64> = values(op, set, &x).into_iter().map(bits).collect();
                assert_eq!(got, expected, "{op:?}, {set:?}");
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn polygamma_of_single_elements_has_the_bits_of_slices() {
    fn check<T: Judged>(x: &[T]) {
        let bits = |x: &T| if x.is_nan() { u64::MAX } else { x.to_bits64() };
        for order in ORDERS {
            let op = op::Polygamma { order };
            for set in all() {
                for (x, of_slice) in x.iter().zip(values(op, set, x)) {
                    let alone = values(op, set, &[*x])[0];
                    assert_eq!(bits(&alone), bits(&of_slice), "{op:?} of {x:e}, {set:?}");
                }
            }
        }
    }
    check(&numbers(20_000_003).collect::<Vec<_>>());
    check(&spread(301).collect::<Vec<_>>());
}
