//! Checking a text again after an edit.
//!
//! A body is checked against the signatures of everything else. As long as these are what they were (`surroundings`), a body
//! whose text is what it was is not checked again: what was found in it is kept with places relative to its item.

use std::sync::Arc;

use diag::{Diagnostic, Span};
use syntax::ast::{self, ItemKind};

use super::Fact;
use super::facts::of_item;
use crate::Sources;
use crate::check::{check_body, open, with_world};

/// What checking found in the main file.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    surroundings: String,
    parts: Vec<Part>,
}

/// A kernel or function, or one instance of it.
#[derive(Clone, Debug)]
struct Part {
    place: Span,
    known: Arc<Known>,
}

/// What is known of a text of an item, wherever it stands.
#[derive(Debug)]
struct Known {
    text: String,
    /// Whether everything found lies inside of the item, so that it moves with it.
    movable: bool,
    facts: Vec<Fact>,
    found: Vec<Diagnostic>,
}

impl Findings {
    /// What is known of the declaration whose name stands there.
    pub fn declared(&self, span: Span) -> Option<Fact> {
        self.around(span.start)
            .find(|fact| fact.kind.is_some() && fact.span == span)
    }

    /// The smallest expression around a byte.
    pub fn expression(&self, byte: u32) -> Option<Fact> {
        self.around(byte)
            .filter(|fact| fact.kind.is_none() && fact.span.start <= byte && byte < fact.span.end)
            .min_by_key(|fact| fact.span.end - fact.span.start)
    }

    /// Everything that is known, part by part.
    pub fn facts(&self) -> Vec<Fact> {
        self.parts.iter().flat_map(Part::facts).collect()
    }

    fn around(&self, byte: u32) -> impl Iterator<Item = Fact> + '_ {
        let around = move |part: &&Part| part.place.start <= byte && byte <= part.place.end;
        self.parts.iter().filter(around).flat_map(Part::facts)
    }
}

impl Part {
    fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        self.known.facts.iter().map(|fact| Fact {
            span: behind(fact.span, self.place.start),
            ..fact.clone()
        })
    }
}

/// Checks the main file, whose text this is; `before` is what was found in an older text of it.
pub(crate) fn check_again(
    sources: &Sources<'_>,
    text: &str,
    before: Option<&Findings>,
) -> Findings {
    let surroundings = surroundings(sources.main, text);
    let same = before.filter(|before| before.surroundings == surroundings);
    let (parts, mut diagnostics) = with_world(sources, |world, diagnostics| {
        let mut parts: Vec<Part> = Vec::new();
        let mut reported = None;
        let all = world.callables.iter().enumerate().skip(world.checked);
        for (id, callable) in all.filter(|(_, callable)| callable.file == 0) {
            let place = callable.span;
            let part = text.get(place.range()).unwrap_or_default();
            let old = same.and_then(|before| before.parts.get(parts.len()));
            let old = old.filter(|old| old.known.movable && old.known.text == part);
            let known = match old {
                Some(old) => Arc::clone(&old.known),
                None => {
                    let mut found = Vec::new();
                    let item = check_body(world, id, &mut found);
                    Arc::new(Known::new(part, place, of_item(&item), found))
                }
            };
            // What is wrong with several instances of a function is reported for the first.
            let name = callable.ast.name.span;
            if !known.found.is_empty() && reported != Some(name) {
                reported = open::open_list(callable.ast).map(|_| name);
                let moved = known.found.iter().cloned();
                let start = if known.movable { place.start } else { 0 };
                diagnostics.extend(moved.map(|found| found.map_spans(|span| behind(span, start))));
            }
            parts.push(Part { place, known });
        }
        parts
    });
    let main = sources.main.file;
    diagnostics.sort_by_key(|found| (found.span().file != main, found.span()));
    Findings {
        diagnostics,
        surroundings,
        parts,
    }
}

impl Known {
    fn new(text: &str, place: Span, mut facts: Vec<Fact>, mut found: Vec<Diagnostic>) -> Known {
        let inside = |span: Span| {
            span.is_none()
                || span.file == place.file && place.start <= span.start && span.end <= place.end
        };
        let mut movable = facts.iter().all(|fact| inside(fact.span));
        let whole = |found: Diagnostic| {
            found.map_spans(|span| {
                movable &= inside(span);
                span
            })
        };
        found = found.into_iter().map(whole).collect();
        for fact in &mut facts {
            fact.span = ahead(fact.span, place.start);
        }
        if movable {
            let relative = |found: Diagnostic| found.map_spans(|span| ahead(span, place.start));
            found = found.into_iter().map(relative).collect();
        }
        Known {
            text: text.to_owned(),
            movable,
            facts,
            found,
        }
    }
}

fn behind(span: Span, start: u32) -> Span {
    moved(span, |at| at.saturating_add(start))
}

fn ahead(span: Span, start: u32) -> Span {
    moved(span, |at| at.saturating_sub(start))
}

fn moved(span: Span, by: impl Fn(u32) -> u32) -> Span {
    if span.is_none() {
        return span;
    }
    Span {
        start: by(span.start),
        end: by(span.end),
        ..span
    }
}

/// Everything of a file that the check of a body can see of other items: all but bodies.
fn surroundings(file: &ast::File, text: &str) -> String {
    let mut seen = String::new();
    for item in &file.items {
        let end = match &item.kind {
            ItemKind::Callable(callable) => callable.body.span.start,
            ItemKind::Error { .. }
            | ItemKind::Monoid(_)
            | ItemKind::Const(_)
            | ItemKind::Assert(_)
            | ItemKind::Use(_)
            | ItemKind::Schedule(_) => item.span.end,
        };
        let part = text.get(item.span.start as usize..end as usize);
        seen.push_str(part.unwrap_or_default());
        seen.push('\n');
    }
    seen
}
