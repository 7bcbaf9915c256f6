//! Texts that are no files: a level of a kernel under an address of its own, `vinci:/gemm.tile?of=file%3A%2F%2F…`. A client that
//! shows one asks for it, and is told to ask again when the source has changed.

use std::sync::Arc;

use lsp_server::{ErrorCode, Request, Response};
use serde_json::json;
use url::Url;

use super::commands::Job;
use crate::Level;
use crate::server::dispatch::{Answer, Refused};
use crate::server::state::State;

/// Since version 3.18 of the protocol.
pub(crate) const METHOD: &str = "workspace/textDocumentContent";

/// By which the client is told to ask again.
pub(crate) const REFRESH: &str = "workspace/textDocumentContent/refresh";

/// What the addresses begin with.
pub(crate) const SCHEME: &str = "vinci";

/// The address of a level of a kernel.
pub(crate) fn address(document: &str, kernel: &str, level: Level) -> String {
    let of: String = url::form_urlencoded::byte_serialize(document.as_bytes()).collect();
    format!("{SCHEME}:/{kernel}.{}?of={of}", extension(level))
}

/// The end of the name of a level's text.
pub(crate) fn extension(level: Level) -> &'static str {
    match level {
        Level::Tile => "tile",
        Level::Assembly => "vasm",
        Level::Schedule => "txt",
        Level::Decisions => "vn",
    }
}

/// What an address means: the document, the kernel, the level.
fn parsed(address: &str) -> Option<(String, String, Level)> {
    let url = Url::parse(address)
        .ok()
        .filter(|url| url.scheme() == SCHEME)?;
    let (kernel, end) = url.path().trim_start_matches('/').rsplit_once('.')?;
    let all = [
        Level::Tile,
        Level::Assembly,
        Level::Schedule,
        Level::Decisions,
    ];
    let level = all.into_iter().find(|level| extension(*level) == end)?;
    let of = url.query_pairs().find(|(key, _)| key == "of")?;
    Some((of.1.into_owned(), kernel.to_owned(), level))
}

/// Whether an address is of a level of this document.
pub(crate) fn is_of(address: &str, document: &str) -> bool {
    parsed(address).is_some_and(|(of, _, _)| of == document)
}

/// The text of an address; a thread makes it.
pub(crate) fn answer(state: &mut State, request: Request) -> Answer {
    let id = request.id;
    let Some(address) = request.params.get("uri").and_then(|uri| uri.as_str()) else {
        let (code, text) = (ErrorCode::InvalidParams as i32, "an `uri` is needed");
        return Answer::Now(Response::new_err(id, code, text.to_owned()));
    };
    let found = parsed(address);
    let job = found.and_then(|(of, kernel, level)| {
        let document = state.documents.get(&of)?;
        Some((Job::of(&state.source(document)), kernel, level))
    });
    let Some((job, kernel, level)) = job else {
        let refused = Refused::new(format!("`{address}` is nothing that is open"));
        return Answer::Now(refused.response(id));
    };
    state.virtual_texts.insert(address.to_owned());
    let toolchain = Arc::clone(&state.toolchain);
    state.background.start(id, None, move || {
        let text = toolchain.show(&job.source(), &kernel, level);
        Ok(json!({ "text": text.map_err(Refused::new)? }))
    });
    Answer::Later
}
