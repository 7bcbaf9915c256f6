//! Effects: which bytes of which memory an instruction reads and writes, given the registers.
//!
//! Ranges are exact for copies, fractal loads, the fixpipe and vector lanes under any mask; `mmad` counts whole fractals,
//! of which only the valid rows and columns matter, and `ld3d` the whole image. Registers come from the operand types
//! ([`Inst::registers`]); ordering effects (flags, barriers) are the instructions themselves. Knows no values in memory.

mod cube;
mod permute;
mod vector;

pub(crate) use cube::filled;
pub use permute::{address_list, merged_pairs};

use crate::inst::{Burst, Dir, Inst, MemSize, Reg, Regs, ScalarMem, Val};
use crate::types::{BLOCK_BYTES, Space};
use smallvec::SmallVec;

/// Everything an instruction touches in memory.
pub type Effects = SmallVec<[Access; 4]>;

/// A strided set of bytes: `len` bytes at `base` + i × `outer.step` + j × `inner.step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Name of the operand in its row.
    pub operand: &'static str,
    /// Which memory.
    pub space: Space,
    /// Read, written or both.
    pub dir: Dir,
    /// First byte.
    pub base: u64,
    /// Bytes of a piece.
    pub len: u64,
    /// Outer repetition.
    pub outer: Steps,
    /// Inner repetition.
    pub inner: Steps,
}

/// A repetition: `count` times, `step` bytes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// How often.
    pub count: u64,
    /// Bytes from one to the next.
    pub step: u64,
}

impl Steps {
    /// Just once.
    pub const ONCE: Steps = Steps { count: 1, step: 0 };

    /// `count` times, `step` bytes apart.
    pub const fn new(count: u64, step: u64) -> Steps {
        Steps { count, step }
    }

    /// Bytes from the first to the last.
    const fn reach(self) -> u64 {
        self.count.saturating_sub(1).saturating_mul(self.step)
    }
}

impl Access {
    /// The pieces in ascending order of i, then j: start and length.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let Access {
            base,
            len,
            outer,
            inner,
            ..
        } = *self;
        (0..outer.count).flat_map(move |i| {
            let row = base.saturating_add(i.saturating_mul(outer.step));
            (0..inner.count).map(move |j| (row.saturating_add(j.saturating_mul(inner.step)), len))
        })
    }

    /// First byte and the byte after the last.
    pub fn span(&self) -> (u64, u64) {
        let reach = self.outer.reach().saturating_add(self.inner.reach());
        (
            self.base,
            self.base.saturating_add(reach).saturating_add(self.len),
        )
    }

    /// Bytes of all pieces.
    pub fn bytes(&self) -> u64 {
        self.len
            .saturating_mul(self.outer.count)
            .saturating_mul(self.inner.count)
    }

    /// Joins pieces that touch, so that a contiguous access is one piece.
    fn normal(mut self) -> Access {
        // The same bytes again are the same bytes.
        for steps in [&mut self.outer, &mut self.inner] {
            if steps.step == 0 {
                steps.count = steps.count.min(1);
            }
        }
        if self.inner.count > 1 && self.inner.step == self.len {
            self.len = self.len.saturating_mul(self.inner.count);
            self.inner = Steps::ONCE;
        }
        if self.inner.count == 1 {
            self.inner = Steps::ONCE;
            if self.outer.count > 1 && self.outer.step == self.len {
                self.len = self.len.saturating_mul(self.outer.count);
                self.outer = Steps::ONCE;
            }
        }
        if self.outer.count == 1 {
            self.outer = Steps::ONCE;
        }
        self
    }
}

/// Collects the accesses of one instruction; empty ones are dropped.
struct Collector<'a, R: Regs + ?Sized> {
    regs: &'a R,
    effects: Effects,
}

impl<R: Regs + ?Sized> Collector<'_, R> {
    fn add(&mut self, access: Access) {
        let access = access.normal();
        if access.bytes() > 0 {
            self.effects.push(access);
        }
    }

    /// Pieces of `len` bytes, one repetition deep.
    fn rows(&mut self, place: Place, len: u64, rows: Steps) {
        self.grid(place, len, rows, Steps::ONCE);
    }

    fn grid(&mut self, place: Place, len: u64, outer: Steps, inner: Steps) {
        let Place {
            operand,
            space,
            dir,
            base,
        } = place;
        self.add(Access {
            operand,
            space,
            dir,
            base,
            len,
            outer,
            inner,
        });
    }
}

/// An operand with its address known.
#[derive(Clone, Copy)]
struct Place {
    operand: &'static str,
    space: Space,
    dir: Dir,
    base: u64,
}

impl Inst {
    /// Which bytes it reads and writes, with the registers as they are when it is issued.
    pub fn effects(&self, regs: &(impl Regs + ?Sized)) -> Effects {
        let mut collector = Collector {
            regs,
            effects: Effects::new(),
        };
        if !(vector::collect(self, &mut collector)
            || cube::collect(self, &mut collector)
            || permute::collect(self, &mut collector))
        {
            collect_copy(self, &mut collector);
        }
        collector.effects
    }
}

/// The operands of an instruction with their addresses, in row order.
fn places(inst: &Inst, regs: &(impl Regs + ?Sized)) -> SmallVec<[Place; 4]> {
    let place = |m: &crate::inst::MemRef| Place {
        operand: m.operand,
        space: m.space,
        dir: m.dir,
        base: m.at.get_in(m.space, regs),
    };
    inst.memory().iter().map(place).collect()
}

/// Scalar accesses and block copies.
fn collect_copy<R: Regs + ?Sized>(inst: &Inst, to: &mut Collector<'_, R>) {
    let places = places(inst, to.regs);
    if let Some(access) = ScalarAccess::of(inst) {
        to.add(access.effect(to.regs));
    } else if let Some(copy) = block_copy(inst) {
        let len = copy.burst.len.get(to.regs).saturating_mul(BLOCK_BYTES);
        let count = copy.burst.count.get(to.regs);
        let step = |gap: Val<16>| len.saturating_add(gap.get(to.regs).saturating_mul(BLOCK_BYTES));
        let (dst, src) = (
            Steps::new(count, step(copy.dst_gap)),
            Steps::new(count, step(copy.src_gap)),
        );
        to.rows(places[0], len, dst);
        to.rows(places[1], len, src);
    } else if let Inst::MovpadGmUb(i) = *inst {
        let (count, len) = (i.burst.count.get(to.regs), i.burst.len.get(to.regs));
        let padded = len.saturating_add(BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        let gap = i.dst_gap.get(to.regs).saturating_mul(BLOCK_BYTES);
        let src_step = len.saturating_add(i.src_gap.get(to.regs));
        to.rows(
            places[0],
            padded,
            Steps::new(count, padded.saturating_add(gap)),
        );
        to.rows(places[1], len, Steps::new(count, src_step));
    } else if let Inst::MovpadlrGmUb(i) = *inst {
        let (count, len) = (i.burst.count.get(to.regs), i.burst.len.get(to.regs));
        let sides = i.left.get(to.regs).saturating_add(i.right.get(to.regs));
        let filled = len.saturating_add(sides.saturating_mul(i.size.bytes()));
        let padded = filled.saturating_add(BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        let gap = i.dst_gap.get(to.regs).saturating_mul(BLOCK_BYTES);
        let src_step = len.saturating_add(i.src_gap.get(to.regs));
        to.rows(
            places[0],
            padded,
            Steps::new(count, padded.saturating_add(gap)),
        );
        to.rows(places[1], len, Steps::new(count, src_step));
    } else if let Inst::MovpadUbGm(i) = *inst {
        let (count, len) = (i.burst.count.get(to.regs), i.burst.len.get(to.regs));
        let padded = len.saturating_add(BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        let gap = i.src_gap.get(to.regs).saturating_mul(BLOCK_BYTES);
        let dst_step = len.saturating_add(i.dst_gap.get(to.regs));
        to.rows(places[0], len, Steps::new(count, dst_step));
        to.rows(
            places[1],
            len,
            Steps::new(count, padded.saturating_add(gap)),
        );
    } else {
        debug_assert!(places.is_empty(), "{inst} names memory, so it has effects");
    }
}

/// A load or a store of the scalar unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalarAccess {
    /// `In` for a load, `Out` for a store.
    pub dir: Dir,
    /// How much.
    pub size: MemSize,
    /// Which memory.
    pub mem: ScalarMem,
    /// The register with the address.
    pub base: Reg,
    /// What is added to it first.
    pub offset: i64,
    /// What is added to the register afterwards.
    pub step: i64,
}

impl ScalarAccess {
    /// That of an instruction; none if it is no load or store of the scalar unit.
    pub fn of(inst: &Inst) -> Option<ScalarAccess> {
        let (dir, size, mem, base, offset, step) = if let Inst::Ld(i) = inst {
            (Dir::In, i.size, i.mem, i.base.0, i.offset.0, 0)
        } else if let Inst::Lds(i) = inst {
            (Dir::In, i.size, i.mem, i.base.0, i.offset.0, 0)
        } else if let Inst::LdPost(i) = inst {
            (Dir::In, i.size, i.mem, i.base.0, 0, i.step.0)
        } else if let Inst::St(i) = inst {
            (Dir::Out, i.size, i.mem, i.base.0, i.offset.0, 0)
        } else {
            return None;
        };
        Some(ScalarAccess {
            dir,
            size,
            mem,
            base,
            offset,
            step,
        })
    }

    /// The address, with the registers as they are.
    pub fn address(&self, regs: &(impl Regs + ?Sized)) -> u64 {
        regs.reg(self.base).wrapping_add_signed(self.offset)
    }

    fn effect(&self, regs: &(impl Regs + ?Sized)) -> Access {
        let space = match self.mem {
            ScalarMem::Gm => Space::Gm,
            ScalarMem::Ub => Space::Ub,
        };
        let (operand, dir, size, base) = ("base", self.dir, self.size, self.address(regs));
        Access {
            operand,
            space,
            dir,
            base,
            len: size.bytes(),
            outer: Steps::ONCE,
            inner: Steps::ONCE,
        }
    }
}

/// Burst and gaps of a copy of blocks.
pub(crate) struct BlockCopy {
    pub(crate) burst: Burst,
    pub(crate) src_gap: Val<16>,
    pub(crate) dst_gap: Val<16>,
}

/// The copies whose bursts are whole blocks on both sides.
pub(crate) fn block_copy(inst: &Inst) -> Option<BlockCopy> {
    use crate::inst::{MovGmL1, MovGmUb, MovL1Gm, MovUbGm, MovUbUb};
    if let Inst::MovGmL1(MovGmL1 {
        burst,
        src_gap,
        dst_gap,
        ..
    })
    | Inst::MovGmUb(MovGmUb {
        burst,
        src_gap,
        dst_gap,
        ..
    })
    | Inst::MovUbGm(MovUbGm {
        burst,
        src_gap,
        dst_gap,
        ..
    })
    | Inst::MovL1Gm(MovL1Gm {
        burst,
        src_gap,
        dst_gap,
        ..
    })
    | Inst::MovUbUb(MovUbUb {
        burst,
        src_gap,
        dst_gap,
        ..
    }) = *inst
    {
        return Some(BlockCopy {
            burst,
            src_gap,
            dst_gap,
        });
    }
    None
}
