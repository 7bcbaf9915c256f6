//! A launch: which cores run what, round by round, and what must hold when all have ended.

use isa::chip::Chip;
use isa::object::Object;
use isa::types::CoreKind;

use crate::copies;
use crate::core::Core;
use crate::cross::{Meeting, reaches};
use crate::deadlock::deadlock;
use crate::joint::Joint;
use crate::program::Program;
use crate::refusal::{CoreName, Place, Reason, Refusal};
use crate::world::World;

fn whole(reason: Reason) -> Refusal {
    Refusal {
        reason,
        place: None,
        other: None,
        hint: None,
    }
}

/// The cores of a launch, in the order of their numbers.
pub(crate) fn cores(object: &Object, chip: &Chip) -> Result<(Vec<CoreName>, u32), Refusal> {
    let kernel = &object.kernel;
    let pair = u32::try_from(chip.cores.vectors_per_cube.max(1)).unwrap_or(1);
    let runs = |code: &[isa::inst::Inst], cores: u32| if code.is_empty() { 0 } else { cores };
    let cube = runs(&object.aic, kernel.cube_cores);
    let vector = runs(&object.aiv, kernel.vector_cores);
    let groups = cube.max(vector.div_ceil(pair));
    let limit = chip.cores.cube.max(chip.cores.vector / u64::from(pair));
    if u64::from(groups) > limit {
        let text = format!(
            "it runs on {groups} groups of cores, {} has {limit}",
            chip.name
        );
        return Err(whole(Reason::Object(text)));
    }
    let mut names = Vec::new();
    for group in 0..groups {
        if !object.aic.is_empty() {
            names.push(CoreName {
                group,
                vector: None,
            });
        }
        if !object.aiv.is_empty() {
            names.extend((0..pair as u8).map(|v| CoreName {
                group,
                vector: Some(v),
            }));
        }
    }
    Ok((names, groups))
}

/// Follows every core to its end, or proves that it does as one that was followed.
pub(crate) fn run(names: &[CoreName], groups: u32, world: &mut World<'_>) -> Result<(), Refusal> {
    let size = names.len().checked_div(groups as usize).unwrap_or(0);
    let programs = world.programs;
    let ended = if programs.iter().any(Program::crosses_groups) {
        let all: Vec<usize> = (0..names.len()).collect();
        let mut cores = make(&all, names, groups, world);
        run_together(&mut cores, world)
    } else if programs.iter().any(Program::crosses) {
        let group: Vec<usize> = (0..size).collect();
        run_groups(&group, names, groups, world)
    } else {
        (0..size).try_for_each(|core| run_groups(&[core], names, groups, world))
    };
    ended.map_err(|refusal| named(refusal, names))?;
    match world.gm.unwritten() {
        Some(reason) => Err(whole(reason)),
        None => Ok(()),
    }
}

fn make(members: &[usize], names: &[CoreName], groups: u32, world: &World<'_>) -> Vec<Core> {
    let make = |&number: &usize| {
        let name = names[number];
        let program = &world.programs[name.kind() as usize];
        Core::new(number as u32, name, groups, program, world.chip)
    };
    members.iter().map(make).collect()
}

/// The cores with these places in each group, group by group: those of other groups do not concern them.
fn run_groups(
    members: &[usize],
    names: &[CoreName],
    groups: u32,
    world: &mut World<'_>,
) -> Result<(), Refusal> {
    let size = names.len() / groups as usize;
    let mut cores = make(members, names, groups, world);
    let (mut group, mut alike) = (0, world.induct);
    while group < groups {
        for (core, member) in cores.iter_mut().zip(members) {
            let number = group as usize * size + member;
            core.start(number as u32, names[number], groups);
            if alike {
                copies::open(&mut core.levels);
            }
        }
        run_together(&mut cores, world)?;
        let further = copies::further(cores.iter().map(|core| &core.levels));
        // Without a level of the groups the first one is a loop's.
        let further = match alike {
            true => further.min(groups - 1 - group),
            false => 0,
        };
        group += 1;
        let trail = std::mem::take(&mut world.trail);
        let step = (further, size as u32);
        if further > 0 && copies::enter(world, &trail, step, names)? {
            group += further;
            world.copied += further as usize * members.len();
        }
        // Where data decides or numbers go another way it is no use to look on.
        alike &= cores
            .iter()
            .all(|core| core.levels.all.first().is_some_and(|it| !it.failed));
    }
    Ok(())
}

/// Cores in rounds: each as far as it goes, then what they have told each other.
fn run_together(cores: &mut [Core], world: &mut World<'_>) -> Result<(), Refusal> {
    let mut joint = Joint::default();
    loop {
        joint.turn(cores, world)?;
        let mut progressed = false;
        for core in cores.iter_mut() {
            if !core.is_done() {
                core.run(world)?;
                progressed |= core.progressed;
            }
        }
        progressed |= exchange(cores, world)?;
        if cores.iter().all(Core::is_done) {
            break;
        }
        if !progressed {
            return Err(deadlock(cores, world));
        }
    }
    joint.leave(0, cores, world);
    world.lost |= cores.iter().any(|core| core.lost);
    cores.iter().try_for_each(|core| core.check_end(world))
}

/// Lets sets arrive; whether there were any.
fn exchange(cores: &mut [Core], world: &World<'_>) -> Result<bool, Refusal> {
    let pair = world.chip.cores.vectors_per_cube as usize;
    let kinds = |kind: CoreKind| cores.iter().filter(|core| core.name.kind() == kind).count();
    let all = [kinds(CoreKind::Cube), kinds(CoreKind::Vector)];
    let mut delivered = false;
    let mut meeting = Meeting::default();
    for from in 0..cores.len() {
        let (name, number) = (cores[from].name, cores[from].number);
        for sent in std::mem::take(&mut cores[from].outbox) {
            delivered = true;
            for core in cores
                .iter_mut()
                .filter(|core| reaches(name, sent.mode, core.name))
            {
                let sources = match (sent.mode, core.name.kind()) {
                    (0, kind) => all[kind as usize],
                    (1, _) | (_, CoreKind::Cube) => pair,
                    (_, CoreKind::Vector) => 1,
                };
                let owner = core.number;
                let counter = &mut core.counters[sent.id];
                let received = counter.receive(owner, number, sources, &sent, &mut meeting);
                received.map_err(|reason| Refusal {
                    reason,
                    place: Some(sent.by),
                    other: None,
                    hint: None,
                })?;
            }
        }
    }
    Ok(delivered)
}

/// Puts the name of the other core in, where only its number was known.
fn named(mut refusal: Refusal, names: &[CoreName]) -> Refusal {
    if let Some(Place { core, .. }) = &mut refusal.other
        && core.vector == Some(u8::MAX)
        && let Some(name) = names.get(core.group as usize)
    {
        *core = *name;
    }
    refusal
}
