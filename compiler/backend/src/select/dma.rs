//! Copies between global memory and the core, and single elements by the scalar unit.

use diag::Diagnostic;
use ir::tile::{Arg, Tensor, TensorRole, Value, View};
use isa::inst::{
    self, Addr, Burst, ElemSize, In, MemSize, Out, Reg, SImm, ScalarMem, Val, XIn, XOut,
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

    pub(super) fn nums<const N: usize>(&self, args: [Arg; N]) -> Result<[Num; N], Diagnostic> {
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

    /// Splits a copy into pieces of at most [`MAX_BURSTS`] rows; `copy` gets the row at which a piece starts.
    fn pieces(
        &mut self,
        view: View,
        whole: &Strided,
        mut copy: impl FnMut(&mut Self, i64, Num) -> Done,
    ) -> Done {
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
            return copy(self, 0, whole.rows);
        };
        let mut start = 0;
        while start < rows {
            let count = (rows - start).min(MAX_BURSTS);
            let mark = self.homes.mark();
            copy(self, start, Num::Const(count))?;
            self.homes.cut(mark);
            start += count;
        }
        Ok(())
    }

    /// Gap in global memory and on chip of rows that are copied one by one.
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
        let to = self.view_addr(dst)?;
        let from = self.element(tensor, at)?;
        let whole = self.strided(dst, extents)?;
        let (gm_gap, ub_gap) = self.gaps(&whole)?;
        self.pieces(dst, &whole, |sel, start, rows| {
            let to = sel.sum(to, Num::Const(start * whole.ub_pitch))?;
            let from = sel.scaled(Num::Const(start), 0, from)?;
            let from = sel.skip_rows(from, start, whole.gm_pitch)?;
            let dst = Out::at(sel.addr(to)?);
            let src = In::reg(sel.in_reg(from)?);
            let burst = Burst {
                count: sel.val(rows)?,
                len: sel.val(whole.bytes)?,
            };
            let (src_gap, dst_gap) = (sel.val(gm_gap)?, sel.val(ub_gap)?);
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

    fn skip_rows(&mut self, from: Num, rows: i64, pitch: Num) -> Result<Num, Diagnostic> {
        if rows == 0 {
            return Ok(from);
        }
        self.scaled(pitch, rows, from)
    }

    pub(super) fn store(&mut self, src: View, tensor: Tensor, at: Arg, extents: [Arg; 3]) -> Done {
        let [rows, cols, pitch] = self.nums(extents)?;
        self.unless_empty(&[rows, cols], |sel| {
            let from = sel.view_addr(src)?;
            let to = sel.element(tensor, at)?;
            let whole = sel.strided(src, [rows, cols, pitch])?;
            let (gm_gap, ub_gap) = sel.gaps(&whole)?;
            sel.pieces(src, &whole, |sel, start, rows| {
                let from = sel.sum(from, Num::Const(start * whole.ub_pitch))?;
                let to = sel.skip_rows(to, start, whole.gm_pitch)?;
                let dst = Out::reg(sel.in_reg(to)?);
                let src = In::at(sel.addr(from)?);
                let burst = Burst {
                    count: sel.val(rows)?,
                    len: sel.val(whole.bytes)?,
                };
                let (src_gap, dst_gap) = (sel.val(ub_gap)?, sel.val(gm_gap)?);
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
            sel.push(inst::Add {
                dst: XOut(to_row),
                a: inst::XVal::Reg(to_row),
                b: inst::XVal::Imm(BLOCK as i32),
            });
            sel.push(inst::Add {
                dst: XOut(from_row),
                a: inst::XVal::Reg(from_row),
                b: step,
            });
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
                sel.push(inst::Add {
                    dst: XOut(to_row),
                    a: inst::XVal::Reg(to_row),
                    b: to_step,
                });
                sel.push(inst::Add {
                    dst: XOut(from_row),
                    a: inst::XVal::Reg(from_row),
                    b: from_step,
                });
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
