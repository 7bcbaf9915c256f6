//! Moves between global memory, L1 and UB: bytes and their shadow, never a value. Those to L0 are in `mte1`.

use isa::inst::*;
use isa::nd2nz::Nd2nz;
use isa::types::Space;

use super::at_most;
use crate::core::{Core, Halt};
use crate::fault::{FaultKind, Stop};
use crate::gm::Region;
use crate::memory::Shadow;
use crate::report::Path;

type Done = Result<(), Halt>;

pub(super) const BLOCK: usize = 32;
pub(super) const FRACTAL: usize = 512;

/// A strided copy: `count` pieces of `len` bytes, starts `src_step` and `dst_step` bytes apart.
#[derive(Copy, Clone, Debug)]
pub(super) struct Pieces {
    pub(super) count: usize,
    pub(super) len: usize,
    pub(super) src_step: u64,
    pub(super) dst_step: u64,
}

/// The pieces of a copy of whole blocks.
pub(super) fn block_pieces(
    core: &Core<'_>,
    burst: &Burst,
    src_gap: Val<16>,
    dst_gap: Val<16>,
) -> Result<Pieces, Stop> {
    let c = &core.context;
    let count = at_most("burst", burst.count.get(c), 4095, "at most 4095 bursts")?;
    let len = at_most(
        "burst",
        burst.len.get(c),
        65535,
        "at most 65535 blocks a burst",
    )? * BLOCK;
    let src_gap = at_most("src_gap", src_gap.get(c), 65535, "at most 65535 blocks")? * BLOCK;
    let dst_gap = at_most("dst_gap", dst_gap.get(c), 65535, "at most 65535 blocks")? * BLOCK;
    Ok(Pieces {
        count,
        len,
        src_step: (len + src_gap) as u64,
        dst_step: (len + dst_gap) as u64,
    })
}

/// Count and length in bytes of a copy that is exact to the byte.
pub(super) fn byte_burst(core: &Core<'_>, burst: &Burst) -> Result<(usize, usize), Stop> {
    let c = &core.context;
    let count = at_most("burst", burst.count.get(c), 4095, "at most 4095 bursts")?;
    let len = at_most(
        "burst",
        burst.len.get(c),
        2_097_151,
        "at most 2097151 bytes a burst",
    )?;
    Ok((count, len))
}

/// A gap in bytes, which has 32 bits.
pub(super) fn gap_bytes(operand: &'static str, gap: u64) -> Result<u64, Stop> {
    at_most(
        operand,
        gap,
        u64::from(u32::MAX),
        "at most 4294967295 bytes",
    )
    .map(|gap| gap as u64)
}

/// Copies the shadow of a piece of global memory into a local one.
pub(super) fn shadow_in(
    region: &Region<'_>,
    offset: usize,
    to: &mut Shadow,
    at: usize,
    len: usize,
) {
    if region.is_full() || !region.is_watched() {
        to.set(at, len);
        return;
    }
    for piece in (0..len).step_by(BLOCK) {
        let size = BLOCK.min(len - piece);
        to.put_bits(at + piece, size, region.bits(offset + piece, size));
    }
}

impl Core<'_> {
    /// The pieces of a copy as one where they follow each other on both sides, the whole of it is inside, and nobody looks
    /// at every access.
    fn joined(&self, space: Space, local: u64, global: u64, pieces: Pieces) -> Pieces {
        let (len, step) = (pieces.count * pieces.len, pieces.len as u64);
        let follow = pieces.src_step == step && pieces.dst_step == step && pieces.count > 1;
        let inside = || {
            let local = self.memories[space as usize].inside("local", local, len as u64);
            local.is_ok() && self.launch.gm.span("global", global, len as u64).is_ok()
        };
        match follow && !self.is_watched() && inside() {
            true => Pieces {
                count: 1,
                len,
                ..pieces
            },
            false => pieces,
        }
    }

    /// Global memory to a local one.
    fn copy_in(&mut self, space: Space, dst: u64, src: u64, pieces: Pieces) -> Result<(), Stop> {
        let pieces = self.joined(space, dst, src, pieces);
        for n in 0..pieces.count as u64 {
            self.piece_in(
                space,
                dst + n * pieces.dst_step,
                src.wrapping_add(n * pieces.src_step),
                pieces.len,
            )?;
        }
        Ok(())
    }

    fn piece_in(&mut self, space: Space, dst: u64, src: u64, len: usize) -> Result<(), Stop> {
        let at = self
            .memory(space)
            .aligned("dst", dst, len as u64, BLOCK as u64)?;
        if len == 0 {
            return Ok(());
        }
        let span = self.launch.gm.span("src", src, len as u64)?;
        self.gm_reads("src", src, len)?;
        self.writes("dst", space, at, len)?;
        let local = self.memory(space);
        span.region
            .read(span.offset, &mut local.bytes[at..at + len]);
        shadow_in(span.region, span.offset, &mut local.shadow, at, len);
        local.touch(at + len);
        self.count(
            if space == Space::L1 {
                Path::GmL1
            } else {
                Path::GmUb
            },
            len,
        );
        Ok(())
    }

    /// A local memory to global memory; the values must be there.
    fn copy_out(&mut self, space: Space, dst: u64, src: u64, pieces: Pieces) -> Result<(), Stop> {
        let atomic = self.context.spr(Spr::Atomic) & Spr::ATOMIC_OP != 0;
        let pieces = self.joined(space, src, dst, pieces);
        for n in 0..pieces.count as u64 {
            let (dst, src) = (
                dst.wrapping_add(n * pieces.dst_step),
                src + n * pieces.src_step,
            );
            let at = self
                .memory(space)
                .aligned("src", src, pieces.len as u64, BLOCK as u64)?;
            if pieces.len == 0 {
                continue;
            }
            self.reads("src", space, at, pieces.len, true)?;
            if atomic {
                let data = self.memory(space).bytes[at..at + pieces.len].to_vec();
                self.store_gm("dst", dst, &data)?;
            } else {
                let span = self.launch.gm.span("dst", dst, pieces.len as u64)?;
                span.region.writable("dst", dst, pieces.len as u64)?;
                self.gm_writes("dst", dst, pieces.len)?;
                span.region
                    .write(span.offset, &self.memory(space).bytes[at..at + pieces.len]);
                span.region.set(span.offset, pieces.len);
            }
            self.count(
                if space == Space::L1 {
                    Path::L1Gm
                } else {
                    Path::UbGm
                },
                pieces.len,
            );
        }
        Ok(())
    }

    /// Counts bytes for the report.
    pub(super) fn count(&mut self, path: Path, bytes: usize) {
        self.moved[path as usize] += bytes as u64;
    }
}

impl Mte2Unit for Core<'_> {
    fn mov_gm_l1(&mut self, i: &MovGmL1) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.copy_in(Space::L1, dst, src, pieces)?)
    }

    fn nd2nz_gm_l1(&mut self, i: &Nd2nzGmL1) -> Done {
        Ok(self.nd2nz(i)?)
    }

    fn mov_gm_l0a(&mut self, i: &MovGmL0a) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_direct(
            Space::L0a,
            dst,
            src,
            [load.rep, load.src_stride, load.dst_step],
        )?)
    }

    fn mov_gm_l0b(&mut self, i: &MovGmL0b) -> Done {
        let load = self.fractals(i.rep, i.src_stride, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.load_direct(
            Space::L0b,
            dst,
            src,
            [load.rep, load.src_stride, load.dst_step],
        )?)
    }

    fn nd2nzx_gm_l1(&mut self, i: &Nd2nzxGmL1) -> Done {
        let matrices = Nd2nz::of(&Inst::Nd2nzxGmL1(*i), &self.context);
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        match matrices {
            Some(matrices) => Ok(self.nd2nz_matrices(dst, src, matrices)?),
            None => Ok(()),
        }
    }

    fn movpadlr_gm_ub(&mut self, i: &MovpadlrGmUb) -> Done {
        Ok(self.copy_padded(i)?)
    }

    fn mov_gm_ub(&mut self, i: &MovGmUb) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.copy_in(Space::Ub, dst, src, pieces)?)
    }

    fn movpad_gm_ub(&mut self, i: &MovpadGmUb) -> Done {
        let c = &self.context;
        let (count, len) = byte_burst(self, &i.burst)?;
        let src_gap = gap_bytes("src_gap", i.src_gap.get(c))?;
        let dst_gap = at_most("dst_gap", i.dst_gap.get(c), 65535, "at most 65535 blocks")?;
        let size = i.size.bytes() as usize;
        let pad = c.spr(Spr::PadVal).to_le_bytes();
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        if !len.is_multiple_of(size) {
            return Err(Halt::Fault(Box::new(FaultKind::IllegalValue {
                operand: "burst",
                value: len as i64,
                expected: "a whole number of elements",
            })));
        }
        let padded = len.next_multiple_of(BLOCK);
        if padded == len {
            let pieces = Pieces {
                count,
                len,
                src_step: len as u64 + src_gap,
                dst_step: (len + dst_gap * BLOCK) as u64,
            };
            return Ok(self.copy_in(Space::Ub, dst, src, pieces)?);
        }
        for n in 0..count as u64 {
            let src = src.wrapping_add(n * (len as u64 + src_gap));
            let dst = dst + n * (padded + dst_gap * BLOCK) as u64;
            self.memory(Space::Ub)
                .aligned("dst", dst, padded as u64, BLOCK as u64)?;
            self.piece_in(Space::Ub, dst, src, len)?;
            let rest = dst as usize + len..dst as usize + padded;
            if !rest.is_empty() {
                self.writes("dst", Space::Ub, rest.start, rest.len())?;
            }
            let ub = self.memory(Space::Ub);
            for element in ub.bytes[rest.clone()].chunks_exact_mut(size) {
                element.copy_from_slice(&pad[..size]);
            }
            ub.shadow.set(rest.start, rest.len());
            ub.touch(rest.end);
        }
        Ok(())
    }
}

impl Mte3Unit for Core<'_> {
    fn mov_ub_gm(&mut self, i: &MovUbGm) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.copy_out(Space::Ub, dst, src, pieces)?)
    }

    fn movpad_ub_gm(&mut self, i: &MovpadUbGm) -> Done {
        let c = &self.context;
        let (count, len) = byte_burst(self, &i.burst)?;
        let src_gap = at_most("src_gap", i.src_gap.get(c), 65535, "at most 65535 blocks")?;
        let pieces = Pieces {
            count,
            len,
            src_step: (len.next_multiple_of(BLOCK) + src_gap * BLOCK) as u64,
            dst_step: len as u64 + gap_bytes("dst_gap", i.dst_gap.get(c))?,
        };
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.copy_out(Space::Ub, dst, src, pieces)?)
    }

    fn mov_l1_gm(&mut self, i: &MovL1Gm) -> Done {
        let pieces = block_pieces(self, &i.burst, i.src_gap, i.dst_gap)?;
        let (dst, src) = (self.address_of(i.dst), self.address_of(i.src));
        Ok(self.copy_out(Space::L1, dst, src, pieces)?)
    }
}
