//! Copies between global memory and the core, and single elements by the scalar unit.

use diag::Diagnostic;
use ir::tile::{Arg, Tensor, TensorRole, Value, View};
use isa::inst::{
    self, Addr, Burst, ElemSize, In, MemSize, Out, Reg, SImm, ScalarMem, Val, XIn, XOut, XVal,
};
use isa::types::{BLOCK_BYTES, Layout, Space};

use super::code::Num;
use super::{Done, Sel};
use crate::errors;

/// Bursts of one copy: davinci-facts §3.5.
const MAX_BURSTS: i64 = 4095;
/// Bytes of one burst of an exact copy: davinci-facts §3.5.
const MAX_BURST_BYTES: i64 = 2_097_151;
/// Rows and row distance of `nd2nz`: davinci-facts §3.5.
const MAX_ND_ROWS: i64 = 16383;
const MAX_ND_STRIDE: i64 = 65535;
const BLOCK: i64 = BLOCK_BYTES as i64;

/// A matrix copy between global memory and UB.
struct Strided {
    /// Bursts, each one row.
    rows: Num,
    /// Bytes of a row.
    bytes: Num,
    /// Bytes from the start of one row to the next in global memory.
    gm_pitch: Num,
    /// Bytes from the start of one row to the next on chip.
    ub_pitch: i64,
}

impl Strided {
    /// Whether a row starts in global memory before the one before has ended. Rows of unknown length are taken for parts
    /// of wider ones, unless all of them start at one place.
    fn overlaps(&self) -> bool {
        match (self.rows, self.gm_pitch, self.bytes) {
            (Num::Const(1), _, _) => false,
            (_, Num::Const(pitch), Num::Const(bytes)) => pitch < bytes,
            (_, Num::Const(pitch), Num::Reg(_)) => pitch == 0,
            (_, Num::Reg(_), _) => false,
        }
    }
}

/// Where a copy starts.
#[derive(Copy, Clone)]
struct Places {
    ub: Num,
    gm: Num,
}

/// Appends one copy: where, count and bytes of its bursts, gaps in global memory and on chip.
type Copy<'c> = &'c dyn Fn(&mut Sel<'_>, Places, [Num; 2], [Num; 2]) -> Done;

impl Sel<'_> {
    /// The address of an element of a tensor.
    fn element(&mut self, tensor: Tensor, at: Arg) -> Result<Num, Diagnostic> {
        let base = self.base(tensor)?;
        let at = self.num(at)?;
        self.scaled(at, self.func.tensors[tensor].elem.bytes() as i64, base)
    }

    /// The address of an element of a tensor, as a global place needs it.
    pub(super) fn global(&mut self, tensor: Tensor, at: Arg) -> Result<Reg, Diagnostic> {
        let at = self.element(tensor, at)?;
        self.in_reg(at)
    }

    pub(super) fn load(&mut self, dst: View, tensor: Tensor, at: Arg, extents: [Arg; 3]) -> Done {
        let [rows, cols, pitch] = self.nums(extents)?;
        let data = &self.func.bufs[dst.buf];
        self.unless_empty(&[rows, cols], |sel| match (data.space, data.layout) {
            (Space::Ub, _) => sel.load_ub(dst, tensor, at, [rows, cols, pitch]),
            (_, Layout::NZ) => sel.load_nz(dst, tensor, at, [rows, cols, pitch]),
            (_, Layout::Nd | Layout::ZZ | Layout::NZn) => {
                sel.load_plain(dst, tensor, at, [rows, cols, pitch])
            }
        })
    }

    pub(super) fn nums<const N: usize>(&mut self, args: [Arg; N]) -> Result<[Num; N], Diagnostic> {
        let mut nums = [Num::Const(0); N];
        for (num, arg) in nums.iter_mut().zip(args) {
            *num = self.num(arg)?;
        }
        Ok(nums)
    }

    fn strided(
        &mut self,
        view: View,
        [rows, cols, pitch]: [Num; 3],
    ) -> Result<Strided, Diagnostic> {
        let data = &self.func.bufs[view.buf];
        let size = data.elem.bytes() as i64;
        let bytes = self.scaled(cols, size, Num::Const(0))?;
        let gm_pitch = self.scaled(pitch, size, Num::Const(0))?;
        let ub_pitch = data.cols.saturating_mul(size);
        // Rows that follow each other on both sides are one row.
        let contiguous =
            bytes.known() == Some(ub_pitch) && bytes == gm_pitch && ub_pitch % BLOCK == 0;
        if let (true, Num::Const(rows)) = (contiguous, rows)
            && rows.saturating_mul(ub_pitch) <= MAX_BURST_BYTES
        {
            let bytes = Num::Const(rows * ub_pitch);
            return Ok(Strided {
                rows: Num::Const(1),
                bytes,
                gm_pitch: bytes,
                ub_pitch: rows * ub_pitch,
            });
        }
        Ok(Strided {
            rows,
            bytes,
            gm_pitch,
            ub_pitch,
        })
    }

    /// Copies a matrix in pieces of at most [`MAX_BURSTS`] rows; row by row where rows overlap in global memory, which no
    /// gap expresses.
    fn copy_rows(&mut self, view: View, places: Places, whole: &Strided, copy: Copy<'_>) -> Done {
        if whole.overlaps() {
            return self.copy_each(places, whole, copy);
        }
        let (gm_gap, ub_gap) = self.gaps(whole)?;
        let Num::Const(rows) = whole.rows else {
            let most = self.func.bufs[view.buf].rows;
            if most > MAX_BURSTS {
                return Err(errors::operand_too_large(
                    self.span,
                    "a number of rows",
                    most,
                    MAX_BURSTS,
                ));
            }
            return copy(self, places, [whole.rows, whole.bytes], [gm_gap, ub_gap]);
        };
        let mut start = 0;
        while start < rows {
            let count = (rows - start).min(MAX_BURSTS);
            let mark = self.homes.mark();
            let ub = self.sum(places.ub, Num::Const(start * whole.ub_pitch))?;
            let gm = match start {
                0 => places.gm,
                _ => self.scaled(whole.gm_pitch, start, places.gm)?,
            };
            let piece = [Num::Const(count), whole.bytes];
            copy(self, Places { ub, gm }, piece, [gm_gap, ub_gap])?;
            self.homes.cut(mark);
            start += count;
        }
        Ok(())
    }

    fn copy_each(&mut self, places: Places, whole: &Strided, copy: Copy<'_>) -> Done {
        let (ub, gm) = (self.copied(places.ub)?, self.copied(places.gm)?);
        let (ub_step, gm_step) = (
            self.xval(Num::Const(whole.ub_pitch))?,
            self.xval(whole.gm_pitch)?,
        );
        let none = [Num::Const(0); 2];
        self.counted(whole.rows, |sel| {
            let row = Places {
                ub: Num::Reg(ub),
                gm: Num::Reg(gm),
            };
            copy(sel, row, [Num::Const(1), whole.bytes], none)?;
            sel.step(ub, ub_step);
            sel.step(gm, gm_step);
            Ok(())
        })
    }

    /// Adds to a register.
    pub(super) fn step(&mut self, reg: Reg, by: XVal) {
        self.push(inst::Add {
            dst: XOut(reg),
            a: XVal::Reg(reg),
            b: by,
        });
    }

    /// Gap in global memory and on chip between rows.
    fn gaps(&mut self, whole: &Strided) -> Result<(Num, Num), Diagnostic> {
        if whole.rows == Num::Const(1) {
            return Ok((Num::Const(0), Num::Const(0)));
        }
        let gm = self.difference(whole.gm_pitch, whole.bytes)?;
        let blocks = self.ceil_div(whole.bytes, BLOCK)?;
        let ub = self.difference(Num::Const(whole.ub_pitch / BLOCK), blocks)?;
        Ok((gm, ub))
    }

    fn load_ub(&mut self, dst: View, tensor: Tensor, at: Arg, extents: [Num; 3]) -> Done {
        let size = self.elem_size(self.func.tensors[tensor].elem.bytes())?;
        let ub = self.view_addr(dst)?;
        let gm = self.element(tensor, at)?;
        let whole = self.strided(dst, extents)?;
        self.copy_rows(dst, Places { ub, gm }, &whole, &|sel, at, burst, gaps| {
            let (dst, src) = (Out::at(sel.addr(at.ub)?), In::reg(sel.in_reg(at.gm)?));
            let burst = sel.burst(burst)?;
            let (src_gap, dst_gap) = (sel.val(gaps[0])?, sel.val(gaps[1])?);
            sel.push(inst::MovpadGmUb {
                size,
                dst,
                src,
                burst,
                src_gap,
                dst_gap,
            });
            Ok(())
        })
    }

    fn burst(&mut self, [count, len]: [Num; 2]) -> Result<Burst, Diagnostic> {
        Ok(Burst {
            count: self.val(count)?,
            len: self.val(len)?,
        })
    }

    pub(super) fn store(&mut self, src: View, tensor: Tensor, at: Arg, extents: [Arg; 3]) -> Done {
        let extents = self.nums(extents)?;
        self.unless_empty(&extents[..2], |sel| {
            let ub = sel.view_addr(src)?;
            let gm = sel.element(tensor, at)?;
            let whole = sel.strided(src, extents)?;
            sel.copy_rows(src, Places { ub, gm }, &whole, &|sel, at, burst, gaps| {
                let (dst, src) = (Out::reg(sel.in_reg(at.gm)?), In::at(sel.addr(at.ub)?));
                let burst = sel.burst(burst)?;
                let (src_gap, dst_gap) = (sel.val(gaps[1])?, sel.val(gaps[0])?);
                sel.push(inst::MovpadUbGm {
                    dst,
                    src,
                    burst,
                    src_gap,
                    dst_gap,
                });
                Ok(())
            })
        })
    }

    /// Rows to fractals, in one instruction unless rows lie too far apart for its stride.
    fn load_nz(
        &mut self,
        dst: View,
        tensor: Tensor,
        at: Arg,
        [rows, cols, pitch]: [Num; 3],
    ) -> Done {
        let data = &self.func.bufs[dst.buf];
        let bytes = data.elem.bytes() as i64;
        let size = self.elem_size(data.elem.bytes())?;
        let to = self.view_addr(dst)?;
        let from = Num::Reg(self.global(tensor, at)?);
        let dst_rows = self.val(Num::Const(data.rows))?;
        let d = self.val(cols)?;
        let far =
            pitch.known().is_some_and(|pitch| pitch > MAX_ND_STRIDE) || data.rows > MAX_ND_ROWS;
        if !far || rows == Num::Const(1) {
            let src_stride = if rows == Num::Const(1) {
                Val::Imm(0)
            } else {
                self.val(pitch)?
            };
            let (dst, src) = (Out::at(self.addr(to)?), In::reg(self.in_reg(from)?));
            let n = self.val(rows)?;
            self.push(inst::Nd2nzGmL1 {
                size,
                dst,
                src,
                n,
                d,
                src_stride,
                dst_rows,
            });
            return Ok(());
        }
        let (to_row, from_row) = (self.copied(to)?, self.copied(from)?);
        let step = self.scaled(pitch, bytes, Num::Const(0))?;
        let step = self.xval(step)?;
        self.counted(rows, |sel| {
            let (dst, src) = (Out::reg(to_row), In::reg(from_row));
            sel.push(inst::Nd2nzGmL1 {
                size,
                dst,
                src,
                n: Val::Imm(1),
                d,
                src_stride: Val::Imm(0),
                dst_rows,
            });
            sel.step(to_row, XVal::Imm(BLOCK as i32));
            sel.step(from_row, step);
            Ok(())
        })
    }

    /// A register of its own that starts with a number.
    pub(super) fn copied(&mut self, num: Num) -> Result<Reg, Diagnostic> {
        let reg = self.temporary()?;
        self.set(reg, num);
        Ok(reg)
    }

    /// Rows as they are, to L1. A row is one fractal row: `nd2nz` with one padded row moves exact bytes.
    fn load_plain(
        &mut self,
        dst: View,
        tensor: Tensor,
        at: Arg,
        [rows, cols, pitch]: [Num; 3],
    ) -> Done {
        let data = &self.func.bufs[dst.buf];
        let bytes = data.elem.bytes() as i64;
        // Elements of 8 bytes go as two halves.
        let (size, parts) = match ElemSize::from_bytes(data.elem.bytes()) {
            Some(size) => (size, 1),
            None => (ElemSize::B32, bytes / 4),
        };
        let to = self.view_addr(dst)?;
        let from = Num::Reg(self.global(tensor, at)?);
        let d = self.scaled(cols, parts, Num::Const(0))?;
        let d = self.val(d)?;
        let (to_row, from_row) = (self.copied(to)?, self.copied(from)?);
        let from_step = self.scaled(pitch, bytes, Num::Const(0))?;
        let (from_step, to_step) = (
            self.xval(from_step)?,
            self.xval(Num::Const(data.cols.saturating_mul(bytes)))?,
        );
        self.counted(rows, |sel| {
            let (dst, src) = (Out::reg(to_row), In::reg(from_row));
            let (n, src_stride, dst_rows) = (Val::Imm(1), Val::Imm(0), Val::Imm(1));
            sel.push(inst::Nd2nzGmL1 {
                size,
                dst,
                src,
                n,
                d,
                src_stride,
                dst_rows,
            });
            if rows != Num::Const(1) {
                sel.step(to_row, to_step);
                sel.step(from_row, from_step);
            }
            Ok(())
        })
    }

    fn elem_size(&self, bytes: u64) -> Result<ElemSize, Diagnostic> {
        ElemSize::from_bytes(bytes).ok_or_else(|| self.missing("a copy of 8-byte elements"))
    }

    pub(super) fn load_words(&mut self, dst: ir::tile::Buf, src: View, cols: Arg) -> Done {
        let cols = self.num(cols)?;
        let data = &self.func.bufs[dst];
        self.unless_empty(&[cols], |sel| {
            let bytes = sel.scaled(cols, data.elem.bytes() as i64, Num::Const(0))?;
            let blocks = sel.ceil_div(bytes, BLOCK)?;
            let len = sel.val(blocks)?;
            let (to, from) = (sel.copy_addr(dst)?, sel.view_addr(src)?);
            let (to, src): (Addr, _) = (sel.addr(to)?, In::at(sel.addr(from)?));
            match data.space {
                Space::Fb => sel.push(inst::MovL1Fb {
                    dst: Out::at(to),
                    src,
                    len,
                }),
                Space::Gm
                | Space::L1
                | Space::L0a
                | Space::L0b
                | Space::L0c
                | Space::Ub
                | Space::Bt => {
                    sel.push(inst::MovL1Bt {
                        dst: Out::at(to),
                        src,
                        len,
                    });
                }
            }
            Ok(())
        })
    }

    /// Raw bits of an element of a tensor; what other pipes may have written is fetched anew.
    pub(super) fn peek(&mut self, dst: Value, tensor: Tensor, at: Arg) -> Done {
        let Some(reg) = self.define(dst)? else {
            return Ok(());
        };
        let size = self.mem_size(self.func.tensors[tensor].elem.bytes())?;
        if self.func.tensors[tensor].role != TensorRole::In {
            self.push(inst::Dcci {});
        }
        let base = self.global(tensor, at)?;
        self.push(inst::Ld {
            size,
            mem: ScalarMem::Gm,
            dst: XOut(reg),
            base: XIn(base),
            offset: SImm(0),
        });
        Ok(())
    }

    pub(super) fn peek_buf(&mut self, dst: Value, src: View) -> Done {
        let Some(reg) = self.define(dst)? else {
            return Ok(());
        };
        let size = self.mem_size(self.func.bufs[src.buf].elem.bytes())?;
        let at = self.view_addr(src)?;
        let base = self.in_reg(at)?;
        self.push(inst::Ld {
            size,
            mem: ScalarMem::Ub,
            dst: XOut(reg),
            base: XIn(base),
            offset: SImm(0),
        });
        Ok(())
    }

    pub(super) fn poke(&mut self, dst: View, value: Arg) -> Done {
        let size = self.mem_size(self.func.bufs[dst.buf].elem.bytes())?;
        let value = self.num(value)?;
        let src = self.in_reg(value)?;
        let at = self.view_addr(dst)?;
        let base = self.in_reg(at)?;
        self.push(inst::St {
            size,
            mem: ScalarMem::Ub,
            base: XIn(base),
            offset: SImm(0),
            src: XIn(src),
        });
        Ok(())
    }

    fn mem_size(&self, bytes: u64) -> Result<MemSize, Diagnostic> {
        let size = MemSize::ALL
            .iter()
            .copied()
            .find(|size| size.bytes() == bytes);
        size.ok_or_else(|| self.missing("an element of this size"))
    }
}
