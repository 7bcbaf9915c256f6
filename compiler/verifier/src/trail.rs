//! Uses of global memory while a loop is watched, so that they can be entered again for rounds that are not followed.

use isa::types::Space;

use crate::core::Core;
use crate::cross::Heard;
use crate::gm::{Global, Sort, User, Who};
use crate::order::Known;
use crate::refusal::Reason;
use crate::shape;
use crate::slopes::Slopes;
use crate::work::{Stop, alone, moved};
use crate::world::World;

/// A use of global memory.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) who: Who,
    pub(crate) use_: shape::Global,
    pub(crate) region: usize,
    pub(crate) at: u64,
    /// How the address changes along each level.
    pub(crate) slopes: Slopes,
    pub(crate) known: Known,
    pub(crate) heard: Heard,
    /// Whether all that it reads holds values.
    pub(crate) full: bool,
}

/// How counts of a core's lanes go on from one round to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// What a round adds.
    pub(crate) step: Known,
    /// Counts up to this one stay.
    pub(crate) still: Known,
}

impl Counts {
    /// Adds so many rounds to a state of knowledge; those that may come are known to fit.
    pub(crate) fn shift(&self, known: &mut Known, rounds: u32) {
        for (lane, count) in known.iter_mut().enumerate() {
            if *count > self.still[lane] {
                *count += rounds * self.step[lane];
            }
        }
    }
}

/// Enters the uses of a period again, those of the trail from one on, for so many more periods along a level.
///
/// Of a use that stays at its place the first and the last are entered: each between meets what the first met, with counts
/// that have gone on alike. That is so where nothing in its tensor moves. Of what is only read the last is looked at: all
/// between lie between it and those that were followed.
pub(crate) fn again(
    world: &mut World<'_>,
    (since, level, rounds): (usize, usize, u32),
    later: impl Fn(&Trace, u32) -> Trace,
) -> Result<(), (Who, Stop)> {
    let last = world.trail.len();
    let mut moves = vec![false; world.gm.regions.len()];
    for trace in &world.trail[since..last] {
        moves[trace.region] |= trace.slopes[level] != 0;
        if !trace.reaches(level, rounds) {
            let what = "a loop whose addresses wrap";
            return Err((trace.who, (Reason::Unknown(what), None)));
        }
    }
    let each = (0..moves.len()).any(|region| moves[region] && !world.gm.is_input(region));
    let mut round = 1;
    while round <= rounds {
        for at in since..last {
            let region = world.trail[at].region;
            let needed = match (world.gm.is_input(region), moves[region]) {
                (true, _) => round == rounds,
                (false, true) => true,
                (false, false) => round == 1 || round == rounds,
            };
            if needed {
                let later = later(&world.trail[at], round);
                let who = later.who;
                enter_later(world, later, level).map_err(|stop| (who, stop))?;
            }
        }
        round = if each || round == rounds {
            round + 1
        } else {
            rounds
        };
    }
    Ok(())
}

fn enter_later(world: &mut World<'_>, later: Trace, level: usize) -> Result<(), Stop> {
    world.count_entry().map_err(alone)?;
    let there = world
        .gm
        .within(later.use_.operand, &later.use_.pieces, later.at);
    if there.map_err(alone)? != later.region {
        let what = "a loop that goes from one tensor to another";
        return Err(alone(Reason::Unknown(what)));
    }
    later.enter(&mut world.gm)?;
    if level > 0 {
        world.trail.push(later);
    }
    Ok(())
}

/// No value that goes on so far is followed, so that no address wraps on its way.
const FAR: u64 = 1 << 60;

impl Trace {
    /// Whether the same use so many rounds later along a level is as far away as the sum says, so that all uses between
    /// lie between both.
    pub(crate) fn reaches(&self, level: usize, rounds: u32) -> bool {
        let way = self.slopes[level]
            .unsigned_abs()
            .checked_mul(u64::from(rounds));
        way.is_some_and(|way| way < FAR)
    }

    /// The same use some rounds later along a level.
    pub(crate) fn later(&self, level: usize, rounds: u32, counts: &Counts) -> Trace {
        let mut later = self.clone();
        let way = self.slopes[level].wrapping_mul(i64::from(rounds));
        later.at = self.at.wrapping_add_signed(way);
        counts.shift(&mut later.known, rounds);
        later.who.count += rounds * counts.step[usize::from(self.who.lane)];
        later
    }

    /// Enters the use.
    pub(crate) fn enter(&self, gm: &mut Global) -> Result<(), Stop> {
        if gm.is_input(self.region) {
            return Ok(());
        }
        let operand = self.use_.operand;
        let pieces = moved(&self.use_.pieces, self.at);
        let number = gm.enter(self.who);
        let user = User {
            who: self.who,
            known: &self.known,
            heard: &self.heard,
            operand,
        };
        for (start, len) in pieces.pieces() {
            let range = (start, start + len);
            if matches!(self.who.sort, Sort::Atomic(_))
                && let Some(address) = gm.hole(self.region, range)
            {
                return Err((gm.uninitialised(operand, self.region, address), None));
            }
            if self.who.sort == Sort::Read && self.full && gm.hole(self.region, range).is_some() {
                let what = "a loop copies bytes without values in some of its rounds";
                return Err((Reason::Unknown(what), None));
            }
            gm.touch((&user, number), self.region, range)
                .map_err(Core::both)?;
        }
        Ok(())
    }

    /// Whether all that it touches holds values.
    pub(crate) fn holds_values(&self, gm: &Global) -> bool {
        let pieces = moved(&self.use_.pieces, self.at);
        let set = |(start, len)| gm.hole(self.region, (start, start + len)).is_none();
        pieces.pieces().all(set)
    }

    /// First byte and the one behind the last, from the start of the tensor.
    pub(crate) fn span(&self, gm: &Global) -> (u64, u64) {
        debug_assert!(
            self.use_.pieces.space == Space::Gm,
            "a use of global memory"
        );
        let (start, end) = moved(&self.use_.pieces, self.at).span();
        let base = gm.regions[self.region].start;
        (start - base, end - base)
    }
}
