//! What the server knows between messages: documents, the client's abilities and wishes, costs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsp_server::Notification;
use lsp_types::notification::{Notification as _, PublishDiagnostics};
use lsp_types::{InitializeParams, PublishDiagnosticsParams, Uri};
use serde_json::Value;

use super::costs::Costs;
use crate::document::{Analysis, Document, Form};
use crate::features::diagnostics;
use crate::position::Encoding;
use crate::{Source, Toolchain};

/// The state of a session.
pub(crate) struct State {
    pub(crate) documents: BTreeMap<String, Document>,
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) encoding: Encoding,
    pub(crate) toolchain: Arc<dyn Toolchain>,
    pub(crate) costs: Costs,
    /// The chip of the client's configuration.
    pub(crate) target: Option<String>,
    /// Whether the client asks for diagnostics by itself.
    pulls: bool,
    /// Requests by which the client can be told to ask again.
    refresh: BTreeSet<&'static str>,
    /// Documents whose diagnostics the client must hear of.
    stale: BTreeSet<String>,
    /// Documents whose diagnostics the client shows.
    shown: BTreeSet<String>,
}

impl State {
    pub(crate) fn new(
        params: &InitializeParams,
        encoding: Encoding,
        toolchain: Arc<dyn Toolchain>,
        costs: Costs,
    ) -> State {
        let folders = params.workspace_folders.iter().flatten();
        let documents = params.capabilities.text_document.as_ref();
        let workspace = params.capabilities.workspace.as_ref();
        let mut refresh = BTreeSet::new();
        if workspace
            .and_then(|w| w.code_lens.as_ref())
            .and_then(|c| c.refresh_support)
            == Some(true)
        {
            refresh.insert("workspace/codeLens/refresh");
        }
        if workspace
            .and_then(|w| w.inlay_hint.as_ref())
            .and_then(|c| c.refresh_support)
            == Some(true)
        {
            refresh.insert("workspace/inlayHint/refresh");
        }
        let mut state = State {
            documents: BTreeMap::new(),
            roots: folders.map(|folder| path_of(&folder.uri)).collect(),
            encoding,
            toolchain,
            costs,
            target: None,
            pulls: documents.is_some_and(|documents| documents.diagnostic.is_some()),
            refresh,
            stale: BTreeSet::new(),
            shown: BTreeSet::new(),
        };
        state.configure(params.initialization_options.as_ref());
        state
    }

    /// Takes the client's configuration: `{"target": "910b2"}`, alone or below `vinci`.
    pub(crate) fn configure(&mut self, options: Option<&Value>) {
        let options = options.map(|options| options.get("vinci").unwrap_or(options));
        let target = options.and_then(|options| options.get("target"));
        self.target = target
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        self.costs.forget_all();
    }

    pub(crate) fn open(&mut self, document: Document) {
        self.changed(&document.path.clone());
        let key = document.uri.as_str().to_owned();
        self.stale.insert(key.clone());
        self.documents.insert(key, document);
    }

    pub(crate) fn close(&mut self, uri: &Uri) {
        let key = uri.as_str();
        if let Some(document) = self.documents.remove(key) {
            self.changed(&document.path);
        }
        self.costs.forget(key);
        if self.shown.contains(key) {
            self.stale.insert(key.to_owned());
        }
    }

    /// Texts that use the one at this path are to be read again.
    pub(crate) fn changed(&mut self, path: &Path) {
        for (key, document) in &mut self.documents {
            if document.form == Form::Kernel
                && document.path != path
                && document.text.contains("use ")
            {
                document.forget();
                self.stale.insert(key.clone());
            }
        }
    }

    /// A document has a new text.
    pub(crate) fn edited(&mut self, uri: &Uri) {
        let key = uri.as_str().to_owned();
        if let Some(document) = self.documents.get(&key) {
            let path = document.path.clone();
            self.changed(&path);
        }
        self.stale.insert(key);
    }

    pub(crate) fn document(&self, uri: &Uri) -> Option<&Document> {
        self.documents.get(uri.as_str())
    }

    /// What is known of a kernel text; modules are taken from open documents, then from the disk.
    pub(crate) fn analysis<'a>(&'a self, document: &'a Document) -> &'a Analysis {
        let folder = document.path.parent().unwrap_or(Path::new(""));
        document.analysis(&|module| {
            let path = folder.join(format!("{module}.vn"));
            let open = self.documents.values().find(|open| open.path == path);
            let text = match open {
                Some(open) => open.text.clone(),
                None => std::fs::read_to_string(&path).ok()?,
            };
            Some((path.to_string_lossy().into_owned(), text))
        })
    }

    pub(crate) fn source<'a>(&'a self, document: &'a Document) -> Source<'a> {
        Source {
            path: &document.path,
            text: &document.text,
            target: self.target.as_deref(),
        }
    }

    /// Diagnostics of documents that changed, for clients that do not ask; empty ones for documents that are closed.
    pub(crate) fn outgoing(&mut self) -> Vec<Notification> {
        let stale = std::mem::take(&mut self.stale);
        if self.pulls {
            return Vec::new();
        }
        let mut notes = Vec::new();
        for key in stale {
            let (uri, found, version) = match self.documents.get(&key) {
                Some(document) => (
                    document.uri.clone(),
                    diagnostics::of(self, document),
                    Some(document.version),
                ),
                None => match key.parse() {
                    Ok(uri) => (uri, Vec::new(), None),
                    Err(_) => continue,
                },
            };
            if version.is_some() {
                self.shown.insert(key);
            } else {
                self.shown.remove(&key);
            }
            let params = PublishDiagnosticsParams {
                uri,
                diagnostics: found,
                version,
            };
            notes.push(Notification::new(
                PublishDiagnostics::METHOD.to_owned(),
                params,
            ));
        }
        notes
    }

    /// What the client can be asked to ask again.
    pub(crate) fn refreshes(&self) -> BTreeSet<&'static str> {
        self.refresh.clone()
    }
}

/// The path of a `file:` address; of any other what stands in it.
pub(crate) fn path_of(uri: &Uri) -> PathBuf {
    let parsed = url::Url::parse(uri.as_str()).ok();
    let path = parsed.and_then(|url| url.to_file_path().ok());
    path.unwrap_or_else(|| PathBuf::from(uri.path().as_str()))
}

/// The address of a path.
pub(crate) fn uri_of(path: &Path) -> Option<Uri> {
    url::Url::from_file_path(path).ok()?.as_str().parse().ok()
}
