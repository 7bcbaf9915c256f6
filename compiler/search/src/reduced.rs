//! A smaller problem that takes time as the whole one does: the same programs over the same tensors, each core with fewer
//! blocks.
//!
//! A phase walks its blocks in a loop that begins at the core's number and goes by the number of cores. What a round of
//! that loop takes in the long run is what a few rounds more take; the last round, in which only some cores have a block,
//! stays as it is. Knows nothing of what is computed.

use ir::tile::{Arg, Func, Inst, Op};

/// Rounds that are left of a long walk, and what comes to them when it is timed once more.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rounds {
    pub(crate) first: i64,
    pub(crate) further: i64,
}

impl Rounds {
    /// Twice as many.
    pub(crate) const fn doubled(self) -> Rounds {
        Rounds {
            first: 2 * self.first,
            further: 2 * self.further,
        }
    }
}

/// As few as show what a round takes when others go on around it: the first ones still wait for cold memory,
/// and cores that meet at the same lines part only in the course of some.
pub(crate) const FEW: Rounds = Rounds {
    first: 4,
    further: 4,
};

/// A walk over blocks that is long enough to be made shorter.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// Its loops, in the programs of both kinds of core.
    loops: Vec<Inst>,
    /// How often the busiest core goes round.
    pub(crate) rounds: i64,
}

/// The walks of a kernel that so many rounds are much less of, at most one a phase.
pub(crate) fn walks(func: &Func, rounds: Rounds) -> Vec<Walk> {
    let phases = func.phases.iter();
    let walks = phases.filter_map(|phase| {
        let roots = [phase.cube, phase.vector].into_iter().flatten();
        let insts = roots.flat_map(|root| func.blocks[root].insts.iter().copied());
        let loops: Vec<(Inst, i64)> = insts
            .filter_map(|inst| Some((inst, rounds_of(func, inst)?)))
            .collect();
        let most = loops.iter().map(|(_, count)| *count).max()?;
        let longest = loops.into_iter().filter(|(_, count)| *count == most);
        Some(Walk {
            loops: longest.map(|(inst, _)| inst).collect(),
            rounds: most,
        })
    });
    let both = 2 * rounds.first + rounds.further;
    walks.filter(|walk| walk.rounds > both + both / 2).collect()
}

/// How often the first core goes round a loop over blocks; none if it is no such loop.
fn rounds_of(func: &Func, inst: Inst) -> Option<i64> {
    let Op::For {
        lo: Arg::Val(_),
        hi: Arg::Const(count),
        step,
        ..
    } = func.insts[inst].op
    else {
        return None;
    };
    (step > 0).then(|| count.div_euclid(step) + i64::from(count.rem_euclid(step) > 0))
}

/// The kernel with so many rounds of each walk; the last one as full as it was.
pub(crate) fn shortened(func: &Func, walks: &[(&Walk, i64)]) -> Func {
    let mut short = func.clone();
    for (walk, rounds) in walks {
        for &inst in &walk.loops {
            if let Op::For {
                hi: Arg::Const(count),
                step,
                ..
            } = &mut short.insts[inst].op
            {
                *count -= (walk.rounds - rounds) * *step;
            }
        }
    }
    short
}
