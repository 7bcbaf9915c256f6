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

    /// Where a fractal from row `row` on lies in one piece, many bytes from the image's start: where the window is one
    /// element and its rows follow each other.
    pub fn whole_fractal(&self, repeat: u64, row: u64, block: u64) -> Option<u64> {
        let ones = self.kernel == [1, 1] && self.stride == [1, 1] && self.pad == [0; 4];
        if !ones || row + ROWS > self.m_ext {
            return None;
        }
        let place = |row| match self.source(repeat, row, block) {
            Source::Image(at) => Some(at),
            Source::Pad | Source::Outside => None,
        };
        place(row + ROWS - 1).and_then(|_| place(row))
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

/// How often a window fits into an extent.
const fn positions(extent: u64, kernel: u64, dilation: u64, stride: u64) -> u64 {
    let reach = dilation * kernel.saturating_sub(1) + 1;
    if extent < reach || stride == 0 {
        return 0;
    }
    (extent - reach) / stride + 1
}
