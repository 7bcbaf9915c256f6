//! Block sizes of a matrix product, by rule.

use isa::chip::Chip;
use isa::cost;
use isa::types::{Elem, Space};

use super::Extents;
use crate::partition::Window;
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
            for tiles in fits(chip, (round_up(m, unit), round_up(n, unit)), e, size) {
                let cost = estimate(chip, &tiles, e, size);
                let larger = |t: &Tiles| t.m * t.n < tiles.m * tiles.n;
                if best.is_none_or(|(c, t)| cost < c || (cost == c && larger(&t))) {
                    best = Some((cost, tiles));
                }
            }
        }
    }
    best.map_or(PLAIN, |(_, tiles)| tiles)
}

/// Most steps of a packet: beyond, what a longer packet saves is less than what its first load costs.
const LONGEST_PACKET: i64 = 8;

/// Most steps of a packet that does not divide k.
const LONGEST_RAGGED_PACKET: i64 = 4;

/// The sizes of a block, with the lengths of packet that fit. Long ones divide k: the steps of a shorter last packet
/// would be counted at run time, and their code could not be laid out ahead.
fn fits(
    chip: &Chip,
    (m, n): (i64, i64),
    e: &Extents,
    size: i64,
) -> impl Iterator<Item = Tiles> + use<> {
    let bytes = |space: Space| i64::try_from(chip.usable_bytes(space)).unwrap_or(0);
    let unit = if size == 1 { 32 } else { 16 };
    let longest = (bytes(Space::L0a) / 2 / (m * size)).min(bytes(Space::L0b) / 2 / (n * size));
    let k_l0 = (longest / unit * unit)
        .min(if size == 1 { 128 } else { 64 })
        .min(round_up(e.k, unit));
    let room = if m * n * 4 > bytes(Space::L0c) || k_l0 < unit {
        0
    } else {
        bytes(Space::L1) / 2 / ((m + n) * size) / k_l0
    };
    let most = room.min(LONGEST_PACKET).min(ceil_div(e.k, k_l0.max(1)));
    let k = e.k;
    let packets =
        (1..=most).filter(move |p| k % (k_l0 * p) == 0 || *p == most.min(LONGEST_RAGGED_PACKET));
    packets.map(move |packets| Tiles {
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
    let packets = ceil_div(e.k, t.k_l1);
    let packet = packet_cycles(chip, t, e, size);
    let drain = t.m * t.n * 4 / rate(chip.fix.gm_port_shared);
    let block = cube.max(mte1).max(packets * packet);
    // The fixpipe drains one accumulator while the cube fills another, where L0C has room for both.
    let twice = t.m * t.n * 8 <= i64::try_from(chip.usable_bytes(Space::L0c)).unwrap_or(0);
    let each = if twice {
        block.max(drain)
    } else {
        block + drain
    };
    ceil_div(blocks, groups) * each + packet + drain
}

/// Cycles in which a packet of both factors comes to L1 while every group does the same.
fn packet_cycles(chip: &Chip, t: &Tiles, e: &Extents, size: i64) -> i64 {
    let whole = |x: i64| u64::try_from(x).unwrap_or(0);
    let share = chip.memory.l2_mbps * 1000
        / chip.memory.l2_shared_line_milli.max(1)
        / chip.cores.clock_mhz.max(1)
        / chip.cores.cube.max(1);
    let copy = |free: i64, k_major: bool| {
        let k = t.k_l1.min(e.k);
        let (rows, cols) = if k_major { (k, free) } else { (free, k) };
        // Rows that begin inside a sector ask for whole lines.
        let row = whole(cols * size);
        let asked = if row.is_multiple_of(chip.memory.l2_sector.max(1)) {
            row
        } else {
            row.saturating_add(chip.memory.l2_line)
        };
        let rate = share.saturating_mul(row) / asked.max(1);
        cost::nd2nz_cycles(whole(rows), row, rate.max(1), chip)
    };
    let cycles = copy(t.m.min(e.m), e.k_major[0]).saturating_add(copy(t.n.min(e.n), e.k_major[1]));
    i64::try_from(cycles).unwrap_or(i64::MAX / 1_000_000)
}

/// How a band of an image lies in L1.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Band {
    /// Elements of the image that there is room for.
    pub(crate) elements: i64,
    /// All channels are there at once; else the channels of one packet.
    pub(crate) whole: bool,
    /// Copies.
    pub(crate) depth: u32,
}

impl Band {
    /// The band that blocks of `t.m` positions need, as often and as whole as L1 has room beside the weights.
    pub(crate) fn of(chip: &Chip, depth: u32, t: &Tiles, w: &Window, elem: Elem) -> Band {
        let size = i64::try_from(elem.bytes()).unwrap_or(4);
        let room = i64::try_from(chip.usable_bytes(Space::L1)).unwrap_or(0);
        let left = room - i64::from(depth) * round_up(t.n, 32) * round_up(t.k_l1, 32) * size;
        // Positions that begin inside a row meet one row more.
        let [high, wide] = w.positions;
        let rows = high.min((t.m + wide - 2) / wide + 1);
        let height = w.image[0].min((rows - 1) * w.step[0] + w.reach(0));
        let elements = height.saturating_mul(w.image[1]);
        let bytes = round_up(elements, 32)
            .saturating_mul(round_up(w.padded(), 32 / size.min(2)))
            .saturating_mul(size);
        let whole = bytes <= left || w.channels != w.padded() || w.padded() % t.k_l1 != 0;
        let twice = !whole || bytes.saturating_mul(2) <= left;
        Band {
            elements,
            whole,
            depth: if twice { depth } else { 1 },
        }
    }
}

/// Lengths of packets of weights worth trying, in elements of the reduction.
const PACKETS: [i64; 6] = [1024, 512, 256, 128, 64, 16];

/// Columns of a step where one block of channels is all there is: the elements of the window then follow each other.
const LONGEST_STEP: i64 = 64;

/// Block sizes of a window over an image, by the same rule as those of a plain product.
pub(crate) fn choose_window(chip: &Chip, e: &Extents, w: &Window, whole_columns: bool) -> Tiles {
    let even = |n: i64| n >= LEAST_EVEN_WIDTH && e.n % n == 0;
    let only_even = whole_columns && SIDES.into_iter().any(even);
    let size = i64::try_from(e.elem.bytes()).unwrap_or(4);
    let unit = 32 / size.min(2);
    let mut best: Option<(i64, Tiles)> = None;
    for m in SIDES.into_iter().filter(|m| *m == 16 || *m < e.m + 16) {
        let widths = SIDES.into_iter().filter(|&n| even(n) || !only_even);
        for n in widths.filter(|n| *n == 16 || *n < e.n + 16) {
            let sides = (round_up(m, unit), round_up(n, unit));
            for tiles in PACKETS.map(|k| window_tiles(sides, k, w)) {
                if !window_fits(chip, &tiles, w, e, size) {
                    continue;
                }
                let cost = estimate_window(chip, &tiles, e, w, size);
                let larger = |t: &Tiles| t.m * t.n < tiles.m * tiles.n;
                if best.is_none_or(|(c, t)| cost < c || (cost == c && larger(&t))) {
                    best = Some((cost, tiles));
                }
            }
        }
    }
    best.map_or_else(|| plain_window(chip, e, w), |(_, tiles)| tiles)
}

/// The block sizes of `-O0` for a window: those of a plain product, or the first smaller ones that L1 has room for.
pub(crate) fn plain_window(chip: &Chip, e: &Extents, w: &Window) -> Tiles {
    let size = i64::try_from(e.elem.bytes()).unwrap_or(4);
    let least = 32 / size.min(2);
    let sides =
        [PLAIN.m, least].map(|m| [PLAIN.k_l1, least].map(|k| window_tiles((m, PLAIN.n), k, w)));
    let mut all = sides.as_flattened().iter().copied();
    let fitting = all.clone().find(|t| window_fits(chip, t, w, e, size));
    fitting.or_else(|| all.next()).unwrap_or(PLAIN)
}

/// Steps of a block of channels (or of several elements of the window), packets of whole steps and about `k` long.
fn window_tiles((m, n): (i64, i64), k: i64, w: &Window) -> Tiles {
    let (block, padded) = (w.block, w.padded());
    let total = w.taps() * padded;
    let k_l0 = if padded == block {
        (LONGEST_STEP / block * block).clamp(block, total)
    } else {
        block
    };
    let k_l1 = if w.channels != padded {
        // Each element of the window comes by itself.
        (k / padded).max(1) * padded
    } else {
        // A packet that does not divide the reduction leaves lengths to be counted at run time.
        let most = round_up(k, k_l0).min(round_up(total, k_l0)) / k_l0;
        let even = (1..=most).rev().find(|p| total % (p * k_l0) == 0);
        even.filter(|p| 2 * p > most).unwrap_or(most) * k_l0
    };
    Tiles {
        m,
        n,
        k_l1: k_l1.min(round_up(total, k_l0)),
        k_l0,
    }
}

fn window_fits(chip: &Chip, t: &Tiles, w: &Window, e: &Extents, size: i64) -> bool {
    let bytes = |space: Space| i64::try_from(chip.usable_bytes(space)).unwrap_or(0);
    let band = Band::of(chip, 2, t, w, e.elem);
    let channels = if band.whole { w.padded() } else { t.k_l1 };
    let image = round_up(band.elements, 32) * round_up(channels, 32 / size.min(2)) * size;
    let weights = 2 * round_up(t.n, 32) * round_up(t.k_l1, 32) * size;
    2 * t.m * t.k_l0 * size <= bytes(Space::L0a)
        && 2 * t.n * t.k_l0 * size <= bytes(Space::L0b)
        && t.m * t.n * 4 <= bytes(Space::L0c)
        && i64::from(band.depth) * image + weights <= bytes(Space::L1)
}

/// Cycles of a window's product on all groups, if its slowest resource never waits.
fn estimate_window(chip: &Chip, t: &Tiles, e: &Extents, w: &Window, size: i64) -> i64 {
    let rate = |x: u64| i64::try_from(x).unwrap_or(1).max(1);
    let blocks = ceil_div(e.m, t.m) * ceil_div(e.n, t.n) * e.outer;
    let steps = ceil_div(e.k, t.k_l0);
    let passes = if e.elem == Elem::F32 {
        rate(chip.cube.k_f16) / 2 / rate(chip.cube.k_f32)
    } else {
        1
    };
    let (mf, nf, kf) = (ceil_div(t.m, 16), ceil_div(t.n, 16), t.k_l0 / w.block);
    // Steps are short, and each waits for the one before it in the same accumulator.
    let alone = rate(chip.cube.fixed) + rate(chip.cube.head) + rate(chip.cube.tail);
    let cube = steps * (mf * nf * kf * passes + alone);
    let image_fractal = rate(chip.mte1.l0a_fractal) * w.step[1];
    let mte1 = steps * kf * (mf * image_fractal + nf * rate(chip.mte1.l0b_fractal));
    let weights = Extents {
        k_major: [false, e.k_major[1]],
        ..*e
    };
    let none = Tiles { m: 0, ..*t };
    let packet = packet_cycles(chip, &none, &weights, size);
    let band = Band::of(chip, 2, t, w, e.elem);
    let image = band.elements * w.padded() * size / rate(chip.fix.gm_port_shared);
    let again = if band.whole { 1 } else { w.taps() };
    let copies = ceil_div(e.k, t.k_l1) * packet + image * again;
    let drain = t.m * t.n * 4 / rate(chip.fix.gm_port_shared);
    let twice = t.m * t.n * 8 <= i64::try_from(chip.usable_bytes(Space::L0c)).unwrap_or(0);
    let block = cube.max(mte1).max(copies);
    let each = if twice {
        block.max(drain)
    } else {
        block + drain
    };
    ceil_div(blocks, rate(chip.cores.cube)) * each + packet + image + drain
}
