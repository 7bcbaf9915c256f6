//! The loop that runs a core's program in queue order: the scalar unit, the queues, one instruction at a time.
//!
//! The scalar unit executes in program order and hands the other instructions to their queues. An instruction runs at
//! once when its queue is empty and its flag is set; otherwise it waits there with the registers of its dispatch, and
//! every flag that is set wakes the queues. A program without unordered conflicts cannot tell this from any other order
//! that the machine might choose.

use isa::inst::{self, AllUnits, Inst};
use isa::types::Pipe;

use super::{Context, Core, Halt, State, flag_index};
use crate::cross::{Heard, hear};
use crate::fault::{Fault, FaultKind, Place, WaitReason};
use crate::hazard::{Known, STORES};
use crate::options::Pulse;

/// One in so many of a core's steps may be a queued instruction when it reaches its limit: with the default limit, 17 MB
/// of events a core.
const RECORDED_SHARE: u64 = 64;

/// An instruction that waits in its queue.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) pc: u32,
    pub(super) context: Box<Context>,
    /// What the scalar unit knew when it dispatched.
    known: Known,
    heard: Heard,
    /// What it waited for when it was last tried.
    waits: Option<WaitReason>,
}

impl Core<'_> {
    /// Runs until the program ends or waits for another core.
    pub(crate) fn run(&mut self) -> Result<State, Fault> {
        self.begin_round()?;
        loop {
            if let Some(state) = self.advance()? {
                return Ok(state);
            }
        }
    }

    /// Lets go on what other cores have made ready.
    pub(crate) fn begin_round(&mut self) -> Result<(), Fault> {
        self.progressed = false;
        self.drain()
    }

    /// Takes the scalar unit one instruction further, and the queues as far as that lets them go; how the core ends its
    /// round, if it does.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<Option<State>, Fault> {
        if !self.ended {
            return Ok(match self.step()? {
                true => None,
                false => Some(State::Blocked),
            });
        }
        self.drain()?;
        Ok(Some(self.state()))
    }

    /// Whether there is more to do.
    pub(crate) fn state(&self) -> State {
        match (self.ended, self.waiting) {
            (true, 0) => State::Ended,
            (true | false, _) => State::Blocked,
        }
    }

    /// The lanes that have an instruction to run, one bit each.
    pub(crate) fn work(&self) -> u8 {
        let queues = self.queues.iter().enumerate();
        let busy = queues.filter(|(_, queue)| !queue.is_empty());
        busy.fold(u8::from(!self.ended), |work, (lane, _)| work | 1 << lane)
    }

    /// The instructions that wait in a queue, the next one first.
    pub(crate) fn queued(&self, pipe: Pipe) -> impl Iterator<Item = u32> {
        self.queues[pipe.index()].iter().map(|pending| pending.pc)
    }

    /// Runs the next instruction of some lane, the scalar unit's first; false if all wait.
    pub(crate) fn act_any(&mut self) -> Result<bool, Fault> {
        for lane in 0..Pipe::ALL.len() {
            if self.work() >> lane & 1 == 1 && self.act(lane)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs the next instruction of one lane and nothing else; false if it waits.
    pub(crate) fn act(&mut self, lane: usize) -> Result<bool, Fault> {
        if lane == Pipe::S.index() {
            return self.step();
        }
        let ran = self.run_head(lane)?;
        self.progressed |= ran;
        Ok(ran)
    }

    /// Whether so many more instructions may be given to queues.
    pub(crate) fn may_record(&self, more: u64) -> bool {
        self.recorded + more <= self.launch.max_steps.div_ceil(RECORDED_SHARE)
    }

    /// Stops a core that gives more instructions to its queues than are recorded for their time.
    pub(crate) fn check_record(&self, at: usize) -> Result<(), Fault> {
        let limit = self.launch.max_steps.div_ceil(RECORDED_SHARE);
        if self.recorded < limit {
            return Ok(());
        }
        Err(self.fault_at(
            at,
            FaultKind::QueueLimit {
                instructions: limit,
            },
        ))
    }

    /// Takes the scalar unit one instruction further; false if it cannot.
    fn step(&mut self) -> Result<bool, Fault> {
        let at = self.next;
        let program = self.program;
        let Some(inst) = program.code.get(at) else {
            return Err(self.fault_at(
                at,
                FaultKind::BadControlFlow {
                    what: "the program runs past its last instruction",
                },
            ));
        };
        if self.steps >= self.launch.max_steps {
            let steps = self.launch.max_steps;
            return Err(self.fault_at(at, FaultKind::StepLimit { steps }));
        }
        let queue = program.queues[at];
        let went_on = match queue {
            Pipe::S => self.scalar(at, inst)?,
            pipe @ (Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix) => {
                self.check_record(at)?;
                let went_on = self.dispatch(at, inst, pipe)?;
                self.recorded += u64::from(went_on);
                went_on
            }
        };
        if went_on {
            self.version += 1;
            self.steps += 1;
            Pulse::beat(self.launch.pulse, self.steps - 1, self.steps);
            self.executed[queue.index()] += 1;
            self.progressed = true;
            self.blocked_on = None;
            if self.wake && self.late.is_none() {
                self.drain()?;
            }
        }
        Ok(went_on)
    }

    /// Executes an instruction of the scalar unit itself.
    fn scalar(&mut self, at: usize, inst: &Inst) -> Result<bool, Fault> {
        self.next = at + 1;
        if let Some(cycles) = self.program.cycles(at) {
            return match self.try_execute(at, inst, Pipe::S.index()) {
                Ok(()) => {
                    if self.timed {
                        self.stream.pass(cycles, at as u32);
                    }
                    Ok(true)
                }
                Err(halt) => {
                    self.next = at;
                    self.blocked_on = self.halted(at, halt)?;
                    Ok(false)
                }
            };
        }
        // The event has the operands of before, and belongs before those of the instructions behind.
        let event = match self.timed {
            true => Some(self.stream.prepare(self.program, at, &self.context)),
            false => None,
        };
        match self.execute(at, inst, Pipe::S.index())? {
            None => {
                if let Some(event) = event {
                    self.stream.commit(event);
                }
                Ok(true)
            }
            Some(reason) => {
                self.next = at;
                self.blocked_on = Some(reason);
                Ok(false)
            }
        }
    }

    /// Hands an instruction to its queue, where it runs at once if nothing holds it.
    fn dispatch(&mut self, at: usize, inst: &Inst, pipe: Pipe) -> Result<bool, Fault> {
        let lane = pipe.index();
        if self.queues[lane].len() >= self.queue_depth {
            self.blocked_on = Some(WaitReason::Full { pipe });
            return Ok(false);
        }
        if self.timed {
            self.stream.record(self.program, at, &self.context);
        }
        self.next = at + 1;
        let mut waits = None;
        let known = match self.unordered {
            // Nobody asks what it knows.
            true => Known::default(),
            false => self.dispatch_knowledge(),
        };
        if self.queues[lane].is_empty() && self.late.is_none() {
            if !self.unordered {
                self.order.learn(lane, &known);
                self.hear_scalar(lane);
            }
            match self.try_execute(at, inst, lane) {
                Ok(()) => return Ok(true),
                Err(halt) => waits = self.halted(at, halt)?,
            }
        }
        let context = match self.spare.pop() {
            Some(mut spare) => {
                *spare = *self.context;
                spare
            }
            None => self.context.clone(),
        };
        let pending = Pending {
            pc: at as u32,
            context,
            known,
            heard: self.heard[Pipe::S.index()].clone(),
            waits,
        };
        self.queues[lane].push_back(pending);
        self.waiting += 1;
        Ok(true)
    }

    /// Tells a lane what the scalar unit has heard of other cores.
    pub(crate) fn hear_scalar(&mut self, lane: usize) {
        if self.heard[Pipe::S.index()].is_some() {
            let heard = self.heard[Pipe::S.index()].clone();
            hear(&mut self.heard[lane], &heard);
        }
    }

    /// What a queue may rely on when it gets an instruction: all that the scalar unit knows, and its own reads.
    fn dispatch_knowledge(&self) -> Known {
        let scalar = Pipe::S.index();
        let mut known = self.order.known[scalar];
        known[scalar] = self.order.issued[scalar];
        known[STORES] = self.order.stores_done;
        known
    }

    /// Runs queued instructions until every queue is empty or blocked.
    fn drain(&mut self) -> Result<(), Fault> {
        self.wake = false;
        let mut moving = self.waiting > 0;
        while moving {
            moving = false;
            for lane in 1..self.queues.len() {
                while self.run_head(lane)? {
                    moving = true;
                    self.progressed = true;
                }
            }
        }
        self.wake = false;
        Ok(())
    }

    /// Runs the instruction at the head of a queue; false if there is none or it waits.
    fn run_head(&mut self, lane: usize) -> Result<bool, Fault> {
        if self.is_held(lane) {
            return Ok(false);
        }
        let Some(head) = self.queues[lane].front_mut() else {
            return Ok(false);
        };
        // Only the scalar unit changes these registers.
        std::mem::swap(&mut self.context, &mut head.context);
        if !self.unordered {
            self.order.learn(lane, &head.known);
            hear(&mut self.heard[lane], &head.heard);
        }
        let (program, at) = (self.program, head.pc as usize);
        let outcome = self.try_execute(at, &program.code[at], lane);
        // It stays where it is meanwhile: moving it is what costs most here.
        if let Some(head) = self.queues[lane].front_mut() {
            std::mem::swap(&mut self.context, &mut head.context);
        }
        if let Err(halt) = outcome {
            return self.put_off(at, halt, lane);
        }
        let done = self.queues[lane].pop_front().map(|head| head.context);
        self.waiting -= 1;
        self.spare.extend(done);
        Ok(true)
    }

    /// Lets the head of a queue wait on; a fault takes it out.
    #[cold]
    fn put_off(&mut self, at: usize, halt: Halt, lane: usize) -> Result<bool, Fault> {
        let waits = self.halted(at, halt);
        match (waits, self.queues[lane].front_mut()) {
            (Ok(waits), Some(head)) => head.waits = waits,
            (Ok(_), None) => {}
            (Err(fault), _) => {
                self.queues[lane].pop_front();
                return Err(fault);
            }
        }
        Ok(false)
    }

    /// Whether what the head of a queue waited for when it was last tried is still not there, so that nobody who counts
    /// tries misses one more.
    fn is_held(&self, lane: usize) -> bool {
        let Some(head) = self.queues[lane].front() else {
            return true;
        };
        self.unordered
            && match head.waits {
                Some(WaitReason::Flag { src, dst, id }) => {
                    !self.flags.is_set(flag_index(src, dst, usize::from(id)))
                }
                Some(WaitReason::Counter { id, .. }) => self.counters[usize::from(id)] == 0,
                Some(
                    WaitReason::Drain { .. } | WaitReason::Full { .. } | WaitReason::Unit { .. },
                )
                | None => false,
            }
    }

    /// Executes an instruction in a lane; what it waits for, if it does.
    pub(super) fn execute(
        &mut self,
        at: usize,
        inst: &Inst,
        lane: usize,
    ) -> Result<Option<WaitReason>, Fault> {
        match self.try_execute(at, inst, lane) {
            Ok(()) => Ok(None),
            Err(halt) => self.halted(at, halt),
        }
    }

    /// Executes an instruction in a lane.
    #[inline]
    fn try_execute(&mut self, at: usize, inst: &Inst, lane: usize) -> Result<(), Halt> {
        self.lane = lane;
        self.version += 1;
        self.pc = at as u32;
        self.order.begin(lane, self.pc);
        match self.plain {
            true => call(inst, self)?,
            false => self.execute_around(inst)?,
        }
        self.done[lane] += 1;
        Ok(())
    }

    /// What an instruction that was halted waits for.
    #[cold]
    fn halted(&self, at: usize, halt: Halt) -> Result<Option<WaitReason>, Fault> {
        match halt {
            Halt::Wait(reason) => Ok(Some(reason)),
            Halt::Fault(kind) => Err(self.fault_at(at, *kind)),
        }
    }

    /// Executes an instruction with everything that looks at it or delays it.
    fn execute_around(&mut self, inst: &Inst) -> Result<(), Halt> {
        let finite = |core: &mut Self| match core.launch.sanitize.origins() {
            true => core.execute_finite(inst, |core| call(inst, core)),
            false => call(inst, core),
        };
        self.execute_seen(inst, |core| match core.late {
            None => finite(core),
            Some(_) => core.execute_late(inst, finite),
        })
    }

    /// An instruction of this core as a place.
    pub(super) fn place(&self, at: usize) -> Option<Place> {
        let inst = self.program.code.get(at);
        Some(Place {
            core: self.id,
            pc: at as u32,
            text: inst.map_or(String::new(), Inst::to_string),
        })
    }

    pub(crate) fn fault_at(&self, at: usize, kind: FaultKind) -> Fault {
        Fault {
            kind,
            place: self.place(at),
        }
    }
}

/// Dispatches to the executor methods.
pub(crate) fn call<U: AllUnits>(inst: &Inst, unit: &mut U) -> Result<(), U::Stop> {
    inst::execute(inst, unit)
}
