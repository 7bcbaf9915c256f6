//! Factors whose rows begin inside a sector of L2, copied once into rows that do not.
//!
//! Such a row asks for whole lines at both of its ends, and those are not kept: each block of the result that reads the
//! row again fetches them from global memory. A copy with longer rows costs one way through the vector cores. Whether it
//! pays is reckoned with the same costs as the sizes of blocks; the decision is the distance of rows that the cube reads.

use ir::algo::Index;
use ir::tile::{Arg, CoreQuery, Func, Op, Tensor};
use isa::chip::Chip;
use isa::types::{Layout, Space};

use super::Extents;
use super::phases::task;
use super::sizes;
use crate::Level;
use crate::errors;
use crate::partition::{Epilogue, Factor, Grouped, Product};
use crate::schedule::{Form, Knob, Slot, Values};
use crate::tiling::access::Linear;
use crate::tiling::builder::{Builder, Shape, whole};
use crate::tiling::expr::{GmMap, ceil_div, round_up};
use crate::tiling::{Result, StepCx, vector_phase, workspace};

/// The decisions, one for each factor.
pub(crate) const KNOBS: [Knob; 2] = [Knob::LeftPitch, Knob::RightPitch];

/// Distances of the rows of both factors; none where nothing is to be decided.
pub(crate) type Pitches = [Option<i64>; 2];

/// Elements of a copy that a vector core makes at a time (we choose): two of each fit beside each other.
const CHUNK_BYTES: i64 = 49_152;

/// Cycles of a copy besides its bytes: cores meet before the product begins (we choose).
const MEETING: i64 = 4_000;

/// Elements in a sector of L2.
fn sector(chip: &Chip, size: i64) -> i64 {
    i64::try_from(chip.memory.l2_sector).unwrap_or(1) / size.max(1)
}

/// Whether rows so many elements apart begin at sectors, if the first one does.
pub(crate) fn is_even(chip: &Chip, pitch: i64, size: i64) -> bool {
    pitch % sector(chip, size).max(1) == 0
}

fn factors(product: &Product) -> [&Factor; 2] {
    [&product.a, &product.b]
}

/// Which factors a copy can stand for, and would lie better.
pub(crate) fn open(cx: &StepCx<'_>, product: &Product) -> [bool; 2] {
    let shapes = cx.algo.symbols.is_empty() && product.window.is_none();
    factors(product).map(|factor| {
        let size = i64::try_from(cx.algo.tensors[factor.tensor].elem.bytes()).unwrap_or(4);
        shapes
            && factor.pitch > sector(cx.chip, size)
            && !is_even(cx.chip, factor.pitch, size)
            && moved(cx, factor, factor.pitch).is_some()
    })
}

/// The factor as a copy with other rows has it; none if it does not keep to the rows.
fn moved(cx: &StepCx<'_>, factor: &Factor, pitch: i64) -> Option<Factor> {
    let old = factor.pitch;
    let cells: i64 = cx.algo.tensors[factor.tensor].shape.iter().product();
    let (row, within) = (
        factor.at.constant.div_euclid(old),
        factor.at.constant.rem_euclid(old),
    );
    let extent = |index: &Index| cx.algo.indices[*index].extent;
    let mut last = within;
    let mut at = Linear {
        constant: row.checked_mul(pitch)?.checked_add(within)?,
        ..Linear::default()
    };
    for (index, &stride) in &factor.at.strides {
        let new = match stride % old {
            0 => (stride / old).checked_mul(pitch)?,
            _ if (1..old).contains(&stride) => {
                last = last.checked_add(stride.checked_mul(extent(index) - 1)?)?;
                stride
            }
            _ => return None,
        };
        at.strides.insert(*index, new);
    }
    let grouped = factor.grouped.iter().map(|known| {
        let step = match known.step % old {
            0 => (known.step / old).checked_mul(pitch)?,
            _ => return None,
        };
        Some(Grouped {
            step,
            ..known.clone()
        })
    });
    let grouped = grouped.collect::<Option<Vec<Grouped>>>()?;
    let chosen = match &factor.chosen {
        Some(chosen) if chosen.step % old != 0 => return None,
        Some(chosen) => {
            let mut chosen = chosen.clone();
            chosen.step = (chosen.step / old).checked_mul(pitch)?;
            Some(chosen)
        }
        None => None,
    };
    (cells % old == 0 && last < old).then(|| Factor {
        at,
        pitch,
        grouped,
        chosen,
        ..factor.clone()
    })
}

/// The product with its factors as copies have them.
pub(crate) fn padded(cx: &StepCx<'_>, product: &Product, pitches: Pitches) -> Product {
    let factor = |own: &Factor, pitch: Option<i64>| {
        let new = pitch.and_then(|pitch| moved(cx, own, pitch));
        new.unwrap_or_else(|| own.clone())
    };
    Product {
        a: factor(&product.a, pitches[0]),
        b: factor(&product.b, pitches[1]),
        ..product.clone()
    }
}

/// The distances of rows that take the least time, as far as they are not given.
pub(crate) fn decide(cx: &StepCx<'_>, product: &Product, epilogue: &Epilogue) -> Result<Pitches> {
    let open = open(cx, product);
    if open == [false; 2] {
        return Ok([None; 2]);
    }
    let size = Extents::of(cx, product).size();
    let own = factors(product).map(|factor| factor.pitch);
    let longer = own.map(|pitch| round_up(pitch, sector(cx.chip, size).max(1)));
    let given = KNOBS.map(|knob| cx.given.values.get(&knob).copied());
    let mut all: Vec<Pitches> = Vec::new();
    for left in choices(open[0], given[0], [own[0], longer[0]]) {
        for right in choices(open[1], given[1], [own[1], longer[1]]) {
            all.push([left, right]);
        }
    }
    let same = product.a.tensor == product.b.tensor;
    all.retain(|pitches| {
        let right = |(pitch, own): (&Option<i64>, i64)| {
            pitch.is_none_or(|pitch| pitch == own || is_better(cx.chip, pitch, own, size))
        };
        pitches.iter().zip(own).all(right) && (!same || pitches[0] == pitches[1])
    });
    let plain = cx.level == Level::O0;
    let cost = |pitches: &Pitches| match plain {
        true => copies(pitches, own),
        false => cost(cx, (product, epilogue), *pitches),
    };
    (all.into_iter().min_by_key(cost)).ok_or_else(|| {
        let knob = KNOBS
            .into_iter()
            .find(|knob| cx.given.values.contains_key(knob));
        let possible = [own[0], longer[0]].into_iter().chain([own[1], longer[1]]);
        let knob = knob.unwrap_or_default();
        let possible: Vec<Values> = possible.map(|pitch| [(knob, pitch)].into()).collect();
        errors::schedule::no_such_size(cx.given, knob, &possible)
    })
}

fn is_better(chip: &Chip, pitch: i64, own: i64, size: i64) -> bool {
    pitch > own && pitch < 2 * own && is_even(chip, pitch, size)
}

fn choices(open: bool, given: Option<i64>, own: [i64; 2]) -> Vec<Option<i64>> {
    match (open, given) {
        (false, _) => vec![None],
        (true, Some(given)) => vec![Some(given)],
        (true, None) => own.map(Some).to_vec(),
    }
}

/// How many factors are copied.
fn copies(pitches: &Pitches, own: [i64; 2]) -> i64 {
    let copied = |(pitch, own): (&Option<i64>, i64)| i64::from(pitch.is_some_and(|p| p != own));
    pitches.iter().zip(own).map(copied).sum()
}

/// Cycles of the product and of the copies before it.
fn cost(cx: &StepCx<'_>, (product, epilogue): (&Product, &Epilogue), pitches: Pitches) -> i64 {
    let new = padded(cx, product, pitches);
    let extents = Extents::of(cx, &new);
    let task = task(cx, &new, epilogue, &extents);
    let blocks = sizes::candidates(&task)
        .into_iter()
        .map(|(cycles, _)| cycles);
    let before: i64 = (copied(product, &new).into_iter().flatten())
        .map(|(factor, pitch)| copy_cycles(cx, factor, pitch))
        .sum();
    blocks.min().unwrap_or(0).saturating_add(before)
}

/// The factors that are copied, with the distance of rows of the copy; one tensor once.
fn copied<'p>(product: &'p Product, new: &Product) -> [Option<(&'p Factor, i64)>; 2] {
    let one = |own: &'p Factor, new: &Factor| (own.pitch != new.pitch).then_some((own, new.pitch));
    let left = one(&product.a, &new.a);
    let right = one(&product.b, &new.b);
    let again = product.a.tensor == product.b.tensor && left.is_some();
    [left, if again { None } else { right }]
}

/// What a copy takes: its way from global memory and back to L2, or through the vector cores.
fn copy_cycles(cx: &StepCx<'_>, factor: &Factor, pitch: i64) -> i64 {
    let chip = cx.chip;
    let data = &cx.algo.tensors[factor.tensor];
    let size = i64::try_from(data.elem.bytes()).unwrap_or(4);
    let read = data.shape.iter().product::<i64>().saturating_mul(size);
    let written = read / factor.pitch * pitch;
    let number = |x: u64| i64::try_from(x).unwrap_or(i64::MAX).max(1);
    let clock = number(chip.cores.clock_mhz);
    // MB/s over MHz are bytes a cycle.
    let memory = read / (number(chip.memory.hbm_effective_mbps) / clock).max(1);
    let l2 = (read + written) / (number(chip.memory.l2_mixed_mbps) / clock).max(1);
    let port = written / number(chip.mte3.ub_port) / cx.vector_cores().max(1);
    memory.max(l2).max(port) + MEETING
}

/// Writes the copies, each as a phase of the vector cores; where the cube finds the factors then.
pub(crate) fn copy(
    cx: &StepCx<'_>,
    (product, new): (&Product, &Product),
    mut out: Func,
    gm: &GmMap,
) -> (Func, GmMap) {
    let mut gm = gm.clone();
    for (factor, pitch) in copied(product, new).into_iter().flatten() {
        let Some(&source) = gm.get(&factor.tensor) else {
            continue;
        };
        let data = &cx.algo.tensors[factor.tensor];
        let rows = data.shape.iter().product::<i64>() / factor.pitch;
        let span = cx.algo.defs[product.def].span;
        let mut b = vector_phase(out, span);
        let name = format!(
            "{}_rows{}",
            b.func.tensors[source].name,
            b.func.phases.len()
        );
        let to = workspace(&mut b.func, &name, data.elem, &[rows, pitch], span);
        copy_rows(cx, &mut b, (source, to), (rows, factor.pitch, pitch));
        out = b.func;
        gm.insert(factor.tensor, to);
    }
    (out, gm)
}

/// Rows of one distance to rows of another.
fn copy_rows(
    cx: &StepCx<'_>,
    b: &mut Builder,
    (source, to): (Tensor, Tensor),
    (rows, own, new): (i64, i64, i64),
) {
    let elem = b.func.tensors[source].elem;
    let size = i64::try_from(elem.bytes()).unwrap_or(4);
    let unit = 32 / size.max(1);
    let widest = CHUNK_BYTES / size;
    // Parts of a long row begin where sectors of the copy do.
    let cols = match own <= widest {
        true => own,
        false => widest / sector(cx.chip, size).max(1) * sector(cx.chip, size).max(1),
    };
    let pitch = round_up(cols, unit);
    let cores = cx.vector_cores();
    let count = (widest / pitch).min(ceil_div(rows, cores)).clamp(1, 255);
    let core = Arg::Val(b.query(CoreQuery::Core));
    b.for_loop(core, ceil_div(rows, count), cores, |b, chunk| {
        let first = b.mul(chunk, count);
        let here = b.clip(count.min(rows), rows, first);
        let (from, into) = (b.mul(first, own), b.mul(first, new));
        b.for_loop(0, own, cols, |b, col| {
            let col = match own <= cols {
                true => Arg::Const(0),
                false => Arg::Val(col),
            };
            let wide = b.clip(cols, own, col);
            let shape = Shape {
                elem,
                space: Space::Ub,
                layout: Layout::Nd,
                depth: cx.depth(),
                rows: count,
                cols: pitch,
            };
            let buf = b.buf("rows", shape);
            let at = b.add(from, col);
            b.push(Op::Load {
                dst: whole(buf),
                tensor: source,
                at,
                rows: here,
                cols: wide,
                pitch: Arg::Const(own),
            });
            let at = b.add(into, col);
            b.push(Op::Store {
                tensor: to,
                at,
                src: whole(buf),
                rows: here,
                cols: wide,
                pitch: Arg::Const(new),
            });
        });
    });
}

/// What is open about the factors' rows, for the list of decisions.
pub(crate) fn slots(
    cx: &StepCx<'_>,
    product: &Product,
    name: impl Fn(&Factor) -> String,
) -> Vec<Slot> {
    let all = KNOBS
        .into_iter()
        .zip(factors(product))
        .zip(open(cx, product));
    let open = all.filter_map(|(slot, open)| open.then_some(slot));
    open.map(|(knob, factor)| Slot::new(knob, Form::Pad(vec![name(factor)])))
        .collect()
}
