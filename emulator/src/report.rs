//! What a run cost: cycles, pipes, traffic, utilisation and the bound, as plain numbers.
//!
//! Everything is a count; shares are computed from counts when they are asked for. Nothing here formats text.

use isa::chip::Chip;
use isa::cost::ideal_cube_cycles;
use isa::object::{KernelMeta, ParamDir};
use isa::types::{CoreKind, Pipe, Space};

use crate::clock::{PipeTime, Timing};
use crate::core::Core;

/// A way that bytes take between two memories.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Global memory to L1.
    GmL1,
    /// Global memory to UB.
    GmUb,
    /// UB to global memory.
    UbGm,
    /// L1 to global memory.
    L1Gm,
    /// L0C to global memory.
    L0cGm,
    /// L0C to L1.
    L0cL1,
    /// L1 to L0A.
    L1L0a,
    /// L1 to L0B.
    L1L0b,
    /// Global memory to L0A.
    GmL0a,
    /// Global memory to L0B.
    GmL0b,
    /// L1 to the bias table.
    L1Bt,
    /// L1 to the fixpipe buffer.
    L1Fb,
    /// Inside UB.
    UbUb,
}

impl Path {
    /// Every way, in the order of reports.
    pub const ALL: [Path; 13] = [
        Path::GmL1,
        Path::GmUb,
        Path::UbGm,
        Path::L1Gm,
        Path::L0cGm,
        Path::L0cL1,
        Path::L1L0a,
        Path::L1L0b,
        Path::GmL0a,
        Path::GmL0b,
        Path::L1Bt,
        Path::L1Fb,
        Path::UbUb,
    ];

    /// Its key in reports: `gm_l1`.
    pub const fn name(self) -> &'static str {
        match self {
            Path::GmL1 => "gm_l1",
            Path::GmUb => "gm_ub",
            Path::UbGm => "ub_gm",
            Path::L1Gm => "l1_gm",
            Path::L0cGm => "l0c_gm",
            Path::L0cL1 => "l0c_l1",
            Path::L1L0a => "l1_l0a",
            Path::L1L0b => "l1_l0b",
            Path::GmL0a => "gm_l0a",
            Path::GmL0b => "gm_l0b",
            Path::L1Bt => "l1_bt",
            Path::L1Fb => "l1_fb",
            Path::UbUb => "ub_ub",
        }
    }
}

/// How the cores that have a pipe spent its time; cycles summed over those cores.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PipeReport {
    /// The pipe.
    pub pipe: Pipe,
    /// Cores that ran and have it.
    pub cores: u64,
    /// Instructions it executed, flags and barriers in its queue included.
    pub instructions: u64,
    /// Cycles busy, waits for bandwidth included.
    pub busy: u64,
    /// Busy cycles beyond what the pipe alone would need: L2 or global memory was shared.
    pub stall_memory: u64,
    /// Idle cycles because its queue was empty; for the scalar unit, because a queue was full.
    pub stall_starved: u64,
    /// Idle cycles because of a flag.
    pub stall_flag: u64,
    /// Idle cycles because of a barrier.
    pub stall_barrier: u64,
    /// Idle cycles because of another core.
    pub stall_cross: u64,
}

/// What bounds a kernel from below.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum BoundKind {
    /// The multiply-adds of the cube.
    Cube,
    /// The bytes that must cross global memory.
    Hbm,
    /// The element operations of the vector units.
    Vector,
}

impl BoundKind {
    /// Its word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            BoundKind::Cube => "cube",
            BoundKind::Hbm => "hbm",
            BoundKind::Vector => "vector",
        }
    }
}

/// The greatest lower bound known for a kernel on a chip, launch left out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What it comes from.
    pub kind: BoundKind,
    /// Cycles that no implementation can beat.
    pub cycles: u64,
}

/// The cost of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Name, version and hash of the chip file.
    pub chip: String,
    /// Clock in MHz.
    pub clock_mhz: u64,
    /// Cycles, launch included.
    pub cycles: u64,
    /// Cycles of the launch.
    pub launch_cycles: u64,
    /// Cube cores that ran.
    pub cube_cores: u64,
    /// Vector cores that ran.
    pub vector_cores: u64,
    /// The pipes that some core which ran has, in order.
    pub pipes: Vec<PipeReport>,
    /// Instructions executed by all cores.
    pub instructions: u64,
    /// Bytes moved each way.
    pub traffic: Vec<(Path, u64)>,
    /// Bytes read from global memory into L2.
    pub hbm_read: u64,
    /// Bytes written back from L2 to global memory.
    pub hbm_write: u64,
    /// Bytes of copies that L2 served itself.
    pub l2_hit: u64,
    /// Bytes of all copies at L2, in whole sectors.
    pub l2_bytes: u64,
    /// Highest byte written in each memory, over all cores.
    pub peak_bytes: Vec<(Space, u64)>,
    /// Multiply-adds that the cube executed.
    pub mads: u64,
    /// Multiply-adds that the kernel needs.
    pub useful_mads: u64,
    /// Cycles that the chip's cubes would need for the useful multiply-adds alone.
    pub ideal_cube_cycles: u64,
    /// Cycles that nominal bandwidth would need for the bytes that must move.
    pub ideal_hbm_cycles: u64,
    /// Cycles that the chip's vector units would need for the useful operations alone.
    pub ideal_vector_cycles: u64,
    /// Cycles that L2's bandwidth would need for all copies.
    pub ideal_l2_cycles: u64,
    /// The greatest of the ideals.
    pub bound: Bound,
}

impl Report {
    /// Time at the chip's clock.
    pub fn seconds(&self) -> f64 {
        self.cycles as f64 / (self.clock_mhz as f64 * 1e6)
    }

    fn share(&self, cycles: u64) -> f64 {
        cycles as f64 / self.cycles.max(1) as f64
    }

    /// Useful multiply-adds over the cube peak of the whole chip, launch included.
    pub fn cube_utilization(&self) -> f64 {
        self.share(self.ideal_cube_cycles)
    }

    /// Useful element operations over the vector peak of the whole chip, launch included.
    pub fn vector_utilization(&self) -> f64 {
        self.share(self.ideal_vector_cycles)
    }

    /// Bytes that must move over nominal bandwidth, launch included.
    pub fn hbm_utilization(&self) -> f64 {
        self.share(self.ideal_hbm_cycles)
    }

    /// Bytes of copies over the bandwidth of L2, launch included.
    pub fn l2_utilization(&self) -> f64 {
        self.share(self.ideal_l2_cycles)
    }

    /// How near the run came to its bound.
    pub fn bound_fraction(&self) -> f64 {
        self.share(self.bound.cycles)
    }

    /// Average share of the run in which a pipe spent those cycles, over the cores that have it.
    pub fn pipe_share(&self, pipe: &PipeReport, cycles: u64) -> f64 {
        self.share(cycles) / pipe.cores.max(1) as f64
    }
}

/// Whether that kind of core has the pipe.
pub(crate) const fn has_pipe(kind: CoreKind, pipe: Pipe) -> bool {
    match pipe {
        Pipe::S | Pipe::Mte2 | Pipe::Mte3 => true,
        Pipe::V => matches!(kind, CoreKind::Vector),
        Pipe::M | Pipe::Mte1 | Pipe::Fix => matches!(kind, CoreKind::Cube),
    }
}

/// Puts the report of a run together.
pub(crate) fn report(
    kernel: &KernelMeta,
    cores: &[Core<'_>],
    timing: &Timing,
    chip: &Chip,
) -> Report {
    let count = |kind: CoreKind| cores.iter().filter(|core| core.kind() == kind).count() as u64;
    let sum = |value: &dyn Fn(&Core<'_>) -> u64| cores.iter().map(value).sum::<u64>();
    let ideal = ideals(kernel, chip);
    let least = Bound {
        kind: BoundKind::Hbm,
        cycles: memory_cycles(must_move(kernel, chip), chip),
    };
    let l2_rate = chip.memory.l2_mbps.max(1);
    Report {
        chip: chip.stamp(),
        clock_mhz: chip.cores.clock_mhz,
        cycles: timing.cycles + chip.launch_cycles(),
        launch_cycles: chip.launch_cycles(),
        cube_cores: count(CoreKind::Cube),
        vector_cores: count(CoreKind::Vector),
        pipes: pipes(cores, timing),
        instructions: sum(&|core| core.executed.iter().sum()),
        traffic: Path::ALL
            .into_iter()
            .map(|path| (path, sum(&|core| core.moved[path as usize])))
            .collect(),
        hbm_read: timing.memory.hbm_read,
        hbm_write: timing.memory.hbm_write,
        l2_hit: timing.memory.l2_hit(),
        l2_bytes: timing.memory.l2_bytes,
        peak_bytes: peaks(cores),
        mads: sum(&|core| core.mads),
        useful_mads: kernel.mads,
        ideal_cube_cycles: ideal[0].cycles,
        ideal_hbm_cycles: ideal[1].cycles,
        ideal_vector_cycles: ideal[2].cycles,
        ideal_l2_cycles: timing.memory.l2_bytes * chip.cores.clock_mhz / l2_rate,
        bound: greatest([ideal[0], least, ideal[2]]),
    }
}

fn pipes(cores: &[Core<'_>], timing: &Timing) -> Vec<PipeReport> {
    let with = |pipe: Pipe| {
        let pairs = cores.iter().zip(&timing.cores);
        let having: Vec<_> = pairs
            .filter(|(core, _)| has_pipe(core.kind(), pipe))
            .collect();
        let sum = |value: &dyn Fn(&PipeTime) -> u64| {
            having
                .iter()
                .map(|(_, time)| value(&time.pipes[pipe.index()]))
                .sum()
        };
        PipeReport {
            pipe,
            cores: having.len() as u64,
            instructions: having
                .iter()
                .map(|(core, _)| core.executed[pipe.index()])
                .sum(),
            busy: sum(&|time| time.busy),
            stall_memory: sum(&|time| time.memory),
            stall_starved: sum(&|time| time.starved),
            stall_flag: sum(&|time| time.flag),
            stall_barrier: sum(&|time| time.barrier),
            stall_cross: sum(&|time| time.cross),
        }
    };
    Pipe::ALL
        .into_iter()
        .map(with)
        .filter(|report| report.cores > 0)
        .collect()
}

fn peaks(cores: &[Core<'_>]) -> Vec<(Space, u64)> {
    let peak = |space: Space| {
        let of = |core: &Core<'_>| core.memories[space as usize].peak as u64;
        cores.iter().map(of).max().unwrap_or(0)
    };
    let local = Space::ALL.into_iter().filter(|&space| space != Space::Gm);
    local.map(|space| (space, peak(space))).collect()
}

/// Bytes that memory must move: results may stay in L2 as far as they fit, and what is in L2 at the end is not charged.
pub(crate) fn must_move(kernel: &KernelMeta, chip: &Chip) -> u64 {
    let results = kernel.params.iter();
    let results = results.filter(|param| param.dir == ParamDir::Out);
    let results = results.filter_map(|param| param.bytes()).sum::<u64>();
    (kernel.compulsory_bytes).saturating_sub(results.min(chip.memory.l2_bytes))
}

fn memory_cycles(bytes: u64, chip: &Chip) -> u64 {
    (bytes.saturating_mul(chip.cores.clock_mhz)).div_ceil(chip.memory.hbm_mbps.max(1))
}

/// What cube, memory and vector units alone would need at their peaks.
fn ideals(kernel: &KernelMeta, chip: &Chip) -> [Bound; 3] {
    let cube = kernel
        .mad_ty
        .map_or(0, |ty| ideal_cube_cycles(kernel.mads, ty, chip));
    // A multiply-add counts as two operations at peak, an element operation as one.
    let lanes = (chip.vector.flops_f16 / 2 * chip.cores.vector).max(1);
    [
        Bound {
            kind: BoundKind::Cube,
            cycles: cube,
        },
        Bound {
            kind: BoundKind::Hbm,
            cycles: memory_cycles(kernel.compulsory_bytes, chip),
        },
        Bound {
            kind: BoundKind::Vector,
            cycles: kernel.vector_ops.div_ceil(lanes),
        },
    ]
}

/// The greatest bound, the first of equals.
fn greatest([first, rest @ ..]: [Bound; 3]) -> Bound {
    rest.into_iter().fold(first, |best, next| {
        if next.cycles > best.cycles {
            next
        } else {
            best
        }
    })
}
