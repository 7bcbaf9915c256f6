//! Where values that are no numbers come from: the first instruction of a core whose results have one although none of
//! its operands in memory had.
//!
//! Looks at what the instructions of V, M and FIX read and write ([`Inst::effects`]), as elements of the types that their
//! suffixes name; moves make no values and are not looked at, nor are comparisons, which write bits. An overflow is an
//! infinity, or the largest f16 where CTRL says that f16 saturates. Knows no operations.

use isa::effects::Access;
use isa::inst::{Inst, Opcode, Regs, Spr, Visitor};
use isa::types::{Pipe, Space};

use super::late::is_small;
use super::{Core, Halt};
use crate::fault::{FaultKind, NotFinite, Place};

/// The first result of a core that is not a number, or too large for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What it is.
    pub what: NotFinite,
    /// The instruction that made it.
    pub place: Place,
    /// The operand it was written to.
    pub operand: &'static str,
    /// The memory of that operand.
    pub space: Space,
    /// The address of the element.
    pub address: u64,
}

/// How the bytes of an operand are read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Float {
    F16,
    Bf16,
    F32,
}

/// The float types of an instruction's operands and results.
#[derive(Copy, Clone, Debug, Default)]
struct Types {
    from: Option<Float>,
    to: Option<Float>,
}

impl Float {
    /// The type of a word of a suffix; none if it is no float.
    fn of(word: &str) -> Option<Float> {
        match word {
            "f16" => Some(Float::F16),
            "bf16" => Some(Float::Bf16),
            "f32" => Some(Float::F32),
            _ => None,
        }
    }

    /// What an element is, if it is no finite number. `limit` says that the largest f16 stands for an overflow.
    fn odd(self, bytes: &[u8], limit: bool) -> Option<NotFinite> {
        let word = match *bytes {
            [a, b] => u32::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => return None,
        };
        let (magnitude, infinity) = match self {
            Float::F16 => (word & 0x7fff, 0x7c00),
            Float::Bf16 => (word & 0x7fff, 0x7f80),
            Float::F32 => (word & 0x7fff_ffff, 0x7f80_0000),
        };
        match magnitude {
            m if m > infinity => Some(NotFinite::Nan),
            m if m == infinity => Some(NotFinite::Overflow),
            0x7bff if limit && self == Float::F16 => Some(NotFinite::Overflow),
            _ => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Float::F16 | Float::Bf16 => 2,
            Float::F32 => 4,
        }
    }
}

impl Visitor for Types {
    fn word(&mut self, operand: &'static str, word: &'static str) {
        match operand {
            "ty" => (self.from, self.to) = pair(word),
            "src" => self.from = Float::of(word),
            "dst" => self.to = Float::of(word),
            // The fixpipe's modes, after the type.
            "quant" if word != "none" => self.to = pair(word).1,
            _ => {}
        }
    }
}

/// The types of a word that names one for operands and results, or one for each: `f32`, `f32f16`.
fn pair(word: &str) -> (Option<Float>, Option<Float>) {
    let sources = ["bf16", "f16", "f32", "s32", "s16"];
    let found = sources
        .iter()
        .find_map(|from| Some((from, word.strip_prefix(from)?)));
    match found {
        Some((from, "")) => (Float::of(from), Float::of(from)),
        Some((from, to)) => (Float::of(from), Float::of(to)),
        None => (None, None),
    }
}

/// The float types of an instruction that computes.
fn types(inst: &Inst) -> Types {
    let mut types = Types::default();
    let computes = matches!(inst.pipe(), Pipe::V | Pipe::M | Pipe::Fix);
    if !computes || inst.mnemonic().starts_with("vcmp") {
        return types;
    }
    inst.visit(&mut types);
    if inst.opcode() == Opcode::Mmad && types.to.is_some() {
        types.to = Some(Float::F32);
    }
    types
}

/// An element that is no finite number.
#[derive(Copy, Clone, Debug)]
struct Odd {
    what: NotFinite,
    operand: &'static str,
    space: Space,
    address: u64,
}

impl Core<'_> {
    /// Runs `execute`, the instruction, and notes what comes of its results first.
    pub(super) fn execute_finite(
        &mut self,
        inst: &Inst,
        execute: impl FnOnce(&mut Self) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let sanitize = self.launch.sanitize;
        let types = types(inst);
        let wanted = |what| match what {
            NotFinite::Nan => sanitize.nan,
            NotFinite::Overflow => sanitize.inf,
        };
        let known = |core: &Self, what| core.origins.iter().any(|origin| origin.what == what);
        let looked_for: Vec<NotFinite> = [NotFinite::Nan, NotFinite::Overflow]
            .into_iter()
            .filter(|&what| wanted(what) && !known(self, what))
            .collect();
        let Some(to) = types.to.filter(|_| !looked_for.is_empty()) else {
            return execute(self);
        };
        let effects = inst.effects(&self.context);
        let reads = effects.iter().filter(|access| access.dir.reads());
        let read: Vec<Odd> = match types.from {
            Some(from) => reads
                .filter_map(|access| self.first_odd(access, from, &looked_for))
                .collect(),
            None => Vec::new(),
        };
        // What an accumulator reads has the type of the result.
        let sums = effects
            .iter()
            .filter(|access| access.dir.reads() && access.dir.writes());
        let summed: Vec<Odd> = sums
            .filter_map(|access| self.first_odd(access, to, &looked_for))
            .collect();
        execute(self)?;
        if !read.is_empty() || !summed.is_empty() {
            return Ok(());
        }
        let writes = effects.iter().filter(|access| access.dir.writes());
        let found = writes
            .filter_map(|access| self.first_odd(access, to, &looked_for))
            .next();
        match found {
            Some(odd) => self.note_origin(odd),
            None => Ok(()),
        }
    }

    /// The first element of an access that is one of those looked for.
    fn first_odd(&self, access: &Access, ty: Float, looked_for: &[NotFinite]) -> Option<Odd> {
        let limit = self.context.spr(Spr::Ctrl) & Spr::CTRL_KEEP_INF == 0;
        let mut copy = Vec::new();
        if !is_small(access) {
            return None;
        }
        for (start, len) in access.pieces() {
            let bytes = self.bytes_of(access.space, start, len as usize, &mut copy)?;
            let elements = bytes.chunks_exact(ty.bytes()).enumerate();
            let odd = |(at, element)| {
                let what = ty
                    .odd(element, limit)
                    .filter(|what| looked_for.contains(what))?;
                Some(Odd {
                    what,
                    operand: access.operand,
                    space: access.space,
                    address: start + (at * ty.bytes()) as u64,
                })
            };
            if let Some(odd) = elements.filter_map(odd).next() {
                return Some(odd);
            }
        }
        None
    }

    /// The bytes of a range; none if it does not lie in the memory.
    fn bytes_of<'b>(
        &'b self,
        space: Space,
        start: u64,
        len: usize,
        copy: &'b mut Vec<u8>,
    ) -> Option<&'b [u8]> {
        if space != Space::Gm {
            let start = usize::try_from(start).ok()?;
            return self.memories[space as usize]
                .bytes
                .get(start..start.checked_add(len)?);
        }
        let span = self.launch.gm.span("", start, len as u64).ok()?;
        copy.clear();
        copy.resize(len, 0);
        span.region.read(span.offset, copy);
        Some(copy)
    }

    fn note_origin(&mut self, odd: Odd) -> Result<(), Halt> {
        let Odd {
            what,
            operand,
            space,
            address,
        } = odd;
        if self.launch.sanitize.stop {
            return Err(Halt::Fault(Box::new(FaultKind::NotFinite {
                what,
                operand,
                space,
                address,
            })));
        }
        if let Some(place) = self.place(self.pc as usize) {
            self.origins.push(Origin {
                what,
                place,
                operand,
                space,
                address,
            });
        }
        Ok(())
    }
}
