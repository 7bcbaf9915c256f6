//! Groups of cores that do the same further on: proved from one of them, along the number of the group.
//!
//! A group is followed with a slope beside each register, as a round of a loop is (`slopes`): its number is 0 and goes up by
//! one. For as many numbers as every decision comes out the same, other groups have the same instructions, flags and
//! places on chip, and addresses of global memory that are further by the same amounts. What is left to show is that their
//! uses of global memory are in bounds and do not meet.

use std::sync::Arc;

use isa::object::ParamDir;

use crate::cross::Heard;
use crate::gm::Global;
use crate::order::{Known, LANES};
use crate::refusal::{CoreName, Place, Refusal};
use crate::slopes::{LEVELS, Levels};
use crate::trail::{Counts, Trace};
use crate::world::World;

/// The level along the number of the group.
const GROUP: usize = 0;
const STAY: Counts = Counts {
    step: [0; LANES],
    still: [u32::MAX; LANES],
};

/// Opens the level along the number of the group.
pub(crate) fn open(levels: &mut Levels) {
    levels.open([0; isa::inst::Reg::COUNT], 0, 1);
}

/// How many further groups do as these cores.
pub(crate) fn further<'a>(levels: impl Iterator<Item = &'a Levels>) -> u32 {
    let each = levels.map(|levels| match levels.all.first() {
        Some(level) if !level.failed => u32::try_from(level.limit).unwrap_or(u32::MAX),
        Some(_) | None => 0,
    });
    each.min().unwrap_or(0)
}

/// Enters what further groups do, whose cores have numbers so much higher each; none are entered if one of them would
/// leave a tensor, so that it is followed and named.
pub(crate) fn enter(
    world: &mut World<'_>,
    trail: &[Trace],
    (groups, cores): (u32, u32),
    names: &[CoreName],
) -> Result<bool, Refusal> {
    let stays = |trace: &Trace| {
        let last = trace.later(GROUP, groups, &STAY);
        let there = world
            .gm
            .within(last.use_.operand, &last.use_.pieces, last.at);
        trace.reaches(GROUP, groups) && there == Ok(last.region)
    };
    if !trail.iter().all(stays) {
        return Ok(false);
    }
    let own: Vec<bool> = (0..world.gm.regions.len())
        .map(|region| reserve(&mut world.gm, trail, region, groups))
        .collect();
    for group in 1..=groups {
        for trace in trail {
            if world.gm.is_input(trace.region) || own[trace.region] {
                continue;
            }
            let mut later = trace.later(GROUP, group, &STAY);
            later.who.core += group * cores;
            later.heard = moved(&trace.heard, (group * cores) as usize);
            let counted = world.count_entry().map_err(|reason| (reason, None));
            let entered = counted.and_then(|()| later.enter(&mut world.gm));
            entered.map_err(|(reason, other)| Refusal {
                reason,
                place: names.get(later.who.core as usize).map(|&core| Place {
                    core,
                    pc: later.who.pc,
                    pipe: crate::order::lane_pipe(usize::from(later.who.lane)),
                }),
                other,
                hint: None,
            })?;
        }
    }
    Ok(true)
}

/// Whether each group has a part of a scratch tensor of its own; sets those parts aside.
fn reserve(gm: &mut Global, trail: &[Trace], region: usize, groups: u32) -> bool {
    if gm.regions[region].dir != ParamDir::Work {
        return false;
    }
    let mut hull: Option<(u64, u64, i64)> = None;
    for trace in trail.iter().filter(|trace| trace.region == region) {
        let (start, end) = trace.span(gm);
        let slope = trace.slopes[GROUP];
        let (low, high, common) = hull.unwrap_or((start, end, slope));
        if slope != common || slope <= 0 {
            return false;
        }
        hull = Some((low.min(start), high.max(end), slope));
    }
    let Some((low, high, slope)) = hull else {
        return true;
    };
    if high - low > slope.unsigned_abs() {
        return false;
    }
    let part = |group: u32| {
        let way = slope.unsigned_abs() * u64::from(group);
        (low + way, high + way)
    };
    if (1..=groups).any(|group| gm.is_used(region, part(group))) {
        return false;
    }
    gm.regions[region].reserved.extend((1..=groups).map(part));
    true
}

/// What is heard of cores, of others so much further.
fn moved(heard: &Heard, cores: usize) -> Heard {
    let known = heard.as_ref()?;
    let mut all = vec![Known::default(); cores];
    all.extend_from_slice(known);
    Some(Arc::new(all))
}

const _: () = assert!(GROUP < LEVELS, "a level");
