//! Cores that tell each other something, in a steady state: rounds of a loop that are proved with what all cores do
//! meanwhile.
//!
//! The induction is that of one core (`steady`), over all cores that run together. They are looked at between two rounds of
//! running them, when each waits or has ended and nothing is on its way between them: what they do next is decided by their
//! registers, loops, queues, flags, counters and what they know of each other (`together`), in one order that is always
//! the same. A period is some rounds of a loop of the first core. Along it each register of each core goes on by its slope
//! or is not used for anything that decides; each count of each lane, wherever it is known, stays or goes on by what that
//! lane did, those that stay all below those that move; instructions that wait in queues are the same, with addresses
//! further by their slopes; each loop in progress has as many rounds fewer. As running them only compares counts of one
//! lane of one core with each other, the next period does the same from the same state, for as long as every decision
//! comes out the same and no loop in progress ends. Levels are open from a period before the one that is looked at,
//! so that what was in a queue when it began has its slopes too. Uses of global memory are entered for those
//! periods as they are for one core.
//!
//! Where to start: [`Joint::turn`].

use isa::inst::Reg;

use crate::core::Core;
use crate::order::{LANES, lane_pipe};
use crate::refusal::{Place, Refusal};
use crate::state::single;
use crate::together::{Change, Shift, Whole};
use crate::trail::{Trace, again};
use crate::world::World;

/// Turns of which registers are kept to find a period.
const PAST: usize = 64;
/// Turns after which registers may go on unevenly.
const PARTLY: usize = 10;
/// How often a loop is looked at in vain.
const TRIES: u32 = 12;
/// No count may come near the end of its range.
const COUNTS: u64 = 1 << 30;

/// How the registers of a core change.
#[derive(Clone, Debug, PartialEq)]
struct Way {
    slope: [i64; Reg::COUNT],
    vague: u32,
}

/// What is known of a loop from the last time that it ran: its period, and how registers of each core change.
pub(crate) type JointHint = (i64, Vec<Ways>);
/// How registers of a core change: slopes, and those that do so unevenly.
pub(crate) type Ways = ([i64; Reg::COUNT], u32);

/// The cores when the first has just turned in a loop.
#[derive(Clone, Debug)]
struct Snap {
    left: i64,
    /// Where each core is: instructions, loops, queues.
    places: Vec<u32>,
    registers: Vec<[u64; Reg::COUNT]>,
}

/// A period that is being followed.
#[derive(Clone, Debug)]
struct Record {
    period: i64,
    ways: Vec<Way>,
    /// Rounds that were left when it began.
    left: i64,
    /// The cores then; none while the levels are open for the first period.
    before: Option<Whole>,
    trail: usize,
    steps: u64,
}

/// A loop of the first core.
#[derive(Clone, Debug)]
struct Watched {
    serial: u64,
    end: u32,
    left: i64,
    past: Vec<Snap>,
    banned: Vec<i64>,
    tries: u32,
    record: Option<Record>,
}

/// Loops of the first core in progress, outermost first.
#[derive(Debug, Default)]
pub(crate) struct Joint {
    watched: Vec<Watched>,
}

impl Joint {
    /// Between two rounds of running the cores.
    pub(crate) fn turn(
        &mut self,
        cores: &mut [Core],
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let Some(leader) = cores.first().filter(|_| cores.len() > 1 && world.induct) else {
            return Ok(());
        };
        let gone = |(depth, watched): (usize, &Watched)| {
            let frame = leader.loops.get(depth);
            frame.is_none_or(|frame| frame.serial != watched.serial)
        };
        let stay = self.watched.iter().enumerate().position(gone);
        self.leave(stay.unwrap_or(self.watched.len()), cores, world);
        let new = cores[0].loops.iter().skip(self.watched.len());
        self.watched.extend(new.map(|frame| Watched {
            serial: frame.serial,
            end: frame.end,
            left: frame.left,
            past: Vec::new(),
            banned: Vec::new(),
            tries: 0,
            record: None,
        }));
        let mut depth = 0;
        // What is skipped ends watching the loops inside.
        while let Some(watched) = self.watched.get_mut(depth) {
            let left = cores[0].loops[depth].left;
            if left != watched.left {
                watched.left = left;
                self.turned(depth, cores, world)?;
            }
            depth += 1;
        }
        Ok(())
    }

    /// Ends watching loops from a depth on.
    pub(crate) fn leave(&mut self, depth: usize, cores: &mut [Core], world: &mut World<'_>) {
        while self.watched.len() > depth {
            if self.watched.pop().is_some_and(|it| it.record.is_some()) {
                close(cores, world, 0);
            }
        }
    }

    /// The first core has turned in a loop.
    fn turned(
        &mut self,
        depth: usize,
        cores: &mut [Core],
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let watched = &mut self.watched[depth];
        if watched.record.is_none() && (watched.tries >= TRIES || watched.past.len() > PAST) {
            return Ok(());
        }
        watched.past.push(Snap::of(cores, watched.left));
        if let Some(record) = &watched.record {
            match (record.left - watched.left).cmp(&record.period) {
                std::cmp::Ordering::Less => return Ok(()),
                std::cmp::Ordering::Equal => self.settle(depth, cores, world)?,
                std::cmp::Ordering::Greater => self.give_up(depth, cores, world),
            }
        }
        let watched = &mut self.watched[depth];
        if watched.record.is_none() && watched.tries < TRIES {
            watched.open(cores, world);
        }
        Ok(())
    }

    /// Ends following a period in vain.
    fn give_up(&mut self, depth: usize, cores: &mut [Core], world: &mut World<'_>) {
        self.watched[depth].tries += 1;
        if self.watched[depth].record.take().is_some() {
            close(cores, world, 0);
        }
    }

    /// A period has been followed: skips what is proved with it.
    fn settle(
        &mut self,
        depth: usize,
        cores: &mut [Core],
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let followed = |outer: &Watched| outer.record.as_ref().is_some_and(|r| r.before.is_some());
        let inside = self.watched[..depth].iter().any(followed);
        let watched = &mut self.watched[depth];
        let Some(record) = &mut watched.record else {
            return Ok(());
        };
        let level = cores[0].levels.all.len() - 1;
        let failed = |core: &Core| core.levels.all.last().is_none_or(|level| level.failed);
        // What failed before the period that counts does not bind it.
        if record.before.is_some() && cores.iter().any(failed) {
            watched.banned.push(record.period);
            self.give_up(depth, cores, world);
            return Ok(());
        }
        let now = Whole::of(cores);
        record.left = watched.left;
        let Some(before) = record.before.take() else {
            record.begin(now, cores, world, inside);
            return Ok(());
        };
        let early = |core: &Core| core.counters.iter().any(|counter| counter.early);
        let change = match cores.iter().any(early) {
            true => Change::Other,
            false => before.until(&now, level, cores[0].number),
        };
        let (shift, rounds) = match change {
            Change::Counts(shift, rounds) => (shift, rounds),
            Change::Registers => {
                self.give_up(depth, cores, world);
                return Ok(());
            }
            Change::Other => {
                watched.tries += 1;
                match watched.tries >= TRIES {
                    true => self.give_up(depth, cores, world),
                    false => record.begin(now, cores, world, inside),
                }
                return Ok(());
            }
        };
        let rounds = most_rounds(cores, &shift, rounds);
        if rounds == 0 {
            watched.banned.push(record.period);
            self.give_up(depth, cores, world);
            return Ok(());
        }
        enter_again(cores, world, (record.trail, level, rounds), &shift)?;
        for (index, core) in cores.iter_mut().enumerate() {
            let steps = (before.fewer(&now, index), before.regarded(index));
            core.skip_together(&shift, rounds, steps);
        }
        for outer in 0..level {
            let turned = before.turned(&now, outer);
            for (core, registers) in cores.iter_mut().zip(turned) {
                // Others may turn in the rounds that are left out.
                core.levels.all[outer].failed |= registers != 0;
            }
        }
        close(cores, world, i64::from(rounds));
        watched.skipped(world, rounds, cores);
        self.watched.truncate(depth + 1);
        Ok(())
    }
}

impl Record {
    /// Begins to follow a period from here.
    fn begin(&mut self, now: Whole, cores: &mut [Core], world: &World<'_>, inside: bool) {
        for core in cores {
            core.levels.begin_again();
            let counters = core.counters.iter_mut();
            counters.for_each(|counter| counter.regard(inside));
        }
        self.before = Some(now);
        self.trail = world.trail.len();
        self.steps = world.steps;
    }
}

impl Watched {
    /// Opens a level along the period that registers show, if they show one.
    fn open(&mut self, cores: &mut [Core], world: &World<'_>) {
        let key = (cores[0].name.kind() as u8, self.end);
        let hint = match self.past.len() {
            1 => world.joint_hints.get(&key).cloned(),
            _ => None,
        };
        let found = hint.or_else(|| self.period());
        let Some((period, ways)) = found else { return };
        if self.left <= 3 * period || ways.len() != cores.len() {
            return;
        }
        let free = |core: &Core| core.levels.all.len() < crate::slopes::LEVELS;
        if !cores.iter().all(free) {
            return;
        }
        for (core, &(slope, vague)) in cores.iter_mut().zip(&ways) {
            core.levels.open(slope, vague, 0);
        }
        let ways = ways.into_iter().map(|(slope, vague)| Way { slope, vague });
        self.record = Some(Record {
            period,
            ways: ways.collect(),
            left: self.left,
            before: None,
            trail: world.trail.len(),
            steps: world.steps,
        });
    }

    /// The shortest period along which all registers go on as they did, now and a round earlier; after some rounds, one
    /// along which some do.
    fn period(&self) -> Option<JointHint> {
        let now = self.past.len().checked_sub(1)?;
        let at = |left: i64| self.past.iter().find(|snap| snap.left == left);
        let mut partly = None;
        for then in (0..now).rev() {
            let period = self.past[then].left - self.past[now].left;
            let found = self.past[now].ways(period, &at);
            let Some(ways) = found.filter(|_| !self.banned.contains(&period)) else {
                continue;
            };
            // Places that go round in a ring may look like one slope for a while.
            let earlier = self.past[now - 1].ways(period, &at);
            if ways.iter().any(|(_, vague)| *vague != 0) {
                partly = partly.or(Some((period, ways)));
            } else if earlier.is_none_or(|earlier| earlier == ways) {
                return Some((period, ways));
            }
        }
        partly.filter(|_| self.past.len() > PARTLY)
    }

    /// Notes rounds that were proved.
    fn skipped(&mut self, world: &mut World<'_>, rounds: u32, cores: &[Core]) {
        let Some(record) = self.record.take() else {
            return;
        };
        let key = (cores[0].name.kind() as u8, self.end);
        let all = u64::from(rounds).saturating_mul(record.period.unsigned_abs());
        let each = (world.steps - record.steps) / record.period.unsigned_abs().max(1);
        world.skipped(key, record.period.unsigned_abs() as usize, all, each);
        let ways = record.ways.into_iter().map(|way| (way.slope, way.vague));
        world
            .joint_hints
            .insert(key, (record.period, ways.collect()));
        self.left -= i64::from(rounds) * record.period;
        self.past.clear();
        self.tries = 0;
    }
}

/// How registers go from one state over a second to a third.
fn ways(first: &[u64; Reg::COUNT], then: &[u64; Reg::COUNT], now: &[u64; Reg::COUNT]) -> Ways {
    let mut vague = 0;
    let slope = std::array::from_fn(|r| {
        let change = now[r].wrapping_sub(then[r]) as i64;
        let even = then[r].wrapping_sub(first[r]) as i64 == change;
        vague |= u32::from(!even) << r;
        if even { change } else { 0 }
    });
    (slope, vague)
}

impl Snap {
    /// How registers of each core go on in so many rounds, if they are where they were then and before.
    fn ways<'a>(&self, period: i64, at: &impl Fn(i64) -> Option<&'a Snap>) -> Option<Vec<Ways>> {
        let (then, first) = (at(self.left + period)?, at(self.left + 2 * period)?);
        let alike = then.places == self.places && first.places == self.places;
        let all = first.registers.iter().zip(&then.registers);
        let each = all.zip(&self.registers);
        alike.then(|| {
            each.map(|((first, then), now)| ways(first, then, now))
                .collect()
        })
    }

    fn of(cores: &[Core], left: i64) -> Snap {
        let mut places = Vec::new();
        for core in cores {
            places.extend([core.pc, u32::from(core.ended)]);
            places.extend(core.loops.iter().map(|frame| frame.end));
            places.extend(core.events().map(|event| event.pc));
        }
        Snap {
            left,
            places,
            registers: cores.iter().map(|core| core.regs.x).collect(),
        }
    }
}

/// Closes the innermost level of all cores.
fn close(cores: &mut [Core], world: &mut World<'_>, rounds: i64) {
    for core in cores.iter_mut() {
        core.levels.close(rounds);
    }
    if cores.iter().all(|core| core.levels.is_empty()) {
        world.trail.clear();
    }
}

/// How many periods can be skipped.
fn most_rounds(cores: &[Core], shift: &Shift, rounds: i64) -> u32 {
    let mut most = rounds;
    for (core, counts) in cores.iter().zip(&shift.each) {
        let limit = core.levels.all.last().map_or(0, |level| level.limit);
        most = most.min(limit);
        for lane in (0..LANES).filter(|&lane| counts.step[lane] > 0) {
            let room = COUNTS.saturating_sub(core.order.issued[lane].into());
            most = most.min((room / u64::from(counts.step[lane])) as i64);
        }
    }
    u32::try_from(most).unwrap_or(0)
}

/// Enters uses of global memory of periods that are skipped.
fn enter_again(
    cores: &[Core],
    world: &mut World<'_>,
    what: (usize, usize, u32),
    shift: &Shift,
) -> Result<(), Refusal> {
    let (_, level, _) = what;
    let later = |trace: &Trace, round: u32| {
        let mut later = match shift.of(trace.who.core) {
            Some(counts) => trace.later(level, round, counts),
            None => trace.clone(),
        };
        later.heard = shift.heard(&trace.heard, round);
        later
    };
    again(world, what, later).map_err(|(who, (reason, other))| Refusal {
        reason,
        place: cores
            .iter()
            .find(|core| core.number == who.core)
            .map(|core| Place {
                core: core.name,
                pc: who.pc,
                pipe: lane_pipe(usize::from(who.lane)),
            }),
        other,
        hint: None,
    })
}

impl Core {
    /// Becomes what it is so many periods later, each of which leaves so many rounds fewer of each loop and regards so
    /// many waits of each counter.
    fn skip_together(
        &mut self,
        shift: &Shift,
        rounds: u32,
        (fewer, regarded): (Vec<i64>, Vec<usize>),
    ) {
        let (Some(counts), Some(level)) = (shift.of(self.number), self.levels.all.last().cloned())
        else {
            return;
        };
        self.shift_counts(counts, rounds);
        self.each_heard_mut(|heard| *heard = shift.heard(heard, rounds));
        self.shift_queued(counts, (self.levels.all.len() - 1, rounds));
        self.shift_step(self.levels.all.len() - 1, rounds);
        for (counter, regarded) in self.counters.iter_mut().zip(regarded) {
            counter.shift_waits(regarded, |lane, wait| {
                let mut known = single(lane, wait);
                counts.shift(&mut known, rounds);
                known[lane]
            });
        }
        for (frame, fewer) in self.loops.iter_mut().zip(fewer) {
            frame.left -= fewer * i64::from(rounds);
        }
        for r in 0..Reg::COUNT {
            if self.regs.unknown >> r & 1 == 1 {
                continue;
            }
            if level.vague >> r & 1 == 0 {
                let way = level.slope[r].wrapping_mul(i64::from(rounds));
                self.regs.x[r] = self.regs.x[r].wrapping_add_signed(way);
            } else {
                self.lost = true;
                self.regs.put_unknown(Reg(r as u8), crate::scalar::NOWHERE);
            }
        }
    }
}
