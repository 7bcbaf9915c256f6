//! Cost of an instruction on a chip: the one function that scheduler, search and emulator share.
//!
//! A pipe is busy for `occ` cycles; after idleness `head` cycles come first; results are visible `tail` cycles after the
//! occupancy ends (davinci-facts §9.1). Numbers come from the chip file alone. What depends on other cores and on history
//! (hits in L2, sharing of bandwidth, drains, queue lengths) is the clock's business, which finds in [`GmTraffic`] what it
//! needs. Knows no values in memory.

mod ub;

use crate::chip::Chip;
use crate::effects::{block_copy, filled, merged_pairs};
use crate::form::VecForm;
use crate::img2col::Img2col;
use crate::inst::*;
use crate::nd2nz::Nd2nz;
use crate::types::{BLOCK_BYTES, FRACTAL_BYTES};

/// Cycles of one instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Before the occupancy, if the pipe was idle.
    pub head: u32,
    /// Cycles the pipe is busy.
    pub occ: u32,
    /// From the end of the occupancy until results are visible; for copies the latency of a hit in L2.
    pub tail: u32,
    /// Traffic of global memory.
    pub gm: Option<GmTraffic>,
}

/// What an instruction asks of L2 and global memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GmTraffic {
    /// Bytes moved.
    pub bytes: u64,
    /// Pieces that are contiguous in global memory.
    pub bursts: u64,
    /// Written rather than read.
    pub write: bool,
    /// The way it goes.
    pub path: GmPath,
    /// Cycles of the occupancy before the first byte moves.
    pub setup: u32,
}

/// The ways between global memory and a core; each has its own port, and some share a cap over all cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GmPath {
    /// To L1.
    L1,
    /// To L0A or L0B.
    L0,
    /// To UB.
    Ub,
    /// From UB.
    UbOut,
    /// From L1.
    L1Out,
    /// From the fixpipe: all cores together at most `fix.gm_port_shared` bytes a cycle and core.
    Fix,
    /// The scalar unit's data cache.
    Scalar,
}

/// The cost of an instruction, with the registers as they are when it is issued.
pub fn cost(inst: &Inst, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    match inst {
        Inst::Nop(_)
        | Inst::End(_)
        | Inst::Trap(_)
        | Inst::Li(_)
        | Inst::Mov(_)
        | Inst::Add(_)
        | Inst::Sub(_)
        | Inst::And(_)
        | Inst::Or(_)
        | Inst::Xor(_)
        | Inst::Shl(_)
        | Inst::Shr(_)
        | Inst::Sar(_)
        | Inst::Min(_)
        | Inst::Max(_)
        | Inst::Cmp(_)
        | Inst::Sel(_)
        | Inst::Rdspr(_)
        | Inst::Wrspr(_)
        | Inst::Vsetmask(_)
        | Inst::Vsetcount(_)
        | Inst::Vseta(_)
        | Inst::Not(_)
        | Inst::Abs(_)
        | Inst::Neg(_)
        | Inst::Clz(_)
        | Inst::Popc(_)
        | Inst::Ffs(_)
        | Inst::Bset(_)
        | Inst::Cvt(_)
        | Inst::DsbKind(_)
        | Inst::Dsb(_) => busy(chip.scalar.alu),
        Inst::Mul(_) | Inst::Madd(_) => busy(chip.scalar.mul),
        Inst::Div(_) | Inst::Rem(_) | Inst::Udiv(_) | Inst::Urem(_) => busy(chip.scalar.div),
        Inst::Fadd(_)
        | Inst::Fsub(_)
        | Inst::Fmul(_)
        | Inst::Fmax(_)
        | Inst::Fmin(_)
        | Inst::Fdiv(_)
        | Inst::Fsqrt(_) => busy(chip.scalar.float),
        Inst::Ld(i) => scalar_memory(i.mem, i.size, chip.scalar.load_hit, false),
        Inst::Lds(i) => scalar_memory(i.mem, i.size, chip.scalar.load_hit, false),
        Inst::LdPost(i) => scalar_memory(i.mem, i.size, chip.scalar.load_hit, false),
        Inst::St(i) => scalar_memory(i.mem, i.size, chip.scalar.store, true),
        Inst::Jmp(_)
        | Inst::Jmpr(_)
        | Inst::Callr(_)
        | Inst::Bcc(_)
        | Inst::Call(_)
        | Inst::Ret(_) => busy(chip.scalar.branch),
        Inst::Loop(_) | Inst::Endloop(_) => busy(chip.scalar.hardware_loop),
        Inst::Dcci(_) | Inst::DcciLine(_) => busy(chip.scalar.clean),
        Inst::SetFlag(_) | Inst::WaitFlag(_) | Inst::Xwait(_) => busy(chip.sync.flag),
        Inst::Xset(_) => Cost {
            tail: narrow(chip.sync.cross_core),
            ..busy(chip.sync.flag)
        },
        Inst::Bar(i) => busy(if i.pipe == PipeOp::All {
            chip.sync.barrier_all
        } else {
            chip.sync.barrier
        }),
        Inst::Mmad(i) => mmad(
            i.ty,
            [i.m.get(regs), i.k.get(regs), i.n.get(regs)],
            regs,
            chip,
        ),
        Inst::Gemv(i) => mmad(i.ty, [1, i.k.get(regs), i.n.get(regs)], regs, chip),
        Inst::Ld2dA(i) => fractals(i.rep.get(regs), chip.mte1.l0a_fractal, chip),
        Inst::Ld2dB(i) => fractals(i.rep.get(regs), chip.mte1.l0b_fractal, chip),
        Inst::Ld2dtA(i) => fractals(squares(i.rep, i.size, regs), chip.mte1.l0a_fractal, chip),
        Inst::Ld2dtB(i) => fractals(squares(i.rep, i.size, regs), chip.mte1.l0b_fractal, chip),
        Inst::MovL1Bt(i) => bias(i.len, 1, regs, chip),
        Inst::MovL1BtF16(i) => bias(i.len, 2, regs, chip),
        Inst::FillL0a(_) | Inst::FillL0b(_) | Inst::FillL1(_) => fill(inst, regs, chip),
        Inst::Ld3dA(_) => img2col(
            inst,
            chip.mte1.l0a_fractal,
            chip.mte1.ld3d_l0a_least,
            regs,
            chip,
        ),
        Inst::Ld3dB(_) => img2col(
            inst,
            chip.mte1.l0b_fractal,
            chip.mte1.ld3d_l0b_least,
            regs,
            chip,
        ),
        Inst::MovGmL0a(MovGmL0a { rep, .. }) | Inst::MovGmL0b(MovGmL0b { rep, .. }) => {
            let bursts = rep.get(regs);
            let bytes = bursts.saturating_mul(FRACTAL_BYTES);
            copy(
                GmTraffic {
                    bytes,
                    bursts,
                    write: false,
                    path: GmPath::L0,
                    setup: 0,
                },
                chip,
            )
        }
        Inst::MovL1Fb(i) => {
            let cycles = i
                .len
                .get(regs)
                .saturating_mul(BLOCK_BYTES)
                .div_ceil(chip.fix.fb_port.max(1));
            busy(cycles.saturating_add(chip.fix.fb_fixed))
        }
        Inst::MovGmL1(_) => block_traffic(inst, GmPath::L1, regs, chip),
        Inst::MovGmUb(_) => block_traffic(inst, GmPath::Ub, regs, chip),
        Inst::MovUbGm(_) => block_traffic(inst, GmPath::UbOut, regs, chip),
        Inst::MovL1Gm(_) => block_traffic(inst, GmPath::L1Out, regs, chip),
        Inst::MovpadGmUb(i) => copy(byte_burst(i.burst, GmPath::Ub, regs), chip),
        Inst::MovpadUbGm(i) => copy(byte_burst(i.burst, GmPath::UbOut, regs), chip),
        Inst::MovpadlrGmUb(i) => copy(byte_burst(i.burst, GmPath::Ub, regs), chip),
        Inst::Nd2nzGmL1(i) => {
            let rows = i.n.get(regs);
            nd2nz(rows, i.d.get(regs).saturating_mul(i.size.bytes()), chip)
        }
        Inst::Nd2nzxGmL1(_) => Nd2nz::of(inst, regs).map_or(Cost::default(), |i| {
            nd2nz(i.matrices.saturating_mul(i.rows), i.row_bytes(), chip)
        }),
        Inst::FixL0cGm(i) => fix_gm(i, regs, chip),
        Inst::FixL0cL1(i) => fix_l1(i, regs, chip),
        Inst::MovUbUb(_) => ub_copy(inst, regs, chip),
        Inst::Vadd(_)
        | Inst::Vsub(_)
        | Inst::Vmul(_)
        | Inst::Vdiv(_)
        | Inst::Vmax(_)
        | Inst::Vmin(_)
        | Inst::Vand(_)
        | Inst::Vor(_)
        | Inst::Vnot(_)
        | Inst::Vadds(_)
        | Inst::Vmuls(_)
        | Inst::Vmaxs(_)
        | Inst::Vmins(_)
        | Inst::Vshl(_)
        | Inst::Vshr(_)
        | Inst::Vaxpy(_)
        | Inst::Vmla(_)
        | Inst::Vrelu(_)
        | Inst::Vlrelu(_)
        | Inst::Vabs(_)
        | Inst::Vexp(_)
        | Inst::Vln(_)
        | Inst::Vsqrt(_)
        | Inst::Vrsqrt(_)
        | Inst::Vrec(_)
        | Inst::Vconv(_)
        | Inst::Vcmpv(_)
        | Inst::Vcmpvs(_)
        | Inst::Vsel(_)
        | Inst::Vdup(_)
        | Inst::Vcopy(_)
        | Inst::Vbrcb(_)
        | Inst::Viota(_)
        | Inst::Vcadd(_)
        | Inst::Vcmax(_)
        | Inst::Vcmin(_)
        | Inst::Vcgadd(_)
        | Inst::Vcgmax(_)
        | Inst::Vcgmin(_)
        | Inst::Vcpadd(_)
        | Inst::Vmadd(_)
        | Inst::Vmaddrelu(_)
        | Inst::Vaddrelu(_)
        | Inst::Vsubrelu(_)
        | Inst::Vmulconv(_)
        | Inst::Vaddreluconv(_)
        | Inst::Vsubreluconv(_)
        | Inst::Vcmp(_)
        | Inst::Vsetcmp(_)
        | Inst::Vgetcmp(_)
        | Inst::Vselc(_)
        | Inst::Vsels(_)
        | Inst::Vcmaxi(_)
        | Inst::Vcmini(_)
        | Inst::Vgather(_)
        | Inst::Vgatherb(_)
        | Inst::Vcompress(_)
        | Inst::Vcompressm(_)
        | Inst::Vsort32(_)
        | Inst::Vtranspose(_)
        | Inst::Vdeq(_)
        | Inst::VconvS4(_) => vector(inst, regs, chip),
        Inst::Vmrg4(i) => merge(i, regs, chip),
        Inst::Vnchwconv(i) => {
            let costs = chip.vector_ops.get(inst.opcode());
            let base = match i.size {
                ElemSize::B8 | ElemSize::B16 => costs.per_repeat_16,
                ElemSize::B32 => costs.per_repeat_32,
            };
            vector_cost(inst, i.rep.get(regs).saturating_mul(base), chip)
        }
    }
}

fn busy(cycles: u64) -> Cost {
    Cost {
        occ: narrow(cycles),
        ..Cost::default()
    }
}

fn narrow(cycles: u64) -> u32 {
    u32::try_from(cycles).unwrap_or(u32::MAX)
}

fn scalar_memory(mem: ScalarMem, size: MemSize, cycles: u64, write: bool) -> Cost {
    let traffic = GmTraffic {
        bytes: size.bytes(),
        bursts: 1,
        write,
        path: GmPath::Scalar,
        setup: 0,
    };
    Cost {
        gm: (mem == ScalarMem::Gm).then_some(traffic),
        ..busy(cycles)
    }
}

/// Fractal triples times the cycles of one, and the fixed part.
fn mmad(ty: MmadTy, [m, k, n]: [u64; 3], regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let per_cycle = match regs.spr(Spr::Ctrl) & Spr::CTRL_HF32 != 0 && ty == MmadTy::F32 {
        true => chip.cube.k_hf32,
        false => chip.cube_k(ty),
    };
    let triples = m
        .div_ceil(16)
        .saturating_mul(n.div_ceil(16))
        .saturating_mul(k.div_ceil(ty.k0()));
    let cycles = triples.saturating_mul(ty.k0() / per_cycle.max(1));
    let occ = narrow(cycles.saturating_add(chip.cube.fixed));
    Cost {
        head: narrow(chip.cube.head),
        occ,
        tail: narrow(chip.cube.tail),
        gm: None,
    }
}

fn squares(rep: Rep, size: SquareSize, regs: &(impl Regs + ?Sized)) -> u64 {
    rep.get(regs).saturating_mul(size.fractals())
}

fn fractals(count: u64, cycles_each: u64, chip: &Chip) -> Cost {
    let cycles = count
        .saturating_mul(cycles_each)
        .saturating_add(chip.mte1.fixed);
    Cost {
        head: narrow(chip.mte1.head),
        ..busy(cycles.max(chip.mte1.floor))
    }
}

/// Words to the bias table; `widened` is how many bytes each byte becomes.
fn bias(len: Val<8>, widened: u64, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let bytes = len.get(regs).saturating_mul(BLOCK_BYTES * widened);
    busy(bytes.div_ceil(chip.mte1.bt_port.max(1)))
}

fn fill(inst: &Inst, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let bytes = filled(inst).map_or(0, |filled| {
        let [rep, len, _] = filled.runs.map(|value| value.get(regs));
        rep.saturating_mul(len).saturating_mul(filled.unit)
    });
    busy(
        bytes
            .div_ceil(chip.mte1.fill_port.max(1))
            .max(chip.mte1.floor),
    )
}

/// Fractals of an image: at stride s, `fractal` cycles, more by the stride and by the rows of the image that a fractal
/// meets, and never slower than `least` bytes a cycle (davinci-facts §9.2).
fn img2col(
    inst: &Inst,
    fractal: u64,
    least: u64,
    regs: &(impl Regs + ?Sized),
    chip: &Chip,
) -> Cost {
    let Some(image) = Img2col::of(inst, regs) else {
        return Cost::default();
    };
    let slowest = FRACTAL_BYTES.div_ceil(least.max(1));
    let [wide, _] = image.positions();
    let rows = 16_u64.div_ceil(wide.max(1));
    let [stride, _] = image.stride;
    let each = if matches!(stride, 1 | 2 | 4 | 8) {
        let steps = chip.mte1.l0a_fractal * (stride - 1);
        let lines = if rows > 1 { rows } else { 0 };
        (fractal + steps + lines).min(slowest)
    } else {
        slowest
    };
    Cost {
        head: narrow(chip.mte1.ld3d_head),
        ..fractals(image.all_fractals(), each, chip)
    }
}

/// The traffic of a copy of blocks between global memory and the core.
fn block_traffic(inst: &Inst, path: GmPath, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let Some(blocks) = block_copy(inst) else {
        return Cost::default();
    };
    let bursts = blocks.burst.count.get(regs);
    let bytes = bursts
        .saturating_mul(blocks.burst.len.get(regs))
        .saturating_mul(BLOCK_BYTES);
    copy(
        GmTraffic {
            bytes,
            bursts,
            write: matches!(path, GmPath::UbOut | GmPath::L1Out),
            path,
            setup: 0,
        },
        chip,
    )
}

fn byte_burst(burst: Burst, path: GmPath, regs: &(impl Regs + ?Sized)) -> GmTraffic {
    let bursts = burst.count.get(regs);
    let bytes = bursts.saturating_mul(burst.len.get(regs));
    GmTraffic {
        bytes,
        bursts,
        write: path == GmPath::UbOut,
        path,
        setup: 0,
    }
}

/// A copy: its latency once, and its pipe as long as [`copy_cycles`] says.
fn copy(traffic: GmTraffic, chip: &Chip) -> Cost {
    Cost {
        head: 0,
        occ: narrow(copy_cycles(
            traffic.path,
            traffic.bytes,
            traffic.bursts,
            chip,
        )),
        tail: narrow(path_rates(traffic.path, chip).latency),
        gm: Some(traffic),
    }
}

/// Cycles that a copy of `bytes` in `bursts` pieces holds its pipe, alone: its port or its bursts, and never less than
/// the issue interval.
pub fn copy_cycles(path: GmPath, bytes: u64, bursts: u64, chip: &Chip) -> u64 {
    let rates = path_rates(path, chip);
    bytes
        .div_ceil(rates.port.max(1))
        .max(bursts.saturating_mul(rates.burst))
        .max(rates.issue)
}

/// What a way to or from global memory takes: bytes a cycle, and cycles.
struct PathRates {
    port: u64,
    latency: u64,
    issue: u64,
    burst: u64,
}

fn path_rates(path: GmPath, chip: &Chip) -> PathRates {
    let (mte2, mte3, fix) = (&chip.mte2, &chip.mte3, &chip.fix);
    let (port, latency, issue, burst) = match path {
        GmPath::L1 => (mte2.l1_port, mte2.l1_latency, mte2.issue, mte2.burst),
        GmPath::L0 => (mte2.l0_port, mte2.l0_latency, mte2.issue, 0),
        GmPath::Ub | GmPath::Scalar => (mte2.ub_port, mte2.ub_latency, mte2.issue, mte2.burst),
        GmPath::UbOut => (mte3.ub_port, mte3.ub_latency, mte3.issue, mte3.burst),
        GmPath::L1Out => (mte3.l1_port, mte3.l1_latency, mte3.issue, mte3.burst),
        GmPath::Fix => (fix.gm_port, fix.gm_latency, fix.gm_floor, 0),
    };
    PathRates {
        port,
        latency,
        issue,
        burst,
    }
}

/// Cycles that `nd2nz` of `rows` rows of `row_bytes` bytes holds its pipe, if global memory gives `rate` bytes a cycle.
///
/// The pipe is held until the matrix is there: its rows bind, or the latency and the bytes behind it. So, unlike plain
/// copies, two of these do not overlap.
pub fn nd2nz_cycles(rows: u64, row_bytes: u64, rate: u64, chip: &Chip) -> u64 {
    let rates = &chip.mte2;
    let row_cycles = rows.saturating_mul(rates.nd2nz_row_milli).div_ceil(1000);
    let stream = rows
        .saturating_mul(row_bytes)
        .div_ceil(rates.nd2nz_port.min(rate).max(1));
    row_cycles.max(stream.saturating_add(nd2nz_setup(chip)))
}

/// Cycles before the first row of an `nd2nz`: the way to global memory is part of its occupancy.
fn nd2nz_setup(chip: &Chip) -> u64 {
    chip.mte2.l1_latency.saturating_add(chip.mte2.nd2nz_fixed)
}

fn nd2nz(rows: u64, row_bytes: u64, chip: &Chip) -> Cost {
    Cost {
        head: 0,
        occ: narrow(nd2nz_cycles(rows, row_bytes, u64::MAX, chip)),
        tail: 0,
        gm: Some(GmTraffic {
            bytes: rows.saturating_mul(row_bytes),
            bursts: rows,
            write: false,
            path: GmPath::L1,
            setup: narrow(nd2nz_setup(chip)),
        }),
    }
}

fn fix_gm(i: &FixL0cGm, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let (m, n) = (i.m.get(regs), i.n.get(regs));
    let row = i.quant.row_bytes(i.ty, n);
    let columns = row.div_ceil(BLOCK_BYTES);
    let (bytes, bursts) = match i.nd {
        Adj::On => (m.saturating_mul(row), m),
        Adj::Off | Adj::Whole => (
            m.saturating_mul(columns).saturating_mul(BLOCK_BYTES),
            columns,
        ),
    };
    copy(
        GmTraffic {
            bytes,
            bursts,
            write: true,
            path: GmPath::Fix,
            setup: 0,
        },
        chip,
    )
}

fn fix_l1(i: &FixL0cL1, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let whole = |extent: u64| extent.div_ceil(16).saturating_mul(16);
    let (m, n) = (whole(i.m.get(regs)), whole(i.n.get(regs)));
    let elements = m.saturating_mul(n);
    let bytes = i.quant.row_bytes(i.ty, elements);
    let cycles = elements
        .div_ceil(chip.fix.l1_elements.max(1))
        .max(bytes.div_ceil(chip.fix.l1_port.max(1)));
    Cost {
        head: narrow(chip.fix.l1_head),
        ..busy(cycles.saturating_add(chip.fix.l1_fixed))
    }
}

fn ub_copy(inst: &Inst, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let costs = chip.vector_ops.get(inst.opcode());
    let bytes = block_copy(inst).map_or(0, |blocks| {
        let burst = blocks.burst.len.get(regs).saturating_mul(BLOCK_BYTES);
        burst.saturating_mul(blocks.burst.count.get(regs))
    });
    let occ = bytes
        .div_ceil(chip.vector.copy_port.max(1))
        .max(costs.floor);
    Cost {
        head: narrow(costs.head),
        occ: narrow(occ),
        tail: narrow(costs.tail),
        gm: None,
    }
}

/// Repeats under the bank model of UB, and never less than the floor.
fn vector(inst: &Inst, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let Some(form) = VecForm::of(inst) else {
        return Cost::default();
    };
    let costs = chip.vector_ops.get(inst.opcode());
    let base = match form.lane_bytes {
        2 => costs.per_repeat_16,
        4 => costs.per_repeat_32,
        _ => chip.vector.s64_repeat,
    };
    let fixed = match inst.opcode() == Opcode::Vgather {
        true => chip.vector.gather_fixed,
        false => 0,
    };
    let counting = form.masked && matches!(regs.lanes(), Lanes::Count(_));
    let mode = if counting { chip.vector.count_mode } else { 0 };
    let cycles = ub::cycles(&form, base, regs, chip).saturating_add(fixed);
    vector_cost(inst, cycles.max(costs.floor).saturating_add(mode), chip)
}

/// Pairs at a rate, and a fixed part.
fn merge(i: &Vmrg4, regs: &(impl Regs + ?Sized), chip: &Chip) -> Cost {
    let pairs: u64 = merged_pairs(i, regs).iter().sum();
    let cycles = pairs
        .saturating_mul(i.rep.get(regs))
        .div_ceil(chip.vector.merge_pairs.max(1));
    let inst = Inst::Vmrg4(*i);
    vector_cost(&inst, cycles.saturating_add(chip.vector.merge_fixed), chip)
}

/// An occupancy, and never less than the floor, with head and tail of the instruction.
fn vector_cost(inst: &Inst, cycles: u64, chip: &Chip) -> Cost {
    let costs = chip.vector_ops.get(inst.opcode());
    Cost {
        head: narrow(costs.head),
        occ: narrow(cycles.max(costs.floor)),
        tail: narrow(costs.tail),
        gm: None,
    }
}

/// Cycles the cube needs for multiply-adds alone, at full rate: the ideal that utilisation is measured against.
pub fn ideal_cube_cycles(mads: u64, ty: MmadTy, chip: &Chip) -> u64 {
    let rate = chip.cube_mads(ty).saturating_mul(chip.cores.cube).max(1);
    mads.div_ceil(rate)
}
