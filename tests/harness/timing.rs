//! A run without values tells the same of a kernel as a full one: cycles, shares, traffic and peaks.

use emulator::{FaultKind, Options, Report};
use isa::chip::Chip;
use isa::object::Object;

/// Compares with the report of a full run, without inputs and with them.
pub(crate) fn check(object: &Object, inputs: &[Option<Vec<u8>>], chip: &Chip, full: &Report) {
    let run = |inputs: &[Option<Vec<u8>>], threads| {
        let options = Options {
            threads,
            timing_only: true,
            ..Options::default()
        };
        emulator::run(object, inputs, chip, &options)
    };
    match run(&vec![None; inputs.len()], 1) {
        Ok(outcome) => {
            assert!(outcome.timing_only, "there is nothing to compute with");
            assert_eq!(&outcome.report, full, "without inputs");
        }
        // Such a kernel tells its cycles with all inputs only.
        Err(fault) => assert!(
            matches!(fault.kind, FaultKind::NeedsValues { .. }),
            "without inputs: {fault}"
        ),
    }
    let outcome = run(inputs, 2).unwrap_or_else(|fault| panic!("with inputs: {fault}"));
    assert_eq!(&outcome.report, full, "with inputs");
}
