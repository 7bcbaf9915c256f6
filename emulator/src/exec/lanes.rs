//! Which bytes of UB a vector instruction uses: repeats, blocks, strides and the lanes in force.
//!
//! A repeat is eight blocks of 32 bytes an operand. The walk over them is written once, here: checks of bounds,
//! alignment, values and order for a whole instruction, then plain copies of one repeat in and out.

use isa::inst::{Lanes, Regs, Rep};
use isa::types::Space;

use super::at_most;
use crate::core::Core;
use crate::fault::Stop;

const BLOCK: usize = 32;
/// Blocks of a repeat.
const BLOCKS: usize = 8;

/// The lanes of each repeat of an instruction.
#[derive(Copy, Clone, Debug)]
pub(super) struct Work {
    /// Lanes of a whole repeat.
    pub(super) lanes: usize,
    pub(super) repeats: usize,
    mask: u128,
    /// Lanes in all, in count mode.
    count: Option<usize>,
}

impl Work {
    /// The repeats of an instruction whose repeat has `lanes` lanes.
    pub(super) fn new(core: &Core<'_>, rep: Rep, lanes: usize) -> Result<Work, Stop> {
        match core.context.lanes() {
            Lanes::Count(count) => {
                let count = count as usize;
                Ok(Work {
                    lanes,
                    repeats: count.div_ceil(lanes),
                    mask: u128::MAX,
                    count: Some(count),
                })
            }
            Lanes::Mask(low, high) => Ok(Work {
                lanes,
                repeats: at_most("rep", rep.get(&core.context), 255, "at most 255 repeats")?,
                mask: u128::from(high) << 64 | u128::from(low),
                count: None,
            }),
        }
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

    /// Whether every lane of every repeat is on.
    fn is_whole(&self) -> bool {
        match self.count {
            None => self.mask & self.all() == self.all(),
            Some(count) => count.is_multiple_of(self.lanes),
        }
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

impl Core<'_> {
    /// Checks every access of an operand that is read.
    pub(super) fn check_read(&mut self, work: &Work, walk: &Walk) -> Result<(), Stop> {
        self.check(work, walk, |core, at, len| {
            core.reads(walk.operand, Space::Ub, at, len, true)
        })
    }

    /// Checks every access of an operand that is written, and marks its bytes as values.
    pub(super) fn check_write(&mut self, work: &Work, walk: &Walk) -> Result<(), Stop> {
        self.check(work, walk, |core, at, len| {
            core.writes(walk.operand, Space::Ub, at, len)?;
            let ub = core.memory(Space::Ub);
            ub.shadow.set(at, len);
            ub.touch(at + len);
            Ok(())
        })
    }

    fn check(
        &mut self,
        work: &Work,
        walk: &Walk,
        mut visit: impl FnMut(&mut Self, usize, usize) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.memory(Space::Ub)
            .aligned(walk.operand, walk.at as u64, 0, BLOCK as u64)?;
        let blocks = walk.blocks(work);
        let dense = walk.blk == 1 || blocks == 1;
        if dense && walk.rep == blocks && work.is_whole() && work.repeats > 0 {
            let len = work.repeats * blocks * BLOCK;
            let at = self
                .memory(Space::Ub)
                .inside(walk.operand, walk.at as u64, len as u64)?;
            return visit(self, at, len);
        }
        for repeat in 0..work.repeats {
            let on = work.on(repeat);
            if dense && on == work.all() && blocks * BLOCK == work.lanes * walk.size {
                let at = walk.block(repeat, 0);
                let len = blocks * BLOCK;
                self.memory(Space::Ub)
                    .inside(walk.operand, at as u64, len as u64)?;
                visit(self, at, len)?;
                continue;
            }
            for block in 0..blocks {
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

    /// Copies the blocks of a repeat that have lanes on; the accesses have been checked.
    pub(super) fn fetch(&self, work: &Work, walk: &Walk, repeat: usize, out: &mut [u8; 256]) {
        let bytes = &self.memories[Space::Ub as usize].bytes;
        let blocks = walk.blocks(work);
        let at = walk.block(repeat, 0);
        if walk.blk == 1 && blocks == BLOCKS && at + 256 <= bytes.len() {
            out.copy_from_slice(&bytes[at..at + 256]);
            return;
        }
        for block in 0..blocks {
            let at = walk.block(repeat, block);
            // A block without lanes on may lie anywhere.
            if at + BLOCK <= bytes.len() {
                out[block * BLOCK..(block + 1) * BLOCK].copy_from_slice(&bytes[at..at + BLOCK]);
            }
        }
    }

    /// Writes the lanes of a repeat that are on; the accesses have been checked.
    pub(super) fn store_lanes(
        &mut self,
        work: &Work,
        walk: &Walk,
        repeat: usize,
        data: &[u8; 256],
    ) {
        let on = work.on(repeat);
        let blocks = walk.blocks(work);
        let bytes = &mut self.memories[Space::Ub as usize].bytes;
        if on == work.all() && walk.blk == 1 && blocks == BLOCKS {
            let at = walk.block(repeat, 0);
            bytes[at..at + 256].copy_from_slice(data);
            return;
        }
        for block in 0..blocks {
            let at = walk.block(repeat, block);
            let mut bits = lanes_of(on, block, walk.size);
            while bits != 0 {
                let lane = bits.trailing_zeros() as usize * walk.size;
                let from = block * BLOCK + lane;
                bytes[at + lane..at + lane + walk.size]
                    .copy_from_slice(&data[from..from + walk.size]);
                bits &= bits - 1;
            }
        }
    }
}
