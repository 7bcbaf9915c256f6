//! A launch whose groups of cores have nothing to tell each other, group by group.
//!
//! A group is a cube core and its vector cores. Where no program sets a counter of another group, the rounds of a group
//! are the same whatever the others do, so that one group runs to its end before the next begins: its memories stay in
//! the host's caches and are handed on, and host threads meet once.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Machine, deadlock, reaches, run_core};
use crate::ahead;
use crate::clock::Timing;
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

    /// Runs every group until its programs have ended; with the times of the launch if they are to be had beside that.
    pub(super) fn run_groups(&mut self, ahead: bool) -> Result<Option<Timing>, Fault> {
        let (setup, rooms, given_up) = (self.setup, &self.rooms, AtomicBool::new(false));
        let groups = self.cores.chunk_by_mut(|a, b| a.id.group == b.id.group);
        let streams = ahead.then_some(Piece::Streams);
        let work = streams.into_iter().chain(groups.map(Piece::Group));
        let ends = share_out(work.collect(), setup.options.threads, |piece| match piece {
            Piece::Streams => {
                let timing = ahead::time(setup);
                given_up.store(timing.is_none(), Relaxed);
                End::Timing(timing)
            }
            // Nobody will ask for its values.
            Piece::Group(_) if given_up.load(Relaxed) => End::Group(Ok(true)),
            Piece::Group(cores) => End::Group(run_group(cores, rooms)),
        });
        let mut timing = None;
        let mut stuck = false;
        let mut first: Option<Found> = None;
        for end in ends {
            match end {
                End::Timing(found) => timing = found,
                End::Group(Ok(ended)) => stuck |= !ended,
                End::Group(Err(found)) => {
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
            None => Ok(timing),
        }
    }
}

/// What a host thread takes on at a time.
enum Piece<'c, 's> {
    /// The times of the launch.
    Streams,
    /// The values of a group.
    Group(&'c mut [Core<'s>]),
}

/// What came of it.
enum End {
    Timing(Option<Timing>),
    /// Whether its programs have ended.
    Group(Result<bool, Found>),
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

/// How many host threads an option asks for.
pub(super) fn host_threads(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// Calls `run` on every piece of work, on so many of the host's threads; the results in order.
pub(crate) fn share_out<W: Send, R: Send>(
    work: Vec<W>,
    threads: usize,
    run: impl Fn(W) -> R + Sync,
) -> Vec<R> {
    let threads = host_threads(threads).min(work.len());
    if threads <= 1 {
        return work.into_iter().map(run).collect();
    }
    let work = Mutex::new(work.into_iter().enumerate());
    let all = Mutex::new(Vec::new());
    let worker = || {
        let mut results = Vec::new();
        loop {
            let next = locked(&work).next();
            match next {
                None => break,
                Some((number, piece)) => results.push((number, run(piece))),
            }
        }
        locked(&all).extend(results);
    };
    // Threads that stay between launches, as their memory does.
    rayon::in_place_scope(|scope| {
        (1..threads).for_each(|_| scope.spawn(|_| worker()));
        worker();
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, result)| result).collect()
}

/// A thread that panicked has taken its piece whole, so that the next one is there.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
