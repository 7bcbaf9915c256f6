//! Files that the client makes, renames and deletes: a renamed module keeps its users.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lsp_types::{RenameFilesParams, TextEdit, Uri, WorkspaceEdit};
use syntax::ast::{File, ItemKind, Name};

use crate::document::MAIN;
use crate::position::Lines;
use crate::server::dispatch::Refused;
use crate::server::state::{State, path_of, uri_of};

/// Edits of the files that `use` what is renamed. Modules are found beside their users, so only a new name in the same folder
/// is followed.
pub(crate) fn will_rename(
    state: &mut State,
    params: RenameFilesParams,
) -> Result<Option<WorkspaceEdit>, Refused> {
    let mut edits: BTreeMap<PathBuf, Vec<TextEdit>> = BTreeMap::new();
    for file in &params.files {
        let (Some(old), Some(new)) = (path(&file.old_uri), path(&file.new_uri)) else {
            continue;
        };
        let (Some(from), Some(to)) = (module(&old), module(&new)) else {
            continue;
        };
        if old.parent() != new.parent() || from == to {
            continue;
        }
        for user in beside(state, &old) {
            let found = uses(state, &user, from, to);
            if !found.is_empty() {
                edits.entry(user).or_default().extend(found);
            }
        }
    }
    let all = edits.into_iter();
    let all: Vec<(Uri, Option<i32>, Vec<TextEdit>)> = all
        .filter_map(|(path, edits)| {
            let open = state.documents.values().find(|open| open.path == path);
            let uri = open.map_or_else(|| uri_of(&path), |open| Some(open.uri.clone()))?;
            Some((uri, open.map(|open| open.version), edits))
        })
        .collect();
    Ok((!all.is_empty()).then(|| state.edits(all)))
}

fn path(uri: &str) -> Option<PathBuf> {
    Some(path_of(&uri.parse().ok()?))
}

/// The name by which a file is used; nothing if it is no file of kernels, or its name no name.
fn module(path: &Path) -> Option<&str> {
    let kernels = path.extension().is_some_and(|extension| extension == "vn");
    let name = path.file_stem()?.to_str()?;
    (kernels && syntax::classes::is_name(name)).then_some(name)
}

/// The files of kernels in the folder of a file, and what is open there.
fn beside(state: &State, file: &Path) -> Vec<PathBuf> {
    let Some(folder) = file.parent() else {
        return Vec::new();
    };
    let there = fs::read_dir(folder).into_iter().flatten().flatten();
    let there = there.map(|entry| entry.path());
    let open = state.documents.values().map(|open| open.path.clone());
    let open = open.filter(|path| path.parent() == Some(folder));
    let mut all: Vec<PathBuf> = there
        .chain(open)
        .filter(|path| module(path).is_some())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Edits of one file's `use` of a module.
fn uses(state: &State, path: &Path, from: &str, to: &str) -> Vec<TextEdit> {
    let open = state.documents.values().find(|open| open.path == path);
    let text = match open {
        Some(open) => open.text.clone(),
        None => fs::read_to_string(path).unwrap_or_default(),
    };
    let lines = Lines::new(&text, state.encoding);
    let parsed = syntax::parse_kernel(MAIN, &text);
    let edit = |name: &Name| TextEdit {
        range: lines.range(&text, name.span.range()),
        new_text: to.to_owned(),
    };
    let names = modules(&parsed.file).filter(|name| name.text == from);
    names.map(edit).collect()
}

/// The names of modules where `use` says them.
fn modules(file: &File) -> impl Iterator<Item = &Name> {
    file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Use(path) if path.len() == 2 => path.first(),
        ItemKind::Use(_)
        | ItemKind::Error { .. }
        | ItemKind::Callable(_)
        | ItemKind::Monoid(_)
        | ItemKind::Const(_)
        | ItemKind::Assert(_)
        | ItemKind::Schedule(_) => None,
    })
}

/// Files have come, gone or changed their names: what uses them is read again.
pub(crate) fn changed<'a>(state: &mut State, uris: impl Iterator<Item = &'a String>) {
    for path in uris.filter_map(|uri| path(uri)) {
        state.changed(&path);
    }
}
