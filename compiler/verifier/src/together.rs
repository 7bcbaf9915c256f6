//! The state of cores that run together, and how two such states differ.
//!
//! Between rounds of running them nothing is on its way: each core waits or has ended, and what they have told each other
//! has arrived. What they do next depends on what is kept here alone, and only compares counts of a lane with each other.

use isa::inst::Reg;

use crate::cached::Lines;
use crate::core::{Core, Event, Target, Task};
use crate::cross::{Counter, Heard};
use crate::order::{Known, LANES};
use crate::state::{State, single};
use crate::trail::Counts;

/// Cores in one state.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    cores: Vec<One>,
}

/// One of them.
#[derive(Clone, Debug)]
struct One {
    /// Counts of the core itself, registers that decide, values on chip.
    state: State,
    issued: Known,
    pc: u32,
    ended: bool,
    /// Body, end, rounds left and number of each loop in progress.
    frames: Vec<(u32, u32, i64, u64)>,
    x: [u64; Reg::COUNT],
    /// Slopes and vague registers along each level.
    levels: Vec<([i64; Reg::COUNT], u32)>,
    /// What waits in queues.
    events: Vec<Event>,
    cached: Lines,
    counters: Vec<u64>,
    /// Of each counter the lane that waits, and its last waits.
    waits: Vec<(usize, Vec<u32>)>,
    /// What queues, flags and counters hold of other cores' work.
    heard: Vec<Heard>,
    /// Whether values of scalars matter.
    gathers: bool,
}

impl One {
    fn of(core: &Core) -> One {
        let mut counters = Vec::new();
        core.counters
            .iter()
            .for_each(|counter| counter.describe(&mut counters));
        let mut heard = Vec::new();
        core.each_heard(|told| heard.push(told.clone()));
        let levels = core.levels.all.iter();
        One {
            state: State::of(core),
            issued: core.order.issued,
            pc: core.pc,
            ended: core.ended,
            frames: core
                .loops
                .iter()
                .map(|frame| (frame.body, frame.end, frame.left, frame.serial))
                .collect(),
            x: core.regs.x,
            levels: levels.map(|level| (level.slope, level.vague)).collect(),
            events: core.events().cloned().collect(),
            cached: core.cached.clone(),
            counters,
            waits: core.counters.iter().map(Counter::last_waits).collect(),
            heard,
            gathers: core.ranges.is_some(),
        }
    }

    /// Whether all is as it was but for counts, registers and rounds that are left.
    fn is_like(&self, later: &One, level: usize) -> bool {
        let events = || self.events.iter().zip(&later.events);
        self.pc == later.pc
            && self.ended == later.ended
            && self.frames.len() == later.frames.len()
            && self.events.len() == later.events.len()
            && self.heard.len() == later.heard.len()
            && self.counters == later.counters
            && self.cached == later.cached
            && self.state.is_like(&later.state)
            && events().all(|(a, b)| alike(a, b, level, self.gathers))
    }

    /// How many further periods no loop ends, if loops in progress are the same ones.
    fn rounds(&self, later: &One) -> Option<i64> {
        let mut rounds = i64::MAX;
        for (a, b) in self.frames.iter().zip(&later.frames) {
            let fewer = a.2 - b.2;
            // With the same number left it does not matter whether it is the same loop.
            let same = (a.0, a.1) == (b.0, b.1) && (fewer == 0 || a.3 == b.3);
            if !same || fewer < 0 {
                return None;
            }
            if fewer > 0 {
                rounds = rounds.min((b.2 - 1) / fewer);
            }
        }
        Some(rounds)
    }

    /// Whether all registers have changed by their slopes along a level; those that were vague may change as they like.
    fn is_even(&self, later: &One, level: usize) -> bool {
        let ((slope, vague), (after, vague_after)) = (self.levels[level], later.levels[level]);
        let unknown = self.state.unknown;
        let regions = self.state.region.iter().zip(&later.state.region);
        let mut regions = regions.enumerate();
        unknown == later.state.unknown
            && regions.all(|(r, (then, now))| unknown >> r & 1 == 0 || then == now)
            && (0..Reg::COUNT).all(|r| {
                let change = later.x[r].wrapping_sub(self.x[r]) as i64;
                let even = vague_after >> r & 1 == 0 && after[r] == slope[r] && change == slope[r];
                even || (vague | unknown) >> r & 1 == 1
            })
    }

    /// Registers that change otherwise along an outer level than they did, one bit each.
    fn turned(&self, later: &One, outer: usize) -> u32 {
        let ((slope, vague), (after, vague_after)) = (self.levels[outer], later.levels[outer]);
        let turned = |r: usize| slope[r] != after[r] || (vague ^ vague_after) >> r & 1 == 1;
        (0..Reg::COUNT).fold(0, |bits, r| bits | u32::from(turned(r)) << r)
    }
}

/// Whether two instructions in a queue are the same but for counts and for addresses that go on along a level.
fn alike(a: &Event, b: &Event, level: usize, gathers: bool) -> bool {
    let moved = |a: &Target, b: &Target| match (a, b) {
        (Target::Address(x, slopes), Target::Address(y, after)) => {
            slopes == after && y.wrapping_sub(*x) as i64 == slopes[level]
        }
        (Target::Region(x), Target::Region(y)) => x == y,
        (Target::Address(..), Target::Region(_)) | (Target::Region(_), Target::Address(..)) => {
            false
        }
    };
    let same = match (&a.task, &b.task) {
        (
            Task::Work {
                shape,
                targets,
                atomic,
                scalar,
            },
            Task::Work {
                shape: shape_b,
                targets: targets_b,
                atomic: atomic_b,
                scalar: scalar_b,
            },
        ) => {
            shape == shape_b
                && atomic == atomic_b
                && (!gathers || scalar == scalar_b)
                && targets.iter().zip(targets_b).all(|(a, b)| moved(a, b))
        }
        (Task::Set(x), Task::Set(y))
        | (Task::Wait(x), Task::Wait(y))
        | (Task::Xwait(x), Task::Xwait(y)) => x == y,
        (Task::Bar, Task::Bar) => true,
        (Task::Xset(mode, id), Task::Xset(other, id_b)) => mode == other && id == id_b,
        (
            Task::Work { .. }
            | Task::Set(_)
            | Task::Wait(_)
            | Task::Bar
            | Task::Xset(..)
            | Task::Xwait(_),
            _,
        ) => false,
    };
    a.pc == b.pc && same
}

/// How one state comes from another.
pub(crate) enum Change {
    /// Counts have gone on, for so many more periods at most.
    Counts(Shift, i64),
    /// Some registers have changed otherwise.
    Registers,
    /// Something else.
    Other,
}

impl Whole {
    pub(crate) fn of(cores: &[Core]) -> Whole {
        Whole {
            cores: cores.iter().map(One::of).collect(),
        }
    }

    /// What differs in a later state, a period along a level.
    pub(crate) fn until(&self, later: &Whole, level: usize, first: u32) -> Change {
        let pairs = || self.cores.iter().zip(&later.cores);
        let mut rounds = i64::MAX;
        for (a, b) in pairs() {
            match a.rounds(b) {
                Some(more) if a.is_like(b, level) => rounds = rounds.min(more),
                Some(_) | None => return Change::Other,
            }
        }
        if pairs().any(|(a, b)| !a.is_even(b, level)) {
            return Change::Registers;
        }
        let mut seen = Seen::new(first, pairs().map(|(a, b)| (a.issued, b.issued)));
        for (own, (a, b)) in pairs().enumerate() {
            let counts = || a.state.counts.iter().zip(&b.state.counts);
            let same = a.state.counts.len() == b.state.counts.len()
                && counts().all(|(a, b)| seen.see(own, a, b))
                && (a.waits.iter().zip(&b.waits)).all(|(a, b)| seen.wait(own, a, b))
                && (a.heard.iter().zip(&b.heard)).all(|(a, b)| seen.hear(a, b));
            if !same {
                return Change::Other;
            }
        }
        match seen.shift() {
            Some(shift) => Change::Counts(shift, rounds),
            None => Change::Other,
        }
    }

    /// Of each core, registers that change otherwise along an outer level than they did.
    pub(crate) fn turned(&self, later: &Whole, outer: usize) -> Vec<u32> {
        let pairs = self.cores.iter().zip(&later.cores);
        pairs.map(|(a, b)| a.turned(b, outer)).collect()
    }

    /// How many waits each counter of a core regards.
    pub(crate) fn regarded(&self, core: usize) -> Vec<usize> {
        let waits = self.cores[core].waits.iter();
        waits.map(|(_, waits)| waits.len()).collect()
    }

    /// How many rounds fewer each loop in progress of a core has left than before.
    pub(crate) fn fewer(&self, later: &Whole, core: usize) -> Vec<i64> {
        let frames = |whole: &Whole| -> Vec<i64> {
            let frames = whole.cores[core].frames.iter();
            frames.map(|frame| frame.2).collect()
        };
        let (before, after) = (frames(self), frames(later));
        before.iter().zip(after).map(|(a, b)| a - b).collect()
    }
}

/// How the counts of each core's lanes go on from one period to the next.
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    /// The number of the first core.
    first: u32,
    pub(crate) each: Vec<Counts>,
}

impl Shift {
    /// The counts of a core.
    pub(crate) fn of(&self, core: u32) -> Option<&Counts> {
        self.each.get(core.checked_sub(self.first)? as usize)
    }

    /// What is heard so many periods later.
    pub(crate) fn heard(&self, heard: &Heard, rounds: u32) -> Heard {
        let mut all = Vec::clone(heard.as_ref()?);
        for (known, counts) in all.iter_mut().skip(self.first as usize).zip(&self.each) {
            counts.shift(known, rounds);
        }
        Some(std::sync::Arc::new(all))
    }
}

/// Counts as they were seen to stay or to go on, by core.
struct Seen {
    first: usize,
    each: Vec<(Known, Known, Known)>,
}

impl Seen {
    fn new(first: u32, issued: impl Iterator<Item = (Known, Known)>) -> Seen {
        let step = |(before, after): (Known, Known)| {
            let step = std::array::from_fn(|lane| after[lane].wrapping_sub(before[lane]));
            (step, [0; LANES], [u32::MAX; LANES])
        };
        Seen {
            first: first as usize,
            each: issued.map(step).collect(),
        }
    }

    /// Whether counts of a core have stayed or gone on by what its lanes did.
    fn see(&mut self, core: usize, before: &Known, after: &Known) -> bool {
        let Some((step, still, moving)) = self.each.get_mut(core) else {
            return before == after;
        };
        for lane in 0..LANES {
            let (before, after) = (before[lane], after[lane]);
            if after == before {
                still[lane] = before.max(still[lane]);
            } else if after == before.wrapping_add(step[lane]) {
                moving[lane] = before.min(moving[lane]);
            } else {
                return false;
            }
        }
        true
    }

    /// Whether the last waits of a lane have stayed or gone on, as many of them as there were before.
    fn wait(
        &mut self,
        core: usize,
        (lane, before): &(usize, Vec<u32>),
        (_, after): &(usize, Vec<u32>),
    ) -> bool {
        let more = after.len().checked_sub(before.len());
        let Some(more) = more.filter(|_| !before.is_empty() || after.is_empty()) else {
            return false;
        };
        let mut pairs = before.iter().zip(&after[more..]);
        pairs.all(|(&before, &after)| self.see(core, &single(*lane, before), &single(*lane, after)))
    }

    fn hear(&mut self, before: &Heard, after: &Heard) -> bool {
        let (before, after) = match (before, after) {
            (None, None) => return true,
            (Some(before), Some(after)) if before.len() == after.len() => (before, after),
            (Some(_) | None, _) => return false,
        };
        let pairs = before.iter().zip(after.iter()).enumerate();
        let mut alike = true;
        for (core, (before, after)) in pairs {
            alike &= match core.checked_sub(self.first) {
                Some(own) => self.see(own, before, after),
                None => before == after,
            };
        }
        alike
    }

    /// How counts go on, if those that stay all lie below those that move.
    fn shift(self) -> Option<Shift> {
        let apart = |(step, still, moving): &(Known, Known, Known)| {
            (0..LANES).all(|lane| step[lane] == 0 || still[lane] < moving[lane])
        };
        self.each.iter().all(apart).then(|| Shift {
            first: self.first as u32,
            each: self
                .each
                .iter()
                .map(|&(step, still, _)| Counts { step, still })
                .collect(),
        })
    }
}
