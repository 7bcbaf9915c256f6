//! Random edits of a text, with questions between them: the server never stops, and what it says at the end is what a fresh
//! server says of the same text.

use std::path::Path;
use std::time::Instant;

use ir::algo::data::Random;
use serde_json::{Value, json};

use super::client::Client;
use super::texts::{self, Place};

const EDITS: usize = 100_000;

/// What is written; nothing removes.
const PIECES: [&str; 16] = [
    "", "", "x", "[", "}", "é𝄞", "\n", "sum(k) ", "let ", "kernel ", ";", "/*", "\"", "as f16",
    "..", "(",
];

/// Makes the edits and compares.
pub(crate) fn run(vinci: &Path) {
    let text = texts::kernels(60);
    let mut random = Random::new(11);
    let mut draw =
        |below: usize| usize::try_from(random.next() >> 33).expect("31 bits") % below.max(1);
    let mut client = Client::start(vinci, &["lsp"], &text.file, super::PATIENCE);
    client.open(&text.language, &text.text);
    let mut now = text.text.clone();
    let start = Instant::now();
    let mut version = 1;
    for edit in 1..=EDITS {
        // From time to time all is well again.
        if edit % 40 == 0 {
            now.clone_from(&text.text);
            version = client.replace(&now);
        } else {
            let line = draw(now.lines().count());
            let bytes = now.lines().nth(line).unwrap_or_default();
            let marks: Vec<usize> = bytes
                .char_indices()
                .map(|(at, _)| at)
                .chain([bytes.len()])
                .collect();
            let first = draw(marks.len());
            let last = (first + draw(6)).min(marks.len() - 1);
            let place = Place {
                line,
                column: marks[first],
            };
            let piece = PIECES[draw(PIECES.len())];
            let begin = now
                .split_inclusive('\n')
                .take(line)
                .map(str::len)
                .sum::<usize>();
            now.replace_range(begin + marks[first]..begin + marks[last], piece);
            version = client.write(&place, marks[last] - marks[first], piece);
        }
        if edit % 50 == 0 {
            let place = Place {
                line: draw(60),
                column: draw(30),
            };
            for method in [
                "textDocument/hover",
                "textDocument/completion",
                "textDocument/definition",
                "textDocument/signatureHelp",
            ] {
                client.request(method, client.at(&place, 0));
            }
        }
    }
    let mut fresh = Client::start(vinci, &["lsp"], &text.file, super::PATIENCE);
    fresh.open(&text.language, &now);
    let answers = [&mut client, &mut fresh].map(answers);
    assert_eq!(answers[0], answers[1], "after {EDITS} edits");
    println!(
        "{EDITS} edits in {:.0} s, version {version}: the answers are those of a fresh server",
        start.elapsed().as_secs_f64()
    );
    client.stop();
    fresh.stop();
}

fn answers(client: &mut Client) -> Vec<Value> {
    let mut all = Vec::new();
    for method in [
        "documentSymbol",
        "semanticTokens/full",
        "foldingRange",
        "codeLens",
    ] {
        all.push(client.request(&format!("textDocument/{method}"), client.document()));
    }
    for line in 0..60 {
        let place = Place { line, column: 8 };
        for method in [
            "hover",
            "completion",
            "definition",
            "references",
            "documentHighlight",
        ] {
            let mut params = client.at(&place, 0);
            params["context"] = json!({ "includeDeclaration": true });
            all.push(client.request(&format!("textDocument/{method}"), params));
        }
    }
    all
}
