//! What is to be run: compiled or read, with its arguments and what its results are held to.

use std::collections::BTreeMap;

use ir::algo::Func;
use ir::algo::data::Data;
use ir::schedule::Expectation;
use ir::tile;
use isa::object::{Object, ParamDir};

use super::Run;
use crate::arguments::{self, Given};
use crate::files::Form;
use crate::host::Stop;
use crate::kernel::Values;
use crate::session::Session;
use crate::settings::Settings;
use crate::{assembly, build, errors, expect, launch};

/// What is to be run, with everything that it needs.
pub(in crate::cmd) struct Job {
    pub(in crate::cmd) object: Object,
    /// One entry a parameter of the object.
    pub(in crate::cmd) inputs: Vec<Option<Data>>,
    /// What the results are compared with.
    pub(in crate::cmd) reference: Reference,
    /// Whether an argument was drawn.
    pub(super) drawn: bool,
    /// What the schedule promises of a run.
    pub(super) expects: Vec<Expectation>,
}

impl Job {
    /// What the emulator gets: one entry a parameter of the object.
    pub(in crate::cmd) fn bytes(&self) -> Vec<Option<Vec<u8>>> {
        let bytes = |data: &Option<Data>| Some(data.as_ref()?.bytes.clone());
        self.inputs.iter().map(bytes).collect()
    }
}

/// What says what the results should be.
pub(in crate::cmd) enum Reference {
    /// The algorithm and its parameters.
    Algorithm(Func, Vec<Data>),
    /// The tile form, which says only the bits.
    Tile(tile::Func),
    /// Nothing: an object alone.
    None,
}

/// Compiles or reads what is to be run, and gathers its arguments.
pub(in crate::cmd) fn prepare(
    args: &Run,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Job, Stop> {
    let given = arguments::read(&args.subject.args, session)?;
    match Form::of(&args.subject.file)? {
        Form::Kernel => prepare_kernel(args, settings, &given, session),
        Form::Tile => {
            let func = build::tile_function(&args.subject.file, settings, session)?;
            let object = build::lower(func.clone(), settings, &session.sources)?.object;
            prepare_object(args, settings, &given, object, Reference::Tile(func))
        }
        Form::Assembly => {
            let mut object = build::assembled(&args.subject.file, settings, session)?;
            assembly::add_lines(&mut object, &args.subject.file, &session.sources);
            prepare_object(args, settings, &given, object, Reference::None)
        }
        Form::Object => {
            let object = build::read(&args.subject.file, settings, session)?;
            prepare_object(args, settings, &given, object, Reference::None)
        }
    }
}

fn prepare_kernel(
    args: &Run,
    settings: &Settings,
    given: &Given,
    session: &mut Session<'_, '_>,
) -> Result<Job, Stop> {
    let loaded = session.load_kernel(&args.subject.file)?;
    let info = loaded.choose(args.subject.compile.kernel.as_deref())?;
    let arrays = given.for_kernel(&info)?;
    let func = loaded.bind(&info, &settings.values.at_launch(), &arrays)?;
    let open = match settings.values.leaves_sizes() {
        true => Some(loaded.bind(
            &info,
            &settings.values.typed(&info, &arrays),
            &BTreeMap::new(),
        )?),
        false => None,
    };
    let expects = expect::of(&func, settings)?;
    let compile = |session: &Session<'_, '_>| -> Result<Object, Stop> {
        let compiled = build::compile(open.as_ref().unwrap_or(&func), settings, &session.sources)?;
        let sizes = func
            .sizes
            .iter()
            .map(|(name, size)| (name.clone(), size.unsigned_abs()));
        Ok(launch::bound(compiled.lowered.object, &sizes.collect())?)
    };
    if args.timing_only {
        return Ok(Job {
            expects,
            ..timed(given, compile(session)?)?
        });
    }
    let (params, drawn) = given.bytes_for(&func, args.subject.seed)?;
    let object = compile(session)?;
    let inputs = inputs(&object, &func, &params);
    Ok(Job {
        object,
        inputs,
        reference: Reference::Algorithm(func, params),
        drawn,
        expects,
    })
}

/// The parameters of the kernel in the order of the object's.
fn inputs(object: &Object, func: &Func, params: &[Data]) -> Vec<Option<Data>> {
    let by_name: BTreeMap<&str, &Data> = func
        .params
        .iter()
        .map(|&t| func.tensors[t].name.as_str())
        .zip(params)
        .collect();
    let inputs = object.kernel.params.iter().map(|param| match param.dir {
        ParamDir::In => by_name.get(param.name.as_str()).map(|&data| data.clone()),
        ParamDir::Out | ParamDir::Work => None,
    });
    inputs.collect()
}

fn prepare_object(
    args: &Run,
    settings: &Settings,
    given: &Given,
    object: Object,
    reference: Reference,
) -> Result<Job, Stop> {
    if args.check && matches!(reference, Reference::None) {
        return Err(errors::nothing_to_check(&args.subject.file).into());
    }
    let only_sizes = Values {
        sizes: settings.values.sizes.clone(),
        ..Values::default()
    };
    let object = if object.kernel.launch.is_empty() || settings.values != only_sizes {
        if settings.values != Values::default() {
            return Err(errors::sizes_are_fixed(&args.subject.file).into());
        }
        object
    } else {
        let sizes = launch::sizes(&object.kernel, &settings.values.sizes, &given.shapes())?;
        launch::bound(object, &sizes)?
    };
    given.for_object(&object.kernel)?;
    if args.timing_only {
        return timed(given, object);
    }
    let (inputs, drawn) = given.bytes_for_object(&object.kernel, args.subject.seed)?;
    Ok(Job {
        object,
        inputs,
        reference,
        drawn,
        expects: Vec::new(),
    })
}

/// What is to be run for its cycles alone.
fn timed(given: &Given, object: Object) -> Result<Job, Stop> {
    Ok(Job {
        inputs: given.given_for(&object.kernel)?,
        object,
        reference: Reference::None,
        drawn: false,
        expects: Vec::new(),
    })
}
