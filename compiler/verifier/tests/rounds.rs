//! Induction refuses what following every round refuses, and nothing else.
//!
//! `rounds` holds programs whose mistake is in a round of a loop, or on a core, that looks like those before it; `long`
//! holds right ones with loops of cores that tell each other something, of which every line is changed in turn.

use std::fs;
use std::path::Path;

use isa::asm::assemble;
use isa::chip::Chip;
use isa::object::Object;

fn texts(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let mut texts = Vec::new();
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        let text = fs::read_to_string(&path).expect("a file of text");
        texts.push((path.display().to_string(), text));
    }
    texts.sort();
    texts
}

/// Whether an object is accepted: by induction, and followed round by round.
fn verdicts(object: &Object) -> (bool, bool) {
    let chip = Chip::builtin(&object.chip).expect("a built-in chip");
    let soon = verifier::verify(object, &chip);
    (
        soon.is_ok(),
        verifier::verify_every_round(object, &chip).is_ok(),
    )
}

#[test]
fn what_goes_wrong_late_is_refused() {
    let texts = texts("rounds");
    for (path, text) in &texts {
        let object = assemble(text).unwrap_or_else(|e| panic!("{path}: {e:?}"));
        assert_eq!(verdicts(&object), (false, false), "{path}");
    }
    assert!(texts.len() > 8, "{} files", texts.len());
}

#[test]
fn long_loops_between_cores_are_proved_by_induction() {
    for (path, text) in texts("long") {
        let object = assemble(&text).unwrap_or_else(|e| panic!("{path}: {e:?}"));
        let chip = Chip::builtin(&object.chip).expect("a built-in chip");
        let proof = verifier::verify(&object, &chip).unwrap_or_else(|e| panic!("{path}: {e}"));
        let skipped: u64 = proof.inductions.iter().map(|of| of.rounds).sum();
        assert!(skipped > 20, "{path}: {proof:?}");
        assert_eq!(verdicts(&object), (true, true), "{path}");
    }
}

#[test]
fn every_line_of_a_long_loop_counts_alike() {
    let (mut refused, mut accepted) = (0, 0);
    for (path, text) in texts("long") {
        let lines: Vec<&str> = text.lines().collect();
        for at in 0..lines.len() {
            for changed in changes(lines[at]) {
                let mut lines = lines.clone();
                lines[at] = &changed;
                let Ok(object) = assemble(&lines.join("\n")) else {
                    continue;
                };
                let (soon, at_length) = verdicts(&object);
                assert_eq!(soon, at_length, "{path}: line {}: `{changed}`", at + 1);
                accepted += usize::from(soon);
                refused += usize::from(!soon);
            }
        }
    }
    assert!(refused > 100 && accepted > 5, "{refused} {accepted}");
}

/// A line left out, said twice, and with its last number one or a slot further.
fn changes(line: &str) -> Vec<String> {
    if line.starts_with('.') || line.starts_with("//") || line.ends_with(':') {
        return Vec::new();
    }
    let mut all = vec![String::new(), format!("{line}\n{line}")];
    let digit = |c: char| c.is_ascii_digit();
    if let Some(end) = line.rfind(digit) {
        let start = line[..end].rfind(|c| !digit(c)).map_or(0, |at| at + 1);
        if let Ok(number) = line[start..=end].parse::<u64>() {
            for other in [number + 1, number + 32, number.saturating_sub(1)] {
                all.push(format!("{}{other}{}", &line[..start], &line[end + 1..]));
            }
        }
    }
    all
}
