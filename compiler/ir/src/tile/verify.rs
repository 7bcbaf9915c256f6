//! Checks that a tile function is well formed for its stage.
//!
//! In every stage:
//! - names can be written, and are unique among tensors, buffers and channels each; arguments stand before workspaces;
//!   extents are positive and products of extents fit;
//! - buffers have a space, a layout and padded extents that go together; a channel's ring is a workspace of its own of
//!   shape `[groups, depth, rows, cols]`;
//! - each block and each operation has one place, and blocks do not nest too deeply;
//! - each value is defined once and used where it is visible;
//! - an operation stands on the kind of core that has its buffers; every access belongs to a `Next` of its buffer in the
//!   same block or an enclosing one, and no `Next` in a nested block or in an earlier turn of the loop comes between;
//! - constant parts of views, extents and offsets are in range and aligned;
//! - element types of the operands go together (`verify/operate.rs` has the rules); arguments are never written;
//! - a channel is acquired and published by its producer, taken and released by its consumer, in pairs in one block, and
//!   its ring is accessed in between.
//!
//! From `Legal` on every vector operation is one that the machine has. From `Placed` on every buffer has an aligned
//! address inside its space, before it none has. Synchronisation stands in `Synced` functions alone, on pipes of the
//! core, with ids that exist.

mod declare;
mod operate;

use std::collections::BTreeSet;

use cranelift_entity::{EntitySet, SecondaryMap};
use isa::types::{CoreKind, Pipe, Space};

use super::print::MAX_NESTING;
use super::{Arg, Block, Buf, Chan, Func, Inst, Op, ScalarOp, Stage, Tensor, Value};

/// Problems beyond this number are not looked for.
const MAX_PROBLEMS: usize = 40;

/// Checks a function; `capacity` gives the bytes of each space of a core of the target. Says everything that is wrong.
pub fn verify(func: &Func, capacity: &dyn Fn(Space) -> u64) -> Result<(), Vec<String>> {
    let mut problems = declare::problems(func, capacity);
    // Operations on broken declarations would only repeat the same problems.
    if problems.is_empty() {
        problems = body_problems(func);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn body_problems(func: &Func) -> Vec<String> {
    let mut cx = Checker {
        func,
        problems: Vec::new(),
        kind: CoreKind::Cube,
        place: String::new(),
        blocks: EntitySet::new(),
        insts: EntitySet::new(),
        defined: EntitySet::new(),
        visible: SecondaryMap::new(),
        live: SecondaryMap::new(),
        open: SecondaryMap::new(),
        depth: 0,
    };
    if func.phases.is_empty() {
        cx.say("there is no phase");
    }
    for (number, phase) in func.phases.iter().enumerate() {
        if phase.cube.is_none() && phase.vector.is_none() {
            cx.say(&format!("phase {number} is empty"));
        }
        for (kind, block) in [
            (CoreKind::Cube, phase.cube),
            (CoreKind::Vector, phase.vector),
        ] {
            if let Some(block) = block {
                cx.kind = kind;
                cx.live = SecondaryMap::new();
                cx.place = format!("phase {number} on {}", kind.name());
                cx.block(block);
            }
        }
    }
    cx.problems
}

struct Checker<'a> {
    func: &'a Func,
    problems: Vec<String>,
    kind: CoreKind,
    /// What a problem is said to be in.
    place: String,
    blocks: EntitySet<Block>,
    insts: EntitySet<Inst>,
    defined: EntitySet<Value>,
    visible: SecondaryMap<Value, bool>,
    /// Whether a buffer has a generation that may be accessed here.
    live: SecondaryMap<Buf, bool>,
    /// The nesting depth at which a channel's slot was acquired or taken; 0 if it is not.
    open: SecondaryMap<Chan, usize>,
    depth: usize,
}

impl Checker<'_> {
    fn say(&mut self, problem: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            let place = if self.place.is_empty() {
                "function"
            } else {
                self.place.as_str()
            };
            self.problems.push(format!("{place}: {problem}"));
        }
    }

    fn block(&mut self, block: Block) {
        let func = self.func;
        let Some(data) = func.blocks.get(block) else {
            return self.say(&format!("{block} does not exist"));
        };
        if !self.blocks.insert(block) {
            return self.say(&format!("{block} stands in two places"));
        }
        if self.depth >= MAX_NESTING {
            return self.say("blocks nest too deeply");
        }
        self.depth += 1;
        let mut defined = Vec::new();
        for &inst in &data.insts {
            if self.problems.len() >= MAX_PROBLEMS {
                break;
            }
            self.inst(inst, &mut defined);
        }
        for value in defined {
            self.visible[value] = false;
        }
        self.close_channels();
        self.depth -= 1;
    }

    fn close_channels(&mut self) {
        for (chan, data) in &self.func.chans {
            if self.open[chan] == self.depth {
                self.open[chan] = 0;
                self.say(&format!(
                    "the slot of channel `{}` is not handed on in its block",
                    data.name
                ));
            }
        }
    }

    fn inst(&mut self, inst: Inst, defined: &mut Vec<Value>) {
        let func = self.func;
        let Some(data) = func.insts.get(inst) else {
            return self.say(&format!("{inst} does not exist"));
        };
        let outer = std::mem::take(&mut self.place);
        let core = outer.split(", ").next().unwrap_or_default();
        self.place = format!("{core}, {inst}");
        if self.insts.insert(inst) {
            self.op(&data.op, defined);
        } else {
            self.say("the operation stands in two places");
        }
        self.place = outer;
    }

    fn op(&mut self, op: &Op, defined: &mut Vec<Value>) {
        for arg in op.args() {
            self.usable(arg);
        }
        match op {
            Op::For {
                var,
                lo: _,
                hi: _,
                step,
                body,
            } => self.loop_over(*var, *step, *body),
            Op::If { cond: _, then, els } => self.branch(*then, *els),
            Op::Next { buf } => {
                self.buf_here(*buf);
                if self.func.bufs.is_valid(*buf) {
                    self.live[*buf] = true;
                }
            }
            Op::Scalar { op, b, .. } => {
                let divides = matches!(op, ScalarOp::Div | ScalarOp::Rem);
                if divides && matches!(b, Arg::Const(divisor) if *divisor < 1) {
                    self.say("the divisor is not positive");
                }
            }
            Op::Query { .. } => {}
            Op::Acquire { chan, .. } | Op::Take { chan, .. } => {
                let produces = matches!(op, Op::Acquire { .. });
                self.open_slot(*chan, produces);
            }
            Op::Publish { chan } => self.close_slot(*chan, true),
            Op::Release { chan } => self.close_slot(*chan, false),
            Op::SetFlag { src, dst, id, slot } | Op::WaitFlag { src, dst, id, slot } => {
                self.flag(*src, *dst, *id, *slot);
            }
            Op::Barrier { pipe } => {
                self.synced();
                if let Some(pipe) = pipe {
                    self.pipe_here(*pipe);
                }
            }
            Op::SyncAll => self.synced(),
            Op::SetCross { pipe, id } | Op::WaitCross { pipe, id } => {
                self.synced();
                self.pipe_here(*pipe);
                if *id >= 16 {
                    self.say("there are 16 cross-core counters");
                }
            }
            Op::Peek { .. }
            | Op::PeekBuf { .. }
            | Op::Poke { .. }
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::LoadTile { .. }
            | Op::LoadWindow { .. }
            | Op::LoadWords { .. }
            | Op::Mad { .. }
            | Op::Drain { .. }
            | Op::Ew { .. }
            | Op::Spread { .. }
            | Op::Transpose { .. }
            | Op::Gather { .. }
            | Op::Sort { .. }
            | Op::Accumulate { .. }
            | Op::BlockReduce { .. }
            | Op::Lanes { .. } => self.operation(op),
        }
        if let Some(value) = op.defines() {
            self.define(value);
            defined.push(value);
        }
    }

    fn define(&mut self, value: Value) {
        if !self.func.values.is_valid(value) {
            self.say(&format!("{value} does not exist"));
        } else if !self.defined.insert(value) {
            self.say(&format!("{value} is defined twice"));
        }
        self.visible[value] = true;
    }

    fn usable(&mut self, arg: Arg) {
        if let Arg::Val(value) = arg
            && !self.visible[value]
        {
            self.say(&format!("{value} is used where no definition is visible"));
        }
    }

    fn loop_over(&mut self, var: Value, step: i64, body: Block) {
        if step < 1 {
            self.say("the step is not positive");
        }
        self.define(var);
        let turned = turned_in(self.func, body);
        // A second turn of the loop finds the generations of the first one ended.
        self.end_generations(&turned);
        self.block(body);
        self.end_generations(&turned);
        self.visible[var] = false;
    }

    fn branch(&mut self, then: Block, els: Option<Block>) {
        let mut turned = turned_in(self.func, then);
        let before: Vec<(Buf, bool)> = turned.iter().map(|&b| (b, self.live[b])).collect();
        self.block(then);
        for (buf, live) in before {
            self.live[buf] = live;
        }
        if let Some(els) = els {
            turned.extend(turned_in(self.func, els));
            self.block(els);
        }
        self.end_generations(&turned);
    }

    fn end_generations(&mut self, bufs: &BTreeSet<Buf>) {
        for &buf in bufs {
            self.live[buf] = false;
        }
    }

    fn open_slot(&mut self, chan: Chan, produces: bool) {
        if !self.chan_here(chan, produces) {
            return;
        }
        if self.open[chan] != 0 {
            let name = &self.func.chans[chan].name;
            self.say(&format!("channel `{name}` already has a slot open"));
        }
        self.open[chan] = self.depth;
    }

    fn close_slot(&mut self, chan: Chan, produces: bool) {
        if !self.chan_here(chan, produces) {
            return;
        }
        if self.open[chan] != self.depth {
            let name = &self.func.chans[chan].name;
            self.say(&format!(
                "no slot of channel `{name}` was opened in this block"
            ));
        }
        self.open[chan] = 0;
    }

    fn chan_here(&mut self, chan: Chan, produces: bool) -> bool {
        let Some(data) = self.func.chans.get(chan) else {
            self.say(&format!("{chan} does not exist"));
            return false;
        };
        let right = (data.from == self.kind) == produces;
        if !right {
            self.say(&format!(
                "channel `{}` is used on the wrong side",
                data.name
            ));
        }
        right
    }

    /// Checks an access to a tensor that may be a channel's ring.
    fn ring_access(&mut self, tensor: Tensor, writes: bool) {
        let func = self.func;
        let Some((chan, data)) = func.chans.iter().find(|(_, data)| data.tensor == tensor) else {
            return;
        };
        if (data.from == self.kind) != writes {
            self.say(&format!(
                "the ring of channel `{}` is accessed on the wrong side",
                data.name
            ));
        } else if self.open[chan] == 0 {
            self.say(&format!(
                "the ring of channel `{}` is accessed without a slot",
                data.name
            ));
        }
    }

    fn flag(&mut self, src: Pipe, dst: Pipe, id: u32, slot: Option<Buf>) {
        self.synced();
        self.pipe_here(src);
        self.pipe_here(dst);
        if src == dst {
            self.say("a flag goes from a pipe to itself");
        }
        let ids = match slot {
            Some(buf) if self.buf_here(buf) => self.func.bufs[buf].depth,
            Some(_) | None => 1,
        };
        if id.saturating_add(ids) > 8 {
            self.say("a pair of pipes has 8 flags");
        }
    }

    fn synced(&mut self) {
        if self.func.stage < Stage::Synced {
            self.say("synchronisation stands before the stage `synced`");
        }
    }

    fn pipe_here(&mut self, pipe: Pipe) {
        let here = match pipe {
            Pipe::S | Pipe::Mte2 | Pipe::Mte3 => true,
            Pipe::M | Pipe::Mte1 | Pipe::Fix => self.kind == CoreKind::Cube,
            Pipe::V => self.kind == CoreKind::Vector,
        };
        if !here {
            self.say(&format!("a {} core has no pipe {pipe}", self.kind.name()));
        }
    }

    /// Whether the buffer exists on this kind of core.
    fn buf_here(&mut self, buf: Buf) -> bool {
        let Some(data) = self.func.bufs.get(buf) else {
            self.say(&format!("{buf} does not exist"));
            return false;
        };
        let kind = if data.space == Space::Ub {
            CoreKind::Vector
        } else {
            CoreKind::Cube
        };
        if kind != self.kind {
            self.say(&format!(
                "buffer `{}` in {} is not on a {} core",
                data.name,
                data.space,
                self.kind.name()
            ));
        }
        kind == self.kind
    }
}

/// The buffers that a block turns, nested blocks included.
fn turned_in(func: &Func, block: Block) -> BTreeSet<Buf> {
    let mut turned = BTreeSet::new();
    let mut seen = EntitySet::new();
    let mut pending = vec![block];
    while let Some(block) = pending.pop() {
        let Some(data) = func.blocks.get(block) else {
            continue;
        };
        if !seen.insert(block) {
            continue;
        }
        for op in data
            .insts
            .iter()
            .filter_map(|&inst| func.insts.get(inst))
            .map(|data| &data.op)
        {
            if let Op::Next { buf } = op {
                turned.insert(*buf);
            }
            pending.extend(op.blocks());
        }
    }
    turned
}
