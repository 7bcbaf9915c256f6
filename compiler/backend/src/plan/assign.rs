//! Addresses: every buffer gets a place in its space such that buffers that conflict never share bytes.
//!
//! First fit, largest buffer first. In UB an operand of a vector operation is placed half a bank cycle (256 B of 512)
//! away from the other sources of the same operation where that fits (davinci-facts §7, rule 1), and large results in
//! other banks than what they are computed of.

use std::collections::BTreeMap;

use ir::tile::{Buf, Func, Op};
use isa::chip::Chip;
use isa::types::Space;

use super::access;
use super::clash;
use super::live::{Life, lives_and_births};
use super::reuse::{Shared, share};
use crate::select::scratch_bytes;

/// Distance at which the groups of UB repeat: davinci-facts §7, rule 1.
pub(super) const BANK_PERIOD: u64 = 512;
/// Bytes of a bank of each group: davinci-facts §7, rule 1.
pub(super) const BANK_BYTES: u64 = 1 << 16;
/// Bytes from which a result is kept out of the banks of its sources: many repeats.
const LARGE: u64 = 2048;

/// Addresses of all buffers that are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Byte address of copy 0.
    pub addr: BTreeMap<Buf, u32>,
    /// Per space the end of the highest buffer.
    pub peak: BTreeMap<Space, u64>,
}

/// A space that is too small for what is alive at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    /// The space.
    pub space: Space,
    /// Bytes the buffers below need together.
    pub needed: u64,
    /// Bytes the space has.
    pub available: u64,
    /// The buffers that are alive together, with their bytes; the largest first.
    pub live: Vec<(Buf, u64)>,
}

/// Gives every buffer an address, or says which space is too small for what.
pub fn plan(func: &Func, chip: &Chip) -> Result<Plan, Overflow> {
    let all = All::of(func);
    all.placed(func, chip, &[])
}

/// Buffers that are tried before the others for the sake of the banks (we choose).
const TRIED: usize = 6;
/// Eighths of a cycle, of those that are lost, below which nothing else is tried (we choose).
const WORTH: u64 = 8 * 256;

/// The same, with fewer cycles lost where operands meet in the banks if some buffer is placed before the others.
pub fn plan_apart(func: &Func, chip: &Chip) -> Result<Plan, Overflow> {
    let all = All::of(func);
    let mut best = all.placed(func, chip, &[])?;
    let (mut least, by_buf) = clash::lost(func, &best);
    if least < WORTH {
        return Ok(best);
    }
    let root = |buf: Buf| all.shared.get(&buf).copied().unwrap_or(buf);
    let mut parts: BTreeMap<Buf, u64> = BTreeMap::new();
    for (buf, part) in by_buf {
        let sum = parts.entry(root(buf)).or_insert(0);
        *sum = sum.saturating_add(part);
    }
    let mut order: Vec<(Buf, u64)> = parts.into_iter().collect();
    order.sort_by_key(|&(buf, part)| (std::cmp::Reverse(part), buf));
    for (buf, _) in order.into_iter().take(TRIED) {
        let Ok(plan) = all.placed(func, chip, &[buf]) else {
            continue;
        };
        let (lost, _) = clash::lost(func, &plan);
        if lost.saturating_add(WORTH) <= least {
            (least, best) = (lost, plan);
        }
    }
    Ok(best)
}

/// What is known of the buffers of a function before any has a place.
struct All {
    lives: Vec<Life>,
    shared: Shared,
    beside: Partners,
    apart: Partners,
}

impl All {
    fn of(func: &Func) -> All {
        let (lives, births) = lives_and_births(func);
        let (lives, shared) = share(func, lives, &births);
        All {
            beside: partners(func, &shared),
            apart: opposites(func, &shared),
            lives,
            shared,
        }
    }

    /// Places all, some before the others.
    fn placed(&self, func: &Func, chip: &Chip, before: &[Buf]) -> Result<Plan, Overflow> {
        let none = Partners::new();
        let place = |wishes| place_all(func, chip, (&self.lives, before), wishes);
        let mut plan = place([&self.beside, &self.apart])
            .or_else(|_| place([&self.beside, &none]))
            .or_else(|_| place([&none, &none]))?;
        for (buf, root) in &self.shared {
            if let Some(&addr) = plan.addr.get(root) {
                plan.addr.insert(*buf, addr);
            }
        }
        Ok(plan)
    }
}

/// Bytes of a space that buffers may take: in UB the blocks that selection keeps for scalars are not among them.
fn room(func: &Func, chip: &Chip, space: Space) -> u64 {
    let kept = if space == Space::Ub {
        scratch_bytes(func)
    } else {
        0
    };
    chip.usable_bytes(space).saturating_sub(kept)
}

/// Bytes of all copies of a buffer; a buffer beyond 64 bits is as large as can be.
fn total_bytes(func: &Func, buf: Buf) -> u64 {
    let data = &func.bufs[buf];
    let copies = u64::from(data.depth.max(1));
    data.copy_bytes()
        .and_then(|bytes| bytes.checked_mul(copies))
        .unwrap_or(u64::MAX)
}

fn alignment(space: Space) -> u64 {
    match space {
        Space::L0a | Space::L0b => 512,
        Space::L0c => 1024,
        Space::Bt | Space::Fb => 64,
        Space::Gm | Space::L1 | Space::Ub => 32,
    }
}

/// A buffer with its place.
#[derive(Copy, Clone)]
struct Placed<'l> {
    life: &'l Life,
    start: u64,
    end: u64,
}

fn place_all(
    func: &Func,
    chip: &Chip,
    (lives, before): (&[Life], &[Buf]),
    [partners, opposites]: [&Partners; 2],
) -> Result<Plan, Overflow> {
    let mut order: Vec<&Life> = lives.iter().collect();
    order.sort_by_key(|life| {
        let bytes = total_bytes(func, life.buf);
        (
            !before.contains(&life.buf),
            std::cmp::Reverse(bytes),
            life.buf,
        )
    });
    let mut placed: Vec<Placed<'_>> = Vec::new();
    let mut plan = Plan::default();
    for life in order {
        let space = func.bufs[life.buf].space;
        let limit = room(func, chip, space);
        let taken = neighbours(func, life, &placed);
        let bytes = total_bytes(func, life.buf);
        let phase = wished_phase(life.buf, partners, &placed);
        let avoid = banks_to_avoid(life.buf, opposites, &placed);
        let start = best_fit(&taken, (bytes, limit), alignment(space), phase, &avoid);
        let end = start.saturating_add(bytes);
        if end > limit {
            return Err(overflow(func, life, lives, limit));
        }
        placed.push(Placed { life, start, end });
        plan.addr
            .insert(life.buf, u32::try_from(start).unwrap_or(u32::MAX));
        let peak = plan.peak.entry(space).or_insert(0);
        *peak = end.max(*peak);
    }
    Ok(plan)
}

/// The places that a buffer must avoid, ascending.
fn neighbours(func: &Func, life: &Life, placed: &[Placed<'_>]) -> Vec<(u64, u64)> {
    let space = func.bufs[life.buf].space;
    let same = |p: &&Placed<'_>| func.bufs[p.life.buf].space == space && p.life.conflicts(life);
    let mut taken: Vec<(u64, u64)> = placed
        .iter()
        .filter(same)
        .map(|p| (p.start, p.end))
        .collect();
    taken.sort_unstable();
    taken
}

/// For each buffer those that it has to do with.
type Partners = BTreeMap<Buf, Vec<Buf>>;

/// The first fit, unless a later one shares fewer banks with the places given.
fn best_fit(
    taken: &[(u64, u64)],
    (bytes, limit): (u64, u64),
    align: u64,
    phase: Option<u64>,
    avoid: &[(u64, u64)],
) -> u64 {
    let first = first_fit(taken, bytes, align, phase);
    if avoid.is_empty() {
        return first;
    }
    let ends = taken.iter().map(|&(_, to)| to);
    let banks = (0..limit.div_ceil(BANK_BYTES)).map(|bank| bank * BANK_BYTES);
    let starts = ends.chain(banks).map(|at| aligned(at, align, phase));
    let is_free = |&start: &u64| {
        let end = start.saturating_add(bytes);
        end <= limit && taken.iter().all(|&(from, to)| end <= from || to <= start)
    };
    let met = |start: u64| {
        let banks = |from: u64, to: u64| (from / BANK_BYTES, to.saturating_sub(1) / BANK_BYTES);
        let own = banks(start, start.saturating_add(bytes));
        let shares = |&&(from, to): &&(u64, u64)| {
            let other = banks(from, to);
            own.0 <= other.1 && other.0 <= own.1
        };
        avoid.iter().filter(shares).count()
    };
    let found = starts.filter(is_free).chain([first]);
    found
        .min_by_key(|&start| (met(start), start))
        .unwrap_or(first)
}

/// Where the buffers lie that share no bank with this one if that can be.
fn banks_to_avoid(buf: Buf, opposites: &Partners, placed: &[Placed<'_>]) -> Vec<(u64, u64)> {
    let mine = opposites.get(&buf).map_or(&[][..], Vec::as_slice);
    let theirs = placed.iter().filter(|p| mine.contains(&p.life.buf));
    theirs.map(|p| (p.start, p.end)).collect()
}

/// For each large UB buffer the large ones that are read where it is written, or written where it is read.
fn opposites(func: &Func, shared: &Shared) -> Partners {
    let mut found = Partners::new();
    let root = |buf: Buf| shared.get(&buf).copied().unwrap_or(buf);
    let is_large = |buf: Buf| func.bufs[buf].space == Space::Ub && total_bytes(func, buf) >= LARGE;
    for data in func.insts.values() {
        let Op::Ew { dst, .. } = &data.op else {
            continue;
        };
        for source in data.op.reads() {
            let (to, from) = (root(dst.buf), root(source));
            if to != from && is_large(to) && is_large(from) {
                found.entry(to).or_default().push(from);
                found.entry(from).or_default().push(to);
            }
        }
    }
    found
}

/// The lowest start that is free; `phase` is the wished remainder by [`BANK_PERIOD`].
fn first_fit(taken: &[(u64, u64)], bytes: u64, align: u64, phase: Option<u64>) -> u64 {
    let mut start = aligned(0, align, phase);
    for &(from, to) in taken {
        if start.saturating_add(bytes) <= from {
            break;
        }
        start = start.max(aligned(to, align, phase));
    }
    start
}

fn aligned(at: u64, align: u64, phase: Option<u64>) -> u64 {
    let Some(phase) = phase else {
        return at.next_multiple_of(align);
    };
    let below = at - at % BANK_PERIOD;
    if below + phase >= at {
        below + phase
    } else {
        below + BANK_PERIOD + phase
    }
}

/// Half a period away from the first partner that has a place.
fn wished_phase(buf: Buf, partners: &Partners, placed: &[Placed<'_>]) -> Option<u64> {
    let mine = partners.get(&buf)?;
    let partner = placed.iter().find(|p| mine.contains(&p.life.buf))?;
    Some((partner.start + BANK_PERIOD / 2) % BANK_PERIOD)
}

/// For each UB buffer those that are read beside it by one vector operation.
fn partners(func: &Func, shared: &Shared) -> Partners {
    let mut partners = Partners::new();
    for data in func.insts.values() {
        if !matches!(data.op, Op::Ew { .. } | Op::Accumulate { .. }) {
            continue;
        }
        let read: Vec<Buf> = access::accesses(func, &data.op)
            .into_iter()
            .filter(|a| a.reads)
            .filter_map(|a| {
                if let access::Place::Buf(buf) = a.place {
                    Some(shared.get(&buf).copied().unwrap_or(buf))
                } else {
                    None
                }
            })
            .collect();
        for &a in &read {
            partners
                .entry(a)
                .or_default()
                .extend(read.iter().filter(|&&b| b != a));
        }
    }
    partners
}

/// What is alive together with the buffer that did not fit.
fn overflow(func: &Func, culprit: &Life, lives: &[Life], available: u64) -> Overflow {
    let space = func.bufs[culprit.buf].space;
    let together = |l: &&Life| {
        func.bufs[l.buf].space == space && (l.buf == culprit.buf || l.conflicts(culprit))
    };
    let mut live: Vec<(Buf, u64)> = lives
        .iter()
        .filter(together)
        .map(|l| (l.buf, total_bytes(func, l.buf)))
        .collect();
    live.sort_by_key(|&(buf, bytes)| (std::cmp::Reverse(bytes), buf));
    let needed = live
        .iter()
        .fold(0u64, |sum, &(_, bytes)| sum.saturating_add(bytes));
    Overflow {
        space,
        needed,
        available,
        live,
    }
}
