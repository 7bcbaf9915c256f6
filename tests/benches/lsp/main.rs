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
#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod client;
mod edits;
#[path = "../../harness/frames.rs"]
mod frames;
mod texts;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use client::Client;
use serde_json::Value;
use texts::{Place, Text};

/// Requests of each kind.
const REQUESTS: usize = 200;
/// Keystrokes after which the cycles are waited for: each compiles a kernel.
const COSTS: usize = 40;
/// How long a server may say nothing.
const PATIENCE: Duration = Duration::from_secs(10);
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
        cost: 30.0,
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
    let wanted = |limits: &&Limits| words.is_empty() || words.contains(&limits.lines);
    for limits in LIMITS.iter().filter(wanted) {
        let text = texts::kernels(limits.lines);
        let ours = measured(&vinci, &["lsp"], &text, Some(&vinci));
        print(limits, "vinci", &ours, true);
    }
    let Some(peer) = peer else {
        println!("\nno peer: VINCI_PEER is not set, no ruff or clangd on the path");
        return;
    };
    let name = peer.file_name().unwrap_or_default().to_string_lossy();
    for limits in LIMITS.iter().filter(wanted) {
        let (text, words) = if name == "ruff" {
            (texts::python(limits.lines), ["server"])
        } else {
            (texts::c(limits.lines), ["--log=error"])
        };
        let theirs = measured(&peer, &words, &text, None);
        print(limits, &name, &theirs, false);
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
    let all = ["ruff", "clangd"].into_iter();
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
    /// The times of requests; none of one that was not answered.
    fn of(
        client: &mut Client,
        places: &[Place],
        mut ask: impl FnMut(&mut Client, &Place) -> Duration,
    ) -> Row {
        let mut times = Vec::new();
        for place in places {
            let time = ask(client, place);
            if client.silent {
                break;
            }
            times.push(time);
        }
        Row(times)
    }

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
    /// Whether it was given up.
    silent: bool,
}

/// Speaks with a server about a text. `costs`: the command whose cycles the lenses must show.
fn measured(command: &Path, words: &[&str], text: &Text, costs: Option<&Path>) -> Measured {
    let mut found = Measured::default();
    for _ in 0..STARTS {
        let start = Instant::now();
        let client = Client::start(command, words, &text.file, PATIENCE);
        found.start.0.push(start.elapsed());
        client.stop();
    }
    let mut client = Client::start(command, words, &text.file, PATIENCE);
    client.open(&text.language, &text.text);
    client.wait_for_diagnostics(1);
    let places = text.places(REQUESTS);
    found.diagnostics = Row::of(&mut client, &places, keystroke);
    if client.can("completionProvider") {
        found.completion = Row::of(&mut client, &places, completed);
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
            *row = Row::of(&mut client, &places, |client, place| {
                timed(client, method, place).0
            });
        }
    }
    if let Some(vinci) = costs {
        found.cost.0 = cost_hints(&mut client, text, vinci);
    }
    found.megabytes = client.megabytes();
    found.silent = client.silent;
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
            if let Some(title) = fresh(client, &lenses, &place) {
                break title;
            }
            assert!(!client.silent, "no cycles came");
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

/// The title with the cycles of the last kernel that begins above a place; a lens without a title is asked for it, as an
/// editor does with those that it shows.
fn fresh(client: &mut Client, lenses: &Value, place: &Place) -> Option<String> {
    let line = |lens: &Value| lens["range"]["start"]["line"].as_u64();
    let above = |lens: &&Value| line(lens) <= Some(place.line as u64);
    let lenses = lenses.as_array()?;
    let last = lenses.iter().filter(above).filter_map(line).max();
    let run = lenses.iter().find(|lens| line(lens) == last)?;
    let whole = match run.get("command") {
        Some(_) => run.clone(),
        None => client.request("codeLens/resolve", run.clone()),
    };
    let title = whole["command"]["title"].as_str()?;
    title.contains("cycles").then(|| title.to_owned())
}

fn print(limits: &Limits, name: &str, found: &Measured, judged: bool) {
    println!(
        "\n{:<22} {:>11} {:>11} {:>11}",
        format!("{name}, {} lines", limits.lines),
        "p95",
        "worst",
        "at most"
    );
    let rows = [
        ("start", &found.start, limits.start),
        ("diagnostics", &found.diagnostics, limits.diagnostics),
        ("completion", &found.completion, limits.completion),
        ("hover", &found.hover, limits.question),
        ("definition", &found.definition, limits.question),
        ("cost", &found.cost, limits.cost),
    ];
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.2} ms"));
    let missed = |missed: bool| if judged && missed { "  MISSED" } else { "" };
    for (what, row, limit) in rows {
        println!(
            "{what:<22} {:>11} {:>11} {:>11}{}",
            shown(row.percentile()),
            shown(row.worst()),
            format!("{limit} ms"),
            missed(row.percentile() > Some(limit)),
        );
    }
    println!(
        "{:<22} {:>11} {:>11} {:>11}{}",
        "memory",
        format!("{:.0} MB", found.megabytes),
        "",
        format!("{} MB", limits.megabytes),
        missed(found.megabytes > limits.megabytes),
    );
    if found.silent {
        println!("given up: it said nothing for {} s", PATIENCE.as_secs());
    }
}
