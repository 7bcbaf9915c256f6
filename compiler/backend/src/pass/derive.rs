//! Cascades of reductions that can be made block by block and merged: derived by algebra, from form alone.
//!
//! Before: `m[i] = max(j) s[i, j]`, `e[i, j] = exp(s[i, j] - m[i])`, `z[i] = sum(j) e[i, j]`,
//! `y[i, d] = sum(j) (e[i, j] / z[i]) * v[j, d]`, where the order is free.
//! After: the division stands behind the sum, and a [`Cascade`] says what merges the fields `m`, `z` and `y` of two
//! blocks of `j`: the maximum of both, and sums whose terms are multiplied by `exp(old m - new m)`.
//!
//! A reduction may depend on earlier ones of its cascade through the shift of an exponential (the factor that mends it
//! does not depend on the item) and through factors that do not depend on the item (they move behind the sum). Where no
//! product takes part, also through a shift of the factors that are summed, as a variance does (`algebra/moments.rs`). The
//! members of a cascade are found by [`members`], what merges them by [`algebra`]. Runs on the normal form.

mod algebra;
mod members;
mod text;
mod written;

use std::collections::BTreeMap;

use ir::algo::{Expr, Func, Index, Order, Reduce, ReduceOp, Tensor};

use self::algebra::Algebra;
pub(crate) use self::members::Part;
use self::members::{Members, Refusal, find};
pub(crate) use self::text::{remark, text};

/// Reductions over one space of items that can be made block by block.
#[derive(Clone, Debug)]
pub(crate) struct Cascade {
    /// Extents of the rows: each has an accumulator of its own.
    pub(crate) rows: Vec<i64>,
    /// Number of items.
    pub(crate) items: i64,
    /// Every tensor that is computed with the cascade, and what it is.
    pub(crate) parts: BTreeMap<Tensor, Part>,
    /// The accumulator, in dependence order.
    pub(crate) fields: Vec<Field>,
    /// Conditions that hold, or do not, wherever a block is computed: a shift is never infinite there.
    pub(crate) settled: BTreeMap<Expr, bool>,
    /// The items that count, if every field of a block without any is its value of nothing: condition and which value.
    pub(crate) mask: Option<(Expr, bool)>,
    /// It has no products: rows that do not fit are walked once for all its reductions.
    pub(crate) vector: bool,
    /// Values of the rows of one block's record, where they differ from those of all items.
    pub(crate) records: BTreeMap<Tensor, Expr>,
    /// Monoids whose author says what merges their fields.
    pub(crate) written: Vec<String>,
}

/// A field of the accumulator.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The tensor that holds it when all blocks are merged.
    pub(crate) tensor: Tensor,
    /// What stands for it in `merge`, of what came first and of what came later.
    pub(crate) sides: [Tensor; 2],
    /// The field of both together, over the indices of the tensor's definition.
    pub(crate) merge: Expr,
    /// The field of nothing.
    pub(crate) start: f64,
    /// The item map that a product sums, if it is one.
    pub(crate) weights: Option<Tensor>,
    /// It shifts exponentials: where it is its value of nothing, blocks take 0 for it.
    pub(crate) shifts: bool,
    /// What it is of a block's items.
    pub(crate) reduce: Reduce,
    /// The indices of `merge`; those of the tensor's definition, if it has one.
    pub(crate) own: Vec<Index>,
}

/// Why a cascade is not made in one pass.
#[derive(Clone, Debug)]
pub(crate) struct Remark {
    /// The definition that the cascade begins with.
    pub(crate) seed: Tensor,
    /// What it is.
    pub(crate) text: String,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Derived {
    /// Cascades, in the order of their first reductions.
    pub(crate) cascades: Vec<Cascade>,
    /// Why others are none.
    pub(crate) remarks: Vec<Remark>,
}

/// Finds the cascades of a function in normal form that are accepted, and moves factors behind their sums.
pub(crate) fn run(func: &mut Func, accepts: &dyn Fn(&Func, &Cascade) -> bool) -> Derived {
    let mut derived = Derived::default();
    let seeds: Vec<Tensor> = (0..func.defs.len())
        .filter(|&def| granted(func, def))
        .map(|def| func.defs[def].target)
        .collect();
    let mut tried: Vec<Tensor> = Vec::new();
    for seed in seeds {
        if tried.contains(&seed) {
            continue;
        }
        let found = find(func, seed);
        if let Ok(members) = &found {
            tried.extend(members.parts.keys());
        }
        let cascade = found.and_then(|members| {
            let mut changed = func.clone();
            let cascade = derive(&mut changed, &members)?;
            if !accepts(&changed, &cascade) {
                let why = match func.symbols.is_empty() {
                    true => "its products are not the cube's",
                    false => "the launch gives a size that such a pass has to know",
                };
                return Err(match cascade.vector && func.symbols.is_empty() {
                    true => Refusal::NoCascade,
                    false => Refusal::Because(why.to_owned()),
                });
            }
            *func = changed;
            Ok(cascade)
        });
        match cascade {
            Ok(cascade) => {
                tried.extend(cascade.parts.keys());
                derived.cascades.push(cascade);
            }
            Err(Refusal::NoCascade) => {}
            Err(Refusal::Because(text)) => derived.remarks.push(Remark { seed, text }),
        }
    }
    derived
}

/// What passes would compute together.
pub(crate) fn fields(func: &Func, accepts: &dyn Fn(&Func, &Cascade) -> bool) -> Vec<Tensor> {
    let mut changed = func.clone();
    let derived = run(&mut changed, accepts);
    let fields = derived.cascades.iter().flat_map(|cascade| &cascade.fields);
    let defined = |tensor| changed.defs.iter().any(|def| def.target == tensor);
    (fields.map(|field| field.tensor))
        .filter(|tensor| defined(*tensor))
        .collect()
}

/// Whether a definition is a reduction that may be cut into blocks.
fn granted(func: &Func, def: usize) -> bool {
    let Some(reduce) = func.root_reduce(def) else {
        return false;
    };
    let free = func.order_free || func.regrouped.contains(&func.defs[def].target);
    free && reduce.axes.len() == 1 && regroups(func, def)
}

/// Whether the order of a reduction leaves its blocks open.
fn regroups(func: &Func, def: usize) -> bool {
    let Some(reduce) = func.root_reduce(def) else {
        return true;
    };
    match reduce.op {
        ReduceOp::Max | ReduceOp::Min => true,
        ReduceOp::Sum => {
            reduce.order == Order::Free || func.regrouped.contains(&func.defs[def].target)
        }
        ReduceOp::Prod | ReduceOp::Any | ReduceOp::All | ReduceOp::ArgMax | ReduceOp::ArgMin => {
            false
        }
    }
}

fn derive(func: &mut Func, members: &Members) -> Result<Cascade, Refusal> {
    let mut changed = func.clone();
    let mut algebra = Algebra::new(&mut changed, members);
    match algebra.fields() {
        Ok(()) => {
            let mut cascade = algebra.finish();
            written::replace(&mut changed, &mut cascade);
            *func = changed;
            Ok(cascade)
        }
        Err(Refusal::NoCascade) => Err(Refusal::NoCascade),
        Err(why) => written::cascade(func, members).ok_or(why),
    }
}
