//! A launch whose groups of cores have nothing to tell each other, group by group.
//!
//! A group is a cube core and its vector cores. Where no program sets a counter of another group, the rounds of a group
//! are the same whatever the others do, so that one group runs to its end before the next begins: its memories stay in
//! the host's caches and are handed on, and host threads meet once.

use std::sync::Mutex;

use super::{Machine, deadlock, reaches, run_core};
use crate::core::{Core, Meeting, State};
use crate::fault::{Fault, FaultKind};
use crate::room::Rooms;
use crate::schedule::Schedule;

/// A fault of a group, with its place in the order in which rounds of all cores would have come to it.
struct Found {
    round: u64,
    /// Whether it came with the exchange after the round.
    exchange: bool,
    core: usize,
    fault: Box<Fault>,
}

impl Machine<'_> {
    /// Whether the launch may run group by group from here on, with nothing to tell it from rounds of all cores.
    pub(super) fn has_lone_groups(&self) -> bool {
        let options = &self.setup.options;
        // Races between cores are found in the order of rounds, and atomic stores take effect in it.
        let ordered = options.sanitize.hazards || options.schedule != Schedule::InOrder;
        let bound = |core: &Core<'_>| core.program.atomic || core.program.joins_groups;
        self.steps == 0 && !ordered && !self.cores.iter().any(bound)
    }

    /// Runs every group until its programs have ended.
    pub(super) fn run_groups(&mut self) -> Result<(), Fault> {
        let rooms = &self.rooms;
        let groups = self.cores.chunk_by_mut(|a, b| a.id.group == b.id.group);
        let groups: Vec<&mut [Core<'_>]> = groups.collect();
        let ends = share_out(groups, self.setup.options.threads, |cores| {
            run_group(cores, rooms)
        });
        let mut stuck = false;
        let mut first: Option<Found> = None;
        for end in ends {
            match end {
                Ok(ended) => stuck |= !ended,
                Err(found) => {
                    let key = |found: &Found| (found.round, found.exchange, found.core);
                    let earlier = first.as_ref().is_none_or(|old| key(&found) < key(old));
                    first = if earlier { Some(found) } else { first };
                }
            }
        }
        self.ended = true;
        match first {
            Some(found) => Err(*found.fault),
            None if stuck => Err(deadlock(&mut self.cores)),
            None => Ok(()),
        }
    }
}

/// Runs a group in rounds of its own; whether its programs have ended, or wait for what never comes.
fn run_group(cores: &mut [Core<'_>], rooms: &Rooms) -> Result<bool, Found> {
    let mut round = 0;
    loop {
        for core in cores.iter_mut() {
            run_core(core, rooms, true).map_err(|fault| Found {
                round,
                exchange: false,
                core: core.number,
                fault: Box::new(fault),
            })?;
        }
        let delivered = exchange(cores).map_err(|(core, fault)| Found {
            round,
            exchange: true,
            core,
            fault: Box::new(fault),
        })?;
        if cores.iter().all(|core| core.state() == State::Ended) {
            return Ok(true);
        }
        if !delivered && !cores.iter().any(|core| core.progressed) {
            return Ok(false);
        }
        round += 1;
    }
}

/// Lets the sets of a round arrive, in the order of the cores; whether there were any.
fn exchange(cores: &mut [Core<'_>]) -> Result<bool, (usize, Fault)> {
    let mut delivered = false;
    let mut meeting = Meeting::default();
    for from in 0..cores.len() {
        let (sender, number) = (cores[from].id, cores[from].number);
        for set in std::mem::take(&mut cores[from].outbox) {
            delivered = true;
            let peers = cores.iter_mut();
            for core in peers.filter(|core| reaches(sender, set.mode, core.id)) {
                if !core.receive(number, &set, &mut meeting) {
                    let (owner, id) = (core.id, set.id);
                    let kind = FaultKind::CounterOverflow { owner, id };
                    return Err((number, Fault { kind, place: None }));
                }
            }
        }
    }
    Ok(delivered)
}

/// Calls `run` on every piece of work, on so many of the host's threads; the results in order.
fn share_out<W: Send, R: Send>(
    work: Vec<W>,
    threads: usize,
    run: impl Fn(W) -> R + Sync,
) -> Vec<R> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let threads = threads.min(work.len());
    if threads <= 1 {
        return work.into_iter().map(run).collect();
    }
    let work = Mutex::new(work.into_iter().enumerate());
    let worker = || {
        let mut results = Vec::new();
        loop {
            // A thread that panicked has taken its piece whole, so that the next one is there.
            let next = work
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .next();
            match next {
                None => return results,
                Some((number, piece)) => results.push((number, run(piece))),
            }
        }
    };
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = worker();
        for other in others {
            match other.join() {
                Ok(results) => all.extend(results),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, result)| result).collect()
}
