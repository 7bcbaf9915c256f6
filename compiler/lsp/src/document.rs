//! A text of the client, and what is known of it, computed when first asked for and thrown away when it changes.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use diag::{Diagnostic, FileId, SourceMap};
use frontend::ide::{Fact, Names, facts};
use frontend::program::{Library, Neighbours, Program};
use lsp_types::{TextDocumentContentChangeEvent, Uri};

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
}

/// What is known of a kernel text.
pub(crate) struct Analysis {
    /// The text itself is file 0; then what it can call.
    pub(crate) sources: SourceMap,
    pub(crate) program: Program<'static>,
    pub(crate) names: Names,
    pub(crate) facts: Vec<Fact>,
    pub(crate) diagnostics: Vec<Diagnostic>,
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
        }
    }

    /// Applies the client's edits in order.
    pub(crate) fn change(&mut self, version: i32, changes: Vec<TextDocumentContentChangeEvent>) {
        for change in changes {
            match change.range {
                Some(range) => {
                    let bytes = self.lines.bytes(&self.text, range);
                    self.text.replace_range(bytes, &change.text);
                }
                None => self.text = change.text,
            }
            self.lines = Lines::new(&self.text, self.lines.encoding());
        }
        self.version = version;
        self.forget();
    }

    /// Throws away what is known, because a file that it uses has changed.
    pub(crate) fn forget(&mut self) {
        self.analysis = OnceCell::new();
    }

    /// What is known of a kernel text; `neighbour` finds the texts of modules.
    pub(crate) fn analysis(&self, neighbour: &Neighbours<'_>) -> &Analysis {
        self.analysis.get_or_init(|| Analysis::new(self, neighbour))
    }

    pub(crate) fn range(&self, span: diag::Span) -> lsp_types::Range {
        self.lines.range(&self.text, span.range())
    }

    pub(crate) fn byte(&self, position: lsp_types::Position) -> u32 {
        u32::try_from(self.lines.byte(&self.text, position)).unwrap_or(u32::MAX)
    }
}

impl Analysis {
    fn new(document: &Document, neighbour: &Neighbours<'_>) -> Analysis {
        let mut sources = SourceMap::new();
        let file = sources.add(document.path.to_string_lossy(), document.text.as_str());
        let program = Program::read(file, &mut sources, &LIBRARY, neighbour);
        let checked = program.check();
        let mut diagnostics = program.diagnostics.clone();
        diagnostics.extend(checked.diagnostics.iter().cloned());
        diagnostics.retain(|found| found.span().file == MAIN);
        Analysis {
            names: program.names(),
            facts: facts(&checked),
            sources,
            program,
            diagnostics,
        }
    }
}
