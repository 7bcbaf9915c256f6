//! What every access demands: that its buffer or tensor exists, lies in the right space, has the right type, and holds it.

use isa::types::{Elem, Layout, Space};

use crate::tile::names::elem_bits;
use crate::tile::verify::Checker;
use crate::tile::{Arg, Buf, BufData, Tensor, TensorData, TensorRole, View};

/// What an operation demands of a view.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Columns {
    /// In UB the first column lies at a block boundary.
    Aligned,
    /// Any column.
    Free,
}

/// What is wrong, if anything is.
pub(super) type Check = Result<(), String>;

impl<'a> Checker<'a> {
    pub(super) fn buf(&self, buf: Buf) -> Result<&'a BufData, String> {
        self.func
            .bufs
            .get(buf)
            .ok_or_else(|| format!("{buf} does not exist"))
    }

    pub(super) fn tensor(&self, tensor: Tensor) -> Result<&'a TensorData, String> {
        self.func
            .tensors
            .get(tensor)
            .ok_or_else(|| format!("{tensor} does not exist"))
    }

    pub(super) fn written(&mut self, tensor: Tensor) -> Check {
        self.ring_access(tensor, true);
        let data = self.tensor(tensor)?;
        match data.role {
            TensorRole::In => Err(format!("argument `{}` is written", data.name)),
            TensorRole::Out | TensorRole::Work => Ok(()),
        }
    }

    pub(super) fn in_space(&self, buf: Buf, spaces: &[Space]) -> Check {
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

    pub(super) fn same_elem(&self, a: Buf, b: Buf) -> Check {
        let (a, b) = (self.buf(a)?, self.buf(b)?);
        if a.elem == b.elem {
            return Ok(());
        }
        Err(format!(
            "`{}` holds {} and `{}` holds {}",
            a.name, a.elem, b.name, b.elem
        ))
    }

    pub(super) fn gm_copy(&self, view: View, tensor: Tensor) -> Check {
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
    pub(super) fn in_range(&self, view: View, rows: Arg, cols: Arg, columns: Columns) -> Check {
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
}

/// A view of a whole buffer.
pub(super) fn whole(buf: Buf) -> View {
    View {
        buf,
        row: Arg::Const(0),
        col: Arg::Const(0),
    }
}

/// Checks that an access lies in a tensor, if everything is constant.
pub(super) fn inside(tensor: &TensorData, at: Arg, [rows, cols]: [Arg; 2], pitch: Arg) -> Check {
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
