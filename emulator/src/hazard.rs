//! Unordered conflicts inside a core: happens-before by vector clocks, per block of 32 bytes.
//!
//! Every queue of a core is a *lane* with its own count of instructions; scalar stores are a lane of their own, because
//! they complete later than the scalar unit goes on. A lane knows up to which count the work of every lane has completed
//! before its next instruction starts. Flags, barriers and dispatch pass this knowledge on; nothing else does. An access
//! that finds an entry beyond what its lane knows conflicts with it. Instructions of one lane read in order (*we
//! choose*: a write never overtakes an earlier read of the same queue), but a result is known to its own queue only
//! after a barrier. Knows no instructions and no time.

use isa::types::Pipe;

use crate::memory::for_blocks;

/// Lanes of a core: the pipes by [`Pipe::index`], then scalar stores.
pub(crate) const LANES: usize = 8;
/// The lane of scalar stores.
pub(crate) const STORES: usize = 7;
/// Instruction numbers kept per lane, to name the other side of a conflict.
const REMEMBERED: usize = 1 << 12;

/// Up to which count each lane's work has completed.
pub(crate) type Known = [u32; LANES];

/// Takes the later of two states of knowledge.
pub(crate) fn join(into: &mut Known, other: &Known) {
    for (mine, &theirs) in into.iter_mut().zip(other) {
        *mine = (*mine).max(theirs);
    }
}

/// The pipe that a lane belongs to.
pub(crate) fn lane_pipe(lane: usize) -> Pipe {
    Pipe::ALL.get(lane).copied().unwrap_or(Pipe::S)
}

/// Counts and knowledge of all lanes.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) issued: Known,
    pub(crate) known: [Known; LANES],
    /// Scalar stores that are known to have completed; the scalar unit itself sees all of its own.
    pub(crate) stores_done: u32,
    /// By lane, the latest by count; empty if nobody will ask.
    pcs: [Vec<u32>; LANES],
    remembers: bool,
}

/// The access that a new one conflicts with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) lane: usize,
    pub(crate) count: u32,
    pub(crate) write: bool,
    pub(crate) address: usize,
}

impl Order {
    /// Nothing has happened yet. Instruction numbers are remembered if conflicts are looked for.
    pub(crate) fn new(remembers: bool) -> Order {
        Order {
            issued: [0; LANES],
            known: [[0; LANES]; LANES],
            stores_done: 0,
            pcs: Default::default(),
            remembers,
        }
    }

    /// Counts an instruction of a lane.
    #[inline]
    pub(crate) fn begin(&mut self, lane: usize, pc: u32) {
        self.issued[lane] += 1;
        if self.remembers {
            let (place, pcs) = (place_of(self.issued[lane]), &mut self.pcs[lane]);
            if place >= pcs.len() {
                pcs.resize(place + 1, 0);
            }
            pcs[place] = pc;
        }
    }

    /// The instruction number of a lane's count, while it is remembered.
    pub(crate) fn pc_of(&self, lane: usize, count: u32) -> Option<u32> {
        let recent = (self.issued[lane] - count) as usize;
        let pc = self.pcs[lane].get(place_of(count)).copied();
        pc.filter(|_| recent < REMEMBERED)
    }

    /// What waiting for everything a lane has issued so far teaches.
    pub(crate) fn completion(&self, lane: usize) -> Known {
        let mut all = self.known[lane];
        all[lane] = self.issued[lane];
        if lane == Pipe::S.index() {
            all[STORES] = self.issued[STORES];
        }
        all
    }

    /// Tells a lane what another state knows.
    #[inline]
    pub(crate) fn learn(&mut self, lane: usize, what: &Known) {
        join(&mut self.known[lane], what);
    }
}

/// Where the instruction number of a lane's count is kept.
const fn place_of(count: u32) -> usize {
    count as usize % REMEMBERED
}

/// The last accesses to the blocks of one memory, per lane.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    blocks: usize,
    /// Count in the upper half, bytes of the block in the lower; empty for a lane that never came.
    writes: Accesses,
    reads: Accesses,
    /// Atomic stores, which need no order among themselves.
    atomics: Accesses,
}

/// The last accesses of one sort.
#[derive(Clone, Debug, Default)]
struct Accesses {
    lists: [Vec<u64>; LANES],
    /// The last count of each lane in its list: what is known up to there needs no look at the blocks.
    latest: Known,
}

const WHOLE: u64 = 0xffff_ffff;

fn entry(count: u32, bits: u32) -> u64 {
    u64::from(count) << 32 | u64::from(bits)
}

impl Track {
    pub(crate) fn new(bytes: usize) -> Track {
        Track {
            blocks: bytes.div_ceil(32),
            writes: Accesses::default(),
            reads: Accesses::default(),
            atomics: Accesses::default(),
        }
    }

    /// Forgets all accesses.
    pub(crate) fn clear(&mut self) {
        for accesses in [&mut self.writes, &mut self.reads, &mut self.atomics] {
            accesses.latest = [0; LANES];
            // Filling nothing is not free: a masked store to nowhere takes the processor long.
            let used = accesses.lists.iter_mut().filter(|list| !list.is_empty());
            used.for_each(|list| list.fill(0));
        }
    }

    /// Notes a read and returns what it conflicts with. `known` is what the lane knows for this access.
    pub(crate) fn read(
        &mut self,
        order: &Order,
        known: &Known,
        lane: usize,
        at: usize,
        len: usize,
    ) -> Option<Conflict> {
        let now = order.issued[lane];
        let found = find(&self.writes, known, lane, now, at, len, true)
            .or_else(|| find(&self.atomics, known, lane, now, at, len, true));
        self.reads.latest[lane] = now;
        note(
            &mut self.reads.lists[lane],
            self.blocks,
            now,
            known[lane],
            at,
            len,
        );
        found
    }

    /// The first write, atomic or not, that is not among what was known.
    pub(crate) fn written_since(
        &self,
        known: &Known,
        lane: usize,
        at: usize,
        len: usize,
    ) -> Option<Conflict> {
        // No count is that of an instruction in progress.
        let now = u32::MAX;
        find(&self.writes, known, lane, now, at, len, true)
            .or_else(|| find(&self.atomics, known, lane, now, at, len, true))
    }

    /// Notes a write and returns what it conflicts with.
    pub(crate) fn write(
        &mut self,
        order: &Order,
        known: &Known,
        lane: usize,
        at: usize,
        len: usize,
    ) -> Option<Conflict> {
        let now = order.issued[lane];
        let mut in_order = *known;
        in_order[lane] = now;
        let found = find(&self.writes, known, lane, now, at, len, true)
            .or_else(|| find(&self.atomics, known, lane, now, at, len, true))
            .or_else(|| find(&self.reads, &in_order, lane, now, at, len, false));
        self.writes.latest[lane] = now;
        note(
            &mut self.writes.lists[lane],
            self.blocks,
            now,
            known[lane],
            at,
            len,
        );
        found
    }

    /// Notes an atomic store and returns what it conflicts with: writes and reads, but no other atomic store.
    pub(crate) fn atomic(
        &mut self,
        order: &Order,
        known: &Known,
        lane: usize,
        at: usize,
        len: usize,
    ) -> Option<Conflict> {
        let now = order.issued[lane];
        let mut in_order = *known;
        in_order[lane] = now;
        let found = find(&self.writes, known, lane, now, at, len, true)
            .or_else(|| find(&self.reads, &in_order, lane, now, at, len, false));
        self.atomics.latest[lane] = now;
        note(
            &mut self.atomics.lists[lane],
            self.blocks,
            now,
            known[lane],
            at,
            len,
        );
        found
    }
}

/// The first entry of any lane that the accessing lane does not know to be complete.
fn find(
    entries: &Accesses,
    known: &Known,
    lane: usize,
    now: u32,
    at: usize,
    len: usize,
    write: bool,
) -> Option<Conflict> {
    let (first, last) = (at / 32, (at + len).div_ceil(32));
    for (other, list) in entries.lists.iter().enumerate() {
        if entries.latest[other] <= known[other] || len == 0 {
            continue;
        }
        let limit = entry(known[other], u32::MAX);
        // An instruction does not conflict with itself.
        let own = if other == lane {
            u64::from(now)
        } else {
            u64::MAX
        };
        if !list[first..last].iter().any(|&e| e > limit) {
            continue;
        }
        let mut found = None;
        for_blocks(at, len, |block, bits| {
            let e = list[block];
            if e > limit && e >> 32 != own && e as u32 & bits != 0 && found.is_none() {
                let byte = (e as u32 & bits).trailing_zeros() as usize;
                found = Some(Conflict {
                    lane: other,
                    count: (e >> 32) as u32,
                    write,
                    address: block * 32 + byte,
                });
            }
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Enters an access into a lane's list.
fn note(list: &mut Vec<u64>, blocks: usize, now: u32, known: u32, at: usize, len: usize) {
    if list.is_empty() {
        list.resize(blocks, 0);
    }
    if at.is_multiple_of(32) && len.is_multiple_of(32) {
        list[at / 32..(at + len) / 32].fill(entry(now, u32::MAX));
        return;
    }
    for_blocks(at, len, |block, bits| {
        let old = list[block];
        // Bytes of an access that is not known to be complete stay in the entry.
        let kept = if old > entry(known, u32::MAX) {
            old & WHOLE
        } else {
            0
        };
        list[block] = entry(now, bits) | kept;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const V: usize = Pipe::V as usize;
    const MTE3: usize = Pipe::Mte3 as usize;

    fn step(order: &mut Order, lane: usize) -> Known {
        order.begin(lane, 0);
        order.known[lane]
    }

    #[test]
    fn a_flag_orders_what_came_before_it() {
        let (mut order, mut track) = (Order::new(true), Track::new(1024));
        let known = step(&mut order, V);
        assert_eq!(track.write(&order, &known, V, 0, 64), None);
        let flag = order.completion(V);
        let known = step(&mut order, V);
        assert_eq!(track.write(&order, &known, V, 64, 64), None);

        order.learn(MTE3, &flag);
        let known = step(&mut order, MTE3);
        assert_eq!(track.read(&order, &known, MTE3, 0, 64), None);
        let conflict = track.read(&order, &known, MTE3, 32, 64);
        assert_eq!(conflict.map(|c| (c.lane, c.address)), Some((V, 64)));
    }

    #[test]
    fn the_same_queue_needs_a_barrier_to_read_its_result() {
        let (mut order, mut track) = (Order::new(true), Track::new(1024));
        let known = step(&mut order, V);
        track.write(&order, &known, V, 0, 256);
        let known = step(&mut order, V);
        assert!(track.read(&order, &known, V, 0, 32).is_some());
        let all = order.completion(V);
        order.learn(V, &all);
        let known = step(&mut order, V);
        assert_eq!(track.read(&order, &known, V, 0, 32), None);
        assert_eq!(track.write(&order, &known, V, 0, 32), None);
    }

    #[test]
    fn parts_of_a_block_do_not_conflict() {
        let (mut order, mut track) = (Order::new(true), Track::new(64));
        let known = step(&mut order, V);
        track.write(&order, &known, V, 0, 4);
        let known = step(&mut order, V);
        assert_eq!(track.write(&order, &known, V, 4, 4), None);
        let known = step(&mut order, V);
        assert!(track.write(&order, &known, V, 2, 1).is_some());
    }

    #[test]
    fn a_write_after_a_foreign_read_needs_order() {
        let (mut order, mut track) = (Order::new(true), Track::new(64));
        let known = step(&mut order, MTE3);
        track.read(&order, &known, MTE3, 0, 32);
        let known = step(&mut order, V);
        let conflict = track.write(&order, &known, V, 0, 32);
        assert_eq!(conflict.map(|c| c.write), Some(false));
    }
}
