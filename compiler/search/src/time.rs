//! Cycles of a compiled kernel: the emulator's, without values.

use backend::Compiled;
use emulator::Sanitize;

use crate::Task;

/// What timing a kernel gave.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timed {
    /// Cycles, launch included.
    pub(crate) cycles: u64,
    /// Instructions that were gone through.
    pub(crate) instructions: u64,
}

/// Times a kernel; none if values decide what it does, or if sizes are left to the launch.
pub(crate) fn of(task: &Task<'_>, compiled: &Compiled) -> Option<Timed> {
    let object = compiled.object();
    if !object.kernel.launch.is_empty() {
        return None;
    }
    let options = emulator::Options {
        timing_only: true,
        sanitize: Sanitize::NONE,
        // Candidates are what goes in parallel.
        threads: 1,
        ..emulator::Options::default()
    };
    let inputs = vec![None; object.kernel.params.len()];
    let outcome = emulator::run(object, &inputs, task.chip, &options).ok()?;
    Some(Timed {
        cycles: outcome.report.cycles,
        instructions: outcome.report.instructions,
    })
}
