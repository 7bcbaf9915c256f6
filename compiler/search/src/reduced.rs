//! A smaller problem that takes time as the whole one does: the same programs over the same tensors, each core with fewer
//! blocks.
//!
//! A phase walks its blocks in a loop that begins at the core's number and goes by the number of cores. What a round of
//! that loop takes in the long run is what a few rounds more take; the last round, in which only some cores have a block,
//! stays as it is. Knows nothing of what is computed.

use ir::tile::{Arg, Func, Inst, Op, ScalarOp, Value};

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
        hi,
        step,
        ..
    } = func.insts[inst].op
    else {
        return None;
    };
    let count = match hi {
        Arg::Const(count) => count,
        Arg::Val(value) => number(func, value)?.1,
    };
    (step > 0).then(|| count.div_euclid(step) + i64::from(count.rem_euclid(step) > 0))
}

/// The operation that gives a value that is a number, and the number.
fn number(func: &Func, value: Value) -> Option<(Inst, i64)> {
    func.insts.iter().find_map(|(inst, data)| {
        let Op::Scalar {
            dst,
            op: ScalarOp::Add,
            a: Arg::Const(number),
            b: Arg::Const(0),
        } = data.op
        else {
            return None;
        };
        (dst == value).then_some((inst, number))
    })
}

/// The kernel with so many rounds of each walk; the last one as full as it was.
pub(crate) fn shortened(func: &Func, walks: &[(&Walk, i64)]) -> Func {
    let mut short = func.clone();
    for (walk, rounds) in walks {
        for &inst in &walk.loops {
            let Op::For { hi, step, .. } = &mut short.insts[inst].op else {
                continue;
            };
            let fewer = (walk.rounds - rounds) * *step;
            match *hi {
                Arg::Const(count) => *hi = Arg::Const(count - fewer),
                Arg::Val(value) => {
                    // What depends on the last round reads the same value.
                    let found = number(&short, value).map(|(inst, _)| inst);
                    if let Some(Op::Scalar {
                        a: Arg::Const(count),
                        ..
                    }) = found.map(|inst| &mut short.insts[inst].op)
                    {
                        *count -= fewer;
                    }
                }
            }
        }
    }
    short
}
