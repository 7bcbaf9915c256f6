//! `vinci verify`: proves a kernel free of hazards, or shows how it goes wrong.

use clap::Args;
use emulator::{Fault, Options, Sanitize, Schedule};
use isa::chip::Chip;
use isa::object::claims::{Part, Place as Named};
use isa::object::{Object, ParamDir};
use isa::types::CoreKind;

use crate::args::Compile;
use crate::arguments;
use crate::files::Form;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::{assembly, build, errors, launch};

/// Adversarial schedules that are tried to show a refusal.
const SEEDS: u64 = 50;
/// Instructions that a core may execute meanwhile.
const STEPS: u64 = 1 << 22;

/// `vinci verify`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Verify {
    /// A `.vn`, `.tile`, `.vasm` or `.vo` file
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// Also print what the compiler claims: buffers, and which bytes of them each step uses
    #[arg(long)]
    pub(crate) claims: bool,
    #[command(flatten)]
    pub(crate) compile: Compile,
}

/// Prints the certificate of a file, or says why there is none.
pub(crate) fn run(args: &Verify, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let mut settings = Settings::read(&args.compile, session)?;
    let object = object(args, &mut settings, session)?;
    match verifier::verify(&object, &settings.chip) {
        Ok(proof) => {
            let mut text = verifier::certificate(&object, &proof);
            if args.claims {
                text += &claims(&object);
            }
            session.host.print(&text)
        }
        Err(refusal) => {
            session.read_line_files(&object);
            let found = errors::verify::refused(&refusal, &object, &session.sources);
            Err(match shown(&object, &settings.chip) {
                Some((schedule, outcome)) => {
                    let command = format!("vinci run {} --schedule={schedule}", args.file);
                    errors::verify::replay(found, &command, &outcome)
                }
                None => found,
            }
            .into())
        }
    }
}

/// What is claimed of an object, a line each.
fn claims(object: &Object) -> String {
    let buffers = &object.claims.buffers;
    let mut text: String = buffers
        .iter()
        .map(|buffer| format!("buffer     {buffer}\n"))
        .collect();
    for (kind, section) in [(CoreKind::Cube, "aic"), (CoreKind::Vector, "aiv")] {
        for step in object.claims.steps(kind) {
            text += &format!("step       {section} {} to {}\n", step.first, step.end);
            for part in &step.parts {
                text += &part_text(object, part);
            }
        }
    }
    text
}

fn part_text(object: &Object, part: &Part) -> String {
    let name = match part.place {
        Named::Buffer(number) => &object.claims.buffers[number as usize].name,
        Named::Tensor(number) => &object.kernel.params[number as usize].name,
    };
    let verb = match (part.reads, part.writes) {
        (true, true) => "updates",
        (_, true) => "writes",
        (_, false) => "reads",
    };
    match &part.bytes {
        Some(bytes) => format!("  {verb:<8} {name}: {bytes}\n"),
        None => format!("  {verb:<8} {name}: some\n"),
    }
}

fn object(
    args: &Verify,
    settings: &mut Settings,
    session: &mut Session<'_, '_>,
) -> Result<Object, Stop> {
    let object = match Form::of(&args.file)? {
        Form::Kernel => {
            let loaded = session.load_kernel(&args.file)?;
            let info = loaded.choose(args.compile.kernel.as_deref())?;
            let none = std::collections::BTreeMap::new();
            let func = loaded.bind(&info, &settings.values, &none)?;
            let compiled = build::compile(&func, settings, &session.sources)?;
            return Ok(compiled.lowered.object);
        }
        Form::Tile => {
            let func = build::tile_function(&args.file, settings, session)?;
            build::lower(func, settings, &session.sources)?.object
        }
        Form::Assembly => {
            let mut object = build::assembled(&args.file, settings, session)?;
            assembly::add_lines(&mut object, &args.file, &session.sources);
            object
        }
        Form::Object => build::read(&args.file, settings, session)?,
    };
    if object.kernel.launch.is_empty() {
        return Ok(object);
    }
    let given = arguments::read(&[], session)?;
    let sizes = launch::sizes(&object.kernel, &settings.values.sizes, &given.shapes())?;
    Ok(launch::bound(object, &sizes)?)
}

/// A schedule under which the object is seen to go wrong, and how.
fn shown(object: &Object, chip: &Chip) -> Option<(String, String)> {
    let inputs = drawn(object);
    let run = |schedule, sanitize| {
        let options = Options {
            schedule,
            sanitize,
            max_steps: STEPS,
            ..Options::default()
        };
        emulator::run(object, &inputs, chip, &options)
    };
    let expected = run(Schedule::InOrder, Sanitize::NONE).ok();
    for seed in 0..SEEDS {
        let schedule = Schedule::Adversarial(seed);
        let name = format!("adversarial:{seed}");
        let wrong = match (&expected, run(schedule, Sanitize::NONE)) {
            (_, Err(fault)) => return Some((name, said(&fault))),
            (Some(right), Ok(other)) => difference(object, &right.tensors, &other.tensors),
            (None, Ok(_)) => None,
        };
        if let Some(wrong) = wrong {
            let seen = run(schedule, Sanitize::ALL).err();
            let seen = seen.map_or(String::new(), |fault| format!("; {}", said(&fault)));
            return Some((name, wrong + &seen));
        }
    }
    let fault = run(Schedule::InOrder, Sanitize::ALL).err()?;
    Some(("in-order".to_owned(), said(&fault)))
}

fn said(fault: &Fault) -> String {
    format!("{}: {fault}", fault.kind.code())
}

/// Where two runs differ.
fn difference(object: &Object, right: &[Vec<u8>], other: &[Vec<u8>]) -> Option<String> {
    let tensors = object.kernel.params.iter().zip(right.iter().zip(other));
    let mut results = tensors.filter(|(param, _)| param.dir == ParamDir::Out);
    results.find_map(|(param, (right, other))| {
        let byte = right.iter().zip(other).position(|(a, b)| a != b)?;
        let element = byte as u64 / param.elem.bytes().max(1);
        Some(format!(
            "element {element} of `{}` has other bits than in order",
            param.name
        ))
    })
}

/// Some arguments.
fn drawn(object: &Object) -> Vec<Option<Vec<u8>>> {
    let params = object.kernel.params.iter();
    let draw = |(param, number): (&isa::object::ParamMeta, u64)| {
        let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
        let data = ir::algo::data::draw(param.elem, &shape, number, &param.name);
        (param.dir == ParamDir::In).then_some(data.bytes)
    };
    params.zip(0..).map(draw).collect()
}
