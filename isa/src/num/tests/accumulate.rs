//! Fused multiply-add against the host's, cube steps, and the order of tree reductions.

use super::reference::mixed;
use crate::num::*;

#[test]
fn fma_rounds_once_like_the_host() {
    let check = |a: f32, b: f32, c: f32| {
        let expected = canonical_f32(a.mul_add(b, c));
        assert_eq!(
            fma_f32(a, b, c).to_bits(),
            expected.to_bits(),
            "{a:e} {b:e} {c:e}"
        );
    };
    for bits in mixed(1_500_000) {
        let (a, b) = (
            f32::from_bits(bits as u32),
            f32::from_bits((bits >> 32) as u32),
        );
        let product = a * b;
        // An addend anywhere, near the product, near half its last digit, and cancelling it.
        check(a, b, f32::from_bits((bits >> 16) as u32));
        check(
            a,
            b,
            f32::from_bits(product.to_bits() ^ (bits & 0x87ff_ffff) as u32),
        );
        check(
            a,
            b,
            f32::from_bits(product.to_bits().wrapping_add(12 << 23) & 0xffff_0000),
        );
        check(a, b, -product);
        // Few digits: exact ties, and results among the subnormals.
        let (p, q) = (
            f32::from_bits(bits as u32 & 0x20ff_f000),
            f32::from_bits((bits >> 32) as u32 & 0x20ff_f000),
        );
        check(p, q, f32::from_bits((bits >> 8) as u32 & 0x80ff_ffff));
    }
}

#[test]
fn cube_steps_are_fused_sums_of_exact_products() {
    for bits in mixed(500_000) {
        let (a, b) = (bits as u16, (bits >> 16) as u16);
        let c = f32::from_bits((bits >> 32) as u32);
        let fused = canonical_f32(f16_to_f32(a).mul_add(f16_to_f32(b), c));
        assert_eq!(mac_f16(c, a, b).to_bits(), fused.to_bits());
        let fused = canonical_f32(bf16_to_f32(a).mul_add(bf16_to_f32(b), c));
        assert_eq!(mac_bf16(c, a, b).to_bits(), fused.to_bits());
    }
    // A bf16 product beyond f32 comes back when the sum does.
    assert_eq!(
        mac_bf16(f32::MIN, 0x7f00, 0x4000).to_bits(),
        (104 + 127) << 23
    );
}

#[test]
fn cube_steps_of_other_types() {
    assert_eq!(mac_i8(i32::MAX, 1, 1), (i32::MIN, true));
    assert_eq!(mac_i8(0, -128, -128), (16384, false));
    // Product and sum round apart: fused, the square of 1 + 2^-12 would keep its last digit.
    let x = 1.0 + 1.0 / 4096.0;
    assert_eq!(mac_f32(-1.0, x, x), 2.0 / 4096.0);
    assert_eq!(fma_f32(x, x, -1.0), 2.0 / 4096.0 + 1.0 / 16_777_216.0);
}

#[test]
fn trees_join_adjacent_pairs() {
    let join = |a: &str, b: &str| format!("({a}{b})");
    let levels = |text: &str| {
        let mut items: Vec<String> = text.chars().map(String::from).collect();
        while items.len() > 1 {
            items = items
                .chunks(2)
                .map(|p| {
                    if p.len() == 2 {
                        join(&p[0], &p[1])
                    } else {
                        p[0].clone()
                    }
                })
                .collect();
        }
        items.pop()
    };
    for length in 0..=26 {
        let text = &"abcdefghijklmnopqrstuvwxyz"[..length];
        // A `Copy` stand-in for the strings: spans of the text, whose joins are collected in order.
        let names: Vec<&'static str> = text
            .chars()
            .map(|c| &*Box::leak(String::from(c).into_boxed_str()))
            .collect();
        let tree = tree_reduce(&names, |a, b| &*Box::leak(join(a, b).into_boxed_str()));
        assert_eq!(tree.map(String::from), levels(text));
    }
}

#[test]
fn tree_sums_round_in_tree_order() {
    assert_eq!(tree_sum_f32(&[]).to_bits(), 0);
    assert_eq!(tree_sum_f32(&[-0.0, -0.0]).to_bits(), 0x8000_0000);
    let big = 16_777_216.0;
    assert_eq!(tree_sum_f32(&[big, 1.0, 1.0, 1.0]), big + 2.0);
    assert_eq!(tree_sum_f32(&[1.0, 1.0, big, 1.0]), big + 2.0);
    assert_eq!(
        tree_sum_f32(&[1.0, 1.0, 1.0, 1.0, big, 0.0, 0.0, 0.0]),
        big + 4.0
    );
}
