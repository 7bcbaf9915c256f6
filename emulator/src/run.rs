//! A launch from inputs to outcome: global memory, cores, rounds, and what is looked at in the end.
//!
//! Cores run in rounds. In a round every core that can go on runs until its program ends or it waits for another core,
//! on any host thread; cross-core counters change between rounds, in the order of the cores. So nothing depends on how
//! the host schedules its threads.

use isa::chip::Chip;
use isa::inst::info;
use isa::object::{Object, ParamDir, ParamMeta};
use isa::types::CoreKind;
use rayon::prelude::*;

use crate::clock::{self, Timing, TraceSpan};
use crate::core::{Core, CrossSet, Launch, Program, State};
use crate::cross::Shared;
use crate::fault::{CoreId, Fault, FaultKind, Place};
use crate::gm::Global;
use crate::options::Options;
use crate::report::{Report, has_pipe, report};
use crate::timing;

/// What a run gives.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Bytes of every tensor after the run, in the order of the parameters.
    pub tensors: Vec<Vec<u8>>,
    /// What it cost.
    pub report: Report,
    /// When every instruction ran; empty unless [`Options::trace`] asks for it.
    pub trace: Vec<TraceSpan>,
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
    let (gm, tensors) = load(object, inputs, true)?;
    let groups = groups(object, chip)?;
    let launch = Launch {
        gm: &gm,
        chip,
        sanitize: options.sanitize,
        max_steps: options.max_steps,
        groups,
        values: true,
        many: groups > 1 || !object.aiv.is_empty(),
        para_base: gm.region(0).start,
    };
    check_cores(object)?;
    let programs = Programs::new(object);
    let mut cores = cores(&programs, launch);
    execute(&mut cores, options.threads)?;
    for core in &cores {
        core.check_end()?;
    }
    if options.sanitize.uninit {
        check_outputs(object, &gm, &tensors)?;
    }
    let timing = time(&mut cores, &gm, chip, options.trace)?;
    Ok(Outcome {
        report: report(&object.kernel, &cores, &timing, chip),
        trace: timing.trace,
        tensors: tensors
            .iter()
            .map(|&region| gm.region(region).to_vec())
            .collect(),
        timing_only: false,
    })
}

/// Computes the times of all cores from their streams.
pub(crate) fn time(
    cores: &mut [Core<'_>],
    gm: &Global<'_>,
    chip: &Chip,
    trace: bool,
) -> Result<Timing, Fault> {
    for core in cores.iter_mut() {
        core.stream.finish();
    }
    let streams: Vec<_> = cores.iter().map(|core| (core.id, &core.stream)).collect();
    // Values came to an end, so the streams do; only flags set twice, unchecked, can keep them from it.
    clock::run(&streams, gm.extent(), chip, trace).ok_or(Fault {
        kind: FaultKind::Deadlock { waits: Vec::new() },
        place: None,
    })
}

/// The decoded programs of both kinds of core.
pub(crate) struct Programs {
    cube: Program,
    vector: Program,
}

impl Programs {
    pub(crate) fn new(object: &Object) -> Programs {
        Programs {
            cube: Program::new(object.aic.clone()),
            vector: Program::new(object.aiv.clone()),
        }
    }
}

fn bad_input(what: String) -> Fault {
    Fault {
        kind: FaultKind::BadInput { what },
        place: None,
    }
}

/// Demands that each section keeps to the instructions and pipes of its kind of core.
pub(crate) fn check_cores(object: &Object) -> Result<(), Fault> {
    for kind in [CoreKind::Cube, CoreKind::Vector] {
        for (pc, inst) in object.code(kind).iter().enumerate() {
            let pipe = inst.queue();
            if has_pipe(kind, pipe) && info(inst.opcode()).runs_on(kind) {
                continue;
            }
            let vector = (kind == CoreKind::Vector).then_some(0);
            return Err(Fault {
                kind: FaultKind::WrongCore { pipe },
                place: Some(Place {
                    core: CoreId { group: 0, vector },
                    pc: pc as u32,
                    text: inst.to_string(),
                }),
            });
        }
    }
    Ok(())
}

/// Groups of the launch: as many as the larger of the two kinds needs.
pub(crate) fn groups(object: &Object, chip: &Chip) -> Result<u32, Fault> {
    let pair = chip.cores.vectors_per_cube.max(1) as u32;
    let cube = if object.aic.is_empty() {
        0
    } else {
        object.kernel.cube_cores
    };
    let vector = if object.aiv.is_empty() {
        0
    } else {
        object.kernel.vector_cores
    };
    let groups = cube.max(vector.div_ceil(pair));
    let limit = chip.cores.cube.max(chip.cores.vector / u64::from(pair));
    if u64::from(groups) > limit {
        let what = format!(
            "the object runs on {groups} groups of cores, `{}` has {limit}",
            chip.name
        );
        return Err(Fault {
            kind: FaultKind::BadObject { what },
            place: None,
        });
    }
    Ok(groups)
}

/// Builds global memory: the parameter block, then the tensors, which have bytes only if values are computed. Gives the
/// region of each tensor.
pub(crate) fn load<'a>(
    object: &Object,
    inputs: &'a [Option<Vec<u8>>],
    values: bool,
) -> Result<(Global<'a>, Vec<usize>), Fault> {
    let params = &object.kernel.params;
    if inputs.len() != params.len() {
        let what = format!("{} inputs for {} parameters", inputs.len(), params.len());
        return Err(bad_input(what));
    }
    let mut gm = Global::default();
    let block = gm.add(
        "the parameter block",
        (params.len().max(1) * 8) as u64,
        true,
    );
    let mut tensors = Vec::with_capacity(params.len());
    let mut addresses = Vec::with_capacity(params.len() * 8);
    for (param, input) in params.iter().zip(inputs) {
        let region = load_tensor(&mut gm, param, input.as_deref(), values)?;
        addresses.extend_from_slice(&gm.region(region).start.to_le_bytes());
        tensors.push(region);
    }
    gm.region(block).write(0, &addresses);
    gm.region(block).set(0, params.len().max(1) * 8);
    Ok((gm, tensors))
}

fn load_tensor<'a>(
    gm: &mut Global<'a>,
    param: &ParamMeta,
    input: Option<&'a [u8]>,
    values: bool,
) -> Result<usize, Fault> {
    let Some(bytes) = param.bytes().filter(|&bytes| bytes < 1 << 40) else {
        return Err(bad_input(format!("`{}` is too large", param.name)));
    };
    match input {
        Some(data) if data.len() as u64 != bytes => {
            let what = format!(
                "`{}` has {bytes} bytes, the input {}",
                param.name,
                data.len()
            );
            Err(bad_input(what))
        }
        Some(data) if param.dir == ParamDir::In => Ok(gm.add_input(&param.name, data)),
        Some(_) | None if !values => Ok(gm.add_bare(&param.name, bytes, param.dir == ParamDir::In)),
        None if param.dir == ParamDir::In => {
            Err(bad_input(format!("`{}` is not given", param.name)))
        }
        Some(_) | None => {
            let region = gm.add(&param.name, bytes, false);
            if let Some(data) = input {
                gm.region(region).write(0, data);
                gm.region(region).set(0, data.len());
            }
            Ok(region)
        }
    }
}

/// The cores that run, group by group.
pub(crate) fn cores<'a>(programs: &'a Programs, launch: Launch<'a>) -> Vec<Core<'a>> {
    let pair = launch.chip.cores.vectors_per_cube as u8;
    let mut cores = Vec::new();
    for group in 0..launch.groups {
        if !programs.cube.code.is_empty() {
            cores.push(Core::new(
                cores.len(),
                CoreId {
                    group,
                    vector: None,
                },
                &programs.cube,
                launch,
            ));
        }
        if !programs.vector.code.is_empty() {
            for vector in 0..pair {
                let id = CoreId {
                    group,
                    vector: Some(vector),
                };
                cores.push(Core::new(cores.len(), id, &programs.vector, launch));
            }
        }
    }
    cores
}

/// Runs rounds until every program has ended.
fn execute(cores: &mut [Core<'_>], threads: usize) -> Result<(), Fault> {
    let build = || {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .ok()
    };
    let pool = if threads == 1 { None } else { build() };
    let mut shared = Shared::default();
    loop {
        let states = match &pool {
            Some(pool) => pool.install(|| round_parallel(cores)),
            None => cores.iter_mut().map(Core::run).collect(),
        };
        let states = first_fault(states)?;
        shared.replay(cores)?;
        let delivered = deliver(cores)?;
        if states.iter().all(|&state| state == State::Ended) {
            return Ok(());
        }
        if !delivered && cores.iter().all(|core| !core.progressed) {
            return Err(deadlock(cores));
        }
    }
}

fn round_parallel(cores: &mut [Core<'_>]) -> Vec<Result<State, Fault>> {
    cores.par_iter_mut().map(Core::run).collect()
}

/// The states of a round, or the fault of the first core in order.
fn first_fault(states: Vec<Result<State, Fault>>) -> Result<Vec<State>, Fault> {
    states.into_iter().collect()
}

/// Raises the counters that the last round asked for; whether there were any.
fn deliver(cores: &mut [Core<'_>]) -> Result<bool, Fault> {
    let mut any = false;
    for from in 0..cores.len() {
        let (sender, sets) = (cores[from].id, std::mem::take(&mut cores[from].outbox));
        for CrossSet { mode, id, heard } in sets {
            any = true;
            for core in cores
                .iter_mut()
                .filter(|core| reaches(sender, mode, core.id))
            {
                if !core.receive(from, mode, id, heard.clone()) {
                    let kind = FaultKind::CounterOverflow { owner: core.id, id };
                    return Err(Fault { kind, place: None });
                }
            }
        }
    }
    Ok(any)
}

/// Whether a set of that mode by one core concerns the counter of another.
pub(crate) fn reaches(sender: CoreId, mode: u8, receiver: CoreId) -> bool {
    match mode {
        0 => sender.kind() == receiver.kind(),
        1 => {
            sender.group == receiver.group
                && sender.kind() == CoreKind::Vector
                && receiver.kind() == CoreKind::Vector
        }
        _ => sender.group == receiver.group && sender.kind() != receiver.kind(),
    }
}

fn deadlock(cores: &mut [Core<'_>]) -> Fault {
    let waits = cores.iter_mut().flat_map(Core::waits).collect();
    Fault {
        kind: FaultKind::Deadlock { waits },
        place: None,
    }
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
