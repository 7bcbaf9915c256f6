//! Conversions between element types, many repeats at a time.

use isa::inst::*;
use isa::num::{self, Overflow, Round};
use isa::types::Elem;

use super::lanes::{Walk, Work};
use super::repeat::{halves, halves_mut, words_mut, words_of};
use crate::core::Core;
use crate::fault::Stop;

impl Core<'_> {
    /// Converts the lanes of every repeat.
    pub(super) fn convert(&mut self, i: &Vconv) -> Result<(), Stop> {
        if i.kind.src == Elem::I64 || i.kind.dst == Elem::I64 {
            return self.convert_wide(i);
        }
        let (from, to) = (i.kind.src.bytes() as usize, i.kind.dst.bytes() as usize);
        let work = Work::new(self, i.rep, i.kind.lanes() as usize)?.fitted(from.min(to));
        let a = Walk::new("a", self.ub(i.a.at), i.st.a_blk, i.st.a_rep, from);
        let d = Walk::new("dst", self.ub(i.dst.at), i.st.dst_blk, i.st.dst_rep, to);
        self.check_read(&work, &a)?;
        self.check_write(&work, &d)?;
        let mode = Mode {
            kind: i.kind,
            float: self.overflow(),
            int: self.int_overflow(),
        };
        self.run_lanes(&work, &d, [&a], false, |out, [x]| {
            convert_lanes(mode, x, out)
        });
        Ok(())
    }
}

/// A conversion with the modes in force.
#[derive(Copy, Clone)]
struct Mode {
    kind: ConvKind,
    float: Overflow,
    int: Overflow,
}

/// Converts lanes: the common pairs by slices, the others one by one.
fn convert_lanes(mode: Mode, x: &[u8], out: &mut [u8]) {
    let even = mode.kind.round == Round::Even;
    match (mode.kind.src, mode.kind.dst) {
        (Elem::F32, Elem::F16) if even => {
            num::f32_to_f16_slice(halves_mut(out), words_of(x), mode.float);
        }
        (Elem::F32, Elem::Bf16) if even => {
            num::f32_to_bf16_slice(halves_mut(out), words_of(x), mode.float);
        }
        (Elem::F16, Elem::F32) => num::f16_to_f32_slice(words_mut(out), halves(x)),
        (Elem::Bf16, Elem::F32) => num::bf16_to_f32_slice(words_mut(out), halves(x)),
        (from, to) => {
            let (from, to) = (from.bytes() as usize, to.bytes() as usize);
            for (x, out) in x.chunks_exact(from).zip(out.chunks_exact_mut(to)) {
                let mut word = [0; 4];
                word[..from].copy_from_slice(x);
                let bits = convert_one(mode, u32::from_le_bytes(word));
                out.copy_from_slice(&bits.to_le_bytes()[..to]);
            }
        }
    }
}

/// Converts one element, bits to bits.
fn convert_one(mode: Mode, bits: u32) -> u32 {
    let Mode { kind, float, int } = mode;
    let round = kind.round;
    let (bits_out, signed) = (width(kind.dst), kind.dst != Elem::U8);
    match kind.src {
        Elem::F32 => from_f32(mode, f32::from_bits(bits)),
        Elem::F16 if kind.dst == Elem::F32 => num::f16_to_f32(bits as u16).to_bits(),
        Elem::F16 => num::f16_to_int(bits as u16, round, int, bits_out, signed) as u32,
        Elem::Bf16 if kind.dst == Elem::F32 => num::bf16_to_f32(bits as u16).to_bits(),
        Elem::Bf16 => num::bf16_to_int(bits as u16, round, int, bits_out, signed) as u32,
        Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
            let value = integer(kind.src, bits);
            match kind.dst {
                Elem::F32 => num::i64_to_f32(value, round).to_bits(),
                Elem::F16 => u32::from(num::i64_to_f16(value, round, float)),
                Elem::Bf16 => u32::from(num::i64_to_bf16(value, round, float)),
                Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool => {
                    let narrow = match int {
                        Overflow::Wrap => num::wrap_int,
                        Overflow::Saturate | Overflow::Keep => num::saturate_int,
                    };
                    narrow(value, bits_out, signed) as u32
                }
            }
        }
    }
}

fn from_f32(mode: Mode, x: f32) -> u32 {
    let round = mode.kind.round;
    match mode.kind.dst {
        Elem::F32 => num::round_to_integral(x, round).to_bits(),
        Elem::F16 => u32::from(num::f32_to_f16(x, round, mode.float)),
        Elem::Bf16 => u32::from(num::f32_to_bf16(x, round, mode.float)),
        to @ (Elem::I64 | Elem::I32 | Elem::I16 | Elem::I8 | Elem::U8 | Elem::Bool) => {
            num::f32_to_int(x, round, mode.int, width(to), to != Elem::U8) as u32
        }
    }
}

/// Bits of an integer type.
const fn width(elem: Elem) -> u32 {
    elem.bytes() as u32 * 8
}

/// The value of an integer element.
fn integer(elem: Elem, bits: u32) -> i64 {
    match elem {
        Elem::U8 | Elem::Bool => i64::from(bits as u8),
        Elem::I8 => i64::from(bits as i8),
        Elem::I16 => i64::from(bits as i16),
        Elem::I32 | Elem::I64 | Elem::F32 | Elem::F16 | Elem::Bf16 => i64::from(bits as i32),
    }
}
