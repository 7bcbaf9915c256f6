//! From the algorithm to the tile form: one phase per step of the default schedule.
//!
//! Sizes are found by trial: a step is written for the best sizes first, planned by the real planner, and written again
//! for the next smaller ones if a buffer does not fit. Start with [`tile`].

pub(crate) mod access;
mod builder;
mod cut;
mod expr;
mod items;
mod price;
mod product;
pub(crate) mod rows;
pub(crate) mod scan;
mod slots;
mod sort;
mod steps;
mod stream;
mod symbolic;
mod trial;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, Span};
use ir::algo::{self, Index};
use ir::tile::{Func, Phase, Tensor, TensorData, TensorRole};
use isa::chip::Chip;
use isa::types::Elem;

use self::builder::Builder;
use self::cut::{cut, is_one_pass};
use crate::Level;
use crate::errors;
use crate::pass::derive;
use crate::pass::normalize;
use crate::pass::parts::Parts;
use crate::schedule::space::StepSpace;
use crate::schedule::{Given, Schedule};

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
    /// Whether a pass goes on from one block of rows into the next.
    pub(crate) crosses: bool,
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
    let tiled = |passes| tile_as(func, &task(passes));
    tiled(Passes::Across)
        .or_else(|_| tiled(Passes::Within))
        .or_else(|_| tiled(Passes::None))
}

/// How a kernel is tiled.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) chip: &'a Chip,
    pub(crate) level: Level,
    /// Whether several reductions may become one pass.
    pub(crate) passes: Passes,
    /// Decisions besides those that are written.
    pub(crate) wanted: Option<&'a Schedule>,
}

/// How much is made in one pass over several reductions.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    /// Each reduction by itself.
    None,
    /// A block of rows after the other.
    Within,
    /// From one block of rows into the next, where that can be: more is known at a time, and scalars are few.
    Across,
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
        (out, decided.values) = steps::emit(&cx, step, out, &gm).map_err(|d| vec![*d])?;
    }
    Ok(Tiled {
        func: out,
        schedule,
    })
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
        steps::candidates(&cx, step, base.clone(), &gm, &mut space).map_err(|d| vec![*d])?;
        spaces.push(space);
    }
    Ok(spaces)
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
