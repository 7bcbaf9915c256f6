//! What a launch starts from: an object checked against its chip, and global memory with the inputs in it.

use isa::chip::Chip;
use isa::inst::info;
use isa::object::{Object, ParamDir, ParamMeta};
use isa::types::CoreKind;

use crate::core::{Core, Launch, Program};
use crate::fault::{CoreId, Fault, FaultKind, Place};
use crate::gm::Global;
use crate::machine::Machine;
use crate::options::Options;
use crate::report::has_pipe;

/// A kernel with its arguments in global memory, ready to run.
#[derive(Debug)]
pub struct Setup<'a> {
    pub(crate) object: &'a Object,
    pub(crate) chip: &'a Chip,
    pub(crate) options: Options,
    pub(crate) gm: Global<'a>,
    /// Region of each parameter.
    pub(crate) tensors: Vec<usize>,
    cube: Program,
    vector: Program,
    groups: u32,
    values: bool,
}

impl<'a> Setup<'a> {
    /// Lays out global memory. `inputs` has one entry a parameter: the bytes of an input, none for a result or workspace.
    pub fn new(
        object: &'a Object,
        inputs: &'a [Option<Vec<u8>>],
        chip: &'a Chip,
        options: &Options,
    ) -> Result<Setup<'a>, Fault> {
        Setup::prepare(object, inputs, chip, options, true)
    }

    /// The same; memories have bytes only if values are computed.
    pub(crate) fn prepare(
        object: &'a Object,
        inputs: &'a [Option<Vec<u8>>],
        chip: &'a Chip,
        options: &Options,
        values: bool,
    ) -> Result<Setup<'a>, Fault> {
        let (gm, tensors) = load(object, inputs, values, options.sanitize.uninit)?;
        let groups = groups(object, chip)?;
        check_cores(object)?;
        Ok(Setup {
            object,
            chip,
            options: *options,
            gm,
            tensors,
            cube: Program::new(object.aic.clone(), chip),
            vector: Program::new(object.aiv.clone(), chip),
            groups,
            values,
        })
    }

    /// The machine at the launch. Global memory is as an earlier machine of this setup left it.
    pub fn machine(&mut self) -> Machine<'_> {
        Machine::new(self)
    }

    /// Bytes of every tensor, in the order of the parameters; none of an input.
    pub(crate) fn into_tensors(mut self) -> Vec<Vec<u8>> {
        let regions = self.tensors.into_iter();
        regions.map(|region| self.gm.take(region)).collect()
    }

    /// As [`Setup::into_tensors`], for a setup that goes on.
    pub(crate) fn copy_tensors(&self) -> Vec<Vec<u8>> {
        let regions = self.tensors.iter();
        regions
            .map(|&region| self.gm.region(region).to_vec())
            .collect()
    }

    /// The cores that run, group by group.
    pub(crate) fn cores(&self) -> Vec<Core<'_>> {
        let launch = self.launch();
        let pair = self.chip.cores.vectors_per_cube as u8;
        let mut cores = Vec::new();
        for group in 0..self.groups {
            let mut add = |vector, program| {
                let id = CoreId { group, vector };
                cores.push(Core::new(cores.len(), id, program, launch));
            };
            if !self.cube.code.is_empty() {
                add(None, &self.cube);
            }
            if !self.vector.code.is_empty() {
                (0..pair).for_each(|vector| add(Some(vector), &self.vector));
            }
        }
        cores
    }

    fn launch(&self) -> Launch<'_> {
        Launch {
            gm: &self.gm,
            chip: self.chip,
            sanitize: self.options.sanitize,
            max_steps: self.options.max_steps,
            pulse: self.options.pulse,
            groups: self.groups,
            many: self.values && (self.groups > 1 || !self.object.aiv.is_empty()),
            para_base: self.gm.region(0).start,
            schedule: self.options.schedule,
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
fn check_cores(object: &Object) -> Result<(), Fault> {
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
fn groups(object: &Object, chip: &Chip) -> Result<u32, Fault> {
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

/// Builds global memory: the parameter block, then the tensors, which have bytes only if values are computed, and are
/// watched if anybody asks which of these hold values. Gives the region of each tensor.
fn load<'a>(
    object: &Object,
    inputs: &'a [Option<Vec<u8>>],
    values: bool,
    watched: bool,
) -> Result<(Global<'a>, Vec<usize>), Fault> {
    let params = &object.kernel.params;
    if inputs.len() != params.len() {
        let what = format!("{} inputs for {} parameters", inputs.len(), params.len());
        return Err(bad_input(what));
    }
    let words: Vec<u64> = object.kernel.launch_words().collect();
    if words.contains(&0) {
        let what = format!("the sizes of `{}` are not given", object.kernel.name);
        return Err(bad_input(what));
    }
    let block_bytes = (params.len() + words.len()).max(1) * 8;
    let mut gm = Global::new(watched);
    let block = gm.add("the parameter block", block_bytes as u64, true);
    let mut tensors = Vec::with_capacity(params.len());
    let mut addresses = Vec::with_capacity(params.len() * 8);
    for (param, input) in params.iter().zip(inputs) {
        let region = load_tensor(&mut gm, param, input.as_deref(), values)?;
        addresses.extend_from_slice(&gm.region(region).start.to_le_bytes());
        tensors.push(region);
    }
    for word in words {
        addresses.extend_from_slice(&word.to_le_bytes());
    }
    gm.region(block).write(0, &addresses);
    gm.region(block).set(0, block_bytes);
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
