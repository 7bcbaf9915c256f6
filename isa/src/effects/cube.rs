//! Effects of the cube core's instructions: fractal loads, `mmad`, the fixpipe, `nd2nz`.

use super::{Access, Collector, Place, Steps, places};
use crate::img2col::Img2col;
use crate::inst::{Adj, FixSrc, QuantMode, Relu};
use crate::inst::{
    CInit, Dir, FillL0a, FillL0b, FillL1, FixL0cGm, FixL0cL1, Gemv, Inst, Ld2dA, Ld2dB, Ld2dtA,
    Ld2dtB, MmadTy, MovGmL0a, MovGmL0b, Nd2nzGmL1, Regs, Spr, Val,
};
use crate::nd2nz::Nd2nz;
use crate::types::{BLOCK_BYTES, FRACTAL_BYTES, Space};

/// Adds the accesses of an instruction of this file; false if it is none.
pub(super) fn collect<R: Regs + ?Sized>(inst: &Inst, to: &mut Collector<'_, R>) -> bool {
    let places = places(inst, to.regs);
    if let Inst::Mmad(i) = inst {
        let extents = [i.m, i.k, i.n].map(|extent| extent.get(to.regs));
        mmad(i.ty, extents, i.init, &places, to);
    } else if let Inst::Gemv(i) = inst {
        gemv(i, &places, to);
    } else if let Inst::Ld2dA(Ld2dA {
        rep,
        src_stride,
        dst_gap,
        ..
    })
    | Inst::Ld2dB(Ld2dB {
        rep,
        src_stride,
        dst_gap,
        ..
    })
    | Inst::MovGmL0a(MovGmL0a {
        rep,
        src_stride,
        dst_gap,
        ..
    })
    | Inst::MovGmL0b(MovGmL0b {
        rep,
        src_stride,
        dst_gap,
        ..
    }) = inst
    {
        let fractals = |step: u64| Steps::new(rep.get(to.regs), step.saturating_mul(FRACTAL_BYTES));
        let (dst, src) = (
            fractals(dst_gap.get(to.regs).saturating_add(1)),
            fractals(src_stride.get(to.regs)),
        );
        to.rows(places[0], FRACTAL_BYTES, dst);
        to.rows(places[1], FRACTAL_BYTES, src);
    } else if let Inst::Ld2dtA(Ld2dtA {
        size,
        rep,
        src_stride,
        dst_gap,
        src_pair,
        dst_pair,
        ..
    })
    | Inst::Ld2dtB(Ld2dtB {
        size,
        rep,
        src_stride,
        dst_gap,
        src_pair,
        dst_pair,
        ..
    }) = inst
    {
        let steps = |count: u64, step: u64| Steps::new(count, step.saturating_mul(FRACTAL_BYTES));
        let (count, pair) = (rep.get(to.regs), size.fractals());
        let dst = (
            steps(count, dst_gap.get(to.regs).saturating_add(1)),
            steps(pair, dst_pair.get(to.regs)),
        );
        let src = (
            steps(count, src_stride.get(to.regs)),
            steps(pair, src_pair.get(to.regs)),
        );
        to.grid(places[0], FRACTAL_BYTES, dst.0, dst.1);
        to.grid(places[1], FRACTAL_BYTES, src.0, src.1);
    } else if let Inst::MovL1Bt(i) = inst {
        blocks(i.len.get(to.regs), &places, to);
    } else if let Inst::MovL1BtF16(i) = inst {
        let bytes = i.len.get(to.regs).saturating_mul(BLOCK_BYTES);
        to.rows(places[0], bytes.saturating_mul(2), Steps::ONCE);
        to.rows(places[1], bytes, Steps::ONCE);
    } else if let Some(image) = Img2col::of(inst, to.regs) {
        let loaded = image.all_fractals().saturating_mul(FRACTAL_BYTES);
        to.rows(places[0], loaded, Steps::ONCE);
        if loaded > 0 && image.refused().is_none() {
            to.rows(places[1], image.image_bytes(), Steps::ONCE);
        }
    } else if let Some(filled) = filled(inst) {
        let [rep, len, gap] = filled.runs.map(|value| value.get(to.regs));
        let bytes = len.saturating_mul(filled.unit);
        let step = bytes.saturating_add(gap.saturating_mul(filled.unit));
        to.rows(places[0], bytes, Steps::new(rep, step));
    } else if let Some(matrices) = Nd2nz::of(inst, to.regs) {
        nd2nzx(&matrices, &places, to);
    } else if let Inst::MovL1Fb(i) = inst {
        blocks(i.len.get(to.regs), &places, to);
    } else if let Inst::Nd2nzGmL1(i) = inst {
        nd2nz(i, &places, to);
    } else if let Inst::FixL0cGm(i) = inst {
        fix_gm(i, &places, to);
    } else if let Inst::FixL0cL1(i) = inst {
        fix_l1(i, &places, to);
    } else {
        return false;
    }
    true
}

/// The runs of a fill: how many, how long, how far apart, in units of so many bytes.
pub(crate) struct Filled {
    pub(crate) runs: [Val<15>; 3],
    pub(crate) unit: u64,
}

/// The runs of an instruction that fills a buffer with a value.
pub(crate) fn filled(inst: &Inst) -> Option<Filled> {
    if let Inst::FillL0a(FillL0a { rep, len, gap, .. })
    | Inst::FillL0b(FillL0b { rep, len, gap, .. }) = *inst
    {
        let runs = [rep, len, gap];
        let unit = FRACTAL_BYTES;
        return Some(Filled { runs, unit });
    }
    if let Inst::FillL1(FillL1 { rep, len, gap, .. }) = *inst {
        let runs = [rep, len, gap];
        let unit = BLOCK_BYTES;
        return Some(Filled { runs, unit });
    }
    None
}

/// Several matrices: each an access of its own, because three repetitions are one too many.
fn nd2nzx<R: Regs + ?Sized>(i: &Nd2nz, places: &[Place], to: &mut Collector<'_, R>) {
    // What is refused moves nothing, and might name the same blocks without end.
    if i.is_empty() || i.refused().is_some() {
        return;
    }
    for matrix in 0..i.matrices {
        let at = |place: Place, step: u64| Place {
            base: place.base.wrapping_add(matrix.saturating_mul(step)),
            ..place
        };
        let dst = at(places[0], i.dst_matrix);
        let columns = Steps::new(i.blocks(), i.dst_column);
        to.grid(dst, BLOCK_BYTES, columns, Steps::new(i.rows, i.dst_row));
        let src = at(places[1], i.src_matrix);
        to.rows(src, i.row_bytes(), Steps::new(i.rows, i.src_row));
    }
}

fn blocks<R: Regs + ?Sized>(len: u64, places: &[Place], to: &mut Collector<'_, R>) {
    let bytes = len.saturating_mul(BLOCK_BYTES);
    to.rows(places[0], bytes, Steps::ONCE);
    to.rows(places[1], bytes, Steps::ONCE);
}

/// As `mmad` of one row, but for the vector.
fn gemv<R: Regs + ?Sized>(i: &Gemv, places: &[Place], to: &mut Collector<'_, R>) {
    let (k, n) = (i.k.get(to.regs), i.n.get(to.regs));
    let first = to.effects.len();
    mmad(i.ty, [1, k, n], i.init, places, to);
    let fractals = i.ty.k_fractals(k, to.regs.spr(Spr::Ctrl));
    let vector = |access: &&mut Access| access.space == Space::L0a;
    if let Some(access) = to.effects[first..].iter_mut().find(vector) {
        access.len = fractals.saturating_mul(BLOCK_BYTES);
    }
}

fn mmad<R: Regs + ?Sized>(
    ty: MmadTy,
    [m, k, n]: [u64; 3],
    init: CInit,
    places: &[Place],
    to: &mut Collector<'_, R>,
) {
    if m == 0 || k == 0 || n == 0 {
        return;
    }
    let k1 = ty.k_fractals(k, to.regs.spr(Spr::Ctrl));
    let (m1, n1) = (m.div_ceil(16), n.div_ceil(16));
    let fractals = |a: u64, b: u64, bytes: u64| a.saturating_mul(b).saturating_mul(bytes);
    let init = init.get(to.regs);
    let dst = Place {
        dir: if init == 0 { Dir::InOut } else { Dir::Out },
        ..places[0]
    };
    to.rows(dst, fractals(n1, m1, 2 * FRACTAL_BYTES), Steps::ONCE);
    to.rows(places[1], fractals(m1, k1, FRACTAL_BYTES), Steps::ONCE);
    to.rows(places[2], fractals(k1, n1, FRACTAL_BYTES), Steps::ONCE);
    if init == 2 {
        to.rows(places[3], n.saturating_mul(4), Steps::ONCE);
    }
}

fn nd2nz<R: Regs + ?Sized>(i: &Nd2nzGmL1, places: &[Place], to: &mut Collector<'_, R>) {
    let bytes = i.size.bytes();
    let (n, d) = (i.n.get(to.regs), i.d.get(to.regs));
    let columns = d.saturating_mul(bytes).div_ceil(BLOCK_BYTES);
    let column_step = i.dst_rows.get(to.regs).saturating_mul(BLOCK_BYTES);
    let row_step = i.src_stride.get(to.regs).saturating_mul(bytes);
    to.rows(
        places[0],
        n.saturating_mul(BLOCK_BYTES),
        Steps::new(columns, column_step),
    );
    to.rows(places[1], d.saturating_mul(bytes), Steps::new(n, row_step));
}

fn fix_gm<R: Regs + ?Sized>(i: &FixL0cGm, places: &[Place], to: &mut Collector<'_, R>) {
    let (m, n) = (i.m.get(to.regs), i.n.get(to.regs));
    let row = i.quant.row_bytes(i.ty, n);
    let stride = i.dst_stride.get(to.regs);
    match i.nd {
        Adj::On => to.rows(
            places[0],
            row,
            Steps::new(m, i.quant.row_bytes(i.ty, stride)),
        ),
        Adj::Whole => to.rows(
            places[0],
            m.saturating_mul(2 * BLOCK_BYTES),
            Steps::new(n.div_ceil(16), stride.saturating_mul(BLOCK_BYTES)),
        ),
        Adj::Off => columns(i.ty, i.quant, (m, n), stride, places[0], to),
    }
    drained(
        i.quant,
        i.relu,
        (m, n),
        i.src_rows.get(to.regs),
        places[1],
        to,
    );
}

fn fix_l1<R: Regs + ?Sized>(i: &FixL0cL1, places: &[Place], to: &mut Collector<'_, R>) {
    let (m, n) = (i.m.get(to.regs), i.n.get(to.regs));
    columns(
        i.ty,
        i.quant,
        (m, n),
        i.dst_rows.get(to.regs),
        places[0],
        to,
    );
    drained(
        i.quant,
        i.relu,
        (m, n),
        i.src_rows.get(to.regs),
        places[1],
        to,
    );
}

/// NZ columns of the output type, `rows` blocks apart.
fn columns<R: Regs + ?Sized>(
    ty: FixSrc,
    quant: QuantMode,
    (m, n): (u64, u64),
    rows: u64,
    place: Place,
    to: &mut Collector<'_, R>,
) {
    let columns = quant.row_bytes(ty, n).div_ceil(BLOCK_BYTES);
    to.rows(
        place,
        m.saturating_mul(BLOCK_BYTES),
        Steps::new(columns, rows.saturating_mul(BLOCK_BYTES)),
    );
}

/// NZ columns of L0C: 16 words of 4 bytes a row; and the parameters of which there is one per column.
fn drained<R: Regs + ?Sized>(
    quant: QuantMode,
    relu: Relu,
    (m, n): (u64, u64),
    rows: u64,
    place: Place,
    to: &mut Collector<'_, R>,
) {
    to.rows(
        place,
        m.saturating_mul(64),
        Steps::new(n.div_ceil(16), rows.saturating_mul(64)),
    );
    let mut parameters = |operand, spr, word: u64| {
        let (outer, inner) = (Steps::ONCE, Steps::ONCE);
        let (base, len) = (to.regs.spr(spr), n.saturating_mul(word));
        to.add(Access {
            operand,
            space: Space::Fb,
            dir: Dir::In,
            base,
            len,
            outer,
            inner,
        });
    };
    if quant.per_column() && m > 0 {
        parameters("quant", Spr::Fpc, 8);
    }
    if relu == Relu::Prelu && m > 0 {
        parameters("relu", Spr::FpcRelu, 4);
    }
}
