//! Cycles of a kernel: the emulator's, without values; of a whole kernel, or of one with fewer blocks a core from which
//! those of the whole one follow.

use emulator::Sanitize;
use ir::tile;
use isa::object::Object;

use crate::Task;
use crate::reduced::{self, Rounds, Walk};

/// By how many times a further round may be shorter than the first ones, cold caches included, and still be believed: a
/// round in which only some cores have a block can take as long as one of all, and then a few rounds say nothing.
const FAR: u64 = 3;

/// What timing a kernel gave.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timed {
    /// Cycles of the whole kernel, launch included.
    pub(crate) cycles: u64,
    /// Cycles that the whole kernel takes on any machine of these peaks.
    bound: u64,
    /// Instructions that were gone through.
    pub(crate) instructions: u64,
    /// The rounds that these went through a long walk; none if every block was gone through.
    pub(crate) rounds: Option<Rounds>,
    /// What all rounds of the only walk would take if each took what the first few do, cold caches included.
    pub(crate) cold: Option<u64>,
}

/// By how many hundredths the first few rounds of a candidate must take longer than those of the best for the further ones
/// not to be looked at: they are warm for both (we choose).
const HOPELESS: u64 = 30;

/// Times all of a kernel; none if values decide what it does, or if sizes are left to the launch.
fn whole(task: &Task<'_>, object: &Object) -> Option<Timed> {
    if !object.kernel.launch.is_empty() {
        return None;
    }
    let options = emulator::Options {
        timing_only: true,
        sanitize: Sanitize::NONE,
        // Candidates are what goes in parallel.
        threads: 1,
        ..emulator::Options::default()
    };
    let inputs = vec![None; object.kernel.params.len()];
    let outcome = emulator::run(object, &inputs, task.chip, &options).ok()?;
    Some(Timed {
        cycles: outcome.report.cycles,
        bound: outcome.report.bound.cycles,
        instructions: outcome.report.instructions,
        rounds: None,
        cold: None,
    })
}

/// What a kernel in tile form takes, from a few blocks a core if there are many; refused if these few show that it takes much
/// longer than what is known, whose rounds took `least` when they were cold.
pub(crate) fn reckoned(
    task: &Task<'_>,
    tiled: &tile::Func,
    few: Rounds,
    least: Option<u64>,
) -> Result<Timed, String> {
    let walks = reduced::walks(tiled, few);
    let time = |func: tile::Func| {
        let lowered = backend::lower(func, task.chip, task.options, &|_| None);
        let lowered = lowered.map_err(first_message)?;
        whole(task, &lowered.object).ok_or_else(|| "its cycles depend on values".to_owned())
    };
    if walks.is_empty() {
        return time(tiled.clone());
    }
    let rounds = |longer: Option<usize>| -> Vec<(&Walk, i64)> {
        let more = |n: usize| if longer == Some(n) { few.further } else { 0 };
        let walks = walks.iter().enumerate();
        walks.map(|(n, walk)| (walk, few.first + more(n))).collect()
    };
    let first = time(reduced::shortened(tiled, &rounds(None)))?;
    let (mut cycles, mut instructions) = (first.cycles, first.instructions);
    let ran = first.cycles.saturating_sub(task.chip.launch_cycles());
    let cold = match &walks[..] {
        [walk] => {
            Some(ran.saturating_mul(walk.rounds.unsigned_abs()) / few.first.unsigned_abs().max(1))
        }
        _ => None,
    };
    if let (Some(cold), Some(least)) = (cold, least)
        && cold > least + least / 100 * HOPELESS
    {
        let times = 100 * cold / least.max(1);
        return Err(format!(
            "the first rounds take {}.{:02} times as long as those of the best",
            times / 100,
            times % 100
        ));
    }
    for (n, walk) in walks.iter().enumerate() {
        let longer = time(reduced::shortened(tiled, &rounds(Some(n))))?;
        let left = u64::try_from(walk.rounds - few.first).unwrap_or(0);
        let more = longer.cycles.saturating_sub(first.cycles);
        let (begun, further) = (few.first.unsigned_abs(), few.further.unsigned_abs().max(1));
        if more * begun * FAR < ran * further {
            return reckoned(task, tiled, few.doubled(), None);
        }
        cycles = cycles.saturating_add(more.saturating_mul(left) / further);
        instructions = instructions.saturating_add(longer.instructions);
    }
    if cycles < first.bound {
        return reckoned(task, tiled, few.doubled(), None);
    }
    Ok(Timed {
        cycles,
        bound: first.bound,
        instructions,
        rounds: Some(few),
        cold: cold.filter(|_| few == reduced::FEW),
    })
}

/// What the first of some findings says.
pub(crate) fn first_message(found: Vec<diag::Diagnostic>) -> String {
    let first = found.into_iter().next();
    first.map_or_else(String::new, |found| found.message)
}
