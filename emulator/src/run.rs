//! A launch from inputs to outcome: the machine runs to its end, and then time is computed and results are looked at.

use isa::chip::Chip;
use isa::object::{Object, ParamDir};

use crate::clock::{self, Keep, Timing, TraceSpan};
use crate::core::{Core, Origin};
use crate::fault::{Fault, FaultKind};
use crate::gm::Global;
use crate::options::Options;
use crate::profile::{self, Profile};
use crate::report::{Report, report};
use crate::setup::Setup;
use crate::timing;

/// What a run gives.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Bytes of every tensor after the run, in the order of the parameters; none of an input, which the caller has and
    /// the program may not write.
    pub tensors: Vec<Vec<u8>>,
    /// What it cost.
    pub report: Report,
    /// When every instruction ran; empty unless [`Options::trace`] asks for it.
    pub trace: Vec<TraceSpan>,
    /// Where the cycles went; none unless [`Options::profile`] asks for it.
    pub profile: Option<Profile>,
    /// The first results that are no finite numbers, of every core in order; empty unless
    /// [`crate::Sanitize::nan`] or [`crate::Sanitize::inf`] asks for them.
    pub origins: Vec<Origin>,
    /// Whether values were left out, so that there are no tensors.
    pub timing_only: bool,
}

/// Runs a kernel. `inputs` has one entry a parameter: the bytes of an input, none for a result or workspace.
pub fn run(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    chip: &Chip,
    options: &Options,
) -> Result<Outcome, Fault> {
    if options.timing_only {
        return timing::run(object, inputs, chip, options);
    }
    let launch = |options: &Options| launch(object, inputs, chip, options);
    let outcome = launch(options);
    match &outcome {
        // What a program that races does wrong first depends on the host's threads; on one thread it does not.
        Err(fault) if options.threads != 1 && !fault.kind.is_limit() => {
            let serial = Options {
                threads: 1,
                ..*options
            };
            launch(&serial).and(outcome)
        }
        Ok(_) | Err(_) => outcome,
    }
}

/// Runs a kernel with values.
fn launch(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    chip: &Chip,
    options: &Options,
) -> Result<Outcome, Fault> {
    let mut setup = Setup::new(object, inputs, chip, options)?;
    let machine = setup.machine();
    let finished = match machine.goes_ahead() {
        true => machine.finish_ahead()?,
        false => Some(machine.finish_without_tensors()?),
    };
    let mut outcome = match finished {
        Some(outcome) => outcome,
        None => {
            // Tensors have been written.
            drop(setup);
            setup = Setup::new(object, inputs, chip, options)?;
            setup.machine().finish_without_tensors()?
        }
    };
    outcome.tensors = setup.into_tensors();
    Ok(outcome)
}

/// What cores that have come to their ends leave behind, without the tensors; `timing` if it is known already.
pub(crate) fn outcome(
    setup: &Setup<'_>,
    mut cores: Vec<Core<'_>>,
    timing: Option<Timing>,
) -> Result<Outcome, Fault> {
    check(setup, &cores)?;
    let timing = match timing {
        Some(timing) => timing,
        None if setup.options.values_only => Timing::default(),
        None => time(&mut cores, &setup.gm, setup.chip, &setup.options)?,
    };
    Ok(Outcome {
        report: report(&setup.object.kernel, &cores, &timing, setup.chip),
        profile: match setup.options.values_only {
            true => None,
            false => profiled(&cores, &timing, &setup.options),
        },
        trace: timing.trace,
        tensors: Vec::new(),
        origins: cores.iter().flat_map(|core| core.origins.clone()).collect(),
        timing_only: false,
    })
}

/// What the end of the programs leaves to be found.
pub(crate) fn check(setup: &Setup<'_>, cores: &[Core<'_>]) -> Result<(), Fault> {
    cores.iter().try_for_each(Core::check_end)?;
    match setup.options.sanitize.uninit {
        true => check_outputs(setup.object, &setup.gm, &setup.tensors),
        false => Ok(()),
    }
}

/// Computes the times of all cores from their streams.
pub(crate) fn time(
    cores: &mut [Core<'_>],
    gm: &Global<'_>,
    chip: &Chip,
    options: &Options,
) -> Result<Timing, Fault> {
    for core in cores.iter_mut() {
        core.stream.finish();
    }
    let keep = Keep {
        trace: options.trace,
        record: options.profile && profile::fits(cores),
    };
    let streams: Vec<_> = cores.iter().map(|core| (core.id, &core.stream)).collect();
    // Values came to an end, so the streams do; only flags set twice, unchecked, can keep them from it.
    clock::run(&streams, gm.extent(), chip, keep).ok_or(Fault {
        kind: FaultKind::Deadlock {
            waits: Vec::new(),
            cycle: 0,
        },
        place: None,
    })
}

/// Where the cycles went, if somebody asks.
pub(crate) fn profiled(cores: &[Core<'_>], timing: &Timing, options: &Options) -> Option<Profile> {
    options.profile.then(|| profile::profile(cores, timing))
}

/// Demands a value in every byte of every result.
fn check_outputs(object: &Object, gm: &Global<'_>, tensors: &[usize]) -> Result<(), Fault> {
    for (param, &region) in object.kernel.params.iter().zip(tensors) {
        if param.dir != ParamDir::Out {
            continue;
        }
        let region = gm.region(region);
        if let Some(byte) = region.first_unset(0, region.len as usize) {
            let kind = FaultKind::OutputUnwritten {
                tensor: param.name.clone(),
                element: byte as u64 / param.elem.bytes(),
            };
            return Err(Fault { kind, place: None });
        }
    }
    Ok(())
}
