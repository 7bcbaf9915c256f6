//! Unit flags between the cube and the fixpipe: one for every 512 B of L0C (davinci-facts §3.3).
//!
//! `mmad` writes a block only while its flag is 0 and its last one sets it; `fix` reads only while it is 1 and clears it or
//! keeps it. A flag also tells which instruction turned it, which is all that the other pipe may rely on. Knows no time.

use isa::inst::UnitFlag;
use isa::types::Pipe;

use crate::core::{Core, Halt};
use crate::fault::WaitReason;
use crate::hazard::Known;

/// Bytes that share a flag.
const UNIT: usize = 512;
/// Bytes of a row of a fractal of L0C.
const ROW: usize = 64;

/// The flag of one block.
#[derive(Copy, Clone, Debug, Default)]
struct Flag {
    set: bool,
    /// Count of the `mmad` that set it last.
    filled: u32,
    /// Count of the `fix` that cleared it last.
    drained: u32,
}

/// The flags of L0C.
#[derive(Clone, Debug)]
pub(crate) struct UnitFlags {
    flags: Vec<Flag>,
}

impl UnitFlags {
    pub(crate) fn new(bytes: usize) -> UnitFlags {
        UnitFlags {
            flags: vec![Flag::default(); bytes.div_ceil(UNIT)],
        }
    }

    /// The first byte of the first block whose flag is set.
    pub(crate) fn first_set(&self) -> Option<u64> {
        let set = self.flags.iter().position(|flag| flag.set);
        set.map(|flag| (flag * UNIT) as u64)
    }
}

/// The rows of a tile in L0C: columns of fractals, some bytes apart.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Blocks {
    pub(crate) at: usize,
    pub(crate) rows: usize,
    pub(crate) column_bytes: usize,
    pub(crate) columns: usize,
}

impl Blocks {
    /// The flags that its rows touch.
    fn flags(self) -> impl Iterator<Item = usize> {
        (0..self.columns).flat_map(move |column| {
            let first = self.at + column * self.column_bytes;
            let end = (first + self.rows * ROW).div_ceil(UNIT);
            first / UNIT..end
        })
    }
}

impl Core<'_> {
    /// Waits until every flag of a tile has the value that the instruction needs.
    pub(crate) fn unit_wait(
        &self,
        unit: UnitFlag,
        blocks: &Blocks,
        needed: bool,
    ) -> Result<(), Halt> {
        if unit == UnitFlag::Off {
            return Ok(());
        }
        let differs = |flag: &usize| self.unit.flags.get(*flag).map(|f| f.set) != Some(needed);
        match blocks.flags().find(differs) {
            Some(flag) => Err(Halt::Wait(WaitReason::Unit {
                address: (flag * UNIT) as u64,
                set: needed,
            })),
            None => Ok(()),
        }
    }

    /// Turns the flags of a tile, if the instruction is the last of its kind.
    pub(crate) fn unit_done(&mut self, unit: UnitFlag, blocks: &Blocks, filled: bool) {
        if unit != UnitFlag::Last {
            return;
        }
        let count = self.order.issued[self.lane];
        for flag in blocks.flags() {
            let flag = &mut self.unit.flags[flag];
            flag.set = filled;
            match filled {
                true => flag.filled = count,
                false => flag.drained = count,
            }
        }
        self.wake = true;
    }

    /// Adds what the flags of a tile tell: which `mmad` filled it, and to the cube which `fix` drained it since.
    pub(crate) fn unit_teach(&self, blocks: &Blocks, known: &mut Known) {
        let (cube, fix) = (Pipe::M.index(), Pipe::Fix.index());
        for flag in blocks.flags() {
            let flag = self.unit.flags[flag];
            known[cube] = known[cube].max(flag.filled);
            if self.lane == cube {
                known[fix] = known[fix].max(flag.drained);
            }
        }
    }
}
