//! What a compiler says of its programs: which buffers there are on chip, and which bytes each step reads and writes.
//!
//! Claims are made from the operations of the tile form, before words are chosen for them, and a verifier holds the words to
//! them: a step touches only the buffers that it names, and of those it reads and writes all the bytes it names. Whoever
//! writes assembly can leave them out. Knows no compiler and checks nothing but that a file is well formed.

use super::ObjectError;
use crate::inst::Reg;
use crate::types::{CoreKind, Space};
use std::fmt;

/// What is claimed of an object; empty if nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Buffers on chip.
    pub buffers: Vec<Buffer>,
    /// Steps of the cube program, ascending and apart.
    pub aic: Vec<Step>,
    /// Steps of the vector program.
    pub aiv: Vec<Step>,
}

/// A buffer on chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Its name in the tile form.
    pub name: String,
    /// The memory.
    pub space: Space,
    /// First byte of its first copy.
    pub at: u32,
    /// Bytes of a copy; they follow each other.
    pub bytes: u32,
    /// Copies.
    pub copies: u32,
}

/// Instructions that carry out one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The first one.
    pub first: u32,
    /// The one behind the last.
    pub end: u32,
    /// What they use.
    pub parts: Vec<Part>,
}

/// A buffer or tensor that a step uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub place: Place,
    /// Whether it is read.
    pub reads: bool,
    /// Whether it is written.
    pub writes: bool,
    /// The bytes that are; if nothing is said, some.
    pub bytes: Option<Bytes>,
}

/// A buffer or a tensor, by its place in the object's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One of [`Claims::buffers`].
    Buffer(u32),
    /// One of the kernel's parameters.
    Tensor(u32),
}

/// Pieces of equal length, equally far apart. Registers have the values from before the step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Where the first begins, from the start of the buffer or tensor.
    pub start: Sum,
    /// How many.
    pub count: Size,
    /// How far apart.
    pub stride: Size,
    /// How long each.
    pub len: Size,
}

/// A sum of registers times constants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// What is added.
    pub constant: i64,
    /// Registers and their factors.
    pub terms: Vec<(Reg, i64)>,
}

/// A constant times quotients of registers, rounded up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// The constant.
    pub scale: i64,
    /// Registers and positive divisors.
    pub factors: Vec<(Reg, i64)>,
}

impl Size {
    /// A size that is known.
    pub fn known(scale: i64) -> Size {
        Size {
            scale,
            factors: Vec::new(),
        }
    }

    /// Its value; none if it is beyond 64 bits.
    pub fn value(&self, reg: impl Fn(Reg) -> i64) -> Option<i64> {
        let mut value = self.scale;
        for &(factor, divisor) in &self.factors {
            let up = reg(factor).checked_add(divisor.checked_sub(1)?)?;
            value = value.checked_mul(up.checked_div_euclid(divisor)?.max(0))?;
        }
        Some(value)
    }
}

impl Sum {
    /// Its value; none if it is beyond 64 bits.
    pub fn value(&self, reg: impl Fn(Reg) -> i64) -> Option<i64> {
        let mut value = self.constant;
        for &(term, factor) in &self.terms {
            value = value.checked_add(reg(term).checked_mul(factor)?)?;
        }
        Some(value)
    }
}

impl Bytes {
    /// The registers that it depends on, one bit each.
    pub fn registers(&self) -> u32 {
        let sizes = [&self.count, &self.stride, &self.len];
        let factors = sizes.into_iter().flat_map(|size| &size.factors);
        let all = self.start.terms.iter().chain(factors);
        all.fold(0, |bits, (reg, _)| bits | 1 << reg.index())
    }
}

impl Claims {
    /// Whether nothing is claimed.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.aic.is_empty() && self.aiv.is_empty()
    }

    /// As the object's section has them.
    pub fn bytes(&self) -> Vec<u8> {
        write(self)
    }

    /// The steps of a kind of core.
    pub fn steps(&self, core: CoreKind) -> &[Step] {
        match core {
            CoreKind::Cube => &self.aic,
            CoreKind::Vector => &self.aiv,
        }
    }

    /// Whether steps are in order and inside programs of these lengths, and name what there is.
    pub(super) fn are_sound(&self, lengths: [usize; 2], tensors: usize) -> bool {
        let there = |part: &Part| match part.place {
            Place::Buffer(number) => (number as usize) < self.buffers.len(),
            Place::Tensor(number) => (number as usize) < tensors,
        };
        let sound = |steps: &[Step], length: usize| {
            let mut end = 0;
            steps.iter().all(|step| {
                let apart = step.first >= end && step.first < step.end;
                end = step.end;
                apart && end as usize <= length && step.parts.iter().all(there)
            })
        };
        sound(&self.aic, lengths[0]) && sound(&self.aiv, lengths[1])
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.constant)?;
        self.terms
            .iter()
            .try_for_each(|(reg, factor)| write!(f, " + {factor}·{reg}"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scale)?;
        self.factors
            .iter()
            .try_for_each(|&(reg, divisor)| match divisor {
                1 => write!(f, "·{reg}"),
                _ => write!(f, "·⌈{reg}/{divisor}⌉"),
            })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes from {}", self.len, self.start)?;
        match self.count == Size::known(1) {
            true => Ok(()),
            false => write!(f, ", {} times, {} apart", self.count, self.stride),
        }
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Buffer {
            name,
            space,
            at,
            bytes,
            copies,
        } = self;
        write!(f, "{name}: {copies} × {bytes} bytes from {space}+{at:#x}")
    }
}

/// Writes numbers, seven bits a byte.
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63) as u64);
    }

    fn registers(&mut self, all: &[(Reg, i64)]) {
        self.number(all.len() as u64);
        for (reg, factor) in all {
            self.number(reg.index() as u64);
            self.signed(*factor);
        }
    }

    fn size(&mut self, size: &Size) {
        self.signed(size.scale);
        self.registers(&size.factors);
    }

    fn part(&mut self, part: &Part) {
        let (kind, number) = match part.place {
            Place::Buffer(number) => (0, number),
            Place::Tensor(number) => (1, number),
        };
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let flags = flag(part.reads, 2) + flag(part.writes, 4) + flag(part.bytes.is_some(), 8);
        self.number(kind + flags);
        self.number(number.into());
        if let Some(bytes) = &part.bytes {
            self.signed(bytes.start.constant);
            self.registers(&bytes.start.terms);
            self.size(&bytes.count);
            self.size(&bytes.stride);
            self.size(&bytes.len);
        }
    }
}

pub(super) fn write(claims: &Claims) -> Vec<u8> {
    let mut out = Writer(Vec::new());
    out.number(claims.buffers.len() as u64);
    for buffer in &claims.buffers {
        out.number(buffer.name.len() as u64);
        out.0.extend_from_slice(buffer.name.as_bytes());
        for number in [buffer.space as u32, buffer.at, buffer.bytes, buffer.copies] {
            out.number(number.into());
        }
    }
    for steps in [&claims.aic, &claims.aiv] {
        out.number(steps.len() as u64);
        let mut last = 0;
        for step in steps {
            out.number(u64::from(step.first.wrapping_sub(last)));
            out.number(u64::from(step.end.wrapping_sub(step.first)));
            last = step.end;
            out.number(step.parts.len() as u64);
            step.parts.iter().for_each(|part| out.part(part));
        }
    }
    out.0
}

/// Reads what [`Writer`] wrote; nothing is reserved for what a damaged file announces.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn registers(&mut self) -> Option<Vec<(Reg, i64)>> {
        self.list(|from| {
            let reg = u8::try_from(from.number()?).ok()?;
            let factor = from.signed()?;
            (usize::from(reg) < Reg::COUNT).then_some((Reg(reg), factor))
        })
    }

    fn size(&mut self) -> Option<Size> {
        let size = Size {
            scale: self.signed()?,
            factors: self.registers()?,
        };
        let positive = size.factors.iter().all(|&(_, divisor)| divisor > 0);
        positive.then_some(size)
    }

    fn part(&mut self) -> Option<Part> {
        let flags = self.number()?;
        let number = self.small()?;
        let place = match flags & 1 {
            0 => Place::Buffer(number),
            _ => Place::Tensor(number),
        };
        let bytes = match flags & 8 {
            0 => None,
            _ => Some(Bytes {
                start: Sum {
                    constant: self.signed()?,
                    terms: self.registers()?,
                },
                count: self.size()?,
                stride: self.size()?,
                len: self.size()?,
            }),
        };
        (flags < 16).then_some(Part {
            place,
            reads: flags & 2 != 0,
            writes: flags & 4 != 0,
            bytes,
        })
    }

    fn buffer(&mut self) -> Option<Buffer> {
        let length = usize::try_from(self.number()?).ok()?;
        let (name, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let space = self.number()?;
        Some(Buffer {
            name: std::str::from_utf8(name).ok()?.to_owned(),
            space: Space::ALL
                .into_iter()
                .find(|&known| known as u64 == space)?,
            at: self.small()?,
            bytes: self.small()?,
            copies: self.small()?,
        })
    }

    fn steps(&mut self) -> Option<Vec<Step>> {
        let count = self.number()?;
        let mut last = 0_u32;
        let mut steps = Vec::new();
        for _ in 0..count {
            let first = last.checked_add(self.small()?)?;
            let end = first.checked_add(self.small()?)?;
            last = end;
            let parts = self.list(Self::part)?;
            steps.push(Step { first, end, parts });
        }
        Some(steps)
    }
}

pub(super) fn read(data: &[u8]) -> Result<Claims, ObjectError> {
    let mut from = Reader(data);
    let mut claims = || {
        Some(Claims {
            buffers: from.list(Reader::buffer)?,
            aic: from.steps()?,
            aiv: from.steps()?,
        })
    };
    let read = claims();
    let whole = from.0.is_empty();
    read.filter(|_| whole).ok_or(ObjectError::Claims)
}
