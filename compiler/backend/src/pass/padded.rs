//! Windows over an image with a border become windows over a padded copy of it, which DMA makes box by box.
//!
//! Before: `y[i, c] = max(p: 3) (x[2*i + p - 1, c] else -inf)`.
//! After: `x.padded[u, c] = (x[u - 1, c] else -inf)`, in boxes, and `y[i, c] = max(p: 3) x.padded[2*i + p, c]`.
//! Where an access may be outside, its elements come one by one; inside of what is there they come as rows. The cube reads
//! windows with a border by itself. Only arguments with a constant around them are copied.

use ir::algo::{
    Affine, Atom, Def, Expr, ExprData, ExprKind, Func, Index, IndexData, Role, Tensor, TensorData,
};
use smallvec::SmallVec;

use super::parts::{self, Parts};
use crate::partition::product;
use crate::tiling::access::range;

/// Gives every such access a padded copy, if it can be made of boxes.
pub(crate) fn run(func: &mut Func) -> Parts {
    let mut made = Parts::new();
    let mut number = 0;
    while number < func.defs.len() {
        for access in windows(func, number) {
            let Some(def) = padded(func, access) else {
                continue;
            };
            let (target, known) = (def.target, func.tensors.len());
            func.defs.insert(number, def);
            let boxes = parts::boxes(func, number);
            let def = func.defs.remove(number);
            if boxes.is_empty() {
                continue;
            }
            debug_assert_eq!(known, func.tensors.len(), "boxes make no tensors");
            for (n, area) in boxes.iter().enumerate() {
                let part = parts::cut(func, &def, n, area, &mut made);
                func.defs.insert(number, part);
                number += 1;
            }
            read(func, access, target);
        }
        number += 1;
    }
    made
}

/// The accesses with a border that a reduction makes at a place which moves with what it reduces.
fn windows(func: &Func, number: usize) -> Vec<Expr> {
    let Some(reduce) = func.root_reduce(number) else {
        return Vec::new();
    };
    if product(func, number).is_some() {
        return Vec::new();
    }
    let axes = reduce.axes.clone();
    let is_window = |e: &Expr| {
        let ExprKind::Load {
            tensor,
            at,
            border: Some(border),
        } = &func.exprs[*e].kind
        else {
            return false;
        };
        let constant = matches!(
            func.exprs[*border].kind,
            ExprKind::Float(_) | ExprKind::Int(_)
        );
        let plain =
            (at.iter().flat_map(|at| &at.terms)).all(|(_, atom)| matches!(atom, Atom::Index(_)));
        let moves = at.iter().any(|at| {
            let over = |(_, atom): &(i64, Atom)| matches!(atom, Atom::Index(i) if axes.contains(i));
            at.terms.len() > 1 && at.terms.iter().any(over)
        });
        constant && plain && moves && func.tensors[*tensor].role == Role::Param
    };
    let found = func.accesses(func.defs[number].value).into_iter();
    found.filter(is_window).collect()
}

/// The elements that an access comes to, those outside too, as a definition.
fn padded(func: &mut Func, access: Expr) -> Option<Def> {
    let data = func.exprs[access].clone();
    let ExprKind::Load {
        tensor,
        at,
        border: Some(border),
    } = data.kind
    else {
        return None;
    };
    let of = func.tensors[tensor].clone();
    let spans: Vec<(i64, i64)> = at.iter().map(|at| range(func, at)).collect();
    let extents = spans
        .iter()
        .map(|(lo, hi)| hi.checked_sub(*lo)?.checked_add(1));
    let shape = extents.collect::<Option<SmallVec<[i64; 4]>>>()?;
    let elements = |shape: &[i64]| shape.iter().try_fold(1_i64, |n, x| n.checked_mul(*x));
    // A border that is most of what is read is no border of an image.
    if elements(&shape)? > elements(&of.shape)?.checked_mul(2)? {
        return None;
    }
    let mut indices: SmallVec<[Index; 4]> = SmallVec::new();
    let mut coordinates: SmallVec<[Affine; 4]> = SmallVec::new();
    for (d, (extent, (lo, _))) in shape.iter().zip(&spans).enumerate() {
        let index = func.indices.push(IndexData {
            name: format!("u{d}"),
            extent: *extent,
            span: data.span,
        });
        indices.push(index);
        coordinates.push(Affine {
            constant: *lo,
            ..Affine::index(index)
        });
    }
    let kind = ExprKind::Load {
        tensor,
        at: coordinates,
        border: Some(border),
    };
    let value = func.exprs.push(ExprData {
        kind,
        elem: data.elem,
        span: data.span,
    });
    let name = format!("{}.padded", of.name);
    let target = func.tensors.push(TensorData {
        name,
        shape,
        role: Role::Let,
        ..of
    });
    Some(Def {
        target,
        indices,
        value,
        span: data.span,
    })
}

/// Lets an access read the copy, in which it is never outside.
fn read(func: &mut Func, access: Expr, copy: Tensor) {
    let ExprKind::Load { at, .. } = &func.exprs[access].kind else {
        return;
    };
    let inside = |at: &Affine| Affine {
        constant: at.constant - range(func, at).0,
        ..at.clone()
    };
    let at = at.iter().map(inside).collect();
    func.exprs[access].kind = ExprKind::Load {
        tensor: copy,
        at,
        border: None,
    };
}
