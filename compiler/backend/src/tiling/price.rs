//! What a step in tile form takes, so that sizes can be compared: cycles of the busiest pipe, and what it cannot hide.
//!
//! Numbers are the chip's; trip counts that only the run knows are guessed alike for all candidates. Knows nothing of
//! addresses or flags: it ranks, it does not predict. Programs of cube cores are priced in `cube`.

mod cube;

use std::collections::BTreeMap;

use ir::tile::{Arg, Block, Buf, CoreQuery, EwOp, Func, Op, Operand, ScalarOp, Value, View};
use isa::chip::Chip;
use isa::cost::{self, GmPath};
use isa::inst::Opcode;
use isa::types::{Elem, REPEAT_BYTES, Space};

use super::builder::constant;
use super::expr::ceil_div;
use crate::schedule::space::Term;

/// Trips of a loop whose bounds the run knows alone (we choose).
const UNKNOWN_TRIPS: i64 = 16;
/// Lanes of an accumulator's row.
const LANES: i64 = 64;
/// Keys that one repeat sorts, and lists that one merges.
const SORTED: i64 = 32;
const MERGED: i64 = 4;
/// Scalar instructions around an instruction of a loop over rows or chunks (we choose).
const AROUND: i64 = 4;

/// Cycles per pipe.
#[derive(Copy, Clone, Debug, Default)]
struct Time {
    scalar: i64,
    vector: i64,
    load: i64,
    store: i64,
}

impl Time {
    fn add(&mut self, other: Time, times: i64) {
        let sum = |a: &mut i64, b: i64| *a = a.saturating_add(b.saturating_mul(times));
        sum(&mut self.scalar, other.scalar);
        sum(&mut self.vector, other.vector);
        sum(&mut self.load, other.load);
        sum(&mut self.store, other.store);
    }

    fn busiest(self) -> i64 {
        self.scalar.max(self.vector).max(self.load).max(self.store)
    }

    fn together(self) -> i64 {
        self.vector
            .saturating_add(self.load)
            .saturating_add(self.store)
    }
}

/// Cycles of the last phase on the core that has most to do, and what takes longest in it.
pub(crate) fn step(func: &Func, chip: &Chip) -> (i64, Term) {
    let pricing = Pricing::of(func, chip);
    let phase = func.phases.last();
    let vector = phase.and_then(|phase| phase.vector);
    let vector = vector.map_or(0, |root| pricing.program(root));
    let cube = phase.and_then(|phase| phase.cube);
    match cube.map(|root| cube::program(&pricing, root)) {
        Some((cycles, binds)) if cycles > vector => (cycles, binds),
        Some(_) | None => (vector, Term::Vector),
    }
}

/// Cycles of the vector program of the last phase on the core that has most to do.
pub(crate) fn price(func: &Func, chip: &Chip) -> i64 {
    let root = func.phases.last().and_then(|phase| phase.vector);
    root.map_or(0, |root| Pricing::of(func, chip).program(root))
}

/// What a value is at most: the smaller of a constant and something else, or what comes of the usual sizes.
fn bounds(func: &Func) -> BTreeMap<Value, i64> {
    let mut known: BTreeMap<Value, i64> = BTreeMap::new();
    for data in func.insts.values() {
        if let Op::Query { dst, what } = &data.op
            && let CoreQuery::Size(place) = what
            && let Some(symbol) = func.symbols.all.get(*place as usize)
        {
            known.insert(*dst, func.symbols.assumed(symbol.number));
        }
        let Op::Scalar { dst, op, a, b } = &data.op else {
            continue;
        };
        let value = |arg: &Arg| match arg {
            Arg::Const(value) => Some(*value),
            Arg::Val(value) => known.get(value).copied(),
        };
        let found = bound(*op, value(a), value(b), !func.symbols.is_empty());
        known.extend(found.map(|most| (*dst, most)));
    }
    known
}

fn bound(op: ScalarOp, a: Option<i64>, b: Option<i64>, exact: bool) -> Option<i64> {
    match (op, a, b) {
        // A loop of as many trips is a branch.
        (ScalarOp::Cmp(_), Some(_) | None, Some(_) | None) => Some(1),
        (ScalarOp::Min, Some(a), Some(b)) => Some(a.min(b)),
        (ScalarOp::Min, Some(most), None) | (ScalarOp::Min, None, Some(most)) => Some(most),
        (_, Some(a), Some(b)) if exact => constant(op, a, b),
        (_, Some(_) | None, Some(_) | None) => None,
    }
}

struct Pricing<'a> {
    func: &'a Func,
    chip: &'a Chip,
    most: BTreeMap<Value, i64>,
}

impl<'a> Pricing<'a> {
    fn of(func: &'a Func, chip: &'a Chip) -> Pricing<'a> {
        Pricing {
            func,
            chip,
            most: bounds(func),
        }
    }

    /// Cycles of a vector program.
    fn program(&self, root: Block) -> i64 {
        let func = self.func;
        let mut total = Time::default();
        let mut exposed = 0;
        for &inst in &func.blocks[root].insts {
            let op = &func.insts[inst].op;
            let (time, trips) = if let Op::For {
                lo, hi, step, body, ..
            } = op
            {
                (self.block(*body), self.trips(*lo, *hi, *step))
            } else {
                (self.op(op), 1)
            };
            total.add(time, trips);
            // The first copy in and the last one out have no work beside them.
            exposed = time.together().saturating_sub(time.busiest()).max(exposed);
        }
        total.busiest().saturating_add(exposed)
    }

    /// Trips of a loop; one that starts at the core's number has most trips on the first core.
    fn trips(&self, lo: Arg, hi: Arg, step: i64) -> i64 {
        let first = match lo {
            Arg::Const(lo) => lo,
            Arg::Val(_) => 0,
        };
        let end = match hi {
            Arg::Const(hi) => Some(hi),
            Arg::Val(hi) => self.most.get(&hi).copied(),
        };
        end.map_or(UNKNOWN_TRIPS, |end| ceil_div(end - first, step).max(0))
    }

    fn block(&self, block: Block) -> Time {
        let mut total = Time::default();
        for &inst in &self.func.blocks[block].insts {
            let op = &self.func.insts[inst].op;
            total.add(self.op(op), 1);
        }
        total
    }

    fn op(&self, op: &Op) -> Time {
        let mut time = Time::default();
        match op {
            Op::For {
                lo, hi, step, body, ..
            } => {
                let body = self.block(*body);
                time.add(body, self.trips(*lo, *hi, *step));
                // A walk waits for its first chunk.
                time.vector = time.vector.saturating_add(body.load);
            }
            Op::If { then, els, .. } => {
                time.add(self.block(*then), 1);
                if let Some(els) = els {
                    time.add(self.block(*els), 1);
                }
            }
            Op::Load {
                dst, rows, cols, ..
            } => time.load = self.copy(*dst, *rows, *cols, true),
            Op::Store {
                src, rows, cols, ..
            } => time.store = self.copy(*src, *rows, *cols, false),
            Op::Ew {
                op,
                dst,
                a,
                b,
                c,
                rows,
                cols,
            } => {
                let operands = [Some(*a), *b, *c];
                self.elementwise(&mut time, *op, *dst, &operands, (*rows, *cols));
            }
            Op::Accumulate {
                acc,
                src,
                rows,
                cols,
                ..
            } => self.accumulate(&mut time, [*acc, *src], *rows, *cols),
            Op::BlockReduce {
                src, rows, cols, ..
            } => {
                let (rows_there, chunks) = (self.rows(*src, *rows), known(*cols) / LANES);
                let rate = self.rate(Opcode::Vcgadd, 4);
                time.vector = rows_there.saturating_mul(chunks.saturating_mul(rate))
                    + self.latency(Opcode::Vcgadd);
                // Rows that only the run counts come one after the other.
                if let Arg::Val(_) = rows {
                    time.vector = time
                        .vector
                        .saturating_add(rows_there.saturating_mul(AROUND));
                    time.scalar = rows_there.saturating_mul(AROUND);
                }
            }
            Op::Lanes { acc, rows, .. } => {
                let rows = self.rows(*acc, *rows);
                let rate = self.rate(Opcode::Vcadd, 4);
                time.vector = rows.saturating_mul(rate) + self.latency(Opcode::Vcadd);
            }
            Op::Spread { dst, rows, .. } => {
                time.vector = ceil_div(self.rows(*dst, *rows), 8) + self.latency(Opcode::Vbrcb);
            }
            Op::Transpose { rows, cols, .. } => {
                let (rows, cols) = (known(*rows), known(*cols));
                let squares = ceil_div(rows, 16).saturating_mul(ceil_div(cols, 16));
                let rate = self.rate(Opcode::Vnchwconv, 2);
                time.vector = squares.saturating_mul(rate) + self.latency(Opcode::Vnchwconv);
                time.scalar = ceil_div(rows, 16).saturating_mul(AROUND * AROUND);
            }
            Op::Gather {
                dst, rows, cols, ..
            } => {
                let lanes = int(REPEAT_BYTES) / int(self.elem(dst.buf).bytes()).max(2);
                let cells = self
                    .rows(*dst, *rows)
                    .saturating_mul(self.cols(*dst, *cols));
                let bytes = int(self.elem(dst.buf).bytes());
                let rate = self.rate(Opcode::Vgather, bytes);
                time.vector =
                    ceil_div(cells, lanes).saturating_mul(rate) + self.latency(Opcode::Vgather);
            }
            Op::Sort { rows, cols, .. } => {
                let (rows, cols) = (known(*rows), known(*cols));
                let sorted = ceil_div(rows.saturating_mul(cols), SORTED);
                let mut lists = ceil_div(cols, SORTED);
                time.vector = sorted.saturating_mul(self.rate(Opcode::Vsort32, 4));
                while lists > 1 {
                    lists = ceil_div(lists, MERGED);
                    let merge = cols / 2 + self.latency(Opcode::Vmrg4);
                    time.vector = time.vector.saturating_add(rows.saturating_mul(merge));
                }
            }
            Op::Peek { .. } | Op::PeekBuf { .. } | Op::Poke { .. } => {
                time.scalar = int(self.chip.scalar.load_hit);
            }
            Op::Scalar { op, .. } => {
                time.scalar = match op {
                    ScalarOp::Div | ScalarOp::Rem => int(self.chip.scalar.div),
                    ScalarOp::Mul => int(self.chip.scalar.mul),
                    ScalarOp::Float(_) => int(self.chip.scalar.float),
                    ScalarOp::Add
                    | ScalarOp::Sub
                    | ScalarOp::Min
                    | ScalarOp::Max
                    | ScalarOp::And
                    | ScalarOp::Or
                    | ScalarOp::Shl
                    | ScalarOp::Shr
                    | ScalarOp::Cmp(_) => int(self.chip.scalar.alu),
                };
            }
            Op::Query { .. }
            | Op::Next { .. }
            | Op::LoadTile { .. }
            | Op::LoadWindow { .. }
            | Op::LoadWords { .. }
            | Op::Mad { .. }
            | Op::Drain { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => {}
        }
        time
    }

    fn rows(&self, view: View, rows: Arg) -> i64 {
        match rows {
            Arg::Const(rows) => rows,
            Arg::Val(_) => self.func.bufs[view.buf].rows,
        }
    }

    fn cols(&self, view: View, cols: Arg) -> i64 {
        match cols {
            Arg::Const(cols) => cols,
            Arg::Val(_) => self.func.bufs[view.buf].cols,
        }
    }

    fn copy(&self, view: View, rows: Arg, cols: Arg, into: bool) -> i64 {
        let data = &self.func.bufs[view.buf];
        let (rows, cols) = (self.rows(view, rows), self.cols(view, cols));
        let bytes = rows
            .saturating_mul(cols)
            .saturating_mul(int(data.elem.bytes()));
        let path = if into { GmPath::Ub } else { GmPath::UbOut };
        let whole = |x: i64| u64::try_from(x).unwrap_or(0);
        int(cost::copy_cycles(
            path,
            whole(bytes),
            whole(rows),
            self.chip,
        ))
    }

    fn elementwise(
        &self,
        time: &mut Time,
        op: EwOp,
        dst: View,
        operands: &[Option<Operand>; 3],
        (rows, cols): (Arg, Arg),
    ) {
        let code = opcode(op);
        let views = || {
            let others = operands.iter().flatten().filter_map(|o| o.view());
            std::iter::once(dst).chain(others)
        };
        let bytes = |view: View| int(self.elem(view.buf).bytes());
        let widest = views().map(bytes).max().unwrap_or(4).max(2);
        let lanes = int(REPEAT_BYTES) / widest;
        let (row_count, col_count) = (self.rows(dst, rows), self.cols(dst, cols));
        let full_pitch =
            |view: View| matches!(cols, Arg::Const(c) if c == self.func.bufs[view.buf].cols);
        let broadcast = operands
            .iter()
            .flatten()
            .any(|o| matches!(o, Operand::EachRow(_) | Operand::EachCol(_)));
        let flat = row_count == 1 || (!broadcast && views().all(full_pitch));
        let (repeats, instructions) = if flat {
            (ceil_div(row_count.saturating_mul(col_count), lanes), 1)
        } else {
            let chunks = ceil_div(col_count, lanes);
            let instructions = match (rows, cols) {
                (Arg::Const(_), Arg::Const(_)) => row_count.min(chunks),
                (Arg::Val(_), Arg::Const(_)) => chunks,
                (Arg::Const(_) | Arg::Val(_), Arg::Val(_)) => row_count,
            };
            (row_count.saturating_mul(chunks), instructions)
        };
        let counted =
            i64::from(matches!(cols, Arg::Val(_)) || (flat && matches!(rows, Arg::Val(_))));
        let mode = counted * int(self.chip.vector.count_mode);
        let by_columns = !flat
            && match (rows, cols) {
                (Arg::Const(_), Arg::Const(_)) => instructions < row_count,
                (Arg::Val(_), Arg::Const(_)) => row_count > 1,
                (Arg::Const(_) | Arg::Val(_), Arg::Val(_)) => false,
            };
        let clashes = if by_columns {
            self.clashes(dst, repeats)
        } else {
            0
        };
        time.vector = repeats
            .saturating_mul(self.rate(code, widest))
            .saturating_add(clashes)
            .saturating_add(instructions.saturating_mul(mode))
            .saturating_add(self.latency(code));
        time.scalar = AROUND.saturating_mul(instructions);
    }

    /// Chunk after chunk with a barrier between them, or, of one row, repeat after repeat.
    fn accumulate(&self, time: &mut Time, [acc, src]: [View; 2], rows: Arg, cols: Arg) {
        let rows = self.rows(acc, rows);
        let chunks = match cols {
            Arg::Const(cols) => ceil_div(cols, LANES),
            Arg::Val(_) => UNKNOWN_TRIPS,
        };
        let link = match rows {
            1 => int(self.chip.vector.dependent) + 1,
            // Half of the rows read two sources in one half of the groups.
            rows => rows + rows / 2 + self.clashes(src, rows) / 2 + self.latency(Opcode::Vadd),
        };
        time.vector = chunks.saturating_mul(link);
        time.scalar = if rows == 1 {
            AROUND
        } else {
            AROUND.saturating_mul(chunks)
        };
    }

    /// Cycles that repeats lose to their own writes, if rows are the repeats and start in the same bank groups.
    fn clashes(&self, view: View, repeats: i64) -> i64 {
        let data = &self.func.bufs[view.buf];
        let pitch = data.cols.saturating_mul(int(data.elem.bytes()));
        let same_groups = pitch % (2 * int(REPEAT_BYTES)) == 0;
        i64::from(same_groups).saturating_mul(repeats) * int(self.chip.vector.clash_milli) / 1000
    }

    /// Cycles of a repeat.
    fn rate(&self, code: Opcode, bytes: i64) -> i64 {
        let costs = self.chip.vector_ops.get(code);
        int(if bytes == 2 {
            costs.per_repeat_16
        } else {
            costs.per_repeat_32
        })
    }

    /// What a barrier behind an instruction costs: its tail, and a head again.
    fn latency(&self, code: Opcode) -> i64 {
        let costs = self.chip.vector_ops.get(code);
        int(costs.head)
            .saturating_add(int(costs.tail))
            .saturating_add(1)
    }

    fn elem(&self, buf: Buf) -> Elem {
        let data = &self.func.bufs[buf];
        debug_assert!(data.space == Space::Ub, "vector operations are on UB");
        data.elem
    }
}

fn known(extent: Arg) -> i64 {
    match extent {
        Arg::Const(extent) => extent,
        Arg::Val(_) => UNKNOWN_TRIPS,
    }
}

fn int(value: impl Into<u64>) -> i64 {
    i64::try_from(value.into()).unwrap_or(i64::MAX)
}

/// The instruction that does most of an operation's work.
fn opcode(op: EwOp) -> Opcode {
    match op {
        EwOp::Copy => Opcode::Vcopy,
        EwOp::Add => Opcode::Vadd,
        EwOp::Sub => Opcode::Vsub,
        EwOp::Mul => Opcode::Vmul,
        EwOp::Div | EwOp::Rem => Opcode::Vdiv,
        EwOp::Max => Opcode::Vmax,
        EwOp::Min => Opcode::Vmin,
        EwOp::Abs => Opcode::Vabs,
        EwOp::Neg => Opcode::Vmuls,
        EwOp::Exp => Opcode::Vexp,
        EwOp::Ln => Opcode::Vln,
        EwOp::Sqrt => Opcode::Vsqrt,
        EwOp::Relu => Opcode::Vrelu,
        EwOp::Round(_) | EwOp::Cast(..) => Opcode::Vconv,
        EwOp::And => Opcode::Vand,
        EwOp::Or | EwOp::Xor => Opcode::Vor,
        EwOp::Not => Opcode::Vnot,
        EwOp::Shl => Opcode::Vshl,
        EwOp::Shr => Opcode::Vshr,
        EwOp::Cmp(_) => Opcode::Vcmpv,
        EwOp::Select => Opcode::Vsel,
        EwOp::Iota => Opcode::Viota,
    }
}
