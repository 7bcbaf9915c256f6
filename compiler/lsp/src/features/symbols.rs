//! Outlines: of a document, and of everything below the client's folders.

use std::fs;
use std::path::{Path, PathBuf};

use frontend::ide::{DefKind, Outline, outline};
use lsp_types::{
    DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, Location, OneOf, SymbolKind,
    WorkspaceLocation, WorkspaceSymbol, WorkspaceSymbolParams, WorkspaceSymbolResponse,
};
use serde_json::json;

use crate::document::{Document, Form, MAIN};
use crate::position::Lines;
use crate::server::dispatch::Refused;
use crate::server::progress;
use crate::server::state::{State, path_of, uri_of};

/// Files below the client's folders that are read for a search.
const MOST_FILES: usize = 2000;

fn kind(kind: Option<DefKind>) -> SymbolKind {
    match kind {
        Some(DefKind::Kernel | DefKind::Function) => SymbolKind::FUNCTION,
        Some(DefKind::Monoid) => SymbolKind::CLASS,
        Some(DefKind::Constant) => SymbolKind::CONSTANT,
        Some(DefKind::Field) => SymbolKind::FIELD,
        Some(DefKind::Size | DefKind::Type) => SymbolKind::TYPE_PARAMETER,
        Some(DefKind::Param | DefKind::Result | DefKind::Local | DefKind::Index) => {
            SymbolKind::VARIABLE
        }
        None => SymbolKind::EVENT,
    }
}

pub(crate) fn document(
    state: &mut State,
    params: DocumentSymbolParams,
) -> Result<Option<DocumentSymbolResponse>, Refused> {
    let Some(document) = state.document(&params.text_document.uri) else {
        return Ok(None);
    };
    let symbols = match document.form {
        Form::Kernel => {
            let lines = outline(&state.analysis(document).program.main);
            lines.iter().map(|line| symbol(document, line)).collect()
        }
        Form::Tile => tile(document),
        Form::Assembly => labels(document),
    };
    Ok(Some(DocumentSymbolResponse::Nested(symbols)))
}

#[expect(deprecated, reason = "the protocol's type still has the field")]
fn made(
    name: String,
    kind: SymbolKind,
    range: lsp_types::Range,
    selection: lsp_types::Range,
) -> DocumentSymbol {
    DocumentSymbol {
        name,
        detail: None,
        kind,
        tags: None,
        deprecated: None,
        range,
        selection_range: selection,
        children: None,
    }
}

fn symbol(document: &Document, line: &Outline) -> DocumentSymbol {
    let name = if line.kind.is_none() {
        format!("schedule {}", line.name)
    } else {
        line.name.clone()
    };
    let mut made = made(
        name,
        kind(line.kind),
        document.range(line.whole),
        document.range(line.span),
    );
    let children: Vec<DocumentSymbol> = line
        .children
        .iter()
        .map(|child| symbol(document, child))
        .collect();
    made.children = (!children.is_empty()).then_some(children);
    made
}

/// The function of a tile form with its buffers and channels.
fn tile(document: &Document) -> Vec<DocumentSymbol> {
    let parsed = syntax::parse_tile(MAIN, &document.text);
    let symbol = |func: &syntax::tile_ast::TileFunc| {
        let range = document.range(func.span);
        made(
            func.name.text.clone(),
            SymbolKind::FUNCTION,
            range,
            document.range(func.name.span),
        )
    };
    parsed.file.funcs.iter().map(symbol).collect()
}

/// The sections and labels of an assembly text.
fn labels(document: &Document) -> Vec<DocumentSymbol> {
    let mut symbols = Vec::new();
    let mut start = 0;
    for line in document.text.split_inclusive('\n') {
        let word = line.trim_end();
        let label = word
            .strip_suffix(':')
            .filter(|name| !name.contains(char::is_whitespace) && !name.is_empty());
        let section = (word == ".aic" || word == ".aiv").then_some(word);
        if let Some(name) = label.or(section) {
            let range = document
                .lines
                .range(&document.text, start..start + word.len());
            let kind = if label.is_some() {
                SymbolKind::KEY
            } else {
                SymbolKind::NAMESPACE
            };
            symbols.push(made(name.to_owned(), kind, range, range));
        }
        start += line.len();
    }
    symbols
}

pub(crate) fn workspace(
    state: &mut State,
    params: WorkspaceSymbolParams,
) -> Result<Option<WorkspaceSymbolResponse>, Refused> {
    let query = params.query.to_lowercase();
    let mut paths = Vec::new();
    for root in &state.roots {
        below(root, &mut paths);
    }
    let token = params.partial_result_params.partial_result_token;
    let token = token.and_then(|token| serde_json::to_value(token).ok());
    let mut found = Vec::new();
    for path in paths {
        let text = text(state, &path);
        let part = in_file(state, &path, &text, &query);
        match &token {
            // File by file, for a client that shows what is there already.
            Some(token) if !part.is_empty() => {
                state.outbox.push(progress(token, json!(part)));
            }
            Some(_) => {}
            None => found.extend(part),
        }
    }
    Ok(Some(WorkspaceSymbolResponse::Nested(found)))
}

/// The text of a file as the client has it, else as the disk has it.
fn text(state: &State, path: &Path) -> String {
    let open = state.documents.values().find(|open| open.path == path);
    match open {
        Some(document) => document.text.clone(),
        None => fs::read_to_string(path).unwrap_or_default(),
    }
}

/// The symbols of a file whose names have the query in them; their places only for clients that do not ask for them.
fn in_file(state: &State, path: &Path, text: &str, query: &str) -> Vec<WorkspaceSymbol> {
    let Some(uri) = uri_of(path) else {
        return Vec::new();
    };
    let lines = Lines::new(text, state.encoding);
    let file_name = path.file_name();
    let container_name = file_name.map(|name| name.to_string_lossy().into_owned());
    let symbol = |item: Outline| {
        let location = match state.abilities.resolves_symbols {
            true => OneOf::Right(WorkspaceLocation { uri: uri.clone() }),
            false => OneOf::Left(Location {
                uri: uri.clone(),
                range: lines.range(text, item.span.range()),
            }),
        };
        WorkspaceSymbol {
            name: item.name,
            kind: kind(item.kind),
            tags: None,
            container_name: container_name.clone(),
            location,
            data: None,
        }
    };
    let named = named(text).filter(|item| item.name.to_lowercase().contains(query));
    named.map(symbol).collect()
}

/// The items of a text that have a name of their own.
fn named(text: &str) -> impl Iterator<Item = Outline> {
    let items = outline(&syntax::parse_kernel(MAIN, text).file);
    items.into_iter().filter(|item| item.kind.is_some())
}

/// The place of a symbol.
pub(crate) fn resolve(
    state: &mut State,
    mut symbol: WorkspaceSymbol,
) -> Result<WorkspaceSymbol, Refused> {
    let uri = match &symbol.location {
        OneOf::Left(_) => return Ok(symbol),
        OneOf::Right(location) => location.uri.clone(),
    };
    let text = text(state, &path_of(&uri));
    let own = |item: &Outline| item.name == symbol.name && kind(item.kind) == symbol.kind;
    let item = named(&text).find(own);
    let item = item.ok_or_else(|| Refused::modified("the file has changed since"))?;
    let range = Lines::new(&text, state.encoding).range(&text, item.span.range());
    symbol.location = OneOf::Left(Location { uri, range });
    Ok(symbol)
}

/// Kernel files below a folder, in the order of names; links and hidden folders are left out.
fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let built = path.file_name().is_some_and(|name| name == "target");
        if files.len() >= MOST_FILES || hidden || path.is_symlink() {
            continue;
        }
        if path.is_dir() && !built {
            below(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "vn") {
            files.push(path);
        }
    }
}
