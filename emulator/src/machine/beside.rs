//! A launch on several host threads, whose times are computed beside its values; see [`crate::ahead`].

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::groups::{host_threads, share_out};
use super::{Machine, run_core};
use crate::ahead::{Ahead, Progress};
use crate::clock::Timing;
use crate::core::{Core, State};
use crate::fault::Fault;
use crate::run::{Outcome, outcome};
use crate::schedule::Schedule;

/// What a host thread takes on at a time.
enum Piece<'p, 's> {
    Times(&'p mut Ahead<'s>),
    Values(&'p mut Core<'s>),
}

/// What came of it.
enum End {
    Times(Progress),
    Values(Result<State, Fault>),
}

impl<'s> Machine<'s> {
    /// Whether times are computed beside values, on a host thread of their own.
    pub(crate) fn goes_ahead(&self) -> bool {
        let options = &self.setup.options;
        // What is found in the order of rounds, or takes effect in that of the cores, leaves nothing to share out.
        let ordered = options.sanitize.hazards || options.schedule != Schedule::InOrder;
        let untimed = options.profile || options.values_only;
        let alone = ordered || self.cores.iter().any(|core| core.program.atomic);
        host_threads(options.threads) > 1 && !alone && !untimed && self.steps == 0
    }

    /// As [`Machine::finish_without_tensors`] for a machine that [goes ahead](Machine::goes_ahead). None if times are not to
    /// be had so, and then a machine that starts anew has to compute them.
    pub(crate) fn finish_ahead(mut self) -> Result<Option<Outcome>, Fault> {
        self.hands_on = true;
        self.cores.iter_mut().for_each(|core| core.timed = false);
        let timing = match self.has_lone_groups() {
            true => self.run_groups(true)?,
            false => self.run_rounds()?,
        };
        match timing {
            Some(timing) => outcome(self.setup, self.cores, Some(timing)).map(Some),
            None => Ok(None),
        }
    }

    /// Runs rounds until every program has ended, the first of them beside the times of the launch.
    fn run_rounds(&mut self) -> Result<Option<Timing>, Fault> {
        let mut ahead = Ahead::new(self.setup);
        loop {
            match self.round_beside(&mut ahead)? {
                Progress::Known(timing) => {
                    self.end_round()?;
                    self.run()?;
                    return Ok(Some(timing));
                }
                Progress::Begun => self.end_round()?,
                Progress::GivenUp => return Ok(None),
            }
            if self.ended {
                return Ok(match ahead.advance(|| true) {
                    Progress::Known(timing) => Some(timing),
                    Progress::Begun | Progress::GivenUp => None,
                });
            }
        }
    }

    /// Runs every core's part of a round, and works on the times as long as there are cores to run beside: where a round is
    /// short, the next one has to wait for nobody.
    fn round_beside(&mut self, ahead: &mut Ahead<'s>) -> Result<Progress, Fault> {
        let (rooms, hands_on) = (&self.rooms, self.hands_on);
        let (given_up, left) = (AtomicBool::new(false), AtomicUsize::new(self.cores.len()));
        let values = self.cores.iter_mut().map(Piece::Values);
        let work = std::iter::once(Piece::Times(ahead)).chain(values);
        let ends = share_out(work.collect(), self.setup.options.threads, |piece| {
            match piece {
                Piece::Times(ahead) => {
                    let progress = ahead.advance(|| left.load(Relaxed) > 0);
                    given_up.store(matches!(progress, Progress::GivenUp), Relaxed);
                    End::Times(progress)
                }
                // Nobody will ask for its values.
                Piece::Values(_) if given_up.load(Relaxed) => End::Values(Ok(State::Blocked)),
                Piece::Values(core) => {
                    let state = run_core(core, rooms, hands_on);
                    left.fetch_sub(1, Relaxed);
                    End::Values(state)
                }
            }
        });
        let mut found = Progress::Begun;
        for end in ends {
            match end {
                End::Times(progress) => found = progress,
                End::Values(state) => {
                    state?;
                }
            }
        }
        Ok(found)
    }
}
