//! Folds: a monoid's `block` expanded over all items at once, or over blocks of a fixed size that are merged in order.
//!
//! The indices on the left become the context of the expansion, as in a call inside a definition, so that the fields are
//! tensors over them. Arguments become views in which the folded index is open: of a tensor that has it in a place of
//! its own directly, of anything else after it is stored. A mask goes to every reduction over the items of the block.

use super::calls::fixed_indices;
use super::{Binding, Frame, Lower, Lowered, Slot, Stop, Target, View};
use crate::affine;
use crate::errors::{resolve, sizes};
use crate::hir::{self, Call, ExprId, Fold, IndexId, Item, ItemId};
use crate::poly::{Atom, Poly};
use diag::Span;
use ir::algo::{Affine, BinaryOp, Expr, ExprKind, Index};
use isa::types::Elem;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Blocks of a fixed order that are merged one after the other.
const MOST_BLOCKS: i64 = 1024;

/// Which items of a block count.
#[derive(Clone)]
pub(super) struct Mask {
    /// The condition.
    value: Expr,
    /// The index in it that stands for the item.
    index: Index,
    /// The first item of the block.
    first: Affine,
    /// Sizes of the frame that are the number of items.
    sizes: Vec<usize>,
}

impl Mask {
    /// Whether an extent is the number of items.
    fn is_length(&self, extent: &Poly) -> bool {
        let var = |size: &usize| u32::try_from(*size).is_ok_and(|v| *extent == Poly::var(v));
        self.sizes.iter().any(var)
    }

    /// Whether an extent depends on the number of items.
    fn mentions(&self, extent: &Poly) -> bool {
        let known = |v: u32| self.sizes.contains(&(v as usize));
        extent.any_atom(|atom| matches!(atom, Atom::Var(v) if known(*v)))
    }
}

/// Part of the items: how many, and the first.
struct Part {
    length: i64,
    first: Affine,
}

/// A fold on its way down.
struct Run<'r> {
    fold: &'r Fold,
    args: Vec<View>,
    mask: Option<Expr>,
    item: Index,
    base: String,
    cut: Cut,
    span: Span,
}

/// How the items are cut into blocks.
#[derive(Copy, Clone)]
struct Cut {
    /// Items of a full block, and how many such blocks there are.
    length: i64,
    full: i64,
    /// Items behind them.
    rest: i64,
    /// The number of a full block; older than the indices on the left, so that a block's record lies in one piece.
    number: Option<Index>,
}

impl<'a> Lower<'a> {
    /// `let st[h, i] = fold(j) monoid(…);`
    pub(super) fn define_fold(
        &mut self,
        f: &mut Frame<'a>,
        fold: &'a Fold,
        span: Span,
    ) -> Lowered<()> {
        self.enter(span)?;
        let cut = self.cut(f, fold, span)?;
        let own: Vec<Index> = (fold.indices.iter())
            .map(|index| self.bound(f, *index))
            .collect::<Lowered<_>>()?;
        let item = self.bound(f, fold.index)?;
        let base = format!("{}{}", f.prefix, fold.name);
        let left = std::mem::replace(&mut self.left, own.clone());
        let mask = self.mask(f, &fold.masks)?;
        self.check_mask(mask, span)?;
        let mut args = Vec::new();
        for (number, arg) in fold.call.args.iter().enumerate() {
            let name = self.parameter_name(&fold.call, number);
            args.push(self.along(f, *arg, item, &format!("{base}.{name}"))?);
        }
        self.left = left;
        let run = Run {
            fold,
            args,
            mask,
            item,
            base,
            cut,
            span,
        };
        let before = self.func.tensors.len();
        let views = self.blocks(f, &run)?;
        if fold.blocks.is_none() {
            let made = self.func.tensors.keys().skip(before);
            self.func.regrouped.extend(made);
            self.keep_merge(f, fold, (&views, &own), span)?;
        }
        for (target, view) in fold.targets.iter().zip(views) {
            self.bind_field(f, *target, view, &own, span)?;
        }
        self.nesting -= 1;
        Ok(())
    }

    fn cut(&mut self, f: &Frame<'a>, fold: &'a Fold, span: Span) -> Lowered<Cut> {
        let items = self.extent(f, &f.item.body[fold.index].extent, span)?;
        let length = match &fold.blocks {
            Some(_) if self.func.symbols.is_symbolic(items) => {
                let what = "a fold in blocks visits a known number of items";
                return self.stop(sizes::needs_fixed(what, span));
            }
            Some(size) => self.extent(f, size, span)?.min(items),
            None => items,
        };
        let (full, rest) = (items / length, items % length);
        if full > MOST_BLOCKS {
            let limit =
                format!("a fold of {full} blocks, of which at most {MOST_BLOCKS} are merged");
            return self.stop(resolve::too_large(&limit, span));
        }
        let number = (full > 1).then(|| self.index("b", full, span));
        Ok(Cut {
            length,
            full,
            rest,
            number,
        })
    }

    fn bound(&mut self, f: &mut Frame<'a>, index: IndexId) -> Lowered<Index> {
        let data = &f.item.body[index];
        let extent = self.extent(f, &data.extent, data.span)?;
        let new = self.index(&data.name, extent, data.span);
        f.indices[index.0] = Some(new);
        Ok(new)
    }

    fn parameter_name(&self, call: &Call, number: usize) -> String {
        let params = self.items.get(call.item.0).map(|item| item.param_locals());
        let local = params.and_then(|params| params.get(number));
        local.map_or_else(String::new, |local| local.name.clone())
    }

    /// A mask is copied to each reduction, and a reduction's indices cannot be copied.
    fn check_mask(&mut self, mask: Option<Expr>, span: Span) -> Lowered<()> {
        let mut reduces = false;
        if let Some(mask) = mask {
            self.visit(mask, &mut |data| {
                reduces |= matches!(data.kind, ExprKind::Reduce(_));
            });
        }
        if reduces {
            return self.stop(resolve::not_compiled_yet(
                "a reduction in the mask of a fold",
                span,
            ));
        }
        Ok(())
    }

    // ---- arguments ----

    /// The values of an argument for all items: a view whose first open coordinate is the item.
    fn along(&mut self, f: &mut Frame<'a>, arg: ExprId, item: Index, name: &str) -> Lowered<View> {
        let hir::ExprKind::Along(body) = f.item.body[arg].kind else {
            return Err(Stop);
        };
        if matches!(f.item.body[body].kind, hir::ExprKind::Access { .. }) {
            let view = self.view(f, body, name)?;
            if !self.diagnostics.is_empty() {
                return Err(Stop);
            }
            if let Some(view) = opened(view, item) {
                return Ok(view);
            }
        }
        let node = &f.item.body[body];
        let span = node.span;
        let fresh = self.copy_index(item);
        let mut own = vec![fresh];
        for (n, extent) in self.extents(f, &node.shape, span)?.into_iter().enumerate() {
            own.push(self.index(&format!("i{n}"), extent, span));
        }
        let at: Vec<Affine> = own[1..].iter().map(|index| Affine::index(*index)).collect();
        let value = self.operand(f, body, &at)?;
        let value = self.substitute(value, &[(item, fresh)])?;
        let mut free = self.free_indices(value);
        own.iter().for_each(|index| {
            free.remove(index);
        });
        let free: Vec<Index> = free.into_iter().collect();
        self.store(value, &free, &own, name.to_owned(), span)
    }

    // ---- blocks ----

    /// The record of all items, a view a field.
    fn blocks(&mut self, f: &mut Frame<'a>, run: &Run<'a>) -> Lowered<Vec<View>> {
        let Cut {
            length,
            full,
            rest,
            number,
        } = run.cut;
        let first = match number {
            Some(number) => affine::scale(&Affine::index(number), length).unwrap_or_default(),
            None => Affine::default(),
        };
        let last = number.is_none() && rest == 0;
        let blocks = self.part(f, run, &Part { length, first }, last)?;
        let mut joined = at_block(&blocks, number, 0);
        for block in 1..full {
            let last = block + 1 == full && rest == 0;
            joined = self.merge(f, run, joined, at_block(&blocks, number, block), last)?;
        }
        if rest > 0 {
            let first = Affine::constant(full * length);
            let part = Part {
                length: rest,
                first,
            };
            let tail = self.part(f, run, &part, false)?;
            joined = self.merge(f, run, joined, tail, true)?;
        }
        Ok(joined)
    }

    /// The record of some items.
    fn part(
        &mut self,
        f: &mut Frame<'a>,
        run: &Run<'a>,
        part: &Part,
        last: bool,
    ) -> Lowered<Vec<View>> {
        let word = if last { "" } else { "block." };
        let mut frame = self.monoid_frame(f, run, run.fold.call.item, Some(part.length), word)?;
        let length = frame.sizes.len().saturating_sub(1);
        frame.mask = run.mask.map(|value| Mask {
            value,
            index: run.item,
            first: part.first.clone(),
            sizes: vec![length],
        });
        for (local, view) in frame.locals.iter_mut().zip(&run.args) {
            *local = Some(Binding::View(shifted(view, &part.first)));
        }
        let targets = targets(run, word, frame.item);
        self.expand(frame, targets)
    }

    fn merge(
        &mut self,
        f: &mut Frame<'a>,
        run: &Run<'a>,
        left: Vec<View>,
        right: Vec<View>,
        last: bool,
    ) -> Lowered<Vec<View>> {
        let word = if last { "" } else { "merge." };
        let mut frame = self.monoid_frame(f, run, run.fold.merge, None, word)?;
        let views = left.into_iter().chain(right);
        for (local, view) in frame.locals.iter_mut().zip(views) {
            *local = Some(Binding::View(view));
        }
        let targets = targets(run, word, frame.item);
        self.expand(frame, targets)
    }

    /// The frame of a function of the monoid; `length` items for a block.
    fn monoid_frame(
        &mut self,
        f: &mut Frame<'a>,
        run: &Run<'a>,
        item: ItemId,
        length: Option<i64>,
        word: &str,
    ) -> Lowered<Frame<'a>> {
        let items: &'a [Arc<Item>] = self.items;
        let Some(item) = items.get(item.0) else {
            return Err(Stop);
        };
        let call = &run.fold.call;
        let mut sizes = monoid_sizes(self, f, run.fold, run.span)?;
        sizes.extend(length);
        let types: Vec<Elem> = call.types.iter().map(|ty| f.elem(*ty)).collect();
        if item.incomplete || item.broken {
            return Err(Stop);
        }
        let mut frame = Frame::new(item, sizes, types, format!("{}.{word}", run.base));
        self.check_conditions(&mut frame, Some(run.span))?;
        Ok(frame)
    }

    // ---- fields ----

    /// Makes a field a local: its first coordinates are the indices on the left.
    fn bind_field(
        &mut self,
        f: &mut Frame<'a>,
        target: hir::LocalId,
        view: View,
        own: &[Index],
        span: Span,
    ) -> Lowered<()> {
        if let Some(view) = with_open(&view, own) {
            f.locals[target.0] = Some(Binding::View(view));
            return Ok(());
        }
        // The field does not depend on every index of the left: it is broadcast.
        let local = &f.item.body[target];
        let shape = self.extents(f, local.shape.as_deref().unwrap_or(&[]), local.span)?;
        let dims: Vec<_> = (shape.iter().enumerate())
            .map(|(n, extent)| (format!("i{n}"), *extent, span))
            .collect();
        self.define(f, target, &dims, span, |lower, f, fresh| {
            let (left, inner) = fresh.split_at(own.len().min(fresh.len()));
            let map: Vec<(Index, Index)> = own.iter().copied().zip(left.iter().copied()).collect();
            let slots = view.at.iter().map(|slot| match slot {
                Slot::Fixed(form) => Slot::Fixed(affine::rename(form, &map)),
                Slot::Open => Slot::Open,
                Slot::Shifted(by) => Slot::Shifted(affine::rename(by, &map)),
            });
            let view = View {
                tensor: view.tensor,
                at: slots.collect(),
            };
            let at: Vec<Affine> = inner.iter().map(|index| Affine::index(*index)).collect();
            lower.load(f, &view, &at, None, span)
        })
    }

    // ---- masks ----

    /// The mask of a reduction inside a block: its own, and that of the fold for each index that runs over the items.
    pub(super) fn masked_items(
        &mut self,
        f: &Frame<'a>,
        (axes, new): (&[IndexId], &[Index]),
        mask: Option<Expr>,
        span: Span,
    ) -> Lowered<Option<Expr>> {
        let Some(fold) = f.mask.clone() else {
            return Ok(mask);
        };
        let mut all = mask;
        for (axis, new) in axes.iter().zip(new) {
            let extent = &f.item.body[*axis].extent;
            if !fold.is_length(extent) {
                if fold.mentions(extent) {
                    return self.stop(resolve::not_compiled_yet(
                        "a reduction over part of the items of a masked fold",
                        span,
                    ));
                }
                continue;
            }
            let condition = self.item_mask(f, &fold, *new, span)?;
            all = Some(match all {
                None => condition,
                Some(other) => {
                    let both = ExprKind::Binary(BinaryOp::And, other, condition);
                    self.node(both, Elem::Bool, span)?
                }
            });
        }
        Ok(all)
    }

    /// Whether an item counts, in terms of the definition that is being lowered.
    fn item_mask(&mut self, f: &Frame<'a>, fold: &Mask, item: Index, span: Span) -> Lowered<Expr> {
        let first = affine::rename(&fold.first, &f.map);
        let Some(place) = affine::add_scaled(&first, &Affine::index(item), 1) else {
            return self.stop(sizes::size_overflow(span, "this index expression"));
        };
        let context = f.map.iter().map(|(old, new)| (*old, Affine::index(*new)));
        let forms: Vec<(Index, Affine)> = context.chain([(fold.index, place)]).collect();
        self.substitute_forms(fold.value, &forms)
    }

    /// The mask of a call inside a block, if the number of items is one of its sizes.
    pub(super) fn passed_mask(&mut self, f: &Frame<'a>, call: &Call) -> Lowered<Option<Mask>> {
        let Some(mask) = f.mask.clone() else {
            return Ok(None);
        };
        let sizes = call.sizes.iter().enumerate();
        let sizes: Vec<usize> = sizes
            .filter(|(_, size)| mask.is_length(size))
            .map(|(number, _)| number)
            .collect();
        if sizes.is_empty() {
            return Ok(None);
        }
        Ok(Some(Mask {
            value: self.substitute(mask.value, &f.map)?,
            index: mask.index,
            first: affine::rename(&mask.first, &f.map),
            sizes,
        }))
    }

    /// The indices that a mask depends on.
    pub(super) fn mask_indices(&self, mask: &Mask, into: &mut BTreeSet<Index>) {
        let mut free = self.free_indices(mask.value);
        free.remove(&mask.index);
        into.extend(free);
        affine::visit_indices(&mask.first, &mut |index| {
            into.insert(index);
        });
    }
}

/// The sizes of a monoid, without the number of items.
pub(super) fn monoid_sizes<'a>(
    lower: &mut Lower<'a>,
    f: &Frame<'a>,
    fold: &Fold,
    span: Span,
) -> Lowered<Vec<i64>> {
    let sizes = &fold.call.sizes;
    let own = sizes.iter().take(sizes.len().saturating_sub(1));
    own.map(|size| lower.extent(f, size, span)).collect()
}

/// Where the fields of a part go: `st.o` at last, `st.block.o` and `st.merge.o` before.
fn targets(run: &Run<'_>, word: &str, item: &Item) -> Vec<Target> {
    let field = |local: &hir::Local| Target {
        tensor: None,
        name: format!(
            "{}.{word}{}",
            run.base,
            local.name.rsplit('.').next().unwrap_or(&local.name)
        ),
    };
    item.result_locals().iter().map(field).collect()
}

/// The view with the item as its first open coordinate, if the item has a coordinate of its own before all others.
fn opened(view: View, item: Index) -> Option<View> {
    let mentions = |slot: &Slot| match slot {
        Slot::Fixed(form) | Slot::Shifted(form) => {
            let mut found = false;
            affine::visit_indices(form, &mut |index| found |= index == item);
            found
        }
        Slot::Open => false,
    };
    let with: Vec<usize> = (0..view.at.len())
        .filter(|n| mentions(&view.at[*n]))
        .collect();
    let [place] = with.as_slice() else {
        return None;
    };
    let alone = matches!(&view.at[*place], Slot::Fixed(form) if form.as_index() == Some(item));
    let before = &view.at[..*place];
    let first = before.iter().all(|slot| matches!(slot, Slot::Fixed(_)));
    if !alone || !first {
        return None;
    }
    let mut view = view;
    view.at[*place] = Slot::Open;
    Some(view)
}

/// The view with its first open coordinate moved.
fn shifted(view: &View, by: &Affine) -> View {
    let mut view = view.clone();
    if *by == Affine::default() {
        return view;
    }
    if let Some(slot) = view.at.iter_mut().find(|slot| matches!(slot, Slot::Open)) {
        *slot = Slot::Shifted(by.clone());
    }
    view
}

/// The record of one block.
fn at_block(views: &[View], number: Option<Index>, block: i64) -> Vec<View> {
    let Some(number) = number else {
        return views.to_vec();
    };
    let here = |slot: &Slot| match slot {
        Slot::Fixed(form) if form.as_index() == Some(number) => {
            Slot::Fixed(Affine::constant(block))
        }
        Slot::Fixed(_) | Slot::Open | Slot::Shifted(_) => slot.clone(),
    };
    let view = |view: &View| View {
        tensor: view.tensor,
        at: view.at.iter().map(here).collect(),
    };
    views.iter().map(view).collect()
}

/// The view with the indices of the left as its first open coordinates, if it has them in that order.
fn with_open(view: &View, own: &[Index]) -> Option<View> {
    let mut found = BTreeSet::new();
    fixed_indices(view, &mut found);
    let mut seen = Vec::new();
    let mut at = Vec::new();
    for slot in &view.at {
        match slot {
            Slot::Fixed(form) => match form.as_index().filter(|index| own.contains(index)) {
                Some(index) => {
                    seen.push(index);
                    at.push(Slot::Open);
                }
                None => at.push(slot.clone()),
            },
            Slot::Open | Slot::Shifted(_) => at.push(slot.clone()),
        }
    }
    let inner = view
        .at
        .iter()
        .position(|slot| !matches!(slot, Slot::Fixed(_)));
    let last = view.at.iter().rposition(|slot| {
        matches!(slot, Slot::Fixed(form) if form.as_index().is_some_and(|i| own.contains(&i)))
    });
    let in_front = match (inner, last) {
        (Some(inner), Some(last)) => last < inner,
        (_, None) | (None, _) => true,
    };
    let hidden = found.iter().filter(|index| own.contains(index)).count() != seen.len();
    (seen == own && in_front && !hidden).then(|| View {
        tensor: view.tensor,
        at,
    })
}
