//! Definitions in parts: proof that they define every element once, and one definition made of all.
//!
//! The left side of a part is, in each dimension, a progression `offset + stride·i` of an index of its own, or a constant.
//! Disjoint parts whose elements add up to the tensor's cover it. The value is a chain of choices by the coordinates, in
//! which each index of a part becomes `(coordinate - offset) / stride`, clamped to its range.

use super::{Frame, Lower, Lowered};
use crate::affine;
use crate::errors::{resolve, sizes};
use crate::hir::{LocalId, Part};
use diag::Span;
use ir::algo::{Affine, Atom, BinaryOp, CmpOp, Expr, ExprKind, Index};
use isa::types::Elem;

/// The elements of one dimension that a part defines.
#[derive(Clone)]
struct Progression {
    offset: i64,
    stride: i64,
    count: i64,
    /// The index that runs; none for a constant.
    index: Option<Index>,
}

impl<'a> Lower<'a> {
    pub(super) fn parts(
        &mut self,
        f: &mut Frame<'a>,
        target: LocalId,
        parts: &'a [Part],
        span: Span,
    ) -> Lowered<()> {
        let local = &f.item.body[target];
        let shape = self.extents(f, local.shape.as_deref().unwrap_or(&[]), local.span)?;
        let mut boxes = Vec::new();
        for part in parts {
            boxes.push(self.left_side(f, part, &local.name, &shape)?);
        }
        self.check_cover(&local.name, &shape, parts, &boxes)?;
        let dims: Vec<_> = shape
            .iter()
            .enumerate()
            .map(|(n, e)| (format!("i{n}"), *e, span))
            .collect();
        self.define(f, target, &dims, span, |lower, f, own| {
            let mut chosen = None;
            for (part, progressions) in parts.iter().zip(&boxes).rev() {
                let value = lower.part_value(f, part, progressions, own)?;
                chosen = Some(match chosen {
                    None => value,
                    Some(others) => {
                        let inside = lower.inside(progressions, own, part.span)?;
                        let elem = lower.func.exprs[value].elem;
                        lower.node(ExprKind::Select(inside, value, others), elem, part.span)?
                    }
                });
            }
            chosen.ok_or(super::Stop)
        })
    }

    /// The progressions of a part, within the tensor.
    fn left_side(
        &mut self,
        f: &mut Frame<'a>,
        part: &'a Part,
        name: &str,
        shape: &[i64],
    ) -> Lowered<Vec<Progression>> {
        for index in &part.indices {
            let data = &f.item.body[*index];
            let extent = self.extent(f, &data.extent, data.span)?;
            f.indices[index.0] = Some(self.index(&data.name, extent, data.span));
        }
        let mut progressions: Vec<Progression> = Vec::new();
        for (dimension, (e, size)) in part.left.iter().zip(shape).enumerate() {
            let form = self.affine(f, *e)?;
            let span = f.item.body[*e].span;
            let found = self.progression(&form).filter(|p| {
                p.index.is_none() || progressions.iter().all(|other| other.index != p.index)
            });
            let Some(progression) = found else {
                return self.stop(resolve::not_compiled_yet("this left side", span));
            };
            let access = sizes::Access {
                tensor: name.to_owned(),
                dimension,
                size: String::new(),
                span,
                whole: Span::NONE,
                declared: Span::NONE,
            };
            self.check_bounds(&form, access, *size);
            progressions.push(progression);
        }
        Ok(progressions)
    }

    fn progression(&self, form: &Affine) -> Option<Progression> {
        match form.terms.as_slice() {
            [] => Some(Progression {
                offset: form.constant,
                stride: 1,
                count: 1,
                index: None,
            }),
            [(stride, Atom::Index(index))] if *stride > 0 => {
                let count = self.func.indices[*index].extent;
                Some(Progression {
                    offset: form.constant,
                    stride: *stride,
                    count,
                    index: Some(*index),
                })
            }
            _ => None,
        }
    }

    fn check_cover(
        &mut self,
        name: &str,
        shape: &[i64],
        parts: &[Part],
        boxes: &[Vec<Progression>],
    ) -> Lowered<()> {
        for (n, (part, own)) in parts.iter().zip(boxes).enumerate() {
            for (other, theirs) in parts[..n].iter().zip(boxes) {
                if own.iter().zip(theirs).all(|(a, b)| meet(a, b)) {
                    return self.stop(resolve::parts_overlap(name, part.span, other.span));
                }
            }
        }
        let elements =
            |extents: &mut dyn Iterator<Item = i64>| extents.map(i128::from).product::<i128>();
        let total = elements(&mut shape.iter().copied());
        let defined: i128 = boxes
            .iter()
            .map(|b| elements(&mut b.iter().map(|p| p.count)))
            .sum();
        match parts.last() {
            Some(part) if defined < total && self.diagnostics.is_empty() => {
                self.stop(resolve::parts_leave_gap(name, total - defined, part.span))
            }
            _ => Ok(()),
        }
    }

    /// The value of a part at the coordinates of the whole.
    fn part_value(
        &mut self,
        f: &mut Frame<'a>,
        part: &'a Part,
        progressions: &[Progression],
        own: &[Index],
    ) -> Lowered<Expr> {
        let indices: Vec<Index> = part.indices.iter().filter_map(|i| f.indices[i.0]).collect();
        let left = std::mem::replace(&mut self.left, indices);
        let value = self.expr(f, part.value, &[])?;
        self.left = left;
        let extent = |index: Index| self.func.indices[index].extent;
        let place = |(p, own): (&Progression, &Index)| {
            let from = affine::add_scaled(&Affine::index(*own), &Affine::constant(p.offset), -1)?;
            let number = affine::div(&from, p.stride, &extent)?;
            Some((p.index?, affine::clamp(&number, (0, p.count - 1), &extent)?))
        };
        let map: Vec<(Index, Affine)> = progressions.iter().zip(own).filter_map(place).collect();
        self.substitute_forms(value, &map)
    }

    /// Whether the coordinates belong to a part.
    fn inside(&mut self, progressions: &[Progression], own: &[Index], span: Span) -> Lowered<Expr> {
        let mut all = self.integer(1, Elem::Bool, span)?;
        for (p, index) in progressions.iter().zip(own) {
            let size = self.func.indices[*index].extent;
            let at = self.node(ExprKind::Index(*index), Elem::I64, span)?;
            let end = p.offset + p.stride * (p.count - 1);
            let mut tests = Vec::new();
            if p.offset > 0 {
                tests.push((CmpOp::Ge, at, p.offset));
            }
            if end + p.stride < size {
                tests.push((CmpOp::Le, at, end));
            }
            if p.stride > 1 {
                let offset = self.integer(p.offset, Elem::I64, span)?;
                let from =
                    self.node(ExprKind::Binary(BinaryOp::Sub, at, offset), Elem::I64, span)?;
                let stride = self.integer(p.stride, Elem::I64, span)?;
                let rest = self.node(
                    ExprKind::Binary(BinaryOp::Rem, from, stride),
                    Elem::I64,
                    span,
                )?;
                tests.push((CmpOp::Eq, rest, 0));
            }
            for (op, value, bound) in tests {
                let bound = self.integer(bound, Elem::I64, span)?;
                let test = self.node(ExprKind::Compare(op, value, bound), Elem::Bool, span)?;
                all = self.both(all, test, span)?;
            }
        }
        Ok(all)
    }

    fn both(&mut self, a: Expr, b: Expr, span: Span) -> Lowered<Expr> {
        if self.func.exprs[a].kind == ExprKind::Int(1) {
            return Ok(b);
        }
        self.node(ExprKind::Binary(BinaryOp::And, a, b), Elem::Bool, span)
    }
}

/// Whether two progressions have a common element.
fn meet(a: &Progression, b: &Progression) -> bool {
    let (few, many) = if a.count <= b.count { (a, b) } else { (b, a) };
    let contains = |value: i64| {
        let from = value - many.offset;
        from >= 0 && from % many.stride == 0 && from / many.stride < many.count
    };
    // Residues repeat after `many.stride` steps; what happens at the ends is seen in the first and last period.
    let period = many.stride;
    let start = (many.offset - few.offset).max(0) / few.stride;
    let last = few
        .count
        .min(start.saturating_add(period).saturating_add(1));
    (start.min(few.count)..last).any(|n| contains(few.offset + few.stride * n))
}
