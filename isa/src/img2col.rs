//! The geometry of `ld3d`: which block of an image in L1 stands at which place of the matrix that a convolution multiplies.
//!
//! Effects, legality, cost and the emulator ask here. The field layout of the packed registers is *we choose* after the
//! documented list of parameters (davinci-facts §3.4); the manual page of `ld3d_a` says what each field means. Knows no
//! memory.

use crate::inst::{ElemSize, Inst, Regs, Spr, XIn};
use crate::types::BLOCK_BYTES;

/// Rows of a fractal.
const ROWS: u64 = 16;

/// One `ld3d` with its fields taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Img2col {
    /// Width of an element.
    pub size: ElemSize,
    /// Height of the image.
    pub height: u64,
    /// Width of the image.
    pub width: u64,
    /// Rows and columns of padding: left, right, top, bottom.
    pub pad: [u64; 4],
    /// Channels of the image.
    pub channels: u64,
    /// Steps of the window: along the width, along the height.
    pub stride: [u64; 2],
    /// Extents of the window: width, height.
    pub kernel: [u64; 2],
    /// Distance of the window's elements: along the width, along the height.
    pub dilation: [u64; 2],
    /// Columns of the matrix that are loaded.
    pub k_ext: u64,
    /// Rows of the matrix that are loaded.
    pub m_ext: u64,
    /// First column.
    pub k_start: u64,
    /// First row.
    pub m_start: u64,
    /// Whether the matrix is loaded transposed.
    pub transpose: bool,
    /// How often the load is repeated.
    pub repeats: u64,
    /// Fractals from one repeat to the next.
    pub repeat_stride: u64,
    /// Whether repeats go along the columns rather than the rows.
    pub repeat_columns: bool,
}

/// What stands at a place of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A block of 32 B of the image, that many bytes from its start.
    Image(u64),
    /// The pad value.
    Pad,
    /// Zeros: the place is outside the matrix.
    Outside,
}

fn bits(word: u64, low: u32, count: u32) -> u64 {
    (word >> low) & ((1 << count) - 1)
}

impl Img2col {
    /// The fields of a load; none if the instruction is another.
    pub fn of(inst: &Inst, regs: &(impl Regs + ?Sized)) -> Option<Img2col> {
        if let Inst::Ld3dA(i) = inst {
            return Some(Img2col::unpack(i.size, i.part, i.window, regs));
        }
        if let Inst::Ld3dB(i) = inst {
            return Some(Img2col::unpack(i.size, i.part, i.window, regs));
        }
        None
    }

    /// Takes the registers apart.
    pub fn unpack(size: ElemSize, part: XIn, window: XIn, regs: &(impl Regs + ?Sized)) -> Img2col {
        let (part, window) = (regs.reg(part.0), regs.reg(window.0));
        let image = if bits(window, 47, 1) == 1 {
            Spr::FmatrixB
        } else {
            Spr::Fmatrix
        };
        let (image, repeat) = (regs.spr(image), regs.spr(Spr::L3dRpt));
        Img2col {
            size,
            width: bits(image, 0, 16),
            height: bits(image, 16, 16),
            pad: [32, 40, 48, 56].map(|low| bits(image, low, 8)),
            channels: bits(window, 48, 16),
            stride: [bits(window, 0, 6), bits(window, 6, 6)],
            kernel: [
                bits(window, 12, 8) | bits(window, 44, 1) << 8,
                bits(window, 20, 8) | bits(window, 45, 1) << 8,
            ],
            dilation: [bits(window, 28, 8), bits(window, 36, 8)],
            k_ext: bits(part, 0, 16),
            m_ext: bits(part, 16, 16),
            k_start: bits(part, 32, 16),
            m_start: bits(part, 48, 16),
            transpose: bits(window, 46, 1) == 1,
            repeats: bits(repeat, 16, 8).max(1),
            repeat_stride: bits(repeat, 0, 16),
            repeat_columns: bits(repeat, 24, 1) == 1,
        }
    }

    /// The field that has a value it must not have, with the value and what it must be.
    pub fn refused(&self) -> Option<(&'static str, u64, &'static str)> {
        let whole = |value: u64| value.is_multiple_of(self.c0());
        if [self.stride, self.kernel, self.dilation]
            .as_flattened()
            .contains(&0)
        {
            return Some(("window", 0, "strides, extents and dilations of at least 1"));
        }
        if self.transpose && self.size != ElemSize::B16 {
            return Some((
                "size",
                self.size.bytes(),
                "16-bit elements where it transposes",
            ));
        }
        if self.width == 0 || self.height == 0 {
            return Some(("fmatrix", 0, "an image of at least one element"));
        }
        if self.channels == 0 || !whole(self.channels) {
            return Some(("window", self.channels, "channels in whole blocks of 32 B"));
        }
        let parts = [self.k_ext, self.k_start];
        let odd = parts.into_iter().find(|&part| !whole(part));
        odd.map(|part| ("part", part, "columns in whole blocks of 32 B"))
    }

    /// Elements of a block of 32 B.
    pub const fn c0(&self) -> u64 {
        BLOCK_BYTES / self.size.bytes()
    }

    /// Bytes of the image.
    pub const fn image_bytes(&self) -> u64 {
        self.channels.div_ceil(self.c0()) * self.height * self.width * BLOCK_BYTES
    }

    /// Positions of the window: along the width, along the height.
    pub const fn positions(&self) -> [u64; 2] {
        let [left, right, top, bottom] = self.pad;
        [
            positions(
                self.width + left + right,
                self.kernel[0],
                self.dilation[0],
                self.stride[0],
            ),
            positions(
                self.height + top + bottom,
                self.kernel[1],
                self.dilation[1],
                self.stride[1],
            ),
        ]
    }

    /// Fractals of one repeat: along the rows of the matrix and along its columns.
    pub const fn fractals(&self) -> [u64; 2] {
        [self.m_ext.div_ceil(ROWS), self.k_ext / self.c0()]
    }

    /// Fractals of all repeats.
    pub const fn all_fractals(&self) -> u64 {
        let [rows, columns] = self.fractals();
        self.repeats * rows * columns
    }

    /// What stands in row `row` and block of columns `block` of a repeat.
    pub fn source(&self, repeat: u64, row: u64, block: u64) -> Source {
        let step = repeat * self.repeat_stride;
        let (rows, blocks) = if self.repeat_columns {
            (0, step)
        } else {
            (step * ROWS, 0)
        };
        self.matrix(
            self.m_start + rows + row,
            self.k_start / self.c0() + blocks + block,
            row,
        )
    }

    /// The image as it lies, where the window is one element and goes over every one of them.
    pub fn plain(&self) -> Option<Plain> {
        let ones = self.kernel == [1, 1] && self.stride == [1, 1] && self.pad == [0; 4];
        let step = |columns| match self.repeat_columns == columns {
            true => self.repeat_stride,
            false => 0,
        };
        ones.then(|| Plain {
            rows: self.height * self.width,
            blocks: self.channels / self.c0(),
            first_row: self.m_start,
            first_block: self.k_start / self.c0(),
            row_step: step(false) * ROWS,
            block_step: step(true),
            m_ext: self.m_ext,
        })
    }

    /// What stands in a row and block of columns of the whole matrix; rows beyond the load are outside.
    fn matrix(&self, row: u64, block: u64, loaded: u64) -> Source {
        let [wide, high] = self.positions();
        let [kernel_w, kernel_h] = self.kernel;
        let plane = block / (kernel_w * kernel_h).max(1);
        if loaded >= self.m_ext || row >= wide * high || plane >= self.channels / self.c0() {
            return Source::Outside;
        }
        let (y, x) = (row / wide, row % wide);
        let (dy, dx) = (block / kernel_w % kernel_h, block % kernel_w);
        let at = |position: u64, stride: u64, offset: u64, dilation: u64, pad: u64, extent: u64| {
            (position * stride + offset * dilation)
                .checked_sub(pad)
                .filter(|&at| at < extent)
        };
        let [left, _, top, _] = self.pad;
        let column = at(x, self.stride[0], dx, self.dilation[0], left, self.width);
        let line = at(y, self.stride[1], dy, self.dilation[1], top, self.height);
        match (line, column) {
            (Some(line), Some(column)) => {
                Source::Image(((plane * self.height + line) * self.width + column) * BLOCK_BYTES)
            }
            (_, None) | (None, _) => Source::Pad,
        }
    }
}

/// A matrix whose rows are the elements of an image, in order: what a window of one element makes of it.
#[derive(Copy, Clone, Debug)]
pub struct Plain {
    /// Rows and blocks of columns of the whole matrix.
    rows: u64,
    blocks: u64,
    /// Where the load starts in it, and from one repeat to the next.
    first_row: u64,
    first_block: u64,
    row_step: u64,
    block_step: u64,
    /// Rows of the load.
    m_ext: u64,
}

impl Plain {
    /// Where the rows of a fractal lie in one piece, from row `row` of a repeat on: bytes from the image's start and how
    /// many rows there are. Those behind are outside.
    #[inline]
    pub fn piece(&self, repeat: u64, row: u64, block: u64) -> (u64, u64) {
        let first = self.first_row + repeat * self.row_step + row;
        let block = self.first_block + repeat * self.block_step + block;
        if block >= self.blocks {
            return (0, 0);
        }
        let inside = self.rows.saturating_sub(first);
        let rows = inside.min(self.m_ext.saturating_sub(row)).min(ROWS);
        ((block * self.rows + first) * BLOCK_BYTES, rows)
    }
}

/// How often a window fits into an extent.
const fn positions(extent: u64, kernel: u64, dilation: u64, stride: u64) -> u64 {
    let reach = dilation * kernel.saturating_sub(1) + 1;
    if extent < reach || stride == 0 {
        return 0;
    }
    (extent - reach) / stride + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image whose window is one element.
    fn image(m: [u64; 2], k: [u64; 2], repeat: [u64; 2], repeat_columns: bool) -> Img2col {
        Img2col {
            size: ElemSize::B16,
            height: 5,
            width: 9,
            pad: [0; 4],
            channels: 64,
            stride: [1, 1],
            kernel: [1, 1],
            dilation: [3, 2],
            k_ext: k[1],
            m_ext: m[1],
            k_start: k[0],
            m_start: m[0],
            transpose: false,
            repeats: repeat[0],
            repeat_stride: repeat[1],
            repeat_columns,
        }
    }

    #[test]
    fn pieces_of_a_plain_image_are_its_rows_one_by_one() {
        let mut rows_seen = 0;
        for m in [[0, 45], [0, 48], [7, 20], [40, 33], [50, 16]] {
            for (k, columns) in [([0, 64], false), ([32, 64], true), ([16, 16], false)] {
                let image = image(m, k, [3, 1], columns);
                let plain = image.plain().expect("the window is one element");
                let [rows, blocks] = image.fractals();
                for (repeat, fractal) in
                    (0..3).flat_map(|r| (0..rows * blocks).map(move |f| (r, f)))
                {
                    let (row, block) = (fractal / blocks * ROWS, fractal % blocks);
                    let (at, count) = plain.piece(repeat, row, block);
                    for n in 0..ROWS {
                        let expected = match n < count {
                            true => Source::Image(at + n * BLOCK_BYTES),
                            false => Source::Outside,
                        };
                        assert_eq!(
                            image.source(repeat, row + n, block),
                            expected,
                            "{image:?} {n}"
                        );
                    }
                    rows_seen += count;
                }
            }
        }
        assert!(rows_seen > 500, "{rows_seen} rows");
        let padded = Img2col {
            pad: [1, 0, 0, 0],
            ..image([0, 16], [0, 16], [1, 0], false)
        };
        assert!(padded.plain().is_none());
    }
}
