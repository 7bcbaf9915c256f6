//! A launch on several host threads, whose times are computed beside its values; see [`crate::ahead`].

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::groups::{host_threads, share_out};
use super::{Machine, run_core};
use crate::ahead;
use crate::clock::Timing;
use crate::core::{Core, State};
use crate::fault::Fault;
use crate::run::{Outcome, outcome};
use crate::schedule::Schedule;

/// What came of a piece of the first round.
enum First {
    Timing(Option<Timing>),
    State(Result<State, Fault>),
}

impl Machine<'_> {
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
        let (setup, rooms, hands_on) = (self.setup, &self.rooms, self.hands_on);
        let cores = self.cores.iter_mut().map(Some);
        let work = std::iter::once(None).chain(cores).collect();
        let given_up = AtomicBool::new(false);
        let piece = |core: Option<&mut Core<'_>>| match core {
            None => {
                let timing = ahead::time(setup);
                given_up.store(timing.is_none(), Relaxed);
                First::Timing(timing)
            }
            // Nobody will ask for its values.
            Some(_) if given_up.load(Relaxed) => First::State(Ok(State::Blocked)),
            Some(core) => First::State(run_core(core, rooms, hands_on)),
        };
        let mut timing = None;
        for end in share_out(work, setup.options.threads, piece) {
            match end {
                First::Timing(found) => timing = found,
                First::State(state) => {
                    state?;
                }
            }
        }
        if timing.is_some() {
            self.end_round()?;
            self.run()?;
        }
        Ok(timing)
    }
}
