//! What a compilation took: `--stats`, and `-Z time-passes`. On standard error, as everything that is said beside outputs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::args::ReportForm;
use crate::session::Phase;
use crate::settings::Settings;

/// How long each phase took, a line each.
pub(super) fn times(phases: &[Phase]) -> String {
    let line = |phase: &Phase| format!("{:>10.3} ms  {}\n", phase.seconds * 1e3, phase.name);
    phases.iter().map(line).collect()
}

/// The statistics of a compilation; `sizes` has the bytes of every level that was made.
pub(super) fn text(
    form: ReportForm,
    input: &str,
    settings: &Settings,
    sizes: &[(&str, usize)],
    phases: &[Phase],
) -> String {
    match form {
        ReportForm::Text => {
            let mut text = times(phases);
            for (level, bytes) in sizes {
                writeln!(text, "{bytes:>10} B   {level}").expect("strings take all");
            }
            text
        }
        ReportForm::Json => {
            let phase = |phase: &Phase| json!({ "name": phase.name, "seconds": phase.seconds });
            let bytes = sizes
                .iter()
                .map(|(level, bytes)| ((*level).to_owned(), json!(bytes)));
            let stats = json!({
                "$message_type": "stats",
                "schema": 1,
                "input": input,
                "target": settings.chip.stamp(),
                "opt": settings.level.name(),
                "phases": phases.iter().map(phase).collect::<Vec<_>>(),
                "bytes": Value::Object(bytes.collect()),
            });
            format!("{stats}\n")
        }
    }
}
