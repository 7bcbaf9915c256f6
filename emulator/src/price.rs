//! What instructions of the vector unit cost, remembered.
//!
//! The banks of UB make that cost a walk over repeats, and loops ask for the same walks again and again. A price depends
//! on the instruction, on the registers that say where and how much, and on the lanes in force, and on nothing else, so
//! what was found for these is given again. Knows no instruction and no cost of its own.

use std::cell::Cell;

use isa::chip::Chip;
use isa::cost::{self, Cost};
use isa::inst::{Inst, Lanes, Reg, Regs, Spr, Visitor};
use isa::types::Pipe;

/// Prices that are remembered; a power of two.
const ENTRIES: usize = 1 << 10;
/// Most registers of an instruction whose price is remembered.
const REGISTERS: usize = 4;

/// The registers that decide what an instruction of the vector unit costs; none for those whose price is not remembered.
pub(crate) type Named = Option<Vec<Reg>>;

/// Registers that name places, or how much there is to do; not those that are only computed with, whose values need not
/// be known.
#[derive(Default)]
struct Deciding(u32);

impl Visitor for Deciding {
    fn reads(&mut self, reg: Reg) {
        self.0 |= 1 << reg.index();
    }

    fn computes_with(&mut self, _reg: Reg) {}
}

/// The registers that a price depends on.
pub(crate) fn named(inst: &Inst) -> Named {
    let mut deciding = Deciding::default();
    inst.visit(&mut deciding);
    let reads = deciding.0;
    let fits = reads.count_ones() as usize <= REGISTERS;
    let all = (0..Reg::COUNT as u8).map(Reg);
    let list = || all.filter(|reg| reads >> reg.index() & 1 != 0);
    (inst.queue() == Pipe::V && inst.pipe() == Pipe::V && fits).then(|| list().collect())
}

/// Registers that notice being asked.
#[derive(Debug, Default)]
pub(crate) struct Asked(Cell<bool>);

impl Asked {
    pub(crate) fn was_asked(&self) -> bool {
        self.0.get()
    }
}

impl Regs for Asked {
    fn reg(&self, _reg: Reg) -> u64 {
        self.0.set(true);
        0
    }

    fn spr(&self, _spr: Spr) -> u64 {
        self.0.set(true);
        0
    }

    fn lanes(&self) -> Lanes {
        self.0.set(true);
        Lanes::ALL
    }

    fn va(&self, _number: u64) -> u128 {
        self.0.set(true);
        0
    }
}

/// The cost of an instruction that no register decides, traffic in global memory apart.
pub(crate) fn fixed(inst: &Inst, chip: &Chip) -> Option<Cost> {
    let asked = Asked::default();
    let cost = cost::cost(inst, &asked, chip);
    (!asked.was_asked() && cost.gm.is_none()).then_some(cost)
}

/// What a price depends on, the instruction apart: the lanes in force and the registers that are named.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operands {
    lanes: Lanes,
    registers: [u64; REGISTERS],
}

impl Operands {
    /// The operands of an instruction that names these registers.
    #[inline]
    pub(crate) fn of(named: &[Reg], regs: &impl Regs) -> Operands {
        let value = |n: usize| named.get(n).map_or(0, |&reg| regs.reg(reg));
        Operands {
            lanes: regs.lanes(),
            registers: [value(0), value(1), value(2), value(3)],
        }
    }

    /// Whether they are those of an instruction that names these registers, looked up one by one.
    #[inline]
    pub(crate) fn are(&self, named: &[Reg], regs: &impl Regs) -> bool {
        let mut pairs = named.iter().zip(self.registers);
        self.lanes == regs.lanes() && pairs.all(|(&reg, value)| regs.reg(reg) == value)
    }
}

/// What a price depends on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Key {
    pc: u32,
    operands: Operands,
}

/// A price of an instruction and what it was for.
type Near = Option<(Operands, Cost)>;

/// The latest prices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prices {
    /// The last two of each instruction, the later one first: buffers take turns.
    near: Vec<[Near; 2]>,
    /// By a hash of the key; empty until the first price.
    entries: Vec<Option<(Key, Cost)>>,
}

impl Prices {
    /// The cost of an instruction that names these registers.
    #[inline]
    pub(crate) fn of(
        &mut self,
        pc: u32,
        inst: &Inst,
        named: &[Reg],
        regs: &impl Regs,
        chip: &Chip,
    ) -> Cost {
        if let Some(pair) = self.near.get(pc as usize) {
            for (operands, cost) in pair.iter().flatten() {
                if operands.are(named, regs) {
                    return *cost;
                }
            }
        }
        let operands = Operands::of(named, regs);
        let cost = self.searched(Key { pc, operands }, inst, regs, chip);
        let at = pc as usize;
        if at >= self.near.len() {
            self.near.resize(at + 1, [None; 2]);
        }
        self.near[at] = [Some((operands, cost)), self.near[at][0]];
        cost
    }

    /// The cost for a key that is neither of the last two.
    fn searched(&mut self, key: Key, inst: &Inst, regs: &impl Regs, chip: &Chip) -> Cost {
        // In either of two neighbours; the older one is forgotten first.
        let first = slot(&key) & !1;
        if let Some(pair) = self.entries.get(first..first + 2) {
            for (known, cost) in pair.iter().flatten() {
                if *known == key {
                    debug_assert_eq!(*cost, cost::cost(inst, regs, chip), "{inst}");
                    return *cost;
                }
            }
        }
        let cost = cost::cost(inst, regs, chip);
        self.remember(first, key, cost);
        cost
    }

    #[cold]
    fn remember(&mut self, first: usize, key: Key, cost: Cost) {
        if self.entries.is_empty() {
            self.entries.resize(ENTRIES, None);
        }
        let pair = &mut self.entries[first..first + 2];
        pair[1] = pair[0].take();
        pair[0] = Some((key, cost));
    }
}

/// Where a price is kept.
#[inline]
fn slot(key: &Key) -> usize {
    // Multiplying by odd numbers spreads what differs in any bit over the upper ones.
    const SPREAD: [u64; 6] = [
        0x9e37_79b9_7f4a_7c15,
        0xbf58_476d_1ce4_e5b9,
        0x94d0_49bb_1331_11eb,
        0xd6e8_feb8_6659_fd93,
        0xc2b2_ae3d_27d4_eb4f,
        0xff51_afd7_ed55_8ccd,
    ];
    let (low, high) = match key.operands.lanes {
        Lanes::Count(count) => (count, 1),
        Lanes::Mask(low, high) => (low, high),
    };
    let [a, b, c, d] = key.operands.registers;
    let state = u64::from(key.pc) ^ low.rotate_left(32) ^ high.rotate_left(16);
    let words = [state, a, b, c, d, low];
    let products = words.iter().zip(SPREAD);
    let hash = products.fold(0_u64, |hash, (word, odd)| hash ^ word.wrapping_mul(odd));
    (hash >> 54) as usize % ENTRIES
}
