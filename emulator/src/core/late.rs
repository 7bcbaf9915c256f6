//! Results that are not seen yet: how an adversarial run lets the instructions of one queue overlap.
//!
//! An instruction reads when it starts. What it writes is kept back here, in pieces of a block, and appears at any later
//! moment and in any order, until something that waits for the lane's work makes it appear: a flag, a barrier, a
//! cross-core set. Scalar stores appear in order, and before the scalar unit's next load. Chains of `mmad` that the
//! machine keeps in order, unit flags and atomic stores are not kept back, nor are L0A and L0B, which no instruction of
//! the queue that fills them reads. Which bytes an instruction writes is [`Inst::effects`]'; knows no operations.

use std::collections::VecDeque;

use isa::effects::{Access, ScalarAccess};
use isa::inst::{Dir, FixL0cGm, FixL0cL1, Gemv, Inst, Mmad, Regs, Spr, UnitFlag};
use isa::types::{Pipe, Space};

use super::Core;
use crate::hazard::{LANES, STORES};
use crate::memory::byte_mask;
use crate::schedule::Random;

const BLOCK: u64 = 32;

/// What is kept back of a core's results, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Late {
    lanes: [VecDeque<Piece>; LANES],
    random: Random,
    /// Once in how many instructions a piece appears by itself; never, if 0.
    appears: usize,
}

/// What an instruction has written to one block.
#[derive(Clone, Debug)]
struct Piece {
    space: Space,
    /// First address of the block.
    address: u64,
    bytes: [u8; BLOCK as usize],
    /// Which of the bytes hold values.
    set: u32,
    /// Which bytes it is about.
    mask: u32,
}

impl Late {
    pub(crate) fn new(seed: u64) -> Late {
        let mut random = Random::new(seed);
        let appears = [0, 0, 2, 8][random.below(4)];
        Late {
            lanes: Default::default(),
            random,
            appears,
        }
    }
}

impl Core<'_> {
    /// Runs `execute`, the instruction, and keeps back what it writes.
    pub(super) fn execute_late<E>(
        &mut self,
        inst: &Inst,
        execute: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.appear_by_chance();
        self.appear_for(inst);
        let lane = if is_scalar(inst, Dir::Out) {
            STORES
        } else {
            self.lane
        };
        let before = match self.keeps_back(inst) {
            true => self.written_blocks(inst),
            false => Vec::new(),
        };
        execute(self)?;
        for old in before {
            let mut new = self.block(old.space, old.address, old.mask);
            new.mask = changed(&old, &new);
            if new.mask != 0 {
                self.put_block(&Piece {
                    mask: new.mask,
                    ..old
                });
                self.late_lane(lane).push_back(new);
            }
        }
        self.appear_after(inst);
        Ok(())
    }

    fn late_lane(&mut self, lane: usize) -> &mut VecDeque<Piece> {
        let late = self.late.as_deref_mut();
        &mut late
            .expect("only cores that keep results back come here")
            .lanes[lane]
    }

    /// Whether the results of an instruction may be seen late.
    fn keeps_back(&self, inst: &Inst) -> bool {
        let atomic = self.context.spr(Spr::Atomic) & Spr::ATOMIC_OP != 0;
        !atomic && (self.lane != Pipe::S.index() || is_scalar(inst, Dir::Out))
    }

    /// The blocks that an instruction is going to write, as they are.
    fn written_blocks(&self, inst: &Inst) -> Vec<Piece> {
        let mut blocks = Vec::new();
        for access in inst.effects(&self.context) {
            let image = matches!(access.space, Space::L0a | Space::L0b);
            let writes = access.dir != Dir::In && is_small(&access);
            if !writes || image || !self.holds(access.space, access.span()) {
                continue;
            }
            for (start, len) in access.pieces() {
                let mut at = start;
                while at < start + len {
                    let block = at / BLOCK * BLOCK;
                    let end = (start + len).min(block + BLOCK);
                    let mask = byte_mask((at - block) as usize, (end - block) as usize);
                    blocks.push(self.block(access.space, block, mask));
                    at = end;
                }
            }
        }
        blocks
    }

    /// Whether a memory holds all of a range; what does not will fault by itself.
    fn holds(&self, space: Space, (start, end): (u64, u64)) -> bool {
        if space == Space::Gm {
            let span = self.launch.gm.span("", start, end.saturating_sub(start));
            return span.is_ok_and(|span| !span.region.is_full());
        }
        end <= self.memories[space as usize].bytes.len() as u64
    }

    /// Reads a block. Buffers and tensors start at whole blocks; a tensor may end inside one.
    fn block(&self, space: Space, address: u64, mask: u32) -> Piece {
        let mut bytes = [0; BLOCK as usize];
        let (from, to) = extent(mask);
        let set = if space == Space::Gm {
            match self
                .launch
                .gm
                .span("", address + from as u64, (to - from) as u64)
            {
                Ok(span) => {
                    span.region.read(span.offset, &mut bytes[from..to]);
                    span.region.bits(span.offset, to - from) << from
                }
                Err(_) => 0,
            }
        } else {
            let memory = &self.memories[space as usize];
            let at = address as usize;
            bytes[from..to].copy_from_slice(&memory.bytes[at + from..at + to]);
            memory.shadow.block(at / BLOCK as usize)
        };
        Piece {
            space,
            address,
            bytes,
            set: set & mask,
            mask,
        }
    }

    /// Writes a block, only what its mask names.
    fn put_block(&mut self, piece: &Piece) {
        let mut rest = piece.mask;
        while rest != 0 {
            let from = rest.trailing_zeros() as usize;
            let to = from + (rest >> from).trailing_ones() as usize;
            let bits = byte_mask(from, to);
            rest &= !bits;
            let (data, set) = (&piece.bytes[from..to], piece.set & bits);
            let address = piece.address + from as u64;
            if piece.space != Space::Gm {
                let memory = &mut self.memories[piece.space as usize];
                let (at, block) = (address as usize, piece.address as usize / BLOCK as usize);
                memory.bytes[at..at + data.len()].copy_from_slice(data);
                let others = memory.shadow.block(block) & !bits;
                memory.shadow.set_block(block, others | set);
            } else if let Ok(span) = self.launch.gm.span("", address, data.len() as u64) {
                span.region.write(span.offset, data);
                span.region.put_bits(span.offset, data.len(), set >> from);
            }
        }
    }

    /// Lets a piece appear that nothing waits for.
    fn appear_by_chance(&mut self) {
        let Some(late) = self.late.as_deref_mut() else {
            return;
        };
        if late.appears == 0 || !late.random.once_in(late.appears) {
            return;
        }
        let lane = late.random.below(LANES);
        let waiting = late.lanes[lane].len();
        if waiting > 0 {
            let count = 1 + late.random.below(waiting);
            self.appear(lane, count);
        }
    }

    /// Lets what an instruction relies on without a barrier appear.
    fn appear_for(&mut self, inst: &Inst) {
        let (cube, fix) = (Pipe::M.index(), Pipe::Fix.index());
        let extents = if let Inst::Mmad(i) = inst {
            Some((i.m.get(&self.context), i.n.get(&self.context)))
        } else if let Inst::Gemv(i) = inst {
            Some((1, i.n.get(&self.context)))
        } else {
            None
        };
        if let Some((m, n)) = extents {
            let fractals = |extent: u64| extent.div_ceil(16);
            if fractals(m).saturating_mul(fractals(n)) >= self.launch.chip.cube.barrier_fractals {
                self.appear(cube, usize::MAX);
            }
        }
        if unit_flag(inst) != UnitFlag::Off {
            self.appear(cube, usize::MAX);
            self.appear(fix, usize::MAX);
        }
        if is_scalar(inst, Dir::In) {
            self.appear(STORES, usize::MAX);
        }
    }

    /// Lets what an instruction has waited for, or tells others of, appear.
    fn appear_after(&mut self, inst: &Inst) {
        let scalar = self.lane == Pipe::S.index();
        if scalar && matches!(inst, Inst::Bar(_)) {
            return self.appear_all();
        }
        let waits = matches!(inst, Inst::SetFlag(_) | Inst::Bar(_) | Inst::Xset(_));
        if waits {
            self.appear(self.lane, usize::MAX);
        }
        if matches!(inst, Inst::Dsb(_) | Inst::DsbKind(_)) || waits && scalar {
            self.appear(STORES, usize::MAX);
        }
    }

    /// Lets so many pieces of a lane appear, in any order but for scalar stores.
    fn appear(&mut self, lane: usize, count: usize) {
        for _ in 0..count {
            let Some(late) = self.late.as_deref_mut() else {
                return;
            };
            let pieces = &mut late.lanes[lane];
            let piece = match (lane, pieces.len()) {
                (_, 0) => return,
                (STORES, _) => pieces.pop_front(),
                (_, waiting) => pieces.swap_remove_back(late.random.below(waiting)),
            };
            if let Some(piece) = piece {
                self.put_block(&piece);
            }
        }
    }

    /// Lets everything appear: the program has ended.
    pub(crate) fn appear_all(&mut self) {
        (0..LANES).for_each(|lane| self.appear(lane, usize::MAX));
    }
}

/// Whether an access is no larger than any buffer; one that goes over the same bytes again and again may be.
pub(super) fn is_small(access: &Access) -> bool {
    let pieces = access.outer.count.saturating_mul(access.inner.count);
    access.bytes() <= 1 << 22 && pieces <= 1 << 16
}

/// Whether an instruction is a load, or a store, of the scalar unit.
fn is_scalar(inst: &Inst, dir: Dir) -> bool {
    ScalarAccess::of(inst).is_some_and(|access| access.dir == dir)
}

/// First byte that a mask names and the one after the last.
fn extent(mask: u32) -> (usize, usize) {
    let from = mask.trailing_zeros().min(31) as usize;
    (from, 32 - mask.leading_zeros() as usize)
}

/// The bytes that differ in value or in whether they hold one.
fn changed(old: &Piece, new: &Piece) -> u32 {
    let differs = |i: &usize| old.bytes[*i] != new.bytes[*i];
    let values = (0..32).filter(differs).fold(0, |bits, i| bits | 1 << i);
    old.mask & (values | old.set ^ new.set)
}

/// The unit flag of an instruction; off for one that has none.
fn unit_flag(inst: &Inst) -> UnitFlag {
    if let Inst::Mmad(Mmad { unit, .. })
    | Inst::Gemv(Gemv { unit, .. })
    | Inst::FixL0cGm(FixL0cGm { unit, .. })
    | Inst::FixL0cL1(FixL0cL1 { unit, .. }) = inst
    {
        return *unit;
    }
    UnitFlag::Off
}
