//! What operations of the cube core demand: tiles, windows, products, drains.

use isa::types::{Elem, Layout, Space};

use super::places::{Check, Columns, whole};
use crate::tile::verify::Checker;
use crate::tile::{Arg, Buf, FixCast, Tensor, View, Window};

impl Checker<'_> {
    pub(super) fn load_tile(
        &self,
        dst: Buf,
        src: View,
        rows: Arg,
        cols: Arg,
        transposed: bool,
    ) -> Check {
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

    pub(super) fn load_window(
        &self,
        dst: Buf,
        src: View,
        [rows, cols]: [Arg; 2],
        window: &Window,
    ) -> Check {
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

    pub(super) fn mad(&self, [c, a, b]: [Buf; 3], [m, k, n]: [Arg; 3]) -> Check {
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

    pub(super) fn drain(&self, tensor: Tensor, src: Buf, cast: FixCast, cols: Arg) -> Check {
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
}
