//! Parsing again after an edit of one item: only that item and its neighbours are read, everything else is moved.
//!
//! The result is the one that [`parse_kernel`] gives. An LR parser has no other memory than its stack, and between two items
//! that is always the same. So a window of whole items is read alone: if the items around the edited one come out of it as
//! they were, without a mistake in them, the parser was between two items before and behind it, and everything outside of
//! the window is as it was. Where that cannot be seen, the caller parses the whole text.

use std::ops::Range;

use diag::{Diagnostic, Span};

use crate::ast::{File, Item, ItemKind, Shift};
use crate::builder::MAX_REJECTED;
use crate::kernel::{Parsed, parse_kernel};

/// An edit of one item, or of the comments before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The item, by its place in [`File::items`]; it has the same place in both trees.
    pub item: usize,
    /// The bytes of the old text that are gone.
    pub old: Range<usize>,
    /// The bytes of the new text that stand in their place.
    pub new: Range<usize>,
}

/// How many neighbours are looked at for one that is well.
const NEIGHBOURS: usize = 8;

impl Edit {
    /// Bytes that the new text has more.
    pub fn growth(&self) -> i64 {
        let length = |range: &Range<usize>| i64::try_from(range.len()).unwrap_or(i64::MAX);
        length(&self.new) - length(&self.old)
    }

    /// Where a place of the old text is in the new one, unless it is in what was edited.
    pub fn shift(&self) -> Shift {
        Shift {
            bytes: self.growth(),
            ids: 0,
        }
    }
}

/// What differs between two texts, if that is one item or the comments before it.
pub fn edit(file: &File, old: &str, new: &str) -> Option<Edit> {
    let before = common(old.bytes(), new.bytes());
    let shorter = old.len().min(new.len());
    let behind = common(old.bytes().rev(), new.bytes().rev()).min(shorter - before);
    let (old, new) = (before..old.len() - behind, before..new.len() - behind);
    let end = |item: &Item| item.span.end as usize;
    let place = file.items.partition_point(|item| end(item) <= old.start);
    let item = file.items.get(place)?;
    let start = item.span.start as usize;
    // The comments before the first item say things of the whole file.
    let inside = start < old.start || (old.end <= start && place > 0);
    let whole = inside && old.end < end(item) && !matches!(item.kind, ItemKind::Error { .. });
    whole.then_some(Edit {
        item: place,
        old,
        new,
    })
}

fn common(one: impl Iterator<Item = u8>, other: impl Iterator<Item = u8>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}

/// The braces of a body and what is in them.
fn body(item: &Item) -> Option<Range<usize>> {
    item.callable().map(|callable| callable.body.span.range())
}

/// Brings a tree up to date with an edit of its text; nothing is changed where that takes parsing the whole text.
pub fn parse_again(parsed: &mut Parsed, edit: &Edit, new: &str) -> bool {
    match Window::around(parsed, edit, new) {
        Some(window) => {
            window.put_into(parsed, edit);
            true
        }
        None => false,
    }
}

/// Some items of the new text, read alone.
struct Window {
    /// The first item of the window, by its place in the file.
    first: usize,
    /// The bytes of the old text.
    old: Range<u32>,
    /// What was read, moved to where it is in the new text.
    read: Parsed,
}

impl Window {
    fn around(parsed: &Parsed, edit: &Edit, new: &str) -> Option<Window> {
        let items = &parsed.file.items;
        if parsed.diagnostics.len() >= MAX_REJECTED / 2 {
            return None;
        }
        let (first, last) = neighbours(parsed, edit)?;
        let start = first.map_or(0, |first| items[first].span.start);
        let end = last.map(|last| items[last].span.end);
        let behind = |end: u32| usize::try_from(i64::from(end) + edit.growth()).ok();
        let text = new.get(start as usize..end.map_or(Some(new.len()), behind)?)?;
        let window = Window {
            first: first.unwrap_or(0),
            old: start..end.unwrap_or(u32::MAX),
            read: moved(parse_kernel(parsed.file.file, text), start),
        };
        (window.fits(parsed, edit) && window.keeps_others(parsed, edit)).then_some(window)
    }

    /// Whether the items are those of the old text, and those around the edited one well.
    fn fits(&self, parsed: &Parsed, edit: &Edit) -> bool {
        let read = &self.read.file.items;
        let old = parsed.file.items.get(self.first..).unwrap_or_default();
        let inside = old
            .iter()
            .take_while(|item| item.span.end <= self.old.end)
            .count();
        let same = |(at, (read, old)): (usize, (&Item, &Item))| {
            let kinds = [&old.kind, &read.kind].map(std::mem::discriminant);
            moved_item(old.span, self.first + at, edit) == read.span && kinds[0] == kinds[1]
        };
        let few = self.read.diagnostics.len() < MAX_REJECTED / 2;
        let outer = [self.first, self.first + read.len() - 1];
        let outer = outer.into_iter().filter(|place| *place != edit.item);
        let mut outer = outer.filter_map(|place| read.get(place - self.first));
        few && inside == read.len()
            && read.iter().zip(old).enumerate().all(same)
            && outer.all(|item| is_well(item, &self.read.diagnostics))
    }

    /// Whether no mistake outside of the window has to do with what is in it.
    fn keeps_others(&self, parsed: &Parsed, edit: &Edit) -> bool {
        let edited = parsed.file.items[edit.item].span;
        let start = edited
            .start
            .min(u32::try_from(edit.old.start).unwrap_or(u32::MAX));
        let mut others = parsed
            .diagnostics
            .iter()
            .filter(|found| !self.old.contains(&found.span().start));
        let inside = |found: &Diagnostic| {
            let labels = found.labels().iter().map(|label| label.span);
            let fix = found.fix.iter().flat_map(|fix| &fix.edits);
            let mut all = labels.chain(fix.map(|(span, _)| *span));
            all.any(|span| span.start < edited.end && start < span.end)
        };
        !others.any(inside)
    }

    fn put_into(mut self, parsed: &mut Parsed, edit: &Edit) {
        let place = edit.item - self.first;
        let file = &mut parsed.file;
        let before = |bounds: &[u32], at: usize| at.checked_sub(1).map_or(0, |at| bounds[at]);
        let old_ids = before(&file.bounds, edit.item)..file.bounds[edit.item];
        let read = &mut self.read.file;
        let ids = before(&read.bounds, place)..read.bounds[place];
        let to = Shift {
            bytes: 0,
            ids: i64::from(old_ids.start) - i64::from(ids.start),
        };
        let mut nodes = read.exprs.range(ids.clone()).to_vec();
        nodes.iter_mut().for_each(|node| to.expr(node));
        let mut item = read.items.swap_remove(place);
        to.item(&mut item);
        let on = Shift {
            bytes: edit.growth(),
            ids: i64::from(ids.end - ids.start) - i64::from(old_ids.end - old_ids.start),
        };
        file.items[edit.item] = item;
        file.items[edit.item + 1..]
            .iter_mut()
            .for_each(|item| on.item(item));
        let behind = file.exprs.behind(old_ids.end);
        behind.iter_mut().for_each(|node| on.expr(node));
        file.exprs.splice(old_ids, nodes);
        for bound in &mut file.bounds[edit.item..] {
            *bound = bound.saturating_add_signed(i32::try_from(on.ids).unwrap_or(0));
        }
        self.put_texts(parsed, on);
    }

    /// Comments and mistakes.
    fn put_texts(self, parsed: &mut Parsed, on: Shift) {
        let inside = |start: u32| self.old.contains(&start);
        let comments = &mut parsed.comments;
        let first = comments.partition_point(|one| one.span.start < self.old.start);
        let last = comments.partition_point(|one| one.span.start < self.old.end);
        for comment in &mut comments[last..] {
            on.span(&mut comment.span);
        }
        comments.splice(first..last, self.read.comments);

        let mut found = std::mem::take(&mut parsed.diagnostics);
        found.retain(|one| !inside(one.span().start));
        let end = self.old.end;
        let on = |mut span: Span| {
            if span.start >= end {
                on.span(&mut span);
            }
            span
        };
        let found = found.into_iter().map(|one| one.map_spans(on));
        parsed.diagnostics = found.chain(self.read.diagnostics).collect();
        diag::sort(&mut parsed.diagnostics);
    }
}

/// The nearest items before and behind the edited one that are well; nothing at the file's ends.
fn neighbours(parsed: &Parsed, edit: &Edit) -> Option<(Option<usize>, Option<usize>)> {
    let items = &parsed.file.items;
    let well = |place: &usize| {
        let item = &items[*place];
        body(item).is_some() && is_well(item, &parsed.diagnostics)
    };
    let first = (0..edit.item).rev().take(NEIGHBOURS).find(well);
    let last = (edit.item + 1..items.len()).take(NEIGHBOURS).find(well);
    let start = first.is_some() || edit.item <= NEIGHBOURS;
    let end = last.is_some() || items.len() - edit.item <= NEIGHBOURS;
    (start && end).then_some((first, last))
}

/// Whether nothing is wrong in an item.
fn is_well(item: &Item, diagnostics: &[Diagnostic]) -> bool {
    let span = item.span;
    diagnostics
        .iter()
        .all(|found| found.span().end < span.start || span.end <= found.span().start)
}

/// Where an item is after the edit.
fn moved_item(mut span: Span, place: usize, edit: &Edit) -> Span {
    let start = span.start;
    if place >= edit.item {
        edit.shift().span(&mut span);
    }
    // An edit inside of it leaves its start where it is.
    if place == edit.item && (start as usize) < edit.old.start {
        span.start = start;
    }
    span
}

fn moved(mut read: Parsed, by: u32) -> Parsed {
    let to = Shift {
        bytes: i64::from(by),
        ids: 0,
    };
    read.file.items.iter_mut().for_each(|item| to.item(item));
    read.file
        .exprs
        .behind(0)
        .iter_mut()
        .for_each(|node| to.expr(node));
    for comment in &mut read.comments {
        to.span(&mut comment.span);
    }
    let moved = |mut span: Span| {
        to.span(&mut span);
        span
    };
    let found = std::mem::take(&mut read.diagnostics).into_iter();
    read.diagnostics = found.map(|one| one.map_spans(moved)).collect();
    read
}
