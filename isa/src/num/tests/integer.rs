//! Integer arithmetic in all widths against the host's integer types.

use crate::num::*;

#[test]
fn bytes_agree_with_the_host_exhaustively() {
    for (a, b) in (-128..=127i64).flat_map(|a| (-128..=127i64).map(move |b| (a, b))) {
        let (x, y) = (a as i8, b as i8);
        assert_eq!(int_add(a, b, 8, true), i64::from(x.wrapping_add(y)));
        assert_eq!(int_sub(a, b, 8, true), i64::from(x.wrapping_sub(y)));
        assert_eq!(int_mul(a, b, 8, true), i64::from(x.wrapping_mul(y)));
        assert_eq!(
            int_div(a, b, 8, true),
            (y != 0).then(|| i64::from(x.wrapping_div(y)))
        );
        assert_eq!(
            int_rem(a, b, 8, true),
            (y != 0).then(|| i64::from(x.wrapping_rem(y)))
        );
        assert_eq!(int_shl(a, b, 8, true), i64::from(x.wrapping_shl(b as u32)));
        assert_eq!(int_shr(a, b, 8), i64::from(x.wrapping_shr(b as u32)));
    }
    for (a, b) in (0..=255i64).flat_map(|a| (0..=255i64).map(move |b| (a, b))) {
        let (x, y) = (a as u8, b as u8);
        assert_eq!(int_add(a, b, 8, false), i64::from(x.wrapping_add(y)));
        assert_eq!(int_sub(a, b, 8, false), i64::from(x.wrapping_sub(y)));
        assert_eq!(int_mul(a, b, 8, false), i64::from(x.wrapping_mul(y)));
        assert_eq!(
            int_div(a, b, 8, false),
            (y != 0).then(|| i64::from(x / y.max(1)))
        );
        assert_eq!(
            int_rem(a, b, 8, false),
            (y != 0).then(|| i64::from(x % y.max(1)))
        );
        assert_eq!(int_shl(a, b, 8, false), i64::from(x.wrapping_shl(b as u32)));
        assert_eq!(int_shr(a, b, 8), i64::from(x.wrapping_shr(b as u32)));
    }
}

#[test]
fn the_least_integer_wraps() {
    for bits in [4, 8, 16, 32, 64] {
        let least = i64::MIN >> (64 - bits);
        assert_eq!(int_neg(least, bits, true), least);
        assert_eq!(int_abs(least, bits, true), least);
        assert_eq!(int_div(least, -1, bits, true), Some(least));
        assert_eq!(int_rem(least, -1, bits, true), Some(0));
        assert_eq!(int_sub(least, 1, bits, true), !least);
        assert_eq!(int_abs(least + 1, bits, true), !least);
    }
}

#[test]
fn widths_convert() {
    for x in -70_000..=70_000i64 {
        assert_eq!(int_to_int(x, Overflow::Wrap, 8, true), i64::from(x as i8));
        assert_eq!(int_to_int(x, Overflow::Wrap, 8, false), i64::from(x as u8));
        assert_eq!(int_to_int(x, Overflow::Wrap, 16, true), i64::from(x as i16));
        assert_eq!(
            int_to_int(x, Overflow::Saturate, 8, true),
            x.clamp(-128, 127)
        );
        assert_eq!(int_to_int(x, Overflow::Keep, 8, false), x.clamp(0, 255));
        assert_eq!(
            int_to_int(x, Overflow::Saturate, 16, true),
            x.clamp(-32768, 32767)
        );
        assert_eq!(int_to_int(x, Overflow::Saturate, 64, true), x);
        assert_eq!(int_bits(x, 16), u64::from(x as u16));
    }
    assert_eq!(int_bits(-1, 64), u64::MAX);
    assert_eq!(saturate_int(i64::MAX, 32, true), i64::from(i32::MAX));
    assert_eq!(wrap_int(1 << 63, 63, false), 0);
}
