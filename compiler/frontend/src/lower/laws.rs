//! The laws of a monoid as functions whose results come in pairs that must agree.
//!
//! With `p`, `q`, `r` for the records of three blocks of items: `merge(identity, p)` and `merge(p, identity)` are `p`,
//! `merge(merge(p, q), r)` is `merge(p, merge(q, r))`, and `merge(p, q)` is the record of both blocks at once. Only
//! records that blocks can give are looked at.

use super::{Binding, Frame, Lower, Lowered, Slot, Stop, Target, View, build};
use crate::hir::{Item, ItemId};
use diag::{Diagnostic, Span};
use ir::algo::{Affine, Def, Func, Index, Role};
use isa::types::Elem;
use std::sync::Arc;

/// What a monoid must satisfy, as a function of items.
#[derive(Clone, Debug)]
pub struct Laws {
    /// The monoid.
    pub monoid: String,
    /// Where its name stands.
    pub span: Span,
    /// Parameters are the items of all blocks; results come in pairs.
    pub func: Func,
    /// What each pair of results says.
    pub pairs: Vec<Pair>,
    /// Items of the three blocks.
    pub lengths: [i64; 3],
}

/// Two results that must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The law in words.
    pub law: &'static str,
    /// Both sides as formulas.
    pub sides: [&'static str; 2],
    /// The field of the record.
    pub field: String,
}

/// The functions of a monoid.
#[derive(Copy, Clone)]
pub(crate) struct Parts {
    pub(crate) identity: ItemId,
    pub(crate) merge: ItemId,
    pub(crate) block: ItemId,
}

/// Every other size of a monoid in its laws.
const SIZE: i64 = 3;

/// The laws of a monoid on three blocks of items.
pub(crate) fn laws(
    items: &[Arc<Item>],
    parts: Parts,
    (monoid, span): (&str, Span),
    lengths: [i64; 3],
) -> Result<Laws, Vec<Diagnostic>> {
    let Some(block) = items.get(parts.block.0) else {
        return Err(Vec::new());
    };
    let mut lower = Lower::new(items, block);
    lower.func.name = monoid.to_owned();
    match lower.write_laws(parts, block, lengths) {
        Ok(pairs) if lower.diagnostics.is_empty() => Ok(Laws {
            monoid: monoid.to_owned(),
            span,
            func: build::compact(lower.func),
            pairs,
            lengths,
        }),
        Ok(_) | Err(Stop) => Err(lower.diagnostics),
    }
}

impl<'a> Lower<'a> {
    fn write_laws(
        &mut self,
        parts: Parts,
        block: &'a Item,
        lengths: [i64; 3],
    ) -> Lowered<Vec<Pair>> {
        let args = self.law_params(block, lengths.iter().sum())?;
        let [a, b, c] = lengths;
        let p = self.law_block(parts.block, &args, 0, a)?;
        let q = self.law_block(parts.block, &args, a, b)?;
        let r = self.law_block(parts.block, &args, a + b, c)?;
        let both = self.law_block(parts.block, &args, 0, a + b)?;
        let nothing = self.law_call(parts.identity, Vec::new(), Vec::new())?;
        let mut merge = |left: &[View], right: &[View]| {
            let views = left.iter().chain(right).cloned().collect();
            self.law_call(parts.merge, Vec::new(), views)
        };
        let behind = merge(&nothing, &p)?;
        let before = merge(&p, &nothing)?;
        let pq = merge(&p, &q)?;
        let left = merge(&pq, &r)?;
        let qr = merge(&q, &r)?;
        let right = merge(&p, &qr)?;
        let laws = [
            ("identity", ["merge(identity, p)", "p"], [&behind, &p]),
            ("identity", ["merge(p, identity)", "p"], [&before, &p]),
            (
                "associativity",
                ["merge(merge(p, q), r)", "merge(p, merge(q, r))"],
                [&left, &right],
            ),
            (
                "blocks",
                ["merge(block(p), block(q))", "block(p and q)"],
                [&pq, &both],
            ),
        ];
        let mut pairs = Vec::new();
        for (law, sides, [one, other]) in laws {
            for (number, field) in block.result_locals().iter().enumerate() {
                let (Some(one), Some(other)) = (one.get(number), other.get(number)) else {
                    return Err(Stop);
                };
                self.law_result(one)?;
                self.law_result(other)?;
                let field = field.name.rsplit('.').next().unwrap_or(&field.name);
                let field = field.to_owned();
                pairs.push(Pair { law, sides, field });
            }
        }
        Ok(pairs)
    }

    fn law_types(item: &Item) -> Vec<Elem> {
        item.types.iter().map(|t| t.class.default_elem()).collect()
    }

    /// Sizes of a function of the monoid; the last of a block is the number of items.
    fn law_sizes(item: &Item, length: Option<i64>) -> Vec<i64> {
        let own = item.sizes.len() - usize::from(length.is_some());
        let sizes = std::iter::repeat_n(SIZE, own);
        sizes.chain(length).collect()
    }

    /// The items of all blocks.
    fn law_params(&mut self, block: &'a Item, total: i64) -> Lowered<Vec<View>> {
        if block.broken || block.sizes.is_empty() {
            return Err(Stop);
        }
        let sizes = Self::law_sizes(block, Some(total));
        let frame = Frame::new(block, sizes, Self::law_types(block), String::new());
        let mut views = Vec::new();
        for local in block.param_locals() {
            let shape = local.shape.as_deref().unwrap_or(&[]);
            let shape = self.extents(&frame, shape, local.span)?;
            let (elem, name) = (frame.elem(local.ty), local.name.clone());
            let tensor = self.tensor(name, elem, &shape, Role::Param, local.span)?;
            self.func.params.push(tensor);
            let at = vec![Slot::Open; shape.len()];
            views.push(View { tensor, at });
        }
        Ok(views)
    }

    /// The record of some of the items.
    fn law_block(
        &mut self,
        block: ItemId,
        args: &[View],
        first: i64,
        length: i64,
    ) -> Lowered<Vec<View>> {
        let by = |view: &View| {
            let mut view = view.clone();
            if let Some(slot) = view.at.first_mut() {
                *slot = Slot::Shifted(Affine::constant(first));
            }
            view
        };
        self.law_call(block, vec![length], args.iter().map(by).collect())
    }

    fn law_call(&mut self, item: ItemId, length: Vec<i64>, views: Vec<View>) -> Lowered<Vec<View>> {
        let items: &'a [Arc<Item>] = self.items;
        let Some(item) = items.get(item.0).filter(|item| !item.incomplete) else {
            return Err(Stop);
        };
        let sizes = Self::law_sizes(item, length.first().copied());
        let mut frame = Frame::new(item, sizes, Self::law_types(item), String::new());
        self.check_conditions(&mut frame, None)?;
        for (local, view) in frame.locals.iter_mut().zip(views) {
            *local = Some(Binding::View(view));
        }
        let target = |number: usize| Target {
            tensor: None,
            name: format!("record.{number}"),
        };
        let targets = (0..item.results).map(target).collect();
        self.expand(frame, targets)
    }

    /// Gives a field back.
    pub(super) fn law_result(&mut self, view: &View) -> Lowered<()> {
        let data = self.func.tensors[view.tensor].clone();
        let open = view.at.iter().zip(&data.shape);
        let shape: Vec<i64> = open
            .filter(|(slot, _)| !matches!(slot, Slot::Fixed(_)))
            .map(|(_, extent)| *extent)
            .collect();
        let own: Vec<Index> = (shape.iter().enumerate())
            .map(|(n, extent)| self.index(&format!("i{n}"), *extent, data.span))
            .collect();
        let at: Vec<Affine> = own.iter().map(|index| Affine::index(*index)).collect();
        let items: &'a [Arc<Item>] = self.items;
        let Some(any) = items.first() else {
            return Err(Stop);
        };
        let frame = Frame::new(any, Vec::new(), Vec::new(), String::new());
        let value = self.load(&frame, view, &at, None, data.span)?;
        let name = format!("side{}", self.func.results.len());
        let target = self.tensor(name, data.elem, &shape, Role::Result, data.span)?;
        self.func.results.push(target);
        self.func.defs.push(Def {
            target,
            indices: own.into_iter().collect(),
            value,
            span: data.span,
        });
        Ok(())
    }
}
