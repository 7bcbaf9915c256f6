//! Effects of vector instructions: lanes under mask or count, bits, results.

use super::{Collector, Place, Steps};
use crate::form::{VecForm, Walk};
use crate::inst::{Inst, Lanes, Place as _, Regs, Ub};
use crate::types::{BLOCK_BYTES, Space};
use smallvec::{SmallVec, smallvec};

/// Bytes that an address of UB can name.
const UB_SPAN: u64 = 1 << Ub::WIDTH;

/// Lanes `from..to` of each of `repeats` repeats, the first of which is number `first`.
#[derive(Clone, Copy)]
struct Run {
    first: u64,
    repeats: u64,
    from: u64,
    to: u64,
}

/// Adds the accesses of a vector instruction; false if it is none.
pub(super) fn collect<R: Regs + ?Sized>(inst: &Inst, to: &mut Collector<'_, R>) -> bool {
    let Some(form) = VecForm::of(inst) else {
        return false;
    };
    let repeats = form.repeats(to.regs);
    let runs = active_runs(&form, repeats, to.regs.lanes());
    for operand in &form.operands {
        let base = operand.at.get(to.regs);
        let place = Place {
            operand: operand.name,
            space: Space::Ub,
            dir: operand.dir,
            base,
        };
        match operand.walk {
            Walk::Lanes { elem, blk, rep } => {
                for run in &runs {
                    lanes(*run, place, (elem, blk, rep), to);
                }
            }
            Walk::Bits => bits(form.lanes / 8, &runs, place, to),
            Walk::BitRows { rep } => bits(rep, &runs, place, to),
            // What the offsets say is not known before they are values.
            Walk::Anywhere => to.rows(place, UB_SPAN.saturating_sub(base), Steps::ONCE),
            Walk::Results { elem, group, rep } => results(&runs, place, (elem, group, rep), to),
            Walk::Run { bytes, rep } => to.rows(place, bytes, Steps::new(repeats, rep)),
            Walk::Blocks { blk, rep } => {
                to.grid(
                    place,
                    BLOCK_BYTES,
                    Steps::new(repeats, rep),
                    Steps::new(8, blk),
                );
            }
        }
    }
    true
}

/// The mask bytes of each repeat, up to its last active lane.
fn bits<R: Regs + ?Sized>(rep: u64, runs: &[Run], place: Place, to: &mut Collector<'_, R>) {
    for (i, run) in runs.iter().enumerate() {
        let is_last_of_its_repeats = runs.get(i + 1).is_none_or(|next| next.first != run.first);
        if is_last_of_its_repeats {
            let base = place.base.saturating_add(run.first.saturating_mul(rep));
            to.rows(
                Place { base, ..place },
                run.to.div_ceil(8),
                Steps::new(run.repeats, rep),
            );
        }
    }
}

/// The results that have an active lane.
fn results<R: Regs + ?Sized>(
    runs: &[Run],
    place: Place,
    (elem, group, rep): (u64, u64, u64),
    to: &mut Collector<'_, R>,
) {
    // The results before this one, of the repeats from `first` on, are named already.
    let (mut first, mut named) = (0, 0);
    for run in runs
        .iter()
        .filter(|run| run.repeats > 0 && run.from < run.to)
    {
        if run.first != first {
            (first, named) = (run.first, 0);
        }
        let (from, end) = (named.max(run.from / group), run.to.div_ceil(group));
        named = end;
        let base = place
            .base
            .saturating_add(run.first.saturating_mul(rep))
            .saturating_add(from * elem);
        let len = end.saturating_sub(from) * elem;
        to.rows(Place { base, ..place }, len, Steps::new(run.repeats, rep));
    }
}

/// Which lanes of which repeats are active.
fn active_runs(form: &VecForm, repeats: u64, lanes: Lanes) -> SmallVec<[Run; 2]> {
    match lanes {
        Lanes::Count(count) => {
            let (full, rest) = (count / form.lanes, count % form.lanes);
            let whole = Run {
                first: 0,
                repeats: full,
                from: 0,
                to: form.lanes,
            };
            smallvec![
                whole,
                Run {
                    first: full,
                    repeats: 1,
                    from: 0,
                    to: rest
                }
            ]
        }
        Lanes::Mask(low, high) => mask_runs(
            form.lanes,
            repeats,
            u128::from(high) << 64 | u128::from(low),
        ),
    }
}

fn mask_runs(lanes: u64, repeats: u64, mask: u128) -> SmallVec<[Run; 2]> {
    let mut runs = SmallVec::new();
    let mut from = 0;
    while from < lanes {
        let rest = mask >> from;
        let ones = u64::from(rest.trailing_ones()).min(lanes - from);
        if ones > 0 {
            runs.push(Run {
                first: 0,
                repeats,
                from,
                to: from + ones,
            });
        }
        let zeros = u64::from((!rest).trailing_ones().max(1)).min(lanes);
        from += if ones > 0 { ones } else { zeros };
    }
    runs
}

/// The bytes of a run of lanes: whole if blocks are adjacent, else first part, whole blocks, last part.
fn lanes<R: Regs + ?Sized>(
    run: Run,
    place: Place,
    (elem, blk, rep): (u64, u64, u64),
    to: &mut Collector<'_, R>,
) {
    let base = place.base.saturating_add(run.first.saturating_mul(rep));
    let repeats = Steps::new(run.repeats, rep);
    let (start, end) = (run.from * elem, run.to * elem);
    let at = |byte: u64| Place {
        base: base
            .saturating_add(byte / BLOCK_BYTES * blk)
            .saturating_add(byte % BLOCK_BYTES),
        ..place
    };
    if blk == BLOCK_BYTES {
        to.rows(at(start), end - start, repeats);
        return;
    }
    let first_whole = start.next_multiple_of(BLOCK_BYTES).min(end);
    let last_whole = (end - end % BLOCK_BYTES).max(first_whole);
    to.rows(at(start), first_whole - start, repeats);
    let whole = (last_whole - first_whole) / BLOCK_BYTES;
    to.grid(
        at(first_whole),
        BLOCK_BYTES,
        repeats,
        Steps::new(whole, blk),
    );
    to.rows(at(last_whole), end - last_whole, repeats);
}
