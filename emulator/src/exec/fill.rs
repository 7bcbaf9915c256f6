//! Fills of L0A, L0B and L1 with one value, and the bias table from f16 values.

use isa::inst::*;
use isa::num;
use isa::types::Space;

use super::at_most;
use super::mte::BLOCK;
use crate::core::Core;
use crate::fault::{FaultKind, Stop};
use crate::l0::Turn;
use crate::report::Path;

/// Where a fill writes: runs of units of so many bytes.
#[derive(Copy, Clone, Debug)]
pub(super) struct Runs {
    pub(super) rep: Val<15>,
    pub(super) len: Val<15>,
    pub(super) gap: Val<15>,
    pub(super) unit: usize,
}

impl Core<'_> {
    /// Fills runs with an element.
    pub(super) fn fill(
        &mut self,
        to: Space,
        dst: u64,
        size: ElemSize,
        value: VecScalar,
        runs: Runs,
    ) -> Result<(), Stop> {
        let c = &self.context;
        let extent = |name, value: Val<15>| at_most(name, value.get(c), 32_767, "at most 32767");
        let (rep, len) = (
            extent("rep", runs.rep)?,
            extent("len", runs.len)? * runs.unit,
        );
        let step = len + extent("gap", runs.gap)? * runs.unit;
        let element = match size {
            ElemSize::B16 | ElemSize::B32 => value.get(c).to_le_bytes(),
            ElemSize::B8 => {
                return Err(Box::new(FaultKind::IllegalValue {
                    operand: "size",
                    value: size as i64,
                    expected: "elements of 16 or 32 bits",
                }));
            }
        };
        let align = self.launch.chip.alignment(to);
        for n in 0..rep as u64 {
            let dst = dst + n * step as u64;
            let at = self.memory(to).aligned("dst", dst, len as u64, align)?;
            if len == 0 {
                continue;
            }
            self.writes("dst", to, at, len)?;
            let local = self.memory(to);
            for place in local.bytes[at..at + len].chunks_exact_mut(size.bytes() as usize) {
                place.copy_from_slice(&element[..size.bytes() as usize]);
            }
            local.shadow.set(at, len);
            local.touch(at + len);
            if to != Space::L1 {
                self.replaced(to, at, len, Turn::Plain);
            }
        }
        Ok(())
    }

    /// f16 values of L1 as f32 words of the bias table.
    pub(super) fn widen_bias(&mut self, dst: u64, src: u64, len: Val<8>) -> Result<(), Stop> {
        let len = at_most("len", len.get(&self.context), 255, "at most 255 blocks")? * BLOCK;
        let align = self.launch.chip.alignment(Space::Bt);
        let from = self
            .memory(Space::L1)
            .aligned("src", src, len as u64, BLOCK as u64)?;
        let at = self
            .memory(Space::Bt)
            .aligned("dst", dst, 2 * len as u64, align)?;
        self.reads("src", Space::L1, from, len, false)?;
        self.writes("dst", Space::Bt, at, 2 * len)?;
        let (l1, table) = self.two(Space::L1, Space::Bt);
        for n in (0..len).step_by(2) {
            let half = u16::from_le_bytes([l1.bytes[from + n], l1.bytes[from + n + 1]]);
            let word = num::f16_to_f32(half).to_bits().to_le_bytes();
            table.bytes[at + 2 * n..at + 2 * n + 4].copy_from_slice(&word);
            let known = l1.shadow.bits(from + n, 2) == 0b11;
            table
                .shadow
                .put_bits(at + 2 * n, 4, if known { 0b1111 } else { 0 });
        }
        table.touch(at + 2 * len);
        self.count(Path::L1Bt, 2 * len);
        Ok(())
    }
}
