//! Binaries with one mistake each, made from the words of compiled kernels by code that knows no verifier, and judged by
//! running them: which of them the emulator shows to be wrong, and which of them the verifier refuses.
//!
//! *Sync mutants* change the order: flags, barriers, counters, places of buffers, parities, neighbours. *Data mutants* change
//! what is computed on: repeats, masks, lengths, addresses. A sample runs with `cargo test`, all with
//! `cargo bench -p tests --bench mutants`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use backend::Level;
use diag::SourceMap;
use driver::{Settings, build, kernel};
use emulator::{Fault, Options, Outcome, Sanitize, Sanitizer, Schedule};
use ir::algo::data::{Random, draw};
use isa::chip::Chip;
use isa::inst::*;
use isa::object::{Object, ParamDir};
use isa::types::{CoreKind, Pipe};
use verifier::{Class, Refusal};

static CHIP: LazyLock<Chip> =
    LazyLock::new(|| Chip::builtin(Chip::DEFAULT).expect("the default chip is built in"));

/// Instructions of a launch beyond which a variant is too slow to be run so often.
const SMALL: u64 = 5_000;
/// Instructions that a core of a mutant may execute.
const STEPS: u64 = 1 << 16;

/// A compiled kernel with its arguments and its results.
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) object: Object,
    inputs: Vec<Option<Vec<u8>>>,
    results: Vec<Vec<u8>>,
}

/// Small launches of the library, at both levels. Kernels that take numbers for indices are left out: drawn ones stop.
pub(crate) fn variants(most: usize) -> Vec<Variant> {
    let mut all = Vec::new();
    for (name, text) in stdlib::SOURCES {
        let mut sources = SourceMap::new();
        let file = sources.add(*name, *text);
        let Ok(loaded) = kernel::load(file, &mut sources, &mut Vec::new()) else {
            continue;
        };
        let shapes = loaded.lines("test").unwrap_or_default();
        let Some(info) = loaded.kernels().into_iter().next() else {
            continue;
        };
        for (number, values) in shapes.iter().enumerate() {
            let Ok(func) = loaded.bind(&info, values, &BTreeMap::new()) else {
                continue;
            };
            for level in [Level::O0, Level::O1] {
                let settings = Settings::new(CHIP.clone(), level);
                let Ok(compiled) = build::compile(&func, &settings, &sources) else {
                    continue;
                };
                let name = format!("{name} #{number} {level:?}");
                all.extend(variant(name, compiled.lowered.object));
                if all.len() == most {
                    return all;
                }
            }
        }
    }
    all
}

/// A variant, if it is small, right and proved.
fn variant(name: String, object: Object) -> Option<Variant> {
    let bytes = object.write().ok()?;
    let object = Object::read(&bytes).ok()?;
    let proof = verifier::verify_every_round(&object, &CHIP).ok()?;
    if proof.steps > SMALL {
        return None;
    }
    let inputs = inputs(&object);
    let ran = run(&object, &inputs, Schedule::InOrder, Sanitize::ALL).ok()?;
    let results = results(&object, &ran);
    Some(Variant {
        name,
        object,
        inputs,
        results,
    })
}

/// Larger launches, for whom nothing is run: loops that go on for long, cores that do alike.
pub(crate) fn long_variants() -> Vec<Variant> {
    let launches = [
        ("gemm", "M=384 K=2048 N=768"),
        ("softmax", "R=700 C=1000"),
        ("rmsnorm", "R=999 D=512"),
        ("gemm_bias_gelu", "M=512 K=768 N=512"),
        ("attention", "H=6 S=256 T=512 D=64"),
        ("layernorm", "R=333 D=1000"),
    ];
    let compile = |(name, sizes): (&str, &str), level| {
        let (_, text) = stdlib::SOURCES
            .iter()
            .find(|(path, _)| path.ends_with(&format!("{name}.vn")))?;
        let mut sources = SourceMap::new();
        let file = sources.add(name, *text);
        let loaded = kernel::load(file, &mut sources, &mut Vec::new()).ok()?;
        let info = loaded.kernels().into_iter().next()?;
        let values = kernel::Values::read(sizes.split(' ')).ok()?;
        let func = loaded.bind(&info, &values, &BTreeMap::new()).ok()?;
        let settings = Settings::new(CHIP.clone(), level);
        let object = build::compile(&func, &settings, &sources)
            .ok()?
            .lowered
            .object;
        Some(Variant {
            name: format!("{name} {sizes} {level:?}"),
            object: Object::read(&object.write().ok()?).ok()?,
            inputs: Vec::new(),
            results: Vec::new(),
        })
    };
    let levels = [Level::O0, Level::O1];
    launches
        .into_iter()
        .flat_map(|launch| levels.map(|level| compile(launch, level)))
        .flatten()
        .collect()
}

fn inputs(object: &Object) -> Vec<Option<Vec<u8>>> {
    let drawn = |param: &isa::object::ParamMeta| {
        let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
        (param.dir == ParamDir::In).then(|| draw(param.elem, &shape, 0, &param.name).bytes)
    };
    object.kernel.params.iter().map(drawn).collect()
}

fn run(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    schedule: Schedule,
    sanitize: Sanitize,
) -> Result<Outcome, Fault> {
    let options = Options {
        threads: 1,
        schedule,
        sanitize,
        max_steps: STEPS,
        ..Options::default()
    };
    emulator::run(object, inputs, &CHIP, &options)
}

fn results(object: &Object, outcome: &Outcome) -> Vec<Vec<u8>> {
    let tensors = object.kernel.params.iter().zip(&outcome.tensors);
    let results = tensors.filter(|(param, _)| param.dir == ParamDir::Out);
    results.map(|(_, bytes)| bytes.clone()).collect()
}

/// A binary with a mistake.
pub(crate) struct Mutant {
    pub(crate) object: Object,
    /// What was done.
    pub(crate) what: &'static str,
    pub(crate) core: CoreKind,
    pub(crate) pc: usize,
    /// All instructions that are not what they were.
    changed: Vec<usize>,
}

fn is_sync(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::SetFlag(_)
            | Inst::WaitFlag(_)
            | Inst::Bar(_)
            | Inst::Xset(_)
            | Inst::Xwait(_)
            | Inst::Dsb(_)
    )
}

/// Makes one mistake; none if the draw does not suit the binary.
pub(crate) fn mutate(variant: &Variant, data: bool, random: &mut Random) -> Option<Mutant> {
    let mut object = variant.object.clone();
    let core = match (object.aic.is_empty(), object.aiv.is_empty()) {
        (true, _) => CoreKind::Vector,
        (_, true) => CoreKind::Cube,
        _ if below(random, 2) == 0 => CoreKind::Cube,
        _ => CoreKind::Vector,
    };
    let code = match core {
        CoreKind::Cube => &mut object.aic,
        CoreKind::Vector => &mut object.aiv,
    };
    let (what, pc) = match data {
        true => change_data(code, random)?,
        false => match below(random, 8) {
            0 => drop_one(code, random)?,
            1 => duplicate(code, random)?,
            2 => exchange(code, random)?,
            3 => retag(code, random)?,
            4 => weaken(code, random)?,
            5 => shift(code, random)?,
            6 => parity(code, random)?,
            _ => neighbours(code, random)?,
        },
    };
    if what == "duplicated" {
        let lines = match core {
            CoreKind::Cube => &mut object.lines_aic,
            CoreKind::Vector => &mut object.lines_aiv,
        };
        let moved = lines.iter_mut().filter(|row| row.pc as usize > pc);
        moved.for_each(|row| row.pc += 1);
    }
    let bytes = object.write().ok()?;
    let object = Object::read(&bytes).ok()?;
    let (before, after) = (variant.object.code(core), object.code(core));
    let changed = match before.len() == after.len() {
        true => (0..before.len())
            .filter(|&at| before[at] != after[at])
            .collect(),
        false => vec![pc],
    };
    (object != variant.object).then_some(Mutant {
        changed,
        object,
        what,
        core,
        pc,
    })
}

type Change = Option<(&'static str, usize)>;

/// A number below a limit.
fn below(random: &mut Random, limit: u64) -> u64 {
    random.next() % limit
}

fn pick(code: &[Inst], random: &mut Random, wanted: impl Fn(&Inst) -> bool) -> Option<usize> {
    let all: Vec<usize> = (0..code.len()).filter(|&pc| wanted(&code[pc])).collect();
    let at = below(random, all.len().max(1) as u64) as usize;
    all.get(at).copied()
}

fn drop_one(code: &mut [Inst], random: &mut Random) -> Change {
    let pc = pick(code, random, is_sync)?;
    code[pc] = Inst::Nop(Nop {});
    Some(("dropped", pc))
}

fn duplicate(code: &mut Vec<Inst>, random: &mut Random) -> Change {
    let pc = pick(code, random, is_sync)?;
    let again = code[pc];
    for inst in code.iter_mut() {
        move_label(inst, pc);
    }
    code.insert(pc + 1, again);
    Some(("duplicated", pc))
}

/// Labels behind an instruction go one further.
fn move_label(inst: &mut Inst, pc: usize) {
    let further = |label: &mut Label| {
        if label.0 as usize > pc {
            label.0 += 1;
        }
    };
    if let Inst::Jmp(i) = inst {
        further(&mut i.target);
    } else if let Inst::Bcc(i) = inst {
        further(&mut i.target);
    } else if let Inst::Loop(i) = inst {
        further(&mut i.end);
    } else if let Inst::Call(i) = inst {
        further(&mut i.target);
    }
}

/// Two orders change places.
fn exchange(code: &mut [Inst], random: &mut Random) -> Change {
    let first = pick(code, random, is_sync)?;
    let second =
        (first + 1..code.len()).find(|&pc| is_sync(&code[pc]) && code[pc] != code[first])?;
    code.swap(first, second);
    Some(("exchanged", first))
}

fn retag(code: &mut [Inst], random: &mut Random) -> Change {
    let pc = pick(code, random, |inst| {
        matches!(
            inst,
            Inst::SetFlag(_) | Inst::WaitFlag(_) | Inst::Xset(_) | Inst::Xwait(_)
        )
    })?;
    let pipes = [
        PipeOp::V,
        PipeOp::Mte2,
        PipeOp::Mte3,
        PipeOp::M,
        PipeOp::Mte1,
    ];
    let other = pipes[below(random, 5) as usize];
    let pipe = below(random, 3) == 0;
    if let Inst::SetFlag(i) = &mut code[pc] {
        match pipe {
            true => i.dst = other,
            false => i.id = other_id(i.id),
        }
    } else if let Inst::WaitFlag(i) = &mut code[pc] {
        match pipe {
            true => i.src = other,
            false => i.id = other_id(i.id),
        }
    } else if let Inst::Xset(i) = &mut code[pc] {
        i.id = other_id(i.id);
    } else if let Inst::Xwait(i) = &mut code[pc] {
        i.id = other_id(i.id);
    }
    Some(("re-tagged", pc))
}

fn other_id<const N: u32>(id: Val<N>) -> Val<N> {
    match id {
        Val::Imm(id) => Val::Imm(id ^ 1),
        Val::Reg(_) => Val::Imm(0),
    }
}

fn weaken(code: &mut [Inst], random: &mut Random) -> Change {
    let pc = pick(code, random, |inst| {
        matches!(inst, Inst::Bar(_) | Inst::Xset(_))
    })?;
    let pipes = [
        PipeOp::V,
        PipeOp::Mte2,
        PipeOp::Mte3,
        PipeOp::M,
        PipeOp::Fix,
    ];
    let other = pipes[below(random, 5) as usize];
    if let Inst::Bar(i) = &mut code[pc] {
        i.pipe = other;
    } else if let Inst::Xset(i) = &mut code[pc] {
        match below(random, 2) {
            0 => i.mode = UImm((i.mode.0 + 1) % 3),
            _ => i.pipe = other,
        }
    }
    Some(("weakened", pc))
}

/// A buffer begins 32 bytes further, or earlier, or the second of a pair does: a constant of an address changes wherever it
/// stands.
fn shift(code: &mut [Inst], random: &mut Random) -> Change {
    let pc = pick(code, random, |inst| constants(inst).next().is_some())?;
    let all: Vec<i64> = constants(&code[pc]).collect();
    let old = all[below(random, all.len() as u64) as usize];
    let new = if below(random, 2) == 0 {
        old + 32
    } else {
        old - 32
    };
    for inst in code.iter_mut() {
        if constants(inst).any(|value| value == old) {
            move_buffer(inst, old, new);
        }
    }
    Some(("shifted", pc))
}

/// The constants of an instruction that can be, or make, an address on chip.
fn constants(inst: &Inst) -> impl Iterator<Item = i64> + use<> {
    let mut all = Vec::new();
    if let Inst::Madd(i) = inst {
        all.extend([i.b, i.c].into_iter().filter_map(|value| match value {
            XVal::Imm(value) => Some(i64::from(value)),
            XVal::Reg(_) => None,
        }));
    } else if inst.queue() != Pipe::S {
        all.extend(inst.memory().iter().filter_map(|place| match place.at {
            Addr::Imm(at) => Some(i64::from(at)),
            Addr::Reg(_) => None,
        }));
    }
    let buffer = |value: &i64| *value >= 64 && *value < 1 << 19 && value % 32 == 0;
    all.into_iter().filter(buffer)
}

fn move_buffer(inst: &mut Inst, old: i64, new: i64) {
    if let Inst::Madd(i) = inst {
        for value in [&mut i.b, &mut i.c] {
            if *value == XVal::Imm(old as i32) {
                *value = XVal::Imm(new as i32);
            }
        }
        return;
    }
    // Operands have many types; their text has one form.
    let text = inst.to_string();
    let moved = text.replace(&format!("+{old:#x},"), &format!("+{new:#x},"));
    if let Ok(moved) = parse_inst(&moved, &|_| None) {
        *inst = moved;
    }
}

fn parity(code: &mut [Inst], random: &mut Random) -> Change {
    let turns = |inst: &Inst| matches!(inst, Inst::Xor(i) if i.a == XVal::Reg(i.dst.0) && matches!(i.b, XVal::Imm(v) if v != 0));
    let pc = pick(code, random, turns)?;
    code[pc] = Inst::Nop(Nop {});
    Some(("parity kept", pc))
}

fn neighbours(code: &mut [Inst], random: &mut Random) -> Change {
    let pc = below(random, code.len().max(2) as u64 - 1) as usize;
    let fixed = |inst: &Inst| {
        inst.label().is_some() || matches!(inst, Inst::Endloop(_) | Inst::End(_) | Inst::Ret(_))
    };
    let second = code.get(pc + 1)?;
    let queued = |inst: &Inst| inst.queue() != Pipe::S || is_sync(inst);
    if fixed(&code[pc]) || fixed(second) || !(queued(&code[pc]) || queued(second)) {
        return None;
    }
    code.swap(pc, pc + 1);
    Some(("neighbours swapped", pc))
}

/// One bit of an operand of an instruction that works on data.
fn change_data(code: &mut [Inst], random: &mut Random) -> Change {
    let pc = pick(code, random, |inst| {
        !is_sync(inst) && inst.queue() != Pipe::S || matches!(inst, Inst::Vsetcount(_))
    })?;
    let mut word = code[pc].encode().ok()?;
    // Above the opcode, where operands are.
    let bit = 8 + below(random, 88) as usize;
    word[bit / 8] ^= 1 << (bit % 8);
    let changed = Inst::decode(&word).ok()?;
    if changed.registers().reads & !code[pc].registers().reads != 0 {
        return None;
    }
    code[pc] = changed;
    Some(("data changed", pc))
}

/// How a mutant fared.
pub(crate) struct Judged {
    /// How the emulator shows it to be wrong: the sanitizer's name, or other bits; none if it does not.
    pub(crate) exposed: Option<Exposed>,
    /// What the verifier says.
    pub(crate) refusal: Option<Refusal>,
    /// Whether it says the same when it follows every round of every loop on every core.
    pub(crate) agrees: bool,
}

/// How a mistake is seen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exposed {
    /// A fault, and the sanitizer that found it if one did.
    Fault(Option<Sanitizer>),
    /// Other bits under some order than under another.
    Order,
    /// Other bits, the same in every order that was tried, and no sanitizer says anything: it computes something else.
    Values,
}

/// Runs a mutant in order and under so many seeds, until it is seen to be wrong.
pub(crate) fn judge(variant: &Variant, mutant: &Mutant, seeds: u64) -> Judged {
    let refusal = verifier::verify(&mutant.object, &CHIP).err().map(|it| *it);
    Judged {
        exposed: exposed(variant, mutant, seeds),
        agrees: refusal.is_some() == refused_at_length(mutant),
        refusal,
    }
}

/// Whether the verifier refuses a mutant when it follows every round of every loop on every core.
pub(crate) fn refused_at_length(mutant: &Mutant) -> bool {
    verifier::verify_every_round(&mutant.object, &CHIP).is_err()
}

/// What the verifier says of a mutant.
pub(crate) fn refused(mutant: &Mutant) -> bool {
    verifier::verify(&mutant.object, &CHIP).is_err()
}

fn exposed(variant: &Variant, mutant: &Mutant, seeds: u64) -> Option<Exposed> {
    let run = |schedule, sanitize| run(&mutant.object, &variant.inputs, schedule, sanitize);
    let first = match run(Schedule::InOrder, Sanitize::NONE) {
        Err(fault) => return Some(Exposed::Fault(first_said(mutant, variant, &fault))),
        Ok(outcome) => results(&mutant.object, &outcome),
    };
    if first != variant.results
        && let Err(fault) = run(Schedule::InOrder, Sanitize::ALL)
    {
        return Some(Exposed::Fault(fault.sanitizer()));
    }
    for seed in 0..seeds {
        let schedule = Schedule::Adversarial(seed);
        match run(schedule, Sanitize::NONE) {
            Err(fault) => return Some(Exposed::Fault(first_said(mutant, variant, &fault))),
            Ok(outcome) if results(&mutant.object, &outcome) != first => {
                let fault = run(Schedule::InOrder, Sanitize::ALL).err();
                return Some(fault.map_or(Exposed::Order, |it| Exposed::Fault(it.sanitizer())));
            }
            Ok(_) => {}
        }
    }
    (first != variant.results).then_some(Exposed::Values)
}

/// What the sanitizers say first, in order, of a mutant that comes to a fault in some order.
fn first_said(mutant: &Mutant, variant: &Variant, fault: &Fault) -> Option<Sanitizer> {
    let all = run(
        &mutant.object,
        &variant.inputs,
        Schedule::InOrder,
        Sanitize::ALL,
    );
    all.err()
        .map_or(fault.sanitizer(), |first| first.sanitizer())
}

/// The class that a verifier should name for what a sanitizer found; none where it has no say.
pub(crate) fn class_of(sanitizer: Sanitizer) -> Option<Class> {
    match sanitizer {
        Sanitizer::Uninitialised => Some(Class::Uninitialised),
        Sanitizer::Bounds => Some(Class::Bounds),
        Sanitizer::Alignment => Some(Class::Legality),
        Sanitizer::RaceInCore | Sanitizer::RaceBetweenCores | Sanitizer::DataCache => {
            Some(Class::Race)
        }
        Sanitizer::FlagMisuse => Some(Class::Flags),
        Sanitizer::Deadlock => Some(Class::Deadlock),
        Sanitizer::NanOrigin => None,
    }
}

/// The class that a refusal should have: that of words which are no program of this chip, else what a sanitizer finds.
fn class_wanted(mutant: &Mutant, exposed: &Exposed) -> Option<Class> {
    if !isa::legal::check_object(&mutant.object, &CHIP).is_empty() {
        return Some(Class::Legality);
    }
    match exposed {
        Exposed::Fault(Some(sanitizer)) => class_of(*sanitizer),
        Exposed::Fault(None) | Exposed::Order | Exposed::Values => None,
    }
}

/// What became of some mutants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: usize,
    /// Shown to be wrong by running.
    pub(crate) exposed: usize,
    /// Refused.
    pub(crate) refused: usize,
    /// Refused although no run showed anything.
    pub(crate) beyond: usize,
    /// Shown to be wrong and refused; of those the right class, the right line.
    pub(crate) both: usize,
    pub(crate) class: usize,
    pub(crate) classed: usize,
    pub(crate) line: usize,
    /// Shown to be wrong, and accepted.
    pub(crate) missed: Vec<String>,
    /// Accepted, and they compute something else, the same in every order; by what was done.
    pub(crate) values: BTreeMap<&'static str, usize>,
    /// Those that were judged otherwise than wanted: accepted though they compute something else, another class, another
    /// line.
    pub(crate) odd: Vec<String>,
}

impl Tally {
    fn note(&mut self, what: &str, variant: &Variant, mutant: &Mutant, judged: &Judged) {
        let Mutant {
            what: how,
            pc,
            core,
            object,
            ..
        } = mutant;
        let inst = object.code(*core).get(*pc).map(ToString::to_string);
        let refusal = judged.refusal.as_ref().map(ToString::to_string);
        self.odd.push(format!(
            "{what}: {} {how} at {core:?} {pc} `{}`: shown {:?}, said {}",
            variant.name,
            inst.unwrap_or_default(),
            judged.exposed,
            refusal.unwrap_or_default()
        ));
    }

    /// Counts a mutant.
    pub(crate) fn add(&mut self, variant: &Variant, mutant: &Mutant, judged: &Judged) {
        self.count += 1;
        self.refused += usize::from(judged.refusal.is_some());
        if !judged.agrees {
            self.missed.push(format!(
                "{}: {} at {:?} {}: induction says otherwise",
                variant.name, mutant.what, mutant.core, mutant.pc
            ));
        }
        let Some(exposed) = &judged.exposed else {
            self.beyond += usize::from(judged.refusal.is_some());
            return;
        };
        self.exposed += 1;
        let Some(refusal) = &judged.refusal else {
            let how = match exposed {
                Exposed::Fault(sanitizer) => sanitizer.map_or("a fault", Sanitizer::name),
                Exposed::Order => "other bits under another order",
                Exposed::Values => {
                    *self.values.entry(mutant.what).or_default() += 1;
                    self.note("values", variant, mutant, judged);
                    return;
                }
            };
            self.missed.push(format!(
                "{}: {} at {:?} {}: {how}",
                variant.name, mutant.what, mutant.core, mutant.pc
            ));
            return;
        };
        self.both += 1;
        let near = near(mutant, refusal);
        self.line += usize::from(near);
        if !near {
            self.note("line", variant, mutant, judged);
        }
        if let Some(class) = class_wanted(mutant, exposed) {
            self.classed += 1;
            self.class += usize::from(class == refusal.reason.class());
            if class != refusal.reason.class() {
                self.note("class", variant, mutant, judged);
            }
        }
    }

    /// Adds what another counted.
    pub(crate) fn join(&mut self, other: Tally) {
        self.count += other.count;
        self.exposed += other.exposed;
        self.refused += other.refused;
        self.beyond += other.beyond;
        self.both += other.both;
        self.class += other.class;
        self.classed += other.classed;
        self.line += other.line;
        for (what, count) in other.values {
            *self.values.entry(what).or_default() += count;
        }
        self.missed.extend(other.missed);
        self.odd.extend(other.odd);
    }
}

/// Whether a refusal names the source line of an instruction that the mistake has changed: an exchange changes two, a
/// buffer that begins elsewhere all that name it.
fn near(mutant: &Mutant, refusal: &Refusal) -> bool {
    let line = |core, pc: usize| mutant.object.line_of(core, pc as u32).map(|row| row.line);
    let hint = refusal.hint.as_ref().map(|hint| &hint.place);
    let places = refusal.place.iter().chain(&refusal.other).chain(hint);
    let mut lines = places.map(|place| line(place.core.kind(), place.pc as usize));
    let changed: Vec<_> = mutant
        .changed
        .iter()
        .map(|&pc| line(mutant.core, pc))
        .collect();
    lines.any(|found| changed.contains(&found)) || refusal.place.is_none()
}
