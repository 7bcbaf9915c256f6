//! The machine: all cores of a launch and what passes between them, one instruction or one round at a time.
//!
//! Cores run in rounds. In a round every core that can go on runs until its program ends or it waits for another core,
//! on any host thread; cross-core counters change between rounds, in the order of the cores. So nothing depends on how
//! the host schedules its threads. An adversarial run has no rounds: its [`crate::schedule`] picks a core and a lane, and
//! sets travel as long as it likes.

mod beside;
mod checkpoint;
mod groups;
mod inspect;
mod watch;

use std::collections::VecDeque;

use isa::types::{CoreKind, Pipe};

use crate::core::{Core, CrossSet, Meeting, Seen, State};
use crate::cross::Shared;
use crate::fault::{CoreId, Fault, FaultKind, Wait, WaitReason};
use crate::room::Rooms;
use crate::run::{Outcome, outcome};
use crate::schedule::{Adversary, Schedule};
use crate::setup::Setup;

pub use self::checkpoint::Checkpoint;
pub use self::inspect::{Bytes, Tensor};
pub use self::watch::{Reached, Stops, Watch, Writer, pcs_of_line};

pub(crate) use self::groups::share_out;
use self::watch::Writers;

/// A launch in progress.
#[derive(Debug)]
pub struct Machine<'s> {
    setup: &'s Setup<'s>,
    cores: Vec<Core<'s>>,
    shared: Shared,
    rooms: Rooms,
    /// Whether every core has its memories, as one needs who goes step by step.
    furnished: bool,
    /// Whether cores that have ended hand their memories on, so that nobody can look at them any more.
    hands_on: bool,
    round: Round,
    adversary: Option<Adversary>,
    /// Cross-core sets that travel, of each core in order.
    sets: Vec<VecDeque<CrossSet>>,
    meeting: Meeting,
    ended: bool,
    /// Whether a core has gone on although it was not its turn.
    out_of_turn: bool,
    steps: u64,
    rounds: u64,
    /// Whether the scalar unit went on in the last step.
    went_on: bool,
    /// Whether accesses are listed.
    watches: bool,
    /// Accesses of the last step.
    last_seen: Vec<(CoreId, Seen)>,
    writers: Writers,
}

/// Where a round stands that is run core by core.
#[derive(Copy, Clone, Debug, Default)]
struct Round {
    /// The core whose turn it is.
    turn: usize,
    /// Whether that core has begun.
    begun: bool,
}

impl<'s> Machine<'s> {
    pub(crate) fn new(setup: &'s Setup<'s>) -> Machine<'s> {
        let mut cores = setup.cores();
        if setup.options.values_only {
            cores.iter_mut().for_each(|core| core.timed = false);
        }
        Machine {
            shared: Shared::default(),
            rooms: Rooms::default(),
            furnished: false,
            hands_on: false,
            round: Round::default(),
            adversary: match setup.options.schedule {
                Schedule::InOrder => None,
                Schedule::Adversarial(seed) => Some(Adversary::new(seed, cores.len())),
            },
            sets: vec![VecDeque::new(); cores.len()],
            ended: cores.is_empty(),
            meeting: Meeting::default(),
            out_of_turn: false,
            steps: 0,
            rounds: 0,
            went_on: false,
            watches: false,
            last_seen: Vec::new(),
            writers: Writers::default(),
            setup,
            cores,
        }
    }

    /// Whether every program has ended.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Runs until every program has ended.
    pub fn run(&mut self) -> Result<(), Fault> {
        if self.adversary.is_some() {
            while self.step()?.is_some() {}
            return Ok(());
        }
        let threads = self.round_threads();
        while !self.ended {
            if self.round.turn > 0 || self.round.begun {
                self.step()?;
                continue;
            }
            let (rooms, hands_on) = (&self.rooms, self.hands_on);
            let run = |core: &mut Core<'_>| run_core(core, rooms, hands_on);
            let states = share_out(self.cores.iter_mut().collect(), threads, run);
            // Of several faults, that of the first core in order counts.
            states.into_iter().collect::<Result<Vec<State>, Fault>>()?;
            self.end_round()?;
        }
        Ok(())
    }

    /// Host threads of a round; atomic stores take effect in the order of the cores.
    fn round_threads(&self) -> usize {
        match self.cores.iter().any(|core| core.program.atomic) {
            true => 1,
            false => self.setup.options.threads,
        }
    }

    /// Takes the core whose turn it is one instruction further; which that was, or none if every program has ended.
    pub fn step(&mut self) -> Result<Option<CoreId>, Fault> {
        self.furnish();
        let stepped = match self.adversary {
            None => self.step_in_order(),
            Some(_) => self.step_by_adversary(),
        };
        self.take_seen();
        let stepped = stepped?;
        self.steps += u64::from(stepped.is_some());
        Ok(stepped.map(|number| self.cores[number].id))
    }

    /// Gives every core its memories, which a run that hands them on gives late.
    fn furnish(&mut self) {
        if !self.furnished {
            let running = self.cores.iter_mut().filter(|core| !core.ended);
            running.for_each(|core| self.rooms.open(core));
            self.furnished = true;
        }
    }

    /// Takes one core an instruction further, whoever's turn it is; false if it waits for others or has ended. Other cores
    /// hear of it when the round ends, which takes [`Machine::step`].
    pub fn step_core(&mut self, core: CoreId) -> Result<bool, Fault> {
        self.furnish();
        let Some(number) = self.cores.iter().position(|known| known.id == core) else {
            return Ok(false);
        };
        let core = &mut self.cores[number];
        let went_on = match self.adversary {
            None => core.advance().map(|state| state.is_none()),
            Some(_) => core.act_any(),
        };
        self.take_seen();
        self.went_on = went_on?;
        self.out_of_turn |= self.went_on;
        self.steps += u64::from(self.went_on);
        self.shared.replay_core(&mut self.cores, number)?;
        Ok(self.went_on)
    }

    /// Runs to the end of the round: every core until it waits for another or has ended. One step in an adversarial run,
    /// which has no rounds.
    pub fn round(&mut self) -> Result<(), Fault> {
        loop {
            let before = self.rounds;
            if self.step()?.is_none() || self.rounds != before || self.adversary.is_some() {
                return Ok(());
            }
        }
    }

    fn step_in_order(&mut self) -> Result<Option<usize>, Fault> {
        while !self.ended {
            let number = self.round.turn;
            let Some(core) = self.cores.get_mut(number) else {
                self.end_round()?;
                continue;
            };
            if !self.round.begun {
                core.begin_round()?;
                self.round.begun = true;
            }
            if core.advance()?.is_none() {
                self.went_on = true;
                return Ok(Some(number));
            }
            self.round = Round {
                turn: number + 1,
                begun: false,
            };
        }
        Ok(None)
    }

    /// Exchanges what the cores of a round have for each other.
    fn end_round(&mut self) -> Result<(), Fault> {
        self.round = Round::default();
        self.rounds += 1;
        let out_of_turn = std::mem::take(&mut self.out_of_turn);
        self.shared.replay(&mut self.cores)?;
        self.collect_sets();
        let mut delivered = false;
        for from in 0..self.cores.len() {
            while self.deliver_from(from)? {
                delivered = true;
            }
        }
        self.ended = self.cores.iter().all(|core| core.state() == State::Ended);
        if self.ended || delivered || out_of_turn || self.cores.iter().any(|core| core.progressed) {
            return Ok(());
        }
        Err(deadlock(&mut self.cores))
    }

    /// Runs one instruction that the adversary chooses.
    fn step_by_adversary(&mut self) -> Result<Option<usize>, Fault> {
        while !self.ended {
            let Some(adversary) = &mut self.adversary else {
                return Ok(None);
            };
            let Some((number, lane)) = adversary.choose(|core| self.cores[core].work()) else {
                self.unblock()?;
                continue;
            };
            if !self.cores[number].act(lane)? {
                adversary.sleeps(number, lane);
                continue;
            }
            self.went_on = lane == Pipe::S.index();
            adversary.wakes(number);
            let delivers = adversary.delivers();
            self.shared.replay_core(&mut self.cores, number)?;
            // Only the core that went on can have sent some.
            if !self.cores[number].outbox.is_empty() {
                self.sets[number].extend(self.cores[number].outbox.drain(..));
            }
            if delivers {
                self.deliver_one()?;
            }
            return Ok(Some(number));
        }
        Ok(None)
    }

    /// Nobody can go on: a set arrives, or all programs have ended, or they never will.
    fn unblock(&mut self) -> Result<(), Fault> {
        self.ended = self.cores.iter().all(|core| core.state() == State::Ended);
        if self.ended {
            self.cores.iter_mut().for_each(Core::appear_all);
            return Ok(());
        }
        match self.deliver_one()? {
            true => Ok(()),
            false => Err(deadlock(&mut self.cores)),
        }
    }

    /// Lets the oldest set of one core, drawn by lot, arrive; whether there was any.
    fn deliver_one(&mut self) -> Result<bool, Fault> {
        let senders = (0..self.sets.len()).filter(|&from| !self.sets[from].is_empty());
        let senders: Vec<usize> = senders.collect();
        match (&mut self.adversary, senders.len()) {
            (None, _) | (_, 0) => Ok(false),
            (Some(adversary), many) => {
                let from = senders[adversary.random.below(many)];
                self.deliver_from(from)
            }
        }
    }

    /// Takes the sets that the cores have sent.
    fn collect_sets(&mut self) {
        for (sets, core) in self.sets.iter_mut().zip(&mut self.cores) {
            sets.extend(core.outbox.drain(..));
        }
    }

    /// Lets the oldest set of a core arrive; whether there was any.
    fn deliver_from(&mut self, from: usize) -> Result<bool, Fault> {
        let Some(set) = self.sets[from].pop_front() else {
            return Ok(false);
        };
        let sender = self.cores[from].id;
        for (number, core) in self.cores.iter_mut().enumerate() {
            if !reaches(sender, set.mode, core.id) {
                continue;
            }
            if !core.receive(from, &set, &mut self.meeting) {
                let (owner, id) = (core.id, set.id);
                let kind = FaultKind::CounterOverflow { owner, id };
                return Err(Fault { kind, place: None });
            }
            if let Some(adversary) = &mut self.adversary {
                adversary.wakes(number);
            }
        }
        Ok(true)
    }

    /// What the end of the programs leaves to be found: flags and counters left over, results left unwritten.
    pub fn check_end(&self) -> Result<(), Fault> {
        crate::run::check(self.setup, &self.cores)
    }

    /// Runs what is left, computes times, looks at the results and gives everything out.
    pub fn finish(self) -> Result<Outcome, Fault> {
        let setup = self.setup;
        let mut outcome = self.finish_without_tensors()?;
        outcome.tensors = setup.copy_tensors();
        Ok(outcome)
    }

    /// As [`Machine::finish`]; the tensors stay in global memory.
    pub(crate) fn finish_without_tensors(mut self) -> Result<Outcome, Fault> {
        self.hands_on = true;
        match self.has_lone_groups() {
            true => {
                self.run_groups(false)?;
            }
            false => self.run()?,
        }
        outcome(self.setup, self.cores, None)
    }
}

/// One core's part of a round.
fn run_core(core: &mut Core<'_>, rooms: &Rooms, hands_on: bool) -> Result<State, Fault> {
    if !core.ended {
        rooms.open(core);
    }
    let state = core.run()?;
    if hands_on && core.has_room && (state == State::Ended || core.left_no_trace()) {
        rooms.close(core);
    }
    Ok(state)
}

/// Whether a set of that mode by one core concerns the counter of another.
pub(crate) fn reaches(sender: CoreId, mode: u8, receiver: CoreId) -> bool {
    match mode {
        0 => sender.kind() == receiver.kind(),
        1 => {
            sender.group == receiver.group
                && sender.kind() == CoreKind::Vector
                && receiver.kind() == CoreKind::Vector
        }
        _ => sender.group == receiver.group && sender.kind() != receiver.kind(),
    }
}

/// The fault of a launch that nothing can take further: a circle of waits first, if there is one.
fn deadlock(cores: &mut [Core<'_>]) -> Fault {
    let mut waits: Vec<Wait> = cores.iter_mut().flat_map(Core::waits).collect();
    let circle = circle(&waits);
    let cycle = circle.len();
    let mut ordered: Vec<Wait> = circle.iter().map(|&at| waits[at].clone()).collect();
    waits.retain(|wait| !ordered.contains(wait));
    ordered.extend(waits);
    Fault {
        kind: FaultKind::Deadlock {
            waits: ordered,
            cycle,
        },
        place: None,
    }
}

/// Positions of waits each of which is for the next, the last for the first; empty if there are none.
fn circle(waits: &[Wait]) -> Vec<usize> {
    for first in 0..waits.len() {
        let mut way = vec![first];
        while let Some(next) = way.last().and_then(|&at| waited_for(&waits[at], waits)) {
            if let Some(start) = way.iter().position(|&at| at == next) {
                return way.split_off(start);
            }
            way.push(next);
        }
    }
    Vec::new()
}

/// Who would have to go on first: the queue that sets the flag, or the scalar unit that has not filled it yet.
fn waited_for(wait: &Wait, waits: &[Wait]) -> Option<usize> {
    let queue =
        |core: CoreId, pipe: Pipe| waits.iter().position(|w| w.core == core && w.pipe == pipe);
    let own = |pipe| queue(wait.core, pipe).or_else(|| queue(wait.core, Pipe::S));
    match wait.reason {
        WaitReason::Flag { src, .. } => own(src),
        WaitReason::Drain { pipe } | WaitReason::Full { pipe } => own(pipe),
        WaitReason::Unit { set: true, .. } => own(Pipe::M),
        WaitReason::Unit { set: false, .. } => own(Pipe::Fix),
        WaitReason::Counter { .. } => waits.iter().position(|other| other.core != wait.core),
    }
}
