//! A kernel cut into steps, with what is open and what is given about each, and its tile form before any phase.

use std::collections::{BTreeMap, BTreeSet};

use diag::Diagnostic;
use ir::algo::{self, Role};
use ir::tile::{Func, Stage, TensorData, TensorRole};

use super::expr::GmMap;
use super::{Passes, StepCx, Task, slots, work};
use crate::partition::{Step, Stream, members, partition};
use crate::pass::derive::{self, Cascade};
use crate::pass::normalize;
use crate::pass::padded;
use crate::pass::parts::{self, Parts};
use crate::schedule::{Given, Schedule, StepSchedule, Values, resolve};

/// A kernel cut into steps.
pub(super) struct Cut<'a> {
    algo: algo::Func,
    parts: Parts,
    pub(super) steps: Vec<Step>,
    stored: BTreeSet<usize>,
    names: BTreeMap<algo::Tensor, String>,
    groups: u32,
    /// What was written for this chip.
    written: Option<&'a ir::schedule::Schedule>,
    /// Nothing decided about the steps.
    pub(super) open: Schedule,
}

pub(super) fn cut<'a>(
    func: &'a algo::Func,
    task: &Task<'_>,
) -> std::result::Result<Cut<'a>, Vec<Diagnostic>> {
    let mut algo = normalize::run(func);
    // Boxes and streams are written for known sizes.
    let parts = if func.symbols.is_empty() {
        let mut padded = padded::run(&mut algo);
        padded.extend(parts::run(&mut algo));
        padded
    } else {
        Parts::new()
    };
    let chip = task.chip;
    let written = resolve::applicable(func, chip);
    let early = resolve::early(written, task.wanted);
    let mut keep = Vec::new();
    let derived = match task.passes != Passes::None && !early.keeps {
        true => derive::run(&mut algo, &is_one_pass),
        false => {
            keep = derive::fields(&algo, &is_one_pass);
            derive::Derived::default()
        }
    };
    let names = slots::tensor_names(&algo);
    let steps = partition(&algo, &derived.cascades, &parts, &early.on_vector);
    let cores = resolve::cores(written, task.wanted, (&algo.name, chip)).map_err(|d| vec![*d])?;
    let open = Schedule {
        kernel: algo.name.clone(),
        target: chip.name.clone(),
        cores,
        keep: keep.iter().filter_map(|t| names.get(t).cloned()).collect(),
        steps: Vec::new(),
        remarks: (derived.remarks.iter())
            .map(|remark| derive::remark(&algo, remark))
            .collect(),
    };
    let mut cut = Cut {
        stored: stored(&algo, &steps, &parts),
        names,
        algo,
        parts,
        steps,
        groups: cores.unwrap_or(u32::try_from(chip.cores.cube).unwrap_or(1)),
        written,
        open,
    };
    cut.open.steps = open_steps(&cut.cx(task, &Given::default()), &cut.steps);
    Ok(cut)
}

impl Cut<'_> {
    pub(super) fn cx<'c>(&'c self, task: &Task<'c>, given: &'c Given) -> StepCx<'c> {
        StepCx {
            algo: &self.algo,
            chip: task.chip,
            level: task.level,
            crosses: task.passes == Passes::Across,
            groups: self.groups,
            stored: &self.stored,
            parts: &self.parts,
            names: &self.names,
            given,
        }
    }

    /// What is given about each step.
    pub(super) fn given(
        &self,
        task: &Task<'_>,
    ) -> std::result::Result<Vec<Given>, Vec<Diagnostic>> {
        let steps = &self.open.steps;
        let mut given = resolve::wanted(steps, task.wanted);
        if let Some(written) = self.written {
            let none = Given::default();
            let cx = self.cx(task, &none);
            let stored = (self.stored.iter())
                .map(|&def| slots::name_of(&cx, def))
                .chain(self.open.keep.iter().cloned())
                .collect();
            let indices = self.algo.indices.keys();
            let scope = resolve::Scope {
                kernel: &self.algo.name,
                chip: task.chip,
                tensors: self.names.values().map(String::as_str).collect(),
                indices: indices.map(|i| slots::index_name(&self.algo, i)).collect(),
                stored: &stored,
                steps,
            };
            resolve::written(written, &scope, &mut given)?;
        }
        Ok(given)
    }

    /// The tile form with its tensors and no phase.
    pub(super) fn empty(&self, task: &Task<'_>) -> (Func, GmMap) {
        let algo = &self.algo;
        let mut out = Func {
            name: algo.name.clone(),
            target: task.chip.name.clone(),
            sizes: algo.sizes.clone(),
            symbols: algo.symbols.clone(),
            work: work::known(algo, &self.steps),
            stage: Stage::Tiled,
            groups: self.groups,
            ..Func::default()
        };
        if !algo.symbols.is_empty() {
            out.symbols.work = work::formulas(algo, &self.steps);
        }
        let gm = tensors(&self.cx(task, &Given::default()), &mut out);
        (out, gm)
    }
}

/// The steps with what is open about each, and nothing decided.
fn open_steps(cx: &StepCx<'_>, steps: &[Step]) -> Vec<StepSchedule> {
    let step = |step: &Step| StepSchedule {
        name: slots::head(step).map_or_else(String::new, |def| slots::name_of(cx, def)),
        values: Values::new(),
        slots: slots::slots(cx, step),
    };
    steps.iter().map(step).collect()
}

/// Whether a cascade is made in one pass. The launch may give how many rows and items there are, but not how wide they are,
/// and not those of a pass of the vector cores alone.
pub(super) fn is_one_pass(func: &algo::Func, cascade: &Cascade) -> bool {
    let known = |index: algo::Index| !func.symbols.is_symbolic(func.indices[index].extent);
    let narrow = |stream: Stream| {
        let scores = stream.scores.iter().map(|product| product.k);
        let sums = stream.sums.iter().map(|(_, product)| product.n);
        scores.chain(sums).all(known)
    };
    let passes = match cascade.vector {
        true => func.symbols.is_empty(),
        false => Stream::new(func, cascade).is_some_and(narrow),
    };
    cascade.items > 1 && passes
}

/// Definitions whose tensor is a result or read by another step.
fn stored(algo: &algo::Func, steps: &[Step], parts: &Parts) -> BTreeSet<usize> {
    let by_target: BTreeMap<_, _> = algo
        .defs
        .iter()
        .enumerate()
        .map(|(i, d)| (d.target, i))
        .collect();
    let mut stored: BTreeSet<usize> = (0..algo.defs.len())
        .filter(|&d| {
            let target = algo.defs[d].target;
            algo.tensors[target].role == Role::Result || parts.contains_key(&target)
        })
        .collect();
    for step in steps {
        let inside = members(step);
        for &def in &inside {
            for load in algo.accesses(algo.defs[def].value) {
                if let Some((tensor, _)) = algo.access(load)
                    && let Some(source) = by_target.get(&tensor)
                    && !inside.contains(source)
                {
                    stored.insert(*source);
                }
            }
        }
    }
    stored
}

/// Parameters, results and workspaces of the tile form.
fn tensors(cx: &StepCx<'_>, out: &mut Func) -> GmMap {
    let algo = cx.algo;
    let arguments = algo.params.iter().map(|&t| (t, TensorRole::In));
    let results = algo.results.iter().map(|&t| (t, TensorRole::Out));
    let work = cx
        .stored
        .iter()
        .map(|&d| algo.defs[d].target)
        .filter(|&t| algo.tensors[t].role == Role::Let && !cx.parts.contains_key(&t))
        .map(|t| (t, TensorRole::Work));
    // What boxes make is theirs together.
    let wholes: BTreeSet<_> = cx.parts.values().map(|part| part.whole).collect();
    let wholes = wholes.into_iter();
    let wholes = wholes.filter(|&t| algo.tensors[t].role == Role::Let);
    let work = work.chain(wholes.map(|t| (t, TensorRole::Work)));
    let all: Vec<_> = arguments.chain(results).chain(work).collect();
    let mut gm = GmMap::new();
    for (tensor, role) in all {
        let data = &algo.tensors[tensor];
        let new = out.tensors.push(TensorData {
            name: data.name.replace('.', "_"),
            elem: data.elem,
            shape: data.shape.clone(),
            role,
            span: data.span,
        });
        gm.insert(tensor, new);
    }
    for (&tensor, part) in cx.parts {
        if let Some(&memory) = gm.get(&part.whole) {
            gm.insert(tensor, memory);
        }
    }
    gm
}
