//! What flags and counters do to what lanes know of each other, and what must hold of them when a program has ended.

use isa::types::Pipe;

use crate::core::Core;
use crate::cross::{Sent, alone, hear, heard_of};
use crate::order::{SCALAR, lane_pipe};
use crate::program::Op;
use crate::refusal::{Cached, Place, Reason, Refusal, WaitsFor};
use crate::world::World;

impl Core {
    pub(crate) fn set_flag(
        &mut self,
        world: &World<'_>,
        pc: u32,
        index: usize,
        lane: usize,
    ) -> Result<Option<WaitsFor>, Reason> {
        let (src, dst, id) = world.flag_name(self.name.kind(), index);
        self.begin(lane, pc);
        let told = self.order.completion(lane);
        let heard = self.heard[lane].clone();
        let knows = self.order.known[lane][dst.index()];
        let flag = &mut self.flags[index];
        // Set again before its last wait is known to have happened, the machine might see one setting instead of two.
        if flag.set.is_some() || knows < flag.taken {
            return Err(Reason::FlagSetTwice(src, dst, id));
        }
        flag.set = Some((told, heard));
        flag.by = pc;
        self.wake = true;
        Ok(None)
    }

    pub(crate) fn wait_flag(
        &mut self,
        world: &World<'_>,
        index: usize,
        lane: usize,
    ) -> Result<Option<WaitsFor>, Reason> {
        let Some((known, heard)) = self.flags[index].set.take() else {
            let (src, dst, id) = world.flag_name(self.name.kind(), index);
            return Ok(Some(WaitsFor::Flag(src, dst, id)));
        };
        let pc = self.flags[index].by;
        self.flags[index].taken = self.begin(lane, pc);
        hear(&mut self.heard[lane], &heard);
        self.order.learn(lane, &known);
        self.waited(lane);
        Ok(None)
    }

    /// Notes that a lane has waited for another.
    pub(crate) fn waited(&mut self, lane: usize) {
        if lane == SCALAR {
            self.cached.wait();
        }
    }

    /// What other cores are told of is what they may read.
    pub(crate) fn check_told(&self, pc: u32, lane: usize) -> Result<(), Refusal> {
        let knows = self.order.completion(lane)[SCALAR];
        match self.cached.hidden((0, u64::MAX), knows) {
            None => Ok(()),
            Some(by) => {
                let reason = Reason::Cached(Cached::Store);
                Err(self.refuse_both(pc, lane, reason, Some(self.scalar_place(by))))
            }
        }
    }

    pub(crate) fn set_counter(&mut self, (mode, id): (u8, usize), pc: u32, lane: usize) {
        let mut told = self.heard[lane].clone();
        hear(&mut told, &alone(self.number, self.order.completion(lane)));
        let by = Place {
            core: self.name,
            pc,
            pipe: lane_pipe(lane),
        };
        self.outbox.push(Sent { mode, id, told, by });
    }

    pub(crate) fn wait_counter(
        &mut self,
        id: usize,
        pc: u32,
        lane: usize,
    ) -> Result<Option<WaitsFor>, Reason> {
        let next = self.order.issued[lane] + 1;
        let Some(told) = self.counters[id].take(lane, next)? else {
            return Ok(Some(WaitsFor::Counter(id as u8)));
        };
        self.begin(lane, pc);
        // What comes back of this core's own work orders its queues too.
        if let Some(own) = heard_of(&told, self.number).copied() {
            self.order.learn(lane, &own);
        }
        hear(&mut self.heard[lane], &told);
        self.waited(lane);
        Ok(None)
    }

    /// What must hold when the program has ended.
    pub(crate) fn check_end(&self, world: &World<'_>) -> Result<(), Refusal> {
        let program = &world.programs[self.name.kind() as usize];
        if let Some(index) = self.flags.iter().position(|flag| flag.set.is_some()) {
            let (src, dst, id) = world.flag_name(self.name.kind(), index);
            let by = self.flags[index].by;
            return Err(self.refuse(by, src.index(), Reason::FlagLeaked(src, dst, id)));
        }
        if let Some(flag) = self.units.iter().position(|unit| unit.set) {
            let pc = self.pcs[Pipe::M.index()].last().unwrap_or(0);
            let reason = Reason::UnitFlagLeaked(flag as u64 * crate::shape::UNIT);
            return Err(self.refuse(pc, Pipe::M.index(), reason));
        }
        if let Some(id) = self
            .counters
            .iter()
            .position(|counter| !counter.is_clear() || counter.doubt.is_some())
        {
            let named = |step: &crate::program::Step| matches!(step.op, Op::Xwait(number) if number.imm() == Some(id as u32));
            let pc = program.steps.iter().position(named).unwrap_or(0);
            let leaked = Reason::CounterLeaked(id as u8);
            let reason = self.counters[id].doubt.clone().unwrap_or(leaked);
            return Err(self.refuse(pc as u32, SCALAR, reason));
        }
        Ok(())
    }
}
