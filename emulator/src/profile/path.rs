//! The critical path: from the last result back through what determined each start.
//!
//! Every time that the clock computes is the latest of a few others and a cost, so the event that a wait ended with is the
//! one that happened at that very time. Where two did, the pipe's own order comes first: it binds whatever else does.

use isa::types::Pipe;

use super::graph::{Graph, NONE, View, is_unit, is_work};
use super::stalls::other_side;
use super::{Passing, Step};
use crate::stream::What;

/// A moment in the life of an event.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Moment {
    /// Its queue has got it.
    Dispatched,
    /// It begins; what only orders lets the next one go on.
    Begun,
    /// Its pipe is free.
    Ended,
    /// Its results, or the set, are visible.
    Visible,
}

/// Where the walk stands.
#[derive(Copy, Clone, Debug)]
struct At {
    core: usize,
    event: u32,
    moment: Moment,
}

/// The steps found so far, the last one first.
struct Walk<'g, 'a> {
    graph: &'g Graph<'a>,
    steps: Vec<Step>,
    /// The time that is explained down to.
    time: u64,
}

/// The critical path in the order of time.
pub(super) fn critical(graph: &Graph<'_>) -> Vec<Step> {
    let mut walk = Walk {
        graph,
        steps: Vec::new(),
        time: graph.cycles,
    };
    let mut at = last(graph);
    while let Some(here) = at {
        if walk.time == 0 {
            break;
        }
        let before = (walk.time, walk.steps.len());
        at = walk.back(here);
        // Moments of one time cannot follow each other for ever: no more of them than moments of an event and its peers.
        debug_assert!(before.0 >= walk.time, "time goes back");
        if walk.steps.len() > before.1 + 8 {
            break;
        }
    }
    walk.steps.reverse();
    walk.steps
}

/// The event that ends last.
fn last(graph: &Graph<'_>) -> Option<At> {
    for (core, view) in graph.cores.iter().enumerate() {
        for items in &view.items {
            let Some(&event) = items.last() else { continue };
            if let Some(moment) = moment_at(view, event, graph.cycles) {
                return Some(At {
                    core,
                    event,
                    moment,
                });
            }
            let work = view.work_before(event);
            if let Some(event) = work.filter(|&work| view.time(work).done == graph.cycles) {
                let moment = Moment::Visible;
                return Some(At {
                    core,
                    event,
                    moment,
                });
            }
        }
    }
    None
}

/// The moment of an event at which something of it came to an end.
fn moment_at(view: &View<'_>, event: u32, time: u64) -> Option<Moment> {
    let (what, times) = (view.event(event), view.time(event));
    if what.pipe == Pipe::S {
        return (times.dispatched == time).then_some(Moment::Dispatched);
    }
    if times.begin == time && !is_work(what.what) {
        return Some(Moment::Begun);
    }
    (times.done == time).then_some(Moment::Visible)
}

impl Walk<'_, '_> {
    /// Explains the time before a moment; the moment that it began with.
    fn back(&mut self, at: At) -> Option<At> {
        let view = &self.graph.cores[at.core];
        let event = view.event(at.event);
        match at.moment {
            Moment::Dispatched => self.dispatched(at, view),
            Moment::Begun if is_work(event.what) => self.begun(at, view),
            Moment::Begun => self.passed(at, view),
            Moment::Ended => self.ended(at, view),
            Moment::Visible if is_work(event.what) => self.visible(at, view),
            Moment::Visible => self.set(at, view),
        }
    }

    /// Books the time down to `from`.
    fn book(&mut self, at: At, view: &View<'_>, from: u64, what: Passing, pipe: Pipe) {
        if from < self.time {
            self.steps.push(Step {
                core: view.id,
                pipe,
                pc: view.event(at.event).pc,
                what,
                begin: from,
                end: self.time,
            });
            self.time = from;
        }
    }

    /// Gives up: the rest has no explanation.
    fn unknown(&mut self, at: At, view: &View<'_>) -> Option<At> {
        let pipe = view.event(at.event).pipe;
        self.book(at, view, 0, Passing::Unknown, pipe);
        None
    }

    fn visible(&mut self, at: At, view: &View<'_>) -> Option<At> {
        let time = view.time(at.event);
        if let Some(work) = view.work_before(at.event)
            && view.time(work).done == time.done
        {
            return Some(At { event: work, ..at });
        }
        let pipe = view.event(at.event).pipe;
        self.book(at, view, time.end, Passing::Latency, pipe);
        Some(At {
            moment: Moment::Ended,
            ..at
        })
    }

    fn ended(&mut self, at: At, view: &View<'_>) -> Option<At> {
        let (event, time) = (view.event(at.event), view.time(at.event));
        let alone = time.begin + u64::from(event.occ);
        if is_unit(event.what)
            && time.waited.is_none()
            && time.end > alone
            && let Some(other) = self.unit_ended(view, event.pipe, time.end)
        {
            return Some(At {
                event: other.0,
                moment: other.1,
                ..at
            });
        }
        if let Some(resource) = time.waited.filter(|_| time.end > alone) {
            self.book(at, view, alone, Passing::Memory(resource), event.pipe);
        }
        self.book(at, view, time.begin, Passing::Work, event.pipe);
        Some(At {
            moment: Moment::Begun,
            ..at
        })
    }

    /// What at the other side of the unit flag ended then.
    fn unit_ended(&self, view: &View<'_>, pipe: Pipe, end: u64) -> Option<(u32, Moment)> {
        let items = &view.items[other_side(pipe).index()];
        let until = items.partition_point(|&item| view.time(item).begin < end);
        let recent = items[..until].iter().rev().take(64);
        let mut works = recent.filter(|&&item| is_work(view.event(item).what));
        works.find_map(|&item| {
            let time = view.time(item);
            let moment = match (time.end == end, time.done == end) {
                (true, _) => Moment::Ended,
                (false, true) => Moment::Visible,
                (false, false) => return None,
            };
            Some((item, moment))
        })
    }

    fn begun(&mut self, at: At, view: &View<'_>) -> Option<At> {
        let (event, time) = (view.event(at.event), view.time(at.event));
        let work = view.work_before(at.event);
        let ended = |until: u64| work.filter(|&work| view.time(work).end == until);
        let moment = Moment::Ended;
        if let Some(event) = ended(time.begin) {
            return Some(At {
                event,
                moment,
                ..at
            });
        }
        let ready = time.begin.saturating_sub(u64::from(event.head));
        self.book(at, view, ready, Passing::Start, event.pipe);
        if ready == 0 {
            return None;
        }
        if let Some(next) = self.ready(at, view, ready) {
            return Some(next);
        }
        if let Some(event) = ended(ready) {
            return Some(At {
                event,
                moment,
                ..at
            });
        }
        if is_unit(event.what)
            && let Some(event) = self.unit_begun(view, event.pipe, ready)
        {
            let moment = Moment::Begun;
            return Some(At {
                event,
                moment,
                ..at
            });
        }
        self.unknown(at, view)
    }

    /// What at the other side of the unit flag began then.
    fn unit_begun(&self, view: &View<'_>, pipe: Pipe, begin: u64) -> Option<u32> {
        let items = &view.items[other_side(pipe).index()];
        let until = items.partition_point(|&item| view.time(item).begin <= begin);
        let recent = items[..until].iter().rev().take(64);
        let mut works = recent.filter(|&&item| is_work(view.event(item).what));
        works.find(|&&item| view.time(item).begin == begin).copied()
    }

    /// Whether an event became ready then because it was dispatched, or because the one before it went on.
    fn ready(&self, at: At, view: &View<'_>, ready: u64) -> Option<At> {
        if view.time(at.event).dispatched == ready {
            return Some(At {
                moment: Moment::Dispatched,
                ..at
            });
        }
        let before = view.before(at.event)?;
        (view.time(before).begin == ready).then_some(At {
            event: before,
            moment: Moment::Begun,
            ..at
        })
    }

    /// A wait, a barrier or a set in a queue, after which the queue went on.
    fn passed(&mut self, at: At, view: &View<'_>) -> Option<At> {
        let (event, time) = (view.event(at.event), view.time(at.event));
        let cost = match event.what {
            What::SetFlag | What::Xset => 0,
            What::WaitFlag | What::Xwait | What::Bar | What::BarAll => u64::from(event.occ),
            What::Work | What::UnitWork | What::Copy | What::UnitCopy | What::Scalar => 0,
        };
        let until = time.begin.saturating_sub(cost);
        self.book(at, view, until, Passing::Order, event.pipe);
        if let Some(next) = self.came(at, view, until) {
            return Some(next);
        }
        if let Some(next) = self.ready(at, view, until) {
            return Some(next);
        }
        match until {
            0 => None,
            _ => self.unknown(at, view),
        }
    }

    /// What came from elsewhere at that time and ended a wait.
    fn came(&mut self, at: At, view: &View<'_>, until: u64) -> Option<At> {
        let event = view.event(at.event);
        match event.what {
            What::WaitFlag => {
                let set = view.partner[at.event as usize];
                (set != NONE && view.seen(set) == until).then_some(At {
                    event: set,
                    moment: Moment::Visible,
                    ..at
                })
            }
            What::Xwait => {
                let set = view.partner[at.event as usize];
                let core = *view.sender.get(&at.event)? as usize;
                let sender = &self.graph.cores[core];
                (set != NONE && sender.seen(set) == until).then_some(At {
                    core,
                    event: set,
                    moment: Moment::Visible,
                })
            }
            What::Bar | What::BarAll => {
                let work = view.work_before(at.event)?;
                (view.time(work).done == until).then_some(At {
                    event: work,
                    moment: Moment::Visible,
                    ..at
                })
            }
            What::Work
            | What::UnitWork
            | What::Copy
            | What::UnitCopy
            | What::SetFlag
            | What::Xset
            | What::Scalar => None,
        }
    }

    /// A set, down to what it waited for.
    fn set(&mut self, at: At, view: &View<'_>) -> Option<At> {
        let (event, time) = (view.event(at.event), view.time(at.event));
        let scalar = event.pipe == Pipe::S;
        let told = if scalar { time.dispatched } else { time.done };
        self.book(at, view, told, Passing::Cross, event.pipe);
        if scalar {
            return Some(At {
                moment: Moment::Dispatched,
                ..at
            });
        }
        let until = told.saturating_sub(u64::from(event.occ));
        self.book(at, view, until, Passing::Order, event.pipe);
        if let Some(work) = view.work_before(at.event)
            && view.time(work).done == until
        {
            return Some(At {
                event: work,
                moment: Moment::Visible,
                ..at
            });
        }
        if time.begin == until {
            return Some(At {
                moment: Moment::Begun,
                ..at
            });
        }
        self.unknown(at, view)
    }

    /// The scalar unit, down to the event before, or to what made it wait.
    fn dispatched(&mut self, at: At, view: &View<'_>) -> Option<At> {
        let (event, time) = (view.event(at.event), view.time(at.event));
        let own = event.pipe == Pipe::S;
        let (cost, what) = match own {
            true => (u64::from(event.occ), Passing::Order),
            false => (self.graph.issue, Passing::Issue),
        };
        let until = time.dispatched.saturating_sub(cost);
        self.book(at, view, until, what, Pipe::S);
        let previous = at.event.checked_sub(1);
        let before = previous.map_or(0, |event| view.time(event).dispatched);
        if before + view.gap(at.event) == until {
            self.book(at, view, before, Passing::Scalar, Pipe::S);
            return previous.map(|event| At {
                event,
                moment: Moment::Dispatched,
                ..at
            });
        }
        let next = match (own, event.what) {
            (true, What::BarAll) => drained(at, view, until),
            (true, _) => self.came(at, view, until),
            (false, _) => view.back(at.event, self.graph.depth).map(|event| At {
                event,
                moment: Moment::Begun,
                ..at
            }),
        };
        match next {
            Some(next) => Some(next),
            None => self.unknown(at, view),
        }
    }
}

/// The event that a barrier of all pipes waited for.
fn drained(at: At, view: &View<'_>, until: u64) -> Option<At> {
    view.items[1..].iter().find_map(|items| {
        let before = items.partition_point(|&item| item < at.event);
        let event = *items[..before].last()?;
        if let Some(moment) = moment_at(view, event, until) {
            return Some(At {
                event,
                moment,
                ..at
            });
        }
        let event = view.work_before(event)?;
        (view.time(event).done == until).then_some(At {
            event,
            moment: Moment::Visible,
            ..at
        })
    })
}
