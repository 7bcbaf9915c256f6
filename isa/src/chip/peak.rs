//! Peak rates: clock × (cubes × cube operations + vectors × vector operations) (davinci-facts §1.5, systems-facts C0).

use super::Chip;
use crate::inst::MmadTy;

/// Operations a second, multiply and add counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// Of all cube cores.
    pub cube: u64,
    /// Of all vector cores.
    pub vector: u64,
}

impl Peak {
    /// What vendors advertise: both together.
    pub const fn total(self) -> u64 {
        self.cube + self.vector
    }
}

impl Chip {
    /// K extent of the cube in one cycle.
    pub const fn cube_k(&self, ty: MmadTy) -> u64 {
        match ty {
            MmadTy::F16 | MmadTy::F16F16 | MmadTy::Bf16 => self.cube.k_f16,
            MmadTy::S8 | MmadTy::U8 | MmadTy::U8S8 => self.cube.k_s8,
            MmadTy::S4 => self.cube.k_s4,
            MmadTy::F32 => self.cube.k_f32,
        }
    }

    /// Multiply-adds of one cube core in one cycle.
    pub const fn cube_mads(&self, ty: MmadTy) -> u64 {
        self.cube.mn * self.cube_k(ty)
    }

    /// Operations of one vector core in one cycle on lanes of the accumulator class of `ty`; integers count twice f16.
    pub const fn vector_ops_per_cycle(&self, ty: MmadTy) -> u64 {
        match ty {
            MmadTy::F16 | MmadTy::F16F16 | MmadTy::Bf16 => self.vector.flops_f16,
            MmadTy::S8 | MmadTy::U8 | MmadTy::U8S8 | MmadTy::S4 => 2 * self.vector.flops_f16,
            MmadTy::F32 => self.vector.flops_f32,
        }
    }

    /// Peak rates of the whole chip.
    pub const fn peak(&self, ty: MmadTy) -> Peak {
        let hertz = self.cores.clock_mhz * 1_000_000;
        Peak {
            cube: self.cores.cube * 2 * self.cube_mads(ty) * hertz,
            vector: self.cores.vector * self.vector_ops_per_cycle(ty) * hertz,
        }
    }
}
