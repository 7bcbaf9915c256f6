//! Unordered conflicts between cores in global memory.
//!
//! What a core knows of the others' work travels only with cross-core sets and waits. Cores log their accesses to what
//! the launch may write; between rounds the logs are replayed in the order of the cores against the last accesses to
//! every byte. Counters change between rounds, so an access of an earlier round, or of an earlier core in the same one,
//! can only be ordered before a later one, and the verdict does not depend on host threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use isa::types::{Pipe, Space};

use crate::cached::Stores;
use crate::core::Core;
use crate::fault::{Fault, FaultKind, Hidden, OtherAccess, Place};
use crate::hazard::{Known, STORES, join, lane_pipe};

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

/// Whether two states are one, so that neither tells the other anything.
pub(crate) fn is_same(one: &Heard, other: &Heard) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
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
    /// No access: lines of the data cache are written back and dropped.
    Clean,
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
    /// Of a scalar load from a line that was in the data cache: what its core had heard when the line came.
    pub(crate) since: Option<Heard>,
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
#[derive(Clone, Debug)]
pub(crate) struct Ranges<T> {
    list: BTreeMap<u64, (u64, T)>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Ranges<T> {
        Ranges {
            list: BTreeMap::new(),
        }
    }
}

impl<T: Copy> Ranges<T> {
    /// The ranges that overlap one.
    pub(crate) fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, T)> {
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

    /// What the ranges hold that lie inside one.
    pub(crate) fn inside(&mut self, start: u64, end: u64) -> impl Iterator<Item = &mut T> {
        let inside = self.list.range_mut(start..end);
        inside.map(|(_, (_, held))| held)
    }

    /// Takes the ranges that begin inside one, with their ends.
    pub(crate) fn take(&mut self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let inside = self.list.range(start..end);
        let taken: Vec<_> = inside.map(|(&from, &(to, _))| (from, to)).collect();
        for (from, _) in &taken {
            self.list.remove(from);
        }
        taken
    }

    /// Gives a range to its last user, cutting what it covers.
    pub(crate) fn put(&mut self, start: u64, end: u64, who: T) {
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
    writes: Ranges<Who>,
    /// Reads, a list a core.
    reads: BTreeMap<usize, Ranges<Who>>,
    /// Atomic stores, a list a core.
    atomics: BTreeMap<usize, Ranges<Who>>,
    /// Scalar stores of each core, which its data cache may hide.
    stores: BTreeMap<usize, Stores>,
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
            if let Some(found) = self.enter(number, &access) {
                return Err(conflict(cores, number, &access, found));
            }
            if let Some((found, hidden)) = self.enter_cached(number, &access) {
                return Err(hides(cores, number, &access, found, hidden));
            }
        }
        Ok(())
    }

    /// Enters an access; the address, the other side and whether that writes, if they conflict.
    fn enter(&mut self, core: usize, access: &Logged) -> Option<(u64, Who, bool)> {
        if access.sort == Use::Clean {
            return None;
        }
        let (start, end) = (access.start, access.start + access.len);
        let unordered = |who: &Who| {
            let known = heard_of(&access.heard, who.core);
            who.core != core && known.is_none_or(|counts| counts[who.lane] < who.count)
        };
        let clash = |ranges: &Ranges<Who>| {
            ranges
                .overlapping(start, end)
                .find(|(_, who)| unordered(who) && (who.sort != access.sort || is_plain(who.sort)))
        };
        let others = |lists: &BTreeMap<usize, Ranges<Who>>| {
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
            Use::Read | Use::Clean => self.reads.entry(core).or_default(),
            Use::Atomic(_) => self.atomics.entry(core).or_default(),
        };
        list.put(start, end, who);
        found.map(|(at, who, write)| (at.max(start), who, write))
    }

    /// Enters an access as data caches see it; the address, the other side and what is hidden, if something is.
    fn enter_cached(&mut self, core: usize, access: &Logged) -> Option<((u64, Who), Hidden)> {
        let (start, end) = (access.start, access.start + access.len);
        let scalar = Pipe::S.index();
        if access.sort == Use::Clean {
            let own = self.stores.get_mut(&core)?;
            own.write_back(start, end, access.count);
            return None;
        }
        if access.lane == STORES {
            let own = self.stores.entry(core).or_default();
            own.put(start, end, access.pc);
        }
        let knows = |heard: &Heard, other: usize, lane: usize| {
            let known = heard.as_ref().and_then(|heard| heard.get(other));
            known.map_or(0, |counts| counts[lane])
        };
        if let Some(since) = &access.since {
            let newer = |(_, who): &(u64, Who)| {
                who.core != core && who.count > knows(since, who.core, who.lane)
            };
            let atomics = self.atomics.values();
            let mut lists = std::iter::once(&self.writes).chain(atomics);
            let found = lists.find_map(|list| list.overlapping(start, end).find(newer));
            if let Some((at, who)) = found {
                return Some(((at.max(start), who), Hidden::OldLine));
            }
        }
        let mut others = self.stores.iter().filter(|(other, _)| **other != core);
        others.find_map(|(&other, stores)| {
            let heard = knows(&access.heard, other, scalar);
            let (at, pc) = stores.hidden(start, end, |count| count <= heard)?;
            let who = Who {
                core: other,
                lane: STORES,
                count: 0,
                pc,
                sort: Use::Write,
            };
            let write = access.sort != Use::Read;
            Some(((at, who), Hidden::Store { write }))
        })
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
    (address, other, write): (u64, Who, bool),
) -> Fault {
    let kind = FaultKind::Unordered {
        operand: access.operand,
        space: Space::Gm,
        address,
        pipe: lane_pipe(access.lane),
        write: access.sort != Use::Read,
        other: Box::new(other_access(cores, other, write)),
    };
    fault_of(&cores[number], access, kind)
}

fn hides(
    cores: &[Core<'_>],
    number: usize,
    access: &Logged,
    (address, other): (u64, Who),
    hidden: Hidden,
) -> Fault {
    let kind = FaultKind::Cached {
        operand: access.operand,
        address,
        pipe: lane_pipe(access.lane),
        hidden,
        other: Box::new(other_access(cores, other, true)),
    };
    fault_of(&cores[number], access, kind)
}

fn other_access(cores: &[Core<'_>], other: Who, write: bool) -> OtherAccess {
    OtherAccess {
        core: cores[other.core].id,
        pipe: lane_pipe(other.lane),
        write,
        pc: Some(other.pc),
    }
}

fn fault_of(core: &Core<'_>, access: &Logged, kind: FaultKind) -> Fault {
    Fault {
        kind,
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
