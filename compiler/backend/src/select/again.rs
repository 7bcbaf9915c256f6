//! Which scalars are computed anew wherever they are used, because registers are few.
//!
//! Selection begins with a register for every value. Where there is none left, one of the values that have one is chosen
//! here, and the program is selected again without a register for it: its operation is repeated before each use. That
//! costs scalar instructions, so what is chosen is what takes the fewest of them, reckoned by the loops around its uses.
//! What an operation reads must be there anyway: a value gives nothing back if another one has to live longer for it.

use std::collections::{BTreeMap, BTreeSet};

use ir::tile::{Arg, Block, CoreQuery, Func, Op, ScalarOp, Value};

use super::regs::{Homes, Lives};

/// Times that a loop is reckoned to run.
const ROUNDS: u64 = 8;
/// Cycles of asking a core for its number, about.
const ASKING: u64 = 2;

/// The value to compute anew, of those that have a register; none if that helps with none.
pub(super) fn choose(
    func: &Func,
    root: Block,
    (homes, lives): (&Homes, &Lives),
    again: &BTreeSet<Value>,
) -> Option<Value> {
    let mut uses = Uses::default();
    uses.block(func, root, 1);
    let active: BTreeMap<Value, u32> = homes.active().collect();
    let there = Known {
        uses: &uses,
        active: &active,
        homes,
        again,
    };
    let price = |value: Value| {
        let last = lives.last_use(value)?;
        let cycles = there.cycles(value, last)?;
        let weight = uses.weights.get(&value).copied().unwrap_or(0);
        Some((cycles.saturating_mul(weight), value))
    };
    let best = active.keys().filter_map(|&value| price(value)).min();
    best.map(|(_, value)| value)
}

/// How values come about, and how often they are used.
#[derive(Default)]
struct Uses<'f> {
    made: BTreeMap<Value, &'f Op>,
    weights: BTreeMap<Value, u64>,
}

impl<'f> Uses<'f> {
    fn block(&mut self, func: &'f Func, block: Block, rounds: u64) {
        for &inst in &func.blocks[block].insts {
            let op = &func.insts[inst].op;
            for arg in op.args() {
                if let Arg::Val(value) = arg {
                    let weight = self.weights.entry(value).or_default();
                    *weight = weight.saturating_add(rounds);
                }
            }
            if let Some(value) = op.defines() {
                self.made.insert(value, op);
            }
            let inside = match matches!(op, Op::For { .. }) {
                true => rounds.saturating_mul(ROUNDS),
                false => rounds,
            };
            for inner in op.blocks() {
                self.block(func, inner, inside);
            }
        }
    }
}

struct Known<'k> {
    uses: &'k Uses<'k>,
    active: &'k BTreeMap<Value, u32>,
    homes: &'k Homes,
    again: &'k BTreeSet<Value>,
}

impl Known<'_> {
    /// Cycles of computing a value anew until its last use; none if that cannot be, or needs something that would be
    /// gone by then.
    fn cycles(&self, value: Value, last: u32) -> Option<u64> {
        let made = *self.uses.made.get(&value)?;
        if let Op::Scalar { op, a, b, .. } = made {
            return Some(cycles(*op)? + self.operand(*a, last)? + self.operand(*b, last)?);
        }
        let Op::Query { what, .. } = made else {
            return None;
        };
        match what {
            CoreQuery::Group | CoreQuery::Sub | CoreQuery::Core => Some(ASKING),
            CoreQuery::Size(_) => None,
        }
    }

    fn operand(&self, arg: Arg, last: u32) -> Option<u64> {
        let Arg::Val(value) = arg else {
            return Some(0);
        };
        if self.again.contains(&value) {
            return self.cycles(value, last);
        }
        match self.active.get(&value) {
            Some(end) => (*end >= last).then_some(0),
            None => self.homes.is_constant(value).then_some(0),
        }
    }
}

/// Cycles of a scalar operation, about; none of one on floats, whose value stays where it is.
fn cycles(op: ScalarOp) -> Option<u64> {
    Some(match op {
        ScalarOp::Div | ScalarOp::Rem => 16,
        ScalarOp::Mul => 4,
        ScalarOp::Add
        | ScalarOp::Sub
        | ScalarOp::Min
        | ScalarOp::Max
        | ScalarOp::And
        | ScalarOp::Or
        | ScalarOp::Shl
        | ScalarOp::Shr
        | ScalarOp::Cmp(_) => 1,
        ScalarOp::Float(_) => return None,
    })
}
