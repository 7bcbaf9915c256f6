//! Reading definitions as matrix products, and what follows them as conversions of the fixpipe.
//!
//! Only the form counts: strides of accesses, casts and their roundings.

use ir::algo::{
    Affine, Atom, BinaryOp, Def, Expr, ExprKind, Func, Index, Overflow, Reduce, Round, Tensor,
    UnaryOp,
};
use isa::types::Elem;

use super::window::window;
use super::{Chosen, Factor, FixEpilogue, Grouped, Product, Scale};
use crate::pass::normalize::is_product_sum;
use crate::tiling::access::{Linear, collapse, flatten, pitches, range};

/// Reads a definition as a product that the cube can compute.
pub(crate) fn product(func: &Func, number: usize) -> Option<Product> {
    plain(func, number).or_else(|| window(func, number))
}

/// A product of two matrices.
fn plain(func: &Func, number: usize) -> Option<Product> {
    let def = &func.defs[number];
    let reduce = func.root_reduce(number)?;
    if !is_product_sum(&one_axis(reduce)?, &|e| func.exprs[e].clone()) {
        return None;
    }
    let ExprKind::Binary(BinaryOp::Mul, x, y) = func.exprs[reduce.body].kind else {
        return None;
    };
    let (x, y, hf32) = match (shortened(func, x), shortened(func, y)) {
        (Some(x), Some(y)) => (x, y, true),
        _ => (x, y, false),
    };
    let (x, y) = (factor_load(func, x)?, factor_load(func, y)?);
    let long = |i: &&Index| func.indices[**i].extent > 1;
    let k = *reduce
        .axes
        .iter()
        .rev()
        .find(long)
        .or(reduce.axes.first())?;
    let (a, b, n) = assign_columns(def, x, y)?;
    if !(in_even_steps(func, reduce, &a.at) && in_even_steps(func, reduce, &b.at)) {
        return None;
    }
    let moves = |access: &Access, i: Index| access.at.stride(i) != 0 || func.indices[i].extent == 1;
    if !(moves(&a, k) && moves(&b, k) && moves(&b, n)) {
        return None;
    }
    let m = def
        .indices
        .iter()
        .rev()
        .copied()
        .find(|&i| i != n && a.at.stride(i) != 0 && b.at.stride(i) == 0 && !b.depends(i));
    let outer: Vec<Index> = def
        .indices
        .iter()
        .copied()
        .filter(|&i| i != n && Some(i) != m)
        .collect();
    if !(a.of_blocks(&outer) && b.of_blocks(&outer)) {
        return None;
    }
    Some(Product {
        def: number,
        m,
        n,
        k,
        outer,
        a: factor(a, m, k)?,
        b: factor(b, Some(n), k)?,
        hf32,
        window: None,
    })
}

/// What is rounded to hf32.
fn shortened(func: &Func, expr: Expr) -> Option<Expr> {
    let ExprKind::Unary(UnaryOp::Hf32, inner) = func.exprs[expr].kind else {
        return None;
    };
    Some(inner)
}

/// The same reduction as if its indices were one.
fn one_axis(reduce: &Reduce) -> Option<Reduce> {
    let first = *reduce.axes.first()?;
    let axes = [first].into_iter().collect();
    Some(Reduce {
        axes,
        ..reduce.clone()
    })
}

/// Whether all indices of a reduction together go through memory in equal steps.
fn in_even_steps(func: &Func, reduce: &Reduce, at: &Linear) -> bool {
    let dims: Vec<(i64, i64)> = reduce
        .axes
        .iter()
        .map(|&i| (at.stride(i), func.indices[i].extent))
        .collect();
    collapse(&dims).is_some()
}

/// What a factor reads.
struct Access {
    tensor: Tensor,
    at: Linear,
    grouped: Vec<Grouped>,
    chosen: Option<Chosen>,
}

impl Access {
    /// Whether an index says which part of the tensor is meant, by data or by a quotient.
    fn depends(&self, index: Index) -> bool {
        let chosen = self.chosen.as_ref();
        chosen.is_some_and(|chosen| chosen.at.stride(index) != 0)
            || (self.grouped.iter()).any(|grouped| grouped.indices().any(|i| i == index))
    }

    /// Whether what says which part is meant is the same for a whole block of the product.
    fn of_blocks(&self, outer: &[Index]) -> bool {
        let chosen = self.chosen.iter();
        let chosen = chosen.flat_map(|chosen| chosen.at.strides.keys().copied());
        let grouped = self.grouped.iter().flat_map(Grouped::indices);
        chosen.chain(grouped).all(|index| outer.contains(&index))
    }
}

/// Names the factors so that the last index of the result belongs to the right one.
fn assign_columns(def: &Def, x: Access, y: Access) -> Option<(Access, Access, Index)> {
    let n = def.indices.last().copied()?;
    match (x.at.stride(n) != 0, y.at.stride(n) != 0) {
        (true, true) => None,
        (true, false) => Some((y, x, n)),
        (false, true | false) => Some((x, y, n)),
    }
}

fn factor_load(func: &Func, expr: Expr) -> Option<Access> {
    if let ExprKind::Gather {
        tensor,
        index,
        dim,
        at,
        border: None,
    } = &func.exprs[expr].kind
    {
        let (numbers, place, None) = func.load(*index)? else {
            return None;
        };
        let step = *pitches(&func.tensors[*tensor].shape).get(*dim)?;
        let chosen = Chosen {
            tensor: numbers,
            at: flatten(func, numbers, place)?,
            step,
        };
        return Some(Access {
            tensor: *tensor,
            at: flatten(func, *tensor, at)?,
            grouped: Vec::new(),
            chosen: Some(chosen),
        });
    }
    let (tensor, at, None) = func.load(expr)? else {
        return None;
    };
    let (at, grouped) = flatten_grouped(func, tensor, at)?;
    Some(Access {
        tensor,
        at,
        grouped,
        chosen: None,
    })
}

/// The flat offset of an access that is linear in its indices but for quotients and remainders of some.
fn flatten_grouped(func: &Func, tensor: Tensor, at: &[Affine]) -> Option<(Linear, Vec<Grouped>)> {
    let mut grouped = Vec::new();
    let mut rest = at.to_vec();
    for (coordinate, pitch) in rest.iter_mut().zip(pitches(&func.tensors[tensor].shape)) {
        let terms = std::mem::take(&mut coordinate.terms);
        for (factor, atom) in terms {
            let (of, by, remainder) = match &atom {
                Atom::Index(_) => {
                    coordinate.terms.push((factor, atom));
                    continue;
                }
                Atom::Div(of, by) => (of, *by, false),
                Atom::Mod(of, by) => (of, *by, true),
                Atom::Clamp(..) => return None,
            };
            let plain = of
                .terms
                .iter()
                .all(|(_, atom)| matches!(atom, Atom::Index(_)));
            if !plain || range(func, of).0 < 0 {
                return None;
            }
            grouped.push(Grouped {
                of: (**of).clone(),
                by,
                remainder,
                step: factor.checked_mul(pitch)?,
            });
        }
    }
    Some((flatten(func, tensor, &rest)?, grouped))
}

fn factor(access: Access, free: Option<Index>, k: Index) -> Option<Factor> {
    let Access {
        tensor,
        at,
        grouped,
        chosen,
    } = access;
    let along_free = free.map_or(0, |i| at.stride(i));
    let along_k = at.stride(k);
    let (k_major, pitch) = match (along_free, along_k) {
        (pitch, 0 | 1) if pitch >= 0 => (false, pitch),
        (0 | 1, pitch) if pitch >= 0 => (true, pitch),
        _ => return None,
    };
    Some(Factor {
        tensor,
        at,
        k_major,
        pitch,
        grouped,
        chosen,
    })
}

/// Reads a definition as a conversion of the product that the fixpipe does bit for bit.
pub(super) fn fix_epilogue(func: &Func, product: &Product, def: usize) -> Option<FixEpilogue> {
    let value = func.defs[def].value;
    let source = func.defs[product.def].target;
    let is_source = |e: Expr| func.load(e).is_some_and(|(tensor, ..)| tensor == source);
    let plain = |relu| {
        Some(FixEpilogue {
            def,
            relu,
            scale: None,
        })
    };
    let narrow = |e: Expr| {
        let half = matches!(func.exprs[e].elem, Elem::F16 | Elem::Bf16);
        plain_cast(func, e).filter(|&from| half && func.exprs[from].elem == Elem::F32)
    };
    if let Some(inner) = narrow(value) {
        if is_source(inner) {
            return plain(false);
        }
        return clamped(func, inner)
            .filter(|&e| is_source(e))
            .and_then(|_| plain(true));
    }
    if let Some(inner) = clamped(func, value) {
        let direct = is_source(inner) || narrow(inner).is_some_and(is_source);
        return if direct { plain(true) } else { None };
    }
    let scale = requant_scale(func, product, def, &is_source)?;
    Some(FixEpilogue {
        def,
        relu: false,
        scale: Some(scale),
    })
}

/// `max(x, 0)` in either order: gives `x`.
fn clamped(func: &Func, expr: Expr) -> Option<Expr> {
    let zero = |e: Expr| {
        matches!(func.exprs[e].kind, ExprKind::Float(x) if x.to_bits() == 0)
            || matches!(func.exprs[e].kind, ExprKind::Int(0))
    };
    let ExprKind::Binary(BinaryOp::Max, a, b) = func.exprs[expr].kind else {
        return None;
    };
    match (zero(a), zero(b)) {
        (_, true) => Some(a),
        (true, false) => Some(b),
        (false, false) => None,
    }
}

/// The operand of a conversion to nearest even, saturating.
fn plain_cast(func: &Func, expr: Expr) -> Option<Expr> {
    let ExprKind::Cast {
        value,
        round: Round::Even,
        overflow: Overflow::Saturate,
    } = func.exprs[expr].kind
    else {
        return None;
    };
    Some(value)
}

/// `(acc as f32 * (scale[n] as f32)) as i8` with an i32 product and a bf16 vector: the fixpipe's multiplier keeps 10
/// mantissa bits, so a bf16 scale passes unchanged and the arithmetic is the same step for step (davinci-facts §3.6).
fn requant_scale(
    func: &Func,
    product: &Product,
    def: usize,
    is_source: &dyn Fn(Expr) -> bool,
) -> Option<Scale> {
    let expr = func.defs[def].value;
    let cast = |e: Expr, to: Elem| plain_cast(func, e).filter(|_| func.exprs[e].elem == to);
    let ExprKind::Binary(BinaryOp::Mul, x, y) = func.exprs[cast(expr, Elem::I8)?].kind else {
        return None;
    };
    let [x, y] = [cast(x, Elem::F32)?, cast(y, Elem::F32)?];
    let scale = if is_source(x) { y } else { x };
    if !is_source(if is_source(x) { x } else { y }) || func.exprs[scale].elem != Elem::Bf16 {
        return None;
    }
    let narrowed = cast(scale, Elem::Bf16).filter(|&e| func.exprs[e].elem == Elem::F32);
    let (tensor, at, None) = func.load(narrowed.unwrap_or(scale))? else {
        return None;
    };
    let columns = func.defs[product.def].indices.last() == Some(&product.n);
    let last = func.defs[def].indices.last().copied();
    let one_per_column = func.tensors[tensor].shape.len() == 1 && at.first()?.as_index() == last;
    (columns && one_per_column).then_some(Scale {
        tensor,
        wide: narrowed.is_some(),
    })
}
