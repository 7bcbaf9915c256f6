//! f16 and bf16 arithmetic against exact results rounded once.
//!
//! The reference computes in f64, where sums and products of these types are exact (sums of bf16 apart, which are
//! compared where their exponents are near), and where quotients and square roots are never so close to a midpoint of
//! the narrow type that their rounding could cross it.

use super::reference::{Values, mixed};
use crate::num::*;

type Binary = fn(u16, u16, Overflow) -> u16;
type Exact = fn(f64, f64) -> f64;

/// An operation of both types and its exact counterpart.
const BINARY: [(Binary, Binary, Exact); 4] = [
    (f16_add, bf16_add, |a, b| a + b),
    (f16_sub, bf16_sub, |a, b| a - b),
    (f16_mul, bf16_mul, |a, b| a * b),
    (f16_div, bf16_div, |a, b| a / b),
];

fn value(values: &Values, bits: u16) -> f64 {
    match bits & 0x7fff {
        magnitude if magnitude > values.infinity() => f64::NAN,
        magnitude if magnitude == values.infinity() && bits >> 15 == 1 => f64::NEG_INFINITY,
        magnitude if magnitude == values.infinity() => f64::INFINITY,
        _ => values.value(bits),
    }
}

fn check(values: &Values, operation: Binary, exact: Exact, a: u16, b: u16) {
    let expected = exact(value(values, a), value(values, b));
    for overflow in [Overflow::Saturate, Overflow::Keep] {
        let rounded = values.round(expected, Round::Even, overflow);
        assert_eq!(
            operation(a, b, overflow),
            rounded,
            "{a:#06x} {b:#06x} {overflow:?}"
        );
    }
}

#[test]
fn random_f16_operands_round_once() {
    let values = Values::f16();
    for bits in mixed(600_000) {
        for (operation, _, exact) in BINARY {
            check(&values, operation, exact, bits as u16, (bits >> 16) as u16);
            // Near exponents: cancellation and ties.
            check(
                &values,
                operation,
                exact,
                bits as u16,
                (bits ^ (bits >> 16 & 0x9fff)) as u16,
            );
        }
    }
}

#[test]
fn every_f16_meets_every_kind_of_operand() {
    let values = Values::f16();
    let kinds = [
        0, 1, 2, 0x3ff, 0x400, 0x401, 0x3555, 0x3c00, 0x3c01, 0x3fff, 0x7bff, 0x7c00, 0x7c01,
        0x7e00,
    ];
    for a in 0..=u16::MAX {
        for b in kinds.into_iter().flat_map(|b| [b, b | 0x8000]) {
            for (operation, _, exact) in BINARY {
                check(&values, operation, exact, a, b);
            }
        }
    }
}

#[test]
fn f16_products_and_quotients_of_all_significands_round_once() {
    let values = Values::f16();
    for a in 0x3c00..0x4000 {
        // A stride that is prime to the number of significands: each meets a third of the others.
        for b in (0x3c00 + a % 3..0x4000).step_by(3) {
            check(&values, f16_mul, |a, b| a * b, a, b);
            check(&values, f16_div, |a, b| a / b, a, b);
            // The same with results among the subnormals.
            check(&values, f16_mul, |a, b| a * b, a - 0x3000, b - 0x0c00);
            check(&values, f16_div, |a, b| a / b, a - 0x3000, b + 0x1800);
        }
    }
}

#[test]
fn bf16_products_and_quotients_of_all_significands_round_once() {
    let values = Values::bf16();
    for (a, b) in (0..0x80).flat_map(|a| (0..0x80).map(move |b| (a, b))) {
        // Exponent fields of the operands: ordinary, results that underflow by degrees, subnormal operands, overflow.
        for (p, q) in [
            (127, 127),
            (60, 60),
            (60, 65),
            (57, 61),
            (0, 127),
            (0, 130),
            (1, 126),
            (190, 192),
            (190, 191),
        ] {
            check(&values, bf16_mul, |a, b| a * b, p << 7 | a, q << 7 | b);
        }
        for (p, q) in [
            (127, 127),
            (60, 187),
            (60, 190),
            (57, 187),
            (0, 127),
            (0, 124),
            (1, 128),
            (0, 0),
            (254, 126),
        ] {
            check(&values, bf16_div, |a, b| a / b, p << 7 | a, q << 7 | b);
        }
        for gap in 0..20 {
            check(
                &values,
                bf16_add,
                |a, b| a + b,
                127 << 7 | a,
                (127 + gap) << 7 | b,
            );
            check(
                &values,
                bf16_sub,
                |a, b| a - b,
                127 << 7 | a,
                (127 + gap) << 7 | b,
            );
            check(&values, bf16_add, |a, b| a + b, a, gap << 7 | b);
        }
    }
}

#[test]
fn random_bf16_operands_round_once() {
    let values = Values::bf16();
    for bits in mixed(600_000) {
        let (a, b) = (bits as u16, (bits >> 16) as u16);
        for (_, operation, exact) in BINARY {
            check(
                &values,
                operation,
                exact,
                a,
                (a & 0x7f80).wrapping_add(b & 0x87ff),
            );
            check(&values, operation, exact, a, b);
        }
    }
}

#[test]
fn every_square_root_rounds_once() {
    let (f16, bf16) = (Values::f16(), Values::bf16());
    for bits in 0..=u16::MAX {
        for overflow in [Overflow::Saturate, Overflow::Keep] {
            let expected = f16.round(value(&f16, bits).sqrt(), Round::Even, overflow);
            assert_eq!(f16_sqrt(bits, overflow), expected, "{bits:#06x}");
            let expected = bf16.round(value(&bf16, bits).sqrt(), Round::Even, overflow);
            assert_eq!(bf16_sqrt(bits, overflow), expected, "{bits:#06x}");
        }
    }
}

#[test]
fn choices_keep_infinities_and_nan() {
    let (f16, bf16) = (Values::f16(), Values::bf16());
    for a in 0..=u16::MAX {
        let keep = |values: &Values, x: f64| values.round(x, Round::Even, Overflow::Keep);
        let (x, y) = (value(&f16, a), value(&bf16, a));
        assert_eq!(f16_neg(a), keep(&f16, -x));
        assert_eq!(f16_abs(a), keep(&f16, x.abs()));
        assert_eq!(bf16_neg(a), keep(&bf16, -y));
        assert_eq!(bf16_abs(a), keep(&bf16, y.abs()));
        for b in [
            0, 0x8000, 1, 0x8001, 0x3c00, 0xbc00, 0x7bff, 0x7c00, 0xfc00, 0x7f80, 0xff80, 0x7fff,
        ] {
            let (p, q) = (f16_to_f32(a), f16_to_f32(b));
            assert_eq!(f16_to_f32(f16_max(a, b)).to_bits(), max_f32(p, q).to_bits());
            assert_eq!(f16_to_f32(f16_min(a, b)).to_bits(), min_f32(p, q).to_bits());
            let (p, q) = (bf16_to_f32(a), bf16_to_f32(b));
            assert_eq!(
                bf16_to_f32(bf16_max(a, b)).to_bits(),
                max_f32(p, q).to_bits()
            );
            assert_eq!(
                bf16_to_f32(bf16_min(a, b)).to_bits(),
                min_f32(p, q).to_bits()
            );
        }
    }
}

#[test]
fn overflow_and_nan_follow_the_mode() {
    let one = 0x3c00;
    assert_eq!(f16_add(F16_MAX, F16_MAX, Overflow::Saturate), F16_MAX);
    assert_eq!(f16_add(F16_MAX, F16_MAX, Overflow::Keep), 0x7c00);
    assert_eq!(f16_div(one, 0x8000, Overflow::Saturate), F16_MAX | 0x8000);
    assert_eq!(f16_div(0, 0, Overflow::Saturate), 0);
    assert_eq!(f16_div(0, 0, Overflow::Keep), F16_NAN);
    assert_eq!(bf16_mul(BF16_MAX, BF16_MAX, Overflow::Saturate), BF16_MAX);
    assert_eq!(bf16_sqrt(0xbf80, Overflow::Saturate), 0);
    assert_eq!(bf16_sqrt(0xbf80, Overflow::Keep), BF16_NAN);
}
