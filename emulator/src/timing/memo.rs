//! What instructions of queues were found to cost and move, given again when they come with the same operands.
//!
//! A loop gives the same instructions to the queues with other addresses. What an address alone can change is where the
//! bytes lie, if pricing did not ask for it: that is found out once, by asking again with shifted addresses, and from
//! then on only alignment and bounds are looked at. Whatever is not sure is looked at in full.

use std::cell::Cell;

use isa::chip::Chip;
use isa::cost;
use isa::inst::{Addr, Dir, Inst, Lanes, Reg, Regs, Spr};
use isa::types::{PAST_L2, Space};

use crate::core::{Context, Core};
use crate::report::Path;
use crate::stream::Written;

/// Operands of one instruction that are remembered side by side.
const WAYS: usize = 16;
/// States of special registers and lanes that are told apart without being taken for new ones.
const STATES: usize = 16;
/// How often an instruction may come to a core with new operands before it is no longer remembered.
const NEWS: u32 = 512;
/// Instead of that number: what the instruction does is not that simple.
const NEVER: u32 = u32::MAX;
/// How far addresses are shifted to see what follows them.
const SHIFT: u64 = 1 << 20;

/// What is remembered of each instruction of a program, by whichever core it was met first.
#[derive(Debug, Default)]
pub(super) struct Memo {
    found: Vec<Recent>,
    /// The number of what special registers and lanes hold.
    state: u64,
    /// The latest states with their numbers.
    states: Vec<(u64, State)>,
    /// States that were met so far.
    met: u64,
}

/// What special registers and lanes hold.
type State = ([u64; Spr::COUNT], Lanes);

/// The latest operands of one instruction.
#[derive(Clone, Debug, Default)]
struct Recent {
    ways: Vec<Known>,
    next: usize,
    news: u32,
}

/// An instruction with its operands, and what became of it.
#[derive(Clone, Debug)]
struct Known {
    /// Registers that must have the same values.
    keys: Vec<(Reg, u64)>,
    state: u64,
    places: Vec<Place>,
    event: Written,
    moved: Option<(Path, u64)>,
    mads: u64,
    /// Whether it touches and counts nothing.
    is_order: bool,
}

/// A memory operand whose address is in a register.
#[derive(Copy, Clone, Debug)]
struct Place {
    operand: &'static str,
    reg: Reg,
    space: Space,
    /// The address when it was priced, and the bytes that are touched, counted from it.
    base: u64,
    reach: u64,
    writes: bool,
    align: u64,
    /// Bytes of the memory.
    size: u64,
}

impl Memo {
    /// Begins with another core of the same program, in the state of a launch.
    pub(super) fn begin(&mut self, instructions: usize) {
        self.found.resize(instructions, Recent::default());
        for recent in self.found.iter_mut().filter(|recent| recent.news != NEVER) {
            recent.news = recent.news.min(1);
        }
        self.state = 0;
    }

    /// Notes that special registers or lanes were written, perhaps with what they held before: a loop writes the same in
    /// every turn.
    pub(super) fn written(&mut self, context: &Context) {
        // Those that tell cores apart never change, and only the scalar unit reads them.
        let mut spr = context.spr;
        for fixed in Spr::ALL.iter().filter(|spr| !spr.is_writable()) {
            spr[fixed.index()] = 0;
        }
        let holds = (spr, context.lanes);
        let known = self.states.iter().find(|(_, state)| *state == holds);
        if let Some(&(number, _)) = known {
            self.state = number;
            return;
        }
        self.met += 1;
        self.state = self.met;
        let place = self.met as usize % STATES;
        match self.states.get_mut(place) {
            Some(state) => *state = (self.met, holds),
            None => self.states.push((self.met, holds)),
        }
    }

    /// The number of what special registers and lanes hold.
    #[inline]
    pub(super) fn state(&self) -> u64 {
        self.state
    }

    /// Notes that they hold what they held under that number.
    #[inline]
    pub(super) fn set_state(&mut self, state: u64) {
        self.state = state;
    }

    /// Does again what was found, if it was and the addresses are good.
    #[inline]
    pub(super) fn repeat(&self, core: &mut Core<'_>, at: usize) -> bool {
        for known in &self.found[at].ways {
            if known.is_for(&core.context, self.state) {
                return known.repeat(core);
            }
        }
        false
    }

    /// Remembers what an instruction was priced at and what it moved.
    pub(super) fn learn(
        &mut self,
        core: &Core<'_>,
        at: usize,
        event: Written,
        moved: Option<(Path, u64)>,
        mads: u64,
    ) {
        let inst = &core.program.code[at];
        let chip = core.launch.chip;
        let recent = &mut self.found[at];
        if recent.news >= NEWS {
            return;
        }
        recent.news += 1;
        // Most instructions of a short run come once.
        if recent.news == 1 {
            return;
        }
        let Some(dependence) = dependence(inst, &core.context, chip) else {
            recent.news = NEVER;
            return;
        };
        let is_order = super::is_order(inst) && dependence.places.is_empty();
        let known = Known {
            is_order,
            keys: dependence.keys,
            state: self.state,
            places: dependence.places,
            event,
            moved,
            mads,
        };
        if recent.ways.len() < WAYS {
            recent.ways.push(known);
        } else {
            recent.ways[recent.next] = known;
            recent.next = (recent.next + 1) % WAYS;
        }
    }
}

impl Known {
    #[inline]
    fn is_for(&self, context: &Context, state: u64) -> bool {
        let mut keys = self.keys.iter();
        self.state == state && keys.all(|&(reg, value)| context.reg(reg) == value)
    }

    /// Does again what was found, if the addresses are good.
    #[inline]
    fn repeat(&self, core: &mut Core<'_>) -> bool {
        if self.is_order {
            core.stream.again_kind(&self.event);
            return true;
        }
        let mut by = 0_u64;
        for place in &self.places {
            let address = core.context.reg(place.reg);
            let way = place.way();
            if (address ^ place.base) & way != 0 || !place.is_good(core, address & !way) {
                return false;
            }
            if place.space == Space::Gm {
                by = by.wrapping_add(address.wrapping_sub(place.base));
            }
        }
        for place in self.places.iter().filter(|place| place.writes) {
            if place.space != Space::Gm {
                let end = core.context.reg(place.reg) + place.reach;
                core.memory(place.space).touch(end as usize);
            }
        }
        if let Some((path, bytes)) = self.moved {
            core.moved[path as usize] += bytes;
        }
        core.mads += self.mads;
        core.stream.again(&self.event, by);
        true
    }
}

impl Place {
    /// The bits of an address that say no more than which way it is reached.
    #[inline]
    fn way(&self) -> u64 {
        match self.space == Space::Gm {
            true => PAST_L2,
            false => 0,
        }
    }

    /// Whether the access stays where it may be.
    #[inline]
    fn is_good(&self, core: &Core<'_>, address: u64) -> bool {
        if self.space == Space::Gm {
            let span = core.launch.gm.span(self.operand, address, self.reach);
            return span.is_ok_and(|span| {
                !self.writes
                    || span
                        .region
                        .writable(self.operand, address, self.reach)
                        .is_ok()
            });
        }
        let inside = address
            .checked_add(self.reach)
            .is_some_and(|end| end <= self.size);
        let aligned = match self.align.is_power_of_two() {
            true => address & (self.align - 1) == 0,
            false => address.is_multiple_of(self.align),
        };
        inside && aligned
    }
}

/// What the price and the accesses of an instruction depend on.
struct Dependence {
    keys: Vec<(Reg, u64)>,
    places: Vec<Place>,
}

/// Which registers decide the price, and which say no more than where bytes lie; none if that is not so simple.
fn dependence(inst: &Inst, context: &Context, chip: &Chip) -> Option<Dependence> {
    let memory = inst.memory();
    let addresses = memory.iter().fold(0, |mask, place| match place.at {
        Addr::Reg(reg) => mask | 1 << reg.index(),
        Addr::Imm(_) => mask,
    });
    let asked = Probe::new(context, 0);
    cost::cost(inst, &asked, chip);
    let moving = addresses & !asked.asked.get();
    let reads = inst.registers().reads & !moving;
    let keys = (0..Reg::COUNT as u8)
        .map(Reg)
        .filter(|reg| reads >> reg.index() & 1 != 0)
        .map(|reg| (reg, context.reg(reg)))
        .collect();
    let (here, there) = (
        inst.effects(context),
        inst.effects(&Probe::new(context, moving)),
    );
    let mut places: Vec<Place> = Vec::new();
    for (one, other) in here.iter().zip(&there) {
        let named = memory.iter().find(|place| place.operand == one.operand);
        let reg = named.and_then(|place| match place.at {
            Addr::Reg(reg) if moving >> reg.index() & 1 != 0 => Some(reg),
            Addr::Reg(_) | Addr::Imm(_) => None,
        });
        let mut expected = *one;
        if reg.is_some() {
            expected.base = one.base.wrapping_add(SHIFT);
        }
        if *other != expected {
            return None;
        }
        let Some(reg) = reg else { continue };
        let base = context.reg(reg);
        let (start, end) = one.span();
        let align = match one.space == Space::L0c {
            true => chip.align.l0c_mmad.max(chip.align.l0c),
            false => chip.alignment(one.space),
        };
        let near = match one.space {
            Space::Gm => base & !PAST_L2,
            Space::L1
            | Space::L0a
            | Space::L0b
            | Space::L0c
            | Space::Ub
            | Space::Bt
            | Space::Fb => base,
        };
        if start < near || places.iter().any(|place| place.operand == one.operand) {
            return None;
        }
        places.push(Place {
            operand: one.operand,
            reg,
            space: one.space,
            base,
            reach: end - near,
            writes: one.dir != Dir::In,
            align: align.max(1),
            size: chip.space_bytes(one.space),
        });
    }
    (here.len() == there.len()).then_some(Dependence { keys, places })
}

/// Registers that remember which of them were asked for, some of them shifted.
struct Probe<'a> {
    context: &'a Context,
    shifted: u32,
    asked: Cell<u32>,
}

impl<'a> Probe<'a> {
    fn new(context: &'a Context, shifted: u32) -> Probe<'a> {
        Probe {
            context,
            shifted,
            asked: Cell::new(0),
        }
    }
}

impl Regs for Probe<'_> {
    fn reg(&self, reg: Reg) -> u64 {
        self.asked.set(self.asked.get() | 1 << reg.index());
        let shift = SHIFT * u64::from(self.shifted >> reg.index() & 1);
        self.context.reg(reg).wrapping_add(shift)
    }

    fn spr(&self, spr: Spr) -> u64 {
        self.context.spr(spr)
    }

    fn lanes(&self) -> Lanes {
        self.context.lanes()
    }
}
