//! Block sizes of a matrix product, by rule.

use isa::chip::Chip;
use isa::cost;
use isa::types::{Elem, Space};

use super::Extents;
use crate::errors;
use crate::partition::Window;
use crate::schedule::space::{Candidate, Lack, StepSpace, Term};
use crate::schedule::{ANY_SWIZZLE, Given, Knob, Values, swizzle};
use crate::tiling::Result;
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
    /// Copies of a packet in L1.
    pub(crate) l1_depth: u32,
    /// Copies of a step in L0A and L0B.
    pub(crate) l0_depth: u32,
    /// Accumulators in L0C.
    pub(crate) acc_depth: u32,
    /// The order of blocks: 0 row by row; else so many blocks beside each other share their rows, and the next so many
    /// are one row of blocks further down; below 0 strips of so many rows of blocks, each column by column.
    pub(crate) diagonal: i64,
}

/// The block sizes of `-O0`: 64×64×64, one at a time.
pub(crate) const PLAIN: Tiles = Tiles {
    m: 64,
    n: 64,
    k_l1: 64,
    k_l0: 64,
    l1_depth: 1,
    l0_depth: 1,
    acc_depth: 1,
    diagonal: 0,
};

impl Tiles {
    /// The same as values of a schedule.
    pub(crate) fn values(&self) -> Values {
        let depth = i64::from;
        [
            (Knob::Rows, self.m),
            (Knob::Cols, self.n),
            (Knob::Packet, self.k_l1),
            (Knob::PacketDepth, depth(self.l1_depth)),
            (Knob::Step, self.k_l0),
            (Knob::StepDepth, depth(self.l0_depth)),
            (Knob::AccDepth, depth(self.acc_depth)),
            (Knob::Order, self.diagonal),
        ]
        .into()
    }

    /// With what is given in the place of what is there.
    fn given(self, given: &Values) -> Tiles {
        let size = |knob: Knob, own: i64| given.get(&knob).copied().unwrap_or(own);
        let copies = |knob: Knob, own: u32| {
            let given = given.get(&knob).copied();
            given
                .and_then(|depth| u32::try_from(depth).ok())
                .unwrap_or(own)
        };
        Tiles {
            m: size(Knob::Rows, self.m),
            n: size(Knob::Cols, self.n),
            k_l1: size(Knob::Packet, self.k_l1),
            k_l0: size(Knob::Step, self.k_l0),
            l1_depth: copies(Knob::PacketDepth, self.l1_depth),
            l0_depth: copies(Knob::StepDepth, self.l0_depth),
            acc_depth: copies(Knob::AccDepth, self.acc_depth),
            diagonal: match size(Knob::Order, self.diagonal) {
                ANY_SWIZZLE => swizzle(STRIPS[0]),
                order => order,
            },
        }
    }

    /// With as many copies as hide what is copied: two of everything, where L0C has room for two accumulators.
    fn doubled(self, chip: &Chip) -> Tiles {
        let twice = self.m * self.n * 8 <= bytes(chip, Space::L0c);
        Tiles {
            l1_depth: 2,
            l0_depth: 2,
            acc_depth: if twice { 2 } else { 1 },
            ..self
        }
    }
}

fn bytes(chip: &Chip, space: Space) -> i64 {
    i64::try_from(chip.usable_bytes(space)).unwrap_or(0)
}

/// Sides of blocks worth trying.
const SIDES: [i64; 16] = [
    16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256,
];
/// Wider ones for results with few rows (columns): what L0C takes.
const WIDE: [i64; 9] = [320, 384, 448, 512, 576, 640, 768, 832, 1024];
/// Rows (columns) of a result whose blocks may be as wide.
const FEW: i64 = 64;
/// Turns of the groups that are few (we choose).
const FEW_TURNS: i64 = 8;
/// The least width that is preferred to wider ones for being even.
const LEAST_EVEN_WIDTH: i64 = 64;

/// What the sizes of a product are chosen for.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) chip: &'a Chip,
    pub(crate) extents: &'a Extents,
    /// No block is narrower than the others, if some width allows it: what vector cores do to a block is one run of
    /// elements then, whatever its rows.
    pub(crate) whole_columns: bool,
    pub(crate) window: Option<&'a Window>,
    /// What is decided already.
    pub(crate) given: &'a Values,
}

/// Sizes by rule: of those that fit twice into L0A, L0B and L1 and once into L0C, the ones whose slowest resource is done
/// first, with all groups at work. Rates are the chip's. None if nothing fits.
pub(crate) fn choose(task: &Task<'_>) -> Option<Tiles> {
    let mut best: Option<(i64, Tiles)> = None;
    for_each(task, &mut |cost, tiles| {
        let larger = |t: &Tiles| t.m * t.n < tiles.m * tiles.n;
        if best.is_none_or(|(c, t)| cost < c || (cost == c && larger(&t))) {
            best = Some((cost, tiles));
        }
    });
    best.map(|(_, tiles)| tiles)
}

/// Every size that can be made, and the best that cannot; gives the sizes in the order of the candidates.
pub(crate) fn space(task: &Task<'_>, into: &mut StepSpace) -> Vec<Tiles> {
    let (chip, e, size) = (task.chip, task.extents, task.extents.size());
    let all = candidates(task);
    for &(cycles, tiles) in &all {
        let (bound, binds) = match task.window {
            Some(_) => (0, Term::Cube),
            None => {
                let terms = terms(chip, &tiles, e, size);
                (terms.cube, binding(&terms))
            }
        };
        into.candidates.push(Candidate {
            values: tiles.values(),
            cycles,
            bound,
            binds,
            planned: false,
        });
    }
    if task.window.is_none() {
        lacking(task, into);
    }
    all.into_iter().map(|(_, tiles)| tiles).collect()
}

fn binding(terms: &Terms) -> Term {
    let names = [Term::Cube, Term::LoadL0, Term::LoadL1, Term::Drain];
    let all = names.into_iter().zip(terms.each);
    let most = all.max_by_key(|&(name, cycles)| (cycles, std::cmp::Reverse(name)));
    most.map_or(Term::Cube, |(name, _)| name)
}

/// The best block that L0C, L0A or L0B has no room for.
fn lacking(task: &Task<'_>, into: &mut StepSpace) {
    let (chip, e, size) = (task.chip, task.extents, task.extents.size());
    let k_l0 = round_up(e.k.min(64), 32);
    let (rows, cols) = sides(task);
    for &m in &rows {
        for &n in &cols {
            let tiles = Tiles {
                m,
                n,
                k_l0,
                k_l1: k_l0 * LONGEST_RAGGED_PACKET,
                ..PLAIN
            };
            let tiles = tiles.doubled(chip);
            let needs = [
                (Space::L0c, m * n * 4),
                (Space::L0a, 2 * m * k_l0 * size),
                (Space::L0b, 2 * n * k_l0 * size),
            ];
            let whole = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
            let over = (needs.into_iter()).find(|(space, needed)| *needed > bytes(chip, *space));
            if let Some((space, needed)) = over {
                into.lacks(Lack {
                    values: tiles.values(),
                    cycles: estimate(chip, &tiles, e, size),
                    space,
                    needed: whole(needed),
                    available: chip.usable_bytes(space),
                });
            }
        }
    }
}

/// Whether what is given can be: whole fractals, whole steps in a packet, and room for it.
pub(crate) fn check(task: &Task<'_>, given: &Given, name: &str) -> Result<()> {
    let size = task.extents.size();
    let unit = 32 / size.min(2);
    let k_unit = if size == 1 { 32 } else { 16 };
    let value = |knob: Knob| given.values.get(&knob).copied();
    let (step_unit, packet_unit) = match task.window {
        None => (k_unit, None),
        Some(window) => (window.block, whole_elements(window)),
    };
    let step = value(Knob::Step).unwrap_or(step_unit);
    let multiples = [
        (Knob::Rows, Some(unit)),
        (Knob::Cols, Some(unit)),
        (Knob::Step, Some(step_unit)),
        (Knob::Packet, Some(packet_unit.unwrap_or(step))),
    ];
    for (knob, unit) in multiples {
        if let (Some(value), Some(unit)) = (value(knob), unit)
            && value % unit.max(1) != 0
        {
            return Err(errors::schedule::not_a_multiple(given, knob, value, unit));
        }
    }
    if let (Some(window), Some(step)) = (task.window, value(Knob::Step))
        && !makes_steps(window, step, k_unit)
    {
        let by_rule = window_tiles((unit, unit), PACKETS[0], window).k_l0;
        let possible = [[(Knob::Step, by_rule)].into()];
        return Err(errors::schedule::no_such_size(given, Knob::Step, &possible));
    }
    let one = |knob: Knob, least: i64| value(knob).unwrap_or(least);
    let (m, n) = (one(Knob::Rows, unit), one(Knob::Cols, unit));
    let (step, packet) = (
        one(Knob::Step, k_unit),
        one(Knob::Packet, one(Knob::Step, k_unit)),
    );
    let (l1, l0, acc) = (
        one(Knob::PacketDepth, 1),
        one(Knob::StepDepth, 1),
        one(Knob::AccDepth, 1),
    );
    let packets = match task.window {
        // A band of the image is cut to the room that is left.
        Some(_) => n,
        None => m + n,
    };
    use Knob::{AccDepth, Cols, Packet, PacketDepth, Rows, Step, StepDepth};
    let needs: [(Space, i64, &[Knob], i64); 4] = [
        (Space::L0c, m * n * 4 * acc, &[AccDepth, Rows, Cols], acc),
        (
            Space::L0a,
            m * step * size * l0,
            &[StepDepth, Step, Rows],
            l0,
        ),
        (
            Space::L0b,
            n * step * size * l0,
            &[StepDepth, Step, Cols],
            l0,
        ),
        (
            Space::L1,
            packets * packet * size * l1,
            &[PacketDepth, Packet, Rows, Cols],
            l1,
        ),
    ];
    for (space, needed, knobs, depth) in needs {
        if needed > bytes(task.chip, space) {
            let possible: Vec<(i64, Values)> = (knobs.iter())
                .flat_map(|knob| {
                    let mut others = given.values.clone();
                    others.remove(knob);
                    candidates(&Task {
                        given: &others,
                        ..*task
                    })
                })
                .map(|(cycles, tiles)| (cycles, tiles.values()))
                .collect();
            let need = errors::schedule::Need {
                name,
                space,
                needed,
                knobs,
                depth,
            };
            return Err(errors::schedule::too_large(
                given, &need, &possible, task.chip,
            ));
        }
    }
    Ok(())
}

/// What a packet of a window is whole numbers of, where its channels are no whole blocks: all of them, for each element of
/// the window then comes by itself.
fn whole_elements(w: &Window) -> Option<i64> {
    (w.channels != w.padded()).then(|| w.padded())
}

/// Whether steps may have that length: one load takes several elements of a window where a block is all of their channels,
/// in whole fractals but for the last, and else a block of one element.
fn makes_steps(w: &Window, step: i64, k_unit: i64) -> bool {
    match w.padded() == w.block {
        true => step % k_unit == 0 || step >= w.taps() * w.padded(),
        false => step == w.block,
    }
}

/// All sizes that the rule chooses from, each with the cycles that it reckons with.
pub(crate) fn candidates(task: &Task<'_>) -> Vec<(i64, Tiles)> {
    let mut all = Vec::new();
    for_each(task, &mut |cost, tiles| all.push((cost, tiles)));
    all
}

fn for_each(task: &Task<'_>, found: &mut dyn FnMut(i64, Tiles)) {
    let Task { chip, extents, .. } = *task;
    let size = extents.size();
    let unit = 32 / size.min(2);
    let (rows, cols) = sides(task);
    for &m in &rows {
        for &n in &cols {
            let sides = (round_up(m, unit), round_up(n, unit));
            match task.window {
                None => {
                    for tiles in fits(task, sides, size) {
                        for diagonal in orders(task, &tiles) {
                            let tiles = Tiles { diagonal, ..tiles };
                            found(estimate(chip, &tiles, extents, size), tiles);
                        }
                    }
                }
                Some(window) => {
                    for tiles in window_fitting(task, sides, window) {
                        found(estimate_window(chip, &tiles, extents, window, size), tiles);
                    }
                }
            }
        }
    }
}

/// Heights of a strip worth trying, in rows of blocks.
const STRIPS: [i64; 4] = [4, 2, 3, 8];

/// Orders of blocks worth trying: that of rows, and the one in which cores at work have different rows and columns.
fn orders(task: &Task<'_>, t: &Tiles) -> Vec<i64> {
    let e = task.extents;
    match task.given.get(&Knob::Order) {
        Some(&ANY_SWIZZLE) => STRIPS.into_iter().map(swizzle).collect(),
        Some(order) => vec![*order],
        None if e.m > t.m && e.n > t.n => vec![0, 1],
        None => vec![0],
    }
}

/// Whether blocks of usual width are so few that they need not come out even for all groups.
fn is_short(task: &Task<'_>) -> bool {
    let (e, chip) = (task.extents, task.chip);
    let widest = SIDES[SIDES.len() - 1];
    let blocks = (ceil_div(e.m, widest) * ceil_div(e.n, widest)).saturating_mul(e.outer);
    task.window.is_none() && blocks < FEW_TURNS * i64::try_from(chip.cores.cube).unwrap_or(1)
}

/// Rows and columns of blocks worth trying, or the ones that are given.
fn sides(task: &Task<'_>) -> (Vec<i64>, Vec<i64>) {
    let e = task.extents;
    let even = |n: i64| n >= LEAST_EVEN_WIDTH && e.n % n == 0;
    let only_even = task.whole_columns && SIDES.into_iter().any(even);
    let given = |knob: Knob| task.given.get(&knob).map(|side| vec![*side]);
    let rows = given(Knob::Rows).unwrap_or_else(|| {
        let wide = WIDE.into_iter().filter(|_| e.n <= FEW && is_short(task));
        let sides = SIDES.into_iter().chain(wide);
        sides.filter(|m| *m == 16 || *m < e.m + 16).collect()
    });
    let cols = given(Knob::Cols).unwrap_or_else(|| {
        let wide = WIDE.into_iter().filter(|_| e.m <= FEW && is_short(task));
        let sides = SIDES
            .into_iter()
            .chain(wide)
            .filter(|&n| even(n) || !only_even);
        sides.filter(|n| *n == 16 || *n < e.n + 16).collect()
    });
    (rows, cols)
}

/// Most steps of a packet: beyond, what a longer packet saves is less than what its first load costs.
const LONGEST_PACKET: i64 = 8;

/// Most steps of a packet that does not divide k.
const LONGEST_RAGGED_PACKET: i64 = 4;

/// Copies that are given, or as many as hide what is copied.
fn depth(given: &Values, knob: Knob) -> u32 {
    let given = given.get(&knob).copied();
    given
        .and_then(|depth| u32::try_from(depth).ok())
        .unwrap_or(2)
}

/// The sizes of a block, with the lengths of packet that fit. Long ones divide k: the steps of a shorter last packet
/// would be counted at run time, and their code could not be laid out ahead.
fn fits(task: &Task<'_>, (m, n): (i64, i64), size: i64) -> impl Iterator<Item = Tiles> + use<> {
    let room = |space: Space| bytes(task.chip, space);
    let given = |knob: Knob| task.given.get(&knob).copied();
    let (l1_depth, l0_depth) = (
        depth(task.given, Knob::PacketDepth),
        depth(task.given, Knob::StepDepth),
    );
    let copies = i64::from(l0_depth).max(1);
    let unit = if size == 1 { 32 } else { 16 };
    let longest =
        (room(Space::L0a) / copies / (m * size)).min(room(Space::L0b) / copies / (n * size));
    let k = task.extents.k;
    let k_l0 = given(Knob::Step)
        .filter(|k| *k <= longest)
        .unwrap_or_else(|| {
            (longest / unit * unit)
                .min(if size == 1 { 128 } else { 64 })
                .min(round_up(k, unit))
        });
    let k_l0 = match given(Knob::Step) {
        Some(k) if k > longest => 0,
        Some(_) | None => k_l0,
    };
    let acc = task.given.get(&Knob::AccDepth).copied().unwrap_or(1);
    let space = if m * n * 4 * acc > room(Space::L0c) || k_l0 < unit {
        0
    } else {
        room(Space::L1) / i64::from(l1_depth).max(1) / ((m + n) * size) / k_l0
    };
    let packet = given(Knob::Packet);
    let most = match packet {
        Some(_) => space,
        None => space.min(LONGEST_PACKET).min(ceil_div(k, k_l0.max(1))),
    };
    let packets = (1..=most).filter(move |p| match packet {
        Some(packet) => k_l0 * p == packet,
        None => k % (k_l0 * p) == 0 || *p >= most.min(LONGEST_RAGGED_PACKET),
    });
    let twice = m * n * 8 <= room(Space::L0c);
    let acc_depth = given(Knob::AccDepth).and_then(|depth| u32::try_from(depth).ok());
    packets.map(move |packets| Tiles {
        m,
        n,
        k_l1: k_l0 * packets,
        k_l0,
        l1_depth,
        l0_depth,
        acc_depth: acc_depth.unwrap_or(if twice { 2 } else { 1 }),
        diagonal: 0,
    })
}

/// Cycles of the whole product on all groups, if its slowest resource never waits.
fn estimate(chip: &Chip, t: &Tiles, e: &Extents, size: i64) -> i64 {
    terms(chip, t, e, size).total
}

/// What a product takes, resource by resource.
struct Terms {
    total: i64,
    /// Of one block: cube, loads to L0, packets to L1, drain.
    each: [i64; 4],
    /// Fractals of multiply-adds that some core cannot avoid, each a cycle.
    cube: i64,
}

fn terms(chip: &Chip, t: &Tiles, e: &Extents, size: i64) -> Terms {
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
    let at_once = AtOnce::of(groups, t, e);
    let repeated = at_once.repeated(chip, t, e);
    let packet = packet_cycles(chip, t, e, size, repeated);
    let rest = Tiles {
        k_l1: e.k % t.k_l1,
        ..*t
    };
    let last = match rest.k_l1 {
        0 => 0,
        _ => packet_cycles(chip, &rest, e, size, repeated),
    };
    let packets = e.k / t.k_l1 * packet + last;
    let drain = t.m * t.n * 4 / rate(chip.fix.gm_port_shared);
    let block = cube.max(mte1).max(packets);
    // The fixpipe drains one accumulator while the cube fills another, where L0C has room for both.
    let twice = t.acc_depth > 1;
    let each = if twice {
        block.max(drain)
    } else {
        block + drain
    };
    // What the first blocks read comes from memory, and everything does once.
    let far = |bytes: i64| {
        bytes / (rate(chip.memory.hbm_effective_mbps) / rate(chip.cores.clock_mhz)).max(1)
    };
    let first = far(at_once.elements(t, e).saturating_mul(size)) - each;
    let once = far((e.m + e.n)
        .saturating_mul(e.k)
        .saturating_mul(e.outer)
        .saturating_mul(size));
    let near = ceil_div(blocks, groups) * each + first.max(0) + packet + drain;
    Terms {
        total: match near < once {
            true => once + near / 16,
            false => near,
        },
        each: [cube, mte1, packets, drain],
        // Some core has its share of the blocks that are whole, and each of their whole steps.
        cube: ceil_div((e.m / t.m) * (e.n / t.n) * e.outer, groups)
            * (e.k / t.k_l0)
            * mf
            * nf
            * kf
            * passes,
    }
}

/// How many different rows and columns of blocks the groups work on at a time.
struct AtOnce {
    rows: i64,
    cols: i64,
}

impl AtOnce {
    fn of(groups: i64, t: &Tiles, e: &Extents) -> AtOnce {
        let (rows, cols) = (ceil_div(e.m, t.m), ceil_div(e.n, t.n));
        if t.diagonal < 0 {
            let high = rows.min(t.diagonal.saturating_neg()).clamp(1, groups);
            let wide = ceil_div(groups, high).min(cols);
            return AtOnce {
                rows: high,
                cols: wide.max(1),
            };
        }
        let wide = groups.min(cols);
        let high = ceil_div(groups, cols);
        let rows = match t.diagonal {
            0 => high.min(rows * e.outer),
            beside => rows
                .min(ceil_div(wide, beside) + high - 1)
                .max(high.min(rows * e.outer)),
        };
        AtOnce {
            rows: rows.clamp(1, groups),
            cols: wide.max(1),
        }
    }

    /// How many in a thousand reads of rows and of columns are of lines that another group reads too.
    fn repeated(&self, chip: &Chip, t: &Tiles, e: &Extents) -> [u64; 2] {
        let groups = i64::try_from(chip.cores.cube).unwrap_or(1).max(1);
        let line = i64::try_from(chip.memory.l2_line).unwrap_or(1).max(1);
        [(0, self.rows, t.m, e.m), (1, self.cols, t.n, e.n)].map(|(side, own, free, all)| {
            // Blocks beside each other have lines in common where they lie side by side and do not end with a line.
            let in_common = e.k_major[side] && free * e.size() % line != 0 && free < all;
            let often = match in_common {
                true => 1000,
                false => 1000 * (groups - own) / groups,
            };
            u64::try_from(often).unwrap_or(0)
        })
    }

    /// Elements of both factors in these blocks.
    fn elements(&self, t: &Tiles, e: &Extents) -> i64 {
        let sides = self.rows * t.m.min(e.m) + self.cols * t.n.min(e.n);
        sides.saturating_mul(e.k)
    }
}

/// Cycles in which a packet of both factors comes to L1 while every group does the same; `repeated` says how many in a
/// thousand reads of each factor several groups do at once.
fn packet_cycles(chip: &Chip, t: &Tiles, e: &Extents, size: i64, repeated: [u64; 2]) -> i64 {
    let whole = |x: i64| u64::try_from(x).unwrap_or(0);
    let slower = chip.memory.l2_shared_line_milli.saturating_sub(1000);
    let shares = repeated.map(|often| {
        chip.memory.l2_mbps * 1000
            / (1000 + slower * often / 1000)
            / chip.cores.clock_mhz.max(1)
            / chip.cores.cube.max(1)
    });
    let distant =
        chip.memory.hbm_effective_mbps / chip.cores.clock_mhz.max(1) / chip.cores.cube.max(1);
    let copy = |free: i64, side: usize| {
        let (k_major, share) = (e.k_major[side], shares[side]);
        let k = t.k_l1.min(e.k);
        let (rows, cols, all) = match k_major {
            true => (k, free, [e.m, e.n][side]),
            false => (free, k, e.k),
        };
        let row = whole(cols * size);
        // Whole rows follow each other, wherever they begin.
        let even = e.even[side] || cols == all;
        let begins = cols == all || row.is_multiple_of(chip.memory.l2_sector.max(1));
        // Rows that begin inside a sector ask for whole lines, of which those at both ends come from afar each time.
        let line = chip.memory.l2_line;
        let rate = match (even, begins) {
            (true, true) => share,
            (true, false) => share.saturating_mul(row) / row.saturating_add(line).max(1),
            (false, _) => {
                let far = (2 * line).min(line.saturating_add(row));
                let near = row.saturating_sub(line) / share.max(1);
                row / near.saturating_add(far / distant.max(1)).max(1)
            }
        };
        cost::nd2nz_cycles(whole(rows), row, rate.max(1), chip)
    };
    let cycles = copy(t.m.min(e.m), 0).saturating_add(copy(t.n.min(e.n), 1));
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
fn window_fitting(task: &Task<'_>, sides: (i64, i64), w: &Window) -> Vec<Tiles> {
    let given = |knob: Knob| task.given.get(&knob).copied();
    let lengths = match given(Knob::Packet) {
        Some(packet) => vec![packet],
        None => PACKETS.to_vec(),
    };
    let tiles = (lengths.into_iter())
        .map(|k| {
            window_tiles(sides, k, w)
                .doubled(task.chip)
                .given(task.given)
        })
        .filter(|tiles| given(Knob::Packet).is_none_or(|packet| tiles.k_l1 == packet))
        .filter(|tiles| given(Knob::Step).is_none_or(|step| tiles.k_l0 == step));
    let e = task.extents;
    tiles
        .filter(|tiles| window_fits(task.chip, tiles, w, e, e.size()))
        .collect()
}

/// The block sizes of `-O0`: the same for all, or the first smaller ones that L1 has room for.
pub(crate) fn plain(task: &Task<'_>) -> Tiles {
    let plain = match task.window {
        None => PLAIN,
        Some(window) => plain_window(task, window),
    };
    plain.given(task.given)
}

fn plain_window(task: &Task<'_>, w: &Window) -> Tiles {
    let (chip, e) = (task.chip, task.extents);
    let size = e.size();
    let least = 32 / size.min(2);
    let sides =
        [PLAIN.m, least].map(|m| [PLAIN.k_l1, least].map(|k| window_tiles((m, PLAIN.n), k, w)));
    let mut all = sides.as_flattened().iter().copied();
    let fitting = (all.clone()).find(|t| window_fits(chip, &t.doubled(chip), w, e, size));
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
        ..PLAIN
    }
}

fn window_fits(chip: &Chip, t: &Tiles, w: &Window, e: &Extents, size: i64) -> bool {
    let room = |space: Space| bytes(chip, space);
    let band = Band::of(chip, t.l1_depth, t, w, e.elem);
    let channels = if band.whole { w.padded() } else { t.k_l1 };
    let image = round_up(band.elements, 32) * round_up(channels, 32 / size.min(2)) * size;
    let weights = i64::from(t.l1_depth) * round_up(t.n, 32) * round_up(t.k_l1, 32) * size;
    let steps = i64::from(t.l0_depth);
    steps * t.m * t.k_l0 * size <= room(Space::L0a)
        && steps * t.n * t.k_l0 * size <= room(Space::L0b)
        && i64::from(t.acc_depth) * t.m * t.n * 4 <= room(Space::L0c)
        && i64::from(band.depth) * image + weights <= room(Space::L1)
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
    // A step of few fractals waits for the one before it in the same accumulator.
    let alone = match mf * nf >= rate(chip.cube.barrier_fractals) {
        true => rate(chip.cube.fixed),
        false => rate(chip.cube.fixed) + rate(chip.cube.head) + rate(chip.cube.tail),
    };
    let cube = steps * (mf * nf * kf * passes + alone);
    let image_fractal = rate(chip.mte1.l0a_fractal) * w.step[1];
    let mte1 = steps * kf * (mf * image_fractal + nf * rate(chip.mte1.l0b_fractal));
    let weights = Extents {
        k_major: [false, e.k_major[1]],
        ..*e
    };
    let none = Tiles { m: 0, ..*t };
    let packet = packet_cycles(chip, &none, &weights, size, [1000; 2]);
    let band = Band::of(chip, t.l1_depth, t, w, e.elem);
    let image = band.elements * w.padded() * size / rate(chip.fix.gm_port_shared);
    let again = if band.whole { 1 } else { w.taps() };
    let copies = ceil_div(e.k, t.k_l1) * packet + image * again;
    let drain = t.m * t.n * 4 / rate(chip.fix.gm_port_shared);
    let twice = t.acc_depth > 1;
    let block = cube.max(mte1).max(copies);
    let each = if twice {
        block.max(drain)
    } else {
        block + drain
    };
    ceil_div(blocks, rate(chip.cores.cube)) * each + packet + image + drain
}
