//! The packed registers of `nd2nzx_gm_l1`: several row-major matrices that become fractals.
//!
//! Effects, legality, cost and the emulator ask here. The field layout is *we choose* after the documented list of
//! parameters (davinci-facts §3.1, §3.5); the manual page of the instruction says what each field means.

use crate::inst::{Inst, Regs};
use crate::types::BLOCK_BYTES;

/// One `nd2nzx_gm_l1` with its fields taken apart; distances in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nd2nz {
    /// Bytes of an element.
    pub element: u64,
    /// How many matrices.
    pub matrices: u64,
    /// Rows of each.
    pub rows: u64,
    /// Columns of each.
    pub columns: u64,
    /// From matrix to matrix in global memory.
    pub src_matrix: u64,
    /// From row to row in global memory.
    pub src_row: u64,
    /// From matrix to matrix in L1.
    pub dst_matrix: u64,
    /// From row to row in L1.
    pub dst_row: u64,
    /// From one column of blocks to the next in L1.
    pub dst_column: u64,
}

fn field(word: u64, low: u32, bits: u32) -> u64 {
    (word >> low) & ((1 << bits) - 1)
}

impl Nd2nz {
    /// The fields of the instruction; none if it is another.
    pub fn of(inst: &Inst, regs: &(impl Regs + ?Sized)) -> Option<Nd2nz> {
        let Inst::Nd2nzxGmL1(i) = inst else {
            return None;
        };
        let (shape, strides) = (regs.reg(i.shape.0), regs.reg(i.strides.0));
        let element = i.size.bytes();
        Some(Nd2nz {
            element,
            matrices: field(shape, 4, 12),
            rows: field(shape, 16, 16),
            columns: field(shape, 32, 16),
            src_matrix: field(shape, 48, 16) * element,
            src_row: field(strides, 0, 16) * element,
            dst_column: field(strides, 16, 16) * BLOCK_BYTES,
            dst_row: field(strides, 32, 16) * BLOCK_BYTES,
            dst_matrix: field(strides, 48, 16) * element,
        })
    }

    /// Whether nothing is moved.
    pub const fn is_empty(&self) -> bool {
        self.matrices == 0 || self.rows == 0 || self.columns == 0
    }

    /// Bytes of a row.
    pub const fn row_bytes(&self) -> u64 {
        self.columns * self.element
    }

    /// Blocks of a row in L1.
    pub const fn blocks(&self) -> u64 {
        self.row_bytes().div_ceil(BLOCK_BYTES)
    }

    /// Bytes from the first block in L1 to the end of the last.
    pub const fn extent(&self) -> u64 {
        self.matrices.saturating_sub(1) * self.dst_matrix
            + self.blocks().saturating_sub(1) * self.dst_column
            + self.rows.saturating_sub(1) * self.dst_row
            + BLOCK_BYTES
    }

    /// The field that has a value it must not have, with the value and what it must be.
    pub const fn refused(&self) -> Option<(&'static str, u64, &'static str)> {
        if self.rows > MAX_ROWS {
            return Some(("shape", self.rows, "at most 16384 rows"));
        }
        let written = self.matrices * self.rows * self.blocks() * BLOCK_BYTES;
        if !self.is_empty() && written > self.extent() {
            return Some(("strides", written, "distances that keep the blocks apart"));
        }
        if self.matrices > 1 && !self.dst_matrix.is_multiple_of(BLOCK_BYTES) {
            return Some((
                "strides",
                self.dst_matrix,
                "matrices in whole blocks of 32 B",
            ));
        }
        None
    }
}

/// Most rows of a matrix (davinci-facts §3.5).
const MAX_ROWS: u64 = 16_384;
