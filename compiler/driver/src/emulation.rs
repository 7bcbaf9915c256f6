//! What the options of an emulation mean: the mistakes to look for and the order of execution.

use diag::Diagnostic;
use emulator::{Sanitize, Schedule};

use crate::errors;

/// The words of `--sanitize`.
const WORDS: [&str; 5] = ["all", "none", "uninit", "hazards", "flags"];

/// What `--sanitize=WORD,…` asks for: every word adds to nothing.
pub(crate) fn sanitize(words: &[String]) -> Result<Sanitize, Diagnostic> {
    let mut asked = Sanitize::NONE;
    for word in words {
        match word.as_str() {
            "all" => asked = asked.and(Sanitize::ALL),
            "none" => {}
            "uninit" => asked.uninit = true,
            "hazards" => asked.hazards = true,
            "flags" => asked.flags = true,
            other => return Err(errors::option_value("--sanitize", other, &WORDS)),
        }
    }
    Ok(asked)
}

/// What `--schedule` asks for.
pub(crate) fn schedule(text: &str) -> Result<Schedule, Diagnostic> {
    let form = || errors::option_form("--schedule", text, "in-order or adversarial:SEED");
    match text.split_once(':') {
        None if text == "in-order" => Ok(Schedule::InOrder),
        Some(("adversarial", seed)) => match seed.parse() {
            Ok(seed) => Ok(Schedule::Adversarial(seed)),
            Err(_) => Err(form()),
        },
        None | Some(_) => Err(form()),
    }
}
