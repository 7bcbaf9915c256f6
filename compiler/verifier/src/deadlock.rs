//! Launches that nothing takes further: what waits for what, in a circle if there is one, and which set is missing.

use isa::inst::Val;
use isa::types::{CoreKind, Pipe};

use crate::core::Core;
use crate::order::FLAGS;
use crate::program::{Op, Program};
use crate::refusal::{Hint, Place, Reason, Refusal, Stuck, WaitsFor};
use crate::world::World;

/// The refusal of a launch that nothing takes further, a circle of waits first if there is one.
pub(crate) fn deadlock(cores: &mut [Core], world: &mut World<'_>) -> Refusal {
    let mut stuck: Vec<Stuck> = Vec::new();
    for core in cores.iter_mut() {
        stuck.extend(core.stuck(world));
    }
    let mut circle = circle(&stuck);
    // What nobody ever sets is the root of all other waiting.
    if let Some(root) = stuck.iter().position(|queue| is_never_set(queue, world)) {
        circle = vec![root];
    }
    let count = match circle.as_slice() {
        [only] if !waits_for_itself(&stuck[*only]) => 0,
        all => all.len(),
    };
    let mut ordered: Vec<Stuck> = circle.iter().map(|&at| stuck[at]).collect();
    stuck.retain(|queue| !ordered.contains(queue));
    ordered.extend(stuck);
    Refusal {
        hint: stray(cores, world)
            .or_else(|| ordered.iter().find_map(|it| feeder(it, cores, world)))
            .map(Box::new),
        place: ordered.first().map(|queue| queue.place),
        other: ordered.get(1).map(|queue| queue.place),
        reason: Reason::Deadlock {
            stuck: ordered,
            circle: count,
        },
    }
}

/// Queues that wait for each other in a circle.
fn circle(stuck: &[Stuck]) -> Vec<usize> {
    let feeds = |from: &Stuck, to: &Stuck| {
        let same = from.place.core == to.place.core;
        match from.on {
            WaitsFor::Flag(src, _, _) => {
                let dispatches = to.place.pipe == Pipe::S;
                same && (to.place.pipe == src || dispatches && from.place != to.place)
            }
            WaitsFor::Drain(pipe) | WaitsFor::Full(pipe) => same && to.place.pipe == pipe,
            WaitsFor::Unit(_, set) => {
                let other = if set { Pipe::M } else { Pipe::Fix };
                same && to.place.pipe == other
            }
            WaitsFor::Counter(_) => !same,
        }
    };
    for start in 0..stuck.len() {
        let mut path = vec![start];
        while let Some(&last) = path.last() {
            let next = (0..stuck.len()).find(|&to| feeds(&stuck[last], &stuck[to]));
            match next {
                Some(next) if next == start => return path,
                Some(next) if !path.contains(&next) => path.push(next),
                Some(_) | None => break,
            }
        }
    }
    Vec::new()
}

/// Whether a queue waits for something that it would have to set itself.
fn waits_for_itself(queue: &Stuck) -> bool {
    match queue.on {
        WaitsFor::Flag(src, _, _) => queue.place.pipe == src,
        WaitsFor::Counter(_) | WaitsFor::Drain(_) | WaitsFor::Full(_) | WaitsFor::Unit(..) => false,
    }
}

fn names<const N: u32>(operand: Val<N>, id: usize) -> bool {
    match operand {
        Val::Imm(imm) => imm as usize == id,
        Val::Reg(_) => true,
    }
}

/// The place of a pair of pipes in a program.
fn pair_of(program: &Program, src: Pipe, dst: Pipe) -> Option<usize> {
    program.pairs.iter().position(|pair| *pair == (src, dst))
}

fn find(program: &Program, wanted: impl Fn(Op) -> bool) -> Option<u32> {
    let at = program.steps.iter().position(|step| wanted(step.op))?;
    u32::try_from(at).ok()
}

/// Whether no instruction sets what a queue waits for.
fn is_never_set(queue: &Stuck, world: &World<'_>) -> bool {
    let programs = world.programs;
    match queue.on {
        WaitsFor::Flag(src, dst, id) => {
            let program = &programs[queue.place.core.kind() as usize];
            let pair = pair_of(program, src, dst);
            let sets = |op| matches!(op, Op::Set(set, number) if Some(set) == pair && names(number, id.into()));
            find(program, sets).is_none()
        }
        WaitsFor::Counter(id) => {
            let sets = |op| matches!(op, Op::Xset(_, number) if names(number, id.into()));
            programs.iter().all(|program| find(program, sets).is_none())
        }
        WaitsFor::Drain(_) | WaitsFor::Full(_) | WaitsFor::Unit(..) => false,
    }
}

/// A flag or a counter that is set and that nothing waits for: its set has the wrong name.
fn stray(cores: &[Core], world: &World<'_>) -> Option<Hint> {
    let what = "set here, and nothing waits for it";
    cores.iter().find_map(|core| {
        let program = &world.programs[core.name.kind() as usize];
        let flags = core.flags.iter().enumerate();
        let lost = flags
            .filter(|(_, flag)| flag.set.is_some())
            .find(|(index, _)| {
                let (pair, id) = (index / FLAGS, index % FLAGS);
                let waits =
                    |op| matches!(op, Op::Wait(wait, number) if wait == pair && names(number, id));
                find(program, waits).is_none()
            });
        if let Some((index, flag)) = lost {
            let pipe = program.pairs[index / FLAGS].0;
            let place = Place {
                core: core.name,
                pc: flag.by,
                pipe,
            };
            return Some(Hint { place, what });
        }
        let mut counters = core.counters.iter().enumerate();
        counters.find_map(|(id, counter)| {
            let waits = |op| matches!(op, Op::Xwait(number) if names(number, id));
            let by = counter.by.filter(|_| !counter.is_clear())?;
            find(program, waits)
                .is_none()
                .then_some(Hint { place: by, what })
        })
    })
}

/// The instruction that sets what a queue waits for, or where other flags of its kind are set first: there a set is missing.
fn feeder(queue: &Stuck, cores: &[Core], world: &World<'_>) -> Option<Hint> {
    let hint = |core, pc, pipe, what| {
        Some(Hint {
            place: Place { core, pc, pipe },
            what,
        })
    };
    let before = "set no more often than here: one more belongs before the loop";
    match queue.on {
        WaitsFor::Flag(src, dst, id) => {
            let core = queue.place.core;
            let program = &world.programs[core.kind() as usize];
            let pair = pair_of(program, src, dst);
            let same = |op| matches!(op, Op::Set(set, number) if Some(set) == pair && names(number, id.into()));
            let alike = |op| matches!(op, Op::Set(set, _) if Some(set) == pair);
            let any = |op| matches!(op, Op::Set(..));
            let early = |at: Option<u32>| at.filter(|&at| at < queue.place.pc);
            if let Some(pc) = early(find(program, same)) {
                return hint(core, pc, src, before);
            }
            if let Some(pc) = early(find(program, alike)).or_else(|| early(find(program, any))) {
                return hint(
                    core,
                    pc,
                    src,
                    "others are set here before the loop: this one is not",
                );
            }
            hint(
                core,
                find(program, same)?,
                src,
                "set here only, which is behind the wait",
            )
        }
        WaitsFor::Counter(id) => {
            let from = |kind: CoreKind| {
                let program = &world.programs[kind as usize];
                let same = |op| matches!(op, Op::Xset(_, number) if names(number, id.into()));
                let pc = find(program, same)?;
                let pipe = program.steps[pc as usize].lane;
                let core = cores.iter().find(|core| core.name.kind() == kind)?;
                hint(core.name, pc, pipe, before)
            };
            let other = match queue.place.core.kind() {
                CoreKind::Cube => CoreKind::Vector,
                CoreKind::Vector => CoreKind::Cube,
            };
            from(other).or_else(|| from(queue.place.core.kind()))
        }
        WaitsFor::Drain(_) | WaitsFor::Full(_) | WaitsFor::Unit(..) => None,
    }
}
