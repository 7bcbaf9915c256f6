//! One core: its scalars, its buffers, and where it stands in its block.
//!
//! Loops and branches are frames on a stack of our own, so that a core that waits for a channel can be left and taken up
//! again where it stood.

use std::mem;

use cranelift_entity::SecondaryMap;
use diag::Span;
use isa::num;
use isa::types::{CoreKind, Layout, Space};

use super::store::Store;
use super::{EvalError, EvalErrorKind, Fault, MAX_BYTES, MAX_STEPS, Machine, other, sides};
use crate::algo::eval::scalar::compare_ints;
use crate::tile::{
    Arg, Block, Buf, Chan, CoreQuery, FloatOp, Func, Op, ScalarOp, Tensor, Value, View,
};

/// Whether a core is done.
pub(super) enum Status {
    /// Its block has ended.
    Done,
    /// It waits for a channel, at this operation.
    Waits(Span),
}

/// A block that is being executed.
struct Frame {
    block: Block,
    next: usize,
    turn: Option<Turn>,
}

/// The turn of a loop.
struct Turn {
    var: Value,
    at: i64,
    hi: i64,
    step: i64,
}

/// What an operation did.
enum Outcome {
    Done,
    Waits,
    Enters(Frame),
}

/// The current copy of a buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct Matrix {
    pub(super) store: Store,
    /// Rows and columns of the tile that `LoadTile` left in an L0 buffer.
    pub(super) tile: Option<(i64, i64)>,
}

/// A core that executes a block.
pub(super) struct Core {
    kind: CoreKind,
    group: i64,
    sub: i64,
    values: SecondaryMap<Value, i64>,
    bufs: SecondaryMap<Buf, Matrix>,
    frames: Vec<Frame>,
}

/// Rows and columns of an operation.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) rows: usize,
    pub(super) cols: usize,
}

/// Where the rows of an access to a tensor begin.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    at: i64,
    pitch: i64,
}

impl Rows {
    /// The first element of a row.
    pub(super) fn start(self, row: usize) -> Result<usize, Fault> {
        let row = i64::try_from(row).ok();
        let at = row.and_then(|row| row.checked_mul(self.pitch)?.checked_add(self.at));
        at.and_then(|at| usize::try_from(at).ok()).ok_or_else(|| {
            (
                EvalErrorKind::OutOfBounds,
                String::from("an access begins before its tensor"),
            )
        })
    }
}

impl Core {
    pub(super) fn new(kind: CoreKind, group: i64, sub: i64, block: Block) -> Core {
        Core {
            kind,
            group,
            sub,
            values: SecondaryMap::new(),
            bufs: SecondaryMap::new(),
            frames: vec![Frame {
                block,
                next: 0,
                turn: None,
            }],
        }
    }

    /// Executes operations until the block ends or a channel makes the core wait.
    pub(super) fn run(&mut self, machine: &mut Machine<'_>) -> Result<Status, EvalError> {
        let func = machine.func;
        while let Some(frame) = self.frames.last_mut() {
            let Some(&inst) = func.blocks[frame.block].insts.get(frame.next) else {
                self.end_of_block();
                continue;
            };
            let data = &func.insts[inst];
            let fault = |(kind, message)| EvalError {
                kind,
                span: data.span,
                message,
            };
            match self.step(machine, &data.op).map_err(fault)? {
                Outcome::Waits => return Ok(Status::Waits(data.span)),
                Outcome::Done => self.advance(),
                Outcome::Enters(frame) => {
                    self.advance();
                    self.frames.push(frame);
                }
            }
            machine.steps += 1;
            if machine.steps > MAX_STEPS {
                return Err(fault((
                    EvalErrorKind::Limit,
                    format!("more than {MAX_STEPS} operations"),
                )));
            }
        }
        Ok(Status::Done)
    }

    fn advance(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.next += 1;
        }
    }

    /// Begins the next turn of the innermost block's loop, or leaves the block.
    fn end_of_block(&mut self) {
        if let Some(frame) = self.frames.last_mut()
            && let Some(turn) = &mut frame.turn
            && let Some(at) = turn.at.checked_add(turn.step)
            && at < turn.hi
        {
            turn.at = at;
            self.values[turn.var] = at;
            frame.next = 0;
        } else {
            self.frames.pop();
        }
    }

    fn step(&mut self, machine: &mut Machine<'_>, op: &Op) -> Result<Outcome, Fault> {
        match op {
            Op::Scalar { dst, op, a, b } => {
                self.values[*dst] = scalar(*op, self.arg(*a), self.arg(*b))?
            }
            Op::Query { dst, what } => self.values[*dst] = self.query(machine.func, *what),
            Op::For {
                var,
                lo,
                hi,
                step,
                body,
            } => {
                let (at, hi, step) = (self.arg(*lo), self.arg(*hi), *step);
                if at < hi {
                    self.values[*var] = at;
                    let turn = Some(Turn {
                        var: *var,
                        at,
                        hi,
                        step,
                    });
                    return Ok(Outcome::Enters(Frame {
                        block: *body,
                        next: 0,
                        turn,
                    }));
                }
            }
            Op::If { cond, then, els } => {
                let block = if self.arg(*cond) != 0 {
                    Some(*then)
                } else {
                    *els
                };
                if let Some(block) = block {
                    return Ok(Outcome::Enters(Frame {
                        block,
                        next: 0,
                        turn: None,
                    }));
                }
            }
            Op::Next { buf } => self.turn(machine, *buf)?,
            Op::Peek { dst, tensor, at } => {
                let at = Rows {
                    at: self.arg(*at),
                    pitch: 0,
                }
                .start(0)?;
                let bits = machine.tensors[*tensor].read_bits(at);
                self.values[*dst] = bits.map_err(|e| of_tensor(machine, *tensor, e))? as i64;
            }
            Op::PeekBuf { dst, src } => {
                let at = self.position(machine, *src, 0)?;
                let bits = self.bufs[src.buf].store.read_bits(at);
                self.values[*dst] = bits.map_err(|e| of_buf(machine, src.buf, e))? as i64;
            }
            Op::Poke { dst, value } => {
                let at = self.position(machine, *dst, 0)?;
                let bits = self.arg(*value) as u64;
                let done = self.bufs[dst.buf].store.write_bits(at, bits);
                done.map_err(|e| of_buf(machine, dst.buf, e))?;
            }
            Op::Load {
                dst,
                tensor,
                at,
                rows,
                cols,
                pitch,
            } => {
                let (extent, rows) = (self.extent(*rows, *cols)?, self.rows(*at, *pitch));
                self.load(machine, *dst, *tensor, rows, extent)?;
            }
            Op::Store {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
            } => {
                let (extent, rows) = (self.extent(*rows, *cols)?, self.rows(*at, *pitch));
                self.store(machine, *tensor, rows, *src, extent)?;
            }
            Op::LoadTile {
                dst,
                src,
                rows,
                cols,
                transposed,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.load_tile(machine, *dst, *src, extent, *transposed)?;
            }
            Op::LoadWindow {
                dst,
                src,
                rows,
                cols,
                window,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.load_window(machine, *dst, *src, extent, window)?;
            }
            Op::LoadWords { dst, src, cols } => {
                let extent = self.extent(Arg::Const(1), *cols)?;
                self.load_words(machine, *dst, *src, extent)?;
            }
            Op::Mad {
                c,
                a,
                b,
                m,
                k,
                n,
                init,
                hf32,
            } => {
                let (rows, cols) = (self.extent(*m, *n)?, self.extent(*m, *k)?);
                if cols.rows != 0 && rows.rows != 0 {
                    let fresh = self.arg(*init) == 1;
                    let extents = [rows.rows, cols.cols, rows.cols];
                    self.mad(machine, [*c, *a, *b], extents, (fresh, *hf32))?;
                }
            }
            Op::Drain {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
                cast,
                relu,
            } => {
                let (extent, rows) = (self.extent(*rows, *cols)?, self.rows(*at, *pitch));
                self.drain(machine, (*tensor, rows), *src, extent, (*cast, *relu))?;
            }
            Op::Ew {
                op,
                dst,
                a,
                b,
                c,
                rows,
                cols,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.ew(machine, *op, *dst, [Some(*a), *b, *c], extent)?;
            }
            Op::Spread { dst, src, rows } => {
                let extent = self.extent(*rows, Arg::Const(1))?;
                self.spread(machine, *dst, *src, extent.rows)?;
            }
            Op::Transpose {
                dst,
                src,
                rows,
                cols,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.transpose(machine, *dst, *src, extent)?;
            }
            Op::Gather {
                dst,
                src,
                at,
                rows,
                cols,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.gather(machine, [*dst, *src, *at], extent)?;
            }
            Op::Sort {
                dst,
                keys,
                places,
                rows,
                cols,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.sort(machine, [*dst, *keys, *places], extent)?;
            }
            Op::Accumulate {
                op,
                acc,
                src,
                rows,
                cols,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.accumulate(machine, *op, *acc, *src, extent)?;
            }
            Op::BlockReduce {
                op,
                dst,
                src,
                rows,
                cols,
            } => {
                let extent = self.extent(*rows, *cols)?;
                self.block_reduce(machine, *op, [*dst, *src], extent)?;
            }
            Op::Lanes { op, dst, acc, rows } => {
                let extent = self.extent(*rows, Arg::Const(1))?;
                self.lanes(machine, *op, *dst, *acc, extent.rows)?;
            }
            Op::Acquire { dst, chan } => return Ok(self.acquire(machine, *dst, *chan)),
            Op::Take { dst, chan } => return Ok(self.take(machine, *dst, *chan)),
            Op::Publish { chan } => machine.rings[*chan].published[self.side()] += 1,
            Op::Release { chan } => machine.rings[*chan].released[self.side()] += 1,
            Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => {}
        }
        Ok(Outcome::Done)
    }

    pub(super) fn arg(&self, arg: Arg) -> i64 {
        match arg {
            Arg::Const(value) => value,
            Arg::Val(value) => self.values[value],
        }
    }

    fn query(&self, func: &Func, what: CoreQuery) -> i64 {
        match (what, self.kind) {
            (CoreQuery::Size(place), _) => func.symbol_value(place),
            (CoreQuery::Core, CoreKind::Cube) | (CoreQuery::Group, _) => self.group,
            (CoreQuery::Core, CoreKind::Vector) => 2 * self.group + self.sub,
            (CoreQuery::Sub, _) => self.sub,
        }
    }

    fn side(&self) -> usize {
        usize::from(self.sub == 1)
    }

    fn turn(&mut self, machine: &Machine<'_>, buf: Buf) -> Result<(), Fault> {
        let data = &machine.func.bufs[buf];
        let cells = data
            .rows
            .checked_mul(data.cols)
            .and_then(|cells| usize::try_from(cells).ok());
        let bytes = cells.and_then(|cells| cells.checked_mul(data.elem.bytes() as usize));
        match (cells, bytes) {
            (Some(cells), Some(bytes)) if bytes <= MAX_BYTES / 64 => {
                let current = &mut self.bufs[buf];
                current.tile = None;
                if current.store.count() == cells && current.store.elem == data.elem {
                    current.store.forget(0, cells);
                } else {
                    let cols = usize::try_from(data.cols).ok();
                    current.store = Store::empty(data.elem, cells, cols);
                }
                Ok(())
            }
            _ => Err((
                EvalErrorKind::Limit,
                format!("buffer `{}` is too large to evaluate", data.name),
            )),
        }
    }

    /// Rows and columns, neither negative; of nothing if either is zero.
    pub(super) fn extent(&self, rows: Arg, cols: Arg) -> Result<Extent, Fault> {
        let extent = |arg| usize::try_from(self.arg(arg)).ok();
        let (Some(rows), Some(cols)) = (extent(rows), extent(cols)) else {
            return Err((
                EvalErrorKind::OutOfBounds,
                String::from("an extent is negative"),
            ));
        };
        let rows = if cols == 0 { 0 } else { rows };
        Ok(Extent { rows, cols })
    }

    pub(super) fn rows(&self, at: Arg, pitch: Arg) -> Rows {
        Rows {
            at: self.arg(at),
            pitch: self.arg(pitch),
        }
    }

    /// The number of the element of a buffer that lies `row` rows below the view's start.
    pub(super) fn position(
        &self,
        machine: &Machine<'_>,
        view: View,
        row: usize,
    ) -> Result<usize, Fault> {
        let data = &machine.func.bufs[view.buf];
        let row = i64::try_from(row)
            .ok()
            .and_then(|row| row.checked_add(self.arg(view.row)));
        let col = self.arg(view.col);
        match row {
            Some(row) if (0..data.rows).contains(&row) && (0..data.cols).contains(&col) => {
                Ok(usize::try_from(row * data.cols + col).unwrap_or(usize::MAX))
            }
            _ => {
                let message = format!(
                    "buffer `{}` has no element [{}, {col}]",
                    data.name,
                    row.unwrap_or(i64::MAX)
                );
                Err((EvalErrorKind::OutOfBounds, message))
            }
        }
    }

    /// As [`Core::position`], for `cols` elements of a row that all lie in the buffer.
    pub(super) fn row_position(
        &self,
        machine: &Machine<'_>,
        view: View,
        row: usize,
        cols: usize,
    ) -> Result<usize, Fault> {
        let data = &machine.func.bufs[view.buf];
        let end = i64::try_from(cols)
            .ok()
            .and_then(|cols| cols.checked_add(self.arg(view.col)));
        if end.is_none_or(|end| end > data.cols) {
            let message = format!(
                "{cols} columns from {} on leave buffer `{}`",
                self.arg(view.col),
                data.name
            );
            return Err((EvalErrorKind::OutOfBounds, message));
        }
        self.position(machine, view, row)
    }

    pub(super) fn matrix(&self, buf: Buf) -> &Matrix {
        &self.bufs[buf]
    }

    pub(super) fn matrix_mut(&mut self, buf: Buf) -> &mut Matrix {
        &mut self.bufs[buf]
    }

    /// Takes the current copy of a buffer out, to be put back with [`Core::put_back`].
    pub(super) fn take_out(&mut self, buf: Buf) -> Matrix {
        mem::take(&mut self.bufs[buf])
    }

    pub(super) fn put_back(&mut self, buf: Buf, matrix: Matrix) {
        self.bufs[buf] = matrix;
    }

    fn load(
        &mut self,
        machine: &Machine<'_>,
        dst: View,
        tensor: Tensor,
        rows: Rows,
        extent: Extent,
    ) -> Result<(), Fault> {
        let source = &machine.tensors[tensor];
        let data = &machine.func.bufs[dst.buf];
        let block = (32 / data.elem.bytes()) as usize;
        for row in 0..extent.rows {
            let at = self.row_position(machine, dst, row, extent.cols)?;
            let from = rows.start(row)?;
            let matrix = &mut self.bufs[dst.buf].store;
            matrix
                .copy(at, source, from, extent.cols)
                .map_err(|e| of_tensor(machine, tensor, e))?;
            if data.space == Space::L1 && data.layout == Layout::Nd {
                continue;
            }
            // The copy writes whole blocks of 32 B; a single row may end before the end of its last one.
            let room =
                usize::try_from(data.cols).unwrap_or(usize::MAX) - at % data.cols.max(1) as usize;
            let padded = extent.cols.next_multiple_of(block).min(room);
            matrix.clear(at + extent.cols, padded - extent.cols)?;
        }
        Ok(())
    }

    fn store(
        &mut self,
        machine: &mut Machine<'_>,
        tensor: Tensor,
        rows: Rows,
        src: View,
        extent: Extent,
    ) -> Result<(), Fault> {
        for row in 0..extent.rows {
            let at = self.row_position(machine, src, row, extent.cols)?;
            let to = rows.start(row)?;
            let source = &self.bufs[src.buf].store;
            let done = machine.tensors[tensor].copy(to, source, at, extent.cols);
            // The buffer's part is in bounds, the tensor's need not be.
            done.map_err(|e| {
                if e.0 == EvalErrorKind::OutOfBounds {
                    of_tensor(machine, tensor, e)
                } else {
                    of_buf(machine, src.buf, e)
                }
            })?;
        }
        Ok(())
    }

    fn acquire(&mut self, machine: &mut Machine<'_>, dst: Value, chan: Chan) -> Outcome {
        let data = &machine.func.chans[chan];
        let (depth, side) = (i64::from(data.depth), self.side());
        let ring = &mut machine.rings[chan];
        let slot = ring.acquired[side];
        let free = sides(&ring.released, other(data.from))
            .iter()
            .min()
            .map_or(0, |n| n + depth);
        if slot >= free {
            return Outcome::Waits;
        }
        // Two vector cores fill a slot together: the first of them opens it.
        let opens = slot >= ring.acquired[0].max(ring.acquired[1]);
        ring.acquired[side] += 1;
        let (offset, cells) = self.slot(machine, chan, slot);
        self.values[dst] = offset;
        if opens && let (Ok(offset), Ok(cells)) = (usize::try_from(offset), usize::try_from(cells))
        {
            machine.tensors[data.tensor].forget(offset, cells);
        }
        Outcome::Done
    }

    fn take(&mut self, machine: &mut Machine<'_>, dst: Value, chan: Chan) -> Outcome {
        let data = &machine.func.chans[chan];
        let side = self.side();
        let ring = &mut machine.rings[chan];
        let slot = ring.taken[side];
        if sides(&ring.published, data.from)
            .iter()
            .any(|&published| slot >= published)
        {
            return Outcome::Waits;
        }
        ring.taken[side] += 1;
        self.values[dst] = self.slot(machine, chan, slot).0;
        Outcome::Done
    }

    /// Offset and elements of a slot in the ring of this group.
    fn slot(&self, machine: &Machine<'_>, chan: Chan, slot: i64) -> (i64, i64) {
        let data = &machine.func.chans[chan];
        let shape = &machine.func.tensors[data.tensor].shape;
        let cells: i64 = shape.iter().skip(2).product();
        let depth = i64::from(data.depth).max(1);
        // Inside the ring, whose elements fit an i64.
        ((self.group * depth + slot % depth) * cells, cells)
    }
}

/// Says in which tensor a fault happened.
pub(super) fn of_tensor(machine: &Machine<'_>, tensor: Tensor, (kind, message): Fault) -> Fault {
    let name = &machine.func.tensors[tensor].name;
    (kind, format!("{message} of tensor `{name}`"))
}

/// Says in which buffer a fault happened.
pub(super) fn of_buf(machine: &Machine<'_>, buf: Buf, (kind, message): Fault) -> Fault {
    let name = &machine.func.bufs[buf].name;
    (kind, format!("{message} of buffer `{name}`"))
}

fn scalar(op: ScalarOp, a: i64, b: i64) -> Result<i64, Fault> {
    Ok(match op {
        ScalarOp::Add => a.wrapping_add(b),
        ScalarOp::Sub => a.wrapping_sub(b),
        ScalarOp::Mul => a.wrapping_mul(b),
        ScalarOp::Div | ScalarOp::Rem if a < 0 || b < 1 => {
            let message = format!(
                "{a} by {b}: only division of a non-negative by a positive number is defined"
            );
            return Err((EvalErrorKind::Value, message));
        }
        ScalarOp::Div => a / b,
        ScalarOp::Rem => a % b,
        ScalarOp::Min => a.min(b),
        ScalarOp::Max => a.max(b),
        ScalarOp::And => a & b,
        ScalarOp::Or => a | b,
        // The machine shifts by the amount modulo 64.
        ScalarOp::Shl => a.wrapping_shl(b as u32 & 63),
        ScalarOp::Shr => (a as u64).wrapping_shr(b as u32 & 63) as i64,
        ScalarOp::Cmp(op) => i64::from(compare_ints(op, a, b)),
        ScalarOp::Float(op) => {
            let [a, b] = [a, b].map(|bits| f32::from_bits(bits as u32));
            i64::from(float(op, a, b).to_bits())
        }
    })
}

fn float(op: FloatOp, a: f32, b: f32) -> f32 {
    match op {
        FloatOp::Add => num::add_f32(a, b),
        FloatOp::Sub => num::sub_f32(a, b),
        FloatOp::Mul => num::mul_f32(a, b),
        FloatOp::Div => num::div_f32(a, b),
        FloatOp::Sqrt => num::sqrt_f32(a),
    }
}
