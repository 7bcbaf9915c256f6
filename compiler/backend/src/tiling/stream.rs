//! Reductions over the same items in one pass: blocks of rows stay, blocks of items pass by.
//!
//! A group of cores has a block of rows. The cube core makes a block of scores and hands it to the two vector cores, which
//! take half of the rows each: they reduce the block to a record of the accumulator's fields, and hand the weights of
//! products over the items back. The cube core multiplies them and hands the parts over, and the vector cores merge the
//! record of the block with what they have. The cube core is two blocks of scores ahead of what it multiplies.
//!
//! Here is what the programs of both kinds of core must agree on: sizes, the walk over blocks, channels.

mod across;
mod cube;
mod gather;
mod mask;
mod sum;
mod vector;
mod walk;

use std::collections::BTreeSet;

use diag::Span;
use ir::algo::{self, Index};
use ir::tile::{Arg, Chan, ChanData, Func, Phase, Tensor};
use isa::chip::Chip;
use isa::cost;
use isa::types::{CoreKind, Elem, Space};

use self::gather::Left;
use self::mask::Limits;
use super::builder::Builder;
use super::expr::{GmMap, ceil_div, decode, round_up};
use super::{Result, StepCx, vector_phase, workspace};
use crate::Level;
use crate::partition::{Product, Stream};
use crate::schedule::{Given, Knob, Values};

/// Sizes of blocks.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Size {
    /// Rows that a group has at a time.
    m: i64,
    /// Items of a block.
    n: i64,
    /// Rows that a vector core computes with at a time.
    rows: i64,
    /// Copies of what DMA brings to and takes from the unified buffer.
    copies: u32,
    /// Items whose scores go through L0 at a time.
    scores: i64,
    /// Accumulators for them.
    dots: u32,
    /// Items whose products with their weights go through L0 at a time.
    steps: i64,
    /// Items that come to L1 at a time, and copies of them.
    packet: i64,
    packets: u32,
    /// How much of each of them comes at a time; where that is not all, a packet has the items of one tile of scores.
    slice: i64,
    /// Columns of products with the weights that L0C takes at a time; where they are not all, the weights of a whole block
    /// stay in L1 for as many turns.
    columns: i64,
    /// Items of those columns that come to L1 at a time.
    values: i64,
    /// Copies of the rows' factors in L1.
    ahead: u32,
    /// Whether the rows' factors stay in L0A for as long as the block of rows is.
    resident: bool,
    /// Whether all groups have as many blocks of items, and what they have of one block of rows is merged at last.
    split: bool,
}

impl Size {
    /// The same as values of a schedule.
    pub(crate) fn values(&self) -> Values {
        [
            (Knob::Rows, self.m),
            (Knob::Cols, self.n),
            (Knob::Strip, self.rows),
            (Knob::StripDepth, i64::from(self.copies)),
            (Knob::Scores, self.scores),
            (Knob::Weights, self.steps),
        ]
        .into()
    }
}

/// Sizes of what is given, the rest as one of the usual sizes has it; those that can be made.
pub(crate) fn given(
    (cx, stream): (&StepCx<'_>, &Stream),
    given: &Given,
    usual: &[Size],
) -> Vec<Size> {
    let value = |knob: Knob, own: i64| given.values.get(&knob).copied().unwrap_or(own);
    let with = |size: &Size| Size {
        m: value(Knob::Rows, size.m),
        n: value(Knob::Cols, size.n),
        rows: value(Knob::Strip, size.rows),
        copies: u32::try_from(value(Knob::StripDepth, i64::from(size.copies))).unwrap_or(1),
        scores: value(Knob::Scores, size.scores),
        steps: value(Knob::Weights, size.steps),
        ..*size
    };
    let possible = |size: &Size| {
        size.m % 32 == 0
            && size.m <= MOST_ROWS
            && size.n % 16 == 0
            && size.n <= LONGEST
            && size.rows % 8 == 0
            && (size.m / 2) % size.rows == 0
            && size.copies <= 2
            && size.scores % 16 == 0
            && size.scores <= size.n.min(MOST_SCORES)
            && size.steps % 16 == 0
            && size.steps <= size.n.min(SCORE_DEPTH)
    };
    let possible = usual.iter().map(with).filter(possible);
    possible.map(|size| size.with_room(cx, stream)).collect()
}

/// Further sizes for a search, with what each decides: other lengths of blocks, strips and steps in L0 beside those of
/// the rule.
pub(crate) fn more_sizes(
    cx: &StepCx<'_>,
    stream: &Stream,
    usual: &[(Values, Size)],
) -> Vec<(Values, Size)> {
    let rows = stream.cascade.rows.last().copied().unwrap_or(1);
    let short = |n: &i64| *n < stream.cascade.items + 64;
    let mut seen: BTreeSet<Values> = usual.iter().map(|(values, _)| values.clone()).collect();
    let known: Vec<Size> = usual.iter().map(|(_, size)| *size).collect();
    let mut more = Vec::new();
    for m in MORE_SIDES.into_iter().filter(|m| *m < rows + 32) {
        for n in MORE_LENGTHS.into_iter().filter(short) {
            for (strip, copies) in MORE_STRIPS {
                for (scores, weights) in MORE_STEPS {
                    let wanted: Values = [
                        (Knob::Rows, m),
                        (Knob::Cols, n),
                        (Knob::Strip, strip),
                        (Knob::StripDepth, copies),
                        (Knob::Scores, scores.min(n)),
                        (Knob::Weights, weights.min(n)),
                    ]
                    .into();
                    let mut with = cx.given.clone();
                    if !with.allows(&wanted) || !seen.insert(wanted.clone()) {
                        continue;
                    }
                    with.values = wanted;
                    // As it is made again from what it decides.
                    let size = given((cx, stream), &with, &known).into_iter().next();
                    more.extend(size.map(|size| (size.values(), size)));
                }
            }
        }
    }
    more
}

/// What a search tries beside the rule: rows of a group, lengths of a block, strips with their copies, and items whose
/// scores and whose products go through L0 at a time (we choose).
const MORE_SIDES: [i64; 4] = [128, 96, 64, 32];
const MORE_LENGTHS: [i64; 7] = [512, 384, 256, 192, 128, 96, 64];
const MORE_STRIPS: [(i64, i64); 4] = [(32, 1), (16, 2), (16, 1), (8, 2)];
const MORE_STEPS: [(i64, i64); 5] = [(128, 64), (128, 32), (64, 64), (64, 32), (32, 64)];

/// Rows that a group has at most, and items whose scores go through L0 at a time: what L0C has room for twice.
const MOST_ROWS: i64 = 128;
const MOST_SCORES: i64 = 128;

/// Items of a block at most (we choose): what merging costs is small beside them.
const LONGEST: i64 = 512;
/// Elements of a right operand of weights in L0, and of a tile of scores (we choose): two of each and what else is
/// there fit.
const VALUES: i64 = 8192;
const SCORES: i64 = 8192;
/// Depth of a reduction of scores in L0.
const SCORE_DEPTH: i64 = 64;
/// Rows whose start-up a block of rows is reckoned to cost besides its own.
const START_UP: i64 = 48;

/// Sizes worth trying, the best by rule first.
pub(crate) fn sizes(cx: &StepCx<'_>, stream: &Stream) -> Vec<Size> {
    let rows = stream.cascade.rows.last().copied().unwrap_or(1);
    let outer: i64 = stream.cascade.rows.iter().product::<i64>() / rows.max(1);
    let items = stream.cascade.items;
    let (sides, lengths): (&[i64], &[i64]) = match cx.level {
        Level::O0 => (&[32], &[64, 16]),
        Level::O1 | Level::O3 => (&[128, 96, 64, 32], &[LONGEST, 256, 128, 64, 16]),
    };
    let groups = i64::from(cx.groups);
    let longest = lengths.iter().find(|n| **n < items + 64).copied();
    let time = |m: i64| {
        let work = Work::new(cx, stream, (m, longest.unwrap_or(16)));
        if may_cross(cx, stream) {
            return work.whole().min(work.even()).saturating_mul(m + START_UP);
        }
        let blocks = outer.saturating_mul(ceil_div(rows, m));
        ceil_div(blocks, groups).saturating_mul(m + START_UP)
    };
    let mut sides: Vec<i64> = (sides.iter().copied())
        .filter(|m| *m == 32 || *m < rows + 32)
        .collect();
    sides.sort_by_key(|m| (time(*m), -m));
    let mut sizes = Vec::new();
    for m in sides {
        for &n in lengths.iter().filter(|n| **n == 16 || **n < items + 64) {
            let scores = (SCORES / m / 16 * 16).clamp(16, 128).min(n);
            let columns = columns(cx, stream, (m, scores));
            let (scores, dots) = match alternating(cx, stream, (m, columns), n) {
                Some(scores) => (scores, 1),
                None => (scores, 2),
            };
            let steps = (VALUES / columns / 16 * 16).clamp(16, 64).min(n);
            // Scores are read once at first and weights written at last, so one copy of each hides as well.
            for (rows, copies) in [(16, 2), (16, 1), (8, 2), (8, 1)] {
                let size = Size {
                    m,
                    n,
                    rows,
                    copies,
                    scores,
                    dots,
                    steps,
                    packet: steps.max(scores),
                    packets: 2,
                    slice: i64::MAX,
                    columns,
                    values: steps,
                    ahead: 2,
                    resident: false,
                    split: false,
                };
                sizes.push(size.with_room(cx, stream));
            }
        }
    }
    sizes
}

/// Whether the walk goes on from one block of rows into the next: where all blocks of items count for every row, and there
/// are products that come later than their weights.
fn may_cross(cx: &StepCx<'_>, stream: &Stream) -> bool {
    let limits = || Limits::of(cx.algo, &stream.cascade);
    let known = cx.algo.symbols.is_empty();
    known && cx.crosses && cx.level != Level::O0 && !stream.sums.is_empty() && limits().is_none()
}

/// What there is to do with blocks of rows and items of some size, in units of one block of each.
struct Work {
    /// Blocks of rows, units of each, groups.
    blocks: i64,
    per: i64,
    groups: i64,
    /// Bytes of what is accumulated of a block of rows, and bytes that a unit moves.
    kept: i64,
    moved: i64,
}

impl Work {
    fn new(cx: &StepCx<'_>, stream: &Stream, (m, n): (i64, i64)) -> Work {
        let extent = |index: Index| cx.algo.indices[index].extent;
        let depths: i64 = stream.scores.iter().map(|p| extent(p.k)).sum();
        let widths: i64 = stream.sums.iter().map(|(_, p)| extent(p.n)).sum();
        let rows = stream.cascade.rows.last().copied().unwrap_or(1);
        let outer: i64 = stream.cascade.rows.iter().product::<i64>() / rows.max(1);
        let kept = m.saturating_mul(widths).saturating_mul(4);
        // Both factors of the items; scores there and back, weights there and back, products there and back.
        let moved = n * (depths + widths) * 2 + m * n * 12 + 2 * kept;
        Work {
            blocks: outer.saturating_mul(ceil_div(rows, m)),
            per: ceil_div(stream.cascade.items, n),
            groups: i64::from(cx.groups),
            kept,
            moved,
        }
    }

    /// Units of the group that has most, if every block of rows is one group's.
    fn whole(&self) -> i64 {
        ceil_div(self.blocks, self.groups).saturating_mul(self.per)
    }

    /// Units of a group if all have as many, and what it takes to leave and merge what they accumulated; that many are
    /// not worth it where groups have few.
    fn even(&self) -> i64 {
        let units = self.blocks.saturating_mul(self.per);
        if units < FEWEST_UNITS * self.groups {
            return i64::MAX / 1024;
        }
        let places = ceil_div(self.blocks, self.groups) + 1;
        let merging = ceil_div(places.saturating_mul(2 * self.kept), self.moved.max(1));
        ceil_div(units, self.groups) + merging + MEETING
    }
}

/// Units that a group has at least where blocks of rows are cut, and units as long as all cores take to meet (we choose).
const FEWEST_UNITS: i64 = 4;
const MEETING: i64 = 1;

/// Columns of the widest product with the weights.
fn widest(cx: &StepCx<'_>, stream: &Stream) -> i64 {
    let widths = stream.sums.iter().map(|(_, p)| cx.algo.indices[p.n].extent);
    round_up(widths.max().unwrap_or(1), 16)
}

/// Columns of products with the weights that L0C takes at a time beside two tiles of scores: all, or even parts of them.
fn columns(cx: &StepCx<'_>, stream: &Stream, (m, scores): (i64, i64)) -> i64 {
    let width = widest(cx, stream);
    let room = i64::try_from(cx.chip.usable_bytes(Space::L0c)).unwrap_or(0);
    let copies = i64::from(cx.depth());
    let most = (room / (4 * m) - copies * scores) / 16 * 16;
    match most {
        ..16 => width,
        most => round_up(ceil_div(width, ceil_div(width, most)), 16),
    }
}

/// Items whose scores are made at a time where these take turns with columns of products: a tile of each is in L0C, and
/// while one drains the other one is filled. None if products are not made column by column, or if L0C has no room.
fn alternating(cx: &StepCx<'_>, stream: &Stream, (m, columns): (i64, i64), n: i64) -> Option<i64> {
    let room = i64::try_from(cx.chip.usable_bytes(Space::L0c)).unwrap_or(0);
    let left = (room / (4 * m) - columns) / 16 * 16;
    let scores = left.min(MOST_SCORES).min(n);
    let turns = columns < widest(cx, stream) && may_cross(cx, stream) && stream.scores.len() == 1;
    (turns && scores >= LEAST_ALTERNATING).then_some(scores)
}

/// Items whose scores take as long as a drain of what was made before them, about (we choose).
const LEAST_ALTERNATING: i64 = 64;

impl Size {
    /// With packets as long as L1 has room for two of each kind, and the rows' factors in L0A if there is room beside the
    /// weights.
    fn with_room(self, cx: &StepCx<'_>, stream: &Stream) -> Size {
        let least = self.steps.max(self.scores);
        if cx.level == Level::O0 {
            return Size {
                packet: least,
                resident: false,
                split: false,
                ..self
            };
        }
        let room = |space: Space| i64::try_from(cx.chip.usable_bytes(space)).unwrap_or(0);
        let extent = |index: Index| round_up(cx.algo.indices[index].extent, 16);
        let depths: i64 = stream.scores.iter().map(|p| extent(p.k)).sum();
        let widths: i64 = stream.sums.iter().map(|(_, p)| extent(p.n)).sum();
        let sums = i64::try_from(stream.sums.len()).unwrap_or(1);
        // Elements of two bytes, two copies of each.
        let rows = self.m.saturating_mul(depths).saturating_mul(4);
        let item = (depths + widths + sums * self.m).saturating_mul(4);
        let most = (room(Space::L1) - rows) / item.max(1);
        let fits = |packet: &i64| *packet <= most && *packet <= self.n;
        let packet = PACKETS.into_iter().find(fits).unwrap_or(least);
        let weights = self.m * self.steps * sums * 4;
        let right = (depths * self.scores + widths * self.steps).saturating_mul(4);
        let size = Size {
            packet: packet.max(least),
            resident: rows / 2 + weights <= room(Space::L0a) && right <= room(Space::L0b),
            ..self
        };
        let crosses = may_cross(cx, stream);
        let work = Work::new(cx, stream, (self.m, self.n));
        let size = Size {
            split: crosses && work.even() < work.whole(),
            ..size
        };
        match (self.columns < widest(cx, stream), crosses) {
            (true, true) => {
                let l1 = (cx.chip, room(Space::L1));
                size.in_turns_beside(l1, (depths, widths, sums), work.per)
            }
            (true, false) => size.in_turns(room(Space::L1), depths, sums),
            (false, _) => size,
        }
    }

    /// With packets of what L1 has room for beside the weights of a whole block, of which there is one: those of the next
    /// block come while scores are made. What is copied in the least time is the best.
    fn in_turns_beside(
        self,
        (chip, room): (&Chip, i64),
        (depths, widths, sums): (i64, i64, i64),
        per: i64,
    ) -> Size {
        let rows = self.m * depths * 2;
        let weights = sums * self.m * self.n * 2;
        let lengths = |least: i64| {
            let all = PACKETS.into_iter().filter(move |n| *n > least);
            all.filter(|n| *n <= self.n).chain([least])
        };
        let time = |rows: i64, columns: i64| {
            let whole = |x: i64| u64::try_from(x).unwrap_or(0);
            let cycles =
                cost::nd2nz_cycles(whole(rows), whole(columns * 2), chip.mte2.nd2nz_port, chip);
            i64::try_from(cycles).unwrap_or(i64::MAX / 4096)
        };
        let turns = ceil_div(widths, self.columns);
        let mut best: Option<(i64, Size)> = None;
        for (ahead, packets) in [(2, 2), (1, 2), (2, 1), (1, 1)] {
            // Rows that have no second place come where blocks of rows meet.
            let late = if ahead == 1 {
                time(self.m, depths) / per.max(1)
            } else {
                0
            };
            for values in lengths(self.steps) {
                let of_values = turns * ceil_div(self.n, values) * time(values, self.columns);
                for (packet, slice) in lengths(self.scores).flat_map(|n| self.slices(n, depths)) {
                    let needs = rows * i64::from(ahead)
                        + weights
                        + sums * self.columns * values * 4
                        + slice * packet * 2 * i64::from(packets);
                    let loads = ceil_div(self.n, packet) * ceil_div(depths, slice);
                    // What has no second place comes when nothing is made of it.
                    let exposed = if packets == 1 { 2 } else { 1 };
                    let of_items = loads * time(packet, slice) * exposed;
                    let cycles = of_items + of_values + late;
                    if needs <= room && best.is_none_or(|(least, _)| cycles < least) {
                        let size = Size {
                            packet,
                            packets,
                            slice,
                            values,
                            ahead,
                            resident: false,
                            ..self
                        };
                        best = Some((cycles, size));
                    }
                }
            }
        }
        best.map_or(self, |(_, size)| size)
    }

    /// How much of the items of a packet may come at a time: all, or whole steps of those of one tile.
    fn slices(self, packet: i64, depths: i64) -> impl Iterator<Item = (i64, i64)> {
        let even = move |slice: &i64| depths % slice == 0 && packet == self.scores;
        let some = (1..4).map(|steps| steps * SCORE_DEPTH).filter(even);
        // Of several products each has its own depth.
        let one = some.filter(move |_| self.dots == 1);
        std::iter::once(depths)
            .chain(one)
            .map(move |slice| (packet, slice))
    }

    /// With packets of what L1 has room for beside the weights of a whole block.
    fn in_turns(self, room: i64, depths: i64, sums: i64) -> Size {
        let weights = sums * self.m * self.n * 4;
        let rows = self.m * depths * 2;
        let copies = [
            (2, 512),
            (2, 256),
            (2, 128),
            (1, 512),
            (1, 256),
            (1, 128),
            (1, 64),
            (1, 32),
        ];
        let needs = |(ahead, values): (i64, i64)| {
            let values = sums * self.columns * values.min(self.n).max(self.steps) * 4;
            rows * ahead + weights + values + depths * self.scores * 4
        };
        let found = copies.into_iter().find(|of| needs(*of) <= room);
        let (ahead, values) = found.unwrap_or((1, self.steps));
        let left = room - needs((ahead, values)) + depths * self.scores * 4;
        let fits = |packet: &i64| depths * packet * 4 <= left && *packet <= self.n;
        let packet = PACKETS.into_iter().find(fits).unwrap_or(self.scores);
        Size {
            packet: packet.max(self.scores),
            values: values.min(self.n).max(self.steps),
            ahead: u32::try_from(ahead).unwrap_or(1),
            resident: false,
            ..self
        }
    }
}

/// Lengths of packets of items worth trying.
const PACKETS: [i64; 3] = [512, 256, 128];

/// What both programs know.
struct Pass<'a> {
    cx: &'a StepCx<'a>,
    stream: &'a Stream,
    size: Size,
    gm: &'a GmMap,
    /// Extents of the rows without the last.
    outer: Vec<i64>,
    /// Extent of the last.
    rows: i64,
    /// Channels of the scores to the vector cores, of the weights back, of their products over again.
    scores: Vec<Chan>,
    weights: Vec<Chan>,
    parts: Vec<Chan>,
    /// Where the products lie that are merged.
    rings: Vec<Tensor>,
    /// Where groups leave what they accumulated, if they have parts of blocks of rows.
    left: Option<Left>,
    limits: Option<Limits>,
}

/// A block of rows.
struct Rows {
    outer: Vec<Arg>,
    /// The first, and how many there are.
    m0: Arg,
    m: Arg,
    /// The first block of items and the one behind the last.
    blocks: (Arg, Arg),
}

/// Appends the pass as a new last phase.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    stream: &Stream,
    size: &Size,
    mut func: Func,
    gm: &GmMap,
) -> Result<Func> {
    let span = stream
        .defs
        .first()
        .map_or(Span::NONE, |def| cx.algo.defs[*def].span);
    let mut pass = Pass::new(cx, stream, *size, gm);
    pass.channels(&mut func, span);
    pass.left = size.split.then(|| Left::new(&pass, &mut func, span));
    let across = may_cross(cx, stream);
    let mut b = Builder::new(func);
    b.span = span;
    let cube = b.block;
    match across {
        true => across::cube(&pass, &mut b),
        false => cube::emit(&pass, &mut b),
    }
    let mut b = Builder::new(b.func);
    b.span = span;
    let vector = b.block;
    let mut b = match across {
        true => across::vector(&pass, b)?,
        false => vector::emit(&pass, b)?,
    };
    b.func.phases.push(Phase {
        cube: Some(cube),
        vector: Some(vector),
    });
    let Some(left) = &pass.left else {
        return Ok(b.func);
    };
    let mut b = vector_phase(b.func, span);
    b = gather::emit(&pass, left, b)?;
    Ok(b.func)
}

impl<'a> Pass<'a> {
    fn new(cx: &'a StepCx<'a>, stream: &'a Stream, size: Size, gm: &'a GmMap) -> Pass<'a> {
        let (rows, outer) = match stream.cascade.rows.split_last() {
            Some((rows, outer)) => (*rows, outer.to_vec()),
            None => (1, Vec::new()),
        };
        Pass {
            cx,
            stream,
            size,
            gm,
            outer,
            rows,
            scores: Vec::new(),
            weights: Vec::new(),
            parts: Vec::new(),
            rings: Vec::new(),
            left: None,
            limits: Limits::of(cx.algo, &stream.cascade),
        }
    }

    fn channels(&mut self, func: &mut Func, span: Span) {
        let algo = self.cx.algo;
        let (m, n) = (self.size.m, self.size.n);
        for product in &self.stream.scores {
            let elem = algo.tensors[algo.defs[product.def].target].elem;
            let depth = match self.lead() {
                1 => self.cx.depth(),
                // Those of the block that the vector cores read, and of the blocks ahead of it.
                lead => lead + 1,
            };
            let role = ("scores", CoreKind::Cube, depth);
            let chan = self.channel(func, role, elem, (m, n), span);
            self.scores.push(chan);
        }
        let depth = self.cx.depth();
        for (_, product) in &self.stream.sums {
            let elem = algo.tensors[product.a.tensor].elem;
            let chan = self.channel(
                func,
                ("weights", CoreKind::Vector, depth),
                elem,
                (m, n),
                span,
            );
            self.weights.push(chan);
            let width = self.width(product);
            let chan = self.channel(
                func,
                ("parts", CoreKind::Cube, depth),
                Elem::F32,
                (m, width),
                span,
            );
            self.parts.push(chan);
            self.rings.push(func.chans[chan].tensor);
        }
    }

    fn channel(
        &self,
        func: &mut Func,
        (role, from, depth): (&str, CoreKind, u32),
        elem: Elem,
        (rows, cols): (i64, i64),
        span: Span,
    ) -> Chan {
        let name = format!("{role}{}", func.chans.len());
        let shape = [i64::from(self.cx.groups), i64::from(depth), rows, cols];
        let tensor = workspace(func, &format!("ring_{name}"), elem, &shape, span);
        func.chans.push(ChanData {
            name,
            tensor,
            depth,
            from,
        })
    }

    /// Blocks of scores that the cube core is ahead of what it multiplies: with two, neither kind of core waits for what
    /// the other has only begun.
    fn lead(&self) -> u32 {
        self.cx.depth()
    }

    /// Columns of a product over the items, as rings hold them.
    fn width(&self, product: &Product) -> i64 {
        round_up(self.cx.algo.indices[product.n].extent, 16)
    }

    /// Columns of a field that are merged at a time: as many as L0C takes, where they part all fields and results evenly.
    fn merged_columns(&self, columns: i64) -> i64 {
        let each = self.size.columns;
        let (algo, stream) = (self.cx.algo, self.stream);
        let same = |(_, product): &(usize, Product)| self.extent(product.n) == columns;
        let stored = (stream.defs.iter()).filter(|def| self.cx.stored(**def));
        let results = stored.map(|def| &algo.tensors[algo.defs[*def].target].shape);
        let mut wide = results.filter(|shape| shape.len() > self.outer.len() + 1);
        let even = each < columns && columns % each == 0;
        match even && stream.sums.iter().all(same) && wide.all(|s| s.last() == Some(&columns)) {
            true => each,
            false => columns,
        }
    }

    /// The definition of a tensor.
    fn def(&self, tensor: algo::Tensor) -> Option<usize> {
        let defs = self.stream.defs.iter().copied();
        defs.into_iter()
            .find(|def| self.cx.algo.defs[*def].target == tensor)
    }

    fn extent(&self, index: Index) -> i64 {
        self.cx.algo.indices[index].extent
    }

    fn items(&self) -> i64 {
        self.stream.cascade.items
    }

    /// Blocks of items of a block of rows, where all of them count.
    fn turns(&self) -> i64 {
        ceil_div(self.items(), self.size.n)
    }

    /// Blocks of rows over all outer indices.
    fn count(&self) -> i64 {
        self.outer.iter().product::<i64>() * ceil_div(self.rows, self.size.m)
    }

    /// The same where the launch may give the sizes.
    fn blocks(&self, b: &mut Builder) -> Arg {
        let outer = self.outer.iter().product::<i64>();
        let each = b.parts(self.rows, self.size.m);
        b.mul(outer, each)
    }

    /// The block of rows with this number.
    fn enter(&self, b: &mut Builder, block: Arg) -> Rows {
        let (outer, m0, m) = self.rows_of(b, block);
        let all = b.parts(self.items(), self.size.n);
        let blocks = match &self.limits {
            None => (Arg::Const(0), all),
            Some(limits) => limits.blocks(b, &outer, (m0, m), (self.size.n, all)),
        };
        Rows {
            outer,
            m0,
            m,
            blocks,
        }
    }

    /// Outer indices, first row and number of rows of a block.
    fn rows_of(&self, b: &mut Builder, block: Arg) -> (Vec<Arg>, Arg, Arg) {
        let mut extents: Vec<Arg> = self.outer.iter().copied().map(Arg::Const).collect();
        extents.push(b.parts(self.rows, self.size.m));
        let mut outer = decode(b, block, &extents);
        let number = outer.pop().unwrap_or(Arg::Const(0));
        let m0 = b.mul(number, self.size.m);
        let m = b.clip(self.size.m.min(self.rows), self.rows, m0);
        (outer, m0, m)
    }

    /// First item and number of items of a block.
    fn items_of(&self, b: &mut Builder, block: Arg) -> (Arg, Arg) {
        let first = b.mul(block, self.size.n);
        let count = b.clip(self.size.n.min(self.items()), self.items(), first);
        (first, count)
    }

    /// Rows of a vector core.
    fn half(&self) -> i64 {
        self.size.m / 2
    }
}
