//! The events of all cores with their times, and who waited for whom: which set a wait took, which event stood before
//! another in its queue.
//!
//! Flags and counters are queues, so the `n`th wait takes the `n`th set; that needs no times.

use std::collections::BTreeMap;

use isa::types::{CoreKind, Pipe};

use crate::clock::{Record, Times, Timing};
use crate::core::Core;
use crate::fault::CoreId;
use crate::machine::reaches;
use crate::stream::{Event, Kind, Stream, What};

/// No event.
pub(super) const NONE: u32 = u32::MAX;

/// All cores.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) cores: Vec<View<'a>>,
    /// Cycles without the launch.
    pub(super) cycles: u64,
    /// Cycles to put an instruction into a queue.
    pub(super) issue: u64,
    /// Instructions a queue holds.
    pub(super) depth: u32,
}

/// One core.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) id: CoreId,
    pub(super) events: &'a [Event],
    stream: &'a Stream<'a>,
    pub(super) times: &'a [Times],
    /// Events of each pipe, in order.
    pub(super) items: [Vec<u32>; 7],
    /// Where an event stands among those of its pipe.
    pub(super) place: Vec<u32>,
    /// The set that a wait took.
    pub(super) partner: Vec<u32>,
    /// The core of that set, if it is another one.
    pub(super) sender: BTreeMap<u32, u32>,
}

/// The counters of a core: sets and waits of each, in order.
#[derive(Debug, Default)]
struct Crossing {
    sets: BTreeMap<u16, Vec<(u8, u32)>>,
    waits: BTreeMap<u16, Vec<u32>>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(cores: &'a [Core<'_>], timing: &'a Timing) -> Graph<'a> {
        let chip = cores.first().map(|core| core.launch.chip);
        let pairs = cores.iter().zip(&timing.records);
        let (mut views, crossings): (Vec<_>, Vec<_>) =
            pairs.map(|(core, record)| View::new(core, record)).unzip();
        join(&mut views, &crossings);
        Graph {
            cores: views,
            cycles: timing.cycles,
            issue: chip.map_or(1, |chip| chip.scalar.alu),
            depth: chip.map_or(1, |chip| chip.sync.queue_depth.clamp(1, 1 << 30) as u32),
        }
    }
}

impl<'a> View<'a> {
    fn new(core: &'a Core<'_>, record: &'a Record) -> (View<'a>, Crossing) {
        let events = &core.stream.events[..];
        let mut view = View {
            id: core.id,
            events,
            stream: &core.stream,
            times: &record.times,
            items: Default::default(),
            place: Vec::with_capacity(events.len()),
            partner: vec![NONE; events.len()],
            sender: BTreeMap::new(),
        };
        let mut crossing = Crossing::default();
        let mut sets: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        let mut waits: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        for at in 0..events.len() as u32 {
            let event = core.stream.kind(at);
            let items = &mut view.items[event.pipe.index()];
            view.place.push(items.len() as u32);
            items.push(at);
            let (mode, counter) = ((event.extra / 16) as u8, event.extra % 16);
            match event.what {
                What::SetFlag => sets.entry(event.extra).or_default().push(at),
                What::WaitFlag => waits.entry(event.extra).or_default().push(at),
                What::Xset => crossing.sets.entry(counter).or_default().push((mode, at)),
                What::Xwait => crossing.waits.entry(counter).or_default().push(at),
                What::Work
                | What::UnitWork
                | What::Copy
                | What::UnitCopy
                | What::Bar
                | What::BarAll
                | What::Scalar => {}
            }
        }
        for (flag, waits) in &waits {
            let sets = sets.get(flag).map_or(&[][..], Vec::as_slice);
            for (&wait, &set) in waits.iter().zip(sets) {
                view.partner[wait as usize] = set;
            }
        }
        (view, crossing)
    }

    pub(super) fn kind(&self) -> CoreKind {
        self.id.kind()
    }

    /// What is known of an event but the cycles before it.
    pub(super) fn event(&self, at: u32) -> &'a Kind {
        self.stream.kind(at)
    }

    /// Cycles of the scalar unit before an event.
    pub(super) fn gap(&self, at: u32) -> u64 {
        self.events[at as usize].gap.into()
    }

    pub(super) fn time(&self, at: u32) -> &Times {
        &self.times[at as usize]
    }

    /// The event before one in its queue.
    pub(super) fn before(&self, at: u32) -> Option<u32> {
        self.back(at, 1)
    }

    /// The event so many places before one in its queue.
    pub(super) fn back(&self, at: u32, places: u32) -> Option<u32> {
        let place = self.place[at as usize].checked_sub(places)?;
        let pipe = self.event(at).pipe;
        Some(self.items[pipe.index()][place as usize])
    }

    /// The last work before one in its queue.
    pub(super) fn work_before(&self, at: u32) -> Option<u32> {
        let mut at = self.before(at)?;
        while !is_work(self.event(at).what) {
            at = self.before(at)?;
        }
        Some(at)
    }

    /// When a set is seen by others.
    pub(super) fn seen(&self, set: u32) -> u64 {
        let (event, time) = (self.event(set), self.time(set));
        let tail = match event.what {
            What::Xset => u64::from(event.tail),
            What::Work
            | What::UnitWork
            | What::Copy
            | What::UnitCopy
            | What::SetFlag
            | What::WaitFlag
            | What::Bar
            | What::BarAll
            | What::Xwait
            | What::Scalar => 0,
        };
        tail + match event.pipe {
            Pipe::S => time.dispatched,
            Pipe::V | Pipe::M | Pipe::Mte1 | Pipe::Mte2 | Pipe::Mte3 | Pipe::Fix => time.done,
        }
    }
}

/// Whether an event keeps its pipe busy.
pub(super) fn is_work(what: What) -> bool {
    match what {
        What::Work | What::UnitWork | What::Copy | What::UnitCopy | What::Scalar => true,
        What::SetFlag | What::WaitFlag | What::Bar | What::BarAll | What::Xset | What::Xwait => {
            false
        }
    }
}

/// Whether an event follows the other side of the unit flag.
pub(super) fn is_unit(what: What) -> bool {
    matches!(what, What::UnitWork | What::UnitCopy)
}

/// Finds the set that each step of a counter waited for last.
fn join(views: &mut [View<'_>], crossings: &[Crossing]) {
    for receiver in 0..views.len() {
        for (counter, waits) in &crossings[receiver].waits {
            let to = views[receiver].id;
            let mut latest: Vec<Option<(u64, u32, u32)>> = vec![None; waits.len()];
            for (sender, crossing) in crossings.iter().enumerate() {
                let from = views[sender].id;
                let sets = crossing.sets.get(counter).map_or(&[][..], Vec::as_slice);
                let reaching = sets.iter().filter(|(mode, _)| reaches(from, *mode, to));
                for (best, &(_, set)) in latest.iter_mut().zip(reaching) {
                    let seen = views[sender].seen(set);
                    if best.is_none_or(|(known, _, _)| seen > known) {
                        *best = Some((seen, sender as u32, set));
                    }
                }
            }
            for (&wait, best) in waits.iter().zip(latest) {
                if let Some((_, sender, set)) = best {
                    views[receiver].partner[wait as usize] = set;
                    views[receiver].sender.insert(wait, sender);
                }
            }
        }
    }
}
