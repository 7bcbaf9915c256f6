//! A text of the client, and what is known of it, computed when first asked for and thrown away when it changes.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use diag::{Diagnostic, FileId, SourceMap};
use frontend::ide::{Findings, Names};
use frontend::program::{Library, Neighbours, Program};
use lsp_types::{TextDocumentContentChangeEvent, Uri};
use syntax::ast::{CallableKind, ItemKind};

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
}

/// Bytes of a text that lints look at with every key; they look at each name among all names.
const MOST_LINTED: usize = 1 << 16;

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
    pub(crate) text: String,
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
        }
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
        self.slices = OnceCell::new();
        Ok(self.finished())
    }

    /// Puts together what is wrong, and what is right but not meant.
    fn finished(mut self) -> Analysis {
        let mut diagnostics = self.program.diagnostics.clone();
        diagnostics.extend(self.found.diagnostics.iter().cloned());
        diagnostics.retain(|found| found.span().file == MAIN);
        let right = !diagnostics.iter().any(Diagnostic::is_error);
        if right && self.sources.text(MAIN).len() <= MOST_LINTED {
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

/// Cuts a file into its kernels: with each go the directives, `use`, assertions, its schedules, and the items that it
/// names, also through others.
fn slices(text: &str, file: &syntax::ast::File) -> Vec<Slice> {
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut always = Vec::new();
    for (at, item) in file.items.iter().enumerate() {
        match &item.kind {
            ItemKind::Callable(callable) => named.entry(&callable.name.text).or_default().push(at),
            ItemKind::Monoid(monoid) => named.entry(&monoid.name.text).or_default().push(at),
            ItemKind::Const(constant) => named.entry(&constant.name.text).or_default().push(at),
            ItemKind::Schedule(schedule) => {
                named.entry(&schedule.kernel.text).or_default().push(at)
            }
            ItemKind::Assert(_) | ItemKind::Use(_) => always.push(at),
            ItemKind::Error { .. } => {}
        }
    }
    let part = |at: usize| text.get(file.items[at].span.range()).unwrap_or_default();
    let top: String = text
        .split_inclusive('\n')
        .take_while(|line| line.starts_with("//") || line.trim().is_empty())
        .filter(|line| line.starts_with("//!"))
        .collect();
    let kernels = file.items.iter().enumerate();
    let slice = |(at, item): (usize, &syntax::ast::Item)| {
        let ItemKind::Callable(callable) = &item.kind else {
            return None;
        };
        if callable.kind != CallableKind::Kernel {
            return None;
        }
        let mut taken: BTreeSet<usize> = always.iter().copied().chain([at]).collect();
        let mut open: Vec<usize> = taken.iter().copied().collect();
        while let Some(at) = open.pop() {
            let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            let found = part(at).split(word).filter_map(|word| named.get(word));
            for &other in found.flatten() {
                if taken.insert(other) {
                    open.push(other);
                }
            }
        }
        let parts = taken.into_iter().map(part);
        let text = parts.fold(top.clone(), |text, part| text + part + "\n");
        Some(Slice {
            kernel: callable.name.text.clone(),
            span: item.span,
            text,
        })
    };
    kernels.filter_map(slice).collect()
}
