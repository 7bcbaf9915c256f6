//! The language server over bytes that are no protocol: it never stops, and what it says afterwards is what a fresh one says.

use std::io::{BufReader, PipeWriter, Write, pipe};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use driver::EditorCommands;
use ir::algo::data::Random;
use serde_json::{Value, json};

use super::cli::fresh_folder;
use super::frames::{framed, receive};

/// Bytes of garbage.
const BYTES: usize = 1_000_000;
const ADDRESS: &str = "file:///work/kernels/text.vn";
const TEXT: &str = "//! shape: M=64\n\n/// Twice.\npub kernel twice<M>(x: f32[M]) -> y: f32[M] {\n    let two[m] = x[m] + z[m];\n    y[m] = two[m];\n}\n";

/// A client of bytes.
struct Client {
    input: PipeWriter,
    /// What the server says, collected by a thread of its own so that it never waits for us.
    said: std::sync::mpsc::Receiver<Value>,
    server: thread::JoinHandle<lsp::End>,
}

impl Client {
    fn start(name: &str) -> Client {
        let (theirs, input) = pipe().expect("a pipe");
        let (output, ours) = pipe().expect("a pipe");
        let commands = EditorCommands {
            library: Some(fresh_folder(Path::new(name))),
        };
        let server = thread::spawn(move || {
            let (connection, threads) = lsp::connect(theirs, ours).expect("threads");
            let end = lsp::serve(&connection, Arc::new(commands));
            drop(connection);
            threads.join().expect("everything is written");
            end
        });
        let (sender, said) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = receive(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Client {
            input,
            said,
            server,
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).expect("the server listens");
    }

    fn send(&mut self, message: &Value) {
        self.bytes(&framed(message));
    }

    /// Asks and gives the whole answer.
    fn ask(&mut self, id: &str, method: &str, params: &Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let mut said = self.said.iter();
        said.find(|message| message["id"] == json!(id))
            .expect("the server answers")
    }

    fn begin(&mut self) {
        let early = self.ask("early", "textDocument/hover", &json!({}));
        assert_eq!(
            early["error"]["code"],
            json!(-32002),
            "before initialize: {early}"
        );
        let wrong = self.ask("wrong", "initialize", &json!({ "capabilities": 3 }));
        assert_eq!(wrong["error"]["code"], json!(-32602), "{wrong}");
        let answer = self.ask("begin", "initialize", &json!({ "capabilities": {} }));
        assert!(answer["result"]["capabilities"].is_object(), "{answer}");
        self.send(&json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }));
        let document = json!({ "uri": ADDRESS, "languageId": "vinci", "version": 1, "text": TEXT });
        self.send(&json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": { "textDocument": document } }));
    }

    /// What it says of the text.
    fn answers(&mut self) -> Vec<Value> {
        let document = json!({ "uri": ADDRESS });
        let place = json!({ "line": 5, "character": 11 });
        let mut all = Vec::new();
        for method in [
            "documentSymbol",
            "semanticTokens/full",
            "foldingRange",
            "diagnostic",
            "hover",
            "completion",
            "definition",
        ] {
            let params = json!({ "textDocument": document, "position": place });
            all.push(self.ask(
                &format!("last {method}"),
                &format!("textDocument/{method}"),
                &params,
            ));
        }
        all
    }

    fn end(mut self) {
        self.ask("end", "shutdown", &Value::Null);
        self.send(&json!({ "jsonrpc": "2.0", "method": "exit" }));
        assert_eq!(self.server.join().expect("no panic"), lsp::End::Asked);
    }
}

/// Messages that change nothing, to be broken.
fn seeds() -> Vec<Vec<u8>> {
    let document = json!({ "uri": ADDRESS });
    let place = json!({ "line": 4, "character": 9 });
    let ask = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let say = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "method": method, "params": params });
    let messages = [
        ask(
            "textDocument/hover",
            json!({ "textDocument": document, "position": place }),
        ),
        ask(
            "textDocument/completion",
            json!({ "textDocument": document, "position": { "line": -1 } }),
        ),
        ask("textDocument/references", json!([1, 2, 3])),
        ask("no/such/method", json!(null)),
        ask("initialize", json!({ "capabilities": {} })),
        ask(
            "workspace/executeCommand",
            json!({ "command": "vinci.nothing" }),
        ),
        ask(
            "textDocument/rename",
            json!({ "textDocument": document, "position": place, "newName": "9 9" }),
        ),
        say(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": "all" }),
        ),
        say(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": "::", "text": 1 } }),
        ),
        say("$/cancelRequest", json!({ "id": {} })),
        say("no/such/note", json!("x")),
        json!({ "jsonrpc": "2.0", "id": 99, "result": null }),
        json!([]),
        json!({ "id": 1.5, "method": "x" }),
        json!({ "id": 99_999_999_999_u64, "method": "x" }),
    ];
    let mut seeds: Vec<Vec<u8>> = messages.iter().map(framed).collect();
    seeds.extend([
        b"Content-Length: 99999999999999999999\r\n\r\n{}".to_vec(),
        b"Content-Length: 4000000000\r\n\r\n{}".to_vec(),
        b"Content-Length: -1\r\n\r\n{}".to_vec(),
        b"Content-Length: 3\r\n\r\n{}\xff".to_vec(),
        b"Content-Length: 2\n\n{}".to_vec(),
        b"Content-Type: nothing\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n".to_vec(),
        [
            b"Content-Length: 20000\r\n\r\n".to_vec(),
            vec![b'['; 20_000],
        ]
        .concat(),
        (0..=255).collect(),
    ]);
    seeds
}

/// Seeds with some bytes changed, left out or doubled.
fn garbage(count: usize) -> Vec<u8> {
    let seeds = seeds();
    let mut random = Random::new(5);
    let mut draw =
        |below: usize| usize::try_from(random.next() >> 33).expect("31 bits") % below.max(1);
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let mut piece = seeds[draw(seeds.len())].clone();
        for _ in 0..draw(4) {
            let at = draw(piece.len());
            match draw(4) {
                0 => piece[at] = u8::try_from(draw(256)).expect("a byte"),
                1 => drop(piece.remove(at)),
                2 => piece.insert(at, b"{}[]\"0\r\n"[draw(8)]),
                _ => piece.truncate(at + 1),
            }
            if piece.is_empty() {
                break;
            }
        }
        bytes.extend(piece);
    }
    bytes
}

#[test]
fn garbage_leaves_no_trace() {
    let mut client = Client::start("lsp/garbage");
    let garbage = garbage(BYTES);
    client.bytes(b"no header\r\n\r\n\xff\xfe{}");
    client.begin();
    client.bytes(&garbage);
    let found = client.answers();
    client.end();
    let mut fresh = Client::start("lsp/no_garbage");
    fresh.begin();
    assert_eq!(found, fresh.answers());
    fresh.end();
}

/// The client's process dies and its end of the streams stays open, as that of a child does which it has left behind.
#[test]
fn a_server_whose_client_has_died_ends() {
    let mut client = Client::start("lsp/orphan");
    let mut process = Command::new("sleep").arg("60").spawn().expect("a process");
    let params = json!({ "processId": process.id(), "capabilities": {} });
    let answer = client.ask("begin", "initialize", &params);
    assert!(answer["result"]["capabilities"].is_object(), "{answer}");
    process.kill().expect("it is ours");
    process.wait().expect("it ends");
    assert_eq!(client.server.join().expect("no panic"), lsp::End::Abrupt);
}
