//! A core as the verifier runs it: the scalar unit in program order, queues that hold what waits, no values of data.
//!
//! Which edges there are does not depend on the order of events as long as nothing is refused: each flag pairs its nth
//! wait with its nth set, each counter too, and control flow follows known values alone. So one legal order stands for
//! all. Where to start: [`Core::run`].

use std::collections::VecDeque;

use isa::chip::Chip;
use isa::inst::{Spr, Val};
use isa::types::{CoreKind, Pipe, Space};

use crate::cached::Lines;
use crate::claims::Open;
use crate::cross::{COUNTERS, Counter, Heard, Sent, hear, is_same};
use crate::local::Local;
use crate::offsets::Ranges;
use crate::order::{Flag, Known, LANES, Order, SCALAR, STORES, lane_pipe};
use crate::places::Places;
use crate::program::{Op, Program};
use crate::refusal::{CoreName, Place, Reason, Refusal, Stuck, WaitsFor};
use crate::scalar::Registers;
use crate::slopes::{Levels, Slopes};
use crate::steady::Watch;
use crate::trail::Counts;
use crate::world::World;

/// Depth of nested loops, and of calls, as the machine has it.
pub(crate) const DEPTH: usize = 16;

/// A hardware loop in progress.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) body: u32,
    pub(crate) end: u32,
    pub(crate) left: i64,
    /// Which loop of the core it is, in the order in which they were entered.
    pub(crate) serial: u64,
    /// Registers that this round has read before it wrote them, and those it has written.
    pub(crate) read: u32,
    pub(crate) written: u32,
    /// The same of all rounds.
    all: (u32, u32),
    pub(crate) watch: Option<Box<Watch>>,
}

impl Frame {
    pub(crate) fn new((body, end): (u32, u32), left: i64, serial: u64) -> Frame {
        Frame {
            body,
            end,
            left,
            serial,
            read: 0,
            written: 0,
            all: (0, 0),
            watch: None,
        }
    }

    /// A round is over: what it has read first, and written.
    pub(crate) fn end_round(&mut self) -> (u32, u32) {
        let round = (self.read, self.written);
        self.all.0 |= round.0 & !self.all.1;
        self.all.1 |= round.1;
        (self.read, self.written) = (0, 0);
        round
    }

    /// Registers that all rounds together have read first, and written.
    pub(crate) fn all(&self) -> (u32, u32) {
        self.all
    }
}

/// A unit flag of L0C, and who set and cleared it last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UnitState {
    pub(crate) set: bool,
    pub(crate) filled: u32,
    pub(crate) drained: u32,
}

/// Where a use of global memory begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// There, with how it changes along each level.
    Address(u64, Slopes),
    /// Somewhere in this region: data says where.
    Region(usize),
}

/// What a queue has to do.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Work {
        shape: u32,
        targets: [Target; 2],
        /// Spr `atomic`.
        atomic: u64,
        /// The scalar operand of integer arithmetic.
        scalar: Option<i32>,
    },
    Set(usize),
    Wait(usize),
    Bar,
    Xset(u8, usize),
    Xwait(usize),
}

/// An instruction in its queue.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) pc: u32,
    pub(crate) task: Task,
    pub(crate) known: Known,
    pub(crate) heard: Heard,
}

/// How a core ends its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ended,
    Blocked,
}

/// A core of the launch.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) number: u32,
    pub(crate) name: CoreName,
    pub(crate) regs: Registers,
    pub(crate) pc: u32,
    pub(crate) loops: Vec<Frame>,
    /// Loops that were entered.
    pub(crate) entered: u64,
    pub(crate) calls: Vec<u32>,
    pub(crate) order: Order,
    pub(crate) cached: Lines,
    pub(crate) heard: [Heard; LANES],
    /// What of the scalar unit's each lane has been told last.
    dispatched: [Heard; LANES],
    pub(crate) flags: Vec<Flag<Heard>>,
    pub(crate) counters: [Counter; COUNTERS],
    pub(crate) outbox: Vec<Sent>,
    pub(crate) local: Local,
    /// Integers in UB, where the program gathers.
    pub(crate) ranges: Option<Ranges>,
    /// The unit flags of L0C.
    pub(crate) units: Vec<UnitState>,
    /// The last piece of work that left a number in a special register.
    pub(crate) counted: u32,
    /// In a branch that data decides: which bytes of UB it has stored.
    pub(crate) branch_stores: Option<Vec<(u32, u32)>>,
    /// The step in progress of which something is claimed.
    pub(crate) step: Option<Open>,
    /// The instruction of each piece of work, by lane.
    pub(crate) pcs: [Places; LANES],
    /// Of each flag the lanes that set it and wait for it.
    pub(crate) flag_pairs: Vec<(usize, usize)>,
    /// How registers change along loops that are watched.
    pub(crate) levels: Levels,
    queues: [VecDeque<Event>; Pipe::ALL.len()],
    /// Instructions that have left each queue.
    runs: [u64; Pipe::ALL.len()],
    pub(crate) ended: bool,
    /// Whether a register was left without its value by rounds that were not followed.
    pub(crate) lost: bool,
    pub(crate) progressed: bool,
    pub(crate) wake: bool,
    blocked_on: Option<WaitsFor>,
}

impl Core {
    /// A core at launch.
    pub(crate) fn new(
        number: u32,
        name: CoreName,
        groups: u32,
        program: &Program,
        chip: &Chip,
    ) -> Core {
        let spaces = match name.kind() {
            CoreKind::Cube => &[
                Space::L1,
                Space::L0a,
                Space::L0b,
                Space::L0c,
                Space::Bt,
                Space::Fb,
            ][..],
            CoreKind::Vector => &[Space::Ub][..],
        };
        let mut core = Core {
            number,
            name,
            regs: Registers::new(),
            pc: 0,
            loops: Vec::new(),
            entered: 0,
            calls: Vec::new(),
            order: Order::default(),
            cached: Lines::new(chip),
            heard: Default::default(),
            dispatched: Default::default(),
            flags: vec![Flag::default(); program.pairs.len() * crate::order::FLAGS],
            counters: Default::default(),
            outbox: Vec::new(),
            local: Local::new(chip, spaces),
            ranges: program.gathers().then(Ranges::default),
            units: Vec::new(),
            counted: 0,
            branch_stores: None,
            step: None,
            pcs: Default::default(),
            flag_pairs: program
                .pairs
                .iter()
                .flat_map(|(src, dst)| [(src.index(), dst.index()); crate::order::FLAGS])
                .collect(),
            levels: Levels::default(),
            queues: Default::default(),
            runs: Default::default(),
            ended: false,
            lost: false,
            progressed: false,
            wake: false,
            blocked_on: None,
        };
        core.start(number, name, groups);
        core
    }

    /// Becomes another core of the same kind, at launch.
    pub(crate) fn start(&mut self, number: u32, name: CoreName, groups: u32) {
        self.number = number;
        self.name = name;
        self.regs = Registers::new();
        let mut put = |spr: Spr, value: u64| self.regs.spr[spr.index()] = value;
        put(Spr::BlockId, u64::from(name.group));
        put(Spr::BlockNum, u64::from(groups));
        put(Spr::SubBlockId, u64::from(name.vector.unwrap_or(0)));
        put(Spr::ParaBase, crate::gm::PARAMETERS);
        self.pc = 0;
        self.order = Order::default();
        self.cached.clear();
        self.local.reset();
        self.ranges.iter_mut().for_each(Ranges::reset);
        self.units.clear();
        self.counted = 0;
        self.pcs.iter_mut().for_each(Places::clear);
        self.loops.clear();
        self.entered = 0;
        self.calls.clear();
        self.levels.clear();
        self.heard = Default::default();
        self.dispatched = Default::default();
        self.counters = Default::default();
        self.outbox.clear();
        self.queues.iter_mut().for_each(VecDeque::clear);
        self.branch_stores = None;
        self.step = None;
        self.wake = false;
        self.blocked_on = None;
        self.flags
            .iter_mut()
            .for_each(|flag| *flag = Flag::default());
        self.ended = false;
    }

    /// Runs until the program ends or waits for another core.
    pub(crate) fn run(&mut self, world: &mut World<'_>) -> Result<State, Refusal> {
        self.progressed = false;
        self.drain(world)?;
        while !self.ended {
            if !self.go_on(world)? {
                // Other cores go on meanwhile.
                self.look_away(world, false);
                return Ok(State::Blocked);
            }
        }
        self.close_step(world);
        self.drain(world)?;
        match self.queues.iter().all(VecDeque::is_empty) {
            true => Ok(State::Ended),
            false => Ok(State::Blocked),
        }
    }

    /// Whether there is nothing more to do.
    pub(crate) fn is_done(&self) -> bool {
        self.ended && self.queues.iter().all(VecDeque::is_empty)
    }

    /// Takes the scalar unit one instruction further; false if it cannot.
    fn go_on(&mut self, world: &mut World<'_>) -> Result<bool, Refusal> {
        let pc = self.pc;
        let programs = world.programs;
        let program = &programs[self.name.kind() as usize];
        let Some(step) = program.steps.get(pc as usize) else {
            let what = "the program runs past its last instruction";
            return Err(self.refuse(pc.saturating_sub(1), SCALAR, Reason::ControlFlow(what)));
        };
        world
            .count_step()
            .map_err(|reason| self.refuse(pc, SCALAR, reason))?;
        self.claim(world, pc);
        self.note_registers(step);
        if !self.levels.is_empty() {
            self.follow(world, step);
        }
        let op = step.op;
        if matches!(op, Op::Xset(..) | Op::Xwait(_)) {
            // Other cores may go on then, so that a round is not this core's alone.
            self.look_away(world, true);
        }
        let task = match op {
            Op::Work => self.work(world, step),
            Op::Set(pair, id) => self.flag(pair, id).map(Task::Set),
            Op::Wait(pair, id) => self.flag(pair, id).map(Task::Wait),
            Op::Bar => Ok(Task::Bar),
            Op::Xset(mode, id) => self.counter(id).map(|id| Task::Xset(mode, id)),
            Op::Xwait(id) => self.counter(id).map(Task::Xwait),
            Op::Nop
            | Op::End
            | Op::Trap(_)
            | Op::Put(..)
            | Op::Calc(..)
            | Op::Madd(..)
            | Op::Cmp(..)
            | Op::Sel(..)
            | Op::Opaque(_)
            | Op::Load(..)
            | Op::Store(..)
            | Op::Rdspr(..)
            | Op::Wrspr(..)
            | Op::Jmp(_)
            | Op::Bcc(..)
            | Op::Loop(..)
            | Op::Endloop
            | Op::Call(_)
            | Op::Ret
            | Op::JumpTo(_)
            | Op::CallTo(_)
            | Op::Mask(..)
            | Op::Count(_)
            | Op::Va(..)
            | Op::Dsb
            | Op::Clean(_)
            | Op::BarAll => return self.scalar(world, pc, op),
        };
        let task = task.map_err(|reason| self.refuse(pc, step.lane.index(), reason))?;
        self.dispatch(world, pc, step.lane, task)
    }

    /// What the scalar unit does by itself.
    fn scalar(&mut self, world: &mut World<'_>, pc: u32, op: Op) -> Result<bool, Refusal> {
        if matches!(op, Op::BarAll) {
            return Ok(self.bar_all());
        }
        self.progressed = true;
        if let Err((reason, other)) = self.execute_scalar(world, op) {
            return Err(self.refuse_both(pc, SCALAR, reason, other));
        }
        if matches!(op, Op::Endloop) && self.pc <= pc {
            self.turn(world)?;
        } else if matches!(op, Op::Loop(..)) && self.pc == pc + 1 {
            self.watch(world);
        }
        Ok(true)
    }

    /// How many instructions each queue holds, and how many it has run so far if it holds any.
    pub(crate) fn backlog(&self) -> [(usize, u64); Pipe::ALL.len()] {
        let mut all = [(0, 0); Pipe::ALL.len()];
        for (entry, (queue, &runs)) in all.iter_mut().zip(self.queues.iter().zip(&self.runs)) {
            *entry = (queue.len(), if queue.is_empty() { 0 } else { runs });
        }
        all
    }

    /// What waits in queues.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.queues.iter().flatten()
    }

    /// What instructions in queues were told when they were handed over.
    pub(crate) fn queued(&self) -> impl Iterator<Item = &Known> {
        self.events().map(|event| &event.known)
    }

    /// Visits all that is held of other cores' work, in one order.
    pub(crate) fn each_heard(&self, mut visit: impl FnMut(&Heard)) {
        self.heard.iter().for_each(&mut visit);
        let flags = self.flags.iter().filter_map(|flag| flag.set.as_ref());
        flags.for_each(|(_, heard)| visit(heard));
        self.events().for_each(|event| visit(&event.heard));
        for counter in &self.counters {
            counter.each_heard(&mut visit);
        }
    }

    /// Changes all that is held of other cores' work.
    pub(crate) fn each_heard_mut(&mut self, mut change: impl FnMut(&mut Heard)) {
        self.heard.iter_mut().for_each(&mut change);
        let flags = self.flags.iter_mut().filter_map(|flag| flag.set.as_mut());
        flags.for_each(|(_, heard)| change(heard));
        let events = self.queues.iter_mut().flatten();
        events.for_each(|event| change(&mut event.heard));
        for counter in &mut self.counters {
            counter.each_heard_mut(&mut change);
        }
    }

    /// Moves what waits in queues so many periods on along a level.
    pub(crate) fn shift_queued(&mut self, counts: &Counts, (level, rounds): (usize, u32)) {
        for event in self.queues.iter_mut().flatten() {
            counts.shift(&mut event.known, rounds);
            let Task::Work { targets, .. } = &mut event.task else {
                continue;
            };
            for target in targets {
                if let Target::Address(at, slopes) = target {
                    let way = slopes[level].wrapping_mul(i64::from(rounds));
                    *at = at.wrapping_add_signed(way);
                }
            }
        }
    }

    /// The instruction of a piece of work.
    pub(crate) fn pc_of(&self, lane: usize, count: u32) -> Option<u32> {
        self.pcs[lane].of(count)
    }

    /// Index of a flag whose number is known.
    fn flag(&self, pair: usize, id: Val<3>) -> Result<usize, Reason> {
        if let Val::Reg(reg) = id
            && self.regs.is_unknown(reg)
        {
            return Err(Reason::Unknown("data decides the number of a flag"));
        }
        match id.get(&self.regs) {
            id @ 0..8 => Ok(pair * crate::order::FLAGS + id as usize),
            _ => Err(Reason::ControlFlow("a flag beyond 7")),
        }
    }

    fn counter(&self, id: Val<4>) -> Result<usize, Reason> {
        if let Val::Reg(reg) = id
            && self.regs.is_unknown(reg)
        {
            return Err(Reason::Unknown("data decides the number of a counter"));
        }
        match id.get(&self.regs) {
            id @ 0..16 => Ok(id as usize),
            _ => Err(Reason::ControlFlow("a counter beyond 15")),
        }
    }

    /// Hands an instruction to its queue, where it runs at once if nothing holds it.
    fn dispatch(
        &mut self,
        world: &mut World<'_>,
        pc: u32,
        pipe: Pipe,
        task: Task,
    ) -> Result<bool, Refusal> {
        let lane = pipe.index();
        let event = Event {
            pc,
            task,
            known: self.order.dispatch(),
            heard: self.heard[SCALAR].clone(),
        };
        if lane == SCALAR {
            if let Some(on) = self.execute(world, &event, lane)? {
                self.blocked_on = Some(on);
                return Ok(false);
            }
        } else {
            if self.queues[lane].len() as u64 >= world.chip.sync.queue_depth {
                self.blocked_on = Some(WaitsFor::Full(pipe));
                return Ok(false);
            }
            if !self.queues[lane].is_empty() || self.execute(world, &event, lane)?.is_some() {
                self.queues[lane].push_back(event);
            }
        }
        self.pc = pc + 1;
        self.progressed = true;
        if self.wake {
            self.drain(world)?;
        }
        Ok(true)
    }

    /// Runs queued instructions until every queue is empty or waits.
    fn drain(&mut self, world: &mut World<'_>) -> Result<(), Refusal> {
        let mut moving = self.queues.iter().any(|queue| !queue.is_empty());
        while moving {
            moving = false;
            for lane in 1..self.queues.len() {
                while let Some(head) = self.queues[lane].pop_front() {
                    if self.execute(world, &head, lane)?.is_some() {
                        self.queues[lane].push_front(head);
                        break;
                    }
                    self.runs[lane] += 1;
                    moving = true;
                    self.progressed = true;
                }
            }
        }
        self.wake = false;
        Ok(())
    }

    /// Waits for all queues and knows all their work.
    pub(crate) fn bar_all(&mut self) -> bool {
        if let Some(lane) = self.queues.iter().position(|queue| !queue.is_empty()) {
            self.blocked_on = Some(WaitsFor::Drain(lane_pipe(lane)));
            return false;
        }
        for lane in 0..Pipe::ALL.len() {
            let done = self.order.completion(lane);
            self.order.learn(SCALAR, &done);
            if !is_same(&self.heard[lane], &self.heard[SCALAR]) {
                let heard = self.heard[lane].clone();
                hear(&mut self.heard[SCALAR], &heard);
            }
        }
        // The queues are empty: each hears it with its next instruction at the latest.
        for lane in 0..Pipe::ALL.len() {
            if !is_same(&self.heard[lane], &self.heard[SCALAR]) {
                self.heard[lane] = self.heard[SCALAR].clone();
            }
        }
        self.order.stores_done = self.order.issued[STORES];
        self.cached.wait();
        self.pc += 1;
        self.progressed = true;
        true
    }

    /// Counts a piece of work of a lane.
    pub(crate) fn begin(&mut self, lane: usize, pc: u32) -> u32 {
        self.order.issued[lane] += 1;
        self.pcs[lane].push(pc);
        self.order.issued[lane]
    }

    /// Tells a lane what the scalar unit had heard of other cores, once.
    fn hear_dispatch(&mut self, lane: usize, heard: &Heard) {
        let Some(told) = heard else { return };
        let known = self.dispatched[lane].as_ref();
        if known.is_none_or(|known| !std::sync::Arc::ptr_eq(known, told)) {
            hear(&mut self.heard[lane], heard);
            // Held on to, so that it stays as it is.
            self.dispatched[lane] = Some(std::sync::Arc::clone(told));
        }
    }

    /// Runs an instruction in its lane; what it waits for, if it does.
    fn execute(
        &mut self,
        world: &mut World<'_>,
        event: &Event,
        lane: usize,
    ) -> Result<Option<WaitsFor>, Refusal> {
        self.order.learn(lane, &event.known);
        self.hear_dispatch(lane, &event.heard);
        let done = match &event.task {
            Task::Work { .. } => {
                let done = self.execute_work(world, event, lane);
                return match done {
                    Ok(waits) => Ok(waits),
                    Err((reason, other)) => Err(self.refuse_both(event.pc, lane, reason, other)),
                };
            }
            Task::Wait(flag) => self.wait_flag(world, *flag, lane),
            Task::Set(flag) => self.set_flag(world, event.pc, *flag, lane),
            Task::Bar => {
                let done = self.order.completion(lane);
                self.order.learn(lane, &done);
                Ok(None)
            }
            Task::Xset(mode, id) => {
                self.check_told(event.pc, lane)?;
                self.set_counter((*mode, *id), event.pc, lane);
                Ok(None)
            }
            Task::Xwait(id) => self.wait_counter(*id, event.pc, lane),
        };
        done.map_err(|reason| {
            let mut other = None;
            if let (Reason::FlagSetTwice(..), Task::Set(flag)) = (&reason, &event.task) {
                let pc = self.flags[*flag].by;
                let (core, pipe) = (self.name, lane_pipe(lane));
                other = Some(Place { core, pc, pipe });
            }
            self.refuse_both(event.pc, lane, reason, other)
        })
    }

    /// An instruction of the scalar unit as a place.
    pub(crate) fn scalar_place(&self, pc: u32) -> Place {
        Place {
            core: self.name,
            pc,
            pipe: Pipe::S,
        }
    }

    /// What every queue that cannot go on waits for.
    pub(crate) fn stuck(&mut self, world: &mut World<'_>) -> Vec<Stuck> {
        let mut all = Vec::new();
        let at = |pc, pipe| Place {
            core: self.name,
            pc,
            pipe,
        };
        if let (false, Some(on)) = (self.ended, self.blocked_on) {
            all.push(Stuck {
                place: at(self.pc, Pipe::S),
                on,
            });
        }
        for pipe in Pipe::ALL {
            let Some(head) = self.queues[pipe.index()].front() else {
                continue;
            };
            let on = match head.task {
                Task::Wait(flag) => {
                    let (src, dst, id) = world.flag_name(self.name.kind(), flag);
                    WaitsFor::Flag(src, dst, id)
                }
                Task::Xwait(id) => WaitsFor::Counter(id as u8),
                Task::Work { shape, .. } => match self.unit_wait(&world.shapes.all[shape as usize])
                {
                    Some(on) => on,
                    None => continue,
                },
                Task::Set(_) | Task::Bar | Task::Xset(..) => continue,
            };
            all.push(Stuck {
                place: at(head.pc, pipe),
                on,
            });
        }
        all
    }

    /// A refusal that blames one instruction.
    pub(crate) fn refuse(&self, pc: u32, lane: usize, reason: Reason) -> Refusal {
        self.refuse_both(pc, lane, reason, None)
    }

    pub(crate) fn refuse_both(
        &self,
        pc: u32,
        lane: usize,
        reason: Reason,
        other: Option<Place>,
    ) -> Refusal {
        Refusal {
            reason,
            place: Some(Place {
                core: self.name,
                pc,
                pipe: lane_pipe(lane),
            }),
            other,
            hint: None,
        }
    }
}
