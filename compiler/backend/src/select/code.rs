//! The growing program, and arithmetic on numbers that are constants as long as they can be.

use diag::Diagnostic;
use ir::tile::Arg;
use isa::inst::{self, Addr, Cond, Inst, Label, Reg, Val, XIn, XOut, XVal};

use super::Sel;
use crate::errors;

/// A number: known, or in a register.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Num {
    /// Known.
    Const(i64),
    /// In a register.
    Reg(Reg),
}

impl Num {
    /// The number, if it is known.
    pub(super) fn known(self) -> Option<i64> {
        match self {
            Num::Const(value) => Some(value),
            Num::Reg(_) => None,
        }
    }
}

impl Sel<'_> {
    /// Appends an instruction.
    pub(super) fn push(&mut self, inst: impl Into<Inst>) {
        self.code.insts.push(inst.into());
        self.code.spans.push(self.span);
    }

    /// Index of the next instruction.
    pub(super) fn here(&self) -> u32 {
        u32::try_from(self.code.insts.len()).unwrap_or(u32::MAX)
    }

    /// Lets the jump or loop at `at` go to the next instruction.
    pub(super) fn land(&mut self, at: u32) {
        let here = Label(self.here());
        match self.code.insts.get_mut(at as usize) {
            Some(Inst::Jmp(jump)) => jump.target = here,
            Some(Inst::Bcc(jump)) => jump.target = here,
            Some(Inst::Loop(head)) => head.end = here,
            _ => debug_assert!(false, "only jumps and loops land"),
        }
    }

    /// A register until the end of the operation.
    pub(super) fn temporary(&mut self) -> Result<Reg, Diagnostic> {
        self.homes
            .temporary()
            .ok_or_else(|| errors::too_many_scalars(self.span))
    }

    /// A register that its taker gives back.
    pub(super) fn lasting(&mut self) -> Result<Reg, Diagnostic> {
        self.homes
            .take()
            .ok_or_else(|| errors::too_many_scalars(self.span))
    }

    /// The number of a scalar operand.
    pub(super) fn num(&mut self, arg: Arg) -> Result<Num, Diagnostic> {
        match arg {
            Arg::Const(value) => Ok(Num::Const(value)),
            Arg::Val(value) => match self.homes.get(value) {
                Some(num) => Ok(num),
                None => self.anew(value),
            },
        }
    }

    /// The number of a scalar operand that has a place.
    pub(super) fn held(&self, arg: Arg) -> Result<Num, Diagnostic> {
        match arg {
            Arg::Const(value) => Ok(Num::Const(value)),
            Arg::Val(value) => {
                (self.homes.get(value)).ok_or_else(|| self.missing("a value without a definition"))
            }
        }
    }

    /// The numbers of scalar operands that have places.
    pub(super) fn held_nums<const N: usize>(&self, args: [Arg; N]) -> Result<[Num; N], Diagnostic> {
        let mut nums = [Num::Const(0); N];
        for (num, arg) in nums.iter_mut().zip(args) {
            *num = self.held(arg)?;
        }
        Ok(nums)
    }

    /// The number in a register.
    pub(super) fn in_reg(&mut self, num: Num) -> Result<Reg, Diagnostic> {
        match num {
            Num::Reg(reg) => Ok(reg),
            Num::Const(value) => {
                let reg = self.temporary()?;
                self.set(reg, Num::Const(value));
                Ok(reg)
            }
        }
    }

    /// Puts a number into a register.
    pub(super) fn set(&mut self, reg: Reg, num: Num) {
        match num {
            Num::Const(value) => self.push(inst::Li {
                dst: XOut(reg),
                value: inst::SImm(value),
            }),
            Num::Reg(from) if from == reg => {}
            Num::Reg(from) => self.push(inst::Mov {
                dst: XOut(reg),
                a: XIn(from),
            }),
        }
    }

    /// The number as an operand of scalar instructions.
    pub(super) fn xval(&mut self, num: Num) -> Result<XVal, Diagnostic> {
        if let Num::Const(value) = num
            && let Ok(small) = i32::try_from(value)
        {
            return Ok(XVal::Imm(small));
        }
        self.in_reg(num).map(XVal::Reg)
    }

    /// The number as an operand of `N` bits.
    pub(super) fn val<const N: u32>(&mut self, num: Num) -> Result<Val<N>, Diagnostic> {
        if let Num::Const(value) = num
            && let Ok(small) = u32::try_from(value)
            && small <= Val::<N>::MAX
        {
            return Ok(Val::Imm(small));
        }
        self.in_reg(num).map(Val::Reg)
    }

    /// The number as an on-chip address.
    pub(super) fn addr(&mut self, num: Num) -> Result<Addr, Diagnostic> {
        if let Num::Const(value) = num
            && let Ok(small) = u32::try_from(value)
        {
            return Ok(Addr::Imm(small));
        }
        self.in_reg(num).map(Addr::Reg)
    }

    /// The sum.
    pub(super) fn sum(&mut self, a: Num, b: Num) -> Result<Num, Diagnostic> {
        match (a, b) {
            (Num::Const(a), Num::Const(b)) => Ok(Num::Const(a.wrapping_add(b))),
            (other, Num::Const(0)) | (Num::Const(0), other) => Ok(other),
            (a, b) => {
                let (a, b) = (self.xval(a)?, self.xval(b)?);
                let dst = self.temporary()?;
                self.push(inst::Add {
                    dst: XOut(dst),
                    a,
                    b,
                });
                Ok(Num::Reg(dst))
            }
        }
    }

    /// The difference.
    pub(super) fn difference(&mut self, a: Num, b: Num) -> Result<Num, Diagnostic> {
        match (a, b) {
            (Num::Const(a), Num::Const(b)) => Ok(Num::Const(a.wrapping_sub(b))),
            (other, Num::Const(0)) => Ok(other),
            (a, b) => {
                let (a, b) = (self.xval(a)?, self.xval(b)?);
                let dst = self.temporary()?;
                self.push(inst::Sub {
                    dst: XOut(dst),
                    a,
                    b,
                });
                Ok(Num::Reg(dst))
            }
        }
    }

    /// The product by a known factor, plus a number.
    pub(super) fn scaled(&mut self, a: Num, factor: i64, plus: Num) -> Result<Num, Diagnostic> {
        if let Num::Const(a) = a {
            return self.sum(Num::Const(a.wrapping_mul(factor)), plus);
        }
        if factor == 0 {
            return Ok(plus);
        }
        if factor == 1 {
            return self.sum(a, plus);
        }
        if let (Some(shift), Num::Const(0)) = (power_of_two(factor), plus) {
            return self.shifted(a, shift);
        }
        let a = self.in_reg(a)?;
        let (b, c) = (self.xval(Num::Const(factor))?, self.xval(plus)?);
        let dst = self.temporary()?;
        self.push(inst::Madd {
            dst: XOut(dst),
            a: XIn(a),
            b,
            c,
        });
        Ok(Num::Reg(dst))
    }

    /// The product.
    pub(super) fn product(&mut self, a: Num, b: Num) -> Result<Num, Diagnostic> {
        match (a, b) {
            (a, Num::Const(b)) => self.scaled(a, b, Num::Const(0)),
            (Num::Const(a), b) => self.scaled(b, a, Num::Const(0)),
            (Num::Reg(a), Num::Reg(b)) => {
                let dst = self.temporary()?;
                self.push(inst::Mul {
                    dst: XOut(dst),
                    a: XVal::Reg(a),
                    b: XVal::Reg(b),
                });
                Ok(Num::Reg(dst))
            }
        }
    }

    fn shifted(&mut self, a: Num, shift: i32) -> Result<Num, Diagnostic> {
        let a = self.xval(a)?;
        let dst = self.temporary()?;
        self.push(inst::Shl {
            dst: XOut(dst),
            a,
            b: XVal::Imm(shift),
        });
        Ok(Num::Reg(dst))
    }

    /// The quotient by a known positive divisor, rounded up; of a negative number something below 1.
    pub(super) fn ceil_div(&mut self, a: Num, divisor: i64) -> Result<Num, Diagnostic> {
        if let Num::Const(a) = a {
            return Ok(Num::Const(
                a.saturating_add(divisor - 1).div_euclid(divisor),
            ));
        }
        if divisor == 1 {
            return Ok(a);
        }
        let raised = self.sum(a, Num::Const(divisor - 1))?;
        let a = self.xval(raised)?;
        let dst = self.temporary()?;
        match power_of_two(divisor) {
            Some(shift) => self.push(inst::Sar {
                dst: XOut(dst),
                a,
                b: XVal::Imm(shift),
            }),
            None => {
                let b = self.xval(Num::Const(divisor))?;
                self.push(inst::Div {
                    dst: XOut(dst),
                    a,
                    b,
                });
            }
        }
        Ok(Num::Reg(dst))
    }

    /// Runs `body` `count` times in a hardware loop; once, without one, if the count is known to be 1.
    pub(super) fn counted(
        &mut self,
        count: Num,
        body: impl FnOnce(&mut Self) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        match count {
            Num::Const(count) if count <= 0 => Ok(()),
            Num::Const(1) => body(self),
            Num::Const(_) | Num::Reg(_) => {
                let count = self.xval(count)?;
                let head = self.here();
                self.push(inst::Loop {
                    count,
                    end: Label(0),
                });
                body(self)?;
                self.land(head);
                self.push(inst::Endloop {});
                Ok(())
            }
        }
    }

    /// Skips `body` at run time unless all of these numbers are positive; known ones decide at once.
    pub(super) fn unless_empty(
        &mut self,
        extents: &[Num],
        body: impl FnOnce(&mut Self) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        if extents
            .iter()
            .any(|extent| extent.known().is_some_and(|value| value <= 0))
        {
            return Ok(());
        }
        let mut jumps = Vec::new();
        for &extent in extents {
            if let Num::Reg(reg) = extent {
                jumps.push(self.here());
                self.push(inst::Bcc {
                    cond: Cond::Le,
                    a: XIn(reg),
                    b: XVal::Imm(0),
                    target: Label(0),
                });
            }
        }
        body(self)?;
        jumps.into_iter().for_each(|at| self.land(at));
        Ok(())
    }
}

/// The exponent of a power of two.
pub(super) fn power_of_two(value: i64) -> Option<i32> {
    (value > 0 && value & (value - 1) == 0).then(|| value.trailing_zeros() as i32)
}
