//! The language server, in this process and over its protocol: a text with a cursor, a question, the answer as it is sent.
//!
//! `//! ask: hover` names the question, `$0` marks the cursor (`$1` the end of a selection) and is not part of the text. Each file is asked by a client
//! that counts in UTF-16 and by one that counts in UTF-8; where the text is ASCII the answers are the same.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use driver::EditorCommands;
use lsp_server::{Connection, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};

use super::case::{Case, normalised};
use super::cli::fresh_folder;

/// Where a kernel text is said to be.
const ADDRESS: &str = "file:///work/kernels/text.vn";

/// Where a text of this form is said to be, and the client's name of its language.
fn address(case: &str) -> (&'static str, &'static str) {
    match case.rsplit('.').next() {
        Some("tile") => ("file:///work/kernels/text.tile", "vinci-tile"),
        Some("vasm") => ("file:///work/kernels/text.vasm", "vinci-asm"),
        Some(_) | None => (ADDRESS, "vinci"),
    }
}

/// Asks what the file asks.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let asked = case.directives("ask", &["ask", "shape"]);
    let [asked] = asked[..] else {
        panic!("{path}: one `//! ask:` line");
    };
    let cursor = case.text.find("$0");
    let text = case.text.replace("$0", "");
    let end = text.find("$1");
    let text = text.replace("$1", "");
    let answers = ["utf-16", "utf-8"].map(|encoding| {
        let mut client = Client::start(Path::new(path), encoding);
        (client.address, client.language) = address(path);
        client.open(&text);
        let place = cursor.map(|at| position(&text, at, encoding));
        client.end = end.map(|at| position(&text, at, encoding));
        client.ask(asked, place.as_ref(), &text)
    });
    let shown = answers.map(|answer| {
        let text = serde_json::to_string_pretty(&answer).expect("answers are JSON");
        // Where texts of the library were laid down for this test.
        normalised(&text.replace(env!("CARGO_TARGET_TMPDIR"), "$TMP"))
    });
    if text.is_ascii() {
        assert_eq!(shown[0], shown[1], "the answer depends on the encoding");
    }
    case.snapshot(&shown[0]);
}

fn position(text: &str, at: usize, encoding: &str) -> Value {
    let before = &text[..at];
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let character = match encoding {
        "utf-8" => before[start..].len(),
        _ => before[start..].encode_utf16().count(),
    };
    json!({ "line": line, "character": character })
}

/// A client with a server of its own.
pub(crate) struct Client {
    connection: Connection,
    server: Option<thread::JoinHandle<()>>,
    next: i32,
    address: &'static str,
    language: &'static str,
    encoding: String,
    /// The end of the selection, if there is one.
    end: Option<Value>,
    /// What the server sent by itself.
    pub(crate) heard: Vec<Notification>,
    /// What the server asked.
    asked: Vec<Request>,
}

impl Client {
    /// Starts a session.
    pub(crate) fn start(case: &Path, encoding: &str) -> Client {
        let (server, connection) = Connection::memory();
        let commands = EditorCommands {
            library: Some(fresh_folder(case)),
        };
        let server = thread::spawn(move || {
            let end = lsp::serve(&server, Arc::new(commands));
            assert_eq!(end, lsp::End::Asked, "the server comes to its end");
        });
        let mut client = Client {
            connection,
            server: Some(server),
            next: 0,
            address: ADDRESS,
            language: "vinci",
            encoding: encoding.to_owned(),
            end: None,
            heard: Vec::new(),
            asked: Vec::new(),
        };
        client.request(
            "initialize",
            json!({
                "capabilities": {
                    "general": { "positionEncodings": [encoding] },
                    "window": { "showDocument": { "support": true } },
                    "workspace": {
                        "applyEdit": true,
                        "codeLens": { "refreshSupport": true },
                        "textDocumentContent": {},
                        "workspaceEdit": { "documentChanges": true },
                    },
                    "textDocument": {
                        "codeAction": { "resolveSupport": { "properties": ["edit"] } },
                        "diagnostic": {},
                        "hover": { "contentFormat": ["markdown"] },
                        "inlayHint": { "resolveSupport": { "properties": [] } },
                        "publishDiagnostics": { "relatedInformation": true, "tagSupport": { "valueSet": [1, 2] } },
                    },
                },
            }),
        );
        client.notify("initialized", json!({}));
        client
    }

    pub(crate) fn open(&mut self, text: &str) {
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": self.address, "languageId": self.language, "version": 1, "text": text } }),
        );
    }

    fn change(&mut self, version: i32, change: Value) {
        self.notify(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": self.address, "version": version }, "contentChanges": [change] }),
        );
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        let note = Notification::new(method.to_owned(), params);
        self.connection
            .sender
            .send(Message::Notification(note))
            .expect("the server listens");
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = RequestId::from(self.next);
        let request = Request::new(id.clone(), method.to_owned(), params);
        self.connection
            .sender
            .send(Message::Request(request))
            .expect("the server listens");
        loop {
            match self.receive() {
                Message::Response(response) if response.id == id => {
                    return match response.response_result {
                        Ok(result) => result,
                        Err(error) => json!({ "error": error.message }),
                    };
                }
                Message::Notification(note) => self.heard.push(note),
                Message::Request(request) => self.asked.push(request),
                Message::Response(_) => {}
            }
        }
    }

    /// Waits for a question of the server.
    fn asked(&mut self, method: &str) -> Request {
        if let Some(at) = self.asked.iter().position(|one| one.method == method) {
            return self.asked.remove(at);
        }
        loop {
            match self.receive() {
                Message::Request(request) if request.method == method => return request,
                Message::Notification(note) => self.heard.push(note),
                Message::Response(_) | Message::Request(_) => {}
            }
        }
    }

    fn answer(&self, request: &Request, value: Value) {
        let response = Response::new_ok(request.id.clone(), value);
        let sent = self.connection.sender.send(Message::Response(response));
        sent.expect("the server listens");
    }

    fn receive(&self) -> Message {
        self.connection.receiver.recv().expect("the server answers")
    }

    /// Waits until the server asks to have its lenses taken anew.
    fn wait_for_costs(&mut self) {
        loop {
            match self.receive() {
                Message::Request(request) if request.method == "workspace/codeLens/refresh" => {
                    return;
                }
                Message::Notification(note) => self.heard.push(note),
                Message::Response(_) | Message::Request(_) => {}
            }
        }
    }

    fn ask(&mut self, what: &str, place: Option<&Value>, text: &str) -> Value {
        let document = json!({ "uri": self.address });
        let all = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": text.lines().count(), "character": 0 } });
        let (what, word) = what.split_once(' ').unwrap_or((what, ""));
        let at = |more: Value| {
            let mut params = json!({ "textDocument": document, "position": place });
            for (key, value) in more.as_object().into_iter().flatten() {
                params[key] = value.clone();
            }
            params
        };
        let whole = json!({ "textDocument": document, "range": all });
        let options = json!({ "tabSize": 4, "insertSpaces": true });
        match what {
            "hover" => self.request("textDocument/hover", at(json!({}))),
            "completion" => labels(&self.request("textDocument/completion", at(json!({})))),
            "signature" => self.request("textDocument/signatureHelp", at(json!({}))),
            "definition" => self.request("textDocument/definition", at(json!({}))),
            "declaration" => self.request("textDocument/declaration", at(json!({}))),
            "implementation" => self.request("textDocument/implementation", at(json!({}))),
            "type_definition" => self.request("textDocument/typeDefinition", at(json!({}))),
            // The first action of a kind, and the text after it.
            "refactor" => {
                let range = json!({ "start": place, "end": self.end.as_ref().or(place) });
                let context = json!({ "diagnostics": [], "only": [word] });
                let actions = self.request(
                    "textDocument/codeAction",
                    json!({ "textDocument": document, "range": range, "context": context }),
                );
                let Some(action) = actions.get(0).cloned() else {
                    return json!("nothing");
                };
                let action = self.request("codeAction/resolve", action);
                match action.get("edit") {
                    Some(edit) => {
                        let edits = &edit["documentChanges"][0]["edits"];
                        let after = edited(text, edits, &self.encoding);
                        let after: Vec<&str> = after.lines().collect();
                        json!({ "title": action["title"], "text": after })
                    }
                    None => action,
                }
            }
            // A text under an address of its own, as the server has it shown.
            "contents" => {
                let arguments = json!([self.address, "k"]);
                self.request(
                    "workspace/executeCommand",
                    json!({ "command": word, "arguments": arguments }),
                );
                let shown = self.asked("window/showDocument");
                let uri = shown.params["uri"].clone();
                let answer = self.request("workspace/textDocumentContent", json!({ "uri": uri }));
                let lines = answer["text"]
                    .as_str()
                    .map_or(0, |text| text.lines().count());
                self.notify("textDocument/didSave", json!({ "textDocument": document }));
                let refresh = self.asked("workspace/textDocumentContent/refresh");
                json!({ "shown": shown.params, "has lines": lines > 3, "refresh": refresh.params })
            }
            // The edit that the server asks for; a second time it asks before.
            "write_schedule" => {
                let arguments = json!([self.address, "k"]);
                let command = json!({ "command": "vinci.writeSchedule", "arguments": arguments });
                self.request("workspace/executeCommand", command.clone());
                let first = self.asked("workspace/applyEdit").params;
                let edits = &first["edit"]["documentChanges"][0]["edits"];
                let text = edited(text, edits, &self.encoding);
                self.change(2, json!({ "text": text }));
                self.request("workspace/executeCommand", command);
                let question = self.asked("window/showMessageRequest");
                self.answer(&question, json!({ "title": "Replace" }));
                let second = self.asked("workspace/applyEdit").params;
                let edits = &second["edit"]["documentChanges"][0]["edits"];
                let again = edited(&text, edits, &self.encoding);
                let after: Vec<&str> = text.lines().collect();
                json!({ "text": after, "asks": question.params, "the same again": text == again })
            }
            "links" => self.request(
                "textDocument/documentLink",
                json!({ "textDocument": document }),
            ),
            // Of the first item with this label.
            "resolve" => {
                let items = self.request("textDocument/completion", at(json!({})));
                let mut items = items.as_array().into_iter().flatten();
                let item = items.find(|item| item["label"] == json!(word));
                self.request("completionItem/resolve", item.cloned().unwrap_or_default())
            }
            // A line more at the top, and what that changes.
            "tokens_delta" => {
                let whole = json!({ "textDocument": document });
                let first = self.request("textDocument/semanticTokens/full", whole);
                let top = json!({ "line": 0, "character": 0 });
                let range = json!({ "start": top, "end": top });
                self.change(2, json!({ "range": range, "text": "// one\n" }));
                self.request(
                    "textDocument/semanticTokens/full/delta",
                    json!({ "textDocument": document, "previousResultId": first["resultId"] }),
                )
            }
            // The same again is not sent again.
            "diagnostics_again" => {
                let whole = json!({ "textDocument": document });
                let first = self.request("textDocument/diagnostic", whole);
                let known = &first["resultId"];
                let again = self.request(
                    "textDocument/diagnostic",
                    json!({ "textDocument": document, "previousResultId": known }),
                );
                let all = self.request("workspace/diagnostic", json!({ "previousResultIds": [] }));
                let ids = json!([{ "uri": self.address, "value": known }]);
                let all_again =
                    self.request("workspace/diagnostic", json!({ "previousResultIds": ids }));
                let shown = all["items"].as_array().map_or(0, Vec::len);
                json!({ "again": again, "documents": shown, "all again": all_again })
            }
            "references" => self.request(
                "textDocument/references",
                at(json!({ "context": { "includeDeclaration": true } })),
            ),
            "highlights" => self.request("textDocument/documentHighlight", at(json!({}))),
            "rename" => self.request("textDocument/rename", at(json!({ "newName": word }))),
            "symbols" => self.request(
                "textDocument/documentSymbol",
                json!({ "textDocument": document }),
            ),
            "tokens" => self.request(
                "textDocument/semanticTokens/full",
                json!({ "textDocument": document }),
            ),
            "inlay" => self.request("textDocument/inlayHint", whole),
            "folding" => self.request(
                "textDocument/foldingRange",
                json!({ "textDocument": document }),
            ),
            "selection" => self.request(
                "textDocument/selectionRange",
                json!({ "textDocument": document, "positions": [place] }),
            ),
            "format" => self.request(
                "textDocument/formatting",
                json!({ "textDocument": document, "options": options }),
            ),
            "diagnostics" => self.request(
                "textDocument/diagnostic",
                json!({ "textDocument": document }),
            ),
            "actions" => {
                let range = json!({ "start": place, "end": place });
                let context = json!({ "diagnostics": [] });
                self.request(
                    "textDocument/codeAction",
                    json!({ "textDocument": document, "range": range, "context": context }),
                )
            }
            "calls" => {
                let items = self.request("textDocument/prepareCallHierarchy", at(json!({})));
                let item = json!({ "item": items[0] });
                let incoming = self.request("callHierarchy/incomingCalls", item.clone());
                json!({ "incoming": incoming, "outgoing": self.request("callHierarchy/outgoingCalls", item) })
            }
            // What a line costs is known when the kernel's time is, and somebody has asked.
            "line_cost" => {
                self.request("textDocument/hover", at(json!({})));
                self.request("textDocument/codeLens", json!({ "textDocument": document }));
                self.wait_for_costs();
                self.request("textDocument/hover", at(json!({})));
                self.wait_for_costs();
                let hover = self.request("textDocument/hover", at(json!({})));
                json!({ "hover": hover, "hints": self.request("textDocument/inlayHint", whole) })
            }
            "lenses" => {
                self.request("textDocument/codeLens", json!({ "textDocument": document }));
                self.wait_for_costs();
                self.request("textDocument/codeLens", json!({ "textDocument": document }))
            }
            "command" => self.request(
                "workspace/executeCommand",
                json!({ "command": word, "arguments": [self.address, "k"] }),
            ),
            other => panic!("`{other}` is no question"),
        }
    }
}

/// A text after edits of the server.
fn edited(text: &str, edits: &Value, encoding: &str) -> String {
    let byte = |place: &Value| {
        let all = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let mut all = all.filter(|at| position(text, *at, encoding) == *place);
        all.next().expect("a place of the text")
    };
    let edits = edits.as_array().into_iter().flatten();
    let mut edits: Vec<(usize, usize, &str)> = edits
        .map(|edit| {
            let range = &edit["range"];
            let new = edit["newText"].as_str().unwrap_or_default();
            (byte(&range["start"]), byte(&range["end"]), new)
        })
        .collect();
    edits.sort_by_key(|(start, _, _)| std::cmp::Reverse(*start));
    let mut text = text.to_owned();
    for (start, end, new) in edits {
        text.replace_range(start..end, new);
    }
    text
}

/// The labels and details of what a completion offers.
fn labels(answer: &Value) -> Value {
    let items = answer.as_array().into_iter().flatten();
    let label = |item: &Value| {
        format!(
            "{} · {}",
            item["label"].as_str().unwrap_or_default(),
            item["detail"].as_str().unwrap_or_default()
        )
    };
    items.map(label).collect::<Vec<String>>().into()
}

impl Drop for Client {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        if let Some(server) = self.server.take() {
            server.join().expect("the server does not panic");
        }
    }
}

/// Edits at random places, whole words and single letters: the server goes on, and then says of the text what a fresh one says.
#[test]
fn edits_leave_no_trace() {
    let text = std::fs::read_to_string(super::case::root().join("stdlib/kernels/layernorm.vn"))
        .expect("there");
    let pieces = [
        "", "x", "[", "}", "é𝄞", "\n", "sum(k) ", "let ", "kernel ", ";", "/*", "\"", "as f16",
        "..", "(",
    ];
    let mut random = ir::algo::data::Random::new(7);
    let mut draw =
        |below: usize| usize::try_from(random.next() >> 33).expect("31 bits") % below.max(1);
    let mut client = Client::start(Path::new("lsp/edits"), "utf-16");
    client.open(&text);
    let mut now = text.clone();
    for version in 2..302 {
        // From time to time all is well again.
        if version % 25 == 0 {
            now.clone_from(&text);
            client.change(version, json!({ "text": now }));
            continue;
        }
        let marks: Vec<usize> = now
            .char_indices()
            .map(|(at, _)| at)
            .chain([now.len()])
            .collect();
        let start = draw(marks.len());
        let end = (start + draw(6)).min(marks.len() - 1);
        let piece = pieces[draw(pieces.len())];
        let range = json!({ "start": position(&now, marks[start], "utf-16"), "end": position(&now, marks[end], "utf-16") });
        now.replace_range(marks[start]..marks[end], piece);
        client.change(version, json!({ "range": range, "text": piece }));
        if version % 10 == 0 {
            let place = position(&now, marks[start].min(now.len()), "utf-16");
            for what in [
                "hover",
                "completion",
                "signature",
                "definition",
                "highlights",
                "symbols",
                "tokens",
                "inlay",
                "folding",
                "selection",
                "format",
                "actions",
            ] {
                client.ask(what, Some(&place), &now);
            }
        }
    }
    let mut fresh = Client::start(Path::new("lsp/fresh"), "utf-16");
    fresh.open(&now);
    for what in ["diagnostics", "symbols", "tokens", "inlay", "folding"] {
        assert_eq!(
            client.ask(what, None, &now),
            fresh.ask(what, None, &now),
            "{what}"
        );
    }
}
