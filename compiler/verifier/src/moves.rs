//! Which bytes an instruction moves where, for copies that move them as they are, values or not. Knows no order.

use isa::effects::{Access, Effects};
use isa::img2col::{Img2col, Source};
use isa::inst::*;
use isa::types::{BLOCK_BYTES, FRACTAL_BYTES, Space};

use crate::scalar::Registers;

/// What becomes of the bytes that it writes.
#[derive(Clone, Debug)]
pub(crate) enum Moves {
    /// They hold values.
    Values,
    /// On-chip bytes are copied: destination, source, length.
    Local(Vec<(u32, u32, u32)>),
    /// Bytes of global memory are copied: destination, offset from the address, length. What is not named is padding.
    Global(Vec<(u32, u64, u32)>),
    /// They hold values if all that is read does.
    Together,
    /// As [`Moves::Local`], with padding where nothing is named; the squares then lie transposed in elements of so many
    /// bytes, or not if that is 0.
    Turned(Vec<(u32, u32, u32)>, u8),
}

/// Whether bytes are moved as they are, values or not.
pub(crate) fn is_copy(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::Ld2dA(_)
            | Inst::Ld2dB(_)
            | Inst::Ld2dtA(_)
            | Inst::Ld2dtB(_)
            | Inst::Ld3dA(_)
            | Inst::Ld3dB(_)
            | Inst::MovL1Bt(_)
            | Inst::MovL1BtF16(_)
            | Inst::MovL1Fb(_)
            | Inst::MovUbUb(_)
            | Inst::MovGmL1(_)
            | Inst::MovGmUb(_)
            | Inst::MovGmL0a(_)
            | Inst::MovGmL0b(_)
            | Inst::MovpadGmUb(_)
            | Inst::MovpadlrGmUb(_)
            | Inst::Nd2nzGmL1(_)
            | Inst::Nd2nzxGmL1(_)
    )
}

/// Which byte goes where.
pub(crate) fn moves(inst: &Inst, regs: &Registers, effects: &Effects) -> Moves {
    let (Some(dst), Some(src)) = (
        effects.iter().find(|access| access.dir != Dir::In),
        effects.iter().find(|access| access.dir == Dir::In),
    ) else {
        return Moves::Values;
    };
    if effects.len() > 2 {
        return Moves::Together;
    }
    if let Some(image) = Img2col::of(inst, regs) {
        let turned = if image.transpose { 2 } else { 0 };
        return Moves::Turned(image_rows(&image, dst, src.base), turned);
    }
    let from_global = src.space == Space::Gm;
    let pairs = if let Inst::Nd2nzGmL1(i) = inst {
        Some(fractal_rows(i, regs, dst.base))
    } else if let Inst::MovpadGmUb(i) = inst {
        let (count, len) = (i.burst.count.get(regs), i.burst.len.get(regs));
        let padded = len.next_multiple_of(BLOCK_BYTES) + i.dst_gap.get(regs) * BLOCK_BYTES;
        let step = len + i.src_gap.get(regs);
        let base = dst.base;
        Some(
            (0..count)
                .map(|n| (base + n * padded, n * step, len))
                .collect(),
        )
    } else {
        side_by_side(dst, src)
    };
    if let Inst::Ld2dtA(Ld2dtA { size, .. }) | Inst::Ld2dtB(Ld2dtB { size, .. }) = *inst {
        return match (size, pairs) {
            (SquareSize::B16, Some(pairs)) => Moves::Turned(small(pairs, 0), 2),
            (SquareSize::B8, _) => Moves::Turned(squares(inst, regs, cut_bytes), 1),
            (SquareSize::B32, _) => Moves::Turned(squares(inst, regs, cut_words), 4),
            (SquareSize::B4, _) | (SquareSize::B16, None) => Moves::Together,
        };
    }
    match pairs {
        Some(pairs) if from_global => {
            let relative = |(dst, src, len)| (dst as u32, src, len as u32);
            Moves::Global(pairs.into_iter().map(relative).collect())
        }
        Some(pairs) => Moves::Local(small(pairs, 0)),
        None => Moves::Together,
    }
}

/// Cuts one square: where its fractals lie afterwards, and before.
type Cut = fn([u64; 2], [u64; 2], &mut Vec<(u64, u64, u64)>);

/// The squares of a transposing load of pairs of fractals, cut as they lie afterwards.
fn squares(inst: &Inst, regs: &Registers, cut: Cut) -> Vec<(u32, u32, u32)> {
    let (Inst::Ld2dtA(Ld2dtA {
        rep,
        src_stride,
        dst_gap,
        src_pair,
        dst_pair,
        ..
    })
    | Inst::Ld2dtB(Ld2dtB {
        rep,
        src_stride,
        dst_gap,
        src_pair,
        dst_pair,
        ..
    })) = *inst
    else {
        return Vec::new();
    };
    let places = inst.memory();
    let [dst, src] = [0, 1].map(|n| places.get(n).map_or(0, |place| place.at.get(regs)));
    let mut pairs = Vec::new();
    for n in 0..rep.get(regs) {
        let from = src + n * src_stride.get(regs) * FRACTAL_BYTES;
        let at = dst + n * (dst_gap.get(regs) + 1) * FRACTAL_BYTES;
        let second = |pair: Val<12>| pair.get(regs) * FRACTAL_BYTES;
        let to = dst_pair.get(regs) * FRACTAL_BYTES;
        cut([at, at + to], [from, from + second(src_pair)], &mut pairs);
    }
    small(pairs, 0)
}

/// 32 rows of 32 bytes, sixteen in each fractal, cut into a left and a right half.
fn cut_bytes(at: [u64; 2], from: [u64; 2], pairs: &mut Vec<(u64, u64, u64)>) {
    for row in 0..32 {
        let src = from[row / 16] + (row % 16) as u64 * BLOCK_BYTES;
        for (half, at) in at.iter().enumerate() {
            pairs.push((at + row as u64 * 16, src + half as u64 * 16, 16));
        }
    }
}

/// 16 rows of 16 words in two fractals side by side, cut into an upper and a lower half.
fn cut_words(at: [u64; 2], from: [u64; 2], pairs: &mut Vec<(u64, u64, u64)>) {
    for row in 0..16 {
        for (half, from) in from.iter().enumerate() {
            let src = from + row as u64 * BLOCK_BYTES;
            let dst = at[row / 8] + (row % 8) as u64 * 2 * BLOCK_BYTES + half as u64 * BLOCK_BYTES;
            pairs.push((dst, src, BLOCK_BYTES));
        }
    }
}

fn small(pairs: Vec<(u64, u64, u64)>, base: u64) -> Vec<(u32, u32, u32)> {
    let small = |(dst, src, len): (u64, u64, u64)| (dst as u32, (src - base) as u32, len as u32);
    pairs.into_iter().map(small).collect()
}

/// The rows of `nd2nz`, cut into blocks.
fn fractal_rows(i: &Nd2nzGmL1, regs: &Registers, base: u64) -> Vec<(u64, u64, u64)> {
    let size = i.size.bytes();
    let (n, d) = (i.n.get(regs), i.d.get(regs));
    let row = i.src_stride.get(regs) * size;
    let column = i.dst_rows.get(regs) * BLOCK_BYTES;
    let mut pairs = Vec::new();
    for r in 0..n {
        for c in 0..(d * size).div_ceil(BLOCK_BYTES) {
            let len = (d * size - c * BLOCK_BYTES).min(BLOCK_BYTES);
            let dst = base + c * column + r * BLOCK_BYTES;
            pairs.push((dst, r * row + c * BLOCK_BYTES, len));
        }
    }
    pairs
}

/// The blocks of an image that stand in the loaded fractals; the others are padding.
fn image_rows(image: &Img2col, dst: &Access, src: u64) -> Vec<(u32, u32, u32)> {
    let [rows, blocks] = image.fractals();
    let mut pairs = Vec::new();
    for fractal in 0..image.all_fractals() {
        let (repeat, place) = (fractal / (rows * blocks), fractal % (rows * blocks));
        // L0A has the fractals of a row side by side, L0B those of a column; a transposed part swaps the two.
        let by_rows = (dst.space == Space::L0a) != image.transpose;
        let (row, block) = match by_rows {
            true => (place / blocks, place % blocks),
            false => (place % rows, place / rows),
        };
        for n in 0..16 {
            let at = dst.base + fractal * FRACTAL_BYTES + n * BLOCK_BYTES;
            if let Source::Image(offset) = image.source(repeat, row * 16 + n, block) {
                pairs.push((at, src + offset, BLOCK_BYTES));
            }
        }
    }
    small(pairs, 0)
}

/// Pieces of a source, one behind the other, put into those of a destination; none if they are not of one length.
fn side_by_side(dst: &Access, src: &Access) -> Option<Vec<(u64, u64, u64)>> {
    if dst.bytes() != src.bytes() {
        return None;
    }
    let from = if src.space == Space::Gm { src.base } else { 0 };
    let (mut to, mut out) = (dst.pieces(), Vec::new());
    let (mut at, mut room) = (0, 0);
    for (mut start, mut len) in src.pieces() {
        start -= from;
        while len > 0 {
            if room == 0 {
                (at, room) = to.next()?;
            }
            let part = len.min(room);
            out.push((at, start, part));
            (at, room) = (at + part, room - part);
            (start, len) = (start + part, len - part);
        }
    }
    Some(out)
}
