//! Where the cycles of a run went: what every pipe waited for, the critical path, and how much room each instruction had.
//!
//! Reads the streams that the clock read and the times that it wrote down, and decides nothing itself: which of several
//! events one had to wait for is found by comparing times. Knows no values and prints nothing. Start with [`Profile`];
//! [`what_if()`] runs the same program on a chip that has more of something.

mod graph;
mod path;
mod roofline;
mod slack;
mod stalls;
mod what_if;

use std::collections::BTreeMap;

use isa::types::{CoreKind, Pipe};

use self::graph::Graph;
use crate::clock::{Resource, Timing};
use crate::core::Core;
use crate::fault::CoreId;

pub use self::roofline::{Roof, roofline};
pub use self::what_if::{Change, WhatIf, what_if};

/// Most events of a run of which every time is kept: 40 bytes each (we choose).
pub(crate) const MOST_EVENTS: usize = 8 << 20;

/// What a pipe did with a cycle. Every cycle from the first instruction to the end of the run is in one class.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Its own work, at its own rate.
    Work,
    /// Its start after idleness.
    Start,
    /// The rest of a copy, for something that cores share.
    Memory(Resource),
    /// The other side of the unit flag.
    Unit(Pipe),
    /// A flag of another pipe.
    Flag(Pipe, u8),
    /// A barrier: its own results.
    Barrier,
    /// A counter that other cores set.
    Cross(u8),
    /// Flags and barriers themselves.
    Order,
    /// Its queue was empty, and the scalar unit did this.
    Starved(Scalar),
    /// The scalar unit alone: the queue of that pipe was full.
    Full(Pipe),
    /// Nothing more to do: other pipes and cores still had.
    Ended,
}

/// What the scalar unit did while a queue was empty.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// It computed and issued.
    Busy,
    /// Another queue was full.
    Full(Pipe),
    /// It waited for a flag of a pipe.
    Flag(Pipe),
    /// It waited for all pipes.
    Barrier,
    /// It waited for other cores.
    Cross,
}

impl Class {
    /// Its words in reports.
    pub fn name(self) -> String {
        match self {
            Class::Work => "work".to_owned(),
            Class::Start => "start-up".to_owned(),
            Class::Memory(resource) => format!("shared {}", resource.name()),
            Class::Unit(pipe) => format!("unit flag of {pipe}"),
            Class::Flag(pipe, id) => format!("flag {id} of {pipe}"),
            Class::Barrier => "barrier".to_owned(),
            Class::Cross(id) => format!("other cores, counter {id}"),
            Class::Order => "setting and seeing flags".to_owned(),
            Class::Starved(scalar) => format!("empty queue: {}", scalar.name()),
            Class::Full(pipe) => format!("full queue of {pipe}"),
            Class::Ended => "ended".to_owned(),
        }
    }
}

impl Scalar {
    /// Its words in reports.
    pub fn name(self) -> String {
        match self {
            Scalar::Busy => "scalar unit busy".to_owned(),
            Scalar::Full(pipe) => format!("scalar unit held by the full queue of {pipe}"),
            Scalar::Flag(pipe) => format!("scalar unit waits for {pipe}"),
            Scalar::Barrier => "scalar unit waits for all pipes".to_owned(),
            Scalar::Cross => "scalar unit waits for other cores".to_owned(),
        }
    }
}

/// How the cores of a kind spent the time of one of their pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeProfile {
    /// The kind of core.
    pub kind: CoreKind,
    /// The pipe.
    pub pipe: Pipe,
    /// Cores.
    pub cores: u64,
    /// Cycles of each class, summed over the cores: together `cores` times the cycles without the launch.
    pub classes: BTreeMap<Class, u64>,
}

/// What passes on the critical path.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Passing {
    /// Work of a pipe.
    Work,
    /// A copy that shared something.
    Memory(Resource),
    /// From the end of work to its visible result.
    Latency,
    /// The start of a pipe after idleness.
    Start,
    /// Setting a flag, seeing it, or a barrier.
    Order,
    /// A set on its way to another core.
    Cross,
    /// The scalar unit puts an instruction into a queue.
    Issue,
    /// The scalar unit computes.
    Scalar,
    /// No event ends where the wait ends.
    Unknown,
}

impl Passing {
    /// Its words in reports.
    pub fn name(self) -> String {
        let name = match self {
            Passing::Work => "work",
            Passing::Memory(resource) => return format!("shared {}", resource.name()),
            Passing::Latency => "latency",
            Passing::Start => "start-up",
            Passing::Order => "flags and barriers",
            Passing::Cross => "way to another core",
            Passing::Issue => "issue",
            Passing::Scalar => "scalar arithmetic",
            Passing::Unknown => "unknown",
        };
        name.to_owned()
    }
}

/// A piece of the critical path.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The core.
    pub core: CoreId,
    /// The pipe that it is spent on.
    pub pipe: Pipe,
    /// The instruction.
    pub pc: u32,
    /// What passes.
    pub what: Passing,
    /// First cycle, counted from the first instruction.
    pub begin: u64,
    /// The cycle after the last.
    pub end: u64,
}

/// What an instruction cost, over all cores of a kind and all its executions.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct InstProfile {
    /// How often it ran.
    pub count: u64,
    /// Cycles that it held its pipe.
    pub busy: u64,
    /// Of those, cycles for something that cores share.
    pub memory: u64,
    /// Cycles of the critical path.
    pub path: u64,
    /// Cycles that the execution with the least could have been later without delaying the end.
    pub slack: u64,
}

/// Where the cycles of a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Cycles without the launch.
    pub cycles: u64,
    /// How the time of every pipe was spent; empty if the run has too many events to keep.
    pub pipes: Vec<PipeProfile>,
    /// The critical path in the order of time: its pieces are `cycles` long together. Empty if the run has too many
    /// events to keep.
    pub path: Vec<Step>,
    /// Every instruction that ran, by kind of core and number.
    pub insts: BTreeMap<(CoreKind, u32), InstProfile>,
    /// Events of the run.
    pub events: usize,
}

impl Profile {
    /// Whether the run had more events than are kept, so that only the sums of the report are known.
    pub fn is_partial(&self) -> bool {
        self.events > MOST_EVENTS
    }

    /// Cycles of the critical path by what passes and on which pipe, the longest first.
    pub fn passing(&self) -> Vec<(Passing, Pipe, u64)> {
        let mut sums: BTreeMap<(Passing, Pipe), u64> = BTreeMap::new();
        for step in &self.path {
            *sums.entry((step.what, step.pipe)).or_default() += step.end - step.begin;
        }
        let mut sums: Vec<_> = sums
            .into_iter()
            .map(|((what, pipe), cycles)| (what, pipe, cycles))
            .collect();
        sums.sort_by_key(|&(what, pipe, cycles)| (std::cmp::Reverse(cycles), what, pipe));
        sums
    }
}

/// Whether the times of all events can be kept.
pub(crate) fn fits(cores: &[Core<'_>]) -> bool {
    events(cores) <= MOST_EVENTS
}

fn events(cores: &[Core<'_>]) -> usize {
    cores.iter().map(|core| core.stream.events.len()).sum()
}

/// Puts the profile of a run together.
pub(crate) fn profile(cores: &[Core<'_>], timing: &Timing) -> Profile {
    let mut profile = Profile {
        cycles: timing.cycles,
        events: events(cores),
        ..Profile::default()
    };
    if !fits(cores) {
        return profile;
    }
    let graph = Graph::new(cores, timing);
    profile.pipes = stalls::pipes(&graph);
    profile.insts = stalls::insts(&graph);
    profile.path = path::critical(&graph);
    for step in &profile.path {
        let inst = profile.insts.entry((step.core.kind(), step.pc));
        inst.or_default().path += step.end - step.begin;
    }
    slack::add(&graph, &mut profile.insts);
    profile
}
