//! Second definitions, made from tables of values and comparisons in f64 rather than from shifts of bits.

use crate::num::{Overflow, Round};

pub(super) const ROUNDS: [Round; 6] = [
    Round::Even,
    Round::Away,
    Round::Floor,
    Round::Ceil,
    Round::Trunc,
    Round::Odd,
];

/// All magnitudes of a 16-bit float format by their bits, and beyond them the one where infinity stands.
pub(super) struct Values {
    magnitudes: Vec<f64>,
}

impl Values {
    pub(super) fn f16() -> Values {
        Values::new(10, 5)
    }

    pub(super) fn bf16() -> Values {
        Values::new(7, 8)
    }

    fn new(mantissa: i32, exponent: u32) -> Values {
        let infinity = ((1u32 << exponent) - 1) << mantissa;
        let least = two_to(2 - (1 << (exponent - 1)) - mantissa);
        let magnitudes = (0..=infinity).map(|bits| {
            let (field, fraction) = (bits >> mantissa, bits & ((1 << mantissa) - 1));
            match field {
                0 => f64::from(fraction) * least,
                _ => f64::from(fraction + (1 << mantissa)) * least * two_to(field as i32 - 1),
            }
        });
        Values {
            magnitudes: magnitudes.collect(),
        }
    }

    pub(super) fn infinity(&self) -> u16 {
        (self.magnitudes.len() - 1) as u16
    }

    pub(super) fn nan(&self) -> u16 {
        // The quiet bit is the highest of the mantissa, which has ten bits or seven.
        self.infinity()
            | if self.infinity() == 0x7c00 {
                0x200
            } else {
                0x40
            }
    }

    /// The value of finite bits.
    pub(super) fn value(&self, bits: u16) -> f64 {
        let magnitude = self.magnitudes[usize::from(bits & 0x7fff)];
        if bits & 0x8000 != 0 {
            -magnitude
        } else {
            magnitude
        }
    }

    /// `x` rounded by looking for its neighbours.
    pub(super) fn round(&self, x: f64, round: Round, overflow: Overflow) -> u16 {
        let saturate = overflow == Overflow::Saturate;
        if x.is_nan() {
            return if saturate { 0 } else { self.nan() };
        }
        let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
        let magnitude = self.round_magnitude(x, round);
        sign | if saturate {
            magnitude.min(self.infinity() - 1)
        } else {
            magnitude
        }
    }

    fn round_magnitude(&self, x: f64, round: Round) -> u16 {
        let magnitude = x.abs();
        if magnitude.is_infinite() {
            return self.infinity();
        }
        let above = self.magnitudes.partition_point(|&v| v <= magnitude);
        let outward = match round {
            Round::Even | Round::Away | Round::Odd => false,
            Round::Floor => x < 0.0,
            Round::Ceil => x > 0.0,
            Round::Trunc => false,
        };
        let nearest = matches!(round, Round::Even | Round::Away);
        if above == self.magnitudes.len() {
            return if outward || nearest {
                self.infinity()
            } else {
                self.infinity() - 1
            };
        }
        let low = above - 1;
        let middle = (self.magnitudes[low] + self.magnitudes[above]) / 2.0;
        let up = match round {
            Round::Even => magnitude > middle || (magnitude == middle && low % 2 == 1),
            Round::Away => magnitude >= middle,
            Round::Odd => low % 2 == 0,
            Round::Floor | Round::Ceil | Round::Trunc => outward,
        };
        let exact = magnitude == self.magnitudes[low];
        if up && !exact {
            above as u16
        } else {
            low as u16
        }
    }

    /// Every magnitude, every midpoint, and the f64 and f32 on both sides of each; then the same negated.
    pub(super) fn critical(&self) -> impl Iterator<Item = f64> {
        self.magnitudes
            .windows(2)
            .flat_map(|pair| [pair[0], (pair[0] + pair[1]) / 2.0])
            .flat_map(|x| {
                let narrow = x as f32;
                let (down, up) = (f64::from(narrow.next_down()), f64::from(narrow.next_up()));
                [x, x.next_down(), x.next_up(), down, up]
            })
            .flat_map(|x| [x, -x])
    }
}

/// A power of two in f64's normal range.
pub(super) fn two_to(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// A fixed sequence of well mixed numbers (splitmix64).
pub(super) fn mixed(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|n| {
        let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// f32 values over all exponents and both signs, and the special ones.
pub(super) fn f32_samples(stride: usize) -> impl Iterator<Item = f32> {
    let special = [
        0.0,
        1.0,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    let spread = (0..=u32::MAX).step_by(stride).map(f32::from_bits);
    special.into_iter().flat_map(|x| [x, -x]).chain(spread)
}

/// FNV-1a over 32-bit words: one number that stands for a list of results.
pub(super) fn fingerprint(words: impl Iterator<Item = u32>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| {
        (hash ^ u64::from(word)).wrapping_mul(0x100_0000_01b3)
    })
}
