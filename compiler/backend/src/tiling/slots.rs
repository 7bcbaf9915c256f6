//! What is open about each kind of step, and how the language names it.
//!
//! The one list of a tiler's decisions: what stands here is printed, may be written and is searched.

use std::collections::{BTreeMap, BTreeSet};

use ir::algo::{Func, Index, Tensor};
use isa::types::Space;

use super::StepCx;
use super::product::pad;
use crate::partition::{Epilogue, Product, Rows, Step, Stream, members};
use crate::schedule::{Axis, Form, Knob, Slot};

/// The name of a definition.
pub(crate) fn name_of(cx: &StepCx<'_>, def: usize) -> String {
    tensor_name(cx, cx.algo.defs[def].target)
}

/// The name of a tensor, as the language has it.
fn tensor_name(cx: &StepCx<'_>, tensor: Tensor) -> String {
    cx.names.get(&tensor).cloned().unwrap_or_default()
}

/// Names that can be written, and that differ: those of the authors as far as they do.
pub(crate) fn tensor_names(algo: &Func) -> BTreeMap<Tensor, String> {
    let mut known = BTreeSet::new();
    let mut names = BTreeMap::new();
    for (tensor, data) in algo.tensors.iter() {
        let parts: Vec<String> = data.name.split('.').map(word).collect();
        let plain = parts.join(".");
        let others = (2..).map(|number: u32| format!("{plain}_{number}"));
        let mut all = std::iter::once(plain.clone()).chain(others);
        let name = all.find(|name| !known.contains(name)).unwrap_or(plain);
        known.insert(name.clone());
        names.insert(tensor, name);
    }
    names
}

/// The name of an index, as the language has it.
pub(crate) fn index_name(algo: &Func, index: Index) -> String {
    word(&algo.indices[index].name).replace('.', "_")
}

/// A word that does not begin with a digit.
fn word(text: &str) -> String {
    match text.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("p{text}"),
        false => text.to_owned(),
    }
}

/// The definition that names a step.
pub(crate) fn head(step: &Step) -> Option<usize> {
    members(step).first().copied()
}

/// The slots of a step.
pub(crate) fn slots(cx: &StepCx<'_>, step: &Step) -> Vec<Slot> {
    match step {
        Step::Product(product, epilogue) => of_product(cx, product, epilogue),
        Step::Rows(rows) => of_rows(cx, rows),
        Step::Sort(sorted) => {
            let mut slots = Vec::new();
            let outer = cx.algo.defs[sorted.rank].indices.len().checked_sub(2);
            slots.extend(axis_at(cx, sorted.rank, outer).map(grid(Knob::Rows)));
            slots.push(Slot::engine(names(cx, &members(step)), "vector"));
            slots
        }
        Step::Items(def) => of_items(cx, *def),
        Step::Scan(def) => {
            let along_vector = super::scan::vector_index(cx.algo, *def);
            let own = &cx.algo.defs[*def].indices;
            let dim = own.iter().position(|&i| Some(i) == along_vector);
            along(cx, *def, dim)
        }
        Step::Stream(pass) => of_pass(cx, pass),
    }
}

/// A step that walks the items of a reduction, some of them for some elements of its result at a time.
fn of_items(cx: &StepCx<'_>, def: usize) -> Vec<Slot> {
    let last = cx.algo.defs[def].indices.len().checked_sub(1);
    let mut slots = along(cx, def, last);
    let axis = cx.algo.root_reduce(def).and_then(|r| r.axes.last());
    slots.extend(axis.map(|&index| {
        let axis = Axis {
            defs: names(cx, &[def]),
            index: index_name(cx.algo, index),
        };
        stream(Knob::Packet, axis, None, Vec::new(), None)
    }));
    slots
}

/// A step that walks one index of its result, some elements at a time.
fn along(cx: &StepCx<'_>, def: usize, dim: Option<usize>) -> Vec<Slot> {
    let mut slots = Vec::new();
    if let Some(axis) = axis_at(cx, def, dim) {
        let places = vec![(names(cx, &[def]), Space::Ub)];
        slots.push(stream(Knob::Cols, axis, None, places, None));
    }
    slots.push(Slot::engine(names(cx, &[def]), "vector"));
    slots
}

fn of_rows(cx: &StepCx<'_>, step: &Rows) -> Vec<Slot> {
    let depth = step.rows.len();
    let widest = (step.defs.iter().copied()).max_by_key(|&def| cx.indices(def).len());
    let name = |place: Option<usize>| {
        let def = widest?;
        let index = *cx.indices(def).get(place?)?;
        Some(Axis {
            // The head first: it names the step.
            defs: names(cx, &step.defs),
            index: index_name(cx.algo, index),
        })
    };
    let last = widest.and_then(|def| cx.indices(def).len().checked_sub(1));
    let mut slots = Vec::new();
    let row = name(depth.checked_sub(1));
    let mut column = name(last.filter(|&last| last >= depth));
    if let (Some(row), Some(column)) = (&row, &mut column)
        && row.index == column.index
    {
        column.index += "_2";
    }
    slots.extend(row.map(grid(Knob::Rows)));
    slots.extend(column.map(grid(Knob::Cols)));
    slots.push(Slot::new(Knob::Pitch, Form::Pad(names(cx, &step.defs))));
    let results = Form::Depth {
        names: names(cx, &step.defs),
        space: Space::Ub,
    };
    slots.push(Slot::new(Knob::OutDepth, results));
    slots.push(Slot::engine(names(cx, &step.defs), "vector"));
    slots
}

fn of_product(cx: &StepCx<'_>, product: &Product, epilogue: &Epilogue) -> Vec<Slot> {
    let tensor = |t: Tensor| tensor_name(cx, t);
    let (a, b) = (tensor(product.a.tensor), tensor(product.b.tensor));
    let own = name_of(cx, product.def);
    let axis = |index: Index| Axis {
        defs: vec![own.clone()],
        index: index_name(cx.algo, index),
    };
    let mut slots: Vec<Slot> = product
        .m
        .map(axis)
        .map(grid(Knob::Rows))
        .into_iter()
        .collect();
    slots.push(grid(Knob::Cols)(axis(product.n)));
    slots.push(elsewhere(Knob::Order));
    let in_l1 = vec![(vec![a.clone(), b.clone()], Space::L1)];
    let depth = Some(Knob::PacketDepth);
    slots.push(stream(Knob::Packet, axis(product.k), None, in_l1, depth));
    slots.push(elsewhere(Knob::PacketDepth));
    let in_l0 = vec![(vec![a], Space::L0a), (vec![b], Space::L0b)];
    let (outer, depth) = (Some(Knob::Packet), Some(Knob::StepDepth));
    slots.push(stream(Knob::Step, axis(product.k), outer, in_l0, depth));
    slots.push(elsewhere(Knob::StepDepth));
    let accumulator = Form::Depth {
        names: vec![own.clone()],
        space: Space::L0c,
    };
    slots.push(Slot::new(Knob::AccDepth, accumulator));
    // A factor as this product reads it, which may be a copy.
    slots.extend(pad::slots(cx, product, |factor| {
        format!("{own}.{}", tensor(factor.tensor))
    }));
    match epilogue {
        Epilogue::Store => {}
        Epilogue::Fixpipe(fix) => {
            slots.push(Slot::new(
                Knob::Epilogue,
                Form::Epilogue(names(cx, &[fix.def])),
            ));
        }
        Epilogue::Vector(defs) => {
            slots.push(Slot::new(Knob::Epilogue, Form::Epilogue(names(cx, defs))));
            let row = product.m.and_then(|m| {
                let own = &cx.algo.defs[product.def].indices;
                own.iter().position(|&i| i == m)
            });
            if let Some(axis) = defs.first().and_then(|&def| axis_at(cx, def, row)) {
                let places = vec![(names(cx, defs), Space::Ub)];
                slots.push(stream(Knob::Strip, axis, Some(Knob::Rows), places, None));
            }
        }
    }
    slots
}

fn of_pass(cx: &StepCx<'_>, pass: &Stream) -> Vec<Slot> {
    let mut slots = Vec::new();
    let fields: Vec<String> = (pass.cascade.fields.iter())
        .map(|field| tensor_name(cx, field.tensor))
        .collect();
    let (Some(score), Some(head)) = (pass.scores.first(), pass.defs.first()) else {
        return slots;
    };
    let own = cx.algo.defs[score.def].indices.clone();
    let rows = pass.cascade.rows.len();
    // The rows as the fields name them, the items as the scores do.
    let row = axis_at(cx, *head, rows.checked_sub(1));
    slots.extend(row.clone().map(grid(Knob::Rows)));
    if let Some(axis) = axis_at(cx, score.def, own.len().checked_sub(1)) {
        slots.push(stream(Knob::Cols, axis.clone(), None, Vec::new(), None));
        let b = tensor_name(cx, score.b.tensor);
        let places = vec![(vec![b], Space::L0b)];
        slots.push(stream(Knob::Scores, axis, Some(Knob::Cols), places, None));
    }
    if let Some((_, sum)) = pass.sums.first() {
        let axis = Axis {
            defs: names(cx, &[sum.def]),
            index: index_name(cx.algo, sum.k),
        };
        let b = tensor_name(cx, sum.b.tensor);
        let places = vec![(vec![b], Space::L0b)];
        slots.push(stream(Knob::Weights, axis, Some(Knob::Cols), places, None));
    }
    if let Some(axis) = row {
        let places = vec![(fields.clone(), Space::Ub)];
        let depth = Some(Knob::StripDepth);
        slots.push(stream(Knob::Strip, axis, Some(Knob::Rows), places, depth));
        slots.push(elsewhere(Knob::StripDepth));
    }
    slots
}

fn names(cx: &StepCx<'_>, defs: &[usize]) -> Vec<String> {
    defs.iter().map(|&def| name_of(cx, def)).collect()
}

/// The index of a definition's dimension.
fn axis_at(cx: &StepCx<'_>, def: usize, dim: Option<usize>) -> Option<Axis> {
    let index = *cx.algo.defs[def].indices.get(dim?)?;
    Some(Axis {
        defs: names(cx, &[def]),
        index: index_name(cx.algo, index),
    })
}

fn grid(knob: Knob) -> impl Fn(Axis) -> Slot {
    move |axis| Slot::new(knob, Form::Grid(axis))
}

fn elsewhere(knob: Knob) -> Slot {
    Slot::new(knob, Form::Elsewhere)
}

fn stream(
    knob: Knob,
    axis: Axis,
    inside: Option<Knob>,
    places: Vec<(Vec<String>, Space)>,
    depth: Option<Knob>,
) -> Slot {
    let form = Form::Stream {
        axis,
        inside,
        places,
        depth,
    };
    Slot::new(knob, form)
}
