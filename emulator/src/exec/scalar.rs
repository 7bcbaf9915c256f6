//! The scalar unit: arithmetic, memory, control flow. Flags and barriers are in `sync`.

use isa::inst::*;
use isa::num::{self, Overflow};
use isa::types::Space;

use super::sync;
use crate::core::{Core, Halt, LoopFrame};
use crate::fault::{FaultKind, Stop};
use crate::hazard::STORES;

/// Depth of the hardware call stack (we choose, as the row of `call` says).
const CALL_DEPTH: usize = 16;
/// Depth of nested hardware loops (we choose).
pub(crate) const LOOP_DEPTH: usize = 16;

type Done = Result<(), Halt>;

impl Core<'_> {
    fn x(&self, operand: XIn) -> u64 {
        self.context.reg(operand.0)
    }

    fn float(&self, operand: XIn) -> f32 {
        f32::from_bits(self.x(operand) as u32)
    }

    fn put(&mut self, dst: XOut, value: u64) {
        self.context.x[dst.0.index()] = value;
    }

    fn binary(&mut self, dst: XOut, a: XVal, b: XVal, f: impl Fn(i64, i64) -> i64) {
        let value = f(a.get(&self.context), b.get(&self.context));
        self.put(dst, value as u64);
    }

    fn float_binary(&mut self, dst: XOut, a: XIn, b: XIn, f: impl Fn(f32, f32) -> f32) {
        let value = f(self.float(a), self.float(b));
        self.put(dst, u64::from(value.to_bits()));
    }

    fn divisor(&self, b: XVal) -> Result<i64, Stop> {
        match b.get(&self.context) {
            0 => Err(Box::new(FaultKind::DivisionByZero)),
            divisor => Ok(divisor),
        }
    }

    /// The bits of a register that are of a kind, as ones.
    fn ones(&self, bit: BitKind, a: XIn) -> u64 {
        match bit {
            BitKind::Ones => self.x(a),
            BitKind::Zeros => !self.x(a),
        }
    }

    fn converted(&self, kind: ScalarConv, a: XIn) -> u64 {
        let ctrl = self.context.spr(Spr::Ctrl);
        let choose = |bit: u64, set, clear| if ctrl & bit != 0 { set } else { clear };
        match kind {
            ScalarConv::F32S32Even
            | ScalarConv::F32S32Away
            | ScalarConv::F32S32Floor
            | ScalarConv::F32S32Ceil
            | ScalarConv::F32S32Trunc => {
                let overflow = choose(Spr::CTRL_SATURATE, Overflow::Saturate, Overflow::Wrap);
                num::f32_to_int(self.float(a), kind.round(), overflow, 32, true) as u64
            }
            ScalarConv::S32F32Even
            | ScalarConv::S32F32Away
            | ScalarConv::S32F32Floor
            | ScalarConv::S32F32Ceil
            | ScalarConv::S32F32Trunc => {
                let value = i64::from(self.x(a) as i32);
                num::i64_to_f32(value, kind.round()).to_bits().into()
            }
            ScalarConv::F32F16 | ScalarConv::F32F16Odd => {
                let overflow = choose(Spr::CTRL_KEEP_INF, Overflow::Keep, Overflow::Saturate);
                num::f32_to_f16(self.float(a), kind.round(), overflow).into()
            }
            ScalarConv::F16F32 => num::f16_to_f32(self.x(a) as u16).to_bits().into(),
        }
    }

    /// The instruction whose number a register holds.
    fn instruction(&self, target: XIn) -> Result<Label, Stop> {
        u32::try_from(self.x(target))
            .map(Label)
            .map_err(|_| bad_flow("a jump leaves the section"))
    }

    fn jump(&mut self, target: Label) -> Done {
        if target.0 as usize >= self.program.code.len() {
            return Err(bad_flow("a jump leaves the section").into());
        }
        self.next = target.0 as usize;
        Ok(())
    }

    fn compares(&self, cond: Cond, ty: ScalarTy, a: i64, b: i64) -> bool {
        match ty {
            ScalarTy::S64 => ordered(cond, &a, &b),
            ScalarTy::U64 => ordered(cond, &(a as u64), &(b as u64)),
            ScalarTy::F32 => {
                let float = |x: i64| f32::from_bits(x as u32);
                num::cmp_f32(relation(cond), float(a), float(b))
            }
        }
    }

    /// The address of a scalar access, naturally aligned (we choose).
    fn address(&self, base: XIn, offset: i64, size: u64, space: Space) -> Result<u64, Stop> {
        let address = self.x(base).wrapping_add(offset as u64);
        match address.is_multiple_of(size) {
            true => Ok(address),
            false => Err(Box::new(FaultKind::Misaligned {
                operand: "base",
                space,
                address,
                align: size,
            })),
        }
    }

    /// Loads bytes, extended with zeros.
    fn load(&mut self, mem: ScalarMem, size: MemSize, base: XIn, offset: i64) -> Result<u64, Halt> {
        let size = size.bytes();
        let mut word = [0; 8];
        let bytes = &mut word[..size as usize];
        match mem {
            ScalarMem::Gm => {
                let address = self.address(base, offset, size, Space::Gm)?;
                self.load_gm(address, bytes)?;
            }
            ScalarMem::Ub => {
                let address = self.address(base, offset, size, Space::Ub)?;
                let at = self.memory(Space::Ub).inside("base", address, size)?;
                self.reads("base", Space::Ub, at, size as usize, true)?;
                bytes.copy_from_slice(&self.memory(Space::Ub).bytes[at..at + size as usize]);
            }
        }
        Ok(u64::from_le_bytes(word))
    }

    fn load_gm(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Stop> {
        let span = self.launch.gm.span("base", address, bytes.len() as u64)?;
        if self.launch.sanitize.uninit
            && let Some(at) = span.region.first_unset(span.offset, bytes.len())
        {
            return Err(Box::new(FaultKind::Uninitialised {
                operand: "base",
                space: Space::Gm,
                address: span.region.start + at as u64,
            }));
        }
        span.region.read(span.offset, bytes);
        self.gm_reads("base", address, bytes.len())
    }
}

fn bad_flow(what: &'static str) -> Stop {
    Box::new(FaultKind::BadControlFlow { what })
}

pub(super) fn ordered<T: Ord>(cond: Cond, a: &T, b: &T) -> bool {
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
    }
}

/// The comparison of `num` that a condition stands for.
pub(super) fn relation(cond: Cond) -> num::Compare {
    match cond {
        Cond::Eq => num::Compare::Eq,
        Cond::Ne => num::Compare::Ne,
        Cond::Lt => num::Compare::Lt,
        Cond::Le => num::Compare::Le,
        Cond::Gt => num::Compare::Gt,
        Cond::Ge => num::Compare::Ge,
    }
}

impl ScalarUnit for Core<'_> {
    fn nop(&mut self, _i: &Nop) -> Done {
        Ok(())
    }

    fn end(&mut self, _i: &End) -> Done {
        self.ended = true;
        Ok(())
    }

    fn trap(&mut self, i: &Trap) -> Done {
        let code = i.code.0 as u16;
        Err(Halt::Fault(Box::new(FaultKind::Trap { code })))
    }

    fn li(&mut self, i: &Li) -> Done {
        self.put(i.dst, i.value.0 as u64);
        Ok(())
    }

    fn mov(&mut self, i: &Mov) -> Done {
        self.put(i.dst, self.x(i.a));
        Ok(())
    }

    fn add(&mut self, i: &Add) -> Done {
        self.binary(i.dst, i.a, i.b, i64::wrapping_add);
        Ok(())
    }

    fn sub(&mut self, i: &Sub) -> Done {
        self.binary(i.dst, i.a, i.b, i64::wrapping_sub);
        Ok(())
    }

    fn mul(&mut self, i: &Mul) -> Done {
        self.binary(i.dst, i.a, i.b, i64::wrapping_mul);
        Ok(())
    }

    fn madd(&mut self, i: &Madd) -> Done {
        let product = (self.x(i.a) as i64).wrapping_mul(i.b.get(&self.context));
        let value = product.wrapping_add(i.c.get(&self.context));
        self.put(i.dst, value as u64);
        Ok(())
    }

    fn div(&mut self, i: &Div) -> Done {
        let divisor = self.divisor(i.b)?;
        let value = i.a.get(&self.context).wrapping_div(divisor);
        self.put(i.dst, value as u64);
        Ok(())
    }

    fn rem(&mut self, i: &Rem) -> Done {
        let divisor = self.divisor(i.b)?;
        let value = i.a.get(&self.context).wrapping_rem(divisor);
        self.put(i.dst, value as u64);
        Ok(())
    }

    fn and(&mut self, i: &And) -> Done {
        self.binary(i.dst, i.a, i.b, |a, b| a & b);
        Ok(())
    }

    fn or(&mut self, i: &Or) -> Done {
        self.binary(i.dst, i.a, i.b, |a, b| a | b);
        Ok(())
    }

    fn xor(&mut self, i: &Xor) -> Done {
        self.binary(i.dst, i.a, i.b, |a, b| a ^ b);
        Ok(())
    }

    fn shl(&mut self, i: &Shl) -> Done {
        self.binary(i.dst, i.a, i.b, |a, b| a.wrapping_shl(b as u32));
        Ok(())
    }

    fn shr(&mut self, i: &Shr) -> Done {
        self.binary(i.dst, i.a, i.b, |a, b| {
            (a as u64).wrapping_shr(b as u32) as i64
        });
        Ok(())
    }

    fn sar(&mut self, i: &Sar) -> Done {
        self.binary(i.dst, i.a, i.b, |a, b| a.wrapping_shr(b as u32));
        Ok(())
    }

    fn min(&mut self, i: &Min) -> Done {
        self.binary(i.dst, i.a, i.b, Ord::min);
        Ok(())
    }

    fn max(&mut self, i: &Max) -> Done {
        self.binary(i.dst, i.a, i.b, Ord::max);
        Ok(())
    }

    fn cmp(&mut self, i: &Cmp) -> Done {
        let (a, b) = (i.a.get(&self.context), i.b.get(&self.context));
        let holds = self.compares(i.cond, i.ty, a, b);
        self.put(i.dst, u64::from(holds));
        Ok(())
    }

    fn sel(&mut self, i: &Sel) -> Done {
        let chosen = if self.x(i.c) != 0 { i.a } else { i.b };
        let value = chosen.get(&self.context);
        self.put(i.dst, value as u64);
        Ok(())
    }

    fn fadd(&mut self, i: &Fadd) -> Done {
        self.float_binary(i.dst, i.a, i.b, num::add_f32);
        Ok(())
    }

    fn fsub(&mut self, i: &Fsub) -> Done {
        self.float_binary(i.dst, i.a, i.b, num::sub_f32);
        Ok(())
    }

    fn fmul(&mut self, i: &Fmul) -> Done {
        self.float_binary(i.dst, i.a, i.b, num::mul_f32);
        Ok(())
    }

    fn ld(&mut self, i: &Ld) -> Done {
        let word = self.load(i.mem, i.size, i.base, i.offset.0)?;
        self.put(i.dst, word);
        Ok(())
    }

    fn lds(&mut self, i: &Lds) -> Done {
        let word = self.load(i.mem, i.size, i.base, i.offset.0)?;
        let above = 64 - 8 * i.size.bytes() as u32;
        self.put(i.dst, ((word << above) as i64 >> above) as u64);
        Ok(())
    }

    fn ld_post(&mut self, i: &LdPost) -> Done {
        let base = i.base.0;
        let word = self.load(i.mem, i.size, XIn(base), 0)?;
        let next = self.x(XIn(base)).wrapping_add_signed(i.step.0);
        self.put(XOut(base), next);
        self.put(i.dst, word);
        Ok(())
    }

    fn st(&mut self, i: &St) -> Done {
        let size = i.size.bytes();
        let word = self.x(i.src).to_le_bytes();
        let bytes = &word[..size as usize];
        match i.mem {
            ScalarMem::Gm => {
                let address = self.address(i.base, i.offset.0, size, Space::Gm)?;
                let span = self.launch.gm.span("base", address, size)?;
                span.region.writable("base", address, size)?;
                self.store_lane(|core| core.gm_writes("base", address, size as usize))?;
                span.region.write(span.offset, bytes);
                span.region.set(span.offset, bytes.len());
            }
            ScalarMem::Ub => {
                let address = self.address(i.base, i.offset.0, size, Space::Ub)?;
                let at = self.memory(Space::Ub).inside("base", address, size)?;
                self.store_lane(|core| core.writes("base", Space::Ub, at, bytes.len()))?;
                let ub = self.memory(Space::Ub);
                ub.bytes[at..at + bytes.len()].copy_from_slice(bytes);
                ub.shadow.set(at, bytes.len());
                ub.touch(at + bytes.len());
            }
        }
        Ok(())
    }

    fn rdspr(&mut self, i: &Rdspr) -> Done {
        let value = self.special(i.spr)?;
        self.put(i.dst, value);
        Ok(())
    }

    fn wrspr(&mut self, i: &Wrspr) -> Done {
        if !i.spr.is_writable() {
            return Err(Halt::Fault(Box::new(FaultKind::IllegalValue {
                operand: "spr",
                value: i.spr.index() as i64,
                expected: "a special register that may be written",
            })));
        }
        self.context.spr[i.spr.index()] = i.src.get(&self.context) as u64;
        if i.spr == Spr::Ctrl {
            self.context.follow_ctrl();
        }
        Ok(())
    }

    fn jmp(&mut self, i: &Jmp) -> Done {
        self.jump(i.target)
    }

    fn bcc(&mut self, i: &Bcc) -> Done {
        let (a, b) = (self.x(i.a) as i64, i.b.get(&self.context));
        match ordered(i.cond, &a, &b) {
            true => self.jump(i.target),
            false => Ok(()),
        }
    }

    fn r#loop(&mut self, i: &Loop) -> Done {
        let end = i.end.0 as usize;
        let at = self.pc as usize;
        let closes = self.program.code.get(end).map(Inst::opcode) == Some(Opcode::Endloop);
        if end <= at || !closes {
            return Err(bad_flow("a loop does not name its `endloop`").into());
        }
        let left = i.count.get(&self.context);
        if left < 1 {
            self.next = end + 1;
            return Ok(());
        }
        if self.loops.len() >= LOOP_DEPTH {
            return Err(bad_flow("more than 16 nested hardware loops").into());
        }
        let body = at + 1;
        self.loops.push(LoopFrame { body, end, left });
        Ok(())
    }

    fn endloop(&mut self, _i: &Endloop) -> Done {
        let at = self.pc as usize;
        match self.loops.last_mut() {
            Some(frame) if frame.end == at => {
                frame.left -= 1;
                if frame.left > 0 {
                    self.next = frame.body;
                } else {
                    self.loops.pop();
                }
                Ok(())
            }
            Some(_) | None => Err(bad_flow("an `endloop` outside its loop").into()),
        }
    }

    fn call(&mut self, i: &Call) -> Done {
        if self.calls.len() >= CALL_DEPTH {
            return Err(bad_flow("more than 16 nested calls").into());
        }
        self.calls.push(self.pc as usize + 1);
        self.jump(i.target)
    }

    fn ret(&mut self, _i: &Ret) -> Done {
        match self.calls.pop() {
            Some(back) => {
                self.next = back;
                Ok(())
            }
            None => Err(bad_flow("a `ret` outside a subroutine").into()),
        }
    }

    fn vsetmask(&mut self, i: &Vsetmask) -> Done {
        let lanes = Lanes::Mask(self.x(i.lo), self.x(i.hi));
        self.context.set_lanes(lanes);
        Ok(())
    }

    fn vsetcount(&mut self, i: &Vsetcount) -> Done {
        let count = i.count.get(&self.context);
        if count < 0 {
            return Err(Halt::Fault(Box::new(FaultKind::IllegalValue {
                operand: "count",
                value: count,
                expected: "a count of elements, 0 or more",
            })));
        }
        self.context.set_lanes(Lanes::Count(count as u64));
        Ok(())
    }

    fn vseta(&mut self, i: &Vseta) -> Done {
        self.set_addresses(i);
        Ok(())
    }

    fn set_flag(&mut self, i: &SetFlag) -> Done {
        sync::set_flag(self, i)
    }

    fn wait_flag(&mut self, i: &WaitFlag) -> Done {
        sync::wait_flag(self, i)
    }

    fn bar(&mut self, i: &Bar) -> Done {
        sync::bar(self, i)
    }

    fn xset(&mut self, i: &Xset) -> Done {
        sync::xset(self, i)
    }

    fn xwait(&mut self, i: &Xwait) -> Done {
        sync::xwait(self, i)
    }

    fn not(&mut self, i: &Not) -> Done {
        self.put(i.dst, !self.x(i.a));
        Ok(())
    }

    fn abs(&mut self, i: &Abs) -> Done {
        self.put(i.dst, (self.x(i.a) as i64).wrapping_abs() as u64);
        Ok(())
    }

    fn neg(&mut self, i: &Neg) -> Done {
        self.put(i.dst, self.x(i.a).wrapping_neg());
        Ok(())
    }

    fn udiv(&mut self, i: &Udiv) -> Done {
        let divisor = self.divisor(i.b)? as u64;
        let value = i.a.get(&self.context) as u64 / divisor;
        self.put(i.dst, value);
        Ok(())
    }

    fn urem(&mut self, i: &Urem) -> Done {
        let divisor = self.divisor(i.b)? as u64;
        let value = i.a.get(&self.context) as u64 % divisor;
        self.put(i.dst, value);
        Ok(())
    }

    fn clz(&mut self, i: &Clz) -> Done {
        self.put(i.dst, self.x(i.a).leading_zeros().into());
        Ok(())
    }

    fn popc(&mut self, i: &Popc) -> Done {
        self.put(i.dst, self.ones(i.bit, i.a).count_ones().into());
        Ok(())
    }

    fn ffs(&mut self, i: &Ffs) -> Done {
        let bits = self.ones(i.bit, i.a);
        let place = match bits {
            0 => -1,
            _ => i64::from(bits.trailing_zeros()),
        };
        self.put(i.dst, place as u64);
        Ok(())
    }

    fn bset(&mut self, i: &Bset) -> Done {
        let bit = 1_u64.wrapping_shl(i.b.get(&self.context) as u32);
        let value = match i.bit {
            BitKind::Ones => self.x(i.a) | bit,
            BitKind::Zeros => self.x(i.a) & !bit,
        };
        self.put(i.dst, value);
        Ok(())
    }

    fn fmax(&mut self, i: &Fmax) -> Done {
        self.float_binary(i.dst, i.a, i.b, num::max_f32);
        Ok(())
    }

    fn fmin(&mut self, i: &Fmin) -> Done {
        self.float_binary(i.dst, i.a, i.b, num::min_f32);
        Ok(())
    }

    fn fdiv(&mut self, i: &Fdiv) -> Done {
        self.float_binary(i.dst, i.a, i.b, num::div_f32);
        Ok(())
    }

    fn fsqrt(&mut self, i: &Fsqrt) -> Done {
        let root = num::sqrt_f32(self.float(i.a));
        self.put(i.dst, root.to_bits().into());
        Ok(())
    }

    fn cvt(&mut self, i: &Cvt) -> Done {
        let value = self.converted(i.kind, i.a);
        self.put(i.dst, value);
        Ok(())
    }

    fn jmpr(&mut self, i: &Jmpr) -> Done {
        let target = self.instruction(i.target)?;
        self.jump(target)
    }

    fn callr(&mut self, i: &Callr) -> Done {
        let target = self.instruction(i.target)?;
        self.call(&Call { target })
    }

    fn dcci_line(&mut self, i: &DcciLine) -> Done {
        self.clean_line(self.x(i.base).wrapping_add_signed(i.offset.0));
        Ok(())
    }

    fn dsb_kind(&mut self, _i: &DsbKind) -> Done {
        self.order.stores_done = self.order.issued[STORES];
        Ok(())
    }

    fn dcci(&mut self, _i: &Dcci) -> Done {
        self.clean_lines(0, u64::MAX);
        Ok(())
    }

    fn dsb(&mut self, _i: &Dsb) -> Done {
        self.order.stores_done = self.order.issued[STORES];
        Ok(())
    }
}

impl Core<'_> {
    /// Runs an access in the lane of scalar stores.
    fn store_lane(
        &mut self,
        access: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let scalar = std::mem::replace(&mut self.lane, STORES);
        self.order.begin(STORES, self.pc);
        // Stores complete in order among themselves and after the scalar unit's earlier reads.
        let mut known = self.order.known[scalar];
        known[scalar] = self.order.issued[scalar];
        known[STORES] = self.order.issued[STORES] - 1;
        self.order.learn(STORES, &known);
        self.hear_scalar(STORES);
        let done = access(self);
        self.lane = scalar;
        self.order.known[scalar][STORES] = self.order.issued[STORES];
        done
    }
}
