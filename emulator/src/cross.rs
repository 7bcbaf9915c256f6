//! Unordered conflicts between cores in global memory.
//!
//! What a core knows of the others' work travels only with cross-core sets and waits. Cores log their accesses to what
//! the launch may write; between rounds the logs are replayed in the order of the cores against the last accesses to
//! every byte. Counters change between rounds, so an access of an earlier round, or of an earlier core in the same one,
//! can only be ordered before a later one, and the verdict does not depend on host threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use isa::types::Space;

use crate::core::Core;
use crate::fault::{CoreId, Fault, FaultKind, OtherAccess, Place};
use crate::hazard::{Known, join, lane_pipe};

/// What is known of other cores' work: by the number of the core, up to which count each of its lanes has completed.
/// Nothing is known of cores beyond the list.
pub(crate) type Foreign = Vec<Known>;

/// Shared knowledge; none where no other core has been heard of.
pub(crate) type Heard = Option<Arc<Foreign>>;

/// Adds what another state knows. States that come to know the same share it, so that they are compared in no time.
pub(crate) fn hear(mine: &mut Heard, theirs: &Heard) {
    let Some(other) = theirs else {
        return;
    };
    match mine {
        None => *mine = Some(Arc::clone(other)),
        Some(known) if Arc::ptr_eq(known, other) || covers(known, other) => {}
        Some(known) if covers(other, known) => *known = Arc::clone(other),
        Some(known) => {
            let known = Arc::make_mut(known);
            if known.len() < other.len() {
                known.resize(other.len(), Known::default());
            }
            for (mine, theirs) in known.iter_mut().zip(other.iter()) {
                join(mine, theirs);
            }
        }
    }
}

/// Whether one state knows all that another does.
fn covers(all: &Foreign, some: &Foreign) -> bool {
    // Without a way out inside: this is compared at once.
    let less =
        |(a, b): (&Known, &Known)| a.iter().zip(b).fold(false, |less, (a, b)| less | (a < b));
    all.len() >= some.len() && !all.iter().zip(some).any(less)
}

/// What is known of one core.
pub(crate) fn heard_of(heard: &Heard, core: usize) -> Option<&Known> {
    heard.as_ref()?.get(core)
}

/// Knowledge of one core alone.
pub(crate) fn alone(core: usize, known: Known) -> Heard {
    let mut all = vec![Known::default(); core + 1];
    all[core] = known;
    Some(Arc::new(all))
}

/// How an access uses global memory.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
    /// An atomic store in that mode; stores of one mode need no order among themselves.
    Atomic(u8),
}

/// One access to global memory that another core might meet.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) operand: &'static str,
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) sort: Use,
    pub(crate) lane: usize,
    pub(crate) count: u32,
    pub(crate) pc: u32,
    pub(crate) heard: Heard,
}

/// Who accessed a range last.
#[derive(Copy, Clone, Debug)]
struct Who {
    core: usize,
    lane: usize,
    count: u32,
    pc: u32,
    sort: Use,
}

/// Ranges that do not overlap, by start, each with its end.
#[derive(Clone, Debug, Default)]
struct Ranges {
    list: BTreeMap<u64, (u64, Who)>,
}

impl Ranges {
    /// The ranges that overlap one.
    fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, Who)> {
        let before = self
            .list
            .range(..=start)
            .next_back()
            .filter(|(_, (stop, _))| *stop > start);
        let inside = self.list.range(start + 1..end.max(start + 1));
        before
            .into_iter()
            .chain(inside)
            .map(|(&from, &(_, who))| (from, who))
    }

    /// Gives a range to its last user, cutting what it covers.
    fn put(&mut self, start: u64, end: u64, who: Who) {
        if let Some((&from, &(stop, old))) = self.list.range(..start).next_back()
            && stop > start
        {
            self.list.insert(from, (start, old));
            if stop > end {
                self.list.insert(end, (stop, old));
            }
        }
        while let Some((&from, &(stop, old))) = self.list.range(start..end).next() {
            self.list.remove(&from);
            if stop > end {
                self.list.insert(end, (stop, old));
            }
        }
        self.list.insert(start, (end, who));
    }
}

/// The last accesses of all cores.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    writes: Ranges,
    /// Reads, a list a core.
    reads: BTreeMap<usize, Ranges>,
    /// Atomic stores, a list a core.
    atomics: BTreeMap<usize, Ranges>,
}

impl Shared {
    /// Replays what the cores did in a round.
    pub(crate) fn replay(&mut self, cores: &mut [Core<'_>]) -> Result<(), Fault> {
        (0..cores.len()).try_for_each(|number| self.replay_core(cores, number))
    }

    /// Replays what one core did since it was last asked.
    pub(crate) fn replay_core(
        &mut self,
        cores: &mut [Core<'_>],
        number: usize,
    ) -> Result<(), Fault> {
        for access in std::mem::take(&mut cores[number].log) {
            if let Some((address, other, write)) = self.enter(number, &access) {
                return Err(conflict(cores, number, &access, address, other, write));
            }
        }
        Ok(())
    }

    /// Enters an access; the address, the other side and whether that writes, if they conflict.
    fn enter(&mut self, core: usize, access: &Logged) -> Option<(u64, Who, bool)> {
        let (start, end) = (access.start, access.start + access.len);
        let unordered = |who: &Who| {
            let known = heard_of(&access.heard, who.core);
            who.core != core && known.is_none_or(|counts| counts[who.lane] < who.count)
        };
        let clash = |ranges: &Ranges| {
            ranges
                .overlapping(start, end)
                .find(|(_, who)| unordered(who) && (who.sort != access.sort || is_plain(who.sort)))
        };
        let others = |lists: &BTreeMap<usize, Ranges>| {
            let others = lists.iter().filter(|(other, _)| **other != core);
            others.filter_map(|(_, ranges)| clash(ranges)).next()
        };
        let writes = |found: (u64, Who)| (found.0, found.1, true);
        let mut found = clash(&self.writes)
            .or_else(|| others(&self.atomics))
            .map(writes);
        if access.sort != Use::Read && found.is_none() {
            found = others(&self.reads).map(|(at, who)| (at, who, false));
        }
        let who = Who {
            core,
            lane: access.lane,
            count: access.count,
            pc: access.pc,
            sort: access.sort,
        };
        let list = match access.sort {
            Use::Write => &mut self.writes,
            Use::Read => self.reads.entry(core).or_default(),
            Use::Atomic(_) => self.atomics.entry(core).or_default(),
        };
        list.put(start, end, who);
        found.map(|(at, who, write)| (at.max(start), who, write))
    }
}

/// Whether it is no atomic store.
fn is_plain(sort: Use) -> bool {
    matches!(sort, Use::Read | Use::Write)
}

fn conflict(
    cores: &[Core<'_>],
    number: usize,
    access: &Logged,
    address: u64,
    other: Who,
    write: bool,
) -> Fault {
    let core = &cores[number];
    let other_core: CoreId = cores[other.core].id;
    Fault {
        kind: FaultKind::Unordered {
            operand: access.operand,
            space: Space::Gm,
            address,
            pipe: lane_pipe(access.lane),
            write: access.sort != Use::Read,
            other: Box::new(OtherAccess {
                core: other_core,
                pipe: lane_pipe(other.lane),
                write,
                pc: Some(other.pc),
            }),
        },
        place: Some(Place {
            core: core.id,
            pc: access.pc,
            text: core
                .program
                .code
                .get(access.pc as usize)
                .map_or(String::new(), ToString::to_string),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(core: usize) -> Who {
        Who {
            core,
            lane: 0,
            count: 1,
            pc: 0,
            sort: Use::Write,
        }
    }

    #[test]
    fn ranges_cut_each_other() {
        let mut ranges = Ranges::default();
        ranges.put(0, 100, who(0));
        ranges.put(40, 60, who(1));
        ranges.put(90, 120, who(2));
        let at = |start, end| {
            ranges
                .overlapping(start, end)
                .map(|(from, w)| (from, w.core))
                .collect::<Vec<_>>()
        };
        assert_eq!(at(0, 40), [(0, 0)]);
        assert_eq!(at(39, 61), [(0, 0), (40, 1), (60, 0)]);
        assert_eq!(at(89, 200), [(60, 0), (90, 2)]);
        assert_eq!(at(120, 200), []);
    }

    #[test]
    fn hearing_twice_keeps_the_later_count() {
        let mut mine = None;
        hear(&mut mine, &alone(3, [1, 9, 0, 0, 0, 0, 0, 0]));
        hear(&mut mine, &alone(3, [4, 2, 0, 0, 0, 0, 0, 0]));
        assert_eq!(mine.expect("something was heard")[3][..2], [4, 9]);
    }

    #[test]
    fn who_knows_all_is_shared() {
        let mut mine = alone(1, [1; 8]);
        let all = Some(Arc::new(vec![[0; 8], [1; 8], [5; 8]]));
        hear(&mut mine, &all);
        let (Some(mine), Some(all)) = (&mine, &all) else {
            panic!("something was heard");
        };
        assert!(Arc::ptr_eq(mine, all));
    }
}
