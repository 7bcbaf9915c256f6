//! Requests that take long: each is answered by a thread of its own, so that a keystroke never waits for it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use lsp_server::{ErrorCode, RequestId, Response};
use serde_json::Value;

use super::dispatch::Refused;
use crate::features::commands::After;

/// Nesting in the inputs is limited, and this is far above the limit's need.
const STACK_BYTES: usize = 64 << 20;

/// Starts a thread that may compile.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    // Without a thread the client gets no answer to what takes long, and everything else goes on.
    drop(thread.spawn(work));
}

/// What a thread gives.
pub(crate) struct Done {
    id: RequestId,
    answer: Result<Value, Refused>,
    /// What is to be done with an answer, beside giving it.
    after: Option<After>,
}

/// Requests that are worked on.
pub(crate) struct Background {
    sender: Sender<Done>,
    pub(crate) done: Receiver<Done>,
    /// With the token of the progress that is shown of each, if there is one.
    waiting: BTreeMap<RequestId, Option<Value>>,
}

impl Background {
    pub(crate) fn new() -> Background {
        let (sender, done) = unbounded();
        Background {
            sender,
            done,
            waiting: BTreeMap::new(),
        }
    }

    pub(crate) fn start(
        &mut self,
        id: RequestId,
        token: Option<Value>,
        work: impl FnOnce() -> Result<Value, Refused> + Send + 'static,
    ) {
        self.begin(id, token, None, work);
    }

    /// The same, with something to do when the answer is there.
    pub(crate) fn start_then(
        &mut self,
        id: RequestId,
        token: Option<Value>,
        after: After,
        work: impl FnOnce() -> Result<Value, Refused> + Send + 'static,
    ) {
        self.begin(id, token, Some(after), work);
    }

    fn begin(
        &mut self,
        id: RequestId,
        token: Option<Value>,
        after: Option<After>,
        work: impl FnOnce() -> Result<Value, Refused> + Send + 'static,
    ) {
        self.waiting.insert(id.clone(), token);
        let sender = self.sender.clone();
        spawn(move || {
            let answer = catch_unwind(AssertUnwindSafe(work));
            let answer = answer.unwrap_or_else(|_| Err(Refused::new("a defect of the toolchain")));
            // Nobody waits if the session has ended.
            let _ = sender.send(Done { id, answer, after });
        });
    }

    /// The answer with its token; nothing if the client has taken the request back.
    pub(crate) fn finish(&mut self, done: Done) -> Option<(Response, Option<Value>)> {
        let token = self.waiting.remove(&done.id)?;
        Some((done.answer_of(), token))
    }

    /// Gives a request up: what its thread finds is thrown away.
    pub(crate) fn cancel(&mut self, id: &RequestId) -> Option<(Response, Option<Value>)> {
        let token = self.waiting.remove(id)?;
        let code = ErrorCode::RequestCanceled as i32;
        let response = Response::new_err(id.clone(), code, "cancelled".to_owned());
        Some((response, token))
    }

    /// The request whose progress has this token.
    pub(crate) fn by_token(&self, token: &Value) -> Option<RequestId> {
        let mut all = self.waiting.iter();
        let found = all.find(|(_, own)| own.as_ref() == Some(token));
        found.map(|(id, _)| id.clone())
    }
}

impl Done {
    /// What is left to do, with the answer; nothing of one that failed.
    pub(crate) fn follow(&mut self) -> Option<(After, Value)> {
        let after = self.after.take()?;
        Some((after, self.answer.as_ref().ok()?.clone()))
    }

    fn answer_of(self) -> Response {
        match self.answer {
            Ok(value) => Response::new_ok(self.id, value),
            Err(refused) => refused.response(self.id),
        }
    }
}
