//! Which declaration each name of a file means.
//!
//! By scopes alone, without types: a file with mistakes still has its names. Indices belong to their definition, locals to
//! their item, fields to their monoid. Names that nothing declares here are left out.

mod walk;

use std::collections::BTreeMap;
use std::ops::Range;

use diag::Span;
use syntax::ast::{self, CallableKind, ItemKind};

use super::edited::{Edited, Part};
use crate::Sources;

/// A declaration, by position in [`Names::defs`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefId(pub usize);

/// What a declaration declares.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DefKind {
    /// `kernel`.
    Kernel,
    /// `fn`.
    Function,
    /// `monoid`.
    Monoid,
    /// `const`.
    Constant,
    /// A size variable, or an open list of them.
    Size,
    /// An element type parameter.
    Type,
    /// A parameter.
    Param,
    /// A result.
    Result,
    /// A `let`.
    Local,
    /// An index.
    Index,
    /// A field of a monoid.
    Field,
}

/// A declaration.
#[derive(Clone, Debug)]
pub struct Def {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: DefKind,
    /// Where the name stands.
    pub span: Span,
    /// What it belongs to: the statement of a local or index, the item of the others.
    pub whole: Span,
    /// The item that it is declared in, if it is no item itself.
    pub item: Option<DefId>,
    /// Documentation, a line each.
    pub docs: Vec<String>,
}

/// A place where a name stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The place.
    pub span: Span,
    /// What it means.
    pub def: DefId,
    /// Whether it is the declaration, or the left side of a definition.
    pub defines: bool,
}

/// The names of a file.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Declarations of the main file, and the items of the others.
    pub defs: Vec<Def>,
    /// Every known name of the main file, in the order of the text.
    pub uses: Vec<Use>,
    /// The items that a file sees by name.
    items: BTreeMap<String, DefId>,
}

impl Names {
    /// The name at a byte of the main file; its end counts, so that a cursor behind a word finds it.
    pub fn at(&self, offset: u32) -> Option<Use> {
        let behind = self
            .uses
            .partition_point(|found| found.span.start <= offset);
        let found = self.uses[..behind].last()?;
        (offset <= found.span.end).then_some(*found)
    }

    /// A declaration.
    pub fn def(&self, id: DefId) -> &Def {
        &self.defs[id.0]
    }

    /// Every place of a declaration in the main file.
    pub fn places(&self, id: DefId) -> impl Iterator<Item = Use> + '_ {
        self.uses
            .iter()
            .copied()
            .filter(move |found| found.def == id)
    }

    /// The declarations that must be renamed together: an index that a schedule names is the one of every definition.
    pub fn together(&self, id: DefId) -> Vec<DefId> {
        let def = self.def(id);
        if def.kind != DefKind::Index {
            return vec![id];
        }
        let same = |other: &Def| {
            other.kind == DefKind::Index && other.name == def.name && other.item == def.item
        };
        let all = (0..self.defs.len())
            .map(DefId)
            .filter(|&other| same(self.def(other)));
        let all: Vec<DefId> = all.collect();
        let scheduled = |id: DefId| {
            self.places(id)
                .any(|place| !inside(place.span, self.whole_item(id)))
        };
        if all.iter().any(|&other| scheduled(other)) {
            all
        } else {
            vec![id]
        }
    }

    fn whole_item(&self, id: DefId) -> Span {
        let def = self.def(id);
        def.item.map_or(def.whole, |item| self.def(item).whole)
    }

    /// What a name could mean at a byte of the main file, the nearest first; for completion.
    pub fn visible(&self, offset: u32) -> Vec<DefId> {
        let seen = |&id: &DefId| {
            let def = self.def(id);
            match def.kind {
                DefKind::Index => covers(def.whole, offset),
                DefKind::Field => false,
                DefKind::Size
                | DefKind::Type
                | DefKind::Param
                | DefKind::Result
                | DefKind::Local => covers(self.whole_item(id), offset),
                DefKind::Kernel => false,
                DefKind::Function | DefKind::Monoid | DefKind::Constant => {
                    self.items.get(&def.name) == Some(&id)
                }
            }
        };
        let mut visible: Vec<DefId> = (0..self.defs.len()).map(DefId).filter(seen).collect();
        visible.sort_by_key(|&id| (self.def(id).item.is_none(), std::cmp::Reverse(id)));
        visible
    }

    /// The declaration of an item by name.
    pub fn item(&self, name: &str) -> Option<DefId> {
        self.items.get(name).copied()
    }
}

fn covers(span: Span, offset: u32) -> bool {
    !span.is_none() && span.start <= offset && offset <= span.end
}

fn inside(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}

/// Finds the names of the main file.
pub fn names(sources: &Sources<'_>) -> Names {
    let mut names = Names::default();
    if let Some(prelude) = sources.prelude {
        let items = prelude.tree().items.iter();
        declare_items(&mut names, items.filter(|item| item.public));
    }
    // What the library has is seen only through `use`, by its last name.
    let mut library: BTreeMap<String, DefId> = BTreeMap::new();
    for (module, file) in sources.library {
        for item in &file.items {
            if let Some(id) = declare(&mut names, item) {
                let path = format!("{module}::{}", names.def(id).name);
                library.insert(path, id);
            }
        }
    }
    for item in &sources.main.items {
        if let ItemKind::Use(path) = &item.kind {
            used(&mut names, path, &library);
        }
    }
    declare_items(&mut names, sources.main.items.iter());
    walk::file(&mut names, sources.main);
    sort(&mut names.uses);
    names
}

/// The names after an edit inside of a body or of comments; nothing where that takes walking the whole file.
pub(crate) fn names_again(mut names: Names, main: &ast::File, edited: &Edited) -> Option<Names> {
    let item = main.items.get(edited.edit.item)?;
    let mut schedules = main.items.iter().filter_map(ast::Item::schedule);
    let scheduled = schedules.any(|it| item.name().is_some_and(|n| n.text == it.kernel.text));
    let segment = edited.segment(&names);
    for def in &mut names.defs {
        def.span = edited.stretched(def.span);
        def.whole = edited.stretched(def.whole);
    }
    let old = edited.old;
    if edited.part == Part::Body {
        names.uses.retain(|found| !inside(found.span, old));
    }
    for found in &mut names.uses {
        found.span = edited.stretched(found.span);
    }
    let id = item.name().and_then(|name| names.item(&name.text));
    match (edited.part, id) {
        (Part::Comments, Some(id)) => names.defs[id.0].docs.clone_from(&item.docs),
        (Part::Comments, None) => {}
        (Part::Body, Some(id)) if !scheduled && names.def(id).whole == item.span => {
            names.put(main, item, segment?);
        }
        (Part::Body, _) | (Part::Other, _) => return None,
    }
    Some(names)
}

impl Names {
    /// Walks an item again whose declarations were in this segment.
    fn put(&mut self, main: &ast::File, item: &ast::Item, segment: Range<usize>) {
        let (defs, uses) = (self.defs.len(), self.uses.len());
        walk::item(self, main, item);
        let (new, mut new_uses) = (self.defs.split_off(defs), self.uses.split_off(uses));
        let length = new.len();
        let to = |id: DefId| match id.0 {
            at if at >= defs => DefId(at - defs + segment.start),
            at if at >= segment.end => DefId(at - segment.len() + length),
            at => DefId(at),
        };
        for found in self.uses.iter_mut().chain(&mut new_uses) {
            found.def = to(found.def);
        }
        self.defs.splice(segment.clone(), new);
        sort(&mut new_uses);
        let at = self
            .uses
            .partition_point(|found| found.span.start < item.span.start);
        self.uses.splice(at..at, new_uses);
    }
}

fn sort(uses: &mut Vec<Use>) {
    uses.sort_by_key(|found| (found.span.start, found.span.end));
    uses.dedup_by_key(|found| found.span);
}

fn used(names: &mut Names, path: &[ast::Name], library: &BTreeMap<String, DefId>) {
    let words: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
    let (Some((last, module)), Some(name)) = (words.split_last(), path.last()) else {
        return;
    };
    let found = library.get(&format!("{}::{last}", module.join("/")));
    let found = found.or_else(|| {
        let ending = format!("{}::{last}", module.last().copied().unwrap_or_default());
        library.get(&ending)
    });
    if let Some(&def) = found {
        names.items.insert((*last).to_owned(), def);
        names.uses.push(Use {
            span: name.span,
            def,
            defines: false,
        });
    }
}

fn declare_items<'a>(names: &mut Names, items: impl Iterator<Item = &'a ast::Item>) {
    for item in items {
        if let Some(id) = declare(names, item) {
            names.items.insert(names.def(id).name.clone(), id);
        }
    }
}

fn declare(names: &mut Names, item: &ast::Item) -> Option<DefId> {
    let (kind, name) = match &item.kind {
        ItemKind::Callable(callable) => match callable.kind {
            CallableKind::Kernel => (DefKind::Kernel, &callable.name),
            CallableKind::Fn => (DefKind::Function, &callable.name),
        },
        ItemKind::Monoid(monoid) => (DefKind::Monoid, &monoid.name),
        ItemKind::Const(constant) => (DefKind::Constant, &constant.name),
        ItemKind::Error { .. } | ItemKind::Assert(_) | ItemKind::Use(_) | ItemKind::Schedule(_) => {
            return None;
        }
    };
    names.defs.push(Def {
        name: name.text.clone(),
        kind,
        span: name.span,
        whole: item.span,
        item: None,
        docs: item.docs.clone(),
    });
    Some(DefId(names.defs.len() - 1))
}
