//! Wrong sources: every finding is announced by a comment `//~ CODE text`, and every announcement comes true.
//!
//! `//~` speaks of its own line, `//~^` of the line above (more `^`, more lines), `//~?` of a finding without a place.
//! `//! args: …` adds words to the command line; `//! command: vinci run` takes another command than `vincic`.

use serde_json::Value;

use super::case::{Case, root};
use super::cli::fresh_folder;
use super::command;

const DIRECTIVES: [&str; 4] = ["args", "command", "shape", "test"];

/// A finding, announced or made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    /// From 1; none without a place.
    line: Option<u64>,
    code: String,
    text: String,
}

/// Compiles a wrong source.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let made = findings(&case);
    let announced = announcements(&case.text);
    for finding in &made {
        let expected = announced.iter().any(|a| matches(a, finding));
        assert!(expected, "{path}: not announced: {finding:?}");
    }
    for announcement in &announced {
        let came = made.iter().any(|finding| matches(announcement, finding));
        assert!(
            came,
            "{path}: did not come: {announcement:?}, but {made:#?}"
        );
    }
    let rendered = compile(&case, "human");
    case.snapshot(&rendered);
}

fn matches(announced: &Finding, made: &Finding) -> bool {
    announced.line == made.line
        && announced.code == made.code
        && made.text.contains(&announced.text)
}

fn announcements(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in (1..).zip(text.lines()) {
        let Some((_, said)) = line.split_once("//~") else {
            continue;
        };
        let placed = !said.starts_with('?');
        let said = said.trim_start_matches('?');
        let up = said.len() - said.trim_start_matches('^').len();
        let said = said.trim_start_matches('^').trim();
        let (code, text) = said.split_once(' ').unwrap_or((said, ""));
        found.push(Finding {
            line: placed.then_some(at - up as u64),
            code: code.to_owned(),
            text: text.trim().to_owned(),
        });
    }
    found
}

fn findings(case: &Case) -> Vec<Finding> {
    let lines = compile(case, "json");
    let parse = |line: &str| -> Finding {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let spans = value["spans"].as_array().cloned().unwrap_or_default();
        let primary = spans.iter().find(|span| span["is_primary"] == true);
        Finding {
            line: primary.and_then(|span| span["line_start"].as_u64()),
            code: value["code"]["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            text: value["message"].as_str().unwrap_or_default().to_owned(),
        }
    };
    lines.lines().map(parse).collect()
}

/// What compiling says on standard error.
fn compile(case: &Case, format: &str) -> String {
    let folder = fresh_folder(&case.path);
    let name = case.name();
    std::fs::write(folder.join(&name), &case.text).expect("the folder is ours");
    let command = case.directives("command", &DIRECTIVES);
    let command = command.first().copied().unwrap_or("vincic");
    let mut words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    words.push(name);
    for args in case.directives("args", &DIRECTIVES) {
        let data = root().join("tests/data").to_string_lossy().into_owned();
        words.extend(
            args.split_whitespace()
                .map(|word| word.replace("$DATA", &data)),
        );
    }
    words.push(format!("--error-format={format}"));
    let ran = command::run(&folder, &words, b"");
    assert_eq!(ran.status.code(), 1, "{words:?} succeeds: {}", ran.err);
    ran.err
}
