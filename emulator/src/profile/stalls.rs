//! The time of every pipe, cycle by cycle: what it did, or what it waited for.

use std::collections::BTreeMap;

use isa::types::{CoreKind, Pipe};

use super::graph::{Graph, View, is_unit};
use super::{Class, InstProfile, PipeProfile, Scalar};
use crate::clock::Resource;
use crate::report::has_pipe;
use crate::stream::What;

/// Waits of a scalar unit, in the order of time.
type Waits = Vec<(u64, u64, Class)>;

/// Cycles of each class of one pipe, and how far they go.
#[derive(Debug, Default)]
struct Ledger {
    classes: BTreeMap<Class, u64>,
    at: u64,
}

impl Ledger {
    /// Books the time until `to`, if it is later than what is booked.
    fn book(&mut self, to: u64, class: Class) {
        if to > self.at {
            *self.classes.entry(class).or_default() += to - self.at;
            self.at = to;
        }
    }
}

/// How the pipes of each kind of core spent their time.
pub(super) fn pipes(graph: &Graph<'_>) -> Vec<PipeProfile> {
    let mut all: BTreeMap<(CoreKind, Pipe), PipeProfile> = BTreeMap::new();
    for view in &graph.cores {
        let (scalar, waits) = scalar(graph, view);
        let having = Pipe::ALL.into_iter().filter(|&p| has_pipe(view.kind(), p));
        for pipe in having {
            let classes = match pipe {
                Pipe::S => scalar.clone(),
                Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => {
                    queue(graph, view, pipe, &waits)
                }
            };
            let key = (view.kind(), pipe);
            let entry = all.entry(key).or_insert_with(|| empty(key.0, key.1));
            entry.cores += 1;
            for (class, cycles) in classes {
                *entry.classes.entry(class).or_default() += cycles;
            }
        }
    }
    all.into_values().collect()
}

fn empty(kind: CoreKind, pipe: Pipe) -> PipeProfile {
    PipeProfile {
        kind,
        pipe,
        cores: 0,
        classes: BTreeMap::new(),
    }
}

/// The scalar unit: its classes, and its waits one by one.
fn scalar(graph: &Graph<'_>, view: &View<'_>) -> (BTreeMap<Class, u64>, Waits) {
    let mut ledger = Ledger::default();
    let mut waits = Waits::new();
    for at in 0..view.events.len() as u32 {
        let (event, time) = (view.event(at), view.time(at));
        let cost = match event.pipe {
            Pipe::S => u64::from(event.occ),
            Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => graph.issue,
        };
        ledger.book(ledger.at + view.gap(at), Class::Work);
        let class = match (event.pipe, event.what) {
            (Pipe::S, What::WaitFlag) => Class::Flag(source(event.extra), (event.extra % 8) as u8),
            (Pipe::S, What::Xwait) => Class::Cross((event.extra % 16) as u8),
            (Pipe::S, _) => Class::Barrier,
            (pipe, _) => Class::Full(pipe),
        };
        let until = time.dispatched.saturating_sub(cost);
        if until > ledger.at {
            waits.push((ledger.at, until, class));
        }
        ledger.book(until, class);
        ledger.book(time.dispatched, Class::Work);
    }
    ledger.book(graph.cycles, Class::Ended);
    (ledger.classes, waits)
}

/// The pipe that sets a flag.
fn source(flag: u16) -> Pipe {
    Pipe::ALL[usize::from(flag) / 8 / Pipe::ALL.len() % Pipe::ALL.len()]
}

/// A pipe with a queue.
fn queue(graph: &Graph<'_>, view: &View<'_>, pipe: Pipe, waits: &Waits) -> BTreeMap<Class, u64> {
    let mut ledger = Ledger::default();
    let mut next_wait = 0;
    for &at in &view.items[pipe.index()] {
        let (event, time) = (view.event(at), view.time(at));
        starve(&mut ledger, time.dispatched, waits, &mut next_wait);
        let occ = u64::from(event.occ);
        let before_order = time.begin.saturating_sub(occ);
        match event.what {
            What::Work | What::Copy | What::Scalar | What::UnitWork | What::UnitCopy => {
                let unit = Class::Unit(other_side(pipe));
                ledger.book(time.begin.saturating_sub(u64::from(event.head)), unit);
                ledger.book(time.begin, Class::Start);
                ledger.book(time.begin + occ.min(time.end - time.begin), Class::Work);
                ledger.book(time.end, rest(event.what, pipe, time.waited));
            }
            What::WaitFlag => {
                let class = Class::Flag(source(event.extra), (event.extra % 8) as u8);
                ledger.book(before_order, class);
                ledger.book(time.begin, Class::Order);
            }
            What::Bar | What::BarAll => {
                ledger.book(before_order, Class::Barrier);
                ledger.book(time.begin, Class::Order);
            }
            What::Xwait => {
                ledger.book(before_order, Class::Cross((event.extra % 16) as u8));
                ledger.book(time.begin, Class::Order);
            }
            What::SetFlag | What::Xset => ledger.book(time.begin, Class::Order),
        }
    }
    ledger.book(graph.cycles, Class::Ended);
    ledger.classes
}

/// What work spends beyond its own time.
fn rest(what: What, pipe: Pipe, waited: Option<Resource>) -> Class {
    match (waited, is_unit(what)) {
        (Some(resource), _) => Class::Memory(resource),
        (None, true) => Class::Unit(other_side(pipe)),
        (None, false) => Class::Memory(Resource::Port),
    }
}

/// The pipe at the other side of the unit flag.
pub(super) fn other_side(pipe: Pipe) -> Pipe {
    match pipe {
        Pipe::M => Pipe::Fix,
        Pipe::S | Pipe::V | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => Pipe::M,
    }
}

/// Books the time until the queue got something, by what the scalar unit did.
fn starve(ledger: &mut Ledger, until: u64, waits: &Waits, next: &mut usize) {
    while ledger.at < until {
        while waits.get(*next).is_some_and(|wait| wait.1 <= ledger.at) {
            *next += 1;
        }
        match waits.get(*next) {
            Some(&(begin, end, class)) if begin < until => {
                ledger.book(begin, Class::Starved(Scalar::Busy));
                ledger.book(end.min(until), Class::Starved(held(class)));
            }
            Some(_) | None => ledger.book(until, Class::Starved(Scalar::Busy)),
        }
    }
}

fn held(class: Class) -> Scalar {
    match class {
        Class::Full(pipe) => Scalar::Full(pipe),
        Class::Flag(pipe, _) => Scalar::Flag(pipe),
        Class::Cross(_) => Scalar::Cross,
        Class::Barrier => Scalar::Barrier,
        Class::Work
        | Class::Start
        | Class::Memory(_)
        | Class::Unit(_)
        | Class::Order
        | Class::Starved(_)
        | Class::Ended => Scalar::Busy,
    }
}

/// What each instruction cost; slack and path are added by others.
pub(super) fn insts(graph: &Graph<'_>) -> BTreeMap<(CoreKind, u32), InstProfile> {
    let mut all: BTreeMap<(CoreKind, u32), InstProfile> = BTreeMap::new();
    for view in &graph.cores {
        let mut own: Vec<InstProfile> = Vec::new();
        for at in 0..view.events.len() as u32 {
            let (event, time) = (view.event(at), view.time(at));
            let at = event.pc as usize;
            if own.len() <= at {
                own.resize(at + 1, InstProfile::default());
            }
            let inst = &mut own[at];
            inst.count += 1;
            let took = match event.pipe {
                Pipe::S => u64::from(event.occ),
                Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => {
                    time.end.saturating_sub(time.begin)
                }
            };
            inst.busy += took;
            inst.memory += took.saturating_sub(u64::from(event.occ));
        }
        for (pc, inst) in own.into_iter().enumerate().filter(|(_, i)| i.count > 0) {
            let sum = all.entry((view.kind(), pc as u32)).or_default();
            sum.count += inst.count;
            sum.busy += inst.busy;
            sum.memory += inst.memory;
            sum.slack = u64::MAX;
        }
    }
    all
}
