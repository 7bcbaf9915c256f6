//! What `-V` and `-vV` print.

use std::fmt::Write as _;

use isa::chip::Chip;

/// Commit and date, which optimised builds from a repository know.
const COMMIT: Option<&str> = option_env!("VINCI_COMMIT");
const DATE: Option<&str> = option_env!("VINCI_COMMIT_DATE");

/// `vincic 0.1.0 (4f8cd0a12 2026-11-22)`.
pub(crate) fn short(command: &str) -> String {
    let release = env!("CARGO_PKG_VERSION");
    match (COMMIT, DATE) {
        (Some(commit), Some(date)) => format!("{command} {release} ({commit} {date})\n"),
        _ => format!("{command} {release}\n"),
    }
}

/// The version with what results depend on: the chip files.
pub(crate) fn long(command: &str) -> String {
    let mut text = short(command);
    let host = host();
    let facts = [
        ("binary", command),
        ("commit-hash", COMMIT.unwrap_or("unknown")),
        ("commit-date", DATE.unwrap_or("unknown")),
        ("host", host.as_str()),
        ("release", env!("CARGO_PKG_VERSION")),
    ];
    for (key, value) in facts {
        writeln!(text, "{key}: {value}").expect("strings take all that is written");
    }
    for chip in Chip::names().filter_map(Chip::builtin) {
        writeln!(text, "chip: {}", chip.stamp()).expect("strings take all that is written");
    }
    text
}

/// The machine that the compiler runs on.
pub(crate) fn host() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}
