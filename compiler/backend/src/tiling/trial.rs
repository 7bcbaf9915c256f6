//! What sizes a step is written for: those that agree with what is given, tried against the real planner.

use std::collections::BTreeSet;

use diag::Span;
use ir::tile::Func;

use super::{Result, StepCx, price};
use crate::Level;
use crate::errors;
use crate::plan;
use crate::schedule::space::{Candidate, Lack, StepSpace};
use crate::schedule::{Given, Knob, Values};

/// Writes a step for one size behind what there is.
type Write<'w, S> = &'w mut dyn FnMut(Func, &S) -> Result<Func>;

/// Which of the sizes that fit is taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// The first.
    First,
    /// The one that takes the least time, of equals the first; at `-O0` the first.
    Cheapest,
}

/// A step that is written for one of several sizes.
pub(super) struct Sized<'w, S> {
    sizes: Vec<(Values, S)>,
    pick: Pick,
    write: Write<'w, S>,
}

impl<'w, S> Sized<'w, S> {
    pub(super) fn new(sizes: Vec<(Values, S)>, pick: Pick, write: Write<'w, S>) -> Self {
        Sized { sizes, pick, write }
    }
}

/// Takes one of the sizes.
pub(super) struct Choose;

/// Lists all sizes with what they take.
pub(super) struct Survey<'s>(pub(super) &'s mut StepSpace);

/// Writes the size that is picked of those whose buffers fit.
pub(super) fn choose<S>(
    cx: &StepCx<'_>,
    base: &Func,
    step: Sized<'_, S>,
) -> Result<(Func, Values)> {
    let Sized { sizes, pick, write } = step;
    let mut written = sizes
        .into_iter()
        .map(|(values, size)| Ok((write(base.clone(), &size)?, values)));
    if pick == Pick::First || cx.level == Level::O0 {
        return first_planned(cx, written);
    }
    let mut all: Vec<(Func, Values)> = written.by_ref().collect::<Result<_>>()?;
    all.sort_by_cached_key(|(func, _)| price::price(func, cx.chip));
    first_planned(cx, all.into_iter().map(Ok))
}

/// Writes, plans and prices every size; what cannot be written is left out, unless nothing can.
pub(super) fn survey<S>(
    cx: &StepCx<'_>,
    base: &Func,
    step: Sized<'_, S>,
    space: &mut StepSpace,
) -> Result<()> {
    let mut wrong = None;
    for (values, size) in step.sizes {
        let func = match (step.write)(base.clone(), &size) {
            Ok(func) => func,
            Err(found) => {
                wrong = wrong.or(Some(found));
                continue;
            }
        };
        let (cycles, binds) = price::step(&func, cx.chip);
        match plan::plan(&func, cx.chip) {
            Ok(_) => space.candidates.push(Candidate {
                values,
                cycles,
                bound: 0,
                binds,
                planned: true,
            }),
            Err(overflow) => space.lacks(lack(values, cycles, &overflow)),
        }
    }
    match wrong {
        Some(found) if space.candidates.is_empty() && space.lack.is_none() => Err(found),
        Some(_) | None => Ok(()),
    }
}

/// Candidates of a product that are planned, the cheapest first: what is behind them is never timed (we choose).
const PLANNED: usize = 1024;

/// Writes and plans the cheapest candidates of a product; what has no room after all is none.
pub(in crate::tiling) fn plan_cheapest(
    cx: &StepCx<'_>,
    space: &mut StepSpace,
    write: &mut dyn FnMut(usize) -> Result<Func>,
) {
    let mut order: Vec<usize> = (0..space.candidates.len()).collect();
    order.sort_by_key(|&number| space.candidates[number].cycles);
    let mut refused = BTreeSet::new();
    for number in order.into_iter().take(PLANNED) {
        let planned = match write(number) {
            Ok(func) => plan::plan(&func, cx.chip).map_err(Some),
            Err(_) => Err(None),
        };
        let candidate = &mut space.candidates[number];
        match planned {
            Ok(_) => candidate.planned = true,
            Err(overflow) => {
                refused.insert(number);
                let (values, cycles) = (candidate.values.clone(), candidate.cycles);
                if let Some(overflow) = overflow {
                    space.lacks(lack(values, cycles, &overflow));
                }
            }
        }
    }
    let mut numbers = 0..;
    (space.candidates).retain(|_| numbers.next().is_none_or(|n: usize| !refused.contains(&n)));
}

fn lack(values: Values, cycles: i64, overflow: &plan::Overflow) -> Lack {
    Lack {
        values,
        cycles,
        space: overflow.space,
        needed: overflow.needed,
        available: overflow.available,
    }
}

/// Sizes worth trying with what each decides, as far as they agree with what is given; if none of the usual ones does,
/// those that the tiler can make of it.
pub(super) fn open<S: Copy>(
    cx: &StepCx<'_>,
    usual: Vec<S>,
    values: fn(&S) -> Values,
    made: &dyn Fn(&Given, &[S]) -> Vec<S>,
) -> Result<Vec<(Values, S)>> {
    let agrees = |size: &S| cx.given.allows(&values(size));
    let mut sizes: Vec<S> = usual.iter().filter(|size| agrees(size)).copied().collect();
    if sizes.is_empty() {
        sizes = made(cx.given, &usual);
        sizes.retain(agrees);
    }
    if sizes.is_empty() && !usual.is_empty() {
        // The first decision without which there are sizes is the culprit.
        let without = |knob: &Knob| {
            let mut others = cx.given.clone();
            others.values.remove(knob);
            let agrees = |size: &S| others.allows(&values(size));
            let all = usual.iter().copied().chain(made(&others, &usual));
            let possible: Vec<Values> = all.filter(agrees).map(|size| values(&size)).collect();
            (!possible.is_empty()).then_some((*knob, possible))
        };
        let (knob, possible) = (cx.given.values.keys().find_map(without)).unwrap_or_default();
        return Err(errors::schedule::no_such_size(cx.given, knob, &possible));
    }
    Ok((sizes.into_iter())
        .map(|size| (values(&size), size))
        .collect())
}

/// Widths of a step that walks one index.
pub(super) fn columns(cx: &StepCx<'_>, usual: Vec<i64>) -> Result<Vec<(Values, i64)>> {
    let values = |cap: &i64| [(Knob::Cols, *cap)].into();
    open(cx, usual, values, &|given, all| {
        let width = given.values.get(&Knob::Cols).copied();
        let whole = |width: &i64| width % COLUMNS == 0 && all.iter().max() >= Some(width);
        width.filter(whole).into_iter().collect()
    })
}

/// What the width of a walk along one index is a multiple of.
const COLUMNS: i64 = 256;

pub(super) fn rows_at_a_time(rows: &i64) -> Values {
    [(Knob::Rows, *rows)].into()
}

fn first_planned(
    cx: &StepCx<'_>,
    written: impl Iterator<Item = Result<(Func, Values)>>,
) -> Result<(Func, Values)> {
    let mut last = None;
    for step in written {
        let (func, values) = step?;
        match plan::plan(&func, cx.chip) {
            Ok(_) => return Ok((func, values)),
            Err(overflow) => last = Some((errors::capacity(&func, &overflow), overflow)),
        }
    }
    match last {
        Some((_, overflow)) if !cx.given.spans.is_empty() => {
            Err(errors::schedule::does_not_fit(cx.given, &overflow, cx.chip))
        }
        Some((found, _)) => Err(Box::new(found)),
        None => Err(errors::not_compiled(
            Span::NONE,
            "a step without sizes is not compiled yet",
        )),
    }
}
