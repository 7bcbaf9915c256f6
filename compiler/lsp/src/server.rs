//! The loop: messages in, answers and notifications out. One message at a time; background work comes back as events.

mod costs;
pub(crate) mod dispatch;
pub(crate) mod state;

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::sync::Arc;

use lsp_server::{Connection, Message, Notification, RequestId, Response};
use lsp_types::{InitializeParams, InitializeResult, ServerInfo};

use crate::Toolchain;
use crate::features::capabilities;
use crate::position::Encoding;
use costs::Costs;
use state::State;

/// Serves a client until it says `exit` or goes away.
pub fn serve(
    connection: &Connection,
    toolchain: Arc<dyn Toolchain>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params)?;
    let general = params.capabilities.general.as_ref();
    let offered = general.and_then(|general| general.position_encodings.as_deref());
    let encoding = Encoding::negotiate(offered);
    let result = InitializeResult {
        capabilities: capabilities(encoding),
        server_info: Some(ServerInfo {
            name: "vinci".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    };
    connection.initialize_finish(id, serde_json::to_value(result)?)?;
    let costs = Costs::start(Arc::clone(&toolchain));
    let state = State::new(&params, encoding, toolchain, costs);
    Loop {
        connection,
        state,
        waiting: VecDeque::new(),
        next_request: 0,
    }
    .run()
}

struct Loop<'a> {
    connection: &'a Connection,
    state: State,
    /// Messages that have come and are not answered.
    waiting: VecDeque<Message>,
    next_request: i32,
}

impl Loop<'_> {
    fn run(mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        loop {
            let Some(message) = self.next() else {
                return Ok(());
            };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        return Ok(());
                    }
                    let response = if self.cancelled(&request.id) {
                        let code = lsp_server::ErrorCode::RequestCanceled as i32;
                        Response::new_err(request.id, code, "cancelled".to_owned())
                    } else {
                        dispatch::request(&mut self.state, request)
                    };
                    self.send(Message::Response(response))?;
                }
                Message::Notification(notification) => {
                    dispatch::notification(&mut self.state, notification);
                }
                Message::Response(_) => {}
            }
            self.flush()?;
        }
    }

    /// The next message; finished background work is taken while there is none. Nothing if the client has gone.
    fn next(&mut self) -> Option<Message> {
        loop {
            self.waiting.extend(self.connection.receiver.try_iter());
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            crossbeam_channel::select! {
                recv(self.connection.receiver) -> message => self.waiting.push_back(message.ok()?),
                recv(self.state.costs.done) -> done => {
                    if let Ok(done) = done {
                        self.state.costs.keep(done);
                        self.refresh().ok()?;
                    }
                }
            }
        }
    }

    /// Whether the client has taken a request back that still waits.
    fn cancelled(&self, id: &RequestId) -> bool {
        let cancel = |message: &Message| {
            let Message::Notification(note) = message else {
                return false;
            };
            note.method == "$/cancelRequest"
                && note.params.get("id").is_some_and(|taken| {
                    taken
                        .as_i64()
                        .is_some_and(|n| i32::try_from(n).is_ok_and(|n| RequestId::from(n) == *id))
                        || taken
                            .as_str()
                            .is_some_and(|s| RequestId::from(s.to_owned()) == *id)
                })
        };
        self.waiting.iter().any(cancel)
    }

    fn send(&self, message: Message) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.connection.sender.send(message)?)
    }

    /// Sends what handling a message left to say: diagnostics of the documents that changed.
    fn flush(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        // While edits wait, what is said of older texts is out of date.
        if self.waiting.iter().any(|message| matches!(message, Message::Notification(note) if note.method == "textDocument/didChange")) {
            return Ok(());
        }
        let notes: Vec<Notification> = self.state.outgoing();
        for note in notes {
            self.send(Message::Notification(note))?;
        }
        Ok(())
    }

    /// Asks the client to take lenses and hints anew.
    fn refresh(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let wanted: BTreeSet<&str> = self.state.refreshes();
        for method in wanted {
            self.next_request += 1;
            let id = RequestId::from(format!("vinci-{}", self.next_request));
            let request = lsp_server::Request::new(id, method.to_owned(), serde_json::Value::Null);
            self.send(Message::Request(request))?;
        }
        Ok(())
    }
}
