//! The error function, its complement and its inverse.

use crate::kernel::routine::Routine;
use crate::kernel::routine::arithmetic::double::{fma, polynomial};
use crate::kernel::routine::double::exponential::exp_and;
use crate::kernel::routine::double::logarithm::Log;
use crate::kernel::routine::double::power::product;

/// `erf x` for `0 ≤ x ≤ 1`.
#[inline(always)]
fn erf_near_zero<const FMA: bool>(x: f64) -> f64 {
    let p = polynomial::<FMA, 12>(
        x * x,
        [
            0.128_379_167_095_512_56,
            -0.376_126_389_031_834_54,
            0.112_837_916_709_424_42,
            -0.026_866_170_642_899_31,
            0.005_223_977_604_689_966,
            -0.000_854_832_587_070_397_1,
            0.000_120_552_920_351_743_94,
            -0.000_014_924_685_750_072_198,
            1.644_683_368_402_583_2e-6,
            -1.620_421_664_495_976_9e-7,
            1.370_256_913_134_439e-8,
            -7.764_805_895_007_783e-10,
        ],
    );
    fma::<FMA>(x, p, x)
}

/// `erfc x` for `½ ≤ x ≤ 27.3`, and at 37.66, where it is zero.
#[inline(always)]
fn erfc_of_large<const FMA: bool>(x: f64) -> f64 {
    // (1 + 2 x) e^(x²) erfc(x), which is nearly 1, in a variable that maps the whole axis to a finite stretch.
    let scaled = polynomial::<FMA, 22>(
        (x - 3.0) / (x + 3.0),
        [
            1.253_008_058_269_729_6,
            -0.135_621_106_124_581_3,
            -0.047_562_294_353_444_15,
            0.129_645_158_702_778_7,
            -0.119_273_663_415_599_46,
            0.068_308_027_343_274_78,
            -0.023_770_514_912_657_86,
            0.002_529_391_828_613_345,
            0.001_888_690_288_970_114,
            -0.000_779_832_395_038_931_5,
            -0.000_105_159_281_709_757_07,
            0.000_125_100_074_477_328_23,
            4.946_962_249_692_242e-6,
            -0.000_020_103_206_815_540_185,
            -7.232_732_840_595_513e-7,
            3.478_395_770_508_757_8e-6,
            3.389_312_233_240_139e-7,
            -6.245_991_192_753_147e-7,
            -1.165_585_414_985_193_8e-7,
            1.069_826_234_299_371_6e-7,
            2.100_727_659_873_212_4e-8,
            -1.356_180_124_171_117_5e-8,
        ],
    );
    let (square, rest) = product::<FMA>(x, x);
    exp_and::<FMA>(-square, -rest) * (scaled / fma::<FMA>(2.0, x, 1.0))
}

pub(super) struct Erf;

impl Routine<f64> for Erf {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        let size = x.abs();
        let size = if size > 6.0 { 6.0 } else { size };
        let value = if size < 1.0 { erf_near_zero::<FMA>(size) } else { 1.0 - erfc_of_large::<FMA>(size) };
        value.copysign(x)
    }
}

pub(super) struct Erfc;

impl Routine<f64> for Erfc {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        // Far out it is zero, by powers of two that are, as in `exp`.
        let size = if x.abs() > 27.3 { 37.66 } else { x.abs() };
        let near = erf_near_zero::<FMA>(size);
        let far = erfc_of_large::<FMA>(size);
        let above = if size < 0.5 { 1.0 - near } else { far };
        let below = if size < 0.5 { 1.0 + near } else { 2.0 - far };
        if x < 0.0 { below } else { above }
    }
}

pub(in crate::kernel::routine) struct Erfinv;

impl Routine<f64> for Erfinv {
    #[inline(always)]
    fn at<const FMA: bool>(x: f64) -> f64 {
        // The quotient of the value and `x` is nearly a line in `-log(1 - x²)`, further out in its root (Giles,
        // "Approximating the erfinv function", 2012).
        let size = x.abs();
        let depth = -Log::at::<FMA>((1.0 - size) * (1.0 + size));
        let root = depth.sqrt();
        let near = polynomial::<FMA, 22>(
            depth - 3.125,
            [
                1.653_654_562_683_102_7,
                0.240_158_182_425_590_06,
                -0.006_033_670_871_427_159,
                -0.000_740_702_534_169_582_7,
                0.000_186_734_208_021_387,
                -0.000_013_882_523_355_436_168,
                -1.365_469_179_482_337_4e-6,
                4.234_787_708_120_694_5e-7,
                -2.907_038_703_611_603e-8,
                -4.112_629_811_154_212_5e-9,
                1.051_220_508_160_133e-9,
                -5.415_551_977_336_862_5e-11,
                -1.297_760_423_057_729_7e-11,
                2.633_803_659_313_450_3e-12,
                -8.104_375_002_617_454e-14,
                -4.058_476_180_616_297_6e-14,
                6.578_886_753_179_901e-15,
                2.415_722_983_988_602_4e-17,
                -1.288_134_964_160_255_4e-16,
                1.101_271_309_169_516e-17,
                1.090_850_215_624_215e-18,
                -1.656_697_639_019_752e-19,
            ],
        );
        let far = polynomial::<FMA, 19>(
            root - 3.25,
            [
                3.083_885_610_492_220_3,
                1.005_258_967_694_159_2,
                0.005_370_914_553_615_916,
                -0.003_751_208_507_566_177_7,
                0.002_491_442_095_311_821,
                -0.001_688_275_556_112_963_3,
                0.000_953_289_390_880_625_2,
                -0.000_355_037_519_235_457_2,
                0.000_024_031_025_886_443_028,
                0.000_068_284_844_075_022_43,
                -0.000_047_317_852_602_596_164,
                0.000_012_475_331_575_351_307,
                2.922_431_560_289_269_3e-6,
                -4.013_923_634_096_919e-6,
                1.504_361_544_172_309e-6,
                1.830_085_773_271_376_5e-8,
                -2.765_922_274_477_289_6e-7,
                9.072_920_069_750_257e-8,
                2.736_023_154_508_874_3e-9,
            ],
        );
        let farthest = polynomial::<FMA, 17>(
            root - 5.0,
            [
                4.849_906_401_408_584,
                1.010_300_464_864_526_2,
                -0.000_138_719_318_390_141_28,
                -0.000_215_030_118_982_667_96,
                0.000_075_995_278_301_894_23,
                -0.000_019_681_781_581_198_463,
                4.526_051_548_757_195_5e-6,
                -9.929_661_311_356_14e-7,
                2.290_508_723_166_383e-7,
                -6.775_239_254_061_3e-8,
                2.904_542_769_344_228_6e-8,
                -1.490_766_446_793_227_3e-8,
                7.740_641_490_650_964e-9,
                -3.823_892_254_803_478e-9,
                1.429_085_049_174_524e-9,
                -2.465_369_998_393_771_7e-10,
                -7.172_046_640_464_7e-12,
            ],
        );
        let ratio = if depth < 6.25 { near } else { far };
        let ratio = if depth < 16.0 { ratio } else { farthest };
        let value = if size == 1.0 { f64::INFINITY } else { ratio * size };
        value.copysign(x)
    }
}
