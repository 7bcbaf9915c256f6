//! What each kind of step has to try, told once: its sizes, and how it is written for one of them.
//!
//! Who chooses a size and who lists all of them go through the same arms.

use ir::tile::Func;

use super::expr::GmMap;
use super::trial::{self, Choose, Pick, Sized, Survey, columns, open, rows_at_a_time};
use super::{Result, StepCx, items, product, rows, scan, sort, span_of, stream, vector_phase};
use crate::partition::{Epilogue, Product, Step};
use crate::schedule::space::StepSpace;
use crate::schedule::{Knob, Values};

/// What is done with the sizes of a step.
trait Trial {
    /// What comes of it.
    type Made;
    /// Whether it goes through more sizes than those of the rule.
    const MORE: bool;

    /// Of a step that is written for one of several sizes.
    fn sized<S>(self, cx: &StepCx<'_>, base: &Func, step: Sized<'_, S>) -> Result<Self::Made>;

    /// Of a product, whose sizes have a price before anything is written.
    fn product(
        self,
        cx: &StepCx<'_>,
        product: (&Product, &Epilogue),
        base: Func,
        gm: &GmMap,
    ) -> Result<Self::Made>;
}

/// Writes a step behind what there is; gives what was decided about it.
pub(super) fn emit(cx: &StepCx<'_>, step: &Step, base: Func, gm: &GmMap) -> Result<(Func, Values)> {
    each(cx, step, base, gm, Choose)
}

/// Every decision that a tiler can make about a step, with what it reckons it to take.
pub(super) fn candidates(
    cx: &StepCx<'_>,
    step: &Step,
    base: Func,
    gm: &GmMap,
    space: &mut StepSpace,
) -> Result<()> {
    each(cx, step, base, gm, Survey(space))
}

fn each<T: Trial>(
    cx: &StepCx<'_>,
    step: &Step,
    base: Func,
    gm: &GmMap,
    trial: T,
) -> Result<T::Made> {
    match step {
        Step::Rows(rows) => {
            let blocks = rows::blocks(cx, rows);
            let sizes = open(cx, blocks, rows::Block::values, &|given, all| {
                rows::given(cx, rows, given, all)
            })?;
            let write = &mut |base, block: &rows::Block| {
                let b = vector_phase(base, span_of(cx, rows.defs[0]));
                Ok(rows::emit(cx, rows, *block, b, gm)?.func)
            };
            trial.sized(cx, &base, Sized::new(sizes, Pick::Cheapest, write))
        }
        Step::Items(def) => {
            let usual = items::sizes(cx, *def);
            let sizes = open(cx, usual, items::Size::values, &|given, all| {
                items::given(cx, *def, given, all)
            })?;
            let write = &mut |base, size: &items::Size| {
                let b = vector_phase(base, span_of(cx, *def));
                Ok(items::emit(cx, *def, *size, b, gm)?.func)
            };
            trial.sized(cx, &base, Sized::new(sizes, Pick::Cheapest, write))
        }
        Step::Sort(sorted) => {
            let counts = sort::row_counts(cx, sorted);
            let sizes = open(cx, counts, rows_at_a_time, &|given, all| {
                let rows = given.values.get(&Knob::Rows).copied();
                let rows = rows.filter(|rows| all.iter().max() >= Some(rows));
                rows.into_iter().collect()
            })?;
            let write = &mut |base, &rows: &i64| {
                let b = vector_phase(base, span_of(cx, sorted.places));
                Ok(sort::emit(cx, sorted, rows, b, gm)?.func)
            };
            trial.sized(cx, &base, Sized::new(sizes, Pick::Cheapest, write))
        }
        Step::Scan(def) => {
            let sizes = columns(cx, scan::capacities(cx, *def))?;
            let write = &mut |base, &cap: &i64| {
                let b = vector_phase(base, span_of(cx, *def));
                Ok(scan::emit(cx, *def, cap, b, gm)?.func)
            };
            trial.sized(cx, &base, Sized::new(sizes, Pick::First, write))
        }
        Step::Stream(pass) => {
            let usual = stream::sizes(cx, pass);
            let mut sizes = open(cx, usual, stream::Size::values, &|given, all| {
                stream::given((cx, pass), given, all)
            })?;
            if T::MORE {
                sizes.extend(stream::more_sizes(cx, pass, &sizes));
            }
            let write = &mut |base, size: &stream::Size| stream::emit(cx, pass, size, base, gm);
            trial.sized(cx, &base, Sized::new(sizes, Pick::First, write))
        }
        Step::Product(product, epilogue) => trial.product(cx, (product, epilogue), base, gm),
    }
}

impl Trial for Choose {
    type Made = (Func, Values);
    const MORE: bool = false;

    fn sized<S>(self, cx: &StepCx<'_>, base: &Func, step: Sized<'_, S>) -> Result<(Func, Values)> {
        trial::choose(cx, base, step)
    }

    fn product(
        self,
        cx: &StepCx<'_>,
        product: (&Product, &Epilogue),
        base: Func,
        gm: &GmMap,
    ) -> Result<(Func, Values)> {
        product::phases::emit(cx, product, base, gm)
    }
}

impl Trial for Survey<'_> {
    type Made = ();
    const MORE: bool = true;

    fn sized<S>(self, cx: &StepCx<'_>, base: &Func, step: Sized<'_, S>) -> Result<()> {
        trial::survey(cx, base, step, self.0)
    }

    fn product(
        self,
        cx: &StepCx<'_>,
        product: (&Product, &Epilogue),
        base: Func,
        gm: &GmMap,
    ) -> Result<()> {
        product::phases::candidates(cx, product, (base, gm), self.0)
    }
}
