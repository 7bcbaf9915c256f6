//! Loops in a steady state: rounds that are proved without being followed.
//!
//! The proof is an induction. A *period* is some rounds of a loop. One period is followed with a slope beside each register
//! (`slopes`): registers that it reads change by their slopes, and no slope reaches what a flag, a branch or a place on
//! chip depends on. Before and after it the state of the core is the same but for counts of work, and each count has
//! either stayed or gone on by what its lane did meanwhile, those that stay all below those that move. What the core does
//! only compares counts of a lane with each other and makes new ones, so the next period does the same from the same
//! state, with counts and addresses of global memory further by the same amounts; and so on for as long as every decision
//! comes out the same. Uses of global memory are entered for each of those periods; on chip there is nothing to do.
//!
//! Where to start: [`Core::turn`].

use isa::inst::Reg;

use crate::core::Core;
use crate::order::{Known, LANES};
use crate::refusal::Refusal;
use crate::slopes::{LEVELS, Level};
use crate::state::State;
use crate::trail::{Counts, Trace, again};
use crate::world::World;

/// Rounds of which registers are kept to find a period.
const PAST: usize = 96;
/// How often a loop is looked at in one go.
const TRIES: u32 = 6;
/// Instructions that skipping must save.
const WORTH: u64 = 400;
/// No count may come near the end of its range.
const COUNTS: u64 = 1 << 30;

/// What is known of a loop from the last time that it ran.
#[derive(Clone, Debug)]
pub(crate) struct Hint {
    period: usize,
    slope: [i64; Reg::COUNT],
    live: u32,
    /// Instructions of a round.
    steps: u64,
}

/// A loop that is watched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// The registers at the start of each round.
    past: Vec<[u64; Reg::COUNT]>,
    /// Registers that some round reads before it writes them.
    live: u32,
    banned: Vec<usize>,
    tries: u32,
    record: Option<Record>,
    /// What is known from the last time.
    hint: Option<(usize, [i64; Reg::COUNT])>,
    /// Instructions of all cores when the round began.
    steps: u64,
}

/// A period that is being followed.
#[derive(Clone, Debug)]
struct Record {
    period: usize,
    /// The round that it began with.
    since: usize,
    slope: [i64; Reg::COUNT],
    /// Registers that it has read before it wrote them, and those it has written.
    live: u32,
    written: u32,
    state: State,
    trail: usize,
    /// The slopes of levels around it, then.
    around: Vec<([i64; Reg::COUNT], u32)>,
}

impl Core {
    /// Begins to watch a loop that has just been entered.
    pub(crate) fn watch(&mut self, world: &World<'_>) {
        let kind = self.name.kind() as u8;
        let Some(frame) = self.loops.last_mut() else {
            return;
        };
        let crosses = world.crossing.contains(&(kind, frame.end));
        if !world.induct || frame.left < 4 || self.branch_stores.is_some() || crosses {
            return;
        }
        let mut watch = Box::new(Watch {
            past: vec![self.regs.x],
            steps: world.steps,
            ..Watch::default()
        });
        let (left, key) = (frame.left, (kind, frame.end));
        if let Some(hint) = world.hints.get(&key)
            && hint.steps.saturating_mul(left as u64) >= WORTH
        {
            // The first round often does something of its own.
            watch.hint = Some((hint.period, hint.slope));
            watch.live = hint.live;
        }
        if let Some(frame) = self.loops.last_mut() {
            frame.watch = Some(watch);
        }
    }

    /// Ends watching a loop that is left.
    pub(crate) fn unwatch(&mut self, world: &mut World<'_>, watch: Option<Box<Watch>>) {
        if watch.is_some_and(|watch| watch.record.is_some()) {
            self.give_up(world);
        }
    }

    /// What the core does next is not its own alone: no loop is watched on from here, or none in progress at all.
    ///
    /// So a core that waits has no level of a loop, and the trail is that of the core that runs.
    pub(crate) fn look_away(&mut self, world: &mut World<'_>, for_good: bool) {
        let kind = self.name.kind() as u8;
        let mut records = 0;
        for frame in &mut self.loops {
            if for_good {
                world.crossing.insert((kind, frame.end));
            }
            let Some(watch) = frame.watch.take() else {
                continue;
            };
            records += usize::from(watch.record.is_some());
            if !for_good {
                frame.watch = Some(Box::new(Watch {
                    live: watch.live,
                    tries: watch.tries,
                    steps: world.steps,
                    ..Watch::default()
                }));
            }
        }
        for _ in 0..records {
            self.give_up(world);
        }
    }

    /// Closes the innermost level without having skipped anything.
    fn give_up(&mut self, world: &mut World<'_>) {
        self.levels.close(0);
        if self.levels.is_empty() {
            world.trail.clear();
        }
    }

    /// A round of the innermost loop is over and another begins.
    pub(crate) fn turn(&mut self, world: &mut World<'_>) -> Result<(), Refusal> {
        let Some(frame) = self.loops.last_mut() else {
            return Ok(());
        };
        let (read, written) = frame.end_round();
        let (left, key) = (frame.left, (self.name.kind() as u8, frame.end));
        let Some(mut watch) = frame.watch.take() else {
            return Ok(());
        };
        watch.live |= read;
        watch.past.push(self.regs.x);
        let now = watch.past.len() - 1;
        let steps = world.steps - watch.steps;
        watch.steps = world.steps;
        if let Some(record) = &mut watch.record {
            record.live |= read & !record.written;
            record.written |= written;
        }
        let mut left = left;
        if watch
            .record
            .as_ref()
            .is_some_and(|record| now == record.since + record.period)
        {
            left = self.settle(world, &mut watch, key, (left, steps))?;
        }
        let worth = steps.saturating_mul(left as u64) >= WORTH;
        if watch.record.is_none() && worth && watch.tries < TRIES {
            let found = watch.hint.take().or_else(|| watch.period());
            if let Some(found) = found {
                self.record(world, &mut watch, found, left);
            }
        }
        let hopeless = watch.record.is_none() && (watch.tries >= TRIES || now > PAST);
        if let Some(frame) = self.loops.last_mut() {
            frame.left = left;
            frame.watch = (!hopeless).then_some(watch);
        }
        Ok(())
    }

    /// Begins to follow a period, if enough rounds are left. What waits in queues must still wait there afterwards.
    fn record(
        &mut self,
        world: &World<'_>,
        watch: &mut Watch,
        (period, slope): (usize, [i64; Reg::COUNT]),
        left: i64,
    ) {
        if left <= 2 * period as i64 {
            return;
        }
        let around = |level: &Level| (level.slope, level.vague);
        let around = self.levels.all.iter().map(around).collect();
        let mut still = slope;
        for (r, slope) in still.iter_mut().enumerate() {
            *slope = if watch.live >> r & 1 == 1 { *slope } else { 0 };
        }
        if !self.levels.open(still, !watch.live, 0) {
            return;
        }
        watch.record = Some(Record {
            period,
            since: watch.past.len() - 1,
            slope: still,
            live: 0,
            written: 0,
            state: State::of(self),
            trail: world.trail.len(),
            around,
        });
    }

    /// A period has been followed: skips what is proved with it. Gives the rounds that are left.
    fn settle(
        &mut self,
        world: &mut World<'_>,
        watch: &mut Watch,
        key: (u8, u32),
        (left, steps): (i64, u64),
    ) -> Result<i64, Refusal> {
        let Some(record) = watch.record.take() else {
            return Ok(left);
        };
        let now = watch.past.len() - 1;
        let Some(level) = self.levels.all.last().cloned() else {
            return Ok(left);
        };
        // Where decisions soon come out otherwise another period may go further.
        let short = level.limit < (left - 1) / record.period as i64 / 2;
        let decided = level.limit < 1 && record.since > 1;
        if level.failed || decided {
            watch.banned.push(record.period);
            self.give_up(world);
            return Ok(left);
        }
        let (before, after) = (watch.past[record.since], watch.past[now]);
        let even = |r: usize| {
            let change = after[r].wrapping_sub(before[r]) as i64;
            let vague = level.vague >> r & 1 == 1;
            !vague && level.slope[r] == record.slope[r] && change == record.slope[r]
                || self.regs.unknown >> r & 1 == 1
        };
        let evenly = (0..Reg::COUNT).all(|r| record.live >> r & 1 == 0 || even(r));
        let later = State::of(self);
        let issued = record.state.counts[0];
        let mut step = self.order.issued;
        (0..LANES).for_each(|lane| step[lane] -= issued[lane]);
        let counts = match evenly {
            true => record.state.until(&later, record.live, step),
            false => None,
        };
        let rounds = self.rounds(&level, (left - 1) / record.period as i64, &step);
        let (Some(counts), 1..) = (counts, rounds) else {
            watch.tries += 1;
            self.give_up(world);
            let change = |r: usize| after[r].wrapping_sub(before[r]) as i64;
            let slope = std::array::from_fn(change);
            self.record(world, watch, (record.period, slope), left);
            return Ok(left);
        };
        self.enter_again(world, &record, &counts, rounds)?;
        self.skip(&record, &level, &counts, rounds);
        self.levels.close(i64::from(rounds));
        if self.levels.is_empty() {
            world.trail.clear();
        }
        let hint = Hint {
            period: record.period,
            slope: record.slope,
            live: record.live,
            steps,
        };
        match short {
            true => watch.banned.push(record.period),
            false => _ = world.hints.insert(key, hint),
        }
        let skipped = i64::from(rounds) * record.period as i64;
        world.skipped(key, record.period, skipped as u64, steps);
        watch.past = vec![self.regs.x];
        watch.tries = 0;
        Ok(left - skipped)
    }

    /// How many periods can be skipped.
    fn rounds(&self, level: &Level, left: i64, step: &Known) -> u32 {
        let most = level.limit.min(left);
        let room = |lane: usize| match step[lane] {
            0 => i64::MAX,
            step => {
                (COUNTS.saturating_sub(self.order.issued[lane].into()) / u64::from(step)) as i64
            }
        };
        let most = (0..LANES).map(room).fold(most, i64::min);
        u32::try_from(most).unwrap_or(0)
    }

    /// Enters uses of global memory of periods that are skipped.
    fn enter_again(
        &self,
        world: &mut World<'_>,
        record: &Record,
        counts: &Counts,
        rounds: u32,
    ) -> Result<(), Refusal> {
        let level = self.levels.all.len() - 1;
        let later = |trace: &Trace, round| trace.later(level, round, counts);
        let entered = again(world, (record.trail, level, rounds), later);
        entered.map_err(|(who, (reason, other))| {
            self.refuse_both(who.pc, usize::from(who.lane), reason, other)
        })
    }

    /// Becomes what the core is after so many more periods.
    fn skip(&mut self, record: &Record, level: &Level, counts: &Counts, rounds: u32) {
        self.shift_counts(counts, rounds);
        self.shift_step(record.around.len(), rounds);
        let far = i64::from(rounds);
        for r in 0..Reg::COUNT {
            let bit = 1_u32 << r;
            if (record.written | record.live) & bit == 0 {
                continue;
            }
            if level.vague & bit == 0 {
                let way = level.slope[r].wrapping_mul(far);
                self.regs.x[r] = self.regs.x[r].wrapping_add_signed(way);
            } else if self.regs.unknown & bit == 0 {
                self.lost = true;
                self.regs.put_unknown(Reg(r as u8), crate::scalar::NOWHERE);
            }
        }
        let inner = record.around.len();
        for (outer, (slope, vague)) in self.levels.all[..inner].iter_mut().zip(&record.around) {
            // What a round changes must not itself change along the levels around: products of both are vague, so that
            // only what a round begins with could.
            let even = |r: usize| (outer.vague | vague) >> r & 1 == 0 && outer.slope[r] == slope[r];
            outer.failed |= (0..Reg::COUNT).any(|r| record.live >> r & 1 == 1 && !even(r));
        }
    }
}

impl Watch {
    /// The shortest number of rounds after which registers change as they did before, and their slopes.
    fn period(&self) -> Option<(usize, [i64; Reg::COUNT])> {
        let now = self.past.len() - 1;
        let change = |from: usize, to: usize, r: usize| {
            self.past[to][r].wrapping_sub(self.past[from][r]) as i64
        };
        let even = |period: &usize| {
            let (then, first) = (now - period, now - 2 * period);
            let even = |r: usize| {
                self.live >> r & 1 == 0 || change(first, then, r) == change(then, now, r)
            };
            !self.banned.contains(period) && (0..Reg::COUNT).all(even)
        };
        let period = (1..=now / 2).find(even)?;
        let slope = std::array::from_fn(|r| change(now - period, now, r));
        Some((period, slope))
    }
}

const _: () = assert!(LEVELS < 8, "levels fit a byte");
