//! Which bytes of UB a vector instruction uses: repeats, blocks, strides and the lanes in force.
//!
//! A repeat is eight blocks of 32 bytes an operand. The walk over them is written once, here: checks of bounds,
//! alignment, values and order for a whole instruction, then what its lanes are, many repeats at a time: where memory
//! has them side by side they are lent out as they are, elsewhere they are brought side by side first.

use std::ops::Range;

use isa::inst::{Lanes, Regs, Rep};
use isa::types::Space;

use super::at_most;
use crate::core::Core;
use crate::fault::Stop;

const BLOCK: usize = 32;
/// Blocks of a repeat.
const BLOCKS: usize = 8;
/// Bytes of an operand that are brought side by side at a time: what stays in the nearest cache with three others.
const STAGE: usize = 4096;
/// Bytes of the lanes of a whole repeat.
const WHOLE_ROW: usize = BLOCKS * BLOCK;
/// Repeats of that many bytes.
const STAGED_REPEATS: usize = STAGE / WHOLE_ROW;

/// Repeats beyond this reach past UB in every operand that goes on.
const MOST_REPEATS: u64 = 8192;

/// The lanes of each repeat of an instruction.
#[derive(Copy, Clone, Debug)]
pub(super) struct Work {
    /// Lanes of a whole repeat.
    pub(super) lanes: usize,
    pub(super) repeats: usize,
    mask: u128,
    /// Lanes in all, in count mode.
    count: Option<usize>,
    /// Repeats, from the first on, that have every lane on.
    whole: usize,
}

impl Work {
    /// The repeats of an instruction whose repeat has `lanes` lanes.
    #[inline]
    pub(super) fn new(core: &Core<'_>, rep: Rep, lanes: usize) -> Result<Work, Stop> {
        match core.context.lanes() {
            Lanes::Count(count) => {
                let count = count as usize;
                let whole = count / lanes;
                let repeats = whole + usize::from(whole * lanes < count);
                at_most("count", repeats as u64, MOST_REPEATS, "what fits UB")?;
                Ok(Work {
                    lanes,
                    repeats,
                    mask: u128::MAX,
                    count: Some(count),
                    whole,
                })
            }
            Lanes::Mask(low, high) => {
                let repeats = at_most("rep", rep.get(&core.context), 255, "at most 255 repeats")?;
                let mut work = Work {
                    lanes,
                    repeats,
                    mask: u128::from(high) << 64 | u128::from(low),
                    count: None,
                    whole: 0,
                };
                if work.mask & work.all() == work.all() {
                    work.whole = repeats;
                }
                Ok(work)
            }
        }
    }

    /// The same with shorter repeats, where the lanes that are on are the first ones of each and fill blocks; `size` is the
    /// least of the operands' elements. For instructions that ask nothing but which bytes there are.
    #[inline]
    pub(super) fn fitted(self, size: usize) -> Work {
        if self.whole == self.repeats {
            return self;
        }
        self.shortened(size).unwrap_or(self)
    }

    fn shortened(self, size: usize) -> Option<Work> {
        let on = self.on(0);
        let lanes = on.trailing_ones() as usize;
        let alike = self.count.is_none() || self.repeats == 1;
        let first = on.count_ones() as usize == lanes;
        let fills = lanes > 0 && (lanes * size).is_multiple_of(BLOCK);
        (alike && first && fills && self.repeats > 0).then_some(Work {
            lanes,
            mask: on,
            count: None,
            whole: self.repeats,
            ..self
        })
    }

    /// Lanes of a repeat that are on, one bit each.
    pub(super) fn on(&self, repeat: usize) -> u128 {
        let all = self.all();
        match self.count {
            None => self.mask & all,
            Some(count) => match count.saturating_sub(repeat * self.lanes) {
                left if left >= self.lanes => all,
                left => (1_u128 << left) - 1,
            },
        }
    }

    /// Every lane of a repeat.
    pub(super) fn all(&self) -> u128 {
        match self.lanes {
            128.. => u128::MAX,
            lanes => (1 << lanes) - 1,
        }
    }

    /// How many repeats, from the first on, have every lane on.
    #[inline]
    pub(super) fn whole(&self) -> usize {
        self.whole
    }
}

/// One operand: where it starts and its strides in blocks. An element may be narrower than the repeat's lanes times its
/// size would fill: then a repeat has fewer blocks.
#[derive(Copy, Clone, Debug)]
pub(super) struct Walk {
    pub(super) operand: &'static str,
    pub(super) at: usize,
    pub(super) blk: usize,
    pub(super) rep: usize,
    /// Bytes of an element.
    pub(super) size: usize,
}

impl Walk {
    pub(super) fn new(operand: &'static str, at: u64, blk: u8, rep: u8, size: usize) -> Walk {
        Walk {
            operand,
            at: at.min(1 << 40) as usize,
            blk: usize::from(blk),
            rep: usize::from(rep),
            size,
        }
    }

    /// Where a block of a repeat starts.
    fn block(&self, repeat: usize, block: usize) -> usize {
        self.at + (repeat * self.rep + block * self.blk) * BLOCK
    }

    /// Blocks of one repeat.
    fn blocks(&self, work: &Work) -> usize {
        (work.lanes * self.size).div_ceil(BLOCK)
    }

    /// Bytes of the lanes of one repeat.
    pub(super) fn row(&self, work: &Work) -> usize {
        work.lanes * self.size
    }

    /// Whether the lanes of a repeat lie side by side and fill their blocks.
    fn has_dense_rows(&self, work: &Work) -> bool {
        let blocks = self.blocks(work);
        (self.blk == 1 || blocks == 1) && blocks * BLOCK == self.row(work)
    }

    /// Whether all repeats lie side by side.
    fn is_dense(&self, work: &Work) -> bool {
        self.has_dense_rows(work) && (self.rep == self.blocks(work) || work.repeats == 1)
    }

    /// Bytes from the first block of a repeat to behind the last.
    fn extent(&self, work: &Work) -> usize {
        ((self.blocks(work) - 1) * self.blk + 1) * BLOCK
    }

    /// All that the repeats might touch, whichever lanes are on.
    fn hull(&self, work: &Work) -> Range<usize> {
        let last = work.repeats.saturating_sub(1) * self.rep * BLOCK;
        self.at..self.at + last + self.extent(work)
    }

    /// Whether its repeats may be read before those of `dst` are written: no repeat reads what an earlier one writes.
    fn is_ahead_of(&self, dst: &Walk, work: &Work) -> bool {
        let (a, b) = (self.hull(work), dst.hull(work));
        let same = (self.at, self.blk, self.rep, self.size) == (dst.at, dst.blk, dst.rep, dst.size);
        let apart = dst.rep * BLOCK >= dst.extent(work);
        disjoint(&a, &b) || same && apart
    }
}

/// The bits of the lanes of one block.
fn lanes_of(on: u128, block: usize, size: usize) -> u32 {
    let lanes = BLOCK / size;
    let bits = on >> (block * lanes) as u32;
    (bits & ((1_u128 << lanes) - 1)) as u32
}

/// Calls `visit(first, count)` for each run of lanes that are on.
fn for_runs(
    mut bits: u32,
    mut visit: impl FnMut(usize, usize) -> Result<(), Stop>,
) -> Result<(), Stop> {
    while bits != 0 {
        let first = bits.trailing_zeros();
        let count = (bits >> first).trailing_ones();
        visit(first as usize, count as usize)?;
        if first + count >= 32 {
            break;
        }
        bits &= u32::MAX << (first + count);
    }
    Ok(())
}

/// Some repeats in a row.
#[derive(Copy, Clone, Debug)]
struct Chunk {
    first: usize,
    count: usize,
}

impl Chunk {
    /// Brings the lanes of an operand side by side.
    fn gather(self, bytes: &[u8], work: &Work, walk: &Walk, out: &mut [u8]) {
        let row = walk.row(work);
        if row == WHOLE_ROW && walk.rep != 0 && walk.has_dense_rows(work) {
            let (out, _) = out.as_chunks_mut::<WHOLE_ROW>();
            let rows = out.iter_mut().take(self.count).zip(self.first..);
            for (out, repeat) in rows {
                let from = bytes.get(walk.block(repeat, 0)..);
                match from.and_then(|from| from.first_chunk()) {
                    Some(from) => copy_whole_row(out, from),
                    None => gather_row(bytes, work, walk, repeat, out),
                }
            }
            return;
        }
        let different = if walk.rep == 0 { 1 } else { self.count };
        for (n, out) in out.chunks_exact_mut(row).take(different).enumerate() {
            gather_row(bytes, work, walk, self.first + n, out);
        }
        for n in different..self.count {
            out.copy_within(..row, n * row);
        }
    }

    /// Writes the lanes that are on.
    fn scatter(self, bytes: &mut [u8], work: &Work, walk: &Walk, data: &[u8]) {
        for (n, data) in data
            .chunks_exact(walk.row(work))
            .take(self.count)
            .enumerate()
        {
            scatter_row(bytes, work, walk, self.first + n, data);
        }
    }
}

/// How the repeats of an instruction are gone through.
#[derive(Copy, Clone, Debug)]
struct Plan {
    /// Whether no repeat reads what an earlier one writes.
    ahead: bool,
    /// Whether the destination's lanes are lent where all are on.
    lent: bool,
    /// Whether every operand is lent, all repeats at once.
    all_lent: bool,
    /// Repeats at a time.
    step: usize,
}

impl Plan {
    fn new(work: &Work, dst: &Walk, sources: &[&Walk], accumulates: bool) -> Plan {
        let itself = !accumulates || dst.is_ahead_of(dst, work);
        let ahead = itself && sources.iter().all(|walk| walk.is_ahead_of(dst, work));
        let lent = work.whole() > 0 && dst.is_dense(work);
        let dense = |walk: &&Walk| walk.is_dense(work);
        let apart = |walk: &&Walk| disjoint(&walk.hull(work), &dst.hull(work));
        let all_lent = lent && sources.iter().all(|walk| dense(walk) && apart(walk));
        Plan {
            ahead,
            lent,
            all_lent,
            step: match (ahead, all_lent) {
                (true, true) => work.repeats,
                (true, false) => STAGED_REPEATS,
                (false, _) => 1,
            },
        }
    }

    /// Whether the lanes of a source have to be brought side by side for some repeats whose lanes are all on.
    fn stages(self, work: &Work, walk: &Walk, dst: &Walk, chunk: Chunk) -> bool {
        let fits = match chunk.count {
            1 => walk.has_dense_rows(work),
            _ => walk.is_dense(work),
        };
        let range = |walk: &Walk| {
            let at = walk.block(chunk.first, 0);
            at..at + chunk.count * walk.row(work)
        };
        !fits || self.lent && !disjoint(&range(walk), &range(dst))
    }
}

fn disjoint(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.end <= b.start || b.end <= a.start
}

/// Copies the blocks of a repeat out of memory.
fn gather_row(bytes: &[u8], work: &Work, walk: &Walk, repeat: usize, out: &mut [u8]) {
    let at = walk.block(repeat, 0);
    if walk.has_dense_rows(work) && at + out.len() <= bytes.len() {
        copy_row(out, &bytes[at..at + out.len()]);
        return;
    }
    if let (0, Some(block)) = (
        walk.blk,
        bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()),
    ) {
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        blocks.fill(*block);
        rest.copy_from_slice(&block[..rest.len()]);
        return;
    }
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let at = walk.block(repeat, block);
        // A block without lanes on may lie anywhere.
        if at + BLOCK <= bytes.len() {
            out.copy_from_slice(&bytes[at..at + out.len()]);
        }
    }
}

/// Copies a row; whole repeats, the usual ones, in a straight line.
fn copy_row(to: &mut [u8], from: &[u8]) {
    match (to.as_mut_array::<WHOLE_ROW>(), from.as_array::<WHOLE_ROW>()) {
        (Some(to), Some(from)) => copy_whole_row(to, from),
        (_, _) => to.copy_from_slice(from),
    }
}

/// Copies the bytes of a whole repeat, without a call.
#[inline]
fn copy_whole_row(to: &mut [u8; WHOLE_ROW], from: &[u8; WHOLE_ROW]) {
    let (to, _) = to.as_chunks_mut::<64>();
    let (from, _) = from.as_chunks::<64>();
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
}

/// Writes the lanes of a repeat that are on.
fn scatter_row(bytes: &mut [u8], work: &Work, walk: &Walk, repeat: usize, data: &[u8]) {
    let on = work.on(repeat);
    if on == work.all() && walk.has_dense_rows(work) {
        let at = walk.block(repeat, 0);
        copy_row(&mut bytes[at..at + data.len()], data);
        return;
    }
    for (block, data) in data.chunks(BLOCK).enumerate() {
        let at = walk.block(repeat, block);
        let mut bits = lanes_of(on, block, walk.size);
        while bits != 0 {
            let first = bits.trailing_zeros();
            let count = (bits >> first).trailing_ones();
            let (from, to) = (
                first as usize * walk.size,
                (first + count) as usize * walk.size,
            );
            bytes[at + from..at + to].copy_from_slice(&data[from..to]);
            bits &= u32::MAX.checked_shl(first + count).unwrap_or(0);
        }
    }
}

impl Core<'_> {
    /// Checks every access of an operand that is read.
    #[inline]
    pub(super) fn check_read(&mut self, work: &Work, walk: &Walk) -> Result<(), Stop> {
        if self.unwatched_end(work, walk).is_some() {
            return Ok(());
        }
        self.check_read_closely(work, walk)
    }

    fn check_read_closely(&mut self, work: &Work, walk: &Walk) -> Result<(), Stop> {
        self.check(work, walk, |core, at, len| {
            core.reads(walk.operand, Space::Ub, at, len, true)
        })
    }

    /// Checks every access of an operand that is written, and marks its bytes as values.
    #[inline]
    pub(super) fn check_write(&mut self, work: &Work, walk: &Walk) -> Result<(), Stop> {
        if let Some(end) = self.unwatched_end(work, walk) {
            self.memory(Space::Ub).touch(end);
            return Ok(());
        }
        self.check_write_closely(work, walk)
    }

    fn check_write_closely(&mut self, work: &Work, walk: &Walk) -> Result<(), Stop> {
        self.check(work, walk, |core, at, len| {
            core.writes(walk.operand, Space::Ub, at, len)?;
            core.holds_values(at, len);
            Ok(())
        })
    }

    /// Marks bytes of UB as holding values.
    pub(super) fn holds_values(&mut self, at: usize, len: usize) {
        let marks = self.launch.sanitize.uninit;
        let ub = self.memory(Space::Ub);
        if marks {
            ub.shadow.set(at, len);
        }
        ub.touch(at + len);
    }

    /// Where an access ends of which only that matters, because nobody looks at it; none if it may be wrong.
    #[inline]
    fn unwatched_end(&self, work: &Work, walk: &Walk) -> Option<usize> {
        let watched = self.is_watched();
        let whole = work.whole() == work.repeats && work.repeats > 0;
        let end = walk.hull(work).end;
        let good =
            walk.at.is_multiple_of(BLOCK) && end <= self.memories[Space::Ub as usize].bytes.len();
        (!watched && whole && good).then_some(end)
    }

    /// Visits the bytes of the lanes that are on, in as few ranges as they make.
    fn check(
        &mut self,
        work: &Work,
        walk: &Walk,
        mut visit: impl FnMut(&mut Self, usize, usize) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let ub = self.memory(Space::Ub);
        ub.aligned(walk.operand, walk.at as u64, 0, BLOCK as u64)?;
        let whole = work.whole();
        if whole == work.repeats && whole > 0 {
            let hull = walk.hull(work);
            let inside = hull.end <= ub.bytes.len();
            if inside && walk.is_dense(work) {
                return visit(self, hull.start, hull.len());
            }
        }
        // What comes again in every repeat is looked at once.
        let again = walk.rep == 0 && whole > 0;
        let repeats = if again { 1 } else { work.repeats };
        for repeat in 0..repeats {
            let on = work.on(repeat);
            let at = walk.block(repeat, 0);
            if repeat < whole && walk.has_dense_rows(work) {
                let len = walk.row(work);
                self.memory(Space::Ub)
                    .inside(walk.operand, at as u64, len as u64)?;
                visit(self, at, len)?;
                continue;
            }
            for block in 0..walk.blocks(work) {
                let at = walk.block(repeat, block);
                for_runs(lanes_of(on, block, walk.size), |first, count| {
                    let (at, len) = (at + first * walk.size, count * walk.size);
                    self.memory(Space::Ub)
                        .inside(walk.operand, at as u64, len as u64)?;
                    visit(self, at, len)
                })?;
            }
        }
        Ok(())
    }

    /// Calls `f(out, sources)` on the lanes of one or more whole repeats, side by side, until all repeats are done; the
    /// accesses have been checked. `out` holds the destination's old lanes if `accumulates`, else anything.
    ///
    /// A repeat sees what earlier ones wrote, as if each were done alone.
    pub(super) fn run_lanes<const N: usize>(
        &mut self,
        work: &Work,
        dst: &Walk,
        sources: [&Walk; N],
        accumulates: bool,
        mut f: impl FnMut(&mut [u8], [&[u8]; N]),
    ) {
        let plan = Plan::new(work, dst, &sources, accumulates);
        let whole = work.whole();
        let mut stage = std::mem::take(&mut self.scratch);
        let needed = (N + 1) * STAGE;
        if stage.len() < needed && (!plan.all_lent || whole < work.repeats) {
            stage.resize(needed, 0);
        }
        let bytes = &mut self.memories[Space::Ub as usize].bytes;
        let mut first = 0;
        while first < work.repeats {
            // Repeats with lanes off come by themselves.
            let end = if first < whole { whole } else { work.repeats };
            let count = plan.step.min(end - first);
            let lent = plan.lent && first < whole;
            let own = STAGE.min(stage.len());
            let (out_stage, source_stages) = stage.split_at_mut(own);
            let chunk = Chunk { first, count };
            if !lent && accumulates {
                chunk.gather(bytes, work, dst, out_stage);
            }
            let out_len = count * dst.row(work);
            let out_at = dst.block(first, 0);
            let mut stages: [Option<&[u8]>; N] = [None; N];
            let places = source_stages.chunks_exact_mut(STAGE).zip(&mut stages);
            for ((own, stage), walk) in places.zip(sources) {
                if first >= whole || plan.stages(work, walk, dst, chunk) {
                    // What comes again in every repeat has been brought already.
                    if first == 0 || walk.rep > 0 || !plan.ahead {
                        chunk.gather(bytes, work, walk, own);
                    }
                    *stage = Some(&own[..count * walk.row(work)]);
                }
            }
            if lent {
                let (below, rest) = bytes.split_at_mut(out_at);
                let (out, above) = rest.split_at_mut(out_len);
                let sources = std::array::from_fn(|n| {
                    stages[n].unwrap_or_else(|| {
                        let at = sources[n].block(first, 0);
                        let len = count * sources[n].row(work);
                        match at < out_at {
                            true => &below[at..at + len],
                            false => &above[at - out_at - out_len..][..len],
                        }
                    })
                });
                f(out, sources);
            } else {
                let sources = std::array::from_fn(|n| {
                    stages[n].unwrap_or_else(|| {
                        let at = sources[n].block(first, 0);
                        &bytes[at..at + count * sources[n].row(work)]
                    })
                });
                f(&mut out_stage[..out_len], sources);
                chunk.scatter(bytes, work, dst, out_stage);
            }
            first += count;
        }
        self.scratch = stage;
    }

    /// Copies the blocks of a repeat that have lanes on; the accesses have been checked.
    pub(super) fn fetch(&self, work: &Work, walk: &Walk, repeat: usize, out: &mut [u8; 256]) {
        let bytes = &self.memories[Space::Ub as usize].bytes;
        gather_row(bytes, work, walk, repeat, &mut out[..walk.row(work)]);
    }

    /// Writes the lanes of a repeat that are on; the accesses have been checked.
    pub(super) fn store_lanes(
        &mut self,
        work: &Work,
        walk: &Walk,
        repeat: usize,
        data: &[u8; 256],
    ) {
        let bytes = &mut self.memories[Space::Ub as usize].bytes;
        scatter_row(bytes, work, walk, repeat, &data[..walk.row(work)]);
    }
}
