//! Which function answers which method.

use lsp_server::{ErrorCode, ExtractError, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeConfiguration, DidChangeTextDocument, DidChangeWatchedFiles,
    DidChangeWorkspaceFolders, DidCloseTextDocument, DidCreateFiles, DidDeleteFiles,
    DidOpenTextDocument, DidRenameFiles, DidSaveTextDocument, Notification as _,
    WorkDoneProgressCancel,
};
use lsp_types::request::{
    CallHierarchyIncomingCalls, CallHierarchyOutgoingCalls, CallHierarchyPrepare,
    CodeActionRequest, CodeActionResolveRequest, CodeLensRequest, CodeLensResolve, Completion,
    DocumentDiagnosticRequest, DocumentHighlightRequest, DocumentLinkRequest,
    DocumentSymbolRequest, ExecuteCommand, FoldingRangeRequest, Formatting, GotoDeclaration,
    GotoDefinition, GotoImplementation, GotoTypeDefinition, HoverRequest, InlayHintRequest,
    InlayHintResolveRequest, PrepareRenameRequest, RangeFormatting, References, Rename,
    Request as RequestKind, ResolveCompletionItem, SelectionRangeRequest,
    SemanticTokensFullDeltaRequest, SemanticTokensFullRequest, SemanticTokensRangeRequest,
    SignatureHelpRequest, WillRenameFiles, WorkspaceDiagnosticRequest, WorkspaceSymbolRequest,
    WorkspaceSymbolResolve,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::state::{State, path_of};
use crate::document::{Document, Form};
use crate::features::{
    actions, calls, commands, complete, contents, diagnostics, files, hints, hover, layout,
    navigate, signature, symbols, tokens,
};

/// Why a request has no answer.
pub(crate) struct Refused {
    code: ErrorCode,
    message: String,
}

impl Refused {
    pub(crate) fn new(message: impl Into<String>) -> Refused {
        Refused {
            code: ErrorCode::RequestFailed,
            message: message.into(),
        }
    }

    /// The question was about a text that has changed.
    pub(crate) fn modified(message: impl Into<String>) -> Refused {
        Refused {
            code: ErrorCode::ContentModified,
            message: message.into(),
        }
    }

    pub(crate) fn response(self, id: RequestId) -> Response {
        Response::new_err(id, self.code as i32, self.message)
    }
}

/// Every request has an answer, some later.
pub(crate) enum Answer {
    Now(Response),
    /// A thread works on it.
    Later,
}

/// Answers a request.
pub(crate) fn request(state: &mut State, request: Request) -> Answer {
    look(state, &request.params);
    if request.method == ExecuteCommand::METHOD {
        let id = request.id.clone();
        return match request.extract(ExecuteCommand::METHOD) {
            Ok((id, params)) => match commands::execute(state, id.clone(), params) {
                Ok(()) => Answer::Later,
                Err(refused) => Answer::Now(refused.response(id)),
            },
            Err(error) => Answer::Now(unreadable(id, error)),
        };
    }
    if request.method == contents::METHOD {
        return contents::answer(state, request);
    }
    Answer::Now(at_once(state, request))
}

/// Remembers the place that a request is about.
fn look(state: &mut State, params: &Value) {
    let uri = params.pointer("/textDocument/uri").and_then(Value::as_str);
    let position = params.get("position").cloned();
    if let (Some(uri), Some(position)) = (uri, position)
        && let Ok(position) = serde_json::from_value(position)
    {
        state.look_at(uri, position);
    }
}

fn at_once(state: &mut State, request: Request) -> Response {
    let mut router = Router {
        state,
        request: Some(request),
        response: None,
    };
    router
        .on::<HoverRequest>(hover::hover)
        .on::<Completion>(complete::completion)
        .on::<SignatureHelpRequest>(signature::help)
        .on::<GotoDefinition>(navigate::definition)
        .on::<GotoDeclaration>(navigate::definition)
        .on::<GotoImplementation>(navigate::implementation)
        .on::<DocumentLinkRequest>(navigate::links)
        .on::<ResolveCompletionItem>(complete::resolve)
        .on::<References>(navigate::references)
        .on::<DocumentHighlightRequest>(navigate::highlights)
        .on::<PrepareRenameRequest>(navigate::prepare_rename)
        .on::<Rename>(navigate::rename)
        .on::<CallHierarchyPrepare>(calls::prepare)
        .on::<CallHierarchyIncomingCalls>(calls::incoming)
        .on::<CallHierarchyOutgoingCalls>(calls::outgoing)
        .on::<DocumentSymbolRequest>(symbols::document)
        .on::<WorkspaceSymbolRequest>(symbols::workspace)
        .on::<SemanticTokensFullRequest>(tokens::full)
        .on::<SemanticTokensFullDeltaRequest>(tokens::delta)
        .on::<SemanticTokensRangeRequest>(tokens::range)
        .on::<InlayHintRequest>(hints::inlay)
        .on::<CodeLensRequest>(hints::lenses)
        .on::<CodeLensResolve>(hints::resolve_lens)
        .on::<GotoTypeDefinition>(navigate::type_definition)
        .on::<CodeActionRequest>(actions::actions)
        .on::<CodeActionResolveRequest>(actions::resolve)
        .on::<InlayHintResolveRequest>(hints::resolve)
        .on::<WorkspaceSymbolResolve>(symbols::resolve)
        .on::<WillRenameFiles>(files::will_rename)
        .on::<Formatting>(layout::format)
        .on::<RangeFormatting>(layout::format_range)
        .on::<FoldingRangeRequest>(layout::folding)
        .on::<SelectionRangeRequest>(layout::selection)
        .on::<DocumentDiagnosticRequest>(diagnostics::pull)
        .on::<WorkspaceDiagnosticRequest>(diagnostics::pull_all)
        .finish()
}

/// The parameters are not those of the method.
fn unreadable(id: RequestId, error: ExtractError<Request>) -> Response {
    let message = match error {
        ExtractError::MethodMismatch(request) => request.method,
        ExtractError::JsonError { method, error } => format!("{method}: {error}"),
    };
    Response::new_err(id, ErrorCode::InvalidParams as i32, message)
}

struct Router<'a> {
    state: &'a mut State,
    request: Option<Request>,
    response: Option<Response>,
}

impl Router<'_> {
    fn on<R>(
        &mut self,
        answer: impl FnOnce(&mut State, R::Params) -> Result<R::Result, Refused>,
    ) -> &mut Self
    where
        R: RequestKind,
        R::Params: DeserializeOwned,
        R::Result: Serialize,
    {
        let Some(request) = self.request.take() else {
            return self;
        };
        let id = request.id.clone();
        match request.extract::<R::Params>(R::METHOD) {
            Ok((id, params)) => {
                self.response = Some(match answer(self.state, params) {
                    Ok(result) => Response::new_ok(id, result),
                    Err(refused) => refused.response(id),
                });
            }
            Err(ExtractError::MethodMismatch(request)) => self.request = Some(request),
            Err(error @ ExtractError::JsonError { .. }) => {
                self.response = Some(unreadable(id, error));
            }
        }
        self
    }

    fn finish(&mut self) -> Response {
        if let Some(request) = self.request.take() {
            let message = format!("`{}` is not served", request.method);
            return Response::new_err(request.id, ErrorCode::MethodNotFound as i32, message);
        }
        self.response.take().unwrap_or_else(|| {
            Response::new_err(
                0.into(),
                ErrorCode::InternalError as i32,
                "no answer".to_owned(),
            )
        })
    }
}

/// Takes a notification; what cannot be read is left alone, as the protocol demands.
pub(crate) fn notification(state: &mut State, note: Notification) {
    match note.method.as_str() {
        DidOpenTextDocument::METHOD => {
            if let Some(params) = params::<DidOpenTextDocument>(note) {
                let item = params.text_document;
                let path = path_of(&item.uri);
                let form = Form::of(&item.language_id, &path);
                let document = Document::new(
                    item.uri,
                    path,
                    form,
                    item.version,
                    item.text,
                    state.encoding,
                );
                state.open(document);
            }
        }
        DidChangeTextDocument::METHOD => {
            if let Some(params) = params::<DidChangeTextDocument>(note) {
                let id = params.text_document;
                if let Some(document) = state.documents.get_mut(id.uri.as_str()) {
                    let behind = document.change(id.version, params.content_changes);
                    state.edited(&id.uri, behind);
                }
            }
        }
        DidCloseTextDocument::METHOD => {
            if let Some(params) = params::<DidCloseTextDocument>(note) {
                state.close(&params.text_document.uri);
            }
        }
        DidSaveTextDocument::METHOD => {
            if let Some(params) = params::<DidSaveTextDocument>(note) {
                state.changed(&path_of(&params.text_document.uri));
                state.renew(params.text_document.uri.as_str());
            }
        }
        DidChangeWatchedFiles::METHOD => {
            if let Some(params) = params::<DidChangeWatchedFiles>(note) {
                for change in params.changes {
                    state.changed(&path_of(&change.uri));
                }
            }
        }
        DidCreateFiles::METHOD => {
            if let Some(params) = params::<DidCreateFiles>(note) {
                let uris = params.files.iter().map(|file| &file.uri);
                files::changed(state, uris);
            }
        }
        DidDeleteFiles::METHOD => {
            if let Some(params) = params::<DidDeleteFiles>(note) {
                let uris = params.files.iter().map(|file| &file.uri);
                files::changed(state, uris);
            }
        }
        DidRenameFiles::METHOD => {
            if let Some(params) = params::<DidRenameFiles>(note) {
                let both =
                    |file: &lsp_types::FileRename| [file.old_uri.clone(), file.new_uri.clone()];
                let uris: Vec<String> = params.files.iter().flat_map(both).collect();
                files::changed(state, uris.iter());
            }
        }
        DidChangeConfiguration::METHOD => {
            if let Some(params) = params::<DidChangeConfiguration>(note) {
                state.reconfigure(&params.settings);
            }
        }
        DidChangeWorkspaceFolders::METHOD => {
            if let Some(params) = params::<DidChangeWorkspaceFolders>(note) {
                let gone: Vec<_> = params
                    .event
                    .removed
                    .iter()
                    .map(|f| path_of(&f.uri))
                    .collect();
                state.roots.retain(|root| !gone.contains(root));
                let new = params.event.added.iter().map(|f| path_of(&f.uri));
                state.roots.extend(new);
            }
        }
        WorkDoneProgressCancel::METHOD => {
            if let Some(token) = note.params.get("token") {
                state.cancel_progress(token);
            }
        }
        _ => {}
    }
}

fn params<N: lsp_types::notification::Notification>(note: Notification) -> Option<N::Params>
where
    N::Params: DeserializeOwned,
{
    note.extract(N::METHOD).ok()
}
