//! The verifier's rules for operations on buffers and tensors: spaces, types, ranges, alignment.

use isa::types::{Elem, Layout, Space};

use super::Checker;
use crate::stage::machine_has;
use crate::tile::names::{elem_bits, ew_name};
use crate::tile::{
    Arg, Buf, BufData, EwOp, FixCast, Op, Operand, Stage, Tensor, TensorData, TensorRole, View,
    Window,
};

/// What an operation demands of a view.
#[derive(Clone, Copy, PartialEq)]
enum Columns {
    /// In UB the first column lies at a block boundary.
    Aligned,
    /// Any column.
    Free,
}

type Check = Result<(), String>;

impl<'a> Checker<'a> {
    /// Checks an operation that touches buffers or tensors.
    pub(super) fn operation(&mut self, op: &Op) {
        for buf in op.reads().into_iter().chain(op.writes()) {
            self.accessed(buf);
        }
        if let Err(problem) = self.rules(op) {
            self.say(&problem);
        }
    }

    fn accessed(&mut self, buf: Buf) {
        if self.buf_here(buf) && !self.live[buf] {
            let name = self.func.bufs[buf].name.clone();
            self.say(&format!(
                "buffer `{name}` is accessed without a `next` of its own that is still alive"
            ));
        }
    }

    fn rules(&mut self, op: &Op) -> Check {
        match op {
            Op::Peek { dst: _, tensor, at } => {
                self.ring_access(*tensor, false);
                inside(self.tensor(*tensor)?, *at, [1.into(), 1.into()], 1.into())
            }
            Op::PeekBuf { dst: _, src } => {
                self.in_space(src.buf, &[Space::Ub])?;
                self.in_range(*src, 1.into(), 1.into(), Columns::Free)
            }
            Op::Poke { dst, value: _ } => {
                self.in_space(dst.buf, &[Space::Ub])?;
                if self.buf(dst.buf)?.elem == Elem::Bool {
                    return Err(String::from("a mask cannot be poked"));
                }
                self.in_range(*dst, 1.into(), 1.into(), Columns::Free)
            }
            Op::Load {
                dst,
                tensor,
                at,
                rows,
                cols,
                pitch,
            } => {
                self.ring_access(*tensor, false);
                self.in_space(dst.buf, &[Space::Ub, Space::L1])?;
                self.gm_copy(*dst, *tensor)?;
                self.in_range(*dst, *rows, *cols, Columns::Aligned)?;
                inside(self.tensor(*tensor)?, *at, [*rows, *cols], *pitch)
            }
            Op::Store {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
            } => {
                self.written(*tensor)?;
                self.in_space(src.buf, &[Space::Ub])?;
                self.gm_copy(*src, *tensor)?;
                self.in_range(*src, *rows, *cols, Columns::Aligned)?;
                inside(self.tensor(*tensor)?, *at, [*rows, *cols], *pitch)
            }
            Op::LoadTile {
                dst,
                src,
                rows,
                cols,
                transposed,
            } => self.load_tile(*dst, *src, *rows, *cols, *transposed),
            Op::LoadWindow {
                dst,
                src,
                rows,
                cols,
                window,
            } => self.load_window(*dst, *src, [*rows, *cols], window),
            Op::LoadWords { dst, src, cols } => {
                self.in_space(src.buf, &[Space::L1])?;
                self.in_space(*dst, &[Space::Bt, Space::Fb])?;
                self.same_elem(*dst, src.buf)?;
                if self.buf(src.buf)?.layout != Layout::Nd {
                    return Err(String::from("words come from an ND buffer"));
                }
                self.in_range(*src, 1.into(), *cols, Columns::Aligned)?;
                self.in_range(whole(*dst), 1.into(), *cols, Columns::Free)
            }
            Op::Mad {
                c,
                a,
                b,
                m,
                k,
                n,
                init: _,
            } => self.mad([*c, *a, *b], [*m, *k, *n]),
            Op::Drain {
                tensor,
                at,
                src,
                rows,
                cols,
                pitch,
                cast,
                relu: _,
            } => {
                self.written(*tensor)?;
                self.drain(*tensor, *src, *cast, *cols)?;
                self.in_range(whole(*src), *rows, *cols, Columns::Free)?;
                inside(self.tensor(*tensor)?, *at, [*rows, *cols], *pitch)
            }
            Op::Ew {
                op,
                dst,
                a,
                b,
                c,
                rows,
                cols,
            } => self.ew(*op, *dst, [Some(*a), *b, *c], [*rows, *cols]),
            Op::Spread { dst, src, rows } => {
                self.in_space(dst.buf, &[Space::Ub])?;
                self.same_elem(dst.buf, src.buf)?;
                self.one_block(dst.buf)?;
                self.in_range(*dst, *rows, 1.into(), Columns::Aligned)?;
                self.in_range(*src, 1.into(), *rows, Columns::Aligned)
            }
            Op::Transpose {
                dst,
                src,
                rows,
                cols,
            } => self.transpose(*dst, *src, [*rows, *cols]),
            Op::Gather {
                dst,
                src,
                at,
                rows,
                cols,
            } => self.gather([*dst, *src, *at], [*rows, *cols]),
            Op::Sort {
                dst,
                keys,
                places,
                rows,
                cols,
            } => self.sort([*dst, *keys, *places], [*rows, *cols]),
            Op::Accumulate {
                op: _,
                acc,
                src,
                rows,
                cols,
            } => {
                self.same_elem(acc.buf, src.buf)?;
                self.lanes(*acc, *rows)?;
                self.in_range(*src, *rows, *cols, Columns::Aligned)
            }
            Op::BlockReduce {
                op: _,
                dst,
                src,
                rows,
                cols,
            } => self.block_reduce(*dst, *src, [*rows, *cols]),
            Op::Lanes {
                op: _,
                dst,
                acc,
                rows,
            } => {
                self.same_elem(dst.buf, acc.buf)?;
                self.lanes(*acc, *rows)?;
                self.in_range(*dst, 1.into(), *rows, Columns::Free)
            }
            Op::Scalar { .. }
            | Op::Query { .. }
            | Op::For { .. }
            | Op::If { .. }
            | Op::Next { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => Ok(()),
        }
    }

    fn buf(&self, buf: Buf) -> Result<&'a BufData, String> {
        self.func
            .bufs
            .get(buf)
            .ok_or_else(|| format!("{buf} does not exist"))
    }

    fn tensor(&self, tensor: Tensor) -> Result<&'a TensorData, String> {
        self.func
            .tensors
            .get(tensor)
            .ok_or_else(|| format!("{tensor} does not exist"))
    }

    fn written(&mut self, tensor: Tensor) -> Check {
        self.ring_access(tensor, true);
        let data = self.tensor(tensor)?;
        match data.role {
            TensorRole::In => Err(format!("argument `{}` is written", data.name)),
            TensorRole::Out | TensorRole::Work => Ok(()),
        }
    }

    fn in_space(&self, buf: Buf, spaces: &[Space]) -> Check {
        let data = self.buf(buf)?;
        if spaces.contains(&data.space) {
            return Ok(());
        }
        let spaces: Vec<&str> = spaces.iter().map(|s| s.name()).collect();
        Err(format!(
            "buffer `{}` lies in {}, not in {}",
            data.name,
            data.space,
            spaces.join(" or ")
        ))
    }

    fn same_elem(&self, a: Buf, b: Buf) -> Check {
        let (a, b) = (self.buf(a)?, self.buf(b)?);
        if a.elem == b.elem {
            return Ok(());
        }
        Err(format!(
            "`{}` holds {} and `{}` holds {}",
            a.name, a.elem, b.name, b.elem
        ))
    }

    fn gm_copy(&self, view: View, tensor: Tensor) -> Check {
        let (buf, tensor) = (self.buf(view.buf)?, self.tensor(tensor)?);
        if buf.elem == Elem::Bool {
            return Err(format!(
                "mask `{}` is copied from or to global memory",
                buf.name
            ));
        }
        if buf.elem.bytes() != tensor.elem.bytes() {
            return Err(format!(
                "`{}` holds {} and `{}` holds {}, of another size",
                buf.name, buf.elem, tensor.name, tensor.elem
            ));
        }
        Ok(())
    }

    /// Checks that `rows × cols` elements from the view's start on lie in the buffer, as far as constants tell.
    fn in_range(&self, view: View, rows: Arg, cols: Arg, columns: Columns) -> Check {
        let buf = self.buf(view.buf)?;
        for (what, start, extent, limit) in [
            ("row", view.row, rows, buf.rows),
            ("column", view.col, cols, buf.cols),
        ] {
            let start = if let Arg::Const(start) = start {
                start
            } else {
                0
            };
            let extent = if let Arg::Const(extent) = extent {
                extent
            } else {
                0
            };
            let end = start.checked_add(extent);
            if start < 0 || extent < 0 || end.is_none_or(|end| end > limit) {
                return Err(format!(
                    "{extent} {what}s from {what} {start} on leave buffer `{}` of {limit} {what}s",
                    buf.name
                ));
            }
        }
        let unit = match (buf.space, buf.layout) {
            (Space::Ub, _) | (_, Layout::Nd) => 256 / elem_bits(buf.elem),
            (_, Layout::NZ | Layout::ZZ | Layout::NZn) => 32 / buf.elem.bytes(),
        };
        let misaligned = matches!(view.col, Arg::Const(col) if u64::try_from(col).is_ok_and(|col| col % unit != 0));
        if columns == Columns::Aligned && misaligned {
            return Err(format!(
                "the view of buffer `{}` does not start at a block of 32 bytes",
                buf.name
            ));
        }
        Ok(())
    }

    fn load_tile(&self, dst: Buf, src: View, rows: Arg, cols: Arg, transposed: bool) -> Check {
        self.in_space(src.buf, &[Space::L1])?;
        self.in_space(dst, &[Space::L0a, Space::L0b])?;
        self.same_elem(dst, src.buf)?;
        if self.buf(src.buf)?.layout != Layout::NZ {
            return Err(String::from("a tile comes from an NZ buffer"));
        }
        let stored = if transposed {
            [cols, rows]
        } else {
            [rows, cols]
        };
        self.in_range(src, stored[0], stored[1], Columns::Aligned)?;
        self.tile_fits(dst, rows, cols)
    }

    fn load_window(&self, dst: Buf, src: View, [rows, cols]: [Arg; 2], window: &Window) -> Check {
        self.in_space(src.buf, &[Space::L1])?;
        self.in_space(dst, &[Space::L0a])?;
        self.same_elem(dst, src.buf)?;
        let image = self.buf(src.buf)?;
        if image.layout != Layout::NZ {
            return Err(String::from("an image comes from an NZ buffer"));
        }
        if let Some(refused) = window.refused() {
            return Err(refused);
        }
        let block = 32 / i64::try_from(image.elem.bytes()).unwrap_or(1);
        if matches!(cols, Arg::Const(cols) if cols % block != 0) {
            return Err(format!("columns come in blocks of {block}"));
        }
        if let [Arg::Const(high), Arg::Const(wide)] = window.image {
            let elements = high
                .checked_mul(wide)
                .map_or(Arg::Const(i64::MAX), Arg::Const);
            self.in_range(src, elements, Arg::Const(block), Columns::Aligned)?;
        }
        self.tile_fits(dst, rows, cols)
    }

    /// Checks that a matrix padded to fractals fits an L0A or L0B buffer.
    fn tile_fits(&self, buf: Buf, rows: Arg, cols: Arg) -> Check {
        let data = self.buf(buf)?;
        let (Arg::Const(rows), Arg::Const(cols)) = (rows, cols) else {
            return Ok(());
        };
        let block = 32 / i64::try_from(data.elem.bytes()).unwrap_or(1);
        let (row_unit, col_unit) = if data.space == Space::L0a {
            (16, block)
        } else {
            (block, 16)
        };
        let padded = |extent: i64, unit: i64| {
            (extent >= 0)
                .then(|| extent.checked_add(unit - 1))
                .flatten()
                .map(|e| e / unit * unit)
        };
        let needed = padded(rows, row_unit)
            .zip(padded(cols, col_unit))
            .and_then(|(r, c)| r.checked_mul(c));
        if needed.is_none_or(|cells| cells > data.rows * data.cols) {
            return Err(format!(
                "a tile of {rows}×{cols} does not fit buffer `{}`",
                data.name
            ));
        }
        Ok(())
    }

    fn mad(&self, [c, a, b]: [Buf; 3], [m, k, n]: [Arg; 3]) -> Check {
        self.in_space(c, &[Space::L0c])?;
        self.in_space(a, &[Space::L0a])?;
        self.in_space(b, &[Space::L0b])?;
        self.same_elem(a, b)?;
        let sum = match self.buf(a)?.elem {
            Elem::F16 | Elem::Bf16 | Elem::F32 => Elem::F32,
            Elem::I8 => Elem::I32,
            other @ (Elem::I64 | Elem::I32 | Elem::I16 | Elem::U8 | Elem::Bool) => {
                return Err(format!("the cube multiplies no {other}"));
            }
        };
        let c_elem = self.buf(c)?.elem;
        if c_elem != sum {
            return Err(format!("the products accumulate in {sum}, not in {c_elem}"));
        }
        self.tile_fits(a, m, k)?;
        self.tile_fits(b, k, n)?;
        self.in_range(whole(c), m, n, Columns::Free)
    }

    fn drain(&self, tensor: Tensor, src: Buf, cast: FixCast, cols: Arg) -> Check {
        self.in_space(src, &[Space::L0c])?;
        let (from, to) = (self.buf(src)?.elem, self.tensor(tensor)?.elem);
        let fits = match cast {
            FixCast::Plain => matches!(
                (from, to),
                (Elem::F32, Elem::F32 | Elem::F16 | Elem::Bf16) | (Elem::I32, Elem::I32)
            ),
            FixCast::Requant(words) => {
                self.in_space(words.buf, &[Space::Fb])?;
                self.in_range(words, 1.into(), cols, Columns::Free)?;
                if self.buf(words.buf)?.elem != Elem::I64 {
                    return Err(String::from("quantisation words are i64"));
                }
                (from, to) == (Elem::I32, Elem::I8)
            }
        };
        if fits {
            Ok(())
        } else {
            Err(format!(
                "the fixpipe does not turn {from} into {to} this way"
            ))
        }
    }

    fn transpose(&self, dst: View, src: View, [rows, cols]: [Arg; 2]) -> Check {
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

    fn gather(&self, [dst, src, at]: [View; 3], [rows, cols]: [Arg; 2]) -> Check {
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

    fn sort(&self, [dst, keys, places]: [View; 3], [rows, cols]: [Arg; 2]) -> Check {
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

    fn one_block(&self, buf: Buf) -> Check {
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

    fn block_reduce(&self, dst: View, src: View, [rows, cols]: [Arg; 2]) -> Check {
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

    fn lanes(&self, acc: View, rows: Arg) -> Check {
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

    fn ew(
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
}

/// A view of a whole buffer.
fn whole(buf: Buf) -> View {
    View {
        buf,
        row: Arg::Const(0),
        col: Arg::Const(0),
    }
}

/// Checks that an access lies in a tensor, if everything is constant.
fn inside(tensor: &TensorData, at: Arg, [rows, cols]: [Arg; 2], pitch: Arg) -> Check {
    let constants = [at, rows, cols, pitch].map(|arg| {
        if let Arg::Const(value) = arg {
            Some(value)
        } else {
            None
        }
    });
    if constants.iter().flatten().any(|&value| value < 0) {
        return Err(format!(
            "an access to tensor `{}` has a negative offset or extent",
            tensor.name
        ));
    }
    let [Some(at), Some(rows), Some(cols), Some(pitch)] = constants else {
        return Ok(());
    };
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    let end = (rows - 1)
        .checked_mul(pitch)
        .and_then(|last| last.checked_add(at)?.checked_add(cols));
    let room: i64 = tensor.shape.iter().product();
    if end.is_none_or(|end| end > room) {
        return Err(format!(
            "an access leaves tensor `{}` of {room} elements",
            tensor.name
        ));
    }
    Ok(())
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
