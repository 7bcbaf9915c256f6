//! Conversions against the `half` crate, the table of values, and the host's own f64 arithmetic.

use super::reference::{ROUNDS, Values, f32_samples, mixed};
use crate::num::*;

#[test]
fn every_f16_and_bf16_widens_like_half() {
    for bits in 0..=u16::MAX {
        let f16 = canonical_f32(half::f16::from_bits(bits).to_f32());
        let bf16 = canonical_f32(half::bf16::from_bits(bits).to_f32());
        assert_eq!(f16_to_f32(bits).to_bits(), f16.to_bits(), "{bits:#06x}");
        assert_eq!(bf16_to_f32(bits).to_bits(), bf16.to_bits(), "{bits:#06x}");
    }
}

#[test]
fn nearest_even_narrows_like_half() {
    for x in f32_samples(251).filter(|x| !x.is_nan()) {
        let f16 = half::f16::from_f32(x).to_bits();
        let bf16 = half::bf16::from_f32(x).to_bits();
        assert_eq!(f32_to_f16(x, Round::Even, Overflow::Keep), f16, "{x:e}");
        assert_eq!(f32_to_bf16(x, Round::Even, Overflow::Keep), bf16, "{x:e}");
    }
}

#[test]
fn every_rounding_of_f32_matches_the_table() {
    let (f16, bf16) = (Values::f16(), Values::bf16());
    let critical = f16.critical().chain(bf16.critical()).map(|x| x as f32);
    for x in critical.chain(f32_samples(9973)) {
        for round in ROUNDS {
            for overflow in [Overflow::Saturate, Overflow::Keep] {
                let to_f16 = f32_to_f16(x, round, overflow);
                let to_bf16 = f32_to_bf16(x, round, overflow);
                assert_eq!(
                    to_f16,
                    f16.round(x.into(), round, overflow),
                    "{x:e} {round:?} {overflow:?}"
                );
                assert_eq!(
                    to_bf16,
                    bf16.round(x.into(), round, overflow),
                    "{x:e} {round:?} {overflow:?}"
                );
            }
        }
    }
}

#[test]
fn every_rounding_of_f64_matches_the_table() {
    let (f16, bf16) = (Values::f16(), Values::bf16());
    let spread = mixed(200_000).map(f64::from_bits);
    for x in f16.critical().chain(bf16.critical()).chain(spread) {
        for round in ROUNDS {
            for overflow in [Overflow::Saturate, Overflow::Keep] {
                let to_f16 = f64_to_f16(x, round, overflow);
                let to_bf16 = f64_to_bf16(x, round, overflow);
                assert_eq!(
                    to_f16,
                    f16.round(x, round, overflow),
                    "{x:e} {round:?} {overflow:?}"
                );
                assert_eq!(
                    to_bf16,
                    bf16.round(x, round, overflow),
                    "{x:e} {round:?} {overflow:?}"
                );
            }
        }
    }
}

/// The f32 that `round` chooses for a value, given the nearest f32 and how the value compares with it.
fn step(nearest: f32, value_is: std::cmp::Ordering, round: Round) -> f32 {
    let (low, high) = match value_is {
        std::cmp::Ordering::Equal => return nearest,
        std::cmp::Ordering::Less => (nearest.next_down(), nearest),
        std::cmp::Ordering::Greater => (nearest, nearest.next_up()),
    };
    let negative = nearest.is_sign_negative();
    match round {
        Round::Even | Round::Away => nearest,
        Round::Floor => low,
        Round::Ceil => high,
        Round::Trunc => {
            if negative {
                high
            } else {
                low
            }
        }
        Round::Odd => {
            if low.to_bits() % 2 == 1 {
                low
            } else {
                high
            }
        }
    }
}

#[test]
fn f64_rounds_to_f32_like_the_host_and_its_neighbours() {
    let near = mixed(300_000).map(|bits| {
        // An f32 with some noise below its last digit, often an exact tie.
        let base = f64::from(f32::from_bits(bits as u32)).to_bits();
        f64::from_bits(base ^ (bits >> 32 & 0x1) << 28 ^ (bits >> 33 & 1) ^ (bits >> 34 & 1) << 29)
    });
    for x in near
        .chain(mixed(300_000).map(f64::from_bits))
        .filter(|x| !x.is_nan())
    {
        let nearest = x as f32;
        assert_eq!(f64_to_f32(x, Round::Even).to_bits(), nearest.to_bits());
        let order = x.partial_cmp(&f64::from(nearest)).expect("neither is NaN");
        for round in [Round::Floor, Round::Ceil, Round::Trunc, Round::Odd] {
            let expected = if x.is_infinite() {
                nearest
            } else {
                step(nearest, order, round)
            };
            assert_eq!(
                f64_to_f32(x, round).to_bits(),
                expected.to_bits(),
                "{x:e} {round:?}"
            );
        }
    }
    let tie = 1.0 + f64::from(f32::EPSILON) / 2.0;
    assert_eq!(f64_to_f32(tie, Round::Even), 1.0);
    assert_eq!(f64_to_f32(tie, Round::Away), 1.0 + f32::EPSILON);
    assert_eq!(f64_to_f32(-tie.next_down(), Round::Away), -1.0);
    assert_eq!(
        f64_to_f32(-f64::NAN, Round::Trunc).to_bits(),
        F32_NAN.to_bits()
    );
}

#[test]
fn integers_round_to_floats() {
    let (f16, bf16) = (Values::f16(), Values::bf16());
    for x in -70_000..=70_000i64 {
        for round in ROUNDS {
            let to_f16 = i64_to_f16(x, round, Overflow::Keep);
            assert_eq!(
                to_f16,
                f16.round(x as f64, round, Overflow::Keep),
                "{x} {round:?}"
            );
            let to_bf16 = i64_to_bf16(x, round, Overflow::Saturate);
            assert_eq!(
                to_bf16,
                bf16.round(x as f64, round, Overflow::Saturate),
                "{x} {round:?}"
            );
        }
    }
    for x in mixed(200_000)
        .map(|bits| bits as i64 >> (bits % 64))
        .chain([i64::MIN, i64::MAX])
    {
        let nearest = x as f32;
        assert_eq!(i64_to_f32(x, Round::Even), nearest);
        let order = i128::from(x).cmp(&(nearest as i128));
        for round in [Round::Floor, Round::Ceil, Round::Trunc, Round::Odd] {
            assert_eq!(
                i64_to_f32(x, round),
                step(nearest, order, round),
                "{x} {round:?}"
            );
        }
    }
    assert_eq!(i64_to_f32(0x100_0001, Round::Away), 16_777_218.0);
    assert_eq!(i64_to_f32(-0x100_0001, Round::Away), -16_777_218.0);
}

/// Rounds with the host's functions; exact for every f32.
fn whole(x: f64, round: Round) -> f64 {
    match round {
        Round::Even => x.round_ties_even(),
        Round::Away => x.round(),
        Round::Floor => x.floor(),
        Round::Ceil => x.ceil(),
        Round::Trunc => x.trunc(),
        Round::Odd if x.trunc() == x => x,
        Round::Odd if x.floor() % 2.0 == 0.0 => x.ceil(),
        Round::Odd => x.floor(),
    }
}

#[test]
fn floats_round_to_integers() {
    let halves = (-140_000..=140_000).map(|n| n as f32 / 4.0);
    for x in halves.chain(f32_samples(4999)).filter(|x| x.is_finite()) {
        for round in ROUNDS {
            let expected = whole(x.into(), round);
            assert_eq!(
                round_to_integral(x, round).to_bits(),
                (expected as f32).copysign(x).to_bits(),
                "{x} {round:?}"
            );
            let saturated = |bits, signed| f32_to_int(x, round, Overflow::Saturate, bits, signed);
            assert_eq!(
                saturated(4, true),
                (expected as i64).clamp(-8, 7),
                "{x} {round:?}"
            );
            assert_eq!(
                saturated(8, true),
                i64::from(expected as i8),
                "{x} {round:?}"
            );
            assert_eq!(
                saturated(8, false),
                i64::from(expected as u8),
                "{x} {round:?}"
            );
            assert_eq!(
                saturated(16, true),
                i64::from(expected as i16),
                "{x} {round:?}"
            );
            assert_eq!(
                saturated(32, true),
                i64::from(expected as i32),
                "{x} {round:?}"
            );
            assert_eq!(saturated(64, true), expected as i64, "{x} {round:?}");
            if x.abs() < 1e38 {
                let wrapped = |bits, signed| f32_to_int(x, round, Overflow::Wrap, bits, signed);
                assert_eq!(
                    wrapped(8, true),
                    i64::from(expected as i128 as i8),
                    "{x} {round:?}"
                );
                assert_eq!(
                    wrapped(8, false),
                    i64::from(expected as i128 as u8),
                    "{x} {round:?}"
                );
                assert_eq!(
                    wrapped(32, true),
                    i64::from(expected as i128 as i32),
                    "{x} {round:?}"
                );
                assert_eq!(wrapped(64, true), expected as i128 as i64, "{x} {round:?}");
            }
        }
    }
}

#[test]
fn every_f16_and_bf16_rounds_to_integers() {
    for bits in 0..=u16::MAX {
        for round in ROUNDS {
            let (x, y) = (f16_to_f32(bits), bf16_to_f32(bits));
            let expected = whole(x.into(), round);
            assert_eq!(
                f16_to_int(bits, round, Overflow::Saturate, 16, true),
                i64::from(expected as i16)
            );
            let integral = if x.is_nan() {
                F16_NAN
            } else {
                half::f16::from_f64(expected.copysign(x.into())).to_bits()
            };
            assert_eq!(
                round_to_integral_f16(bits, round),
                integral,
                "{bits:#06x} {round:?}"
            );
            let expected = whole(y.into(), round);
            assert_eq!(
                bf16_to_int(bits, round, Overflow::Saturate, 32, true),
                i64::from(expected as i32)
            );
            let nearest = half::bf16::from_f64(expected.copysign(y.into())).to_bits();
            let integral = if y.is_nan() { BF16_NAN } else { nearest };
            assert_eq!(
                round_to_integral_bf16(bits, round),
                integral,
                "{bits:#06x} {round:?}"
            );
        }
    }
}

#[test]
fn special_values_become_integers() {
    for bits in [8, 16, 32, 64] {
        for overflow in [Overflow::Saturate, Overflow::Keep, Overflow::Wrap] {
            assert_eq!(f32_to_int(f32::NAN, Round::Even, overflow, bits, true), 0);
            assert_eq!(f64_to_int(-f64::NAN, Round::Even, overflow, bits, true), 0);
        }
        assert_eq!(
            f32_to_int(f32::INFINITY, Round::Trunc, Overflow::Wrap, bits, true),
            0
        );
        assert_eq!(
            f32_to_int(f32::MAX, Round::Trunc, Overflow::Wrap, bits, true),
            0
        );
    }
    assert_eq!(
        f32_to_int(f32::NEG_INFINITY, Round::Even, Overflow::Saturate, 8, true),
        -128
    );
    assert_eq!(
        f32_to_int(f32::INFINITY, Round::Even, Overflow::Keep, 8, false),
        255
    );
    assert_eq!(
        f32_to_int(-0.5, Round::Floor, Overflow::Wrap, 8, false),
        255
    );
    assert_eq!(
        f32_to_int(-0.5, Round::Floor, Overflow::Saturate, 8, false),
        0
    );
    assert_eq!(
        f64_to_int(-9.3e18, Round::Even, Overflow::Saturate, 64, true),
        i64::MIN
    );
    assert_eq!(
        f64_to_int(1e300, Round::Even, Overflow::Saturate, 63, false),
        i64::MAX
    );
}
