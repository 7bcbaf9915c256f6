//! What vector operations demand: element types, dense rows, blocks, lanes.

use isa::types::{Elem, Space};

use super::places::{Check, Columns};
use crate::stage::machine_has;
use crate::tile::names::{elem_bits, ew_name};
use crate::tile::verify::Checker;
use crate::tile::{Arg, Buf, EwOp, Operand, Stage, View};

impl Checker<'_> {
    pub(super) fn transpose(&self, dst: View, src: View, [rows, cols]: [Arg; 2]) -> Check {
        self.in_space(dst.buf, &[Space::Ub])?;
        self.same_elem(dst.buf, src.buf)?;
        let elem = self.buf(dst.buf)?.elem;
        if elem == Elem::Bool || !matches!(elem.bytes(), 2 | 4) {
            return Err(format!("the vector unit does not transpose {elem}"));
        }
        if [rows, cols]
            .iter()
            .any(|extent| !matches!(extent, Arg::Const(x) if x % 16 == 0))
        {
            return Err(String::from(
                "what is transposed has known multiples of 16 as its extents",
            ));
        }
        if dst.buf == src.buf {
            return Err(String::from("a buffer is not transposed in place"));
        }
        self.in_range(src, rows, cols, Columns::Aligned)?;
        self.in_range(dst, cols, rows, Columns::Aligned)
    }

    pub(super) fn gather(&self, [dst, src, at]: [View; 3], [rows, cols]: [Arg; 2]) -> Check {
        self.in_space(dst.buf, &[Space::Ub])?;
        let (to, from) = (self.buf(dst.buf)?, self.buf(src.buf)?);
        let sizes = [to.elem.bytes(), from.elem.bytes()];
        let masks = to.elem == Elem::Bool || from.elem == Elem::Bool;
        if masks || sizes[0] != sizes[1] || !matches!(sizes[0], 2 | 4) {
            return Err(format!(
                "the vector unit does not gather {} from {}",
                to.elem, from.elem
            ));
        }
        self.offsets(at)?;
        if dst.buf == src.buf || dst.buf == at.buf {
            return Err(String::from("a buffer is not gathered in place"));
        }
        if rows != Arg::Const(1) {
            self.dense(dst.buf, cols)?;
            self.dense(at.buf, cols)?;
        }
        self.in_range(src, 1.into(), 1.into(), Columns::Aligned)?;
        self.in_range(at, rows, cols, Columns::Aligned)?;
        self.in_range(dst, rows, cols, Columns::Aligned)
    }

    pub(super) fn sort(&self, [dst, keys, places]: [View; 3], [rows, cols]: [Arg; 2]) -> Check {
        for view in [dst, keys] {
            self.in_space(view.buf, &[Space::Ub])?;
        }
        let (Arg::Const(count), Arg::Const(width)) = (rows, cols) else {
            return Err(String::from("what is sorted has known extents"));
        };
        if width % 32 != 0 || !(32..=8192).contains(&width) {
            return Err(format!("rows of {width} keys are not sorted"));
        }
        if self.buf(keys.buf)?.elem != Elem::F32 {
            return Err(String::from("keys are f32"));
        }
        self.offsets(places)?;
        self.offsets(dst)?;
        if dst.buf == places.buf {
            return Err(String::from("a buffer is not sorted in place"));
        }
        self.dense(keys.buf, cols)?;
        self.dense(places.buf, cols)?;
        self.dense(dst.buf, (2 * width).into())?;
        self.in_range(keys, rows, cols, Columns::Aligned)?;
        self.in_range(places, rows, cols, Columns::Aligned)?;
        let twice = count.checked_mul(2).unwrap_or(i64::MAX);
        self.in_range(dst, twice.into(), (2 * width).into(), Columns::Aligned)
    }

    pub(super) fn block_reduce(&self, dst: View, src: View, [rows, cols]: [Arg; 2]) -> Check {
        self.in_space(src.buf, &[Space::Ub])?;
        self.same_elem(dst.buf, src.buf)?;
        let data = self.buf(src.buf)?;
        if data.elem != Elem::F32 {
            return Err(format!("blocks of f32 are joined, not of {}", data.elem));
        }
        let (Arg::Const(count), false) = (cols, dst.buf == src.buf) else {
            return Err(String::from(
                "blocks of a known number of columns are joined, and not in place",
            ));
        };
        if count % 64 != 0 {
            return Err(format!("{count} columns are no whole repeats of 64"));
        }
        self.dense(src.buf, cols)?;
        self.in_range(src, rows, cols, Columns::Aligned)?;
        self.in_range(dst, rows, (count / 8).into(), Columns::Aligned)
    }

    pub(super) fn lanes(&self, acc: View, rows: Arg) -> Check {
        self.in_space(acc.buf, &[Space::Ub])?;
        let data = self.buf(acc.buf)?;
        if !matches!(data.elem, Elem::F32 | Elem::I32) {
            return Err(format!("lanes are f32 or i32, not {}", data.elem));
        }
        if data.cols != 64 || !matches!(acc.col, Arg::Const(0)) {
            return Err(format!(
                "buffer `{}` is not one of 64 lanes, taken from column 0",
                data.name
            ));
        }
        self.in_range(acc, rows, 64.into(), Columns::Aligned)
    }

    pub(super) fn one_block(&self, buf: Buf) -> Check {
        let data = self.buf(buf)?;
        let bits = i64::try_from(elem_bits(data.elem)).unwrap_or(i64::MAX);
        if data.cols.checked_mul(bits) == Some(256) {
            return Ok(());
        }
        Err(format!(
            "buffer `{}` does not have one block of 32 bytes a row",
            data.name
        ))
    }

    pub(super) fn ew(
        &self,
        op: EwOp,
        dst: View,
        operands: [Option<Operand>; 3],
        [rows, cols]: [Arg; 2],
    ) -> Check {
        self.in_range(dst, rows, cols, Columns::Aligned)?;
        let mut elems = [None; 3];
        for (elem, operand) in elems.iter_mut().zip(operands) {
            let Some(operand) = operand else { continue };
            let Some(view) = operand.view() else { continue };
            *elem = Some(self.buf(view.buf)?.elem);
            match operand {
                Operand::EachRow(_) => self.in_range(view, 1.into(), cols, Columns::Aligned)?,
                Operand::EachCol(_) => {
                    self.one_block(view.buf)?;
                    self.in_range(view, rows, 1.into(), Columns::Aligned)?;
                }
                Operand::Full(_) | Operand::Bits(_) | Operand::Scalar(_) => {
                    self.in_range(view, rows, cols, Columns::Aligned)?;
                }
            }
        }
        let dst_elem = self.buf(dst.buf)?.elem;
        let given = operands.iter().take_while(|o| o.is_some()).count();
        let all = operands.iter().flatten().count();
        if given != arity(op) || all != given {
            return Err(format!(
                "`{}` takes {} operands, not {all}",
                ew_name(op),
                arity(op)
            ));
        }
        elem_rules(op, dst_elem, elems)?;
        let src = if op == EwOp::Select {
            elems[1].or(elems[2])
        } else {
            elems[0].or(elems[1])
        };
        if self.func.stage >= Stage::Legal && !machine_has(op, dst_elem, src.unwrap_or(dst_elem)) {
            let from = src.unwrap_or(dst_elem);
            return Err(format!(
                "the machine has no `{}` from {from} to {dst_elem}",
                ew_name(op)
            ));
        }
        Ok(())
    }

    fn offsets(&self, at: View) -> Check {
        self.in_space(at.buf, &[Space::Ub])?;
        let data = self.buf(at.buf)?;
        if data.elem == Elem::I32 {
            return Ok(());
        }
        Err(format!("`{}` holds {}, not i32", data.name, data.elem))
    }

    /// Checks that rows follow each other without gaps.
    fn dense(&self, buf: Buf, cols: Arg) -> Check {
        let data = self.buf(buf)?;
        if cols == Arg::Const(data.cols) {
            return Ok(());
        }
        Err(format!(
            "rows of buffer `{}` do not follow each other without gaps",
            data.name
        ))
    }
}

/// How many operands an operation takes.
const fn arity(op: EwOp) -> usize {
    match op {
        EwOp::Copy
        | EwOp::Abs
        | EwOp::Neg
        | EwOp::Exp
        | EwOp::Ln
        | EwOp::Sqrt
        | EwOp::Relu
        | EwOp::Round(_)
        | EwOp::Not
        | EwOp::Cast(..)
        | EwOp::Iota => 1,
        EwOp::Add
        | EwOp::Sub
        | EwOp::Mul
        | EwOp::Div
        | EwOp::Rem
        | EwOp::Max
        | EwOp::Min
        | EwOp::And
        | EwOp::Or
        | EwOp::Xor
        | EwOp::Shl
        | EwOp::Shr
        | EwOp::Cmp(_) => 2,
        EwOp::Select => 3,
    }
}

/// Checks the element types of an element-wise operation; immediates (`None`) take the type they need.
fn elem_rules(op: EwOp, dst: Elem, [a, b, c]: [Option<Elem>; 3]) -> Check {
    let numeric = |e: Elem| e.is_float() || e.is_int();
    let bitwise = |e: Elem| e.is_int() || e == Elem::Bool;
    let alike = [a, b].into_iter().flatten().all(|e| e == dst);
    let fits = match op {
        EwOp::Copy => alike,
        EwOp::Add | EwOp::Sub | EwOp::Mul | EwOp::Div | EwOp::Max | EwOp::Min => {
            alike && numeric(dst)
        }
        EwOp::Abs | EwOp::Neg | EwOp::Relu => alike && numeric(dst),
        EwOp::Exp | EwOp::Ln | EwOp::Sqrt | EwOp::Round(_) => alike && dst.is_float(),
        EwOp::Rem | EwOp::Shl | EwOp::Shr => alike && dst.is_int(),
        EwOp::And | EwOp::Or | EwOp::Xor | EwOp::Not => alike && bitwise(dst),
        EwOp::Cmp(_) => {
            dst == Elem::Bool && a.or(b).is_some() && a.zip(b).is_none_or(|(a, b)| a == b)
        }
        EwOp::Select => a == Some(Elem::Bool) && [b, c].into_iter().flatten().all(|e| e == dst),
        EwOp::Cast(..) => a.is_some(),
        EwOp::Iota => a.is_none() && numeric(dst),
    };
    if fits {
        return Ok(());
    }
    let elems: Vec<&str> = [a, b, c].into_iter().flatten().map(Elem::name).collect();
    Err(format!(
        "`{}` does not go from ({}) to {dst}",
        ew_name(op),
        elems.join(", ")
    ))
}
