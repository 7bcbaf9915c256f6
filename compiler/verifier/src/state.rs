//! What a core does next depends on this: its state between two instructions, and how two such states differ.

use isa::inst::{Lanes, Reg};
use isa::types::{Pipe, Space};

use crate::bits::Bits;
use crate::core::Core;
use crate::cross::Heard;
use crate::offsets::Ranges;
use crate::order::{Known, LANES, STORES};
use crate::trail::Counts;

/// What has to be the same after a period.
#[derive(Clone, Debug)]
pub(crate) struct State {
    fixed: Vec<u64>,
    pub(crate) counts: Vec<Known>,
    values: [Bits; Space::ALL.len()],
    turned: [Vec<u8>; 2],
    ranges: Option<Ranges>,
    heard: Vec<Heard>,
    /// What waits in queues stays there meanwhile.
    backlog: [(usize, u64); Pipe::ALL.len()],
    pub(crate) unknown: u32,
    pub(crate) region: [u8; Reg::COUNT],
}

impl State {
    pub(crate) fn of(core: &Core) -> State {
        let regs = &core.regs;
        let mut fixed: Vec<u64> = regs.spr.to_vec();
        let word = |word: u32| u64::from(word);
        match regs.lanes {
            Lanes::Mask(low, high) => fixed.extend([0, low, high]),
            Lanes::Count(count) => fixed.extend([1, count, 0]),
        }
        fixed.extend([
            word(regs.spr_unknown),
            word(regs.lanes_unknown.into()),
            word(regs.va_unknown.into()),
        ]);
        fixed.extend(
            regs.va
                .iter()
                .flat_map(|&va| [va as u64, (va >> 64) as u64]),
        );
        fixed.extend(core.calls.iter().map(|&pc| u64::from(pc)));
        let mut heard: Vec<Heard> = core.heard.to_vec();
        for flag in &core.flags {
            fixed.extend([word(flag.set.is_some().into()), word(flag.by)]);
            heard.extend(flag.set.iter().map(|(_, heard)| heard.clone()));
        }
        fixed.extend(core.units.iter().map(|unit| u64::from(unit.set)));
        let mut counts = Vec::new();
        core.each_count(|known| counts.push(*known));
        State {
            fixed,
            counts,
            values: core.local.values.clone(),
            turned: core.local.turned.clone(),
            ranges: core.ranges.clone(),
            heard,
            backlog: core.backlog(),
            unknown: regs.unknown,
            region: regs.region,
        }
    }

    /// Whether all but counts, general registers and what waits in queues is the same.
    pub(crate) fn is_like(&self, later: &State) -> bool {
        self.fixed == later.fixed
            && self.turned == later.turned
            && self.ranges == later.ranges
            && self.values == later.values
    }

    /// How counts have gone on from this state to a later one, if that is all that differs.
    pub(crate) fn until(&self, later: &State, live: u32, step: Known) -> Option<Counts> {
        let told = |a: &Heard, b: &Heard| match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => std::sync::Arc::ptr_eq(a, b) || a == b,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let same = self.is_like(later)
            && self.counts.len() == later.counts.len()
            && self.heard.len() == later.heard.len()
            && (self.unknown ^ later.unknown) & live == 0
            && (0..Reg::COUNT).all(|r| live >> r & 1 == 0 || self.region[r] == later.region[r])
            && self.backlog == later.backlog
            && self.heard.iter().zip(&later.heard).all(|(a, b)| told(a, b));
        if !same {
            return None;
        }
        let (mut still, mut moving) = ([0; LANES], [u32::MAX; LANES]);
        for (before, after) in self.counts.iter().zip(&later.counts) {
            for lane in 0..LANES {
                let (before, after) = (before[lane], after[lane]);
                if after == before {
                    still[lane] = before.max(still[lane]);
                } else if after == before.wrapping_add(step[lane]) {
                    moving[lane] = before.min(moving[lane]);
                } else {
                    return None;
                }
            }
        }
        // A lane that does nothing has no count that moves.
        let apart = |lane: usize| step[lane] == 0 || still[lane] < moving[lane];
        (0..LANES).all(apart).then_some(Counts { step, still })
    }
}

/// A state of knowledge of one lane alone.
pub(crate) fn single(lane: usize, count: u32) -> Known {
    let mut known = [0; LANES];
    known[lane] = count;
    known
}

impl Core {
    /// Visits every count of the core, in one order.
    fn each_count(&self, mut visit: impl FnMut(&Known)) {
        visit(&self.order.issued);
        self.order.known.iter().for_each(&mut visit);
        visit(&single(STORES, self.order.stores_done));
        visit(&single(Pipe::V.index(), self.counted));
        for (flag, &(_, dst)) in self.flags.iter().zip(self.flag_pairs.iter()) {
            visit(&flag.set.as_ref().map_or([0; LANES], |(known, _)| *known));
            visit(&single(dst, flag.taken));
        }
        for unit in &self.units {
            let mut known = single(Pipe::M.index(), unit.filled);
            known[Pipe::Fix.index()] = unit.drained;
            visit(&known);
        }
        self.queued().for_each(&mut visit);
        self.local.each_count(visit);
    }

    /// Adds so many rounds to every count that moves.
    pub(crate) fn shift_counts(&mut self, counts: &Counts, rounds: u32) {
        let shift = |known: &mut Known| counts.shift(known, rounds);
        let one = |lane: usize, count: &mut u32| {
            let mut known = single(lane, *count);
            shift(&mut known);
            *count = known[lane];
        };
        for lane in 0..LANES {
            let (at, period) = (self.order.issued[lane], counts.step[lane]);
            if period > 0 {
                self.pcs[lane].skip(at, period, rounds);
            }
        }
        shift(&mut self.order.issued);
        self.order.known.iter_mut().for_each(shift);
        one(STORES, &mut self.order.stores_done);
        one(Pipe::V.index(), &mut self.counted);
        for (flag, &(_, dst)) in self.flags.iter_mut().zip(self.flag_pairs.iter()) {
            if let Some((known, _)) = &mut flag.set {
                shift(known);
            }
            one(dst, &mut flag.taken);
        }
        for unit in &mut self.units {
            one(Pipe::M.index(), &mut unit.filled);
            one(Pipe::Fix.index(), &mut unit.drained);
        }
        self.local.each_count_mut(shift);
    }
}
