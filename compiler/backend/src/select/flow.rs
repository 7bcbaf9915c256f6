//! Loops, branches, scalars, copies of buffers, flags and channels.

use std::collections::BTreeMap;

use diag::Diagnostic;
use ir::algo::CmpOp;
use ir::tile::{Arg, Block, Buf, Chan, CoreQuery, FloatOp, Inst, Op, ScalarOp, Value, View};
use isa::inst::{self, Cond, Label, PipeOp, Reg, ScalarTy, Spr, UImm, Val, XIn, XOut, XVal};
use isa::types::{CoreKind, Layout, Pipe, Space};

use super::code::{Num, power_of_two};
use super::regs::Lives;
use super::vector::LaneState;
use super::{Done, Sel};
use crate::pass::insert_sync::COUNTERS;

/// Buffers that turn together: those with one `Next`, in the same block, of the same depth; others each alone.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlotKey {
    /// All buffers of this depth that turn in this block.
    Together(Block, u32),
    /// One buffer that turns at several places.
    Alone(Buf),
}

/// Group exchange modes of `xset` and `xwait`.
const ALL_OF_KIND: u64 = 0;
const OTHER_KIND: u64 = 2;

impl Sel<'_> {
    /// Selects the block of one phase.
    pub(super) fn phase(&mut self, root: Block) -> Done {
        self.lives = Lives::of(self.func, root, self.again);
        self.lanes = LaneState::Unknown;
        self.start_slots(root)?;
        self.block(root)?;
        for reg in std::mem::take(&mut self.slots)
            .into_values()
            .chain(std::mem::take(&mut self.rings).into_values())
        {
            self.homes.free(reg);
        }
        self.slot_of.clear();
        self.homes.clear();
        Ok(())
    }

    fn block(&mut self, block: Block) -> Done {
        let func = self.func;
        func.blocks[block]
            .insts
            .iter()
            .try_for_each(|&inst| self.op(inst))
    }

    /// Gives every group of buffers with copies, and every channel, its counter.
    fn start_slots(&mut self, root: Block) -> Done {
        let mut sites = BTreeMap::new();
        let mut chans = Vec::new();
        self.find_slots(root, &mut sites, &mut chans);
        for (buf, blocks) in sites {
            let depth = self.func.bufs[buf].depth;
            if depth < 2 {
                continue;
            }
            let key = match *blocks {
                [block] => SlotKey::Together(block, depth),
                _ => SlotKey::Alone(buf),
            };
            self.slot_of.insert(buf, key);
            if !self.slots.contains_key(&key) {
                let reg = self.lasting()?;
                self.set(reg, Num::Const(i64::from(depth) - 1));
                self.slots.insert(key, reg);
            }
        }
        for chan in chans {
            if !self.rings.contains_key(&chan) {
                let reg = self.lasting()?;
                self.set(reg, Num::Const(0));
                self.rings.insert(chan, reg);
            }
        }
        Ok(())
    }

    fn find_slots(
        &self,
        block: Block,
        sites: &mut BTreeMap<Buf, Vec<Block>>,
        chans: &mut Vec<Chan>,
    ) {
        for &inst in &self.func.blocks[block].insts {
            let op = &self.func.insts[inst].op;
            if let Op::Next { buf } = op {
                sites.entry(*buf).or_default().push(block);
            }
            if let Op::Acquire { chan, .. } | Op::Take { chan, .. } = op {
                chans.push(*chan);
            }
            op.blocks()
                .into_iter()
                .for_each(|inner| self.find_slots(inner, sites, chans));
        }
    }

    /// Turns a buffer. Of a group only the first one counts: none of the others is used before its own turn.
    pub(super) fn turn(&mut self, buf: Buf) -> Done {
        let Some(&key) = self.slot_of.get(&buf) else {
            return Ok(());
        };
        if let SlotKey::Together(block, _) = key
            && self.first_of_group(block, key) != Some(buf)
        {
            return Ok(());
        }
        let reg = self.slots[&key];
        self.wrap_add(reg, 1, i64::from(self.func.bufs[buf].depth))
    }

    fn first_of_group(&self, block: Block, key: SlotKey) -> Option<Buf> {
        let mut insts = self.func.blocks[block].insts.iter();
        insts.find_map(|&inst| {
            if let Op::Next { buf } = &self.func.insts[inst].op {
                return (self.slot_of.get(buf) == Some(&key)).then_some(*buf);
            }
            None
        })
    }

    /// `reg = (reg + step) mod end` for `reg` below `end` and `end` a multiple of `step`.
    fn wrap_add(&mut self, reg: Reg, step: i64, end: i64) -> Done {
        let (dst, own) = (XOut(reg), XVal::Reg(reg));
        if end == 2 * step {
            let b = self.xval(Num::Const(step))?;
            self.push(inst::Xor { dst, a: own, b });
            // Bits of `step` are all there is: 0 and `step` alternate.
            return Ok(());
        }
        let b = self.xval(Num::Const(step))?;
        self.push(inst::Add { dst, a: own, b });
        let b = self.xval(Num::Const(end))?;
        let below = self.temporary()?;
        self.push(inst::Cmp {
            cond: Cond::Lt,
            ty: ScalarTy::S64,
            dst: XOut(below),
            a: own,
            b,
        });
        self.push(inst::Mul {
            dst,
            a: own,
            b: XVal::Reg(below),
        });
        Ok(())
    }

    /// The byte address of the current copy of a buffer.
    pub(super) fn copy_addr(&mut self, buf: Buf) -> Result<Num, Diagnostic> {
        let data = &self.func.bufs[buf];
        let start = Num::Const(i64::from(data.addr.unwrap_or(0)));
        let bytes = data
            .copy_bytes()
            .and_then(|bytes| i64::try_from(bytes).ok());
        match self.slot_reg(buf) {
            Some(slot) => self.scaled(Num::Reg(slot), bytes.unwrap_or(0), start),
            None => Ok(start),
        }
    }

    pub(super) fn slot_reg(&self, buf: Buf) -> Option<Reg> {
        self.slot_of
            .get(&buf)
            .and_then(|key| self.slots.get(key))
            .copied()
    }

    /// The byte address of the first element of a view.
    pub(super) fn view_addr(&mut self, view: View) -> Result<Num, Diagnostic> {
        let data = &self.func.bufs[view.buf];
        let copy = self.copy_addr(view.buf)?;
        let (row, col) = (self.num(view.row)?, self.num(view.col)?);
        if data.layout == Layout::NZ && data.space == Space::L1 {
            // Column blocks of 32 B, each of all rows.
            let bytes = data.elem.bytes() as i64;
            let with_row = self.scaled(row, 32, copy)?;
            return match col {
                Num::Const(col) => self.sum(
                    Num::Const(col.saturating_mul(bytes).saturating_mul(data.rows)),
                    with_row,
                ),
                col => self.scaled(col, bytes.saturating_mul(data.rows), with_row),
            };
        }
        let bits = super::vector::elem_bits(data);
        let with_row = self.scaled(row, data.cols.saturating_mul(bits) / 8, copy)?;
        if bits >= 8 {
            return self.scaled(col, bits / 8, with_row);
        }
        let bytes = self.ceil_div(col, 8)?;
        self.sum(bytes, with_row)
    }

    /// A loop that never runs leaves no code; one that runs once is its body.
    pub(super) fn repeat(
        &mut self,
        inst: Inst,
        var: Value,
        [lo, hi]: [Arg; 2],
        step: i64,
        body: Block,
    ) -> Done {
        let (lo, hi) = (self.num(lo)?, self.num(hi)?);
        let extent = self.difference(hi, lo)?;
        let count = self.ceil_div(extent, step.max(1))?;
        if let (Num::Const(1), Num::Const(lo)) = (count, lo) {
            self.homes.fold(var, lo);
            return self.block(body);
        }
        if count.known().is_some_and(|count| count <= 0) {
            return Ok(());
        }
        let last = self.lives.end_of(inst);
        let reg = self
            .homes
            .settle(var, last)
            .ok_or_else(|| crate::errors::too_many_scalars(self.span))?;
        self.set(reg, lo);
        let mark = self.span;
        self.lanes = LaneState::Unknown;
        // The count is read by `loop` alone, so its temporaries end before the body.
        let count = self.xval(count)?;
        self.homes.end_temporaries();
        let head = self.here();
        self.push(inst::Loop {
            count,
            end: Label(0),
        });
        self.block(body)?;
        self.span = mark;
        let b = self.xval(Num::Const(step))?;
        self.push(inst::Add {
            dst: XOut(reg),
            a: XVal::Reg(reg),
            b,
        });
        self.land(head);
        self.push(inst::Endloop {});
        self.lanes = LaneState::Unknown;
        Ok(())
    }

    /// A branch whose condition is known is its side.
    pub(super) fn branch(&mut self, cond: Arg, then: Block, els: Option<Block>) -> Done {
        let cond = match self.num(cond)? {
            Num::Const(0) => return els.map_or(Ok(()), |els| self.block(els)),
            Num::Const(_) => return self.block(then),
            Num::Reg(reg) => reg,
        };
        let to_else = self.here();
        self.push(inst::Bcc {
            cond: Cond::Eq,
            a: XIn(cond),
            b: XVal::Imm(0),
            target: Label(0),
        });
        self.homes.end_temporaries();
        self.lanes = LaneState::Unknown;
        self.block(then)?;
        if let Some(els) = els {
            let to_end = self.here();
            self.push(inst::Jmp { target: Label(0) });
            self.land(to_else);
            self.lanes = LaneState::Unknown;
            self.block(els)?;
            self.land(to_end);
        } else {
            self.land(to_else);
        }
        self.lanes = LaneState::Unknown;
        Ok(())
    }

    /// The register that a value keeps until its last use; none if nothing uses it.
    pub(super) fn define(&mut self, value: Value) -> Result<Option<Reg>, Diagnostic> {
        let Some(last) = self.lives.last_use(value) else {
            return Ok(None);
        };
        let reg = self
            .homes
            .settle(value, last)
            .ok_or_else(|| crate::errors::too_many_scalars(self.span))?;
        Ok(Some(reg))
    }

    pub(super) fn scalar(&mut self, dst: Value, op: ScalarOp, a: Arg, b: Arg) -> Done {
        let (a, b) = (self.num(a)?, self.num(b)?);
        if let ScalarOp::Float(op) = op {
            return self.float(dst, op, a, b);
        }
        if let (Num::Const(a), Num::Const(b)) = (a, b)
            && let Some(value) = fold(op, a, b)
        {
            self.homes.fold(dst, value);
            return Ok(());
        }
        if self.is_later(dst) {
            return Ok(());
        }
        let Some(reg) = self.define(dst)? else {
            return Ok(());
        };
        self.compute(reg, op, [a, b])
    }

    /// Whether a value has no register: what there is to do is done at each use.
    fn is_later(&mut self, value: Value) -> bool {
        let later = self.again.contains(&value);
        if let (true, Some(inst)) = (later, self.inst) {
            self.recipes.insert(value, inst);
        }
        later
    }

    /// A value that has no register, computed until the end of the operation.
    pub(super) fn anew(&mut self, value: Value) -> Result<Num, Diagnostic> {
        let func = self.func;
        let recipe = self.recipes.get(&value).copied();
        let recipe = recipe.map(|inst| &func.insts[inst].op);
        if let Some(Op::Scalar { op, a, b, .. }) = recipe {
            let mark = self.homes.mark();
            let (a, b) = (self.num(*a)?, self.num(*b)?);
            let (a, b) = (self.operand(a)?, self.operand(b)?);
            // The result may take the place of what it is computed from.
            self.homes.cut(mark);
            let reg = self.temporary()?;
            self.compute(reg, *op, [a, b])?;
            return Ok(Num::Reg(reg));
        }
        let Some(Op::Query { what, .. }) = recipe else {
            return Err(self.missing("a value without a definition"));
        };
        let reg = self.temporary()?;
        self.answer(reg, *what)?;
        Ok(Num::Reg(reg))
    }

    /// A number that needs no further register as an operand.
    fn operand(&mut self, num: Num) -> Result<Num, Diagnostic> {
        match self.xval(num)? {
            XVal::Imm(value) => Ok(Num::Const(i64::from(value))),
            XVal::Reg(reg) => Ok(Num::Reg(reg)),
        }
    }

    /// Computes a scalar operation into a register.
    fn compute(&mut self, reg: Reg, op: ScalarOp, [a, b]: [Num; 2]) -> Done {
        let divisor = b.known().and_then(power_of_two);
        let (a, b) = (self.xval(a)?, self.xval(b)?);
        let dst = XOut(reg);
        match op {
            ScalarOp::Add => self.push(inst::Add { dst, a, b }),
            ScalarOp::Sub => self.push(inst::Sub { dst, a, b }),
            ScalarOp::Mul => self.push(inst::Mul { dst, a, b }),
            ScalarOp::Div if divisor.is_some() => self.push(inst::Shr {
                dst,
                a,
                b: XVal::Imm(divisor.unwrap_or(0)),
            }),
            ScalarOp::Rem if divisor.is_some_and(|shift| shift < 31) => {
                let mask = (1i32 << divisor.unwrap_or(0)) - 1;
                self.push(inst::And {
                    dst,
                    a,
                    b: XVal::Imm(mask),
                });
            }
            ScalarOp::Div => self.push(inst::Div { dst, a, b }),
            ScalarOp::Rem => self.push(inst::Rem { dst, a, b }),
            ScalarOp::Min => self.push(inst::Min { dst, a, b }),
            ScalarOp::Max => self.push(inst::Max { dst, a, b }),
            ScalarOp::And => self.push(inst::And { dst, a, b }),
            ScalarOp::Or => self.push(inst::Or { dst, a, b }),
            ScalarOp::Shl => self.push(inst::Shl { dst, a, b }),
            ScalarOp::Shr => self.push(inst::Shr { dst, a, b }),
            ScalarOp::Cmp(cmp) => self.push(inst::Cmp {
                cond: cond(cmp),
                ty: ScalarTy::S64,
                dst,
                a,
                b,
            }),
            ScalarOp::Float(_) => return Err(self.missing("this operation of the scalar unit")),
        }
        Ok(())
    }

    /// Arithmetic on f32, which takes registers alone.
    fn float(&mut self, dst: Value, op: FloatOp, a: Num, b: Num) -> Done {
        let Some(reg) = self.define(dst)? else {
            return Ok(());
        };
        let (dst, a) = (XOut(reg), XIn(self.in_reg(a)?));
        if op == FloatOp::Sqrt {
            self.push(inst::Fsqrt { dst, a });
            return Ok(());
        }
        let b = XIn(self.in_reg(b)?);
        match op {
            FloatOp::Add => self.push(inst::Fadd { dst, a, b }),
            FloatOp::Sub => self.push(inst::Fsub { dst, a, b }),
            FloatOp::Mul => self.push(inst::Fmul { dst, a, b }),
            FloatOp::Div | FloatOp::Sqrt => self.push(inst::Fdiv { dst, a, b }),
        }
        Ok(())
    }

    pub(super) fn query(&mut self, dst: Value, what: CoreQuery) -> Done {
        if self.is_later(dst) {
            return Ok(());
        }
        match self.define(dst)? {
            Some(reg) => self.answer(reg, what),
            None => Ok(()),
        }
    }

    /// Asks the core something.
    fn answer(&mut self, reg: Reg, what: CoreQuery) -> Done {
        match (what, self.core) {
            (CoreQuery::Size(place), _) => {
                let tensors = u32::try_from(self.func.tensors.len()).unwrap_or(u32::MAX);
                self.load_word(tensors.saturating_add(place), reg);
            }
            (CoreQuery::Group, _) | (CoreQuery::Core, CoreKind::Cube) => {
                self.read_spr(reg, Spr::BlockId)
            }
            (CoreQuery::Sub, CoreKind::Vector) => self.read_spr(reg, Spr::SubBlockId),
            (CoreQuery::Sub, CoreKind::Cube) => self.set(reg, Num::Const(0)),
            (CoreQuery::Core, CoreKind::Vector) => {
                let sub = self.temporary()?;
                self.read_spr(reg, Spr::BlockId);
                self.read_spr(sub, Spr::SubBlockId);
                self.push(inst::Madd {
                    dst: XOut(reg),
                    a: XIn(reg),
                    b: XVal::Imm(2),
                    c: XVal::Reg(sub),
                });
            }
        }
        Ok(())
    }

    fn read_spr(&mut self, reg: Reg, spr: Spr) {
        self.push(inst::Rdspr {
            dst: XOut(reg),
            spr,
        });
    }

    /// The offset of the slot whose turn it is, then the turn of the next one.
    pub(super) fn ring_slot(&mut self, dst: Value, chan: Chan) -> Done {
        let Some(&next) = self.rings.get(&chan) else {
            return Err(self.missing("a channel without a ring"));
        };
        let data = &self.func.chans[chan];
        let cells = self.func.tensors[data.tensor]
            .shape
            .iter()
            .skip(2)
            .fold(1i64, |n, &extent| n.saturating_mul(extent));
        let ring = cells.saturating_mul(i64::from(data.depth));
        if let Some(reg) = self.define(dst)? {
            self.read_spr(reg, Spr::BlockId);
            let (b, c) = (self.xval(Num::Const(ring))?, XVal::Reg(next));
            self.push(inst::Madd {
                dst: XOut(reg),
                a: XIn(reg),
                b,
                c,
            });
        }
        if data.depth > 1 {
            self.wrap_add(next, cells, ring)?;
        }
        Ok(())
    }

    pub(super) fn set_flag(&mut self, [src, dst]: [Pipe; 2], id: u32, slot: Option<Buf>) -> Done {
        let id = self.flag_id(id, slot)?;
        self.push(inst::SetFlag {
            src: src.into(),
            dst: dst.into(),
            id,
        });
        Ok(())
    }

    pub(super) fn wait_flag(&mut self, [src, dst]: [Pipe; 2], id: u32, slot: Option<Buf>) -> Done {
        let id = self.flag_id(id, slot)?;
        self.push(inst::WaitFlag {
            src: src.into(),
            dst: dst.into(),
            id,
        });
        Ok(())
    }

    fn flag_id(&mut self, id: u32, slot: Option<Buf>) -> Result<Val<3>, Diagnostic> {
        let first = Num::Const(i64::from(id));
        let id = match slot.and_then(|buf| self.slot_reg(buf)) {
            Some(reg) => self.sum(Num::Reg(reg), first)?,
            None => first,
        };
        self.val(id)
    }

    /// A barrier on one pipe, or on all; the scalar unit waits for its own stores.
    pub(super) fn barrier(&mut self, pipe: Option<Pipe>) {
        match pipe {
            Some(Pipe::S) => self.push(inst::Dsb {}),
            Some(pipe) => self.push(inst::Bar { pipe: pipe.into() }),
            None => self.push(inst::Bar { pipe: PipeOp::All }),
        }
    }

    /// All cores of this kind meet, then those of each group.
    pub(super) fn sync_all(&mut self) {
        self.barrier(None);
        let pipe = self.meeting_pipe();
        let both = self.func.phases.iter().any(|phase| phase.cube.is_some())
            && self.func.phases.iter().any(|phase| phase.vector.is_some());
        let rounds = [(ALL_OF_KIND, COUNTERS - 1), (OTHER_KIND, COUNTERS - 2)];
        for &(mode, id) in &rounds[..1 + usize::from(both)] {
            self.push(inst::Xset {
                pipe,
                mode: UImm(mode),
                id: Val::Imm(id),
            });
            self.push(inst::Xwait {
                pipe,
                mode: UImm(mode),
                id: Val::Imm(id),
            });
        }
        self.barrier(None);
    }

    /// Everything has drained, so any pipe will do; both kinds of core have this one.
    fn meeting_pipe(&self) -> PipeOp {
        PipeOp::Mte2
    }

    pub(super) fn set_cross(&mut self, pipe: Pipe, id: u32) {
        self.push(inst::Xset {
            pipe: pipe.into(),
            mode: UImm(OTHER_KIND),
            id: Val::Imm(id),
        });
    }

    pub(super) fn wait_cross(&mut self, pipe: Pipe, id: u32) {
        self.push(inst::Xwait {
            pipe: pipe.into(),
            mode: UImm(OTHER_KIND),
            id: Val::Imm(id),
        });
    }
}

/// The comparison as the machine has it.
pub(super) fn cond(cmp: CmpOp) -> Cond {
    match cmp {
        CmpOp::Eq => Cond::Eq,
        CmpOp::Ne => Cond::Ne,
        CmpOp::Lt => Cond::Lt,
        CmpOp::Le => Cond::Le,
        CmpOp::Gt => Cond::Gt,
        CmpOp::Ge => Cond::Ge,
    }
}

/// The value of an operation on constants, unless it would fault at run time.
fn fold(op: ScalarOp, a: i64, b: i64) -> Option<i64> {
    let shift = (b & 63) as u32;
    Some(match op {
        ScalarOp::Add => a.wrapping_add(b),
        ScalarOp::Sub => a.wrapping_sub(b),
        ScalarOp::Mul => a.wrapping_mul(b),
        ScalarOp::Div => a.checked_div(b)?,
        ScalarOp::Rem => a.checked_rem(b)?,
        ScalarOp::Min => a.min(b),
        ScalarOp::Max => a.max(b),
        ScalarOp::And => a & b,
        ScalarOp::Or => a | b,
        ScalarOp::Shl => a << shift,
        ScalarOp::Shr => ((a as u64) >> shift) as i64,
        ScalarOp::Cmp(cmp) => i64::from(match cmp {
            CmpOp::Eq => a == b,
            CmpOp::Ne => a != b,
            CmpOp::Lt => a < b,
            CmpOp::Le => a <= b,
            CmpOp::Gt => a > b,
            CmpOp::Ge => a >= b,
        }),
        ScalarOp::Float(_) => return None,
    })
}
