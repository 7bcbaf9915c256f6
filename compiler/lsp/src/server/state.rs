//! What the server knows between messages: documents, the client's abilities and wishes, costs, what is left to say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsp_server::{Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{Notification as _, PublishDiagnostics};
use lsp_types::{
    DocumentChanges, InitializeParams, MessageType, OneOf, OptionalVersionedTextDocumentIdentifier,
    PublishDiagnosticsParams, SemanticToken, TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};
use serde_json::{Value, json};

use super::background::{self, Background};
use super::costs::{self, Costs};
use super::progress;
use crate::document::{Analysis, Document, Form, Slice};
use crate::features::{commands, contents, diagnostics};
use crate::position::Encoding;
use crate::{LineCost, Source, Toolchain};

/// What the client said that it can do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abilities {
    /// It asks for diagnostics by itself.
    pub(crate) pulls: bool,
    /// It shows the other places that a diagnostic names.
    pub(crate) related: bool,
    /// It opens the page of a diagnostic's code.
    pub(crate) code_pages: bool,
    /// It draws what is of no use, or should not be used, in another way.
    pub(crate) tags: bool,
    /// It takes edits with the versions that they are for.
    versioned: bool,
    /// It shows progress that the server begins.
    progress: bool,
    /// It can be asked for its configuration.
    configuration: bool,
    /// It can be asked to watch files.
    watch: bool,
    /// It asks for the edit of an action when the action is chosen.
    pub(crate) resolves_actions: bool,
    /// It asks for the place of a symbol when the symbol is chosen.
    pub(crate) resolves_symbols: bool,
    /// It asks for the tooltip of a hint when that is to be seen.
    pub(crate) resolves_hints: bool,
    /// It can be asked to edit texts.
    pub(crate) applies: bool,
    /// It can be asked to show a text.
    shows: bool,
    /// It asks for texts that are no files.
    pub(crate) contents: bool,
    /// It draws Markdown in what is shown under the cursor.
    pub(crate) markdown: bool,
    /// It keeps what comes with a diagnostic.
    pub(crate) data: bool,
    /// Requests by which it can be told to ask again.
    refresh: BTreeSet<&'static str>,
}

impl Abilities {
    fn of(capabilities: &Value) -> Abilities {
        let can = |path: &str| capabilities.pointer(path).and_then(Value::as_bool) == Some(true);
        let lists = |path: &str, word: &str| {
            let list = capabilities.pointer(path).and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|one| one == word))
        };
        let properties = |of: &str| format!("{of}/resolveSupport/properties");
        let refresh = [
            ("/workspace/codeLens/refreshSupport", LENSES),
            ("/workspace/inlayHint/refreshSupport", HINTS),
            ("/workspace/diagnostics/refreshSupport", DIAGNOSTICS),
        ];
        Abilities {
            pulls: capabilities
                .pointer("/textDocument/diagnostic")
                .is_some_and(|d| !d.is_null()),
            related: can("/textDocument/publishDiagnostics/relatedInformation"),
            code_pages: can("/textDocument/publishDiagnostics/codeDescriptionSupport"),
            tags: capabilities
                .pointer("/textDocument/publishDiagnostics/tagSupport")
                .is_some_and(|tags| *tags != Value::Null && *tags != Value::Bool(false)),
            versioned: can("/workspace/workspaceEdit/documentChanges"),
            progress: can("/window/workDoneProgress"),
            configuration: can("/workspace/configuration"),
            watch: can("/workspace/didChangeWatchedFiles/dynamicRegistration"),
            resolves_actions: lists(&properties("/textDocument/codeAction"), "edit"),
            resolves_symbols: lists(&properties("/workspace/symbol"), "location.range"),
            resolves_hints: lists(&properties("/textDocument/inlayHint"), "tooltip"),
            applies: can("/workspace/applyEdit"),
            shows: can("/window/showDocument/support"),
            contents: capabilities
                .pointer("/workspace/textDocumentContent")
                .is_some_and(Value::is_object),
            markdown: lists("/textDocument/hover/contentFormat", "markdown"),
            data: can("/textDocument/publishDiagnostics/dataSupport"),
            refresh: refresh
                .into_iter()
                .filter(|(path, _)| can(path))
                .map(|(_, method)| method)
                .collect(),
        }
    }
}

const LENSES: &str = "workspace/codeLens/refresh";
const HINTS: &str = "workspace/inlayHint/refresh";
const DIAGNOSTICS: &str = "workspace/diagnostic/refresh";

/// Costs that come in before the client is told again; the first one and the last one are always told.
const COSTS_A_REFRESH: usize = 16;

/// The state of a session.
pub(crate) struct State {
    pub(crate) documents: BTreeMap<String, Document>,
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) encoding: Encoding,
    pub(crate) abilities: Abilities,
    pub(crate) toolchain: Arc<dyn Toolchain>,
    pub(crate) costs: Costs,
    pub(crate) background: Background,
    /// The tokens that a client was told last of a document, with their name.
    pub(crate) tokens: BTreeMap<String, (String, Vec<SemanticToken>)>,
    /// Documents by the numbers that their lenses have.
    pub(crate) lens_documents: Vec<String>,
    /// Addresses of texts that are no files, which the client has asked for.
    pub(crate) virtual_texts: BTreeSet<String>,
    /// The client does something with the answers of commands by itself.
    client_shows: bool,
    /// What is to be sent.
    pub(crate) outbox: Vec<Message>,
    /// The chip of the client's configuration.
    target: Option<String>,
    /// Sizes that cost hints assume: `M=128`.
    sizes: Vec<String>,
    /// Where the client last asked or wrote something: a document and a byte.
    cursor: Option<(String, usize)>,
    /// Documents whose diagnostics the client must hear of.
    stale: BTreeSet<String>,
    /// Documents whose diagnostics the client shows.
    shown: BTreeSet<String>,
    /// Other documents changed what is wrong with these.
    elsewhere: bool,
    /// Requests of ours, by what they are about.
    asked: BTreeMap<RequestId, Asked>,
    next_request: i32,
    /// The progress of cost hints that is shown: its token, and how many kernels there were.
    timing: Option<(Value, usize)>,
    /// How many costs came since the last refresh.
    unsaid: usize,
}

/// A request of the server.
pub(crate) enum Asked {
    Configuration,
    /// Whether a schedule goes to the place of another.
    Replace {
        uri: String,
        kernel: String,
        schedule: String,
    },
    Other,
}

impl State {
    pub(crate) fn new(toolchain: Arc<dyn Toolchain>) -> State {
        State {
            documents: BTreeMap::new(),
            roots: Vec::new(),
            encoding: Encoding::default(),
            abilities: Abilities::default(),
            costs: Costs::start(Arc::clone(&toolchain)),
            background: Background::new(),
            tokens: BTreeMap::new(),
            lens_documents: Vec::new(),
            virtual_texts: BTreeSet::new(),
            client_shows: false,
            outbox: Vec::new(),
            toolchain,
            target: None,
            sizes: Vec::new(),
            cursor: None,
            stale: BTreeSet::new(),
            shown: BTreeSet::new(),
            elsewhere: false,
            asked: BTreeMap::new(),
            next_request: 0,
            timing: None,
            unsaid: 0,
        }
    }

    /// Takes what the client says of itself.
    pub(crate) fn initialize(&mut self, params: &InitializeParams, capabilities: &Value) {
        let general = params.capabilities.general.as_ref();
        let offered = general.and_then(|general| general.position_encodings.as_deref());
        self.encoding = Encoding::negotiate(offered);
        self.abilities = Abilities::of(capabilities);
        let folders = params.workspace_folders.iter().flatten();
        self.roots = folders.map(|folder| path_of(&folder.uri)).collect();
        let options = params.initialization_options.as_ref();
        let shows = options.and_then(|options| options.get("showsAnswers"));
        self.client_shows = shows.and_then(Value::as_bool) == Some(true);
        self.configure(options);
    }

    /// The client is ready to be asked.
    pub(crate) fn begin(&mut self) {
        if self.abilities.watch {
            let watcher = json!({ "globPattern": "**/*.vn" });
            let options = json!({ "watchers": [watcher] });
            let registration = json!({
                "id": "vinci-files",
                "method": "workspace/didChangeWatchedFiles",
                "registerOptions": options,
            });
            let params = json!({ "registrations": [registration] });
            self.ask("client/registerCapability", params, Asked::Other);
        }
        self.ask_configuration();
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value, what: Asked) {
        self.next_request += 1;
        let id = RequestId::from(format!("vinci-{}", self.next_request));
        self.asked.insert(id.clone(), what);
        let request = Request::new(id, method.to_owned(), params);
        self.outbox.push(Message::Request(request));
    }

    fn ask_configuration(&mut self) {
        if self.abilities.configuration {
            let params = json!({ "items": [{ "section": "vinci" }] });
            self.ask("workspace/configuration", params, Asked::Configuration);
        }
    }

    /// Takes the client's answer to a request of ours. A refusal changes nothing.
    pub(crate) fn answered(&mut self, response: Response) {
        let asked = self.asked.remove(&response.id);
        let Ok(value) = response.response_result else {
            return;
        };
        match asked {
            Some(Asked::Configuration) => {
                if let Some(settings) = value.get(0).filter(|settings| settings.is_object()) {
                    self.configure(Some(settings));
                }
            }
            Some(Asked::Replace {
                uri,
                kernel,
                schedule,
            }) => commands::chosen(self, &value, &uri, &kernel, &schedule),
            Some(Asked::Other) | None => {}
        }
    }

    /// The client's configuration has changed; some clients say to what, others want to be asked.
    pub(crate) fn reconfigure(&mut self, settings: &Value) {
        if settings.is_object() {
            self.configure(Some(settings));
        } else {
            self.ask_configuration();
        }
    }

    /// Takes a configuration: `{"target": "910b2", "sizes": {"M": 128}}`, alone or below `vinci`.
    fn configure(&mut self, options: Option<&Value>) {
        let options = options.map(|options| options.get("vinci").unwrap_or(options));
        let target = options.and_then(|options| options.get("target"));
        let target = target
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        let sizes = options.and_then(|options| options.get("sizes"));
        let sizes = sizes.and_then(Value::as_object).into_iter().flatten();
        let sizes: Vec<String> = sizes
            .map(|(name, size)| match size {
                Value::String(word) => format!("{name}={word}"),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => format!("{name}={size}"),
            })
            .collect();
        if (&target, &sizes) != (&self.target, &self.sizes) {
            (self.target, self.sizes) = (target, sizes);
            self.costs.forget_all();
            self.refresh(&[LENSES, HINTS]);
        }
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
        self.tokens.remove(key);
        if self.shown.contains(key) {
            self.stale.insert(key.to_owned());
        }
    }

    /// Texts that use the one at this path are to be read again.
    pub(crate) fn changed(&mut self, path: &Path) {
        let mut users = Vec::new();
        for (key, document) in &mut self.documents {
            if document.form == Form::Kernel
                && document.path != path
                && document.text.contains("use ")
            {
                document.forget();
                users.push(key.clone());
            }
        }
        self.elsewhere |= !users.is_empty();
        for key in users {
            self.costs.forget(&key);
            self.stale.insert(key);
        }
    }

    /// A document has a new text; the client wrote before this byte.
    pub(crate) fn edited(&mut self, uri: &Uri, behind: Option<usize>) {
        let key = uri.as_str().to_owned();
        if let Some(document) = self.documents.get(&key) {
            let path = document.path.clone();
            self.changed(&path);
        }
        if let Some(byte) = behind {
            self.cursor = Some((key.clone(), byte));
        }
        self.stale.insert(key);
    }

    /// The levels of a document that the client shows are to be asked for again: it was saved.
    pub(crate) fn renew(&mut self, key: &str) {
        let all = self.virtual_texts.iter();
        let own: Vec<String> = all
            .filter(|one| contents::is_of(one, key))
            .cloned()
            .collect();
        for address in own {
            // Once: the client asks again if it still shows it.
            self.virtual_texts.remove(&address);
            self.ask(contents::REFRESH, json!({ "uri": address }), Asked::Other);
        }
    }

    /// The client asks about a place.
    pub(crate) fn look_at(&mut self, uri: &str, position: lsp_types::Position) {
        if let Some(document) = self.documents.get(uri) {
            let byte = document.byte(position) as usize;
            self.cursor = Some((uri.to_owned(), byte));
        }
    }

    /// Edits of a document as the client takes them.
    pub(crate) fn edit(&self, document: &Document, edits: Vec<TextEdit>) -> WorkspaceEdit {
        self.edits(vec![(document.uri.clone(), Some(document.version), edits)])
    }

    /// Edits of several files, with versions of those that are open.
    pub(crate) fn edits(&self, files: Vec<(Uri, Option<i32>, Vec<TextEdit>)>) -> WorkspaceEdit {
        if !self.abilities.versioned {
            let changes = files.into_iter().map(|(uri, _, edits)| (uri, edits));
            return WorkspaceEdit {
                changes: Some(changes.collect()),
                ..WorkspaceEdit::default()
            };
        }
        let edit = |(uri, version, edits): (Uri, Option<i32>, Vec<TextEdit>)| TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
            edits: edits.into_iter().map(OneOf::Left).collect(),
        };
        WorkspaceEdit {
            document_changes: Some(DocumentChanges::Edits(
                files.into_iter().map(edit).collect(),
            )),
            ..WorkspaceEdit::default()
        }
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
            sizes: &self.sizes,
        }
    }

    /// The kernels of a text, each as a text of its own.
    pub(crate) fn slices<'a>(&'a self, document: &'a Document) -> &'a [Slice] {
        match document.form {
            Form::Kernel => self.analysis(document).slices(),
            Form::Tile | Form::Assembly => document.whole().map_or(&[], std::slice::from_ref),
        }
    }

    /// What the lines around a byte cost: the kernel, the line that it begins in, and its lines if they are known.
    pub(crate) fn lines(&mut self, key: &str, byte: u32) -> Option<(u32, Slice, Vec<LineCost>)> {
        let document = self.documents.get(key)?;
        let alone = document.form != Form::Kernel;
        let slices = self.slices(document);
        let around = |slice: &&Slice| alone || slice.span.range().contains(&(byte as usize));
        let slice = slices.iter().find(around)?.clone();
        let start = if alone {
            0
        } else {
            document.range(slice.span).start.line
        };
        let source = Source {
            path: &document.path,
            text: &document.text,
            target: self.target.as_deref(),
            sizes: &self.sizes,
        };
        let lines = self.costs.lines(key, &source, &slice)?.to_vec();
        Some((start, slice, lines))
    }

    /// The number by which lenses name a document: shorter than its address, which would stand in each.
    pub(crate) fn lens_number(&mut self, key: &str) -> usize {
        let known = self.lens_documents.iter().position(|known| known == key);
        known.unwrap_or_else(|| {
            self.lens_documents.push(key.to_owned());
            self.lens_documents.len() - 1
        })
    }

    /// Whether the cursor is in a kernel.
    pub(crate) fn is_near(&self, key: &str, slice: &Slice) -> bool {
        let cursor = self.cursor.as_ref().filter(|(of, _)| of == key);
        cursor.is_some_and(|(_, byte)| slice.span.range().contains(byte))
    }

    /// Wishes to know the time of every kernel of a text, that under the cursor first.
    pub(crate) fn time(&mut self, key: &str) {
        let Some(document) = self.documents.get(key) else {
            return;
        };
        let slices = self.slices(document);
        let cursor = self.cursor.as_ref().filter(|(of, _)| of == key);
        let near = cursor.and_then(|(_, byte)| {
            slices
                .iter()
                .find(|slice| slice.span.range().contains(byte))
        });
        let source = Source {
            path: &document.path,
            text: &document.text,
            target: self.target.as_deref(),
            sizes: &self.sizes,
        };
        let (slices, near) = (slices.to_vec(), near.cloned());
        let count = self.costs.ask(key, &source, &slices, near.as_ref());
        // A kernel or two are there before a bar would be seen.
        if count > 2 && self.abilities.progress && self.timing.is_none() {
            let token = json!(format!("vinci/timing-{}", self.next_request));
            let params = json!({ "token": token });
            self.ask("window/workDoneProgress/create", params, Asked::Other);
            let begin = json!({ "kind": "begin", "title": "timing kernels", "cancellable": true, "percentage": 0 });
            self.outbox.push(progress(&token, begin));
            self.timing = Some((token, count));
        }
    }

    /// The time of a kernel is there.
    pub(crate) fn timed(&mut self, done: costs::Done) {
        let (left, near) = (done.left, done.near);
        self.costs.keep(done);
        if near {
            return self.refresh(&[LENSES, HINTS]);
        }
        if let Some((token, all)) = &mut self.timing {
            *all = (*all).max(left + 1);
            let percentage = 100 * (*all - left) / *all;
            let message = format!("{}/{all}", *all - left);
            let value = if left == 0 {
                json!({ "kind": "end" })
            } else {
                json!({ "kind": "report", "message": message, "percentage": percentage })
            };
            self.outbox.push(progress(token, value));
            if left == 0 {
                self.timing = None;
            }
        }
        if self.unsaid == 0 || left == 0 {
            self.refresh(&[LENSES, HINTS]);
        }
        self.unsaid = if left == 0 {
            0
        } else {
            (self.unsaid + 1) % COSTS_A_REFRESH
        };
    }

    /// A request that took long has its answer.
    pub(crate) fn finished(&mut self, mut done: background::Done) {
        let follow = done.follow();
        if let Some((response, token)) = self.background.finish(done) {
            self.say(response, token);
            if let Some((after, answer)) = follow {
                commands::follow(self, after, &answer);
            }
        }
    }

    /// Whether the client can be asked to show a text, and does not show answers by itself.
    pub(crate) fn shows(&self) -> bool {
        self.abilities.shows && !self.client_shows
    }

    /// Says something to the user, unless the client shows answers by itself.
    pub(crate) fn tell(&mut self, kind: MessageType, message: &str) {
        if !self.client_shows {
            let params = json!({ "type": kind, "message": message });
            let note = Notification::new("window/showMessage".to_owned(), params);
            self.outbox.push(Message::Notification(note));
        }
    }

    /// The client takes a request back that is worked on.
    pub(crate) fn cancel(&mut self, id: &RequestId) {
        if let Some((response, token)) = self.background.cancel(id) {
            self.say(response, token);
        }
    }

    fn say(&mut self, response: Response, token: Option<Value>) {
        if let Some(token) = token {
            self.outbox.push(progress(&token, json!({ "kind": "end" })));
        }
        self.outbox.push(Message::Response(response));
    }

    /// The client has ended a progress by hand.
    pub(crate) fn cancel_progress(&mut self, token: &Value) {
        if self.timing.as_ref().is_some_and(|(own, _)| own == token) {
            self.costs.stop();
            self.timing = None;
            self.outbox.push(progress(token, json!({ "kind": "end" })));
        } else if let Some(id) = self.background.by_token(token) {
            self.cancel(&id);
        }
    }

    /// Begins to show progress of a request: under the client's token, or under one of ours if the client can do that.
    pub(crate) fn begin_progress(
        &mut self,
        own: Option<Value>,
        id: &RequestId,
        title: &str,
    ) -> Option<Value> {
        let token = match own {
            Some(token) => token,
            None if self.abilities.progress => {
                let token = json!(format!("vinci/{id}"));
                self.ask(
                    "window/workDoneProgress/create",
                    json!({ "token": token }),
                    Asked::Other,
                );
                token
            }
            None => return None,
        };
        let begin = json!({ "kind": "begin", "title": title, "cancellable": true });
        self.outbox.push(progress(&token, begin));
        Some(token)
    }

    /// Leaves diagnostics of documents that changed to be sent, for clients that do not ask; empty ones for documents that
    /// are closed. Clients that ask are told to, if it was another document that changed.
    pub(crate) fn publish(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        let elsewhere = std::mem::take(&mut self.elsewhere);
        if self.abilities.pulls {
            if elsewhere {
                self.refresh(&[DIAGNOSTICS]);
            }
            return;
        }
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
            let note = Notification::new(PublishDiagnostics::METHOD.to_owned(), params);
            self.outbox.push(Message::Notification(note));
        }
    }

    /// Asks the client to ask again, where it can be asked.
    fn refresh(&mut self, methods: &[&'static str]) {
        for method in methods {
            if self.abilities.refresh.contains(method) {
                self.ask(method, Value::Null, Asked::Other);
            }
        }
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
