//! What all cores of a launch share: programs, footprints, shapes, global memory, and what had to be assumed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use isa::chip::Chip;
use isa::types::{CoreKind, Pipe};

use crate::Induction;
use crate::claims::Held;
use crate::footprint::Footprints;
use crate::gm::Global;
use crate::joint::JointHint;
use crate::order::FLAGS;
use crate::program::Program;
use crate::refusal::{CoreName, Reason};
use crate::shape::Shapes;
use crate::steady::Hint;
use crate::trail::Trace;

/// Something that values in memory must satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assumed {
    /// An address that data gives lies inside this tensor.
    Inside(usize),
    /// A divisor that data gives is not zero, or the program stops there.
    Divisor,
    /// Offsets of a gather stay inside UB and what is written there before.
    Offsets,
}

/// What all cores share.
pub(crate) struct World<'a> {
    pub(crate) chip: &'a Chip,
    /// By kind of core.
    pub(crate) programs: &'a [Program; 2],
    pub(crate) footprints: Footprints,
    pub(crate) shapes: Shapes,
    pub(crate) gm: Global,
    /// What is claimed of the programs.
    pub(crate) held: Held<'a>,
    pub(crate) steps: u64,
    /// Uses of global memory that were entered without being followed.
    entered: u64,
    most: u64,
    pub(crate) assumed: BTreeSet<(u8, u32, Assumed)>,
    /// Uses of global memory while loops are watched.
    pub(crate) trail: Vec<Trace>,
    /// What is known of loops, by kind of core and last instruction.
    pub(crate) hints: HashMap<(u8, u32), Hint>,
    /// The same of loops of cores that run together, by the loop of the first.
    pub(crate) joint_hints: HashMap<(u8, u32), JointHint>,
    /// Loops in which cores tell each other something, by kind of core and last instruction.
    pub(crate) crossing: BTreeSet<(u8, u32)>,
    /// Loops of which rounds were proved by induction.
    pub(crate) steady: BTreeMap<(u8, u32), Steady>,
    /// Cores that do as one that was followed.
    pub(crate) copied: usize,
    /// Whether rounds of loops and groups of cores may be proved without being followed.
    pub(crate) induct: bool,
    /// Whether a register was left without its value by rounds that were not followed.
    pub(crate) lost: bool,
}

/// What was proved of a loop by induction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steady {
    /// The longest period, in rounds.
    pub(crate) period: usize,
    /// Rounds that were not followed, of all cores.
    pub(crate) rounds: u64,
    /// Their instructions.
    pub(crate) steps: u64,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        chip: &'a Chip,
        programs: &'a [Program; 2],
        gm: Global,
        most: u64,
    ) -> World<'a> {
        World {
            chip,
            programs,
            footprints: Footprints::default(),
            shapes: Shapes::default(),
            gm,
            held: Held::default(),
            steps: 0,
            entered: 0,
            most,
            assumed: BTreeSet::new(),
            trail: Vec::new(),
            hints: HashMap::new(),
            joint_hints: HashMap::new(),
            crossing: BTreeSet::new(),
            steady: BTreeMap::new(),
            copied: 0,
            induct: true,
            lost: false,
        }
    }

    /// Counts an instruction.
    pub(crate) fn count_step(&mut self) -> Result<(), Reason> {
        self.steps += 1;
        self.bounded()
    }

    /// Counts a use of global memory that is entered without being followed.
    pub(crate) fn count_entry(&mut self) -> Result<(), Reason> {
        self.entered += 1;
        self.bounded()
    }

    fn bounded(&self) -> Result<(), Reason> {
        match self.steps + self.entered > self.most {
            true => Err(Reason::TooLong(self.most)),
            false => Ok(()),
        }
    }

    /// Loops that were proved by induction.
    pub(crate) fn inductions(&self) -> Vec<Induction> {
        let entry = |(&(kind, end), steady): (&(u8, u32), &Steady)| Induction {
            kind: match kind == CoreKind::Cube as u8 {
                true => CoreKind::Cube,
                false => CoreKind::Vector,
            },
            end,
            period: steady.period,
            rounds: steady.rounds,
            steps: steady.steps,
        };
        self.steady.iter().map(entry).collect()
    }

    /// Counts rounds of a loop that are proved by induction.
    pub(crate) fn skipped(&mut self, key: (u8, u32), period: usize, rounds: u64, steps: u64) {
        let steady = self.steady.entry(key).or_default();
        steady.period = steady.period.max(period);
        steady.rounds += rounds;
        steady.steps += rounds.saturating_mul(steps);
    }

    pub(crate) fn assume(&mut self, kind: CoreKind, pc: u32, assumed: Assumed) {
        self.assumed.insert((kind as u8, pc, assumed));
    }

    /// What had to be assumed, as text.
    pub(crate) fn assumptions(&self) -> Vec<String> {
        let text = |(kind, pc, assumed): &(u8, u32, Assumed)| {
            let section = if *kind == CoreKind::Cube as u8 {
                "aic"
            } else {
                "aiv"
            };
            match assumed {
                Assumed::Inside(region) => {
                    let name = &self.gm.regions[*region].name;
                    format!(
                        "the address that data gives to instruction {pc} of {section} lies inside `{name}`"
                    )
                }
                Assumed::Divisor => {
                    format!(
                        "instruction {pc} of {section} stops the program if data makes its divisor zero"
                    )
                }
                Assumed::Offsets => {
                    format!(
                        "the offsets of instruction {pc} of {section} name bytes that were written before"
                    )
                }
            }
        };
        self.assumed.iter().map(text).collect()
    }

    /// The pipes and the number of a flag of a kind of core.
    pub(crate) fn flag_name(&self, kind: CoreKind, index: usize) -> (Pipe, Pipe, u8) {
        let (src, dst) = self.programs[kind as usize].pairs[index / FLAGS];
        (src, dst, (index % FLAGS) as u8)
    }
}

/// A core of which only the number is known; [`crate::launch`] puts the name in.
pub(crate) fn unnamed(number: u32) -> CoreName {
    CoreName {
        group: number,
        vector: Some(u8::MAX),
    }
}
