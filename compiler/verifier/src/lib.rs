//! Proves of a finished object that nothing in it depends on the order in which the machine happens to run it.
//!
//! Takes only the object: it knows no compiler, and shares with it the instruction table alone. Where to start:
//! [`verify()`]. What it proves, and how a kernel author should think of it, is in `README.md`.

mod bits;
mod blocks;
mod cached;
mod certificate;
mod claims;
mod copies;
mod core;
mod cross;
mod deadlock;
mod follow;
mod footprint;
mod gm;
mod held;
mod joint;
mod launch;
mod local;
mod moves;
mod offsets;
mod order;
mod places;
mod program;
mod refusal;
mod scalar;
mod scalar_memory;
mod shape;
mod slopes;
mod state;
mod steady;
mod step;
mod sync;
mod together;
mod trail;
mod work;
mod world;

pub use certificate::{assumptions, certificate, is_certified};
pub use refusal::{Cached, Class, CoreName, Hint, Place, Reason, Refusal, Stuck, Verb, WaitsFor};

use isa::chip::Chip;
use isa::legal;
use isa::object::Object;
use isa::types::CoreKind;

/// What was proved of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Instructions that were followed, of all cores.
    pub steps: u64,
    /// Sets of on-chip bytes that were told apart.
    pub footprints: usize,
    /// Cores.
    pub cores: usize,
    /// Those that were not followed, but proved along the number of their group.
    pub copied: usize,
    /// Loops of which not every round was followed.
    pub inductions: Vec<Induction>,
    /// What values in memory must satisfy.
    pub assumptions: Vec<String>,
    /// How many buffers and steps something is claimed of.
    pub claimed: (usize, usize),
}

/// A loop that was proved by induction from some of its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Induction {
    /// The program.
    pub kind: CoreKind,
    /// Its last instruction.
    pub end: u32,
    /// The most rounds after which it repeats itself.
    pub period: usize,
    /// Rounds that were not followed, of all cores that were.
    pub rounds: u64,
    /// Instructions of those.
    pub steps: u64,
}

/// Proves an object for a chip, or says what is wrong with it.
///
/// # Errors
/// The first thing found that is wrong or cannot be proved.
pub fn verify(object: &Object, chip: &Chip) -> Result<Proof, Box<Refusal>> {
    verify_within(object, chip, MOST_STEPS)
}

/// As [`verify()`], following at most so many instructions.
///
/// # Errors
/// As for [`verify()`], and [`Reason::TooLong`].
pub fn verify_within(object: &Object, chip: &Chip, most: u64) -> Result<Proof, Box<Refusal>> {
    prove(object, chip, most, true).map_err(Box::new)
}

/// As [`verify()`], following every round of every loop on every core: what tests compare with.
///
/// # Errors
/// As for [`verify()`].
pub fn verify_every_round(object: &Object, chip: &Chip) -> Result<Proof, Box<Refusal>> {
    prove(object, chip, MOST_STEPS, false).map_err(Box::new)
}

/// Most instructions of a launch that are followed if nothing else is said.
const MOST_STEPS: u64 = 1 << 30;

fn prove(object: &Object, chip: &Chip, most: u64, induct: bool) -> Result<Proof, Refusal> {
    let first = attempt(object, chip, most, induct);
    let Err(refusal) = &first else { return first };
    if !induct || matches!(refusal.reason, Reason::TooLong(_) | Reason::Illegal(_)) {
        return first;
    }
    // Followed round by round, the first mistake is named, and where that shows none there is none.
    match attempt(object, chip, most.min(MOST_AGAIN), false) {
        Err(again) if matches!(again.reason, Reason::TooLong(_)) => first,
        second => second,
    }
}

/// Instructions that are followed to name a mistake that induction has found.
const MOST_AGAIN: u64 = 1 << 25;

fn attempt(object: &Object, chip: &Chip, most: u64, induct: bool) -> Result<Proof, Refusal> {
    check_words(object, chip)?;
    let (names, groups) = launch::cores(object, chip)?;
    let whole = |text: &str| Refusal {
        reason: Reason::Object(text.to_owned()),
        place: None,
        other: None,
        hint: None,
    };
    if object.kernel.launch_words().any(|word| word == 0) {
        return Err(whole("its sizes are given at the launch"));
    }
    let gm = gm::Global::new(&object.kernel).ok_or_else(|| whole("a tensor is too large"))?;
    let programs = [
        program::Program::new(&object.aic),
        program::Program::new(&object.aiv),
    ];
    let mut world = world::World::new(chip, &programs, gm, most);
    world.induct = induct;
    world.held = claims::Held::new(object);
    launch::run(&names, groups, &mut world)?;
    if let Some(wrong) = world.held.wrong.take() {
        return Err(wrong);
    }
    if world.lost && !world.assumed.is_empty() {
        // What is taken for data may be such a value.
        return Err(whole("a value that rounds left out had"));
    }
    Ok(Proof {
        steps: world.steps,
        footprints: world.footprints.all.len(),
        cores: names.len(),
        copied: world.copied,
        inductions: world.inductions(),
        assumptions: world.assumptions(),
        claimed: (
            object.claims.buffers.len(),
            object.claims.aic.len() + object.claims.aiv.len(),
        ),
    })
}

/// Each instruction by itself.
fn check_words(object: &Object, chip: &Chip) -> Result<(), Refusal> {
    match legal::check_object(object, chip).into_iter().next() {
        None => Ok(()),
        Some((kind, pc, error)) => Err(Refusal {
            reason: Reason::Illegal(error),
            place: Some(Place {
                core: CoreName {
                    group: 0,
                    vector: (kind == CoreKind::Vector).then_some(0),
                },
                pc: pc as u32,
                pipe: object.code(kind)[pc].queue(),
            }),
            other: None,
            hint: None,
        }),
    }
}
