//! Stores to global memory: plain, or combined with what is there as spr `atomic` says.
//!
//! A launch whose programs use atomics runs its cores one after the other within a round (see `machine`), so that sums of
//! floats come about in one order at any number of threads.

use isa::inst::{Regs, Spr};
use isa::num::{self, Overflow};
use isa::types::Space;

use crate::core::Core;
use crate::fault::{FaultKind, Stop};

/// Element types of an atomic store, as the field of the special register counts them.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Kind {
    F32,
    F16,
    Bf16,
    S32,
    S16,
    S8,
}

impl Kind {
    const fn bytes(self) -> usize {
        match self {
            Kind::F32 | Kind::S32 => 4,
            Kind::F16 | Kind::Bf16 | Kind::S16 => 2,
            Kind::S8 => 1,
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Combine {
    Add,
    Max,
    Min,
}

impl Core<'_> {
    /// Writes bytes to global memory, in the mode that is set.
    pub(super) fn store_gm(
        &mut self,
        operand: &'static str,
        address: u64,
        data: &[u8],
    ) -> Result<(), Stop> {
        let mode = self.context.spr(Spr::Atomic);
        if mode & Spr::ATOMIC_OP != 0 {
            return self.combine_gm(operand, address, data, mode);
        }
        let span = self.launch.gm.span(operand, address, data.len() as u64)?;
        span.region.writable(operand, address, data.len() as u64)?;
        self.gm_writes(operand, address, data.len())?;
        span.region.write(span.offset, data);
        span.region.set(span.offset, data.len());
        Ok(())
    }

    fn combine_gm(
        &mut self,
        operand: &'static str,
        address: u64,
        data: &[u8],
        mode: u64,
    ) -> Result<(), Stop> {
        let (combine, kind) = mode_of(mode)?;
        let size = kind.bytes();
        if !address.is_multiple_of(size as u64) || !data.len().is_multiple_of(size) {
            return Err(Box::new(FaultKind::Misaligned {
                operand,
                space: Space::Gm,
                address,
                align: size as u64,
            }));
        }
        let span = self.launch.gm.span(operand, address, data.len() as u64)?;
        span.region.writable(operand, address, data.len() as u64)?;
        if self.launch.sanitize.uninit
            && let Some(at) = span.region.first_unset(span.offset, data.len())
        {
            return Err(Box::new(FaultKind::Uninitialised {
                operand,
                space: Space::Gm,
                address: span.region.start + at as u64,
            }));
        }
        self.gm_combines(operand, address, data.len(), mode as u8)?;
        let overflow = match self.context.spr(Spr::Ctrl) & Spr::CTRL_KEEP_INF == 0 {
            true => Overflow::Saturate,
            false => Overflow::Keep,
        };
        let mut there = vec![0; data.len()];
        span.region.read(span.offset, &mut there);
        for (old, new) in there.chunks_exact_mut(size).zip(data.chunks_exact(size)) {
            let word = |bytes: &[u8]| {
                let mut word = [0; 4];
                word[..size].copy_from_slice(bytes);
                u32::from_le_bytes(word)
            };
            let result = combined(combine, kind, word(old), word(new), overflow);
            old.copy_from_slice(&result.to_le_bytes()[..size]);
        }
        span.region.write(span.offset, &there);
        Ok(())
    }
}

fn mode_of(mode: u64) -> Result<(Combine, Kind), Stop> {
    let combine = match mode & Spr::ATOMIC_OP {
        1 => Combine::Add,
        2 => Combine::Max,
        _ => Combine::Min,
    };
    let kinds = [
        Kind::F32,
        Kind::F16,
        Kind::Bf16,
        Kind::S32,
        Kind::S16,
        Kind::S8,
    ];
    let kind = (mode & Spr::ATOMIC_TY) >> Spr::ATOMIC_TY.trailing_zeros();
    match kinds.get(kind as usize) {
        Some(&kind) => Ok((combine, kind)),
        None => Err(Box::new(FaultKind::IllegalValue {
            operand: "atomic",
            value: kind as i64,
            expected: "an element type from 0 to 5",
        })),
    }
}

/// The element that an atomic store leaves behind.
fn combined(combine: Combine, kind: Kind, old: u32, new: u32, overflow: Overflow) -> u32 {
    match kind {
        Kind::F32 => {
            let f = match combine {
                Combine::Add => num::add_f32,
                Combine::Max => num::max_f32,
                Combine::Min => num::min_f32,
            };
            f(f32::from_bits(old), f32::from_bits(new)).to_bits()
        }
        Kind::F16 => {
            let (old, new) = (old as u16, new as u16);
            u32::from(match combine {
                Combine::Add => num::f16_add(old, new, overflow),
                Combine::Max => num::f16_max(old, new),
                Combine::Min => num::f16_min(old, new),
            })
        }
        Kind::Bf16 => {
            let (old, new) = (old as u16, new as u16);
            u32::from(match combine {
                Combine::Add => num::bf16_add(old, new, overflow),
                Combine::Max => num::bf16_max(old, new),
                Combine::Min => num::bf16_min(old, new),
            })
        }
        Kind::S32 => integer(combine, old as i32, new as i32),
        Kind::S16 => integer(combine, (old as i16).into(), (new as i16).into()),
        Kind::S8 => integer(combine, (old as i8).into(), (new as i8).into()),
    }
}

/// The low bits are those of the narrower type, whose sums wrap.
fn integer(combine: Combine, old: i32, new: i32) -> u32 {
    (match combine {
        Combine::Add => old.wrapping_add(new),
        Combine::Max => old.max(new),
        Combine::Min => old.min(new),
    }) as u32
}
