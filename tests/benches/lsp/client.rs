//! A client of one document: sends, waits, and answers nothing but what it must. It waits only so long: a server that says
//! nothing is given up, and everything asked of it afterwards is answered at once with nothing.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::frames::{framed, receive};
use super::texts::Place;

/// A server with the document that is open in it.
pub(crate) struct Client {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// How long an answer is waited for.
    patience: Duration,
    /// Whether the server was given up.
    pub(crate) silent: bool,
    address: String,
    next: i64,
    version: i64,
    abilities: Value,
    /// What came while something else was waited for.
    heard: VecDeque<Value>,
}

impl Client {
    /// Starts a server and waits for its answer to `initialize`.
    pub(crate) fn start(command: &Path, words: &[&str], file: &Path, patience: Duration) -> Client {
        let mut process = Command::new(command)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, messages) = channel();
        thread::spawn(move || read(output, &sender));
        let mut client = Client {
            process,
            input,
            messages,
            patience,
            silent: false,
            address: format!("file://{}", file.display()),
            next: 0,
            version: 0,
            abilities: Value::Null,
            heard: VecDeque::new(),
        };
        let capabilities = json!({
            "general": { "positionEncodings": ["utf-8", "utf-16"] },
            "workspace": { "codeLens": { "refreshSupport": true } },
            "textDocument": { "publishDiagnostics": { "versionSupport": true } },
        });
        let answer = client.request(
            "initialize",
            json!({ "processId": null, "rootUri": null, "capabilities": capabilities }),
        );
        client.abilities = answer["capabilities"].clone();
        client.notify("initialized", json!({}));
        client
    }

    /// Ends the session.
    pub(crate) fn stop(mut self) {
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        if self.silent {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }

    /// Whether the server serves something.
    pub(crate) fn can(&self, ability: &str) -> bool {
        let value = &self.abilities[ability];
        !value.is_null() && *value != json!(false)
    }

    pub(crate) fn open(&mut self, language: &str, text: &str) {
        self.version = 1;
        let document =
            json!({ "uri": self.address, "languageId": language, "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Writes at a place; gives the version of the new text.
    pub(crate) fn insert(&mut self, place: &Place, text: &str) -> i64 {
        self.change(place, 0, text)
    }

    /// Removes characters behind a place; gives the version of the new text.
    pub(crate) fn remove(&mut self, place: &Place, count: usize) -> i64 {
        self.change(place, count, "")
    }

    fn change(&mut self, place: &Place, count: usize, text: &str) -> i64 {
        self.version += 1;
        let start = json!({ "line": place.line, "character": place.column });
        let end = json!({ "line": place.line, "character": place.column + count });
        let change = json!({ "range": { "start": start, "end": end }, "text": text });
        let document = json!({ "uri": self.address, "version": self.version });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [change] }),
        );
        self.version
    }

    /// Writes over so many bytes at a place; gives the version of the new text.
    pub(crate) fn write(&mut self, place: &Place, count: usize, text: &str) -> i64 {
        self.change(place, count, text)
    }

    /// Gives the document another text.
    pub(crate) fn replace(&mut self, text: &str) -> i64 {
        self.version += 1;
        let document = json!({ "uri": self.address, "version": self.version });
        let change = json!({ "text": text });
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [change] }),
        );
        self.version
    }

    /// Parameters that name the document.
    pub(crate) fn document(&self) -> Value {
        json!({ "textDocument": { "uri": self.address } })
    }

    /// Parameters that name a place, so many characters behind this one.
    pub(crate) fn at(&self, place: &Place, behind: usize) -> Value {
        let position = json!({ "line": place.line, "character": place.column + behind });
        json!({ "textDocument": { "uri": self.address }, "position": position })
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Asks and waits for the answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let Some(message) = self.receive() else {
                return Value::Null;
            };
            if message["id"] == json!(id) && message.get("method").is_none() {
                return message["result"].clone();
            }
            self.heard.push_back(message);
        }
    }

    /// Waits for the diagnostics of a version of the text.
    pub(crate) fn wait_for_diagnostics(&mut self, version: i64) {
        self.wait(|message| {
            message["method"] == json!("textDocument/publishDiagnostics")
                && message["params"]["version"]
                    .as_i64()
                    .is_none_or(|v| v >= version)
        });
    }

    /// Waits for a request of the server.
    pub(crate) fn wait_for_request(&mut self, method: &str) {
        self.wait(|message| message["method"] == json!(method));
    }

    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) {
        while let Some(message) = self.heard.pop_front() {
            if wanted(&message) {
                return;
            }
        }
        while self.receive().is_some_and(|message| !wanted(&message)) {}
    }

    /// The most memory that the server has used.
    pub(crate) fn megabytes(&self) -> f64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let digits = line.and_then(|line| line.split_whitespace().nth(1));
        digits
            .and_then(|digits| digits.parse::<f64>().ok())
            .unwrap_or_default()
            / 1024.0
    }

    fn send(&mut self, message: &Value) {
        let sent = self.input.write_all(&framed(message));
        let sent = sent.and_then(|()| self.input.flush());
        self.silent |= sent.is_err();
    }

    /// The next message, unless the server is silent.
    fn receive(&mut self) -> Option<Value> {
        if self.silent {
            return None;
        }
        let Ok(message) = self.messages.recv_timeout(self.patience) else {
            self.silent = true;
            return None;
        };
        // Requests of the server are granted, so that none waits.
        if message.get("method").is_some() && message.get("id").is_some() {
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": null });
            self.send(&answer);
        }
        Some(message)
    }
}

/// Passes messages on until the server has gone.
fn read(mut output: BufReader<ChildStdout>, messages: &Sender<Value>) {
    while let Some(message) = receive(&mut output) {
        if messages.send(message).is_err() {
            return;
        }
    }
}
