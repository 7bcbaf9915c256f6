//! Copies from global memory that are not of blocks alone: straight to L0, several matrices at once, padded on both sides.

use isa::inst::*;
use isa::nd2nz::Nd2nz;
use isa::types::Space;

use super::at_most;
use super::img2col::refused;
use super::mte::{BLOCK, FRACTAL, byte_burst, gap_bytes, shadow_in};
use crate::core::Core;
use crate::fault::{FaultKind, Stop};
use crate::l0::Turn;
use crate::report::Path;

impl Core<'_> {
    /// Fractals of global memory to L0A or L0B.
    pub(super) fn load_direct(
        &mut self,
        to: Space,
        dst: u64,
        src: u64,
        [rep, src_stride, dst_step]: [usize; 3],
    ) -> Result<(), Stop> {
        let path = if to == Space::L0a {
            Path::GmL0a
        } else {
            Path::GmL0b
        };
        for n in 0..rep as u64 {
            let src = src.wrapping_add(n * (src_stride * FRACTAL) as u64);
            let dst = dst + n * (dst_step * FRACTAL) as u64;
            let at = self
                .memory(to)
                .aligned("dst", dst, FRACTAL as u64, FRACTAL as u64)?;
            let span = self.launch.gm.span("src", src, FRACTAL as u64)?;
            self.gm_reads("src", src, FRACTAL)?;
            self.writes("dst", to, at, FRACTAL)?;
            let local = self.memory(to);
            span.region
                .read(span.offset, &mut local.bytes[at..at + FRACTAL]);
            shadow_in(span.region, span.offset, &mut local.shadow, at, FRACTAL);
            local.touch(at + FRACTAL);
            self.replaced(to, at, FRACTAL, Turn::Plain);
            self.count(path, FRACTAL);
        }
        Ok(())
    }

    /// Several matrices as fractals, row by row.
    pub(super) fn nd2nz_matrices(&mut self, dst: u64, src: u64, i: Nd2nz) -> Result<(), Stop> {
        if let Some(field) = i.refused() {
            return Err(refused(field));
        }
        if i.is_empty() {
            return Ok(());
        }
        let base = self
            .memory(Space::L1)
            .aligned("dst", dst, i.extent(), BLOCK as u64)?;
        for matrix in 0..i.matrices {
            for row in 0..i.rows {
                let src = src.wrapping_add(matrix * i.src_matrix + row * i.src_row);
                let at = base + (matrix * i.dst_matrix + row * i.dst_row) as usize;
                self.nd2nz_row(at, src, &i)?;
            }
        }
        self.memory(Space::L1).touch(base + i.extent() as usize);
        self.count(Path::GmL1, (i.matrices * i.rows * i.row_bytes()) as usize);
        Ok(())
    }

    /// One row: its blocks a column apart, the last filled with zeros.
    fn nd2nz_row(&mut self, at: usize, src: u64, i: &Nd2nz) -> Result<(), Stop> {
        let len = i.row_bytes() as usize;
        let span = self.launch.gm.span("src", src, len as u64)?;
        self.gm_reads("src", src, len)?;
        for (column, from) in (0..len).step_by(BLOCK).enumerate() {
            let (at, size) = (at + column * i.dst_column as usize, BLOCK.min(len - from));
            self.writes("dst", Space::L1, at, BLOCK)?;
            let l1 = self.memory(Space::L1);
            span.region
                .read(span.offset + from, &mut l1.bytes[at..at + size]);
            l1.bytes[at + size..at + BLOCK].fill(0);
            l1.shadow.set(at, BLOCK);
            if !span.region.is_full() {
                let bits = span.region.bits(span.offset + from, size);
                l1.shadow.put_bits(at, size, bits);
            }
        }
        Ok(())
    }

    /// Bursts of bytes to UB with elements of the pad value around them.
    pub(super) fn copy_padded(&mut self, i: &MovpadlrGmUb) -> Result<(), Stop> {
        let c = &self.context;
        let (count, len) = byte_burst(self, &i.burst)?;
        let src_gap = gap_bytes("src_gap", i.src_gap.get(c))?;
        let dst_gap = at_most("dst_gap", i.dst_gap.get(c), 65535, "at most 65535 blocks")?;
        let size = i.size.bytes() as usize;
        let most = (BLOCK / size) as u64;
        let left = at_most("left", i.left.get(c), most, "at most a block")? * size;
        let right = at_most("right", i.right.get(c), most, "at most a block")? * size;
        let pad = c.spr(Spr::PadVal).to_le_bytes();
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        if !len.is_multiple_of(size) {
            return Err(Box::new(FaultKind::IllegalValue {
                operand: "burst",
                value: len as i64,
                expected: "a whole number of elements",
            }));
        }
        if len == 0 {
            return Ok(());
        }
        let padded = (left + len + right).next_multiple_of(BLOCK);
        for n in 0..count as u64 {
            let src = src.wrapping_add(n * (len as u64 + src_gap));
            let dst = dst + n * (padded + dst_gap * BLOCK) as u64;
            let at = self
                .memory(Space::Ub)
                .aligned("dst", dst, padded as u64, BLOCK as u64)?;
            let span = self.launch.gm.span("src", src, len as u64)?;
            self.gm_reads("src", src, len)?;
            self.writes("dst", Space::Ub, at, padded)?;
            let ub = self.memory(Space::Ub);
            for element in ub.bytes[at..at + padded].chunks_exact_mut(size) {
                element.copy_from_slice(&pad[..size]);
            }
            ub.shadow.set(at, padded);
            span.region
                .read(span.offset, &mut ub.bytes[at + left..at + left + len]);
            shadow_in(span.region, span.offset, &mut ub.shadow, at + left, len);
            ub.touch(at + padded);
            self.count(Path::GmUb, len);
        }
        Ok(())
    }
}
