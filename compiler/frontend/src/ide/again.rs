//! Checking a text again after an edit.
//!
//! A body is checked against the signatures of everything else. As long as these are what they were (`surroundings`), a body
//! whose text is what it was is not checked again: what was found in it is kept with places relative to its item. After an
//! edit that is known to be inside of a body, only that body is looked at, in a file that has nothing but what it names
//! (`excerpt.rs`); everything else is moved.

use std::sync::Arc;

use diag::{Diagnostic, FileId, Span};
use syntax::ast;

use super::Fact;
use super::edited::{self, Edited};
use super::excerpt::excerpt;
use super::facts::of_item;
use crate::Sources;
use crate::check::{Callable, World, check_body, open, with_world};

/// What checking found in the main file.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// What is wrong outside of bodies, as found before them and after them.
    outside: [Vec<Diagnostic>; 2],
    surroundings: String,
    /// Invariant: in the order of the text, but for functions of monoids, which are last.
    parts: Vec<Part>,
}

/// A kernel or function, or one instance of it.
#[derive(Clone, Debug)]
struct Part {
    place: Span,
    /// Where the name stands, if it may have several instances: what is wrong with them is reported for the first.
    name: Option<Span>,
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

    /// The expression of exactly this place.
    pub fn expression_at(&self, span: Span) -> Option<Fact> {
        self.around(span.start)
            .find(|fact| fact.kind.is_none() && fact.span == span)
    }

    /// Everything that is known, part by part.
    pub fn facts(&self) -> Vec<Fact> {
        self.parts.iter().flat_map(Part::facts).collect()
    }

    /// The element types of expressions, to be asked for many.
    pub(crate) fn elems(&self) -> Elems<'_> {
        let mut parts: Vec<&Part> = self.parts.iter().collect();
        parts.sort_by_key(|part| part.place.start);
        Elems { parts }
    }

    fn around(&self, byte: u32) -> impl Iterator<Item = Fact> + '_ {
        let around = move |part: &&Part| part.place.start <= byte && byte <= part.place.end;
        self.parts.iter().filter(around).flat_map(Part::facts)
    }
}

/// The element types of the expressions of a file.
pub(crate) struct Elems<'a> {
    /// Invariant: in the order of the text; of instances of one function the first found is first.
    parts: Vec<&'a Part>,
}

impl<'a> Elems<'a> {
    /// That of the expression of exactly this place.
    pub(crate) fn of(&self, span: Span) -> Option<&'a str> {
        let behind = self
            .parts
            .partition_point(|part| part.place.start <= span.start);
        let place = self.parts.get(behind.checked_sub(1)?)?.place;
        let first = self
            .parts
            .partition_point(|part| part.place.start < place.start);
        let own = ahead(span, place.start);
        let facts = self.parts[first..behind]
            .iter()
            .flat_map(|part| &part.known.facts);
        let mut exprs = facts.filter(|fact| fact.kind.is_none());
        let fact = exprs.find(|fact| fact.span == own)?;
        Some(&fact.elem)
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
    let ((parts, first), mut outside) = with_world(sources, |world, outside| {
        let mut parts: Vec<Part> = Vec::new();
        let all = world.callables.iter().enumerate().skip(world.checked);
        for (id, callable) in all.filter(|(_, callable)| callable.file == 0) {
            let part = text.get(callable.span.range()).unwrap_or_default();
            let old = same.and_then(|before| before.parts.get(parts.len()));
            let old = old.filter(|old| old.known.movable && old.known.text == part);
            parts.push(match old {
                Some(old) => Part::new(callable, Arc::clone(&old.known)),
                None => checked(world, id, part),
            });
        }
        (parts, outside.len())
    });
    let after = outside.split_off(first);
    let mut found = Findings {
        diagnostics: Vec::new(),
        outside: [outside, after],
        surroundings,
        parts,
    };
    found.gather(sources.main.file);
    found
}

/// Checks the body that was edited; nothing where that takes checking the file.
pub(crate) fn check_edited(
    sources: &Sources<'_>,
    text: &str,
    mut before: Findings,
    edited: &Edited,
) -> Option<Findings> {
    for found in before.outside.iter_mut().flatten() {
        *found = moved_finding(found, edited)?;
    }
    let of_item = |part: &Part| part.place == edited.old;
    let first = before.parts.iter().position(of_item);
    let count = before.parts.iter().filter(|part| of_item(part)).count();
    for part in &mut before.parts {
        part.follow(edited)?;
    }
    match edited.part {
        edited::Part::Other => return None,
        edited::Part::Comments => {}
        edited::Part::Body => {
            let excerpt = excerpt(sources.main, text, edited.edit.item)?;
            let name = sources.main.items.get(edited.edit.item)?.name()?.span;
            let sources = Sources {
                main: &excerpt,
                ..*sources
            };
            let (parts, _) = with_world(&sources, |world, _| {
                let all = world.callables.iter().enumerate().skip(world.checked);
                let own = all.filter(|(_, one)| one.file == 0 && one.ast.name.span == name);
                let part = |one: &Callable<'_>| text.get(one.span.range()).unwrap_or_default();
                own.map(|(id, one)| checked(world, id, part(one)))
                    .collect::<Vec<Part>>()
            });
            let first = first?;
            before.parts.splice(first..first + count, parts);
        }
    }
    before.gather(sources.main.file);
    Some(before)
}

/// Checks a body.
fn checked(world: &World<'_>, id: usize, text: &str) -> Part {
    let callable = &world.callables[id];
    let mut found = Vec::new();
    let item = check_body(world, id, &mut found);
    let known = Known::new(text, callable.span, of_item(&item), found);
    Part::new(callable, Arc::new(known))
}

/// A finding outside of the edited body, where it is now.
fn moved_finding(found: &Diagnostic, edited: &Edited) -> Option<Diagnostic> {
    let mut kept = true;
    let found = found.clone().map_spans(|span| {
        let to = edited.moved(span);
        kept &= to.is_some();
        to.unwrap_or(span)
    });
    kept.then_some(found)
}

impl Findings {
    /// Puts together what is wrong outside and inside of bodies.
    fn gather(&mut self, main: FileId) {
        let [before, after] = &self.outside;
        let mut all = before.clone();
        let mut reported = None;
        for part in &self.parts {
            // What is wrong with several instances of a function is reported for the first.
            if part.known.found.is_empty() || (reported.is_some() && reported == part.name) {
                continue;
            }
            reported = part.name;
            let start = if part.known.movable {
                part.place.start
            } else {
                0
            };
            let found = part.known.found.iter().cloned();
            all.extend(found.map(|found| found.map_spans(|span| behind(span, start))));
        }
        all.extend(after.iter().cloned());
        all.sort_by_key(|found| (found.span().file != main, found.span()));
        self.diagnostics = all;
    }
}

impl Part {
    fn new(callable: &Callable<'_>, known: Arc<Known>) -> Part {
        Part {
            place: callable.span,
            name: open::open_list(callable.ast).map(|_| callable.ast.name.span),
            known,
        }
    }

    /// Follows an edit of another part; nothing if something in it points to what was edited.
    fn follow(&mut self, edited: &Edited) -> Option<()> {
        let own = self.place == edited.old && edited.part == edited::Part::Body;
        self.place = edited.stretched(self.place);
        self.name = self.name.map(|name| edited.stretched(name));
        if !self.known.movable && !own {
            let found = self.known.found.iter();
            let found: Option<Vec<Diagnostic>> =
                found.map(|one| moved_finding(one, edited)).collect();
            self.known = Arc::new(Known {
                text: self.known.text.clone(),
                movable: false,
                facts: self.known.facts.clone(),
                found: found?,
            });
        }
        Some(())
    }
}

impl Known {
    fn new(text: &str, place: Span, mut facts: Vec<Fact>, mut found: Vec<Diagnostic>) -> Known {
        let inside = |span: Span| {
            span.is_none()
                || span.file == place.file && place.start <= span.start && span.end <= place.end
        };
        // What is known of the values of constants stands elsewhere.
        facts.retain(|fact| inside(fact.span) && !fact.span.is_none());
        let mut movable = true;
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
        let end = match item.callable() {
            Some(callable) => callable.body.span.start,
            None => item.span.end,
        };
        let part = text.get(item.span.start as usize..end as usize);
        seen.push_str(part.unwrap_or_default());
        seen.push('\n');
    }
    seen
}
