//! What all cores of a launch share: programs, footprints, shapes, global memory, and what had to be assumed.

use std::collections::BTreeSet;

use isa::chip::Chip;
use isa::types::{CoreKind, Pipe};

use crate::footprint::Footprints;
use crate::gm::Global;
use crate::order::FLAGS;
use crate::program::Program;
use crate::refusal::{CoreName, Reason};
use crate::shape::Shapes;

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
    pub(crate) steps: u64,
    most: u64,
    pub(crate) assumed: BTreeSet<(u8, u32, Assumed)>,
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
            steps: 0,
            most,
            assumed: BTreeSet::new(),
        }
    }

    /// Counts an instruction.
    pub(crate) fn count_step(&mut self) -> Result<(), Reason> {
        self.steps += 1;
        match self.steps > self.most {
            true => Err(Reason::TooLong(self.most)),
            false => Ok(()),
        }
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
