//! How indices of two sizes could agree: two indices of an access exchanged, or another index that has the size.
//!
//! A way is proposed if it is the only one by which the sizes of every index of the statement agree; of several, if it is
//! the only one by which names of indices have the sizes that they have in other statements, or by which the tensor is indexed
//! as there. It knows sizes and names, not what was meant.

use std::collections::{BTreeMap, BTreeSet};

use diag::{Diagnostic, Fix, NoteKind, Span, codes};

use super::cx::Cx;
use crate::hir::IndexId;
use crate::poly::Poly;

/// An index that stands alone in a dimension of an access.
#[derive(Clone, Debug)]
pub(crate) struct IndexUse {
    pub(crate) index: IndexId,
    /// The tensor that is accessed, with the dimension.
    pub(crate) tensor: String,
    pub(crate) dimension: usize,
    pub(crate) size: Poly,
    pub(crate) span: Span,
    /// The whole access.
    pub(crate) access: Span,
    /// What else could stand there.
    pub(crate) visible: Box<[IndexId]>,
}

/// Other indices for some uses.
struct Change {
    /// Positions in the list of uses, with the index that would stand there.
    to: Vec<(usize, IndexId)>,
}

/// The indices that a change could be about which makes sizes agree, for the findings from this one on: nothing else should
/// be said of their sizes.
pub(crate) fn doubtful(cx: &Cx<'_, '_>, first: usize) -> BTreeSet<IndexId> {
    let found = cx.diagnostics[first..]
        .iter()
        .filter_map(|found| place(cx, found));
    let changes = found.flat_map(|at| agreeing(cx, cx.uses[at].index));
    let touched = changes.flat_map(|change| change.to);
    touched.map(|(_, index)| index).collect()
}

/// Gives findings of two sizes a fix where one way makes them agree; of several that the same fix mends the first is left.
/// Asked when every statement is known.
pub(crate) fn propose(cx: &mut Cx<'_, '_>) {
    let mut kept = std::mem::take(&mut cx.diagnostics);
    for found in &mut kept {
        if let Some(change) = place(cx, found).and_then(|at| evident(cx, cx.uses[at].index)) {
            set(found, fix(cx, &change));
        }
    }
    let mut fixes: Vec<Vec<(Span, String)>> = Vec::new();
    kept.retain(|found| match &found.fix {
        Some(fix) if found.code == codes::E0304 => {
            let new = !fixes.contains(&fix.edits);
            fixes.push(fix.edits.clone());
            new
        }
        Some(_) | None => true,
    });
    cx.diagnostics = kept;
}

/// The use that a finding of two sizes blames.
fn place(cx: &Cx<'_, '_>, found: &Diagnostic) -> Option<usize> {
    let wrong = found.code == codes::E0304 && found.fix.is_none();
    let at = cx.uses.iter().position(|u| u.span == found.span());
    at.filter(|_| wrong)
}

/// The fix says what the general advice cannot.
fn set(found: &mut Diagnostic, fix: Fix) {
    found.notes.retain(|note| note.kind != NoteKind::Help);
    found.fix = Some(Box::new(fix));
}

/// The changes after which the sizes of an index agree.
fn agreeing(cx: &Cx<'_, '_>, wrong: IndexId) -> Vec<Change> {
    let mut good = changes(cx, wrong);
    good.retain(|change| agrees(cx, wrong, change));
    good
}

/// The one change that makes the sizes of an index agree, by what the other statements say.
fn evident(cx: &Cx<'_, '_>, wrong: IndexId) -> Option<Change> {
    let mut good = agreeing(cx, wrong);
    if good.len() > 1 {
        good.retain(|change| fits_names(cx, wrong, change));
    }
    if good.len() > 1 {
        good.retain(|change| usual(cx, change));
    }
    good.pop().filter(|_| good.is_empty())
}

/// Every exchange and every other index for a use of this one.
fn changes(cx: &Cx<'_, '_>, wrong: IndexId) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    let uses = cx.uses.iter().enumerate();
    for (at, one) in uses.filter(|(_, u)| u.index == wrong) {
        let beside = cx.uses.iter().enumerate();
        let beside = beside.filter(|(_, u)| u.access == one.access && u.index != wrong);
        for (other, partner) in beside {
            all.push(Change {
                to: vec![(at, partner.index), (other, wrong)],
            });
        }
        let others = one.visible.iter().filter(|&&other| other != wrong);
        all.extend(others.map(|&other| Change {
            to: vec![(at, other)],
        }));
    }
    all
}

/// Whether every index that the change touches then has one size, and still has a place that gives it.
fn agrees(cx: &Cx<'_, '_>, wrong: IndexId, change: &Change) -> bool {
    touched(wrong, change).all(|index| size_after(cx, index, change).is_some())
}

fn touched(wrong: IndexId, change: &Change) -> impl Iterator<Item = IndexId> {
    change.to.iter().map(|(_, index)| *index).chain([wrong])
}

/// The one size that an index has after a change.
fn size_after(cx: &Cx<'_, '_>, index: IndexId, change: &Change) -> Option<Poly> {
    let now = |at: usize| {
        let changed = change.to.iter().find(|(changed, _)| *changed == at);
        changed.map_or(cx.uses[at].index, |(_, index)| *index)
    };
    let places = (0..cx.uses.len()).filter(|&at| now(at) == index);
    let sizes = places.map(|at| cx.unifier.resolve(&cx.uses[at].size));
    let mut sizes = sizes.chain(declared(cx, index));
    let first = sizes.next().filter(|size| !size.is_poison())?;
    sizes.all(|size| size == first).then_some(first)
}

/// Whether no other statement has an index of the same name and another size.
fn fits_names(cx: &Cx<'_, '_>, wrong: IndexId, change: &Change) -> bool {
    let own: BTreeSet<IndexId> = touched(wrong, change).collect();
    touched(wrong, change).all(|index| {
        let Some(size) = size_after(cx, index, change) else {
            return false;
        };
        let name = &cx.item.body[index].name;
        let others = (0..cx.item.body.indices.len()).map(IndexId);
        let mut others = others.filter(|o| !own.contains(o) && cx.item.body[*o].name == *name);
        others.all(|other| {
            let uses = cx.uses.iter().filter(|u| u.index == other);
            let sizes = uses.map(|u| cx.unifier.resolve(&u.size));
            let mut sizes = sizes.chain(declared(cx, other));
            sizes.all(|known| known.is_poison() || known == size)
        })
    })
}

/// The size that an index has from its declaration or from the left side.
fn declared(cx: &Cx<'_, '_>, index: IndexId) -> Option<Poly> {
    let (size, at) = cx.origins.get(index.0)?.as_ref()?;
    let used = cx.uses.iter().any(|u| u.span == *at);
    (!used).then(|| cx.unifier.resolve(size))
}

/// Whether each changed place is indexed as the same dimension is in the other accesses to the tensor.
fn usual(cx: &Cx<'_, '_>, change: &Change) -> bool {
    let name = |index: IndexId| cx.item.body[index].name.as_str();
    change.to.iter().all(|(at, index)| {
        let place = &cx.uses[*at];
        let same = |u: &&IndexUse| {
            u.access != place.access && u.tensor == place.tensor && u.dimension == place.dimension
        };
        let mut others = cx.uses.iter().filter(same).peekable();
        others.peek().is_some() && others.all(|u| name(u.index) == name(*index))
    })
}

fn fix(cx: &Cx<'_, '_>, change: &Change) -> Fix {
    let name = |index: IndexId| cx.item.body[index].name.clone();
    let tensor = change.to.first().map(|(at, _)| cx.uses[*at].tensor.clone());
    let tensor = tensor.unwrap_or_default();
    let names: BTreeMap<Span, String> = (change.to.iter())
        .map(|(at, index)| (cx.uses[*at].span, name(*index)))
        .collect();
    let message = match change.to.as_slice() {
        [(_, to)] => format!("index `{tensor}` by `{}`, which has the size", name(*to)),
        [] | [_, ..] => format!("exchange the indices of `{tensor}`"),
    };
    Fix {
        message,
        edits: names.into_iter().collect(),
        applicability: diag::Applicability::MachineApplicable,
    }
}
