//! HF32: binary32 with a mantissa of 11 bits, as the cube rounds its operands to.
//!
//! The width is *we choose*: the 950 documents 10 bits, figures of the 910B suggest 11 (facts §5). Infinities and zeros
//! stay, a NaN becomes canonical, and what rounds beyond the largest number becomes infinite.

use super::F32_NAN;

/// How operands are rounded (facts §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hf32 {
    /// To nearest, ties to even.
    Even,
    /// To nearest, ties to zero.
    TiesToZero,
}

/// Bits of binary32's mantissa that HF32 does not have.
const DROPPED: u32 = 12;

/// Rounds to HF32.
pub fn round_hf32(x: f32, mode: Hf32) -> f32 {
    if x.is_nan() {
        return F32_NAN;
    }
    if x.is_infinite() {
        return x;
    }
    let bits = x.to_bits();
    let half = 1_u32 << (DROPPED - 1);
    let odd = bits >> DROPPED & 1;
    // A carry out of the mantissa raises the exponent, as it should; sign and magnitude are apart.
    let raised = match mode {
        Hf32::Even => bits + (half - 1) + odd,
        Hf32::TiesToZero => bits + (half - 1),
    };
    f32::from_bits(raised >> DROPPED << DROPPED)
}

#[cfg(test)]
mod tests {
    use super::{Hf32, round_hf32};

    #[test]
    fn ties_go_to_even_or_to_zero() {
        let ulp = 1.0_f32 / 2048.0;
        for (x, even, zero) in [
            (1.0 + 0.5 * ulp, 1.0, 1.0),
            (1.0 + 1.5 * ulp, 1.0 + 2.0 * ulp, 1.0 + ulp),
            (1.0 + 0.75 * ulp, 1.0 + ulp, 1.0 + ulp),
            (1.0 + 0.25 * ulp, 1.0, 1.0),
            (2.0 - 0.25 * ulp, 2.0, 2.0),
            (f32::MAX, f32::INFINITY, f32::INFINITY),
            (0.0, 0.0, 0.0),
            (f32::from_bits(0x800), 0.0, 0.0),
            (
                f32::from_bits(0x801),
                f32::from_bits(0x1000),
                f32::from_bits(0x1000),
            ),
        ] {
            for sign in [1.0, -1.0] {
                let round = |mode| round_hf32(sign * x, mode).to_bits();
                assert_eq!(round(Hf32::Even), (sign * even).to_bits(), "{x:e}");
                assert_eq!(round(Hf32::TiesToZero), (sign * zero).to_bits(), "{x:e}");
            }
        }
        assert!(round_hf32(f32::NAN, Hf32::Even).is_nan());
    }

    #[test]
    fn the_nearest_of_both_neighbours_is_taken() {
        let mut bits = 1_u32;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15);
            let x = f32::from_bits(bits);
            if !x.is_finite() || x.abs() > 1e38 {
                continue;
            }
            let below = f32::from_bits(bits >> 12 << 12);
            let above = f32::from_bits((bits >> 12 << 12) + 0x1000);
            let (low, high) = (
                f64::from(x) - f64::from(below),
                f64::from(above) - f64::from(x),
            );
            for mode in [Hf32::Even, Hf32::TiesToZero] {
                let y = round_hf32(x, mode);
                let wanted = match low.abs().partial_cmp(&high.abs()) {
                    Some(std::cmp::Ordering::Less) => below,
                    Some(std::cmp::Ordering::Greater) => above,
                    Some(std::cmp::Ordering::Equal) | None => y,
                };
                assert_eq!(y.to_bits(), wanted.to_bits(), "{x:e}");
            }
        }
    }
}
