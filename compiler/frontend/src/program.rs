//! A file together with everything it can call: the prelude, the neighbours that it names with `use`, the library.
//!
//! Reads no files: neighbours come from a function of the caller, the library as text. The library is parsed and the prelude
//! checked once, for all programs of a process.

use std::sync::OnceLock;

use diag::{Diagnostic, FileId, Shared, SourceMap};
use syntax::ast::{File, Item, ItemKind};
use syntax::{Comment, Parsed, parse_again, parse_kernel};

use crate::ide::again::{check_again, check_edited};
use crate::ide::edited::Before;
use crate::ide::names::names_again;
use crate::ide::{Edited, Findings, Names, facts, names};
use crate::lints::{elems, lints};
use crate::{Checked, Prelude, Sources, check};

/// The library: what every file sees, and what `use` can name.
#[derive(Debug)]
pub struct Library {
    texts: Shared,
    prelude: Prelude,
    /// What `use` can name, parsed when it is named.
    modules: Vec<Module>,
    /// Syntax errors of the prelude; what is wrong with it, if ever, is shown like anything else.
    found: Vec<Diagnostic>,
}

/// A file of the library.
#[derive(Debug)]
struct Module {
    name: String,
    file: FileId,
    parsed: OnceLock<(File, Vec<Diagnostic>)>,
}

/// Name and text of the file that a path in a `use` means, if there is one beside the main file.
pub type Neighbours<'a> = dyn Fn(&str) -> Option<(String, String)> + 'a;

impl Library {
    /// Reads the prelude and keeps the files, each with its path.
    pub fn new(prelude: (&str, &str), files: &[(&str, &str)]) -> Library {
        let all = std::iter::once(&prelude).chain(files);
        let texts = Shared::new(all.map(|(path, text)| (format!("stdlib/{path}"), (*text).into())));
        let mut ids = texts.iter().map(|(id, _)| id);
        let parsed = parse_kernel(ids.next().unwrap_or(FileId(0)), prelude.1);
        let module = |((path, _), file): (&(&str, &str), FileId)| {
            let name = path.rsplit('/').next().unwrap_or(path);
            Module {
                name: name.strip_suffix(".vn").unwrap_or(name).to_owned(),
                file,
                parsed: OnceLock::new(),
            }
        };
        let modules = files.iter().zip(ids).map(module).collect();
        Library {
            texts,
            prelude: Prelude::new(parsed.file),
            modules,
            found: parsed.diagnostics,
        }
    }
}

impl Module {
    fn parsed(&self, sources: &SourceMap) -> &(File, Vec<Diagnostic>) {
        self.parsed.get_or_init(|| {
            let parsed = parse_kernel(self.file, sources.text(self.file));
            (parsed.file, parsed.diagnostics)
        })
    }
}

/// A file and what it can call, parsed.
#[derive(Clone, Debug)]
pub struct Program<'l> {
    /// The file itself.
    pub main: File,
    /// Its comments.
    pub comments: Vec<Comment>,
    prelude: &'l Prelude,
    /// Neighbours by the path that names them.
    neighbours: Vec<(String, File)>,
    /// Files of the library by name.
    library: Vec<(&'l str, &'l File)>,
    /// Syntax errors of all of them.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'l> Program<'l> {
    /// Parses a file of `sources`, and adds the texts of what it can call.
    pub fn read(
        file: FileId,
        sources: &mut SourceMap,
        library: &'l Library,
        neighbour: &Neighbours<'_>,
    ) -> Program<'l> {
        sources.share(&library.texts);
        let parsed = parse_kernel(file, sources.text(file));
        let mut found = parsed.diagnostics;
        found.extend(library.found.iter().cloned());
        let wanted = modules(&parsed.file);
        let (neighbours, wanted) = beside(wanted, sources, &mut found, neighbour);
        let library_files = used(&wanted, sources, &mut found, library);
        Program {
            main: parsed.file,
            comments: parsed.comments,
            prelude: &library.prelude,
            neighbours,
            library: library_files,
            diagnostics: found,
        }
    }

    /// Checks the program; the findings of parsing are not repeated.
    pub fn check(&self) -> Checked {
        self.with_sources(check)
    }

    /// Checks the main file, whose text this is, for an editor: bodies that are in `before` are not checked again.
    pub fn check_again(&self, text: &str, before: Option<&Findings>) -> Findings {
        self.with_sources(|sources| check_again(sources, text, before))
    }

    /// Brings the tree and `sources` up to date with a new text of the main file; nothing is changed where that takes reading
    /// it all.
    pub fn follow(&mut self, sources: &mut SourceMap, text: &str) -> Option<Edited> {
        let main = self.main.file;
        let edit = syntax::edit(&self.main, sources.text(main), text)?;
        if matches!(self.main.items.get(edit.item)?.kind, ItemKind::Use(_)) {
            return None;
        }
        let before = Before::new(&self.main, &edit)?;
        let own = |found: &Diagnostic| found.span().file == main;
        let (diagnostics, others) = std::mem::take(&mut self.diagnostics)
            .into_iter()
            .partition(own);
        let mut parsed = Parsed {
            file: std::mem::take(&mut self.main),
            comments: std::mem::take(&mut self.comments),
            diagnostics,
        };
        let followed = parse_again(&mut parsed, &edit, text);
        self.main = parsed.file;
        self.comments = parsed.comments;
        self.diagnostics = parsed.diagnostics;
        self.diagnostics.extend(others);
        if !followed {
            return None;
        }
        sources.replace(main, text);
        Some(before.edited(&self.main, edit))
    }

    /// Checks the main file after an edit that [`Program::follow`] has followed; `before` is what was found before it.
    pub fn check_edited(&self, text: &str, before: Findings, edited: &Edited) -> Findings {
        let found =
            self.with_sources(|sources| check_edited(sources, text, before.clone(), edited));
        found.unwrap_or_else(|| self.check_again(text, Some(&before)))
    }

    /// The names after an edit that [`Program::follow`] has followed.
    pub fn names_edited(&self, names: Names, edited: &Edited) -> Names {
        names_again(names, &self.main, edited).unwrap_or_else(|| self.names())
    }

    /// The same as [`Program::lints`] for what [`Program::check_again`] found.
    pub fn lints_again(&self, names: &Names, found: &Findings) -> Vec<Diagnostic> {
        let elems = found.elems();
        lints(&self.main, names, &|span| elems.of(span))
    }

    /// What is right but perhaps not meant; for a program without errors.
    pub fn lints(&self, checked: &Checked) -> Vec<Diagnostic> {
        let facts = facts(checked);
        let elems = elems(&facts);
        lints(&self.main, &self.names(), &|span| elems.get(&span).copied())
    }

    /// The meaning of every name of the main file.
    pub fn names(&self) -> Names {
        self.with_sources(names)
    }

    fn with_sources<T>(&self, ask: impl FnOnce(&Sources<'_>) -> T) -> T {
        let neighbours = self.neighbours.iter();
        let neighbours = neighbours.map(|(name, tree)| (name.as_str(), tree));
        let library: Vec<(&str, &File)> = neighbours.chain(self.library.iter().copied()).collect();
        ask(&Sources {
            main: &self.main,
            prelude: Some(self.prelude),
            library: &library,
        })
    }
}

/// The neighbours that are named, also by each other; and every name that was looked for.
fn beside(
    mut wanted: Vec<String>,
    sources: &mut SourceMap,
    found: &mut Vec<Diagnostic>,
    neighbour: &Neighbours<'_>,
) -> (Vec<(String, File)>, Vec<String>) {
    let mut files: Vec<(String, File)> = Vec::new();
    let mut named = Vec::new();
    while let Some(module) = wanted.pop() {
        if named.contains(&module) {
            continue;
        }
        named.push(module.clone());
        let Some((name, text)) = neighbour(&module) else {
            continue;
        };
        let file = sources.add(name, text);
        let parsed = parse_kernel(file, sources.text(file));
        found.extend(parsed.diagnostics);
        wanted.extend(modules(&parsed.file));
        files.push((module, parsed.file));
    }
    (files, named)
}

/// The files of the library that are named, also by each other, in its own order. Most trees name none.
fn used<'l>(
    wanted: &[String],
    sources: &SourceMap,
    found: &mut Vec<Diagnostic>,
    library: &'l Library,
) -> Vec<(&'l str, &'l File)> {
    let mut open: Vec<String> = wanted.iter().map(|path| last(path).to_owned()).collect();
    let mut named = vec![false; library.modules.len()];
    while let Some(name) = open.pop() {
        let at = library.modules.iter().position(|m| m.name == name);
        let Some(at) = at.filter(|at| !named[*at]) else {
            continue;
        };
        named[at] = true;
        let (tree, _) = library.modules[at].parsed(sources);
        open.extend(modules(tree).iter().map(|path| last(path).to_owned()));
    }
    let mut files = Vec::new();
    for (module, _) in library
        .modules
        .iter()
        .zip(named)
        .filter(|(_, named)| *named)
    {
        let (tree, wrong) = module.parsed(sources);
        found.extend(wrong.iter().cloned());
        files.push((module.name.as_str(), tree));
    }
    files
}

/// The last word of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The files that a tree names, as paths without extension.
fn modules(tree: &File) -> Vec<String> {
    let path = |item: &Item| match &item.kind {
        ItemKind::Use(path) => {
            let module = path.split_last().map_or(&[][..], |(_, module)| module);
            let words: Vec<&str> = module.iter().map(|name| name.text.as_str()).collect();
            Some(words.join("/"))
        }
        ItemKind::Error { .. }
        | ItemKind::Callable(_)
        | ItemKind::Monoid(_)
        | ItemKind::Const(_)
        | ItemKind::Assert(_)
        | ItemKind::Schedule(_) => None,
    };
    tree.items.iter().filter_map(path).collect()
}
