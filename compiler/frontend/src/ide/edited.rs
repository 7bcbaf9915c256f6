//! An edit of one item, seen from the tree: which part of the item it is in, and where everything else is now.

use std::collections::BTreeSet;
use std::ops::Range;

use diag::Span;
use syntax::Edit;
use syntax::ast::{ExprKind, File, Item, ScanBody};

use super::Names;
use crate::check::cycles;

/// An edit that parsing has followed.
#[derive(Clone, Debug)]
pub struct Edited {
    /// What was edited, and where.
    pub edit: Edit,
    /// The item in the old text.
    pub old: Span,
    /// The part of it.
    pub part: Part,
}

/// A part of an item.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The body of a kernel or function, which calls what it has called before.
    Body,
    /// Comments before the item.
    Comments,
    /// What other items can see.
    Other,
}

/// What must be known of an item before its tree changes.
pub(crate) struct Before {
    old: Span,
    part: Part,
    calls: BTreeSet<String>,
}

impl Before {
    pub(crate) fn new(file: &File, edit: &Edit) -> Option<Before> {
        let item = file.items.get(edit.item)?;
        let part = if edit.old.end <= item.span.start as usize {
            Part::Comments
        } else {
            match item.callable() {
                Some(callable) if (callable.body.span.start as usize) < edit.old.start => {
                    Part::Body
                }
                Some(_) | None => Part::Other,
            }
        };
        Some(Before {
            old: item.span,
            part,
            calls: calls(file, item),
        })
    }

    /// The edit, when the tree has it.
    pub(crate) fn edited(self, file: &File, edit: Edit) -> Edited {
        let now = file.items.get(edit.item);
        let calls = now.map(|item| calls(file, item)).unwrap_or_default();
        // Who calls whom is said of the whole file.
        let part = if self.part == Part::Body && calls != self.calls {
            Part::Other
        } else {
            self.part
        };
        Edited {
            edit,
            old: self.old,
            part,
        }
    }
}

/// The items of this file that a body calls, by name.
fn calls(file: &File, item: &Item) -> BTreeSet<String> {
    let mut called: BTreeSet<String> = BTreeSet::new();
    let mut visit = |kind: &ExprKind| called.extend(called_by(kind).map(str::to_owned));
    if let Some(callable) = item.callable() {
        for stmt in &callable.body.stmts {
            cycles::stmt_exprs(stmt, &mut |e| cycles::walk(file, e, &mut visit));
        }
        let tail = callable.body.tail.iter();
        tail.for_each(|e| cycles::walk(file, *e, &mut visit));
    }
    let names = file.items.iter().filter_map(Item::name);
    let own = names.filter(|name| called.contains(&name.text));
    own.map(|name| name.text.clone()).collect()
}

fn called_by(kind: &ExprKind) -> Option<&str> {
    if let ExprKind::Call { callee, .. } = kind {
        return Some(&callee.text);
    }
    if let ExprKind::Fold { monoid, .. }
    | ExprKind::Scan {
        body: ScanBody::Monoid(monoid),
        ..
    } = kind
    {
        return Some(&monoid.name.text);
    }
    None
}

impl Edited {
    /// A place of the old text in the new one; nothing for one that the edit changed.
    pub(crate) fn moved(&self, span: Span) -> Option<Span> {
        if span.is_none() || span.file != self.old.file || (span.end as usize) < self.edit.old.start
        {
            return Some(span);
        }
        let mut to = span;
        self.edit.shift().span(&mut to);
        (span.start as usize > self.edit.old.end).then_some(to)
    }

    /// The same of a place that may contain the edit.
    pub fn stretched(&self, span: Span) -> Span {
        if span.is_none() || span.file != self.old.file {
            return span;
        }
        let mut to = span;
        self.edit.shift().span(&mut to);
        let behind = |byte: u32| byte as usize >= self.edit.old.end;
        // What ends where something was put in ends there still.
        let ends_behind = behind(span.end) && span.end as usize > self.edit.old.start;
        Span {
            start: if behind(span.start) {
                to.start
            } else {
                span.start
            },
            end: if ends_behind { to.end } else { span.end },
            ..span
        }
    }

    /// The declarations inside of the edited item, before the edit.
    pub(super) fn segment(&self, names: &Names) -> Option<Range<usize>> {
        let inside = |at: &usize| {
            let def = &names.defs[*at];
            let span = def.span;
            def.item.is_some()
                && span.file == self.old.file
                && self.old.start <= span.start
                && span.end <= self.old.end
        };
        let first = (0..names.defs.len()).find(inside)?;
        let behind = (first..names.defs.len()).find(|at| !inside(at));
        Some(first..behind.unwrap_or(names.defs.len()))
    }
}
