//! One core's time: its scalar unit, its queues (`queue`), and the copies under way (`copy`).
//!
//! [`CoreSim::advance`] goes as far as it can without others. A pipe that could not go on sleeps until something comes that
//! it may have waited for.

mod copy;
mod flags;
mod queue;

use std::collections::VecDeque;

use isa::chip::Chip;
use isa::types::Pipe;

use super::agenda::{Post, PostWhat};
use super::memory::Port;
use super::record::Record;
use super::{Keep, TICKS, TraceSpan};
use crate::core::{Waiting, flag_waiter};
use crate::fault::CoreId;
use crate::stream::{Kind, Stream, What};

pub(crate) use self::queue::PipeTime;

use self::copy::Transfer;
use self::flags::Flags;
use self::queue::{Cause, Item, Queue};

/// Every pipe awake.
const EVERYONE: u8 = (1 << Pipe::ALL.len()) - 1;

/// The times of one core.
#[derive(Clone, Debug)]
pub(crate) struct CoreTime {
    pub(crate) end: u64,
    pub(crate) pipes: [PipeTime; 7],
}

/// One core.
#[derive(Debug)]
pub(super) struct CoreSim<'a> {
    pub(super) id: CoreId,
    pub(super) counters: [VecDeque<u64>; 16],
    /// Sets that wait for those of the other sources, by sender.
    pending: [Waiting<u64>; 16],
    pub(super) posts: Vec<Post>,
    number: usize,
    stream: &'a Stream<'a>,
    chip: &'a Chip,
    at: usize,
    /// Copies dispatched so far.
    copies: u32,
    /// Whether nobody waits for blocks of a unit flag, so that it does not matter in which order pipes are looked at.
    free: bool,
    gap_taken: bool,
    scalar: u64,
    queues: [Queue; 7],
    flags: Flags,
    port: Port,
    /// The pipes, a bit each, for which something has come that they may have waited for.
    awake: u8,
    keep_trace: bool,
    trace: Vec<TraceSpan>,
    record: Record,
}

impl<'a> CoreSim<'a> {
    pub(super) fn new(
        number: usize,
        id: CoreId,
        stream: &'a Stream<'a>,
        chip: &'a Chip,
        keep: Keep,
    ) -> Self {
        let depth = chip.sync.queue_depth.max(1);
        CoreSim {
            id,
            counters: Default::default(),
            pending: Default::default(),
            posts: Vec::new(),
            number,
            stream,
            chip,
            at: 0,
            copies: 0,
            free: !stream.kinds.iter().any(has_unit_flag),
            gap_taken: false,
            scalar: 0,
            queues: std::array::from_fn(|_| Queue::new(depth)),
            flags: Flags::new(),
            port: Port::new(chip),
            awake: EVERYONE,
            keep_trace: keep.trace,
            trace: Vec::new(),
            record: Record::new(stream.events.len(), keep.record),
        }
    }

    /// Goes on until nothing can without others.
    pub(super) fn advance(&mut self) {
        // In sweeps over the pipes, each of them over what is awake then.
        let mut from = 0;
        while self.awake != 0 {
            let ahead = self.awake >> from;
            if ahead == 0 {
                from = 0;
                continue;
            }
            let number = from + ahead.trailing_zeros();
            self.awake &= !(1 << number);
            from = number + 1;
            match Pipe::ALL[number as usize] {
                Pipe::S => while self.step_scalar() {},
                pipe @ (Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix) => {
                    while self.step_pipe(pipe) {}
                }
            }
        }
    }

    /// How the scalar unit spent its time: in the place of the queue that it does not have.
    #[inline]
    fn scalar_time(&mut self) -> &mut PipeTime {
        &mut self.queues[Pipe::S.index()].time
    }

    fn wake(&mut self, pipe: Pipe) {
        self.awake |= 1 << pipe.index();
    }

    /// Tells those who may wait for it that the front of a queue is over.
    fn over(&mut self, pipe: Pipe) {
        self.queues[pipe.index()].finish();
        self.wake(Pipe::S);
        match pipe {
            Pipe::M => self.wake(Pipe::Fix),
            Pipe::Fix => self.wake(Pipe::M),
            Pipe::S | Pipe::V | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 => {}
        }
    }

    /// Sets a flag, and wakes who may wait for it.
    fn set_flag(&mut self, flag: usize, at: u64) {
        self.flags.set(flag, at);
        self.wake(flag_waiter(flag));
    }

    pub(super) fn is_finished(&self) -> bool {
        self.at == self.stream.events.len() && self.queues.iter().all(|q| q.is_empty())
    }

    pub(super) fn into_time(self) -> (CoreTime, Vec<TraceSpan>, Record) {
        let mut pipes = [PipeTime::default(); 7];
        for (time, queue) in pipes.iter_mut().zip(&self.queues) {
            *time = queue.time;
        }
        let end = self
            .queues
            .iter()
            .map(|q| q.done.max(q.gate))
            .max()
            .unwrap_or(0);
        let time = CoreTime {
            end: end.max(self.scalar),
            pipes,
        };
        (time, self.trace, self.record)
    }

    /// Takes the scalar unit one event further.
    fn step_scalar(&mut self) -> bool {
        let stream = self.stream;
        let Some(&event) = stream.events.get(self.at) else {
            return false;
        };
        if !self.gap_taken {
            self.scalar += u64::from(event.gap);
            self.scalar_time().busy += u64::from(event.gap);
            self.gap_taken = true;
        }
        let kind = &stream.kinds[event.kind as usize];
        let went_on = match kind.pipe {
            Pipe::S => self.scalar_event(kind),
            pipe @ (Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix) => {
                self.dispatch(kind, pipe)
            }
        };
        if went_on {
            if let Some(times) = self.record.at(self.at) {
                times.dispatched = self.scalar;
            }
            self.at += 1;
            self.gap_taken = false;
        }
        went_on
    }

    /// Puts an instruction into its queue, at one a cycle.
    fn dispatch(&mut self, kind: &Kind, pipe: Pipe) -> bool {
        let counts = |pipe: Pipe| self.queues[pipe.index()].pushed;
        let (cube, fix) = (counts(Pipe::M), counts(Pipe::Fix));
        let queue = &mut self.queues[pipe.index()];
        let Some(slot) = queue.slot() else {
            return false;
        };
        queue.pushed += 1;
        let is_empty = queue.is_empty();
        let (before, alu) = (self.scalar, self.chip.scalar.alu);
        self.scalar = before.max(slot) + alu;
        let time = self.scalar_time();
        time.starved += slot.saturating_sub(before);
        time.busy += alu;
        let copies = matches!(kind.what, What::Copy | What::UnitCopy);
        let (event, copy, dispatched) = (self.at as u32, self.copies, self.scalar);
        self.copies += u32::from(copies);
        // What finds its queue empty and waits for nobody need not stand in it.
        if self.free && is_empty && !copies && self.take(pipe, (event, kind), dispatched) {
            return true;
        }
        self.queues[pipe.index()].push(Item {
            event,
            copy,
            dispatched,
            cube,
            fix,
        });
        self.wake(pipe);
        true
    }

    /// An event of the scalar unit itself.
    fn scalar_event(&mut self, kind: &Kind) -> bool {
        let occ = u64::from(kind.occ);
        let from = self.scalar;
        match kind.what {
            What::WaitFlag => {
                let Some(at) = self.flags.take(usize::from(kind.extra)) else {
                    return false;
                };
                self.scalar_time().flag += at.saturating_sub(from);
                self.scalar = from.max(at);
            }
            What::SetFlag => self.set_flag(usize::from(kind.extra), from + occ),
            What::BarAll => {
                if self.queues.iter().any(|q| q.finished < q.pushed) {
                    return false;
                }
                let drained = self
                    .queues
                    .iter()
                    .map(|q| q.done.max(q.gate))
                    .max()
                    .unwrap_or(0);
                self.scalar_time().barrier += drained.saturating_sub(from);
                self.scalar = from.max(drained);
            }
            What::Xset => self.post_set(kind, from),
            What::Xwait => {
                let Some(at) = self.take_counter(kind) else {
                    return false;
                };
                self.scalar_time().cross += at.saturating_sub(from);
                self.scalar = from.max(at);
            }
            What::Work
            | What::UnitWork
            | What::Copy
            | What::UnitCopy
            | What::Bar
            | What::Scalar => {}
        }
        self.scalar += occ;
        self.scalar_time().busy += occ;
        true
    }

    /// Takes the front of a queue as far as it goes; false if there is none or it waits.
    fn step_pipe(&mut self, pipe: Pipe) -> bool {
        let queue = &self.queues[pipe.index()];
        let Some(item) = queue.front() else {
            return false;
        };
        if queue.transfer.is_some() {
            return false;
        }
        let (event, dispatched) = (item.event, item.dispatched);
        self.take(pipe, (event, self.stream.kind(event)), dispatched)
    }

    /// Takes an instruction, which is the front of its queue or finds it empty, as far as it goes; false if it waits.
    fn take(&mut self, pipe: Pipe, (event, kind): (u32, &Kind), dispatched: u64) -> bool {
        let queue = &self.queues[pipe.index()];
        let ready = queue.gate.max(dispatched);
        let (occ, done) = (u64::from(kind.occ), queue.done);
        match kind.what {
            What::UnitWork | What::UnitCopy => {
                let Some(at) = self.unit_ready(pipe) else {
                    return false;
                };
                let queue = &mut self.queues[pipe.index()];
                match pipe {
                    // A drain is under way while it waits for the blocks of the cube.
                    Pipe::Fix => queue.occupy(dispatched, at),
                    Pipe::S | Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 => {
                        queue.hold(ready, at, Cause::Flag);
                    }
                }
                self.work(pipe, event, dispatched, kind);
                return true;
            }
            What::Work | What::Copy | What::Scalar => {
                self.work(pipe, event, dispatched, kind);
                return true;
            }
            What::SetFlag => {
                self.set_flag(usize::from(kind.extra), ready.max(done) + occ);
                self.queues[pipe.index()].gate = ready;
            }
            What::WaitFlag => {
                let Some(at) = self.flags.take(usize::from(kind.extra)) else {
                    return false;
                };
                self.queues[pipe.index()].hold(ready, at, Cause::Flag);
                self.queues[pipe.index()].gate += occ;
            }
            What::Bar | What::BarAll => {
                self.queues[pipe.index()].hold(ready, done, Cause::Barrier);
                self.queues[pipe.index()].gate += occ;
            }
            What::Xset => {
                self.post_set(kind, ready.max(done));
                self.queues[pipe.index()].gate = ready;
            }
            What::Xwait => {
                let Some(at) = self.take_counter(kind) else {
                    return false;
                };
                self.queues[pipe.index()].hold(ready, at, Cause::Cross);
                self.queues[pipe.index()].gate += occ;
            }
        }
        let queue = &mut self.queues[pipe.index()];
        queue.issue(queue.gate);
        if let Some(times) = self.record.at(event as usize) {
            times.begin = queue.gate;
            times.done = ready.max(done) + occ;
        }
        self.over(pipe);
        true
    }

    /// When the other side of the unit flag has done its first block of what it got before; none while that is not known.
    /// There is a flag a block, so each side follows the other through the tile.
    fn unit_ready(&self, pipe: Pipe) -> Option<u64> {
        let item = self.queues[pipe.index()].front()?;
        let (other, needed) = match pipe {
            Pipe::M => (Pipe::Fix, item.fix),
            Pipe::S | Pipe::V | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => {
                (Pipe::M, item.cube)
            }
        };
        let queue = &self.queues[other.index()];
        (queue.finished >= needed).then_some(queue.last)
    }

    /// With the unit flag on no side ends before the other has.
    fn unit_end(&self, pipe: Pipe, kind: &Kind) -> u64 {
        match (kind.what, pipe) {
            (What::UnitWork | What::UnitCopy, Pipe::M) => self.queues[Pipe::Fix.index()].end,
            (What::UnitWork | What::UnitCopy, _) => self.queues[Pipe::M.index()].done,
            (
                What::Work
                | What::Copy
                | What::SetFlag
                | What::WaitFlag
                | What::Bar
                | What::BarAll
                | What::Xset
                | What::Xwait
                | What::Scalar,
                _,
            ) => 0,
        }
    }

    /// Begins the work at the front of a queue, and ends it unless it is a copy.
    fn work(&mut self, pipe: Pipe, event: u32, dispatched: u64, kind: &Kind) {
        let traffic = self.traffic(kind, pipe);
        let other_end = self.unit_end(pipe, kind);
        let queue = &mut self.queues[pipe.index()];
        let begin = queue.begin(dispatched, u64::from(kind.head));
        queue.issue(begin);
        // A place in the queue is free.
        self.awake |= 1 << Pipe::S.index();
        if let Some(&traffic) = traffic {
            queue.transfer = Some(Transfer::new(kind, traffic, begin));
            if let Some(times) = self.record.at(event as usize) {
                times.begin = begin;
            }
            self.posts.push(Post {
                at: (begin + u64::from(traffic.setup)) * TICKS,
                core: self.number as u32,
                what: PostWhat::Piece(pipe),
            });
            return;
        }
        let end = begin + u64::from(kind.occ);
        queue.end = end.max(other_end);
        queue.time.flag += queue.end - end;
        queue.done = queue.done.max(queue.end + u64::from(kind.tail));
        queue.time.busy += u64::from(kind.occ);
        let ended = queue.end;
        if let Some(times) = self.record.at(event as usize) {
            times.begin = begin;
            times.end = ended;
            times.done = queue.done;
        }
        self.over(pipe);
        self.note(pipe, kind.pc, begin, ended);
    }

    fn note(&mut self, pipe: Pipe, pc: u32, begin: u64, end: u64) {
        if self.keep_trace {
            self.trace.push(TraceSpan {
                core: self.id,
                pipe,
                pc,
                begin,
                end,
            });
        }
    }

    fn post_set(&mut self, kind: &Kind, at: u64) {
        self.posts.push(Post {
            at: (at + u64::from(kind.occ) + u64::from(kind.tail)) * TICKS,
            core: self.number as u32,
            what: PostWhat::Set((kind.extra / 16) as u8, (kind.extra % 16) as u8),
        });
    }

    /// Takes a cross-core set; a counter goes up when every source of the mode has set it once more.
    pub(super) fn receive(&mut self, from: usize, mode: u8, id: u8, at: u64) {
        let pending = &mut self.pending[usize::from(id)];
        pending.add(from, at);
        if pending.sources() == self.stream.sources(mode) {
            let last = pending.take().max();
            self.counters[usize::from(id)].extend(last);
            self.awake = EVERYONE;
        }
    }

    /// Takes one step of a counter; when it came.
    fn take_counter(&mut self, kind: &Kind) -> Option<u64> {
        self.counters[usize::from(kind.extra % 16)].pop_front()
    }
}

/// Whether a kind of event follows the other side of a unit flag.
fn has_unit_flag(kind: &Kind) -> bool {
    matches!(kind.what, What::UnitWork | What::UnitCopy)
}
