//! What the program of a cube core takes: cycles of its busiest pipe, and of the first packet that nothing hides.
//!
//! Knows nothing of what several cores read at once: each has its share of L2.

use ir::tile::{Arg, Block, Buf, Op, View};
use isa::cost::{self, GmPath};
use isa::types::{Elem, Layout, Space};

use super::{Pricing, int};
use crate::schedule::space::Term;
use crate::tiling::expr::ceil_div;

/// Side of a fractal.
const SIDE: i64 = 16;

/// Cycles per pipe of a cube core: cube, loads to L0, packets to L1, drain.
type Pipes = [i64; 4];
const NAMES: [Term; 4] = [Term::Cube, Term::LoadL0, Term::LoadL1, Term::Drain];

/// Cycles of a program, and what takes longest.
pub(super) fn program(pricing: &Pricing<'_>, root: Block) -> (i64, Term) {
    let mut packet = 0;
    let pipes = all_of(pricing, root, &mut packet);
    let busiest = pipes.into_iter().zip(NAMES);
    let most = busiest.max_by_key(|&(cycles, name)| (cycles, std::cmp::Reverse(name)));
    let (cycles, name) = most.unwrap_or((0, Term::Cube));
    (cycles.saturating_add(packet), name)
}

fn all_of(pricing: &Pricing<'_>, block: Block, packet: &mut i64) -> Pipes {
    let mut total = Pipes::default();
    for &inst in &pricing.func.blocks[block].insts {
        let op = &pricing.func.insts[inst].op;
        let (pipes, times) = if let Op::For {
            lo, hi, step, body, ..
        } = op
        {
            let times = pricing.trips(*lo, *hi, *step);
            (all_of(pricing, *body, packet), times)
        } else if let Op::If { then, els, .. } = op {
            let mut pipes = all_of(pricing, *then, packet);
            if let Some(els) = els {
                add(&mut pipes, all_of(pricing, *els, packet), 1);
            }
            (pipes, 1)
        } else {
            (one(pricing, op), 1)
        };
        if let Op::Load { .. } = op {
            *packet = (*packet).max(pipes[2]);
        }
        add(&mut total, pipes, times);
    }
    total
}

fn add(total: &mut Pipes, more: Pipes, times: i64) {
    for (sum, cycles) in total.iter_mut().zip(more) {
        *sum = sum.saturating_add(cycles.saturating_mul(times));
    }
}

/// What an operation without others inside takes.
fn one(pricing: &Pricing<'_>, op: &Op) -> Pipes {
    let chip = pricing.chip;
    let mut pipes = Pipes::default();
    if let Op::Mad { a, b, m, k, n, .. } = op {
        let [rows, depth, cols] = [
            extent(*m, rows(pricing, *a)),
            extent(*k, cols(pricing, *a)),
            extent(*n, cols(pricing, *b)),
        ];
        let elem = pricing.func.bufs[*a].elem;
        let passes = if elem == Elem::F32 {
            int(chip.cube.k_f16) / 2 / int(chip.cube.k_f32).max(1)
        } else {
            1
        };
        let count = fractals(rows, SIDE) * fractals(cols, SIDE) * fractals(depth, depth_of(elem));
        pipes[0] = count
            .saturating_mul(passes)
            .saturating_add(int(chip.cube.fixed));
    } else if let Op::LoadTile {
        dst, rows, cols, ..
    } = op
    {
        pipes[1] = to_l0(pricing, *dst, *rows, *cols);
    } else if let Op::LoadWindow {
        dst, rows, cols, ..
    } = op
    {
        pipes[1] = to_l0(pricing, *dst, *rows, *cols);
    } else if let Op::Load {
        dst, rows, cols, ..
    } = op
    {
        pipes[2] = to_l1(pricing, *dst, *rows, *cols);
    } else if let Op::Drain {
        src, rows, cols, ..
    } = op
    {
        let data = &pricing.func.bufs[*src];
        let cells = extent(*rows, data.rows).saturating_mul(extent(*cols, data.cols));
        pipes[3] = cells.saturating_mul(4) / int(chip.fix.gm_port_shared).max(1);
    }
    pipes
}

fn rows(pricing: &Pricing<'_>, buf: Buf) -> i64 {
    pricing.func.bufs[buf].rows
}

fn cols(pricing: &Pricing<'_>, buf: Buf) -> i64 {
    pricing.func.bufs[buf].cols
}

/// What is known, or the most there is room for.
const fn extent(arg: Arg, most: i64) -> i64 {
    match arg {
        Arg::Const(known) => known,
        Arg::Val(_) => most,
    }
}

fn fractals(extent: i64, side: i64) -> i64 {
    ceil_div(extent, side)
}

/// Elements of a fractal along the reduction: a block of 32 bytes.
fn depth_of(elem: Elem) -> i64 {
    32 / int(elem.bytes()).max(1)
}

fn to_l0(pricing: &Pricing<'_>, dst: Buf, rows: Arg, cols: Arg) -> i64 {
    let (data, mte1) = (&pricing.func.bufs[dst], &pricing.chip.mte1);
    let (rows, cols) = (extent(rows, data.rows), extent(cols, data.cols));
    let (free, depth, rate) = if data.space == Space::L0a {
        (rows, cols, mte1.l0a_fractal)
    } else {
        (cols, rows, mte1.l0b_fractal)
    };
    let count = fractals(free, SIDE).saturating_mul(fractals(depth, depth_of(data.elem)));
    let cycles = count
        .saturating_mul(int(rate))
        .saturating_add(int(mte1.fixed));
    cycles.max(int(mte1.floor))
}

fn to_l1(pricing: &Pricing<'_>, dst: View, rows: Arg, cols: Arg) -> i64 {
    let (data, chip) = (&pricing.func.bufs[dst.buf], pricing.chip);
    let whole = |x: i64| u64::try_from(x).unwrap_or(0);
    let rows = whole(extent(rows, data.rows));
    let row = whole(extent(cols, data.cols)).saturating_mul(data.elem.bytes());
    let share = chip.memory.l2_mbps / chip.cores.clock_mhz.max(1) / chip.cores.cube.max(1);
    int(match data.layout {
        Layout::NZ => cost::nd2nz_cycles(rows, row, share.max(1), chip),
        Layout::Nd | Layout::ZZ | Layout::NZn => {
            cost::copy_cycles(GmPath::L1, rows.saturating_mul(row), rows, chip)
        }
    })
}
