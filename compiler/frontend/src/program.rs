//! A file together with everything it can call: the prelude, the neighbours that it names with `use`, the library.
//!
//! Reads no files: neighbours come from a function of the caller, the library as text.

use diag::{Diagnostic, FileId, SourceMap};
use syntax::ast::{File, Item, ItemKind};
use syntax::{Comment, parse_kernel};

use crate::ide::{Names, names};
use crate::{Checked, Sources, check};

/// The texts of the library, each with its path.
#[derive(Copy, Clone, Debug)]
pub struct Library<'a> {
    /// What every file sees.
    pub prelude: (&'a str, &'a str),
    /// What `use` can name, by file name.
    pub files: &'a [(&'a str, &'a str)],
}

/// Name and text of the file that a path in a `use` means, if there is one beside the main file.
pub type Neighbours<'a> = dyn Fn(&str) -> Option<(String, String)> + 'a;

/// A file and what it can call, parsed.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file itself.
    pub main: File,
    /// Its comments.
    pub comments: Vec<Comment>,
    prelude: File,
    /// Modules by name.
    library: Vec<(String, File)>,
    /// Syntax errors of all of them.
    pub diagnostics: Vec<Diagnostic>,
}

impl Program {
    /// Parses a file of `sources`, and adds the texts of what it can call.
    pub fn read(
        file: FileId,
        sources: &mut SourceMap,
        library: &Library<'_>,
        neighbour: &Neighbours<'_>,
    ) -> Program {
        let parsed = parse_kernel(file, sources.text(file));
        let mut found = parsed.diagnostics;
        let prelude = tree(library.prelude, sources, &mut found);
        let library = used(&parsed.file, sources, &mut found, library, neighbour);
        Program {
            main: parsed.file,
            comments: parsed.comments,
            prelude,
            library,
            diagnostics: found,
        }
    }

    /// Checks the program; the findings of parsing are not repeated.
    pub fn check(&self) -> Checked {
        self.with_sources(check)
    }

    /// The meaning of every name of the main file.
    pub fn names(&self) -> Names {
        self.with_sources(names)
    }

    fn with_sources<T>(&self, ask: impl FnOnce(&Sources<'_>) -> T) -> T {
        let library: Vec<(&str, &File)> = (self.library.iter())
            .map(|(name, tree)| (name.as_str(), tree))
            .collect();
        ask(&Sources {
            main: &self.main,
            prelude: Some(&self.prelude),
            library: &library,
        })
    }
}

/// A text of the library as a tree; what is wrong with it, if ever, is shown like anything else.
fn tree((path, text): (&str, &str), sources: &mut SourceMap, found: &mut Vec<Diagnostic>) -> File {
    let file = sources.add(format!("stdlib/{path}"), text);
    let parsed = parse_kernel(file, sources.text(file));
    found.extend(parsed.diagnostics);
    parsed.file
}

/// The files that `use` may mean: neighbours that are named, also by each other, then the library's kernel files. Most
/// trees use none, and parsing them takes time.
fn used(
    main: &File,
    sources: &mut SourceMap,
    found: &mut Vec<Diagnostic>,
    library: &Library<'_>,
    neighbour: &Neighbours<'_>,
) -> Vec<(String, File)> {
    let mut wanted = modules(main);
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut files: Vec<(String, File)> = Vec::new();
    while let Some(module) = wanted.pop() {
        if files.iter().any(|(known, _)| *known == module) {
            continue;
        }
        let Some((name, text)) = neighbour(&module) else {
            continue;
        };
        let file = sources.add(name, text);
        let parsed = parse_kernel(file, sources.text(file));
        found.extend(parsed.diagnostics);
        wanted.extend(modules(&parsed.file));
        files.push((module, parsed.file));
    }
    files.extend(library.files.iter().map(|&(path, text)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let name = name.strip_suffix(".vn").unwrap_or(name);
        (name.to_owned(), tree((path, text), sources, found))
    }));
    files
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
