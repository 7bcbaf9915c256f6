//! Block sizes of a matrix product, by rule.

use isa::chip::Chip;
use isa::types::{Elem, Space};

use super::Extents;
use crate::tiling::expr::{ceil_div, round_up};

/// Sizes of blocks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tiles {
    /// Rows of a block of the result.
    pub(crate) m: i64,
    /// Columns of a block of the result.
    pub(crate) n: i64,
    /// k of a packet in L1.
    pub(crate) k_l1: i64,
    /// k of a step in L0.
    pub(crate) k_l0: i64,
}

/// The block sizes of `-O0`: 64×64×64, one at a time.
pub(crate) const PLAIN: Tiles = Tiles {
    m: 64,
    n: 64,
    k_l1: 64,
    k_l0: 64,
};

/// Sides of blocks worth trying.
const SIDES: [i64; 16] = [
    16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256,
];
/// The least width that is preferred to wider ones for being even.
const LEAST_EVEN_WIDTH: i64 = 64;

/// Block sizes by rule: of those that fit twice into L0A, L0B and L1 and once into L0C, the one whose slowest resource
/// is done first, with all groups at work. Rates are the chip's.
///
/// With `whole_columns` no block is narrower than the others, if some width allows it: what vector cores do to a block
/// is one run of elements then, whatever its rows.
pub(crate) fn choose(chip: &Chip, e: &Extents, whole_columns: bool) -> Tiles {
    let even = |n: i64| n >= LEAST_EVEN_WIDTH && e.n % n == 0;
    let only_even = whole_columns && SIDES.into_iter().any(even);
    let size = i64::try_from(e.elem.bytes()).unwrap_or(4);
    let unit = 32 / size.min(2);
    let mut best: Option<(i64, Tiles)> = None;
    for m in SIDES.into_iter().filter(|m| *m == 16 || *m < e.m + 16) {
        let widths = SIDES.into_iter().filter(|&n| even(n) || !only_even);
        for n in widths.filter(|n| *n == 16 || *n < e.n + 16) {
            let (m, n) = (round_up(m, unit), round_up(n, unit));
            let Some(tiles) = fit(chip, m, n, e, size) else {
                continue;
            };
            let cost = estimate(chip, &tiles, e, size);
            let better = best.is_none_or(|(c, t)| cost < c || (cost == c && t.m * t.n < m * n));
            if better {
                best = Some((cost, tiles));
            }
        }
    }
    best.map_or(PLAIN, |(_, tiles)| tiles)
}

fn fit(chip: &Chip, m: i64, n: i64, e: &Extents, size: i64) -> Option<Tiles> {
    let bytes = |space: Space| i64::try_from(chip.usable_bytes(space)).unwrap_or(0);
    if m * n * 4 > bytes(Space::L0c) {
        return None;
    }
    let unit = if size == 1 { 32 } else { 16 };
    let longest = (bytes(Space::L0a) / 2 / (m * size)).min(bytes(Space::L0b) / 2 / (n * size));
    let k_l0 = (longest / unit * unit).min(256).min(round_up(e.k, unit));
    if k_l0 < unit {
        return None;
    }
    let k_l0 = k_l0.min(if size == 1 { 128 } else { 64 }.max(unit));
    let room = bytes(Space::L1) / 2 / ((m + n) * size) / k_l0;
    let packets = room.min(4).min(ceil_div(e.k, k_l0)).max(0);
    (packets > 0).then_some(Tiles {
        m,
        n,
        k_l1: k_l0 * packets,
        k_l0,
    })
}

/// Cycles of the whole product on all groups, if its slowest resource never waits.
fn estimate(chip: &Chip, t: &Tiles, e: &Extents, size: i64) -> i64 {
    let rate = |x: u64| i64::try_from(x).unwrap_or(1).max(1);
    let groups = rate(chip.cores.cube);
    let blocks = ceil_div(e.m, t.m) * ceil_div(e.n, t.n) * e.outer;
    let steps = ceil_div(e.k, t.k_l0);
    let k0 = 32 / size;
    let passes = if e.elem == Elem::F32 {
        rate(chip.cube.k_f16) / 2 / rate(chip.cube.k_f32)
    } else {
        1
    };
    let (mf, nf, kf) = (ceil_div(t.m, 16), ceil_div(t.n, 16), ceil_div(t.k_l0, k0));
    let cube = steps * (mf * nf * kf * passes + rate(chip.cube.fixed));
    let mte1 = steps * kf * (mf * rate(chip.mte1.l0a_fractal) + nf * rate(chip.mte1.l0b_fractal));
    let clock = rate(chip.cores.clock_mhz);
    let l2 =
        rate(chip.memory.l2_mbps) * 1000 / rate(chip.memory.l2_shared_line_milli) / clock / groups;
    let port = rate(chip.mte2.nd2nz_port).min(l2.max(1));
    let mte2 = (t.m + t.n) * e.k * size / port;
    let drain = t.m * t.n * 4 / rate(chip.fix.gm_port_shared);
    ceil_div(blocks, groups) * (cube.max(mte1).max(mte2) + drain)
}
