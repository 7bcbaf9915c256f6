//! From the algorithm to the tile form: one phase per step of the default schedule.
//!
//! Sizes are found by trial: a step is written for the best sizes first, planned by the real planner, and written again
//! for the next smaller ones if a buffer does not fit. Start with [`tile`].

pub(crate) mod access;
mod builder;
mod expr;
mod items;
mod price;
mod product;
pub(crate) mod rows;
pub(crate) mod scan;
mod slots;
mod sort;
mod stream;
mod symbolic;

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, Span};
use ir::algo::{self, ExprKind, Index, Role};
use ir::tile::{Func, Phase, Stage, Tensor, TensorData, TensorRole, Work};
use isa::chip::Chip;
use isa::types::Elem;

use self::builder::Builder;
use self::expr::GmMap;
use self::product::sizes::{self, Tiles};
use self::product::{Extents, Output, cube, pad, vector, words};
use crate::Level;
use crate::errors;
use crate::partition::{Epilogue, Product, Step, Stream, members, partition};
use crate::pass::derive::{self, Cascade};
use crate::pass::normalize;
use crate::pass::parts::{self, Parts};
use crate::plan;
use crate::schedule::space::{Candidate, Lack, StepSpace, Term};
use crate::schedule::{Given, Knob, Schedule, StepSchedule, Values, resolve};

pub(crate) type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The tile form of a kernel and the schedule that led to it.
#[derive(Clone, Debug)]
pub struct Tiled {
    /// The tile form, at stage `Tiled`.
    pub func: Func,
    /// Every decision.
    pub schedule: Schedule,
}

/// What a step's code generator may know.
#[derive(Debug)]
pub(crate) struct StepCx<'a> {
    pub(crate) algo: &'a algo::Func,
    pub(crate) chip: &'a Chip,
    pub(crate) level: Level,
    pub(crate) groups: u32,
    stored: &'a BTreeSet<usize>,
    /// Boxes of results.
    pub(crate) parts: &'a Parts,
    /// How schedules call tensors.
    pub(crate) names: &'a BTreeMap<algo::Tensor, String>,
    /// What is decided about this step already.
    pub(crate) given: &'a Given,
}

impl StepCx<'_> {
    /// Vector cores of the launch.
    pub(crate) fn vector_cores(&self) -> i64 {
        2 * i64::from(self.groups)
    }

    /// Copies of a buffer that two pipes share.
    pub(crate) fn depth(&self) -> u32 {
        match self.level {
            Level::O0 => 1,
            Level::O1 | Level::O3 => 2,
        }
    }

    /// Elements a block of a vector step should hold.
    pub(crate) fn block_elements(&self) -> i64 {
        match self.level {
            Level::O0 => 64 * 64,
            Level::O1 | Level::O3 => 16384,
        }
    }

    /// Whether a definition's tensor is needed outside its step.
    pub(crate) fn stored(&self, def: usize) -> bool {
        self.stored.contains(&def)
    }

    /// The indices of a definition, those of its root reduction last.
    pub(crate) fn indices(&self, def: usize) -> Vec<Index> {
        let axes = self.algo.root_reduce(def).map(|r| r.axes.to_vec());
        let own = self.algo.defs[def].indices.iter().copied();
        own.chain(axes.unwrap_or_default()).collect()
    }
}

/// Tiles a kernel for a chip.
///
/// # Errors
/// What the machine or this compiler cannot do yet (E0502), and what fits no buffer at any size (E0501).
pub fn tile(
    func: &algo::Func,
    chip: &Chip,
    level: Level,
) -> std::result::Result<Tiled, Vec<Diagnostic>> {
    let task = |passes| Task {
        chip,
        level,
        passes,
        wanted: None,
    };
    tile_as(func, &task(true)).or_else(|_| tile_as(func, &task(false)))
}

/// How a kernel is tiled.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) chip: &'a Chip,
    pub(crate) level: Level,
    /// Whether several reductions may become one pass.
    pub(crate) passes: bool,
    /// Decisions besides those that are written.
    pub(crate) wanted: Option<&'a Schedule>,
}

/// Tiles a kernel, with passes over several reductions at once or without.
pub(crate) fn tile_as(
    func: &algo::Func,
    task: &Task<'_>,
) -> std::result::Result<Tiled, Vec<Diagnostic>> {
    let tiled = tile_numbered(func, task)?;
    if !func.symbols.is_empty() {
        let other = tile_numbered(&func.renumbered(), task)?;
        if let Some(span) = symbolic::first_difference(&tiled.func, &other.func) {
            return Err(vec![errors::needs_fixed(span)]);
        }
    }
    Ok(tiled)
}

/// A kernel cut into steps.
struct Cut<'a> {
    algo: algo::Func,
    parts: Parts,
    steps: Vec<Step>,
    stored: BTreeSet<usize>,
    names: BTreeMap<algo::Tensor, String>,
    groups: u32,
    /// What was written for this chip.
    written: Option<&'a ir::schedule::Schedule>,
    /// Nothing decided about the steps.
    open: Schedule,
}

fn cut<'a>(func: &'a algo::Func, task: &Task<'_>) -> std::result::Result<Cut<'a>, Vec<Diagnostic>> {
    let mut algo = normalize::run(func);
    // Boxes and streams are written for known sizes.
    let parts = if func.symbols.is_empty() {
        parts::run(&mut algo)
    } else {
        Parts::new()
    };
    let chip = task.chip;
    let written = resolve::applicable(func, chip);
    let early = resolve::early(written, task.wanted);
    let mut keep = Vec::new();
    let derived = match task.passes && !early.keeps {
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
    fn cx<'c>(&'c self, task: &Task<'c>, given: &'c Given) -> StepCx<'c> {
        StepCx {
            algo: &self.algo,
            chip: task.chip,
            level: task.level,
            groups: self.groups,
            stored: &self.stored,
            parts: &self.parts,
            names: &self.names,
            given,
        }
    }

    /// What is given about each step.
    fn given(&self, task: &Task<'_>) -> std::result::Result<Vec<Given>, Vec<Diagnostic>> {
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
    fn empty(&self, task: &Task<'_>) -> (Func, GmMap) {
        let algo = &self.algo;
        let mut out = Func {
            name: algo.name.clone(),
            target: task.chip.name.clone(),
            sizes: algo.sizes.clone(),
            symbols: algo.symbols.clone(),
            work: work(algo, &self.steps),
            stage: Stage::Tiled,
            groups: self.groups,
            ..Func::default()
        };
        if !algo.symbols.is_empty() {
            out.symbols.work = symbolic::work_formulas(algo, &self.steps);
        }
        let gm = tensors(&self.cx(task, &Given::default()), &mut out);
        (out, gm)
    }
}

fn tile_numbered(
    func: &algo::Func,
    task: &Task<'_>,
) -> std::result::Result<Tiled, Vec<Diagnostic>> {
    let cut = cut(func, task)?;
    let given = cut.given(task)?;
    let (mut out, gm) = cut.empty(task);
    let mut schedule = cut.open.clone();
    for ((step, given), decided) in cut.steps.iter().zip(&given).zip(&mut schedule.steps) {
        let cx = cut.cx(task, given);
        (out, decided.values) = step_phases(&cx, step, out, &gm).map_err(|d| vec![*d])?;
    }
    Ok(Tiled {
        func: out,
        schedule,
    })
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

/// The accumulators that were derived for a kernel, each with what merges it, and remarks on cascades without one.
pub fn derived_text(func: &algo::Func) -> String {
    let mut algo = normalize::run(func);
    let derived = derive::run(&mut algo, &is_one_pass);
    derive::text(&algo, &derived)
}

/// Why reductions that depend on each other are no pass, each with the place of the first of them.
pub fn remarks(func: &algo::Func) -> Vec<(Span, String)> {
    let mut algo = normalize::run(func);
    let found = derive::run(&mut algo, &is_one_pass).remarks;
    let place = |remark: &derive::Remark| (algo.tensors[remark.seed].span, remark.text.clone());
    found.iter().map(place).collect()
}

/// Whether a cascade is made in one pass; streams are written for known sizes.
fn is_one_pass(func: &algo::Func, cascade: &Cascade) -> bool {
    let passes = cascade.items > 1 && (cascade.vector || Stream::new(func, cascade).is_some());
    func.symbols.is_empty() && passes
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

/// Adds a workspace tensor.
pub(crate) fn workspace(
    func: &mut Func,
    name: &str,
    elem: Elem,
    shape: &[i64],
    span: Span,
) -> Tensor {
    func.tensors.push(TensorData {
        name: name.to_owned(),
        elem,
        shape: shape.iter().copied().collect(),
        role: TensorRole::Work,
        span,
    })
}

/// What can be decided about each step beside what is given.
///
/// # Errors
/// As for [`tile`], and what is written and cannot be.
pub(crate) fn space(
    func: &algo::Func,
    task: &Task<'_>,
) -> std::result::Result<Vec<StepSpace>, Vec<Diagnostic>> {
    let cut = cut(func, task)?;
    let given = cut.given(task)?;
    let (base, gm) = cut.empty(task);
    let mut spaces = Vec::new();
    for ((step, given), open) in cut.steps.iter().zip(&given).zip(&cut.open.steps) {
        let cx = cut.cx(task, given);
        let mut space = StepSpace {
            name: open.name.clone(),
            ..StepSpace::default()
        };
        candidates(&cx, step, &base, &gm, &mut space).map_err(|d| vec![*d])?;
        spaces.push(space);
    }
    Ok(spaces)
}

/// Every decision that a tiler can make about a step, with what it reckons it to take.
fn candidates(
    cx: &StepCx<'_>,
    step: &Step,
    base: &Func,
    gm: &GmMap,
    space: &mut StepSpace,
) -> Result<()> {
    match step {
        Step::Rows(rows) => {
            let sizes = open(
                cx,
                rows::blocks(cx, rows),
                rows::Block::values,
                &|given, all| rows::given(cx, rows, given, all),
            )?;
            written(cx, (base, &sizes), space, &mut |base, block| {
                let b = vector_phase(base, span_of(cx, rows.defs[0]));
                Ok(rows::emit(cx, rows, *block, b, gm)?.func)
            })
        }
        Step::Items(def) => {
            let sizes = columns(cx, items::capacities(cx, *def))?;
            written(cx, (base, &sizes), space, &mut |base, &cap| {
                let b = vector_phase(base, span_of(cx, *def));
                Ok(items::emit(cx, *def, cap, b, gm)?.func)
            })
        }
        Step::Sort(sorted) => {
            let sizes = open(
                cx,
                sort::row_counts(cx, sorted),
                rows_at_a_time,
                &|given, _| (given.values.get(&Knob::Rows).copied().into_iter()).collect(),
            )?;
            written(cx, (base, &sizes), space, &mut |base, &rows| {
                let b = vector_phase(base, span_of(cx, sorted.places));
                Ok(sort::emit(cx, sorted, rows, b, gm)?.func)
            })
        }
        Step::Scan(def) => {
            let sizes = columns(cx, scan::capacities(cx, *def))?;
            written(cx, (base, &sizes), space, &mut |base, &cap| {
                let b = vector_phase(base, span_of(cx, *def));
                Ok(scan::emit(cx, *def, cap, b, gm)?.func)
            })
        }
        Step::Stream(pass) => {
            let sizes = open(
                cx,
                stream::sizes(cx, pass),
                stream::Size::values,
                &|given, all| stream::given((cx, pass), given, all),
            )?;
            written(cx, (base, &sizes), space, &mut |base, size| {
                stream::emit(cx, pass, size, base, gm)
            })
        }
        Step::Product(product, epilogue) => {
            let pitches = pad::decide(cx, product, epilogue)?;
            let padded = pad::padded(cx, product, pitches);
            let extents = Extents::of(cx, &padded).assumed(&cx.algo.symbols);
            let task = product_task(cx, &padded, epilogue, &extents);
            sizes::space(&task, space);
            Ok(())
        }
    }
}

/// Writes, plans and prices every size of a step on vector cores.
fn written<S>(
    cx: &StepCx<'_>,
    (base, sizes): (&Func, &[(Values, S)]),
    space: &mut StepSpace,
    write: Write<'_, S>,
) -> Result<()> {
    for (values, size) in sizes {
        let func = write(base.clone(), size)?;
        let cycles = price::price(&func, cx.chip);
        match plan::plan(&func, cx.chip) {
            Ok(_) => space.candidates.push(Candidate {
                values: values.clone(),
                cycles,
                bound: 0,
                binds: Term::Vector,
            }),
            Err(overflow) => space.lacks(Lack {
                values: values.clone(),
                cycles,
                space: overflow.space,
                needed: overflow.needed,
                available: overflow.available,
            }),
        }
    }
    Ok(())
}

/// Writes a step; gives what was decided about it.
fn step_phases(cx: &StepCx<'_>, step: &Step, out: Func, gm: &GmMap) -> Result<(Func, Values)> {
    match step {
        Step::Rows(rows) => {
            let blocks = rows::blocks(cx, rows);
            let sizes = open(cx, blocks, rows::Block::values, &|given, all| {
                rows::given(cx, rows, given, all)
            })?;
            let choose = choice(cx);
            choose(cx, &out, &sizes, &mut |base, block| {
                let b = vector_phase(base, span_of(cx, rows.defs[0]));
                Ok(rows::emit(cx, rows, *block, b, gm)?.func)
            })
        }
        Step::Items(def) => {
            let sizes = columns(cx, items::capacities(cx, *def))?;
            first_that_fits(cx, &out, &sizes, &mut |base, &cap| {
                let b = vector_phase(base, span_of(cx, *def));
                Ok(items::emit(cx, *def, cap, b, gm)?.func)
            })
        }
        Step::Sort(sorted) => {
            let sizes = open(
                cx,
                sort::row_counts(cx, sorted),
                rows_at_a_time,
                &|given, all| {
                    let rows = given.values.get(&Knob::Rows).copied();
                    rows.filter(|rows| all.iter().max() >= Some(rows))
                        .into_iter()
                        .collect()
                },
            )?;
            let choose = choice(cx);
            choose(cx, &out, &sizes, &mut |base, &rows| {
                let b = vector_phase(base, span_of(cx, sorted.places));
                Ok(sort::emit(cx, sorted, rows, b, gm)?.func)
            })
        }
        Step::Scan(def) => {
            let sizes = columns(cx, scan::capacities(cx, *def))?;
            first_that_fits(cx, &out, &sizes, &mut |base, &cap| {
                let b = vector_phase(base, span_of(cx, *def));
                Ok(scan::emit(cx, *def, cap, b, gm)?.func)
            })
        }
        Step::Stream(pass) => {
            let sizes = open(
                cx,
                stream::sizes(cx, pass),
                stream::Size::values,
                &|given, all| stream::given((cx, pass), given, all),
            )?;
            first_that_fits(cx, &out, &sizes, &mut |base, size| {
                stream::emit(cx, pass, size, base, gm)
            })
        }
        Step::Product(product, epilogue) => {
            if !cx.algo.symbols.is_empty() && product.window.is_some() {
                return Err(Box::new(errors::needs_fixed(span_of(cx, product.def))));
            }
            let out_of_l0c = cx.given.values.get(&Knob::Epilogue) == Some(&0);
            if out_of_l0c && matches!(epilogue, Epilogue::Vector(_)) {
                return Err(errors::schedule::not_on_the_way_out(cx.given));
            }
            let pitches = pad::decide(cx, product, epilogue)?;
            let padded = pad::padded(cx, product, pitches);
            let tiles = product_tiles(cx, &padded, epilogue)?;
            let (out, copies) = pad::copy(cx, (product, &padded), out, gm);
            let (out, mut decided) =
                product_phases(cx, &padded, epilogue, &tiles, out, (gm, &copies))?;
            let pitches = pad::KNOBS.into_iter().zip(pitches);
            decided.extend(pitches.filter_map(|(knob, pitch)| Some((knob, pitch?))));
            Ok((out, decided))
        }
    }
}

/// The sizes of a product: those that are given, the rest by rule.
fn product_tiles(cx: &StepCx<'_>, product: &Product, epilogue: &Epilogue) -> Result<Tiles> {
    let extents = Extents::of(cx, product).assumed(&cx.algo.symbols);
    let task = product_task(cx, product, epilogue, &extents);
    sizes::check(&task, cx.given, &slots::name_of(cx, product.def))?;
    match cx.level {
        Level::O0 => Ok(sizes::plain(&task)),
        Level::O1 | Level::O3 => Ok(sizes::choose(&task).unwrap_or_else(|| sizes::plain(&task))),
    }
}

fn product_task<'t>(
    cx: &'t StepCx<'_>,
    product: &'t Product,
    epilogue: &Epilogue,
    extents: &'t Extents,
) -> sizes::Task<'t> {
    sizes::Task {
        chip: cx.chip,
        extents,
        whole_columns: matches!(epilogue, Epilogue::Vector(_)),
        window: product.window.as_deref(),
        given: &cx.given.values,
    }
}

/// Sizes worth trying with what each decides, as far as they agree with what is given; if none of the usual ones does,
/// those that the tiler can make of it.
fn open<S: Copy>(
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
fn columns(cx: &StepCx<'_>, usual: Vec<i64>) -> Result<Vec<(Values, i64)>> {
    let values = |cap: &i64| [(Knob::Cols, *cap)].into();
    open(cx, usual, values, &|given, all| {
        let width = given.values.get(&Knob::Cols).copied();
        let whole = |width: &i64| width % COLUMNS == 0 && all.iter().max() >= Some(width);
        width.filter(whole).into_iter().collect()
    })
}

/// What the width of a walk along one index is a multiple of.
const COLUMNS: i64 = 256;

fn rows_at_a_time(rows: &i64) -> Values {
    [(Knob::Rows, *rows)].into()
}

fn span_of(cx: &StepCx<'_>, def: usize) -> Span {
    cx.algo.defs[def].span
}

/// A builder whose current block is the vector program of a new last phase.
fn vector_phase(func: Func, span: Span) -> Builder {
    let mut b = Builder::new(func);
    b.span = span;
    b.func.phases.push(Phase {
        cube: None,
        vector: Some(b.block),
    });
    b
}

/// The first size whose buffers fit.
fn first_that_fits<S>(
    cx: &StepCx<'_>,
    base: &Func,
    sizes: &[(Values, S)],
    write: Write<'_, S>,
) -> Result<(Func, Values)> {
    let written =
        (sizes.iter()).map(|(values, size)| Ok((write(base.clone(), size)?, values.clone())));
    first_planned(cx, written)
}

/// The size whose buffers fit that takes the least time; of equals the first.
fn cheapest_that_fits<S>(
    cx: &StepCx<'_>,
    base: &Func,
    sizes: &[(Values, S)],
    write: Write<'_, S>,
) -> Result<(Func, Values)> {
    let mut written = Vec::with_capacity(sizes.len());
    for (values, size) in sizes {
        let func = write(base.clone(), size)?;
        written.push((price::price(&func, cx.chip), func, values.clone()));
    }
    written.sort_by_key(|&(cycles, ..)| cycles);
    let written = written.into_iter();
    first_planned(cx, written.map(|(_, func, values)| Ok((func, values))))
}

/// How one of several sizes is chosen.
fn choice<S>(cx: &StepCx<'_>) -> Choice<S> {
    match cx.level {
        Level::O0 => first_that_fits,
        Level::O1 | Level::O3 => cheapest_that_fits,
    }
}

type Choice<S> = fn(&StepCx<'_>, &Func, &[(Values, S)], Write<'_, S>) -> Result<(Func, Values)>;

/// Writes a step for one size.
type Write<'w, S> = &'w mut dyn FnMut(Func, &S) -> Result<Func>;

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

fn product_phases(
    cx: &StepCx<'_>,
    product: &Product,
    epilogue: &Epilogue,
    t: &Tiles,
    out: Func,
    (gm, copies): (&GmMap, &GmMap),
) -> Result<(Func, Values)> {
    let span = span_of(cx, product.def);
    let target = cx.algo.defs[product.def].target;
    let mut decided = t.values();
    match epilogue {
        Epilogue::Store => {
            let b = cube_phase(out, span);
            let out = Output::Direct {
                tensor: gm_tensor(gm, target),
                relu: false,
                words: None,
            };
            Ok((with_cube(cx, product, t, &out, b, copies), decided))
        }
        Epilogue::Fixpipe(fix) => {
            let (func, made) = match fix.scale {
                None => (out, None),
                Some(scale) => {
                    let count = cx.algo.tensors[scale.tensor].shape[0];
                    let mut b = vector_phase(out, span);
                    let name = format!("words{}", b.func.phases.len());
                    let made = workspace(&mut b.func, &name, Elem::I64, &[count], span);
                    let source = gm_tensor(gm, scale.tensor);
                    words::emit(cx, &mut b, (source, scale.wide), made, count);
                    (b.func, Some(made))
                }
            };
            let tensor = gm_tensor(gm, cx.algo.defs[fix.def].target);
            let out = Output::Direct {
                tensor,
                relu: fix.relu,
                words: made,
            };
            decided.insert(Knob::Epilogue, 0);
            Ok((
                with_cube(cx, product, t, &out, cube_phase(func, span), copies),
                decided,
            ))
        }
        Epilogue::Vector(defs) => {
            let mut b = cube_phase(out, span);
            let chan = product::ring(cx, &mut b, t, cx.algo.tensors[target].elem);
            let base = with_cube(cx, product, t, &Output::Ring(chan), b, copies);
            let strip = |rows: &i64| [(Knob::Strip, *rows)].into();
            let sizes = open(cx, vector::row_counts(cx, t), strip, &|given, _| {
                let rows = given.values.get(&Knob::Strip).copied();
                rows.filter(|rows| 2 * rows <= t.m.max(32))
                    .into_iter()
                    .collect()
            })?;
            let choose = choice(cx);
            let (func, strip) = choose(cx, &base, &sizes, &mut |base, &rows| {
                let mut b = Builder::new(base);
                b.span = span;
                let block = b.block;
                if let Some(phase) = b.func.phases.last_mut() {
                    phase.vector = Some(block);
                }
                let b = vector::emit(cx, product, defs, t, chan, rows, b, gm)?;
                Ok(b.func)
            })?;
            decided.extend(strip);
            decided.insert(Knob::Epilogue, 1);
            Ok((func, decided))
        }
    }
}

fn gm_tensor(gm: &GmMap, tensor: algo::Tensor) -> Tensor {
    debug_assert!(
        gm.contains_key(&tensor),
        "stored tensors are in global memory"
    );
    gm.get(&tensor).copied().unwrap_or(Tensor::from_u32(0))
}

fn cube_phase(func: Func, span: Span) -> Builder {
    let mut b = Builder::new(func);
    b.span = span;
    b.func.phases.push(Phase {
        cube: Some(b.block),
        vector: None,
    });
    b
}

fn with_cube(
    cx: &StepCx<'_>,
    product: &Product,
    t: &Tiles,
    out: &Output,
    mut b: Builder,
    gm: &GmMap,
) -> Func {
    cube::emit(cx, product, t, out, &mut b, gm);
    b.func
}

/// Useful work: what the kernel asks for, whatever the schedule.
fn work(algo: &algo::Func, steps: &[Step]) -> Work {
    if !algo.symbols.is_empty() {
        return symbolic::work(algo, steps);
    }
    let mut work = Work::default();
    for step in steps {
        for def in members(step) {
            let items: u64 = algo.tensors[algo.defs[def].target]
                .shape
                .iter()
                .map(|&e| u64::try_from(e).unwrap_or(0))
                .product();
            let reduced: u64 = algo.root_reduce(def).map_or(1, |r| {
                r.axes
                    .iter()
                    .map(|&i| u64::try_from(algo.indices[i].extent).unwrap_or(0))
                    .product()
            });
            match step {
                Step::Product(product, _) if product.def == def => {
                    work.mads += items * reduced;
                    work.mad_elem = Some(algo.tensors[product.a.tensor].elem);
                }
                Step::Stream(stream) if stream.product(def).is_some() => {
                    work.mads += items * reduced;
                    let product = stream.product(def);
                    work.mad_elem = product.map(|product| algo.tensors[product.a.tensor].elem);
                }
                // The fixpipe's conversion costs the vector units nothing.
                Step::Product(_, Epilogue::Fixpipe(_)) => {}
                Step::Scan(_) => {
                    work.vector_ops += items * operations(algo, algo.defs[def].value);
                }
                // Every key is looked at once at least.
                Step::Sort(sorted) if sorted.rank == def => work.vector_ops += items,
                Step::Sort(_) => {}
                Step::Product(..) | Step::Rows(_) | Step::Items(_) | Step::Stream(_) => {
                    work.vector_ops += items * reduced * operations(algo, algo.defs[def].value);
                }
            }
        }
    }
    let bytes = |t: &algo::Tensor| {
        let data = &algo.tensors[*t];
        let count: u64 = data
            .shape
            .iter()
            .map(|&e| u64::try_from(e).unwrap_or(0))
            .product();
        count * data.elem.bytes()
    };
    work.compulsory_bytes = algo.params.iter().chain(&algo.results).map(bytes).sum();
    work
}

/// Arithmetic nodes below an expression, each once.
fn operations(algo: &algo::Func, root: algo::Expr) -> u64 {
    let mut seen = BTreeSet::new();
    let mut stack = vec![root];
    let mut count = 0;
    while let Some(e) = stack.pop() {
        if seen.insert(e) {
            let kind = &algo.exprs[e].kind;
            let arithmetic = !matches!(
                kind,
                ExprKind::Float(_)
                    | ExprKind::Int(_)
                    | ExprKind::Index(_)
                    | ExprKind::Load { .. }
                    | ExprKind::Gather { .. }
            );
            count += u64::from(arithmetic);
            stack.extend(kind.operands());
        }
    }
    count
}
