//! The one place that rounds: exact values on one side, bits of a binary float format on the other.
//!
//! Owns the decomposition of floats and the rounding of a significand. Knows nothing of operations; the fast paths
//! elsewhere are tested against this file.

use super::{Overflow, Round};

/// A binary interchange format of at most 32 bits, given by its field widths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// Stored bits of the significand.
    pub(super) mantissa: u32,
    /// Bits of the exponent field.
    pub(super) exponent: u32,
}

pub(super) const F16: Format = Format {
    mantissa: 10,
    exponent: 5,
};
pub(super) const BF16: Format = Format {
    mantissa: 7,
    exponent: 8,
};
pub(super) const F32: Format = Format {
    mantissa: 23,
    exponent: 8,
};

impl Format {
    /// The exponent of the smallest normal number.
    pub(super) const fn min_exponent(self) -> i32 {
        2 - (1 << (self.exponent - 1))
    }

    /// The bits of plus infinity; one less is the largest finite value.
    pub(super) const fn infinity(self) -> u32 {
        ((1 << self.exponent) - 1) << self.mantissa
    }

    /// The bits of the canonical NaN.
    pub(super) const fn nan(self) -> u32 {
        self.infinity() | (1 << (self.mantissa - 1))
    }

    const fn sign(self, negative: bool) -> u32 {
        (negative as u32) << (self.exponent + self.mantissa)
    }
}

/// A value without error: a NaN, an infinity, or a sign, a whole significand and a power of two.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exact {
    Nan,
    Infinite {
        negative: bool,
    },
    Finite {
        negative: bool,
        significand: u64,
        exponent: i32,
    },
}

/// The exact value of an f32.
pub(super) fn exact_f32(x: f32) -> Exact {
    let bits = x.to_bits();
    exact(
        bits >> 31 != 0,
        u64::from(bits & 0x7f_ffff),
        bits >> 23 & 0xff,
        23,
        8,
    )
}

/// The exact value of an f64.
pub(super) fn exact_f64(x: f64) -> Exact {
    let bits = x.to_bits();
    let exponent = u32::from((bits >> 52) as u16 & 0x7ff);
    exact(bits >> 63 != 0, bits & 0xf_ffff_ffff_ffff, exponent, 52, 11)
}

/// The exact value of an integer.
pub(super) fn exact_i64(x: i64) -> Exact {
    Exact::Finite {
        negative: x < 0,
        significand: x.unsigned_abs(),
        exponent: 0,
    }
}

fn exact(
    negative: bool,
    mantissa: u64,
    field: u32,
    mantissa_bits: u32,
    exponent_bits: u32,
) -> Exact {
    let special = (1 << exponent_bits) - 1;
    if field == special {
        return if mantissa == 0 {
            Exact::Infinite { negative }
        } else {
            Exact::Nan
        };
    }
    let hidden = u64::from(field != 0) << mantissa_bits;
    let bias = (special / 2 + mantissa_bits) as i32;
    Exact::Finite {
        negative,
        significand: mantissa | hidden,
        exponent: field.max(1) as i32 - bias,
    }
}

/// Rounds an exact value into `format` and returns its bits.
pub(super) fn round_to_format(
    value: Exact,
    format: Format,
    round: Round,
    overflow: Overflow,
) -> u32 {
    match (value, overflow) {
        (Exact::Nan, Overflow::Saturate) => 0,
        (Exact::Nan, Overflow::Keep | Overflow::Wrap) => format.nan(),
        (Exact::Infinite { negative }, Overflow::Saturate) => {
            format.sign(negative) | (format.infinity() - 1)
        }
        (Exact::Infinite { negative }, Overflow::Keep | Overflow::Wrap) => {
            format.sign(negative) | format.infinity()
        }
        (
            Exact::Finite {
                negative,
                significand,
                exponent,
            },
            _,
        ) => {
            let magnitude = round_magnitude(significand, exponent, negative, format, round);
            let limit = match overflow {
                Overflow::Saturate => format.infinity() - 1,
                Overflow::Keep | Overflow::Wrap => overflow_result(negative, format, round),
            };
            let fits = magnitude < format.infinity();
            format.sign(negative) | if fits { magnitude } else { limit }
        }
    }
}

/// The rounded magnitude's bits; anything from `format.infinity()` up means overflow.
fn round_magnitude(
    significand: u64,
    exponent: i32,
    negative: bool,
    format: Format,
    round: Round,
) -> u32 {
    if significand == 0 {
        return 0;
    }
    let top = exponent + 63 - significand.leading_zeros() as i32;
    let scale = top.max(format.min_exponent());
    let biased = (scale - format.min_exponent()) as u32;
    if biased >= 1 << format.exponent {
        return format.infinity();
    }
    let shift = scale - format.mantissa as i32 - exponent;
    let kept = if shift <= 0 {
        significand << -shift
    } else {
        round_shift(significand, shift as u32, negative, round)
    };
    // The hidden bit of `kept` adds the one that separates normal from subnormal; a carry moves up by itself.
    (biased << format.mantissa) + kept as u32
}

const fn overflow_result(negative: bool, format: Format, round: Round) -> u32 {
    let outward = match round {
        Round::Even | Round::Away => true,
        Round::Floor => negative,
        Round::Ceil => !negative,
        Round::Trunc | Round::Odd => false,
    };
    format.infinity() - !outward as u32
}

/// `significand / 2^shift` rounded to a whole number; the sign tells directed roundings which way is up.
pub(super) fn round_shift(significand: u64, shift: u32, negative: bool, round: Round) -> u64 {
    let (kept, rest, half) = match shift {
        0 => return significand,
        1..=63 => (
            significand >> shift,
            significand & ((1 << shift) - 1),
            1 << (shift - 1),
        ),
        64 => (0, significand, 1 << 63),
        _ => (0, significand.min(1), 2),
    };
    let up = rest != 0
        && match round {
            Round::Even => rest > half || (rest == half && kept & 1 == 1),
            Round::Away => rest >= half,
            Round::Floor => negative,
            Round::Ceil => !negative,
            Round::Trunc => false,
            Round::Odd => kept & 1 == 0,
        };
    kept + u64::from(up)
}
