//! A text of the client, and what is known of it, computed when first asked for and thrown away when it changes.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use diag::{Diagnostic, FileId, SourceMap};
use frontend::ide::{Edited, Findings, Names, Part};
use frontend::program::{Library, Neighbours, Program};
use lsp_types::{TextDocumentContentChangeEvent, Uri};
use syntax::ast::{CallableKind, File, ItemKind};

use crate::position::{Encoding, Lines};

/// The language of a text.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Kernel,
    Tile,
    Assembly,
}

impl Form {
    /// By the client's name of the language, else by the extension.
    pub(crate) fn of(language: &str, path: &Path) -> Form {
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        match (language, extension) {
            ("vinci-tile", _) | (_, "tile") => Form::Tile,
            ("vinci-asm", _) | (_, "vasm") => Form::Assembly,
            _ => Form::Kernel,
        }
    }
}

/// A text that the client has open, or a file that one of these uses.
pub(crate) struct Document {
    pub(crate) uri: Uri,
    pub(crate) path: PathBuf,
    pub(crate) form: Form,
    pub(crate) version: i32,
    pub(crate) text: String,
    pub(crate) lines: Lines,
    analysis: OnceCell<Analysis>,
    /// What was known of the last text that was looked at.
    before: RefCell<Option<Analysis>>,
    /// The kernel of tile form or assembly.
    whole: OnceCell<Option<Slice>>,
}

/// What is known of a kernel text.
pub(crate) struct Analysis {
    /// The text itself is file 0; then what it can call.
    pub(crate) sources: SourceMap,
    pub(crate) program: Program<'static>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) found: Findings,
    // What a keystroke does not need is computed when first asked for.
    names: OnceCell<Names>,
    slices: OnceCell<Vec<Slice>>,
}

/// A kernel with everything of its file that it can need, as a text of its own: it compiles to the same instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) kernel: String,
    /// Where the kernel is in the whole text.
    pub(crate) span: diag::Span,
    pub(crate) text: Arc<str>,
    /// The line of the slice, from 0, that the kernel begins in.
    first: u32,
    /// The items that are in it, by their places in the file.
    items: Arc<BTreeSet<usize>>,
}

/// The library, read once.
static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::new(stdlib::PRELUDE, stdlib::SOURCES));

/// The text of a document among the sources of its analysis.
pub(crate) const MAIN: FileId = FileId(0);

impl Document {
    pub(crate) fn new(
        uri: Uri,
        path: PathBuf,
        form: Form,
        version: i32,
        text: String,
        encoding: Encoding,
    ) -> Document {
        Document {
            lines: Lines::new(&text, encoding),
            uri,
            path,
            form,
            version,
            text,
            analysis: OnceCell::new(),
            before: RefCell::new(None),
            whole: OnceCell::new(),
        }
    }

    /// The same document with another text.
    pub(crate) fn with_text(&self, text: String) -> Document {
        let (uri, path) = (self.uri.clone(), self.path.clone());
        Document::new(
            uri,
            path,
            self.form,
            self.version,
            text,
            self.lines.encoding(),
        )
    }

    /// Applies the client's edits in order; gives the byte behind the last one.
    pub(crate) fn change(
        &mut self,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> Option<usize> {
        let mut behind = None;
        for change in changes {
            match change.range {
                Some(range) => {
                    let bytes = self.lines.bytes(&self.text, range);
                    behind = Some(bytes.start + change.text.len());
                    self.lines.replace(bytes.clone(), &change.text);
                    self.text.replace_range(bytes, &change.text);
                }
                None => {
                    self.lines = Lines::new(&change.text, self.lines.encoding());
                    self.text = change.text;
                }
            }
        }
        self.version = version;
        self.whole = OnceCell::new();
        if let Some(old) = self.analysis.take() {
            self.before = RefCell::new(Some(old));
        }
        behind
    }

    /// Throws away what is known, because a file that it uses has changed.
    pub(crate) fn forget(&mut self) {
        self.before = RefCell::new(None);
        self.analysis = OnceCell::new();
    }

    /// What is known of a kernel text; `neighbour` finds the texts of modules.
    pub(crate) fn analysis(&self, neighbour: &Neighbours<'_>) -> &Analysis {
        self.analysis.get_or_init(|| {
            let before = self.before.take();
            match before.map(|before| before.follow(&self.text)) {
                Some(Ok(analysis)) => analysis,
                Some(Err(found)) => Analysis::new(self, Some(&found), neighbour),
                None => Analysis::new(self, None, neighbour),
            }
        })
    }

    /// The kernel of a text that has but one.
    pub(crate) fn whole(&self) -> Option<&Slice> {
        self.whole.get_or_init(|| whole(self)).as_ref()
    }

    pub(crate) fn range(&self, span: diag::Span) -> lsp_types::Range {
        self.lines.range(&self.text, span.range())
    }

    pub(crate) fn byte(&self, position: lsp_types::Position) -> u32 {
        u32::try_from(self.lines.byte(&self.text, position)).unwrap_or(u32::MAX)
    }
}

impl Analysis {
    fn new(document: &Document, before: Option<&Findings>, neighbour: &Neighbours<'_>) -> Analysis {
        let mut sources = SourceMap::new();
        let file = sources.add(document.path.to_string_lossy(), document.text.as_str());
        let program = Program::read(file, &mut sources, &LIBRARY, neighbour);
        let found = program.check_again(&document.text, before);
        let analysis = Analysis {
            sources,
            program,
            diagnostics: Vec::new(),
            found,
            names: OnceCell::new(),
            slices: OnceCell::new(),
        };
        analysis.finished()
    }

    /// The same for another text, where that takes looking at one item only; else what was found in the old text.
    fn follow(mut self, text: &str) -> Result<Analysis, Findings> {
        let Some(edited) = self.program.follow(&mut self.sources, text) else {
            return Err(self.found);
        };
        let names = self.names.take();
        let names = names.map(|names| self.program.names_edited(names, &edited));
        self.names = names.map_or_else(OnceCell::new, OnceCell::from);
        self.found = self.program.check_edited(text, self.found, &edited);
        let slices = self.slices.take();
        let slices = slices.map(|old| slices_again(old, text, &self.program.main, &edited));
        self.slices = slices.map_or_else(OnceCell::new, OnceCell::from);
        Ok(self.finished())
    }

    /// Puts together what is wrong, and what is right but not meant.
    fn finished(mut self) -> Analysis {
        let mut diagnostics = self.program.diagnostics.clone();
        diagnostics.extend(self.found.diagnostics.iter().cloned());
        diagnostics.retain(|found| found.span().file == MAIN);
        let right = !diagnostics.iter().any(Diagnostic::is_error);
        if right {
            diagnostics.extend(self.program.lints_again(self.names(), &self.found));
            diagnostics.sort_by_key(Diagnostic::span);
        }
        self.diagnostics = diagnostics;
        self
    }

    /// What each name means.
    pub(crate) fn names(&self) -> &Names {
        self.names.get_or_init(|| self.program.names())
    }

    /// The kernels of the text, each with what it needs.
    pub(crate) fn slices(&self) -> &[Slice] {
        self.slices
            .get_or_init(|| slices(self.sources.text(MAIN), &self.program.main))
    }
}

impl Slice {
    /// The line of the slice, from 1, that a line of the document, from 0, is; `start` is the one that the kernel begins in.
    pub(crate) fn line(&self, start: u32, line: u32) -> Option<u32> {
        Some(line.checked_sub(start)? + self.first + 1)
    }

    /// The line of the document, from 0, that a line of the slice, from 1, is, if it is the kernel's.
    pub(crate) fn document_line(&self, start: u32, line: u32) -> Option<u32> {
        Some(line.checked_sub(self.first + 1)? + start)
    }
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

/// The one kernel of a tile form or an assembly text: all of it, under the name that it says.
fn whole(document: &Document) -> Option<Slice> {
    let text = &document.text;
    let word = match document.form {
        Form::Tile => "tile ",
        Form::Assembly => ".kernel ",
        Form::Kernel => return None,
    };
    let mut begin = 0;
    let mut all = text.split_inclusive('\n');
    let line = all.find_map(|line| {
        begin += line.len();
        line.strip_prefix(word)
    })?;
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = &line[..line.find(|c| !name(c)).unwrap_or(line.len())];
    let start = begin - line.len();
    Some(Slice {
        kernel: name.to_owned(),
        span: diag::Span::new(MAIN, start..start + name.len()),
        text: text.as_str().into(),
        first: 0,
        items: Arc::default(),
    })
}

/// Cuts a file into its kernels: with each go the directives, `use`, assertions, its schedules, and the items that it
/// names, also through others.
fn slices(text: &str, file: &File) -> Vec<Slice> {
    let cut = Cut::new(text, file);
    (0..file.items.len())
        .filter_map(|at| cut.slice(at))
        .collect()
}

/// The same after an edit of one item: slices without it only move.
fn slices_again(old: Vec<Slice>, text: &str, file: &File, edited: &Edited) -> Vec<Slice> {
    if edited.part == Part::Other {
        return slices(text, file);
    }
    let cut = OnceCell::new();
    let again = |old: Slice| {
        let start = edited.stretched(old.span).start;
        let at = (file.items).partition_point(|item| item.span.end <= start);
        if old.items.contains(&edited.edit.item) {
            return cut.get_or_init(|| Cut::new(text, file)).slice(at);
        }
        let span = file.items.get(at)?.span;
        Some(Slice { span, ..old })
    };
    old.into_iter().filter_map(again).collect()
}

/// What cutting needs to know of a file.
struct Cut<'a> {
    text: &'a str,
    file: &'a File,
    named: BTreeMap<&'a str, Vec<usize>>,
    always: Vec<usize>,
    top: String,
}

impl<'a> Cut<'a> {
    fn new(text: &'a str, file: &'a File) -> Cut<'a> {
        let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut always = Vec::new();
        for (at, item) in file.items.iter().enumerate() {
            let name = match &item.kind {
                ItemKind::Callable(callable) => &callable.name,
                ItemKind::Monoid(monoid) => &monoid.name,
                ItemKind::Const(constant) => &constant.name,
                ItemKind::Schedule(schedule) => &schedule.kernel,
                ItemKind::Assert(_) | ItemKind::Use(_) => {
                    always.push(at);
                    continue;
                }
                ItemKind::Error { .. } => continue,
            };
            named.entry(&name.text).or_default().push(at);
        }
        let top = text
            .split_inclusive('\n')
            .take_while(|line| line.starts_with("//") || line.trim().is_empty())
            .filter(|line| line.starts_with("//!"))
            .collect();
        Cut {
            text,
            file,
            named,
            always,
            top,
        }
    }

    fn part(&self, at: usize) -> &'a str {
        let span = self.file.items[at].span;
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The slice of an item, if it is a kernel.
    fn slice(&self, at: usize) -> Option<Slice> {
        let item = self.file.items.get(at)?;
        let ItemKind::Callable(callable) = &item.kind else {
            return None;
        };
        if callable.kind != CallableKind::Kernel {
            return None;
        }
        let mut taken: BTreeSet<usize> = self.always.iter().copied().chain([at]).collect();
        let mut open: Vec<usize> = taken.iter().copied().collect();
        while let Some(at) = open.pop() {
            let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            let words = self.part(at).split(word);
            for &other in words.filter_map(|word| self.named.get(word)).flatten() {
                if taken.insert(other) {
                    open.push(other);
                }
            }
        }
        let mut text = self.top.clone();
        let mut first = 0;
        for &part in &taken {
            if part == at {
                first = lines(&text);
            }
            text += self.part(part);
            text += "\n";
        }
        Some(Slice {
            kernel: callable.name.text.clone(),
            span: item.span,
            text: text.into(),
            first,
            items: Arc::new(taken),
        })
    }
}
