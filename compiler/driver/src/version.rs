//! What `-V` and `-vV` print.

use std::fmt::Write as _;

use isa::chip::Chip;

/// `vincic 0.1.0`.
pub(crate) fn short(command: &str) -> String {
    format!("{command} {}\n", env!("CARGO_PKG_VERSION"))
}

/// The version with what results depend on: the chip files.
pub(crate) fn long(command: &str) -> String {
    let mut text = short(command);
    let host = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let facts = [
        ("binary", command),
        ("release", env!("CARGO_PKG_VERSION")),
        ("host", host.as_str()),
    ];
    for (key, value) in facts {
        writeln!(text, "{key}: {value}").expect("strings take all that is written");
    }
    for chip in Chip::names().filter_map(Chip::builtin) {
        writeln!(text, "chip: {}", chip.stamp()).expect("strings take all that is written");
    }
    text
}
