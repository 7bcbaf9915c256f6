//! The input sets of `data/numerics/make.py`, written again.

/// The operands of a set: up to three, the others empty.
pub(super) fn inputs(name: &str) -> [Vec<u64>; 3] {
    let one = |list: Vec<u64>| [list, Vec::new(), Vec::new()];
    let every = 0..65_536_u64;
    match name {
        "all16" => one(every.collect()),
        "all8" => one(every.map(|n| n & 255).collect()),
        "near_f16" => one(near_f16()),
        "near_bf16" => {
            let lows = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
            one(every
                .flat_map(|upper| lows.map(|low| upper << 16 | low))
                .collect())
        }
        "near_int" => one(near_int()),
        "s32" => one(every.map(|n| shifted(n, 32) & 0xffff_ffff).collect()),
        "s64" => one(every.map(|n| shifted(n, 64)).collect()),
        "small" => one((0..4096).map(small).collect()),
        "positive" => one((0..4096).map(positive).collect()),
        "pairs16" => [0, 1, 2].map(|which| operands(&SPECIAL16, 16, which)),
        "pairs_bf16" => inputs("pairs32").map(|list| list.iter().map(|bits| bits >> 16).collect()),
        "mixed" => {
            let [a, b, _] = inputs("pairs16");
            let [_, _, c] = inputs("pairs32");
            [a, b, c]
        }
        "pairs32" => [0, 1, 2].map(|which| operands(&SPECIAL32, 32, which)),
        other => panic!("there is no input set `{other}`"),
    }
}

/// The n-th number of splitmix64, from 0 on.
fn mixed(n: u64, seed: u64) -> u64 {
    let mut z = (n + 1 + (seed << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn shifted(n: u64, bits: u64) -> u64 {
    ((mixed(n, 0) as i64) >> (n % bits)) as u64
}

fn near_f16() -> Vec<u64> {
    let lows = [0, 1, 0xfff, 0x1000, 0x1001, 0x1fff];
    let special = [
        0,
        0x8000_0000,
        1,
        0x8000_0001,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0xffc1_2345,
        0x7f7f_ffff,
        0xff7f_ffff,
    ];
    let mut list = Vec::new();
    for sign in 0..2 {
        for exponent in 101..145 {
            for upper in 0..1024 {
                let head = sign << 31 | exponent << 23 | upper << 13;
                list.extend(lows.map(|low| head | low));
            }
        }
    }
    list.extend(special.into_iter().cycle().take(4096));
    list
}

fn near_int() -> Vec<u64> {
    let upper = (0..65_536_u64).map(|n| n << 16);
    let others = (0..65_536_u64).map(|n| n << 16 | mixed(n, 0) & 0xffff);
    let halves = (-65_536..65_536).map(|n: i32| u64::from((n as f32 / 2.0).to_bits()));
    upper.chain(others).chain(halves).collect()
}

fn small(n: u64) -> u64 {
    let random = mixed(n, 0);
    let bits = ((97 + random % 36) as u32) << 23 | (random >> 8) as u32 & 0x7f_ffff;
    let magnitude = f32::from_bits(bits);
    let folded = if magnitude > 87.0 {
        magnitude / 64.0
    } else {
        magnitude
    };
    u64::from(folded.to_bits() | ((random >> 40 & 1) as u32) << 31)
}

fn positive(n: u64) -> u64 {
    let random = mixed(n, 0);
    match n % 2 {
        0 => random % 0x7f7f_ffff + 1,
        _ => 0x3f70_0000 + (random >> 32 & 0x1f_ffff),
    }
}

const SPECIAL16: [u64; 28] = [
    0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x83ff, 0x8400, 0x3c00, 0xbc00, 0x3c01, 0x3bff, 0x7bff,
    0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7800, 0x7801, 0x4000, 0x3555, 0x1400, 0x13ff, 0x6800,
    0x200, 0x5bff, 0xdbff,
];
const SPECIAL32: [u64; 28] = [
    0,
    0x8000_0000,
    1,
    0x8000_0001,
    0x7f_ffff,
    0x80_0000,
    0x8080_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x3f80_0001,
    0x3f7f_ffff,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc1_2345,
    0x7f00_0000,
    0x4000_0000,
    0x3eaa_aaab,
    0x4b80_0000,
    0x4b7f_ffff,
    0x3380_0000,
    0x3380_0001,
    0x2000_0000,
    0x5f00_0000,
    0x1f80_0000,
    0x5f7f_ffff,
];

/// Specials with specials, then random bits, every second with an exponent near the middle.
fn operands(special: &[u64], bits: u32, which: u64) -> Vec<u64> {
    let count = special.len() as u64;
    let (exponent, mantissa) = if bits == 16 {
        (0x7c00, 10)
    } else {
        (0x7f80_0000, 23)
    };
    let middle = (exponent >> 1 & exponent) - (4 << mantissa);
    let every = [1, count, 7][which as usize];
    let one = |n: u64| {
        let random = mixed(n, which + 1);
        let free = random >> (64 - bits);
        if n < count * count {
            special[(n / every % count) as usize]
        } else if n.is_multiple_of(2) {
            free
        } else {
            free & !exponent | (middle + ((random & 7) << mantissa))
        }
    };
    (0..65_536).map(one).collect()
}
