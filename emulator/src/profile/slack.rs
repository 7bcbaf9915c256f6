//! How much later each instruction could have ended without delaying the end of the run.
//!
//! One walk over all streams against the order of the program, with the latest time at which each pipe, flag and counter
//! would still be early enough. Durations stay what they were, so room that bandwidth would give is not seen. A core that
//! needs to know what another one makes of its set waits for that core's walk.

use std::collections::{BTreeMap, VecDeque};

use isa::types::{CoreKind, Pipe};

use super::InstProfile;
use super::graph::{Graph, NONE, View, is_unit, is_work};
use super::stalls::other_side;
use crate::stream::What;

/// No limit.
const FREE: u64 = u64::MAX;

/// Latest times of one core, from its end down to where the walk stands.
struct Walk {
    /// Events left.
    left: usize,
    /// The scalar unit.
    scalar: u64,
    pipes: [Latest; 7],
    /// Latest time at which each set may be seen, by its event.
    seen: BTreeMap<u32, u64>,
}

/// Latest times of a pipe.
#[derive(Clone, Debug)]
struct Latest {
    /// All results so far are visible.
    done: u64,
    /// The queue goes on.
    gate: u64,
    /// The pipe is free.
    free: u64,
    /// The scalar unit has put the following instructions into the queue: the nearest last, as many as fit.
    queued: VecDeque<u64>,
}

/// Adds the least slack of each instruction.
pub(super) fn add(graph: &Graph<'_>, insts: &mut BTreeMap<(CoreKind, u32), InstProfile>) {
    let mut walks: Vec<Walk> = graph
        .cores
        .iter()
        .map(|view| Walk::new(view, graph.cycles))
        .collect();
    // What a set tells is known when every wait for it has been passed.
    let mut open: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    for view in &graph.cores {
        for (wait, &sender) in &view.sender {
            let set = view.partner[*wait as usize];
            *open.entry((sender, set)).or_default() += 1;
        }
    }
    loop {
        let mut went_on = false;
        for core in 0..walks.len() {
            while step(graph, &mut walks, core, &mut open, insts) {
                went_on = true;
            }
        }
        if !went_on {
            break;
        }
    }
    for inst in insts.values_mut().filter(|inst| inst.slack == FREE) {
        inst.slack = graph.cycles;
    }
}

impl Walk {
    fn new(view: &View<'_>, end: u64) -> Walk {
        let latest = Latest {
            done: end,
            gate: end,
            free: end,
            queued: VecDeque::new(),
        };
        Walk {
            left: view.events.len(),
            scalar: end,
            pipes: std::array::from_fn(|_| latest.clone()),
            seen: BTreeMap::new(),
        }
    }
}

/// Takes one core an event further back; false at its beginning, and where it has to wait for another core's walk.
fn step(
    graph: &Graph<'_>,
    walks: &mut [Walk],
    core: usize,
    open: &mut BTreeMap<(u32, u32), u32>,
    insts: &mut BTreeMap<(CoreKind, u32), InstProfile>,
) -> bool {
    let view = &graph.cores[core];
    let Some(at) = walks[core].left.checked_sub(1) else {
        return false;
    };
    let at = at as u32;
    let event = view.event(at);
    if event.what == What::Xset && open.contains_key(&(core as u32, at)) {
        return false;
    }
    walks[core].left -= 1;
    let latest_came = match event.pipe {
        Pipe::S => own(graph, view, &mut walks[core], at),
        Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => {
            let (came, slack) = queued(graph, view, &mut walks[core], at);
            if let Some(inst) = insts.get_mut(&(view.kind(), event.pc)) {
                inst.slack = inst.slack.min(slack);
            }
            came
        }
    };
    if let (What::WaitFlag | What::Xwait, set) = (event.what, view.partner[at as usize])
        && set != NONE
    {
        let sender = view.sender.get(&at).map_or(core, |&sender| sender as usize);
        let seen = walks[sender].seen.entry(set).or_insert(FREE);
        *seen = (*seen).min(latest_came);
        let key = (sender as u32, set);
        if let Some(count) = open.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&key);
            }
        }
    }
    true
}

/// An event of the scalar unit; how late what it waited for may come.
fn own(graph: &Graph<'_>, view: &View<'_>, walk: &mut Walk, at: u32) -> u64 {
    let event = view.event(at);
    if matches!(event.what, What::SetFlag | What::Xset) {
        let seen = walk.seen.remove(&at).unwrap_or(FREE);
        let way = view.seen(at) - view.time(at).dispatched;
        walk.scalar = walk.scalar.min(seen.saturating_sub(way));
    }
    let begin = walk.scalar.saturating_sub(u64::from(event.occ));
    if event.what == What::BarAll {
        for pipe in &mut walk.pipes {
            pipe.done = pipe.done.min(begin);
            pipe.gate = pipe.gate.min(begin);
        }
    }
    walk.scalar = begin.saturating_sub(view.gap(at));
    debug_assert!(graph.cycles >= walk.scalar, "no later than the end");
    begin
}

/// An event of a queue; how late what it waited for may come, and its slack.
fn queued(graph: &Graph<'_>, view: &View<'_>, walk: &mut Walk, at: u32) -> (u64, u64) {
    let (event, time) = (view.event(at), view.time(at));
    let seen = walk.seen.remove(&at).unwrap_or(FREE);
    let other = walk.pipes[other_side(event.pipe).index()].free;
    let pipe = &mut walk.pipes[event.pipe.index()];
    let occ = u64::from(event.occ);
    // An instruction leaves the queue before the one that takes its place is dispatched.
    let full = match pipe.queued.len() as u32 == graph.depth {
        true => pipe.queued.front().copied().unwrap_or(FREE),
        false => FREE,
    };
    let leaves = pipe.gate.min(full.saturating_sub(graph.issue));
    let (came, ready) = if is_work(event.what) {
        let mut end = pipe.free.min(pipe.done.saturating_sub(latency(view, at)));
        if is_unit(event.what) {
            end = end.min(other);
        }
        let begin = end.saturating_sub(time.end - time.begin).min(leaves);
        pipe.free = begin;
        let ready = begin.saturating_sub(u64::from(event.head));
        (ready, ready)
    } else if matches!(event.what, What::SetFlag | What::Xset) {
        let way = view.seen(at) - time.done + occ;
        let told = seen.saturating_sub(way);
        pipe.done = pipe.done.min(told);
        (told, leaves.min(told))
    } else {
        let came = leaves.saturating_sub(occ);
        if matches!(event.what, What::Bar | What::BarAll) {
            pipe.done = pipe.done.min(came);
        }
        (came, came)
    };
    pipe.gate = ready;
    pipe.queued.push_back(ready);
    if pipe.queued.len() as u32 > graph.depth {
        pipe.queued.pop_front();
    }
    let slack = match is_work(event.what) {
        true => pipe.free.saturating_sub(time.begin),
        false => ready.saturating_sub(time.dispatched),
    };
    walk.scalar = walk.scalar.min(ready).saturating_sub(graph.issue);
    walk.scalar = walk.scalar.saturating_sub(view.gap(at));
    (came, slack)
}

/// Cycles from the end of work to its visible results.
fn latency(view: &View<'_>, at: u32) -> u64 {
    let (event, time) = (view.event(at), view.time(at));
    let before = view.work_before(at).map_or(0, |work| view.time(work).done);
    match time.done > before {
        true => time.done - time.end,
        // Others were visible later.
        false => u64::from(event.tail),
    }
}
