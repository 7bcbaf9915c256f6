//! Programs broken by hand: a folder holds `original.vasm`, which every sanitizer accepts under any schedule, and copies
//! with one mistake each. The first line of a copy says who catches it: `//! caught: deadlock: F0005 counter 3`.

use std::path::Path;

use emulator::{Fault, Options, Outcome, Sanitize, Sanitizer, Schedule, Setup, Stops};
use isa::asm::assemble;
use isa::chip::Chip;
use isa::object::Object;

use super::case::Case;
use super::{asm, schedules};

/// Lines that a mistake may change in its original.
const CHANGED: usize = 6;
/// Schedules that an original has to stand.
const SEEDS: u64 = 64;

/// Everything that is looked for, NaN included.
const SANITIZE: Sanitize = Sanitize {
    nan: true,
    stop: true,
    ..Sanitize::ALL
};

/// Holds an original to being right and a copy to being caught.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let object = assemble(&case.text).unwrap_or_else(|e| panic!("{path}: {e:#?}"));
    let chip = Chip::builtin(&object.chip).expect("the file names a built-in chip");
    let inputs = asm::inputs(&case, &object);
    let ran = run(&object, &inputs, &chip);
    if case.name() == "original.vasm" {
        let outcome = ran.unwrap_or_else(|fault| panic!("{path}: {fault}"));
        super::verified::assert_proved(&object, &chip);
        schedules::check(&object, &inputs, &chip, &outcome.tensors, 0..SEEDS);
        for schedule in [Schedule::InOrder, Schedule::Adversarial(3)] {
            let again = steps_and_back(&object, &inputs, &chip, schedule);
            assert!(
                again.tensors == outcome.tensors,
                "{path}: stepping changes bits"
            );
            assert_eq!(
                again.report, outcome.report,
                "{path}: stepping changes cycles"
            );
        }
        return;
    }
    let said = case.text.lines().next().unwrap_or_default();
    let said = said.strip_prefix("//! caught: ");
    let (name, said) = said
        .and_then(|said| said.split_once(": "))
        .unwrap_or_else(|| panic!("{path}: the first line says who catches it"));
    let (code, words) = said.split_once(' ').unwrap_or((said, ""));
    let Err(fault) = ran else {
        panic!("{path}: nobody catches it");
    };
    let sanitizer = fault.sanitizer().map(|sanitizer| sanitizer.name());
    assert_eq!(sanitizer, Some(name), "{path}: {fault}");
    if fault.sanitizer() != Some(Sanitizer::NanOrigin) {
        let verdict = verifier::verify(&object, &chip);
        assert!(verdict.is_err(), "{path}: the verifier accepts it");
    }
    assert_eq!(fault.kind.code(), code, "{path}: {fault}");
    assert!(fault.to_string().contains(words), "{path}: {fault}");
    check_derived(&case);
    if name.starts_with("race") {
        assert!(
            breaks(&case, &object, &inputs, &chip),
            "{path}: no schedule of {SEEDS} shows the race"
        );
    }
}

/// Whether some adversarial schedule gives a race other bits than the original's, or a fault, with no help of sanitizers.
fn breaks(case: &Case, object: &Object, inputs: &[Option<Vec<u8>>], chip: &Chip) -> bool {
    let original = case.path.with_file_name("original.vasm");
    let original = Case::read(&original.to_string_lossy());
    let right = assemble(&original.text).expect("the original is right");
    let right = run(&right, inputs, chip).expect("the original is right");
    (0..SEEDS).any(|seed| {
        let options = Options {
            threads: 1,
            sanitize: Sanitize::NONE,
            schedule: Schedule::Adversarial(seed),
            ..Options::default()
        };
        match emulator::run(object, inputs, chip, &options) {
            Ok(outcome) => outcome.tensors != right.tensors,
            Err(_) => true,
        }
    })
}

fn run(object: &Object, inputs: &[Option<Vec<u8>>], chip: &Chip) -> Result<Outcome, Fault> {
    let options = Options {
        sanitize: SANITIZE,
        ..Options::default()
    };
    emulator::run(object, inputs, chip, &options)
}

/// Goes step by step, back to a copy twice, a round, and to the end.
fn steps_and_back(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    chip: &Chip,
    schedule: Schedule,
) -> Outcome {
    let options = Options {
        schedule,
        ..Options::default()
    };
    let mut setup = Setup::new(object, inputs, chip, &options).expect("the original is right");
    let mut machine = setup.machine();
    machine.watch_memory();
    let right = |fault: Fault| -> ! { panic!("the original is right: {fault}") };
    let stops = Stops::default();
    machine.run_until(&stops, 11).unwrap_or_else(|f| right(f));
    let first = machine.checkpoint(None);
    machine.run_until(&stops, 17).unwrap_or_else(|f| right(f));
    let second = machine.checkpoint(Some(&first));
    machine.run_until(&stops, 1000).unwrap_or_else(|f| right(f));
    machine.restore(&second);
    assert_eq!(machine.steps(), second.steps());
    machine.round().unwrap_or_else(|f| right(f));
    machine.restore(&first);
    machine.run_until(&stops, 5).unwrap_or_else(|f| right(f));
    machine.finish().unwrap_or_else(|f| right(f))
}

/// A mistake is small: few instructions differ from the original.
fn check_derived(case: &Case) {
    let original = case.path.with_file_name("original.vasm");
    let original = Case::read(&original.to_string_lossy());
    let (before, after) = (code(&original), code(case));
    assert_ne!(before, after, "{}: no mistake", case.path.display());
    let changed = differing(&before, &after);
    assert!(
        changed <= CHANGED,
        "{}: {changed} lines differ from the original",
        case.path.display()
    );
}

fn code(case: &Case) -> Vec<&str> {
    let lines = case.text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect()
}

/// Lines of either text that a longest common sequence leaves out.
fn differing(one: &[&str], other: &[&str]) -> usize {
    let mut common = vec![0; other.len() + 1];
    for line in one {
        let mut diagonal = 0;
        for (at, &theirs) in other.iter().enumerate() {
            let above = common[at + 1];
            common[at + 1] = match *line == theirs {
                true => diagonal + 1,
                false => above.max(common[at]),
            };
            diagonal = above;
        }
    }
    one.len() + other.len() - 2 * common[other.len()]
}

/// Every sanitizer catches something, and there are enough mistakes to learn from.
#[test]
fn every_sanitizer_has_its_mistakes() {
    let mut caught = std::collections::BTreeMap::<String, usize>::new();
    let root = super::case::here().join("broken");
    for folder in std::fs::read_dir(root).expect("the folder is there") {
        let folder = folder.expect("it can be read").path();
        for file in std::fs::read_dir(folder).expect("it is a folder") {
            let path = file.expect("it can be read").path();
            if let Some(name) = caught_by(&path) {
                *caught.entry(name).or_default() += 1;
            }
        }
    }
    assert_eq!(caught.len(), 9, "{caught:?}");
    assert!(caught.values().sum::<usize>() >= 50, "{caught:?}");
}

fn caught_by(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).expect("it can be read");
    let said = text.lines().next()?.strip_prefix("//! caught: ")?;
    Some(said.split_once(':')?.0.to_owned())
}
