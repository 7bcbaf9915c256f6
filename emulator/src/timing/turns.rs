//! What whole inner loops were found to give, given again when they come with the same operands.
//!
//! A loop without jumps or loads does the same whenever the registers that it reads before writing them, the special ones
//! and the lanes hold the same: it gives the same events to the queues, counts the same and leaves the same registers. So
//! after one walk in which each of its instructions was an old acquaintance of [`super::memo`], it is written down as one.

use isa::effects::ScalarAccess;
use isa::inst::{Inst, Reg, Regs, Spr};
use isa::types::Pipe;

use super::block::is_plain;
use super::is_order;
use crate::core::Core;
use crate::exec::LOOP_DEPTH;
use crate::options::Pulse;
use crate::report::Path;
use crate::stream::{Event, Traffic};

/// Walks through a loop that are remembered.
const WAYS: usize = 64;
/// Events of one walk at most.
const EVENTS: usize = 1 << 12;

/// What is remembered of the inner loops of a program.
#[derive(Debug)]
pub(super) struct Turns {
    /// By the instruction that begins it.
    loops: Vec<Option<Box<Body>>>,
    recording: Option<Recording>,
}

/// An inner loop.
#[derive(Debug)]
struct Body {
    /// Behind its end.
    next: usize,
    /// Registers that it reads before it writes them, and those that it writes.
    needs: Vec<Reg>,
    writes: u32,
    walks: Vec<Walked>,
    /// The walk that was repeated last, and whether any ever was.
    latest: usize,
    met: bool,
}

/// One walk through a loop.
#[derive(Debug)]
struct Walked {
    /// What its registers held, and the number of what the special ones and the lanes did.
    values: Vec<u64>,
    state: u64,
    events: Vec<Event>,
    traffic: Vec<Traffic>,
    /// Cycles of the scalar unit behind the last event.
    gap: u32,
    counts: Counts,
    /// What it leaves.
    left: Vec<(Reg, u64)>,
    left_state: u64,
    left_spr: [u64; Spr::COUNT],
}

/// A walk under way.
#[derive(Debug)]
struct Recording {
    at: usize,
    values: Vec<u64>,
    state: u64,
    events: usize,
    traffic: usize,
    gap: u32,
    counts: Counts,
}

/// What a core counts on its way.
#[derive(Copy, Clone, Debug)]
struct Counts {
    steps: u64,
    recorded: u64,
    mads: u64,
    executed: [u64; 7],
    moved: [u64; Path::ALL.len()],
}

impl Counts {
    /// Those of a core, which has executed so many scalar instructions besides.
    fn of(core: &Core<'_>, besides: u64) -> Counts {
        let mut executed = core.executed;
        executed[Pipe::S.index()] += besides;
        Counts {
            steps: core.steps,
            recorded: core.recorded,
            mads: core.mads,
            executed,
            moved: core.moved,
        }
    }

    fn since(self, before: Counts) -> Counts {
        let executed = self.executed.iter().zip(before.executed);
        let moved = self.moved.iter().zip(before.moved);
        Counts {
            steps: self.steps - before.steps,
            recorded: self.recorded - before.recorded,
            mads: self.mads - before.mads,
            executed: collect(executed.map(|(now, then)| now - then)),
            moved: collect(moved.map(|(now, then)| now - then)),
        }
    }

    fn add_to(&self, core: &mut Core<'_>) {
        core.steps += self.steps;
        core.recorded += self.recorded;
        core.mads += self.mads;
        for (all, more) in core.executed.iter_mut().zip(self.executed) {
            *all += more;
        }
        for (all, more) in core.moved.iter_mut().zip(self.moved) {
            *all += more;
        }
    }
}

/// Numbers as an array.
fn collect<const N: usize>(mut numbers: impl Iterator<Item = u64>) -> [u64; N] {
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

impl Turns {
    pub(super) fn new(code: &[Inst]) -> Turns {
        let body = |at| Body::of(code, at).map(Box::new);
        Turns {
            loops: (0..code.len()).map(body).collect(),
            recording: None,
        }
    }

    /// Does again what a loop did that begins here, if it is known; else looks on while it is walked through. The number of
    /// what special registers and lanes hold then.
    #[inline]
    pub(super) fn repeat(&mut self, core: &mut Core<'_>, state: u64, besides: u64) -> Option<u64> {
        let body = self.loops.get_mut(core.next)?.as_deref_mut()?;
        if let Some(at) = body.known(core, state) {
            let known = &body.walks[at];
            let fits = core.loops.len() < LOOP_DEPTH
                && core.steps + known.counts.steps <= core.launch.max_steps
                && core.may_record(known.counts.recorded);
            if !fits
                || !core
                    .stream
                    .again_all(&known.events, &known.traffic, known.gap)
            {
                return None;
            }
            body.latest = at;
            body.met = true;
            return Some(known.repeat(core, body.next));
        }
        if body.walks.len() < WAYS {
            let mark = core.stream.mark();
            self.recording = Some(Recording {
                at: core.next,
                values: body.values(core),
                state,
                events: mark.events,
                traffic: mark.traffic,
                gap: mark.gap,
                counts: Counts::of(core, besides),
            });
        } else if !body.met {
            self.loops[core.next] = None;
        }
        None
    }

    /// Forgets the walk under way: something in it was new.
    #[inline]
    pub(super) fn spoil(&mut self) {
        self.recording = None;
    }

    /// Whether a walk under way has come to its end.
    #[inline]
    pub(super) fn has_ended(&self, next: usize) -> bool {
        let Some(recording) = &self.recording else {
            return false;
        };
        let body = self.loops[recording.at].as_deref();
        body.is_some_and(|body| body.next == next)
    }

    /// Writes a walk down that has come to its end.
    pub(super) fn learn(&mut self, core: &Core<'_>, state: u64, besides: u64) {
        let Some(recording) = self.recording.take() else {
            return;
        };
        let Some(body) = self.loops[recording.at].as_deref_mut() else {
            return;
        };
        let mut events = core.stream.events[recording.events..].to_vec();
        if events.len() > EVENTS {
            self.loops[recording.at] = None;
            return;
        }
        let mut gap = core.stream.mark().gap;
        // What was there before belongs to who comes here next time.
        match events.first_mut() {
            Some(first) => first.gap -= recording.gap,
            None => gap -= recording.gap,
        }
        let written = (0..Reg::COUNT as u8).map(Reg);
        let written = written.filter(|reg| body.writes >> reg.index() & 1 != 0);
        body.walks.push(Walked {
            values: recording.values,
            state: recording.state,
            events,
            traffic: core.stream.traffic[recording.traffic..].to_vec(),
            gap,
            counts: Counts::of(core, besides).since(recording.counts),
            left: written.map(|reg| (reg, core.context.reg(reg))).collect(),
            left_state: state,
            left_spr: core.context.spr,
        });
    }
}

impl Body {
    /// The loop that an instruction begins, if it is of the sort that can be repeated.
    fn of(code: &[Inst], at: usize) -> Option<Body> {
        let Inst::Loop(begin) = &code[at] else {
            return None;
        };
        let end = begin.end.0 as usize;
        let body = code.get(at + 1..end)?;
        let closes = matches!(code.get(end), Some(Inst::Endloop(_)));
        if !closes || !body.iter().all(is_repeatable) {
            return None;
        }
        let (mut needs, mut writes) = (code[at].registers().reads, 0);
        for inst in body {
            let registers = inst.registers();
            needs |= registers.reads & !writes;
            writes |= registers.writes;
        }
        let named = (0..Reg::COUNT as u8).map(Reg);
        Some(Body {
            next: end + 1,
            needs: named.filter(|reg| needs >> reg.index() & 1 != 0).collect(),
            writes,
            walks: Vec::new(),
            latest: 0,
            met: false,
        })
    }

    fn values(&self, core: &Core<'_>) -> Vec<u64> {
        let needs = self.needs.iter();
        needs.map(|&reg| core.context.reg(reg)).collect()
    }

    /// The walk that began as this one would; mostly the one behind the latest.
    #[inline]
    fn known(&self, core: &Core<'_>, state: u64) -> Option<usize> {
        let is_alike = |walk: &Walked| {
            let mut values = self.needs.iter().zip(&walk.values);
            walk.state == state && values.all(|(&reg, &value)| core.context.reg(reg) == value)
        };
        let next = self.latest + 1;
        match self.walks.get(next).is_some_and(is_alike) {
            true => Some(next),
            false => self.walks.iter().position(is_alike),
        }
    }
}

/// Whether what an instruction does follows from registers, and it goes on to the next.
fn is_repeatable(inst: &Inst) -> bool {
    match inst.queue() {
        Pipe::S => is_plain(inst) || is_order(inst) || matches!(inst, Inst::Wrspr(_)),
        Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => {
            ScalarAccess::of(inst).is_none()
        }
    }
}

impl Walked {
    /// Does again what a walk did, its events aside; the number of what special registers and lanes hold then.
    fn repeat(&self, core: &mut Core<'_>, next: usize) -> u64 {
        let before = core.steps;
        self.counts.add_to(core);
        for &(reg, value) in &self.left {
            core.context.x[reg.index()] = value;
        }
        if self.left_state != self.state {
            core.context.spr = self.left_spr;
        }
        core.next = next;
        Pulse::beat(core.launch.pulse, before, core.steps);
        self.left_state
    }
}
