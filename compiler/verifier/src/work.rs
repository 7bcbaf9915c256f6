//! What an instruction does to memory, on chip and global: order against earlier work, then values. One instruction at a time.

use isa::chip::Chip;
use isa::effects::{Access, Steps};
use isa::inst::{Dir, Spr, VecScalar};
use isa::types::{PAST_L2, Pipe, Space};

use crate::core::{Core, Event, Target, Task, UnitState};
use crate::footprint::{Footprints, Id};
use crate::gm::{Sort, Who, Wrong};
use crate::local::Clash;
use crate::order::{Known, SCALAR, STORES, lane_pipe};
use crate::program::Step;
use crate::refusal::{Cached, Place, Reason, Verb, WaitsFor};
use crate::scalar::{NOWHERE, Registers};
use crate::shape::{Global, Shape, UNIT};
use crate::slopes::LEVELS;
use crate::trail::Trace;
use crate::world::{Assumed, World};
use isa::inst::Regs as _;

/// Why an instruction is refused, and the other side.
pub(crate) type Stop = (Reason, Option<Place>);

pub(crate) fn alone(reason: Reason) -> Stop {
    (reason, None)
}

/// Special registers that decide what instructions of the cube touch.
const SHAPING: [Spr; 7] = [
    Spr::Ctrl,
    Spr::Fpc,
    Spr::FpcRelu,
    Spr::Fmatrix,
    Spr::FmatrixB,
    Spr::L3dRpt,
    Spr::Atomic,
];

/// Whether data decides a special register on which what is touched depends.
fn is_vague(regs: &Registers, lane: Pipe) -> bool {
    let bits = SHAPING
        .iter()
        .fold(0, |bits, spr| bits | 1_u32 << spr.index());
    regs.spr_unknown & bits != 0 || lane == Pipe::V && (regs.lanes_unknown || regs.va_unknown != 0)
}

impl Core {
    /// What a queue has to do for an instruction.
    pub(crate) fn work(&mut self, world: &mut World<'_>, step: &Step) -> Result<Task, Reason> {
        if self.regs.unknown & step.shaping != 0 {
            return Err(Reason::Unknown("data decides which bytes are touched"));
        }
        if is_vague(&self.regs, step.lane) {
            return Err(Reason::Unknown("data decides a special register"));
        }
        let kind = self.name.kind() as u8;
        let inst = &world.programs[usize::from(kind)].code[self.pc as usize];
        let shape = world.shapes.of(
            (kind, self.pc),
            (inst, step.shaping, step.lane),
            &self.regs,
            (world.chip, &mut world.footprints),
        )?;
        let mut targets = [Target::Address(0, [0; LEVELS]); 2];
        let uses = world.shapes.all[shape as usize].global.clone();
        for (target, use_) in targets.iter_mut().zip(&uses) {
            *target = self.target(world, use_)?;
        }
        if uses.len() > 2 {
            // Matrices of one load: all start at one register.
            targets[1] = targets[0];
        }
        self.note_use(world, shape, &targets);
        let scalar = crate::offsets::scalar(inst).and_then(|scalar| self.scalar_value(scalar));
        Ok(Task::Work {
            shape,
            targets,
            scalar,
            atomic: self.regs.spr(Spr::Atomic),
        })
    }

    /// Where a use of global memory begins.
    pub(crate) fn target(
        &mut self,
        world: &mut World<'_>,
        use_: &Global,
    ) -> Result<Target, Reason> {
        if !self.regs.is_unknown(use_.pointer) {
            let slopes = match self.levels.is_empty() {
                true => [0; LEVELS],
                false => self.levels.of(use_.pointer),
            };
            return Ok(Target::Address(
                self.regs.reg(use_.pointer) & !PAST_L2,
                slopes,
            ));
        }
        match self.regs.region[use_.pointer.index()] {
            NOWHERE => Err(Reason::Unknown("data decides which tensor is used")),
            region => {
                let region = usize::from(region);
                world.assume(self.name.kind(), self.pc, Assumed::Inside(region));
                Ok(Target::Region(region))
            }
        }
    }

    /// Order and values of an instruction that its queue runs now.
    pub(crate) fn execute_work(
        &mut self,
        world: &mut World<'_>,
        event: &Event,
        lane: usize,
    ) -> Result<Option<WaitsFor>, Stop> {
        let Task::Work {
            shape,
            targets,
            atomic,
            scalar,
        } = &event.task
        else {
            return Ok(None);
        };
        let waits = self.unit_wait(&world.shapes.all[*shape as usize]);
        if waits.is_some() {
            return Ok(waits);
        }
        let now = self.begin(lane, event.pc);
        let World {
            shapes,
            footprints,
            gm,
            trail,
            ..
        } = world;
        let shape = &shapes.all[*shape as usize];
        let counts = shape.counts;
        self.order_on_chip(footprints, shape, (lane, now))?;
        let gathered = self.order_gather(footprints, shape, world.chip, (lane, now))?;
        let sort = match atomic & Spr::ATOMIC_OP {
            0 => Sort::Write,
            _ => Sort::Atomic(*atomic as u8),
        };
        for (number, use_) in shape.global.iter().enumerate() {
            let sort = if use_.writes { sort } else { Sort::Read };
            let target = targets[number.min(1)];
            self.touch_global((gm, trail), use_, target, (lane, now, event.pc, sort))?;
        }
        self.demand(footprints, shape)?;
        self.follow_integers(footprints, shape, *scalar);
        self.unit_done(shape, now);
        self.provide(footprints, gm, shape, targets);
        if let Some((false, _)) = gathered {
            world.assume(self.name.kind(), event.pc, Assumed::Offsets);
        }
        if counts {
            self.counted = now;
        }
        Ok(None)
    }

    fn order_on_chip(
        &mut self,
        footprints: &Footprints,
        shape: &Shape,
        (lane, now): (usize, u32),
    ) -> Result<(), Stop> {
        let known = self.order.known[lane];
        for use_ in &shape.uses {
            let dir = match (use_.reads, use_.writes) {
                (true, true) => Dir::InOut,
                (false, true) => Dir::Out,
                (true | false, false) => Dir::In,
            };
            let mut knows = known;
            if shape.chained && use_.writes {
                knows[lane] = now;
            }
            if footprints.get(use_.bytes).space == Space::L0c {
                self.unit_teach(shape, lane, &mut knows);
            }
            if let Some(clash) =
                self.local
                    .touch(footprints, (use_.bytes, dir), (lane, now), &knows)
            {
                let space = footprints.get(use_.bytes).space;
                return Err(self.clash(use_.operand, space, use_.writes, clash));
            }
        }
        Ok(())
    }

    /// The unit flag that an instruction has to wait for.
    pub(crate) fn unit_wait(&self, shape: &Shape) -> Option<WaitsFor> {
        let unit = shape.unit.as_ref()?;
        let set = |flag: u32| self.units.get(flag as usize).is_some_and(|unit| unit.set);
        let wrong = unit.flags.iter().find(|&&flag| set(flag) == unit.fills);
        wrong.map(|&flag| WaitsFor::Unit(u64::from(flag) * UNIT, !unit.fills))
    }

    /// What the unit flags of a tile tell: who filled it, and to the cube who drained it since.
    fn unit_teach(&self, shape: &Shape, lane: usize, known: &mut Known) {
        let Some(unit) = &shape.unit else { return };
        let (cube, fix) = (Pipe::M.index(), Pipe::Fix.index());
        let states = unit
            .flags
            .iter()
            .filter_map(|&flag| self.units.get(flag as usize));
        for state in states {
            known[cube] = known[cube].max(state.filled);
            if lane == cube {
                known[fix] = known[fix].max(state.drained);
            }
        }
    }

    /// Turns the unit flags of a tile, if the instruction is the last of its kind.
    fn unit_done(&mut self, shape: &Shape, now: u32) {
        let Some(unit) = shape.unit.as_ref().filter(|unit| unit.last) else {
            return;
        };
        for &flag in &unit.flags {
            let flag = flag as usize;
            if self.units.len() <= flag {
                self.units.resize(flag + 1, UnitState::default());
            }
            let state = &mut self.units[flag];
            state.set = unit.fills;
            match unit.fills {
                true => state.filled = now,
                false => state.drained = now,
            }
        }
        self.wake = true;
    }

    /// A gather reads what its offsets can name: whether that is known to hold values, and the bytes.
    fn order_gather(
        &mut self,
        footprints: &mut Footprints,
        shape: &Shape,
        chip: &Chip,
        (lane, now): (usize, u32),
    ) -> Result<Option<(bool, Id)>, Stop> {
        let (Some(gather), Some(ranges)) = (&shape.gather, &self.ranges) else {
            return Ok(None);
        };
        let end = chip.space_bytes(Space::Ub) as i64;
        let (low, high) = ranges.of(footprints, gather.offsets);
        let table = i64::from(gather.table);
        let reach = (table + low, table + high + i64::from(gather.elem));
        let (from, to) = (reach.0.clamp(0, end), reach.1.clamp(0, end));
        let bytes = footprints.of_pieces(Space::Ub, vec![(from as u32, to as u32)]);
        let known = self.order.known[lane];
        let touched = self
            .local
            .touch(footprints, (bytes, Dir::In), (lane, now), &known);
        if let Some(clash) = touched {
            return Err(self.clash("src", Space::Ub, false, clash));
        }
        let proved = reach == (from, to) && self.local.hole(footprints, bytes).is_none();
        Ok(Some((proved, bytes)))
    }

    /// The value of a scalar operand, if it is known.
    fn scalar_value(&self, scalar: VecScalar) -> Option<i32> {
        match scalar {
            VecScalar::Reg(reg) if self.regs.is_unknown(reg) => None,
            VecScalar::Reg(_) | VecScalar::Imm(_) => Some(scalar.get(&self.regs) as i32),
        }
    }

    /// What the integers that an instruction writes can be.
    fn follow_integers(&mut self, footprints: &Footprints, shape: &Shape, scalar: Option<i32>) {
        let Some(ranges) = &mut self.ranges else {
            return;
        };
        let written = shape.uses.iter().filter(|use_| use_.writes);
        let range = shape
            .arith
            .and_then(|(arith, a, b)| ranges.result(footprints, arith, (a, b), scalar));
        for use_ in written {
            ranges.put(footprints, use_.bytes, range);
        }
    }

    pub(crate) fn clash(
        &self,
        operand: &'static str,
        space: Space,
        writes: bool,
        clash: Clash,
    ) -> Stop {
        let verb = |writes: bool| if writes { Verb::Writes } else { Verb::Reads };
        let reason = Reason::Race {
            operand,
            verb: verb(writes),
            space,
            bytes: (clash.bytes.0.into(), clash.bytes.1.into()),
            tensor: None,
            other: verb(clash.writes),
        };
        let pc = self.pc_of(clash.lane, clash.count);
        let other = pc.map(|pc| Place {
            core: self.name,
            pc,
            pipe: lane_pipe(clash.lane),
        });
        (reason, other)
    }

    /// A use of global memory: in bounds, allowed, ordered.
    pub(crate) fn touch_global(
        &mut self,
        (gm, trail): (&mut crate::gm::Global, &mut Vec<Trace>),
        use_: &Global,
        target: Target,
        (lane, count, pc, sort): (usize, u32, u32, Sort),
    ) -> Result<(), Stop> {
        let operand = use_.operand;
        let (region, at, slopes) = match target {
            Target::Address(at, slopes) => {
                let region = gm.within(operand, &use_.pieces, at).map_err(alone)?;
                (region, at, slopes)
            }
            Target::Region(region) => (region, gm.regions[region].start, [0; LEVELS]),
        };
        let anywhere = matches!(target, Target::Region(_));
        if use_.writes {
            gm.writable(operand, region).map_err(alone)?;
        }
        if use_.writes && anywhere {
            return Err(alone(Reason::Unknown(
                "data decides which bytes are written",
            )));
        }
        let mut use_ = *use_;
        if anywhere {
            use_.pieces = Access {
                base: 0,
                ..whole(gm, region)
            };
        }
        let (start, end) = use_.pieces.span();
        self.check_written_back(lane, (start.wrapping_add(at), end.wrapping_add(at)))?;
        let who = Who {
            core: self.number,
            lane: lane as u8,
            count,
            pc,
            sort,
        };
        let mut trace = Trace {
            who,
            use_,
            region,
            at,
            slopes,
            known: self.order.known[lane],
            heard: None,
            full: false,
        };
        if !gm.is_input(region) {
            trace.heard = self.heard[lane].clone();
            trace.enter(gm)?;
            trace.full = sort == Sort::Read && trace.holds_values(gm);
            if sort == Sort::Read && !trace.full {
                // Other bytes may lack values in another round, and what becomes of them there is not followed.
                self.levels.fail();
            }
        }
        if self.levels.is_any_left() {
            trail.push(trace);
        }
        Ok(())
    }

    /// What a queue reads or writes over must not be in the data cache still.
    fn check_written_back(&mut self, lane: usize, bytes: (u64, u64)) -> Result<(), Stop> {
        if lane == SCALAR || lane == STORES || !self.cached.has_stores() {
            return Ok(());
        }
        // Another round may touch other lines.
        self.levels.fail();
        match self.cached.hidden(bytes, self.order.known[lane][SCALAR]) {
            None => Ok(()),
            Some(by) => Err((Reason::Cached(Cached::Store), Some(self.scalar_place(by)))),
        }
    }

    /// The other side of a conflict in global memory as a place; the core's name is put in by who knows all cores.
    pub(crate) fn both((reason, other): Wrong) -> Stop {
        let other = other.map(|who| Place {
            core: crate::world::unnamed(who.core),
            pc: who.pc,
            pipe: lane_pipe(usize::from(who.lane)),
        });
        (reason, other)
    }
}

/// An access at another base.
pub(crate) fn moved(pieces: &Access, at: u64) -> Access {
    Access {
        base: pieces.base.wrapping_add(at),
        ..*pieces
    }
}

/// All of a region as one access.
pub(crate) fn whole(gm: &crate::gm::Global, region: usize) -> Access {
    let region = &gm.regions[region];
    piece(Space::Gm, Dir::In, region.start, region.len)
}

pub(crate) fn piece(space: Space, dir: Dir, base: u64, len: u64) -> Access {
    Access {
        operand: "base",
        space,
        dir,
        base,
        len,
        outer: Steps::ONCE,
        inner: Steps::ONCE,
    }
}
