//! Which definitions are computed together, and on which engine: the default schedule.
//!
//! Input is the algorithm in normal form. A [`Step`] becomes one phase of the tile form; tensors that cross steps live
//! in global memory. No operation is recognised by name: what counts is the form of definitions and accesses.

mod product;
mod sorted;
mod stream;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use ir::algo::{Affine, Atom, Func, Index, Order, Reduce, ReduceOp, Role, Tensor};

use self::product::fix_epilogue;
use crate::pass::parts::Parts;
use crate::tiling::access::{Linear, collapse, flatten};
use crate::tiling::rows::runs_in_lanes;
use crate::tiling::scan::prefix;

pub(crate) use self::product::product;
pub(crate) use self::sorted::{Sorted, sorted};
pub(crate) use self::stream::Stream;
pub(crate) use self::window::Window;
use crate::pass::derive::Cascade;

/// Definitions that are computed together. Numbers index `Func::defs`.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A matrix product on the cube, and what is done to each block of its result.
    Product(Box<Product>, Epilogue),
    /// Definitions over one space of rows × columns on the vector cores.
    Rows(Rows),
    /// One reduction whose items are visited in order, on the vector cores.
    Items(usize),
    /// Rows in order, on the vector cores.
    Sort(Sorted),
    /// One reduction over the prefixes along an index, on the vector cores.
    Scan(usize),
    /// Reductions over the same items in one pass, on cube and vector cores.
    Stream(Box<Stream>),
}

/// A matrix product `d[outer…, m, n] = Σk a · b`.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// The definition.
    pub(crate) def: usize,
    /// Index of the rows; none for a vector times a matrix.
    pub(crate) m: Option<Index>,
    /// Index of the columns.
    pub(crate) n: Index,
    /// Reduced index.
    pub(crate) k: Index,
    /// All other indices of the result.
    pub(crate) outer: Vec<Index>,
    /// Left factor: moves with `m`.
    pub(crate) a: Factor,
    /// Right factor: moves with `n`.
    pub(crate) b: Factor,
    /// Both factors, of f32, are rounded to 11 bits of fraction first.
    pub(crate) hf32: bool,
    /// The left factor is made of an image by a window that moves over it.
    pub(crate) window: Option<Box<Window>>,
}

impl Product {
    /// Indices of the rows, outermost first: one, none, or the two of a window's positions.
    pub(crate) fn rows(&self) -> Vec<Index> {
        let above = self.window.as_ref().and_then(|w| w.above);
        above.into_iter().chain(self.m).collect()
    }
}

/// A factor of a matrix product.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    /// The tensor read.
    pub(crate) tensor: Tensor,
    /// Flat offset of the element.
    pub(crate) at: Linear,
    /// Stored with the reduced index as the row (for the left factor: transposed).
    pub(crate) k_major: bool,
    /// Distance of stored rows.
    pub(crate) pitch: i64,
    /// What quotients and remainders of batch indices add to the offset.
    pub(crate) grouped: Vec<Grouped>,
    /// Data says which part of the tensor it is.
    pub(crate) chosen: Option<Chosen>,
}

/// A quotient or a remainder of indices that are the same for a whole block of a product: several batches of one factor
/// share a part of the other, as heads share keys.
#[derive(Clone, Debug)]
pub(crate) struct Grouped {
    /// What is divided: never negative, and only of indices.
    pub(crate) of: Affine,
    /// By what.
    pub(crate) by: i64,
    /// Whether the remainder is meant.
    pub(crate) remainder: bool,
    /// Elements for each.
    pub(crate) step: i64,
}

impl Grouped {
    /// The indices that it depends on.
    pub(crate) fn indices(&self) -> impl Iterator<Item = Index> {
        self.of.terms.iter().filter_map(|(_, atom)| match atom {
            Atom::Index(index) => Some(*index),
            Atom::Div(..) | Atom::Mod(..) | Atom::Clamp(..) => None,
        })
    }
}

/// A number from a tensor, the same for a whole block of a product, that is added to a factor's offset.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// Where the number stands.
    pub(crate) tensor: Tensor,
    /// Flat offset of the number.
    pub(crate) at: Linear,
    /// Elements for each.
    pub(crate) step: i64,
}

/// What happens to a block of a product before it is stored.
#[derive(Clone, Debug)]
pub(crate) enum Epilogue {
    /// The product itself is stored as it is.
    Store,
    /// The fixpipe converts on the way out to this definition's tensor.
    Fixpipe(FixEpilogue),
    /// Vector cores compute these definitions from the block.
    Vector(Vec<usize>),
}

/// A conversion that the fixpipe can do.
#[derive(Clone, Debug)]
pub(crate) struct FixEpilogue {
    /// The definition it computes.
    pub(crate) def: usize,
    /// Clamp below at zero.
    pub(crate) relu: bool,
    /// Per-column scale of a requantisation to i8, a vector over `n`.
    pub(crate) scale: Option<Scale>,
}

/// A per-column scale whose values are bf16.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Scale {
    /// The vector.
    pub(crate) tensor: Tensor,
    /// It is stored in f32 and still has to be rounded to bf16, to nearest even and saturating.
    pub(crate) wide: bool,
}

/// Definitions over one space.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// Extents of the row dimensions.
    pub(crate) rows: Vec<i64>,
    /// Extents of the column dimensions; reductions run over all of them.
    pub(crate) cols: Vec<i64>,
    /// Members in dependence order.
    pub(crate) defs: Vec<usize>,
    /// Reductions of them that one walk over the columns makes, if rows do not fit.
    pub(crate) cascade: Option<Box<Cascade>>,
}

/// Splits the function into steps, in an order that respects dependences.
pub(crate) fn partition(
    func: &Func,
    cascades: &[Cascade],
    parts: &Parts,
    on_vector: &BTreeSet<String>,
) -> Vec<Step> {
    let mut cx = Partition {
        func,
        parts,
        cascades,
        on_vector,
        defined_by: defined_by(func, parts),
        placed: BTreeSet::new(),
        reserved: BTreeSet::new(),
    };
    let mut waiting: Vec<Stream> = (cascades.iter())
        .filter_map(|cascade| Stream::new(func, cascade))
        .collect();
    let mut steps = Vec::new();
    loop {
        let before = cx.placed.len();
        cx.reserved = (waiting.iter()).flat_map(|s| s.defs.clone()).collect();
        for def in 0..func.defs.len() {
            if let Some(ready) = waiting.iter().position(|stream| cx.is_ready(stream)) {
                let stream = waiting.remove(ready);
                cx.place(Step::Stream(Box::new(stream)), &mut steps);
            }
            let later = |stream: &Stream| stream.defs.contains(&def) || !cx.precedes(def, stream);
            if !cx.placed.contains(&def) && !waiting.iter().any(later) {
                let step = cx.step_from(def);
                cx.place(step, &mut steps);
            }
        }
        // What waits for itself is computed as if it were no cascade.
        if cx.placed.len() == before && waiting.pop().is_none() {
            return steps;
        }
    }
}

/// The definition of each tensor; of one that is made in boxes that of the last one, which comes behind the others.
fn defined_by(func: &Func, parts: &Parts) -> BTreeMap<Tensor, usize> {
    let mut by = BTreeMap::new();
    for (number, def) in func.defs.iter().enumerate() {
        by.insert(def.target, number);
        if let Some(part) = parts.get(&def.target) {
            by.insert(part.whole, number);
        }
    }
    by
}

/// The definitions of a step.
pub(crate) fn members(step: &Step) -> Vec<usize> {
    match step {
        Step::Product(p, Epilogue::Store) => vec![p.def],
        Step::Product(p, Epilogue::Fixpipe(f)) => vec![p.def, f.def],
        Step::Product(p, Epilogue::Vector(defs)) => {
            [p.def].into_iter().chain(defs.iter().copied()).collect()
        }
        Step::Rows(rows) => rows.defs.clone(),
        Step::Sort(s) => [s.rank, s.places]
            .into_iter()
            .chain(s.values.iter().copied())
            .collect(),
        Step::Items(def) | Step::Scan(def) => vec![*def],
        Step::Stream(stream) => stream.defs.clone(),
    }
}

struct Partition<'a> {
    func: &'a Func,
    parts: &'a Parts,
    cascades: &'a [Cascade],
    /// Products, and what follows them, that the vector cores shall finish.
    on_vector: &'a BTreeSet<String>,
    defined_by: BTreeMap<Tensor, usize>,
    placed: BTreeSet<usize>,
    /// Members of streams that are not placed yet.
    reserved: BTreeSet<usize>,
}

impl Partition<'_> {
    fn place(&mut self, step: Step, steps: &mut Vec<Step>) {
        self.placed.extend(members(&step));
        steps.push(step);
    }

    /// Whether everything that a stream reads is there.
    fn is_ready(&self, stream: &Stream) -> bool {
        let there = |t: &Tensor| {
            self.defined_by
                .get(t)
                .is_none_or(|d| self.placed.contains(d))
        };
        stream.needs(self.func).iter().all(there)
    }

    /// Whether a definition reads nothing that a stream has still to make.
    fn precedes(&self, def: usize, stream: &Stream) -> bool {
        let mut seen = BTreeSet::from([def]);
        let mut open = vec![def];
        while let Some(def) = open.pop() {
            let sources = self.reads(def);
            let sources = sources.iter().filter_map(|t| self.defined_by.get(t));
            for &source in sources {
                if stream.defs.contains(&source) {
                    return false;
                }
                if seen.insert(source) {
                    open.push(source);
                }
            }
        }
        true
    }

    fn step_from(&self, def: usize) -> Step {
        if let Some(product) = product(self.func, def) {
            let epilogue = self.epilogue(&product);
            return Step::Product(Box::new(product), epilogue);
        }
        if prefix(self.func, def).is_some() {
            return Step::Scan(def);
        }
        if let Some(sorted) = sorted(self.func, def) {
            return Step::Sort(sorted);
        }
        match self.func.root_reduce(def) {
            Some(reduce) if !self.runs_along_columns(def, reduce) => Step::Items(def),
            Some(_) | None => Step::Rows(self.best_rows(def)),
        }
    }

    fn epilogue(&self, product: &Product) -> Epilogue {
        let fused = self.fused_after(product.def);
        if fused.is_empty() {
            return Epilogue::Store;
        }
        let target = self.func.defs[product.def].target;
        let alone = self.func.tensors[target].role == Role::Let
            && (0..self.func.defs.len())
                .all(|d| fused.contains(&d) || !self.reads(d).contains(&target));
        let name = |def: usize| &self.func.tensors[self.func.defs[def].target].name;
        let mut step = [product.def].into_iter().chain(fused.iter().copied());
        let by_vector = step.any(|def| self.on_vector.contains(name(def)));
        match fused.as_slice() {
            [only] if alone && !by_vector => match fix_epilogue(self.func, product, *only) {
                Some(fix) => Epilogue::Fixpipe(fix),
                None => Epilogue::Vector(fused),
            },
            _ => Epilogue::Vector(fused),
        }
    }

    /// Maps over the same indices as a product that need nothing but it, each other and what is there already.
    fn fused_after(&self, root: usize) -> Vec<usize> {
        let mut inside: BTreeSet<usize> = [root].into();
        let mut fused = Vec::new();
        for def in root + 1..self.func.defs.len() {
            let depends = self
                .reads(def)
                .iter()
                .any(|t| self.defined_by.get(t).is_some_and(|d| inside.contains(d)));
            let same = self.shape(def) == self.shape(root) && self.func.root_reduce(def).is_none();
            if depends && same && self.fits(def, &inside, &|d, at| self.identity(d, at)) {
                inside.insert(def);
                fused.push(def);
            }
        }
        fused
    }

    /// Whether every tensor that `def` reads is there, or a member read the way `allowed` says.
    fn fits(
        &self,
        def: usize,
        inside: &BTreeSet<usize>,
        allowed: &dyn Fn(usize, &[Option<usize>]) -> bool,
    ) -> bool {
        let taken = self.placed.contains(&def) || self.reserved.contains(&def);
        if taken || inside.contains(&def) {
            return false;
        }
        let order = self.all_indices(def);
        self.loads(def).into_iter().all(|(tensor, at)| {
            let Some(source) = self.defined_by.get(&tensor) else {
                return true;
            };
            if !inside.contains(source) {
                return self.placed.contains(source);
            }
            let places: Vec<Option<usize>> = at
                .iter()
                .map(|a| {
                    a.as_index()
                        .and_then(|i| order.iter().position(|o| *o == i))
                })
                .collect();
            allowed(*source, &places)
        })
    }

    /// Whether an access reads the member at the very indices of the reader.
    fn identity(&self, source: usize, places: &[Option<usize>]) -> bool {
        places.len() == self.shape(source).len()
            && places.iter().enumerate().all(|(d, p)| *p == Some(d))
    }

    fn best_rows(&self, def: usize) -> Rows {
        // Where nothing streams, short columns keep what a scalar walk touches close together.
        let mut best: Option<((bool, usize, usize), Rows)> = None;
        for (rows, cols) in self.candidate_spaces(def) {
            let grown = self.grow(def, rows, cols);
            let streams = self.streams(&grown);
            let split = if streams { 0 } else { grown.rows.len() };
            let score = (streams, grown.defs.len(), split);
            if best.as_ref().is_none_or(|(b, _)| score > *b) {
                best = Some((score, grown));
            }
        }
        let mut rows = best.map_or_else(
            || Rows {
                rows: Vec::new(),
                cols: self.shape(def),
                defs: vec![def],
                cascade: None,
            },
            |(_, rows)| rows,
        );
        rows.cascade = self.cascade_of(&rows).cloned().map(Box::new);
        rows
    }

    /// The cascade without products whose reductions are all in a step.
    fn cascade_of(&self, step: &Rows) -> Option<&Cascade> {
        let inside = |tensor: &Tensor| match self.defined_by.get(tensor) {
            Some(def) => step.defs.contains(def),
            None => true,
        };
        self.cascades.iter().find(|cascade| {
            let fields = cascade.fields.iter().map(|field| &field.tensor);
            let space = cascade.rows == step.rows && step.cols == [cascade.items];
            cascade.vector && space && fields.into_iter().all(inside)
        })
    }

    fn candidate_spaces(&self, def: usize) -> Vec<(Vec<i64>, Vec<i64>)> {
        let shape = self.shape(def);
        if let Some(reduce) = self.func.root_reduce(def) {
            return vec![(shape, self.axes(reduce))];
        }
        (0..shape.len().max(1))
            .map(|k| {
                let k = k.min(shape.len());
                (shape[..k].to_vec(), shape[k..].to_vec())
            })
            .filter(|(rows, _)| self.lies_in_rows(def, rows.len()))
            .collect()
    }

    /// Whether a box of a result is rows at one distance, if the first `rows` dimensions are the rows.
    fn lies_in_rows(&self, def: usize, rows: usize) -> bool {
        let part = self.parts.get(&self.func.defs[def].target);
        part.is_none_or(|part| part.pitch(&self.shape(def), rows).is_some())
    }

    fn grow(&self, first: usize, rows: Vec<i64>, cols: Vec<i64>) -> Rows {
        let mut step = Rows {
            rows,
            cols,
            defs: Vec::new(),
            cascade: None,
        };
        let mut inside = BTreeSet::new();
        for def in first..self.func.defs.len() {
            let fits = self.belongs(def, &step)
                && self.fits(def, &inside, &|source, places| {
                    self.identity(source, places)
                });
            if fits {
                inside.insert(def);
                step.defs.push(def);
            } else if def == first {
                break;
            }
        }
        step
    }

    /// Whether a definition's own space is the step's: full maps, row maps, or reductions over all columns.
    fn belongs(&self, def: usize, step: &Rows) -> bool {
        let shape = self.shape(def);
        match self.func.root_reduce(def) {
            Some(reduce) => {
                shape == step.rows
                    && self.axes(reduce) == step.cols
                    && product(self.func, def).is_none()
                    && prefix(self.func, def).is_none()
                    && self.runs_along_columns(def, reduce)
            }
            None => {
                let full: Vec<i64> = step.rows.iter().chain(&step.cols).copied().collect();
                let reduced = step
                    .defs
                    .iter()
                    .any(|&d| self.func.root_reduce(d).is_some());
                let whole = shape == full && self.lies_in_rows(def, step.rows.len());
                whole || (reduced && !step.rows.is_empty() && shape == step.rows)
            }
        }
    }

    /// Whether a reduction can run in 64 lanes along its flattened axes, and its data does lie along them.
    fn runs_along_columns(&self, def: usize, reduce: &Reduce) -> bool {
        let elem = self.func.exprs[self.func.defs[def].value].elem;
        let order_free_of_bits = match reduce.op {
            ReduceOp::Sum => elem.is_int() || runs_in_lanes(reduce.order),
            ReduceOp::Max | ReduceOp::Min => true,
            // Lanes are joined by an instruction only for sums and extremes: of one row that is no matter.
            ReduceOp::Prod => {
                let lanes = matches!(reduce.order, Order::Lanes(64) | Order::Free);
                let one = self.shape(def).iter().all(|&extent| extent == 1);
                elem == isa::types::Elem::F32 && lanes && one && self.func.symbols.is_empty()
            }
            ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => false,
        };
        order_free_of_bits && (self.along(def, &reduce.axes) || !self.along_last(def))
    }

    fn along(&self, def: usize, cols: &[Index]) -> bool {
        self.loads(def).iter().all(|(tensor, at)| {
            flatten(self.func, *tensor, at).is_none_or(|linear| {
                let dims: Vec<_> = cols
                    .iter()
                    .map(|&i| (linear.stride(i), self.func.indices[i].extent))
                    .collect();
                matches!(collapse(&dims), Some(0 | 1))
            })
        })
    }

    fn along_last(&self, def: usize) -> bool {
        self.func.defs[def]
            .indices
            .last()
            .is_some_and(|&last| self.along(def, &[last]))
    }

    /// Whether every access of every member runs along the columns.
    fn streams(&self, step: &Rows) -> bool {
        step.defs.iter().all(|&def| {
            let order = self.all_indices(def);
            self.along(def, order.get(step.rows.len()..).unwrap_or(&[]))
        })
    }

    fn shape(&self, def: usize) -> Vec<i64> {
        self.func.tensors[self.func.defs[def].target].shape.to_vec()
    }

    fn axes(&self, reduce: &Reduce) -> Vec<i64> {
        reduce
            .axes
            .iter()
            .map(|&i| self.func.indices[i].extent)
            .collect()
    }

    /// The indices of a definition, those of its root reduction last.
    fn all_indices(&self, def: usize) -> Vec<Index> {
        let axes = self.func.root_reduce(def).map(|r| r.axes.to_vec());
        let own = self.func.defs[def].indices.iter().copied();
        own.chain(axes.unwrap_or_default()).collect()
    }

    fn reads(&self, def: usize) -> BTreeSet<Tensor> {
        self.loads(def).into_iter().map(|(t, _)| t).collect()
    }

    fn loads(&self, def: usize) -> Vec<(Tensor, Vec<Affine>)> {
        self.func
            .accesses(self.func.defs[def].value)
            .into_iter()
            .filter_map(|e| {
                let (tensor, at) = self.func.access(e)?;
                Some((tensor, at.to_vec()))
            })
            .collect()
    }
}
