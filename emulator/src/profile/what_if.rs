//! What if the chip had more of something: the same program, timed by the same clock on an altered chip.
//!
//! A resource is made *free* (it takes no time) or *doubled* (half the time). There is no second model here, only other
//! numbers for the one there is.

use isa::chip::{Chip, VecCost};
use isa::object::Object;
use rayon::prelude::*;

use crate::fault::Fault;
use crate::options::Options;
use crate::run::run;

/// What free bandwidth is, in bytes a cycle, or in MB/s: more than any run asks for.
const PLENTY: u64 = 1 << 40;

/// What a chip could have more of.
#[derive(Copy, Clone, Debug)]
pub struct Change {
    /// The resource: `cube`.
    pub resource: &'static str,
    /// How much more: `free` or `doubled`.
    pub how: &'static str,
    /// What it stands for.
    pub meaning: &'static str,
    alter: fn(&mut Chip),
}

/// Cycles on an altered chip.
#[derive(Copy, Clone, Debug)]
pub struct WhatIf {
    /// What was altered.
    pub change: Change,
    /// Cycles of the run there, launch included.
    pub cycles: u64,
}

impl Change {
    /// Every change, in the order of the way of data.
    pub const ALL: &[Change] = &[
        change("cube", "free", "multiply-adds take no time", free_cube),
        change(
            "cube start",
            "free",
            "every mmad at its fractals alone",
            free_start,
        ),
        change(
            "vector",
            "free",
            "vector instructions take no time",
            free_vector,
        ),
        change(
            "vector",
            "doubled",
            "a repeat in half the time",
            double_vector,
        ),
        change(
            "mte2",
            "doubled",
            "twice the bytes a cycle and core",
            double_mte2,
        ),
        change(
            "mte2",
            "free",
            "copies in limited by L2 and memory alone",
            free_mte2,
        ),
        change(
            "mte3",
            "free",
            "copies out limited by L2 and memory alone",
            free_mte3,
        ),
        change("mte1", "free", "L1 to L0 takes no time", free_mte1),
        change(
            "fixpipe",
            "free",
            "drains limited by L2 and memory alone",
            free_fix,
        ),
        change(
            "latency",
            "free",
            "copies are visible when they end",
            free_latency,
        ),
        change("l2", "doubled", "twice the bandwidth of L2", double_l2),
        change("l2", "free", "any bandwidth of L2", free_l2),
        change(
            "hbm",
            "doubled",
            "twice the bandwidth of memory",
            double_hbm,
        ),
        change("hbm", "free", "any bandwidth of memory", free_hbm),
        change(
            "scalar",
            "free",
            "address arithmetic takes no time",
            free_scalar,
        ),
        change("queues", "free", "queues that are never full", free_queues),
        change(
            "flags",
            "free",
            "flags and barriers cost only their wait",
            free_flags,
        ),
        change(
            "cross-core",
            "free",
            "sets reach other cores at once",
            free_cross,
        ),
        change("launch", "free", "no launch", free_launch),
    ];

    /// The chip with the change.
    pub fn applied(&self, chip: &Chip) -> Chip {
        let mut chip = chip.clone();
        (self.alter)(&mut chip);
        chip
    }
}

const fn change(
    resource: &'static str,
    how: &'static str,
    meaning: &'static str,
    alter: fn(&mut Chip),
) -> Change {
    Change {
        resource,
        how,
        meaning,
        alter,
    }
}

/// Runs the same program on each altered chip, without values if it can be.
///
/// # Errors
/// What stops a run, if the values decide it.
pub fn what_if(
    object: &Object,
    inputs: &[Option<Vec<u8>>],
    chip: &Chip,
    options: &Options,
) -> Result<Vec<WhatIf>, Fault> {
    let options = Options {
        timing_only: true,
        trace: false,
        profile: false,
        // The changes run side by side instead.
        threads: 1,
        ..*options
    };
    let timed = |change: &Change| {
        let outcome = run(object, inputs, &change.applied(chip), &options)?;
        Ok(WhatIf {
            change: *change,
            cycles: outcome.report.cycles,
        })
    };
    Change::ALL.par_iter().map(timed).collect()
}

fn free_cube(chip: &mut Chip) {
    let cube = &mut chip.cube;
    for rate in [
        &mut cube.k_f16,
        &mut cube.k_s8,
        &mut cube.k_f32,
        &mut cube.k_hf32,
        &mut cube.k_s4,
    ] {
        // More than the extent of a fractal, so that a fractal takes no cycle.
        *rate = PLENTY;
    }
    cube.tail = 0;
    free_start(chip);
}

fn free_start(chip: &mut Chip) {
    chip.cube.fixed = 0;
    chip.cube.head = 0;
}

fn free_vector(chip: &mut Chip) {
    let none = VecCost {
        per_repeat_16: 0,
        per_repeat_32: 0,
        head: 0,
        tail: 0,
        floor: 0,
    };
    chip.vector_ops = chip.vector_ops.map(|_| none);
    let vector = &mut chip.vector;
    (vector.copy_port, vector.merge_pairs) = (PLENTY, PLENTY);
    for cycles in [
        &mut vector.clash_milli,
        &mut vector.dependent,
        &mut vector.count_mode,
        &mut vector.s64_repeat,
        &mut vector.gather_fixed,
        &mut vector.merge_fixed,
    ] {
        *cycles = 0;
    }
}

fn double_vector(chip: &mut Chip) {
    chip.vector_ops = chip.vector_ops.map(|cost| VecCost {
        per_repeat_16: cost.per_repeat_16 / 2,
        per_repeat_32: cost.per_repeat_32 / 2,
        ..cost
    });
    chip.vector.copy_port *= 2;
    chip.vector.merge_pairs *= 2;
    chip.vector.clash_milli /= 2;
}

fn double_mte2(chip: &mut Chip) {
    let mte2 = &mut chip.mte2;
    mte2.l1_port *= 2;
    mte2.nd2nz_port *= 2;
    mte2.nd2nz_row_milli /= 2;
    mte2.ub_port *= 2;
    mte2.l0_port *= 2;
    mte2.issue /= 2;
    mte2.burst /= 2;
}

fn free_mte2(chip: &mut Chip) {
    let mte2 = &mut chip.mte2;
    mte2.l1_port = PLENTY;
    mte2.nd2nz_port = PLENTY;
    mte2.nd2nz_row_milli = 0;
    mte2.nd2nz_fixed = 0;
    mte2.ub_port = PLENTY;
    mte2.l0_port = PLENTY;
    mte2.issue = 0;
    mte2.burst = 0;
}

fn free_mte3(chip: &mut Chip) {
    let mte3 = &mut chip.mte3;
    (mte3.issue, mte3.burst) = (0, 0);
    (mte3.ub_port, mte3.l1_port) = (PLENTY, PLENTY);
}

fn free_mte1(chip: &mut Chip) {
    let mte1 = &mut chip.mte1;
    for cycles in [
        &mut mte1.l0a_fractal,
        &mut mte1.l0b_fractal,
        &mut mte1.fixed,
        &mut mte1.floor,
        &mut mte1.head,
        &mut mte1.ld3d_head,
    ] {
        *cycles = 0;
    }
    for rate in [
        &mut mte1.bt_port,
        &mut mte1.ld3d_l0a_least,
        &mut mte1.ld3d_l0b_least,
        &mut mte1.fill_port,
    ] {
        *rate = PLENTY;
    }
}

fn free_fix(chip: &mut Chip) {
    let fix = &mut chip.fix;
    for rate in [
        &mut fix.gm_port,
        &mut fix.gm_port_shared,
        &mut fix.l1_elements,
        &mut fix.l1_port,
        &mut fix.fb_port,
    ] {
        *rate = PLENTY / 64;
    }
    for cycles in [
        &mut fix.gm_floor,
        &mut fix.l1_fixed,
        &mut fix.l1_head,
        &mut fix.fb_fixed,
    ] {
        *cycles = 0;
    }
}

fn free_latency(chip: &mut Chip) {
    for cycles in [
        &mut chip.mte2.l1_latency,
        &mut chip.mte2.ub_latency,
        &mut chip.mte2.l0_latency,
        &mut chip.mte3.ub_latency,
        &mut chip.mte3.l1_latency,
        &mut chip.fix.gm_latency,
        &mut chip.memory.l2_miss_extra,
    ] {
        *cycles = 0;
    }
}

fn double_l2(chip: &mut Chip) {
    chip.memory.l2_mbps *= 2;
    chip.memory.l2_mixed_mbps *= 2;
}

fn free_l2(chip: &mut Chip) {
    chip.memory.l2_mbps = PLENTY;
    chip.memory.l2_mixed_mbps = PLENTY;
}

fn double_hbm(chip: &mut Chip) {
    chip.memory.hbm_effective_mbps *= 2;
}

fn free_hbm(chip: &mut Chip) {
    chip.memory.hbm_effective_mbps = PLENTY;
}

fn free_scalar(chip: &mut Chip) {
    let scalar = &mut chip.scalar;
    for cycles in [
        &mut scalar.alu,
        &mut scalar.mul,
        &mut scalar.div,
        &mut scalar.float,
        &mut scalar.load_hit,
        &mut scalar.load_miss,
        &mut scalar.store,
        &mut scalar.branch,
        &mut scalar.hardware_loop,
        &mut scalar.clean,
    ] {
        *cycles = 0;
    }
}

fn free_queues(chip: &mut Chip) {
    chip.sync.queue_depth = 1 << 30;
}

fn free_flags(chip: &mut Chip) {
    let sync = &mut chip.sync;
    (sync.flag, sync.barrier, sync.barrier_all) = (0, 0, 0);
}

fn free_cross(chip: &mut Chip) {
    chip.sync.cross_core = 0;
}

fn free_launch(chip: &mut Chip) {
    chip.launch.ns = 0;
}
