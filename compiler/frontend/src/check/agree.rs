//! How indices of two sizes could agree: two indices of an access exchanged, or another index that has the size.
//!
//! A way is proposed if it is the only one by which the sizes of every index of the statement agree; of several, if it is
//! the only one that indexes its tensor as the other statements do. It knows sizes and names, not what was meant.

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

/// Gives the findings from this one on a fix, where an index has two sizes and one way makes them agree; of several that the
/// same fix mends the first is left. Gives the indices that the fix is about: nothing else should be said of their sizes.
pub(crate) fn propose(cx: &mut Cx<'_, '_>, first: usize) -> BTreeSet<IndexId> {
    let mut doubtful = BTreeSet::new();
    let mut kept = cx.diagnostics.split_off(first);
    for found in &mut kept {
        let at = cx.uses.iter().position(|u| u.span == found.span());
        let wrong = found.code == codes::E0304 && found.fix.is_none();
        if let Some(change) = at.filter(|_| wrong).and_then(|at| evident(cx, at)) {
            doubtful.extend(change.to.iter().map(|(_, index)| *index));
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
    cx.diagnostics.append(&mut kept);
    doubtful
}

/// The fix says what the general advice cannot.
fn set(found: &mut Diagnostic, fix: Fix) {
    found.notes.retain(|note| note.kind != NoteKind::Help);
    found.fix = Some(Box::new(fix));
}

/// The one change that makes the sizes of a use's index agree.
fn evident(cx: &Cx<'_, '_>, at: usize) -> Option<Change> {
    let wrong = cx.uses[at].index;
    let mut good = changes(cx, wrong);
    good.retain(|change| agrees(cx, wrong, change));
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
    let now = |at: usize| {
        let changed = change.to.iter().find(|(changed, _)| *changed == at);
        changed.map_or(cx.uses[at].index, |(_, index)| *index)
    };
    let touched = change.to.iter().map(|(_, index)| *index).chain([wrong]);
    touched.into_iter().all(|index| {
        let places = (0..cx.uses.len()).filter(|&at| now(at) == index);
        let sizes = places.map(|at| cx.unifier.resolve(&cx.uses[at].size));
        let mut sizes = sizes.chain(declared(cx, index));
        let Some(first) = sizes.next() else {
            return false;
        };
        !first.is_poison() && sizes.all(|size| size == first)
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
