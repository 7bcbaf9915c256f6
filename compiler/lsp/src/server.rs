//! The loop: messages in, answers and notifications out. One message at a time; background work comes back as events.
//!
//! Nothing that a client sends ends the loop but `exit`: a message at the wrong time is refused, a panic while answering
//! costs that answer.

pub(crate) mod background;
mod costs;
pub(crate) mod dispatch;
mod parent;
pub(crate) mod state;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{InitializeParams, InitializeResult, ServerInfo};
use serde_json::{Value, json};

use crate::Toolchain;
use crate::features::{capabilities, newer_capabilities};
use dispatch::Answer;
use state::State;

/// How a session ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By `shutdown` and `exit`.
    Asked,
    /// The client went away, or said `exit` without `shutdown`.
    Abrupt,
}

/// Serves a client until it says `exit` or goes away.
pub fn serve(connection: &Connection, toolchain: Arc<dyn Toolchain>) -> End {
    let state = State::new(toolchain);
    let mut session = Loop {
        connection,
        state,
        phase: Phase::Begun,
        waiting: VecDeque::new(),
        gone: crossbeam_channel::never(),
    };
    // A closed channel is a client that has gone.
    session.run().unwrap_or(End::Abrupt)
}

/// What the client has said so far.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Phase {
    Begun,
    Initialized,
    ShutDown,
}

struct Loop<'a> {
    connection: &'a Connection,
    state: State,
    phase: Phase,
    /// Messages that have come and are not answered.
    waiting: VecDeque<Message>,
    /// Says when the client's process has gone.
    gone: Receiver<()>,
}

impl Loop<'_> {
    /// Nothing if the client has gone.
    fn run(&mut self) -> Option<End> {
        loop {
            match self.next()? {
                Message::Request(request) => self.request(request)?,
                Message::Notification(note) if note.method == "exit" => {
                    return Some(match self.phase {
                        Phase::ShutDown => End::Asked,
                        Phase::Begun | Phase::Initialized => End::Abrupt,
                    });
                }
                Message::Notification(note) => self.notification(note),
                Message::Response(response) => self.state.answered(response),
            }
            self.flush()?;
        }
    }

    /// The next message; finished background work is taken while there is none.
    fn next(&mut self) -> Option<Message> {
        loop {
            self.waiting.extend(self.connection.receiver.try_iter());
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            crossbeam_channel::select! {
                recv(self.connection.receiver) -> message => self.waiting.push_back(message.ok()?),
                recv(self.gone) -> _ => return None,
                recv(self.state.costs.done) -> done => {
                    if let Ok(done) = done {
                        self.state.timed(done);
                    }
                }
                recv(self.state.background.done) -> done => {
                    if let Ok(done) = done {
                        self.state.finished(done);
                    }
                }
            }
            self.flush()?;
        }
    }

    fn request(&mut self, request: Request) -> Option<()> {
        let id = request.id.clone();
        let refusal = |code: ErrorCode, why: &str| {
            Some(Response::new_err(id.clone(), code as i32, why.to_owned()))
        };
        let response = match (self.phase, request.method.as_str()) {
            (Phase::Begun, "initialize") => Some(self.initialize(request)),
            (Phase::Begun, _) => refusal(ErrorCode::ServerNotInitialized, "not initialized"),
            (Phase::ShutDown, _) => refusal(ErrorCode::InvalidRequest, "shut down"),
            (Phase::Initialized, "initialize") => {
                refusal(ErrorCode::InvalidRequest, "initialized already")
            }
            (Phase::Initialized, "shutdown") => {
                self.phase = Phase::ShutDown;
                Some(Response::new_ok(request.id, Value::Null))
            }
            (Phase::Initialized, _) if self.cancelled(&request.id) => {
                refusal(ErrorCode::RequestCanceled, "cancelled")
            }
            (Phase::Initialized, _) => {
                let state = &mut self.state;
                let answer = catch_unwind(AssertUnwindSafe(|| dispatch::request(state, request)));
                match answer {
                    Ok(Answer::Now(response)) => Some(response),
                    Ok(Answer::Later) => None,
                    Err(_) => refusal(ErrorCode::InternalError, "a defect of the server"),
                }
            }
        };
        match response {
            Some(response) => self.send(Message::Response(response)),
            None => Some(()),
        }
    }

    fn initialize(&mut self, request: Request) -> Response {
        // Abilities that the protocol's types do not know yet are read from here.
        let said = request.params.get("capabilities").cloned();
        let params: InitializeParams = match serde_json::from_value(request.params) {
            Ok(params) => params,
            Err(error) => {
                let code = ErrorCode::InvalidParams as i32;
                return Response::new_err(request.id, code, error.to_string());
            }
        };
        self.state.initialize(&params, &said.unwrap_or_default());
        if let Some(process) = params.process_id {
            self.gone = parent::watch(process);
        }
        self.phase = Phase::Initialized;
        let result = InitializeResult {
            capabilities: capabilities(&self.state),
            server_info: Some(ServerInfo {
                name: "vinci".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        };
        let mut result = serde_json::to_value(result).unwrap_or_default();
        join(&mut result["capabilities"], newer_capabilities());
        Response::new_ok(request.id, result)
    }

    fn notification(&mut self, note: Notification) {
        match (self.phase, note.method.as_str()) {
            (Phase::Begun | Phase::ShutDown, _) => {}
            (Phase::Initialized, "initialized") => self.state.begin(),
            (Phase::Initialized, "$/cancelRequest") => {
                if let Some(id) = cancelled_id(&note.params) {
                    self.state.cancel(&id);
                }
            }
            (Phase::Initialized, _) => {
                let state = &mut self.state;
                // What a defect leaves half done, the next edit makes anew.
                let _ = catch_unwind(AssertUnwindSafe(|| dispatch::notification(state, note)));
            }
        }
    }

    /// Whether the client has taken a request back that still waits.
    fn cancelled(&self, id: &RequestId) -> bool {
        self.waiting.iter().any(|message| {
            matches!(message, Message::Notification(note) if note.method == "$/cancelRequest"
                && cancelled_id(&note.params).as_ref() == Some(id))
        })
    }

    fn send(&self, message: Message) -> Option<()> {
        self.connection.sender.send(message).ok()
    }

    /// Sends what handling a message left to say: diagnostics of the documents that changed, requests, progress.
    fn flush(&mut self) -> Option<()> {
        // While edits wait, what is said of older texts is out of date.
        let edits = self.waiting.iter().any(|message| {
            matches!(message, Message::Notification(note) if note.method == "textDocument/didChange")
        });
        if !edits && self.phase == Phase::Initialized {
            let state = &mut self.state;
            let _ = catch_unwind(AssertUnwindSafe(|| state.publish()));
        }
        for message in std::mem::take(&mut self.state.outbox) {
            self.send(message)?;
        }
        Some(())
    }
}

/// Puts what is new into a value, object by object.
fn join(into: &mut Value, new: Value) {
    match new {
        Value::Object(new) => {
            for (key, value) in new {
                join(&mut into[key.as_str()], value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            *into = new;
        }
    }
}

/// The request that a `$/cancelRequest` takes back.
fn cancelled_id(params: &Value) -> Option<RequestId> {
    let id = params.get("id")?;
    let number = id.as_i64().and_then(|id| i32::try_from(id).ok());
    let word = || id.as_str().map(|id| RequestId::from(id.to_owned()));
    number.map(RequestId::from).or_else(word)
}

/// A notification of progress.
pub(crate) fn progress(token: &Value, value: Value) -> Message {
    let params = json!({ "token": token, "value": value });
    Message::Notification(Notification::new("$/progress".to_owned(), params))
}
