//! What is claimed of the words of an operation: which buffers and tensors they use, and which bytes of those.
//!
//! Said from the operation and from where its buffers and scalars live, before any word is chosen; a verifier holds the words
//! to it. Knows no instructions.

use diag::Diagnostic;
use ir::tile::{Arg, Buf, BufData, Op, Operand, Tensor, Use, View};
use isa::object::claims::{Bytes, Part, Place, Size, Sum};
use isa::types::{BLOCK_BYTES, FRACTAL_BYTES, Layout, Space};

use super::Sel;
use super::code::Num;
use super::vector::elem_bits;

const BLOCK: i64 = BLOCK_BYTES as i64;
const FRACTAL: i64 = FRACTAL_BYTES as i64;
/// Rows of a fractal.
const ROWS: i64 = 16;
/// Lanes of an accumulator of a reduction.
const LANES: i64 = 64;

type Parts = Result<Vec<Part>, Diagnostic>;
/// Bytes that somebody knows.
type Known = Result<Option<Bytes>, Diagnostic>;

/// A constant times numbers that are divided and rounded up.
fn size(scale: i64, factors: &[(Num, i64)]) -> Size {
    let mut size = Size::known(scale);
    for &(num, divisor) in factors {
        match num {
            Num::Const(value) => {
                let up = value.saturating_add(divisor - 1).div_euclid(divisor).max(0);
                size.scale = size.scale.saturating_mul(up);
            }
            Num::Reg(reg) => size.factors.push((reg, divisor)),
        }
    }
    size
}

/// One number of bytes.
fn run(start: Sum, len: Size) -> Bytes {
    Bytes {
        start,
        count: Size::known(1),
        stride: Size::known(0),
        len,
    }
}

fn add(sum: &mut Sum, num: Num, factor: i64) {
    match num {
        Num::Const(value) => {
            sum.constant = sum.constant.saturating_add(value.saturating_mul(factor));
        }
        Num::Reg(reg) => sum.terms.push((reg, factor)),
    }
}

/// What a view is used for, and the bytes.
struct Used {
    buf: Buf,
    how: Use,
    bytes: Option<Bytes>,
}

impl Sel<'_> {
    /// What is claimed of an operation; nothing if it uses no buffer.
    pub(super) fn claims(&self, op: &Op) -> Parts {
        // What is computed anew is in no register that a claim could name.
        let computed = |arg: Arg| matches!(arg, Arg::Val(value) if self.homes.get(value).is_none());
        let anew = op.args().into_iter().any(computed);
        let mut used = match anew {
            true => Vec::new(),
            false => self.used(op)?,
        };
        if used.is_empty() && !anew {
            return Ok(Vec::new());
        }
        // An operand that is named twice is one part for each.
        for (buf, how) in op.buffers() {
            if !used.iter().any(|used| used.buf == buf) {
                let bytes = None;
                used.push(Used { buf, how, bytes });
            }
        }
        let mut parts: Vec<Part> = used
            .into_iter()
            .map(|Used { buf, how, bytes }| Part {
                place: Place::Buffer(buf.as_u32()),
                reads: how.reads(),
                writes: how.writes(),
                bytes,
            })
            .collect();
        if let Op::Ew { .. } = op
            && super::scratch_bytes(self.func) > 0
        {
            parts.push(Part {
                place: Place::Buffer(u32::try_from(self.func.bufs.len()).unwrap_or(u32::MAX)),
                reads: true,
                writes: true,
                bytes: None,
            });
        }
        parts.extend(self.tensor_part(op)?);
        Ok(parts)
    }

    /// The buffers of an operation of which bytes are known.
    fn used(&self, op: &Op) -> Result<Vec<Used>, Diagnostic> {
        use Use::{Read, Update, Write};
        let view = |view: &View, how, bytes| Used {
            buf: view.buf,
            how,
            bytes,
        };
        let whole = |&buf: &Buf, how, bytes| Used { buf, how, bytes };
        let one = Num::Const(1);
        Ok(match op {
            Op::Load {
                dst, rows, cols, ..
            } => {
                let extents = self.held_nums([*rows, *cols])?;
                vec![view(dst, Write, self.matrix_bytes(dst, extents)?)]
            }
            Op::Store {
                src, rows, cols, ..
            } => {
                let extents = self.held_nums([*rows, *cols])?;
                vec![view(src, Read, self.matrix_bytes(src, extents)?)]
            }
            Op::LoadTile {
                dst,
                src,
                rows,
                cols,
                transposed,
            } => {
                let [rows, cols] = self.held_nums([*rows, *cols])?;
                let stored = if *transposed {
                    [cols, rows]
                } else {
                    [rows, cols]
                };
                vec![
                    view(src, Read, self.matrix_bytes(src, stored)?),
                    whole(dst, Write, self.fractal_bytes(*dst, rows, cols)?),
                ]
            }
            Op::LoadWindow {
                dst, src, window, ..
            } => {
                // A block of channels of the whole image.
                let [high, wide] = self.held_nums(window.image)?;
                let first = self.matrix_bytes(src, [one, one])?;
                let image = first.map(|bytes| Bytes {
                    len: size(BLOCK, &[(high, 1), (wide, 1)]),
                    ..bytes
                });
                vec![view(src, Read, image), whole(dst, Write, None)]
            }
            Op::LoadWords { dst, src, cols } => {
                let extents = [one, self.held(*cols)?];
                vec![
                    view(src, Read, self.matrix_bytes(src, extents)?),
                    whole(dst, Write, None),
                ]
            }
            Op::Mad {
                c,
                a,
                b,
                m,
                k,
                n,
                init,
                ..
            } => {
                let [m, k, n] = self.held_nums([*m, *k, *n])?;
                let mut used = vec![
                    whole(a, Read, self.fractal_bytes(*a, m, k)?),
                    whole(b, Read, self.fractal_bytes(*b, k, n)?),
                    whole(c, Write, self.sum_bytes(*c, m, n)?),
                ];
                // What a number decides at run time may be read.
                match self.held(*init)? {
                    Num::Const(0) => used.push(whole(c, Read, self.sum_bytes(*c, m, n)?)),
                    Num::Const(_) => {}
                    Num::Reg(_) => used.push(whole(c, Read, None)),
                }
                used
            }
            Op::Drain { src, .. } => vec![whole(src, Read, None)],
            Op::Ew {
                dst,
                a,
                b,
                c,
                rows,
                cols,
                ..
            } => {
                let extents = self.held_nums([*rows, *cols])?;
                let mut used = Vec::new();
                for operand in [Some(a), b.as_ref(), c.as_ref()].into_iter().flatten() {
                    if let Some(of) = operand.view() {
                        used.push(view(&of, Read, self.operand_bytes(operand, extents)?));
                    }
                }
                used.push(view(dst, Write, self.matrix_bytes(dst, extents)?));
                used
            }
            Op::Spread { dst, src, rows } => {
                let rows = self.held(*rows)?;
                vec![
                    view(src, Read, self.matrix_bytes(src, [one, rows])?),
                    view(dst, Write, self.block_bytes(dst, rows)?),
                ]
            }
            Op::Transpose {
                dst,
                src,
                rows,
                cols,
            } => {
                let [rows, cols] = self.held_nums([*rows, *cols])?;
                vec![
                    view(src, Read, self.matrix_bytes(src, [rows, cols])?),
                    view(dst, Write, self.matrix_bytes(dst, [cols, rows])?),
                ]
            }
            Op::Gather {
                dst,
                at,
                rows,
                cols,
                ..
            } => {
                let extents = self.held_nums([*rows, *cols])?;
                vec![
                    view(at, Read, self.matrix_bytes(at, extents)?),
                    view(dst, Write, self.matrix_bytes(dst, extents)?),
                ]
            }
            Op::Sort {
                dst,
                keys,
                places,
                rows,
                cols,
            } => {
                let extents = self.held_nums([*rows, *cols])?;
                vec![
                    view(keys, Read, self.matrix_bytes(keys, extents)?),
                    view(places, Read, self.matrix_bytes(places, extents)?),
                    view(dst, Write, None),
                ]
            }
            Op::Accumulate {
                acc,
                src,
                rows,
                cols,
                ..
            } => {
                let [rows, cols] = self.held_nums([*rows, *cols])?;
                let lanes = cols.known().map(|cols| Num::Const(cols.min(LANES)));
                let touched = match lanes {
                    Some(lanes) => self.matrix_bytes(acc, [rows, lanes])?,
                    None => None,
                };
                vec![
                    view(acc, Update, touched),
                    view(src, Read, self.matrix_bytes(src, [rows, cols])?),
                ]
            }
            Op::BlockReduce {
                dst,
                src,
                rows,
                cols,
                ..
            } => {
                let [rows, cols] = self.held_nums([*rows, *cols])?;
                let eighth = cols.known().map(|cols| Num::Const(cols / 8));
                let written = match eighth {
                    Some(eighth) => self.matrix_bytes(dst, [rows, eighth])?,
                    None => None,
                };
                vec![
                    view(src, Read, self.matrix_bytes(src, [rows, cols])?),
                    view(dst, Write, written),
                ]
            }
            Op::Lanes { dst, acc, rows, .. } => {
                let rows = self.held(*rows)?;
                if !self.func.bufs[acc.buf].elem.is_float() {
                    // The scalar unit does it, whose loads and stores are no claims' business.
                    return Ok(Vec::new());
                }
                let lanes = Num::Const(LANES);
                let mut used = vec![
                    view(acc, Read, self.matrix_bytes(acc, [rows, lanes])?),
                    view(dst, Write, self.matrix_bytes(dst, [one, rows])?),
                ];
                if self.is_done_with(acc.buf) {
                    used.push(view(acc, Write, None));
                }
                used
            }
            Op::Scalar { .. }
            | Op::Query { .. }
            | Op::For { .. }
            | Op::If { .. }
            | Op::Next { .. }
            | Op::Peek { .. }
            | Op::PeekBuf { .. }
            | Op::Poke { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => Vec::new(),
        })
    }

    /// The tensor that an operation moves to or from, element by element.
    fn tensor_part(&self, op: &Op) -> Result<Option<Part>, Diagnostic> {
        let (tensor, how, at, extents) = match op {
            Op::Load {
                tensor,
                at,
                rows,
                cols,
                pitch,
                ..
            } => (tensor, Use::Read, at, [*rows, *cols, *pitch]),
            Op::Store {
                tensor,
                at,
                rows,
                cols,
                pitch,
                ..
            }
            | Op::Drain {
                tensor,
                at,
                rows,
                cols,
                pitch,
                ..
            } => (tensor, Use::Write, at, [*rows, *cols, *pitch]),
            Op::Scalar { .. }
            | Op::Query { .. }
            | Op::For { .. }
            | Op::If { .. }
            | Op::Next { .. }
            | Op::Peek { .. }
            | Op::PeekBuf { .. }
            | Op::Poke { .. }
            | Op::LoadTile { .. }
            | Op::LoadWindow { .. }
            | Op::LoadWords { .. }
            | Op::Mad { .. }
            | Op::Ew { .. }
            | Op::Spread { .. }
            | Op::Transpose { .. }
            | Op::Gather { .. }
            | Op::Sort { .. }
            | Op::Accumulate { .. }
            | Op::BlockReduce { .. }
            | Op::Lanes { .. }
            | Op::Acquire { .. }
            | Op::Publish { .. }
            | Op::Take { .. }
            | Op::Release { .. }
            | Op::SetFlag { .. }
            | Op::WaitFlag { .. }
            | Op::Barrier { .. }
            | Op::SyncAll
            | Op::SetCross { .. }
            | Op::WaitCross { .. } => return Ok(None),
        };
        let bytes = self.tensor_bytes(*tensor, *at, extents)?;
        Ok(Some(Part {
            place: Place::Tensor(tensor.as_u32()),
            reads: how.reads(),
            writes: how.writes(),
            bytes: Some(bytes),
        }))
    }

    fn tensor_bytes(
        &self,
        tensor: Tensor,
        at: Arg,
        extents: [Arg; 3],
    ) -> Result<Bytes, Diagnostic> {
        let elem = i64::try_from(self.func.tensors[tensor].elem.bytes()).unwrap_or(0);
        let [rows, cols, pitch] = self.held_nums(extents)?;
        let mut start = Sum::default();
        add(&mut start, self.held(at)?, elem);
        Ok(Bytes {
            start,
            count: size(1, &[(rows, 1)]),
            stride: size(elem, &[(pitch, 1)]),
            len: size(elem, &[(cols, 1)]),
        })
    }

    fn operand_bytes(&self, operand: &Operand, [rows, cols]: [Num; 2]) -> Known {
        match operand {
            Operand::Full(view) => self.matrix_bytes(view, [rows, cols]),
            Operand::EachRow(view) => self.matrix_bytes(view, [Num::Const(1), cols]),
            // Of a block that stands for a row as much is read as the row has.
            Operand::EachCol(view) => {
                let elem = elem_bits(&self.func.bufs[view.buf]) / 8;
                let most = BLOCK / elem.max(1);
                let read = cols.known().map_or(1, |cols| cols.clamp(0, most));
                let bytes = self.block_bytes(view, rows)?;
                Ok(bytes.map(|bytes| Bytes {
                    count: size(1, &[(rows, 1)]),
                    stride: Size::known(BLOCK),
                    len: Size::known(read * elem),
                    ..bytes
                }))
            }
            Operand::Bits(_) | Operand::Scalar(_) => Ok(None),
        }
    }

    /// Where the current copy of a buffer starts, from the first one.
    fn copy_start(&self, buf: Buf) -> Sum {
        let data = &self.func.bufs[buf];
        let copy = data.copy_bytes().and_then(|n| i64::try_from(n).ok());
        let mut sum = Sum::default();
        if let Some(slot) = self.slot_reg(buf) {
            add(&mut sum, Num::Reg(slot), copy.unwrap_or(0));
        }
        sum
    }

    /// The elements of a matrix from a view on.
    fn matrix_bytes(&self, view: &View, [rows, cols]: [Num; 2]) -> Known {
        let data = &self.func.bufs[view.buf];
        let (row, col) = (self.held(view.row)?, self.held(view.col)?);
        let mut start = self.copy_start(view.buf);
        if data.layout == Layout::NZ && data.space == Space::L1 {
            let bytes = i64::try_from(data.elem.bytes()).unwrap_or(0);
            add(&mut start, row, BLOCK);
            add(&mut start, col, bytes.saturating_mul(data.rows));
            let per_block = BLOCK / bytes.max(1);
            return Ok(Some(Bytes {
                start,
                count: size(1, &[(cols, per_block)]),
                stride: Size::known(data.rows.saturating_mul(BLOCK)),
                len: size(BLOCK, &[(rows, 1)]),
            }));
        }
        let bits = elem_bits(data);
        add(&mut start, row, data.cols.saturating_mul(bits) / 8);
        match (bits, col) {
            (8.., col) => add(&mut start, col, bits / 8),
            (_, Num::Const(col)) => add(&mut start, Num::Const(col / 8), 1),
            (_, Num::Reg(_)) => return Ok(None),
        }
        let len = match bits {
            8.. => size(bits / 8, &[(cols, 1)]),
            _ => size(1, &[(cols, 8)]),
        };
        Ok(Some(Bytes {
            start,
            count: size(1, &[(rows, 1)]),
            stride: Size::known(data.cols.saturating_mul(bits) / 8),
            len,
        }))
    }

    /// A block for each row.
    fn block_bytes(&self, view: &View, rows: Num) -> Known {
        let data = &self.func.bufs[view.buf];
        let mut start = self.copy_start(view.buf);
        let (row, col) = (self.held(view.row)?, self.held(view.col)?);
        add(&mut start, row, BLOCK);
        add(&mut start, col, elem_bits(data) / 8);
        Ok(Some(run(start, size(BLOCK, &[(rows, 1)]))))
    }

    /// The fractals of a matrix in L0A or L0B.
    fn fractal_bytes(&self, buf: Buf, rows: Num, cols: Num) -> Known {
        let data: &BufData = &self.func.bufs[buf];
        let wide = BLOCK / i64::try_from(data.elem.bytes().max(1)).unwrap_or(1);
        let (tall, wide) = match data.space {
            Space::L0b => (wide, ROWS),
            Space::Gm | Space::L1 | Space::L0a | Space::L0c | Space::Ub | Space::Bt | Space::Fb => {
                (ROWS, wide)
            }
        };
        let len = size(FRACTAL, &[(rows, tall), (cols, wide)]);
        Ok(Some(run(self.copy_start(buf), len)))
    }

    /// The fractals of a sum in L0C.
    fn sum_bytes(&self, buf: Buf, m: Num, n: Num) -> Known {
        let len = size(2 * FRACTAL, &[(m, ROWS), (n, ROWS)]);
        Ok(Some(run(self.copy_start(buf), len)))
    }
}
