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
mod rows;
pub(crate) mod scan;
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
use self::product::{Extents, Output, cube, vector, words};
use crate::Level;
use crate::errors;
use crate::partition::{
    Epilogue, Product, Step, Stream, as_access, loads, members, partition, root_reduce,
};
use crate::pass::derive::{self, Cascade};
use crate::pass::normalize;
use crate::pass::parts::{self, Parts};
use crate::plan;

pub(crate) type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// The tile form of a kernel and the schedule that led to it.
#[derive(Clone, Debug)]
pub struct Tiled {
    /// The tile form, at stage `Tiled`.
    pub func: Func,
    /// The decisions, in the syntax of a schedule.
    pub schedule: String,
}

/// What a step's code generator may know.
#[derive(Debug)]
pub(crate) struct StepCx<'a> {
    pub(crate) algo: &'a algo::Func,
    pub(crate) chip: &'a Chip,
    pub(crate) level: Level,
    pub(crate) groups: u32,
    stored: BTreeSet<usize>,
    /// Boxes of results.
    pub(crate) parts: &'a Parts,
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
        let axes = root_reduce(self.algo, def).map(|r| r.axes.to_vec());
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
    tile_as(func, chip, level, true).or_else(|_| tile_as(func, chip, level, false))
}

/// Tiles a kernel, with passes over several reductions at once or without.
pub(crate) fn tile_as(
    func: &algo::Func,
    chip: &Chip,
    level: Level,
    passes: bool,
) -> std::result::Result<Tiled, Vec<Diagnostic>> {
    let tiled = tile_numbered(func, chip, level, passes)?;
    if !func.symbols.is_empty() {
        let other = tile_numbered(&func.renumbered(), chip, level, passes)?;
        if let Some(span) = symbolic::first_difference(&tiled.func, &other.func) {
            return Err(vec![errors::needs_fixed(span)]);
        }
    }
    Ok(tiled)
}

fn tile_numbered(
    func: &algo::Func,
    chip: &Chip,
    level: Level,
    passes: bool,
) -> std::result::Result<Tiled, Vec<Diagnostic>> {
    let mut algo = normalize::run(func);
    // Boxes and streams are written for known sizes.
    let parts = if func.symbols.is_empty() {
        parts::run(&mut algo)
    } else {
        Parts::new()
    };
    let accepts = |func: &algo::Func, cascade: &Cascade| {
        func.symbols.is_empty() && Stream::new(func, cascade).is_some()
    };
    let derived = match passes {
        true => derive::run(&mut algo, &accepts),
        false => derive::Derived::default(),
    };
    let steps = partition(&algo, &derived.cascades, &parts);
    let groups = u32::try_from(chip.cores.cube).unwrap_or(1);
    let cx = StepCx {
        algo: &algo,
        chip,
        level,
        groups,
        stored: stored(&algo, &steps, &parts),
        parts: &parts,
    };
    let mut out = Func {
        name: algo.name.clone(),
        target: chip.name.clone(),
        sizes: algo.sizes.clone(),
        symbols: algo.symbols.clone(),
        work: work(&algo, &steps),
        stage: Stage::Tiled,
        groups,
        ..Func::default()
    };
    if !algo.symbols.is_empty() {
        out.symbols.work = symbolic::work_formulas(&algo, &steps);
    }
    let gm = tensors(&cx, &mut out);
    let mut schedule: Vec<String> = (derived.remarks.iter())
        .map(|remark| derive::remark(&algo, remark))
        .collect();
    for step in &steps {
        out = step_phases(&cx, step, out, &gm, &mut schedule).map_err(|d| vec![*d])?;
    }
    Ok(Tiled {
        func: out,
        schedule: schedule_text(&algo, chip, &schedule),
    })
}

/// The accumulators that were derived for a kernel, each with what merges it, and remarks on cascades without one.
pub fn derived_text(func: &algo::Func) -> String {
    let mut algo = normalize::run(func);
    let accepts = |func: &algo::Func, cascade: &Cascade| Stream::new(func, cascade).is_some();
    let derived = derive::run(&mut algo, &accepts);
    derive::text(&algo, &derived)
}

fn schedule_text(algo: &algo::Func, chip: &Chip, decisions: &[String]) -> String {
    let mut text = format!("schedule {} for {} {{\n", algo.name, chip.name);
    for decision in decisions {
        text.push_str(&format!("    {decision};\n"));
    }
    text.push_str("}\n");
    text
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
            for load in loads(algo, algo.defs[def].value) {
                if let Some((tensor, _)) = as_access(algo, load)
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

fn step_phases(
    cx: &StepCx<'_>,
    step: &Step,
    out: Func,
    gm: &GmMap,
    schedule: &mut Vec<String>,
) -> Result<Func> {
    match step {
        Step::Rows(rows) => {
            let sizes = rows::blocks(cx, rows);
            let name = &cx.algo.tensors[cx.algo.defs[rows.defs[0]].target].name;
            let choose = choice(cx);
            choose(cx, &out, &sizes, &mut |base, &block| {
                let b = vector_phase(base, span_of(cx, rows.defs[0]));
                let b = rows::emit(cx, rows, block, b, gm)?;
                let note = format!(
                    "// `{name}`: blocks of {} rows x {} columns\n    engine {} = vector",
                    block.rows,
                    block.cols,
                    name.replace('.', "_")
                );
                Ok((b.func, note))
            })
        }
        Step::Items(def) => {
            let sizes = items::capacities(cx, *def);
            let name = &cx.algo.tensors[cx.algo.defs[*def].target].name;
            first_that_fits(cx, &out, &sizes, &mut |base, &cap| {
                let b = vector_phase(base, span_of(cx, *def));
                let b = items::emit(cx, *def, cap, b, gm)?;
                let note = format!(
                    "// `{name}`: item by item, {cap} columns at a time\n    engine {} = vector",
                    name.replace('.', "_")
                );
                Ok((b.func, note))
            })
        }
        Step::Sort(sorted) => {
            let sizes = sort::row_counts(cx, sorted);
            let name = &cx.algo.tensors[cx.algo.defs[sorted.places].target].name;
            let choose = choice(cx);
            choose(cx, &out, &sizes, &mut |base, &rows| {
                let b = vector_phase(base, span_of(cx, sorted.places));
                let b = sort::emit(cx, sorted, rows, b, gm)?;
                let note = format!(
                    "// `{name}`: sorted, {rows} rows at a time\n    engine {} = vector",
                    name.replace('.', "_")
                );
                Ok((b.func, note))
            })
        }
        Step::Scan(def) => {
            let sizes = scan::capacities(cx, *def);
            let name = &cx.algo.tensors[cx.algo.defs[*def].target].name;
            first_that_fits(cx, &out, &sizes, &mut |base, &cap| {
                let b = vector_phase(base, span_of(cx, *def));
                let b = scan::emit(cx, *def, cap, b, gm)?;
                let note = format!(
                    "// `{name}`: prefixes item by item, {cap} at a time\n    engine {} = vector",
                    name.replace('.', "_")
                );
                Ok((b.func, note))
            })
        }
        Step::Stream(pass) => {
            let sizes = stream::sizes(cx, pass);
            first_that_fits(cx, &out, &sizes, &mut |base, size| {
                stream::emit(cx, pass, size, base, gm)
            })
        }
        Step::Product(product, epilogue) => {
            let extents = Extents::of(cx, product);
            if !cx.algo.symbols.is_empty() && product.window.is_some() {
                return Err(Box::new(errors::needs_fixed(span_of(cx, product.def))));
            }
            let extents = extents.assumed(&cx.algo.symbols);
            let whole_columns = matches!(epilogue, Epilogue::Vector(_));
            let tiles = match (cx.level, &product.window) {
                (Level::O0, None) => sizes::PLAIN,
                (Level::O0, Some(window)) => sizes::plain_window(cx.chip, &extents, window),
                (Level::O1 | Level::O3, None) => sizes::choose(cx.chip, &extents, whole_columns),
                (Level::O1 | Level::O3, Some(window)) => {
                    sizes::choose_window(cx.chip, &extents, window, whole_columns)
                }
            };
            product_phases(cx, product, epilogue, &tiles, out, gm).map(|(func, decisions)| {
                schedule.extend(decisions);
                (func, None)
            })
        }
    }
    .map(|(func, note)| {
        schedule.extend(note);
        func
    })
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
    sizes: &[S],
    write: Write<'_, S>,
) -> Result<(Func, Option<String>)> {
    let written = sizes.iter().map(|size| write(base.clone(), size));
    first_planned(cx, written)
}

/// The size whose buffers fit that takes the least time; of equals the first.
fn cheapest_that_fits<S>(
    cx: &StepCx<'_>,
    base: &Func,
    sizes: &[S],
    write: Write<'_, S>,
) -> Result<(Func, Option<String>)> {
    let mut written = Vec::with_capacity(sizes.len());
    for size in sizes {
        let (func, note) = write(base.clone(), size)?;
        written.push((price::price(&func, cx.chip), func, note));
    }
    written.sort_by_key(|&(cycles, ..)| cycles);
    first_planned(
        cx,
        written.into_iter().map(|(_, func, note)| Ok((func, note))),
    )
}

/// How one of several sizes is chosen.
fn choice<S>(cx: &StepCx<'_>) -> Choice<S> {
    match cx.level {
        Level::O0 => first_that_fits,
        Level::O1 | Level::O3 => cheapest_that_fits,
    }
}

type Choice<S> = fn(&StepCx<'_>, &Func, &[S], Write<'_, S>) -> Result<(Func, Option<String>)>;

/// Writes a step for one size.
type Write<'w, S> = &'w mut dyn FnMut(Func, &S) -> Result<(Func, String)>;

fn first_planned(
    cx: &StepCx<'_>,
    written: impl Iterator<Item = Result<(Func, String)>>,
) -> Result<(Func, Option<String>)> {
    let mut last = None;
    for step in written {
        let (func, note) = step?;
        match plan::plan(&func, cx.chip) {
            Ok(_) => return Ok((func, Some(note))),
            Err(overflow) => last = Some(Box::new(errors::capacity(&func, &overflow))),
        }
    }
    Err(last.unwrap_or_else(|| {
        errors::not_compiled(Span::NONE, "a step without sizes is not compiled yet")
    }))
}

fn product_phases(
    cx: &StepCx<'_>,
    product: &Product,
    epilogue: &Epilogue,
    t: &Tiles,
    out: Func,
    gm: &GmMap,
) -> Result<(Func, Vec<String>)> {
    let span = span_of(cx, product.def);
    let target = cx.algo.defs[product.def].target;
    let decisions = product_decisions(cx, product, epilogue, t);
    match epilogue {
        Epilogue::Store => {
            let b = cube_phase(out, span);
            let out = Output::Direct {
                tensor: gm_tensor(gm, target),
                relu: false,
                words: None,
            };
            Ok((with_cube(cx, product, t, &out, b, gm), decisions))
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
            Ok((
                with_cube(cx, product, t, &out, cube_phase(func, span), gm),
                decisions,
            ))
        }
        Epilogue::Vector(defs) => {
            let mut b = cube_phase(out, span);
            let chan = product::ring(cx, &mut b, t, cx.algo.tensors[target].elem);
            let base = with_cube(cx, product, t, &Output::Ring(chan), b, gm);
            let sizes = vector::row_counts(cx, t);
            let choose = choice(cx);
            let (func, _) = choose(cx, &base, &sizes, &mut |base, &rows| {
                let mut b = Builder::new(base);
                b.span = span;
                let block = b.block;
                if let Some(phase) = b.func.phases.last_mut() {
                    phase.vector = Some(block);
                }
                let b = vector::emit(cx, product, defs, t, chan, rows, b, gm)?;
                Ok((b.func, String::new()))
            })?;
            Ok((func, decisions))
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

/// The decisions about a product in the schedule language.
fn product_decisions(
    cx: &StepCx<'_>,
    product: &Product,
    epilogue: &Epilogue,
    t: &Tiles,
) -> Vec<String> {
    let name = |i: Index| cx.algo.indices[i].name.clone();
    let tensor = |t: algo::Tensor| cx.algo.tensors[t].name.replace('.', "_");
    let (a, b) = (tensor(product.a.tensor), tensor(product.b.tensor));
    let target = tensor(cx.algo.defs[product.def].target);
    let k = name(product.k);
    let depth = cx.depth();
    let rows = product
        .m
        .map_or(String::new(), |m| format!("{}: {}, ", name(m), t.m));
    let mut decisions = vec![
        format!("grid {rows}{}: {} order row", name(product.n), t.n),
        format!("stream {k}: {} place {a}, {b} in l1 depth {depth}", t.k_l1),
        format!(
            "stream {k}: {} in {k}: {} place {a} in l0a, {b} in l0b depth {depth}",
            t.k_l0, t.k_l1
        ),
        format!("place {target} in l0c"),
    ];
    match epilogue {
        Epilogue::Store => {}
        Epilogue::Fixpipe(fix) => {
            let y = tensor(cx.algo.defs[fix.def].target);
            decisions.push(format!("engine {y} = fixpipe"));
        }
        Epilogue::Vector(defs) => {
            let names: Vec<String> = defs
                .iter()
                .map(|&d| tensor(cx.algo.defs[d].target))
                .collect();
            decisions.push(format!("engine {} = vector", names.join(", ")));
        }
    }
    decisions
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
            let reduced: u64 = root_reduce(algo, def).map_or(1, |r| {
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
            stack.extend(normalize::operands(kind));
        }
    }
    count
}
