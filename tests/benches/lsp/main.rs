//! How long an editor waits for `vinci lsp`: `cargo bench -p tests --bench lsp`.
//!
//! The server is the command itself, built beside the bench and spoken to over its standard streams. Each figure is the
//! 95th percentile over 200 requests, on a text of 400 lines and on one of 10,000, beside clangd or ruff on a C or Python
//! file of as many lines. `VINCI_PEER` names the peer's command; without it `clangd` and `ruff` are looked for on the path,
//! and without either its column says so. Words after `--`: numbers of lines to measure instead of both.
//!
//! *diagnostics* is the time from a keystroke to what is wrong, *completion* from a keystroke to the list behind it, *cost*
//! from a keystroke to the cycles of the kernel under the cursor, compared with those of `vinci run`. The word `edits`
//! instead makes 100,000 random edits and compares with a fresh server.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its table"
)]

mod client;
mod edits;
mod texts;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use client::Client;
use serde_json::{Value, json};
use texts::{Place, Text};

/// Requests of each kind.
const REQUESTS: usize = 200;
/// Keystrokes after which the cycles are waited for: each compiles a kernel.
const COSTS: usize = 40;
/// Starts.
const STARTS: usize = 20;

/// What a text of a length may take: milliseconds, and megabytes.
struct Limits {
    lines: usize,
    diagnostics: f64,
    completion: f64,
    question: f64,
    cost: f64,
    start: f64,
    megabytes: f64,
}

const LIMITS: [Limits; 2] = [
    Limits {
        lines: 400,
        diagnostics: 15.0,
        completion: 10.0,
        question: 2.0,
        cost: 100.0,
        start: 30.0,
        megabytes: 60.0,
    },
    Limits {
        lines: 10_000,
        diagnostics: 100.0,
        completion: 30.0,
        question: 30.0,
        cost: 100.0,
        start: 30.0,
        megabytes: 300.0,
    },
];

fn main() {
    let words: Vec<usize> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    let vinci = built();
    if std::env::args().any(|word| word == "edits") {
        return edits::run(&vinci);
    }
    let peer = peer();
    match &peer {
        Some(path) => println!("peer: {}", path.display()),
        None => println!("peer: none (VINCI_PEER is not set, no clangd or ruff on the path)"),
    }
    for limits in LIMITS {
        eprintln!("{} lines …", limits.lines);
        if !words.is_empty() && !words.contains(&limits.lines) {
            continue;
        }
        let ours = measured(
            &vinci,
            &["lsp"],
            &texts::kernels(limits.lines),
            Some(&vinci),
        );
        let theirs = peer.as_ref().map(|path| {
            let python = path.file_name().is_some_and(|name| name == "ruff");
            let text = if python {
                texts::python(limits.lines)
            } else {
                texts::c(limits.lines)
            };
            let words: &[&str] = if python {
                &["server"]
            } else {
                &["--log=error"]
            };
            measured(path, words, &text, None)
        });
        print(&limits, &ours, theirs.as_ref());
    }
}

/// The command `vinci` of this build.
fn built() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "driver",
            "--bin",
            "vinci",
        ])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "`vinci` does not build"
    );
    let own = std::env::current_exe().expect("a bench has a path");
    let folder = own.ancestors().nth(2).expect("target/release/deps/lsp");
    folder.join("vinci")
}

fn peer() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("VINCI_PEER") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    let all = ["clangd", "ruff"].into_iter();
    all.flat_map(|name| {
        std::env::split_paths(&path)
            .map(move |folder| folder.join(name))
            .collect::<Vec<_>>()
    })
    .find(|path| path.is_file())
}

/// The 95th percentile and the worst of a kind of request, in milliseconds; nothing if the server does not serve it.
#[derive(Default)]
struct Row(Vec<Duration>);

impl Row {
    fn percentile(&self) -> Option<f64> {
        let mut all = self.0.clone();
        all.sort_unstable();
        let at = (all.len() * 95).div_ceil(100).checked_sub(1)?;
        Some(all[at].as_secs_f64() * 1e3)
    }

    fn worst(&self) -> Option<f64> {
        Some(self.0.iter().max()?.as_secs_f64() * 1e3)
    }
}

/// What a server takes on a text.
#[derive(Default)]
struct Measured {
    start: Row,
    diagnostics: Row,
    completion: Row,
    hover: Row,
    definition: Row,
    cost: Row,
    megabytes: f64,
}

/// Speaks with a server about a text. `costs`: the command whose cycles the lenses must show.
fn measured(command: &Path, words: &[&str], text: &Text, costs: Option<&Path>) -> Measured {
    let mut found = Measured::default();
    for _ in 0..STARTS {
        let start = Instant::now();
        let client = Client::start(command, words, &text.file);
        found.start.0.push(start.elapsed());
        client.stop();
    }
    let mut client = Client::start(command, words, &text.file);
    client.open(&text.language, &text.text);
    client.wait_for_diagnostics(1);
    let places = text.places(REQUESTS);
    for place in &places {
        found.diagnostics.0.push(keystroke(&mut client, place));
    }
    if client.can("completionProvider") {
        found.completion.0 = places
            .iter()
            .map(|place| completed(&mut client, place))
            .collect();
    }
    for (row, method, ability) in [
        (&mut found.hover, "textDocument/hover", "hoverProvider"),
        (
            &mut found.definition,
            "textDocument/definition",
            "definitionProvider",
        ),
    ] {
        if client.can(ability) {
            row.0 = places
                .iter()
                .map(|place| timed(&mut client, method, place).0)
                .collect();
        }
    }
    if let Some(vinci) = costs {
        found.cost.0 = cost_hints(&mut client, text, vinci);
    }
    found.megabytes = client.megabytes();
    client.stop();
    found
}

/// Writes a letter, waits for what is wrong, and takes the letter away again.
fn keystroke(client: &mut Client, place: &Place) -> Duration {
    let start = Instant::now();
    let version = client.insert(place, "x");
    client.wait_for_diagnostics(version);
    let time = start.elapsed();
    let version = client.remove(place, 1);
    client.wait_for_diagnostics(version);
    time
}

/// Writes a letter and asks at once what could follow.
fn completed(client: &mut Client, place: &Place) -> Duration {
    let start = Instant::now();
    client.insert(place, "x");
    client.request("textDocument/completion", client.at(place, 1));
    let time = start.elapsed();
    let version = client.remove(place, 1);
    client.wait_for_diagnostics(version);
    time
}

fn timed(client: &mut Client, method: &str, place: &Place) -> (Duration, Value) {
    let start = Instant::now();
    let answer = client.request(method, client.at(place, 0));
    (start.elapsed(), answer)
}

/// From a changed constant in a kernel to the lens with its new cycles, as an editor takes it: asks, is told to ask again,
/// asks again.
fn cost_hints(client: &mut Client, text: &Text, vinci: &Path) -> Vec<Duration> {
    let expected = text.cycles(vinci);
    let place = text.cursor();
    let mut times = Vec::new();
    for _ in 0..COSTS {
        // A space more changes the kernel's text and nothing else.
        let start = Instant::now();
        client.insert(&place, " ");
        let title = loop {
            let lenses = client.request("textDocument/codeLens", client.document());
            if let Some(title) = fresh(&lenses, &place) {
                break title;
            }
            client.wait_for_request("workspace/codeLens/refresh");
        };
        times.push(start.elapsed());
        let digits: String = title
            .split("cycles")
            .next()
            .unwrap_or_default()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        assert_eq!(digits, expected.to_string(), "the lens says: {title}");
    }
    times
}

/// The title with the cycles of the last kernel that begins above a place.
fn fresh(lenses: &Value, place: &Place) -> Option<String> {
    let above = |lens: &&Value| lens["range"]["start"]["line"].as_u64() <= Some(place.line as u64);
    let runs = lenses
        .as_array()?
        .iter()
        .filter(|lens| lens["command"]["command"] == json!("vinci.run"));
    let title = runs.rev().find(above)?["command"]["title"].as_str()?;
    title.contains("cycles").then(|| title.to_owned())
}

fn print(limits: &Limits, ours: &Measured, theirs: Option<&Measured>) {
    println!("\n{} lines", limits.lines);
    println!(
        "{:<12} {:>9} {:>9} {:>9} {:>9}",
        "", "p95", "worst", "at most", "peer"
    );
    let none = Measured::default();
    let peer = theirs.unwrap_or(&none);
    let rows = [
        ("start", &ours.start, limits.start, &peer.start),
        (
            "diagnostics",
            &ours.diagnostics,
            limits.diagnostics,
            &peer.diagnostics,
        ),
        (
            "completion",
            &ours.completion,
            limits.completion,
            &peer.completion,
        ),
        ("hover", &ours.hover, limits.question, &peer.hover),
        (
            "definition",
            &ours.definition,
            limits.question,
            &peer.definition,
        ),
        ("cost", &ours.cost, limits.cost, &peer.cost),
    ];
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.2} ms"));
    for (name, row, limit, peer) in rows {
        println!(
            "{name:<12} {:>9} {:>9} {:>9} {:>9}{}",
            shown(row.percentile()),
            shown(row.worst()),
            format!("{limit} ms"),
            shown(peer.percentile()),
            if row.percentile() > Some(limit) {
                "  MISSED"
            } else {
                ""
            },
        );
    }
    let peer = theirs.map_or("-".to_owned(), |peer| format!("{:.0} MB", peer.megabytes));
    let missed = if ours.megabytes > limits.megabytes {
        "  MISSED"
    } else {
        ""
    };
    println!(
        "{:<12} {:>9} {:>9} {:>9} {peer:>9}{missed}",
        "memory",
        format!("{:.0} MB", ours.megabytes),
        "",
        format!("{} MB", limits.megabytes),
    );
}
