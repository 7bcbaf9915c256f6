//! From a name to its declaration, to its other places, to another name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use frontend::ide::{Def, DefId, DefKind, Use};
use lsp_types::{
    DocumentHighlight, DocumentHighlightKind, DocumentHighlightParams, DocumentLink,
    DocumentLinkParams, GotoDefinitionParams, GotoDefinitionResponse, Location,
    PrepareRenameResponse, ReferenceParams, RenameParams, TextDocumentPositionParams, TextEdit,
    WorkspaceEdit,
};

use syntax::ast::{Item, ItemKind, Schedule};

use super::diagnostics::location;
use super::words::{self, Place};
use crate::document::{Analysis, Document, Form, MAIN};
use crate::server::dispatch::Refused;
use crate::server::state::State;

/// The name under a cursor in a kernel text.
pub(crate) fn name_at<'a>(
    state: &'a State,
    params: &TextDocumentPositionParams,
) -> Option<(&'a Document, &'a Analysis, Use)> {
    let document = state.document(&params.text_document.uri)?;
    if document.form != Form::Kernel {
        return None;
    }
    let analysis = state.analysis(document);
    let found = analysis.names().at(document.byte(params.position))?;
    Some((document, analysis, found))
}

pub(crate) fn definition(
    state: &mut State,
    params: GotoDefinitionParams,
) -> Result<Option<GotoDefinitionResponse>, Refused> {
    let Some((document, analysis, found)) = name_at(state, &params.text_document_position_params)
    else {
        let words = words_at(state, &params.text_document_position_params);
        let first = words.and_then(|(document, places)| {
            let place = places.iter().find(|place| place.declares)?;
            Some(Location {
                uri: document.uri.clone(),
                range: bytes_range(document, place),
            })
        });
        return Ok(first.map(GotoDefinitionResponse::Scalar));
    };
    let span = analysis.names().def(found.def).span;
    let place = location(state, document, Some(&analysis.sources), span);
    Ok(place.map(GotoDefinitionResponse::Scalar))
}

/// What the type of a name is made of: its element type where that is a parameter, and its sizes; of a record its monoid.
pub(crate) fn type_definition(
    state: &mut State,
    params: GotoDefinitionParams,
) -> Result<Option<GotoDefinitionResponse>, Refused> {
    let Some((document, analysis, found)) = name_at(state, &params.text_document_position_params)
    else {
        return Ok(None);
    };
    let names = analysis.names();
    let def = names.def(found.def);
    let mut ids = Vec::new();
    if let Some(fact) = super::hover::known(analysis, def.span) {
        let part = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let words = fact.dims.iter().flat_map(|dim| dim.split(part));
        let words = std::iter::once(fact.elem.as_str()).chain(words);
        for word in words {
            ids.extend(names.visible(def.span.start).into_iter().find(|id| {
                let of = names.def(*id);
                let kind = matches!(of.kind, DefKind::Size | DefKind::Type | DefKind::Constant);
                kind && of.name == word
            }));
        }
    } else if def.kind == DefKind::Local {
        ids.extend(monoid_of(analysis, def));
    }
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
    let places = ids.into_iter().filter_map(|id| {
        let span = names.def(id).span;
        location(state, document, Some(&analysis.sources), span)
    });
    Ok(Some(GotoDefinitionResponse::Array(places.collect())))
}

/// The monoid that the definition of a record names.
fn monoid_of(analysis: &Analysis, def: &Def) -> Option<DefId> {
    let names = analysis.names();
    let whole = def.whole;
    let inside = |found: &&Use| {
        whole.start <= found.span.start
            && found.span.end <= whole.end
            && names.def(found.def).kind == DefKind::Monoid
    };
    names.uses.iter().find(inside).map(|found| found.def)
}

/// Of a kernel its schedules, of anything else nothing: they are what makes a program of it.
pub(crate) fn implementation(
    state: &mut State,
    params: GotoDefinitionParams,
) -> Result<Option<GotoDefinitionResponse>, Refused> {
    let Some((document, analysis, found)) = name_at(state, &params.text_document_position_params)
    else {
        return Ok(None);
    };
    let name = &analysis.names().def(found.def).name;
    let schedules = analysis
        .program
        .main
        .items
        .iter()
        .filter_map(Item::schedule);
    let own = schedules.filter(|schedule| schedule.kernel.text == *name);
    let place = |schedule: &Schedule| Location {
        uri: document.uri.clone(),
        range: document.range(schedule.kernel.span),
    };
    let places = own.map(place).collect();
    Ok(Some(GotoDefinitionResponse::Array(places)))
}

/// The files that `use` names.
pub(crate) fn links(
    state: &mut State,
    params: DocumentLinkParams,
) -> Result<Option<Vec<DocumentLink>>, Refused> {
    let document = state.document(&params.text_document.uri);
    let Some(document) = document.filter(|document| document.form == Form::Kernel) else {
        return Ok(None);
    };
    let analysis = state.analysis(document);
    let link = |item: &Item| {
        let ItemKind::Use(path) = &item.kind else {
            return None;
        };
        let (first, last) = (path.first()?, path.last()?);
        let found = analysis.names().at(last.span.start)?;
        let span = analysis.names().def(found.def).span;
        let target = location(state, document, Some(&analysis.sources), span)?;
        Some(DocumentLink {
            range: document.range(first.span.to(last.span)),
            target: Some(target.uri),
            tooltip: None,
            data: None,
        })
    };
    let items = analysis.program.main.items.iter();
    Ok(Some(items.filter_map(link).collect()))
}

/// The places of a name of tile form or of a label.
fn words_at<'a>(
    state: &'a State,
    params: &TextDocumentPositionParams,
) -> Option<(&'a Document, Vec<Place>)> {
    let document = state.document(&params.text_document.uri)?;
    let places = words::places(document, document.byte(params.position) as usize);
    (!places.is_empty()).then_some((document, places))
}

fn bytes_range(document: &Document, place: &Place) -> lsp_types::Range {
    document.lines.range(&document.text, place.bytes.clone())
}

/// The word around a byte.
pub(crate) fn word_at(text: &str, byte: usize) -> Option<std::ops::Range<usize>> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let before = text.get(..byte)?;
    let start = before.rfind(|c| !part(c)).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let rest = &text[start..];
    let end = start + rest.find(|c| !part(c)).unwrap_or(rest.len());
    (start < end).then_some(start..end)
}

pub(crate) fn references(
    state: &mut State,
    params: ReferenceParams,
) -> Result<Option<Vec<Location>>, Refused> {
    let declared = params.context.include_declaration;
    let Some((document, analysis, found)) = name_at(state, &params.text_document_position) else {
        let words = words_at(state, &params.text_document_position);
        return Ok(words.map(|(document, places)| {
            let places = places.iter().filter(|place| declared || !place.declares);
            let location = |place| Location {
                uri: document.uri.clone(),
                range: bytes_range(document, place),
            };
            places.map(location).collect()
        }));
    };
    let def = analysis.names().def(found.def);
    let places = places(analysis, found.def);
    let places = places.filter(|place| declared || place.span != def.span);
    let locations = places.map(|place| Location {
        uri: document.uri.clone(),
        range: document.range(place.span),
    });
    Ok(Some(locations.collect()))
}

/// Every place of what must be renamed together.
fn places(analysis: &Analysis, def: DefId) -> impl Iterator<Item = Use> + '_ {
    let together = analysis.names().together(def);
    let all = analysis.names().uses.iter().copied();
    all.filter(move |place| together.contains(&place.def))
}

pub(crate) fn highlights(
    state: &mut State,
    params: DocumentHighlightParams,
) -> Result<Option<Vec<DocumentHighlight>>, Refused> {
    let kind = |defines: bool| match defines {
        true => DocumentHighlightKind::WRITE,
        false => DocumentHighlightKind::READ,
    };
    let Some((document, analysis, found)) = name_at(state, &params.text_document_position_params)
    else {
        let words = words_at(state, &params.text_document_position_params);
        return Ok(words.map(|(document, places)| {
            let highlight = |place: &Place| DocumentHighlight {
                range: bytes_range(document, place),
                kind: Some(kind(place.declares)),
            };
            places.iter().map(highlight).collect()
        }));
    };
    let highlight = |place: Use| DocumentHighlight {
        range: document.range(place.span),
        kind: Some(kind(place.defines)),
    };
    Ok(Some(
        analysis.names().places(found.def).map(highlight).collect(),
    ))
}

pub(crate) fn prepare_rename(
    state: &mut State,
    params: TextDocumentPositionParams,
) -> Result<Option<PrepareRenameResponse>, Refused> {
    let Some((document, analysis, found)) = name_at(state, &params) else {
        return Ok(words_at(state, &params).and_then(|(document, places)| {
            let byte = document.byte(params.position) as usize;
            let here = (places.iter()).find(|p| p.bytes.start <= byte && byte <= p.bytes.end)?;
            Some(PrepareRenameResponse::RangeWithPlaceholder {
                range: bytes_range(document, here),
                placeholder: document.text[here.bytes.clone()].to_owned(),
            })
        }));
    };
    let def = analysis.names().def(found.def);
    if def.span.file != MAIN {
        return Err(Refused::new(format!(
            "`{}` is declared in another file",
            def.name
        )));
    }
    Ok(Some(PrepareRenameResponse::RangeWithPlaceholder {
        range: document.range(found.span),
        placeholder: def.name.clone(),
    }))
}

pub(crate) fn rename(
    state: &mut State,
    params: RenameParams,
) -> Result<Option<WorkspaceEdit>, Refused> {
    let new = params.new_name;
    let Some((document, analysis, found)) = name_at(state, &params.text_document_position) else {
        return rename_word(state, &params.text_document_position, &new);
    };
    let def = analysis.names().def(found.def);
    if def.span.file != MAIN {
        return Err(Refused::new(format!(
            "`{}` is declared in another file",
            def.name
        )));
    }
    if !syntax::classes::is_name(&new) {
        return Err(Refused::new(format!("`{new}` is no name")));
    }
    if let Some(taken) = conflict(analysis, found.def, &new) {
        return Err(Refused::new(taken));
    }
    let edit = |place: Use| TextEdit {
        range: document.range(place.span),
        new_text: new.clone(),
    };
    let edits: Vec<TextEdit> = places(analysis, found.def).map(edit).collect();
    Ok(Some(state.edit(document, edits)))
}

/// Renames in tile form and assembly, where a word has one meaning in the whole text.
fn rename_word(
    state: &State,
    place: &TextDocumentPositionParams,
    new: &str,
) -> Result<Option<WorkspaceEdit>, Refused> {
    let Some((document, places)) = words_at(state, place) else {
        return Ok(None);
    };
    if !syntax::classes::is_name(new) {
        return Err(Refused::new(format!("`{new}` is no name")));
    }
    if words::has_word(&document.text, new) {
        return Err(Refused::new(format!("`{new}` stands in the text already")));
    }
    let edit = |place: &Place| TextEdit {
        range: bytes_range(document, place),
        new_text: new.to_owned(),
    };
    let edits: Vec<TextEdit> = places.iter().map(edit).collect();
    Ok(Some(state.edit(document, edits)))
}

/// What already has the new name where the old one stands.
fn conflict(analysis: &Analysis, id: DefId, new: &str) -> Option<String> {
    let def = analysis.names().def(id);
    if def.name == new {
        return None;
    }
    let places = places(analysis, id);
    for place in places {
        let visible = analysis.names().visible(place.span.start);
        let taken = visible
            .into_iter()
            .map(|other| analysis.names().def(other))
            .find(|other| other.name == new);
        if let Some(taken) = taken
            && (taken.item.is_some() || def.item.is_none())
        {
            let word = super::hover::word(taken.kind);
            return Some(format!(
                "`{new}` is taken there: another {word} has the name"
            ));
        }
    }
    None
}

/// The file of a source: a neighbour is where it is; a text of the library is laid down where editors can open it.
pub(crate) fn path_of_source(
    state: &State,
    document: &Document,
    name: &str,
    text: &str,
) -> Option<PathBuf> {
    let Some(inside) = name.strip_prefix("stdlib/") else {
        let folder = document.path.parent()?;
        return Some(folder.join(name));
    };
    let path = state.toolchain.library_folder()?.join(inside);
    laid_down(&path, text)?;
    Some(path)
}

/// Writes a text of ours where editors can open it, unless it is there.
pub(crate) fn laid_down(path: &Path, text: &str) -> Option<()> {
    let same = fs::read_to_string(path).is_ok_and(|there| there == text);
    if !same {
        fs::create_dir_all(path.parent()?).ok()?;
        fs::write(path, text).ok()?;
    }
    Some(())
}
