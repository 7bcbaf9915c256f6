//! What each resource alone would have taken for what the run asked of it, and what any schedule would take.
//!
//! A bound counts cycles at the rate that the chip file gives, spread over every core of the chip, as if nothing else
//! took time. The greatest is the one that binds.

use isa::chip::Chip;
use isa::object::KernelMeta;

use crate::report::{Path, Report, must_move};

/// The bound of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roof {
    /// The resource: `cube`.
    pub resource: String,
    /// What the run asked of it: `2 147 483 648 multiply-adds`, without the number.
    pub unit: &'static str,
    /// How much of that.
    pub amount: u64,
    /// Cycles that it needs at least, the launch left out.
    pub cycles: u64,
    /// Whether no schedule of the kernel can ask for less.
    pub compulsory: bool,
}

/// The bounds of a run, in the order of the way of data. Those that nothing was asked of are left out.
pub fn roofline(kernel: &KernelMeta, report: &Report, chip: &Chip) -> Vec<Roof> {
    let mut roofs = compulsory(kernel, report, chip);
    roofs.extend(asked(report, chip));
    roofs.extend(worked(report));
    roofs.retain(|roof| roof.cycles > 0);
    roofs
}

/// What no schedule can avoid.
fn compulsory(kernel: &KernelMeta, report: &Report, chip: &Chip) -> Vec<Roof> {
    let roof = |resource: &str, unit, amount, cycles| Roof {
        resource: resource.to_owned(),
        unit,
        amount,
        cycles,
        compulsory: true,
    };
    let must = must_move(kernel, chip);
    vec![
        roof(
            "cube",
            "useful multiply-adds",
            report.useful_mads,
            report.ideal_cube_cycles,
        ),
        roof(
            "vector",
            "cycles of useful operations",
            report.ideal_vector_cycles,
            report.ideal_vector_cycles,
        ),
        roof(
            "memory",
            "bytes that must move",
            must,
            at_rate(must, chip.memory.hbm_effective_mbps, chip),
        ),
    ]
}

/// What this schedule asked for.
fn asked(report: &Report, chip: &Chip) -> Vec<Roof> {
    let roof = |resource: &str, unit, amount: u64, cycles| Roof {
        resource: resource.to_owned(),
        unit,
        amount,
        cycles,
        compulsory: false,
    };
    let moved = |path: Path| {
        let found = report.traffic.iter().find(|(known, _)| *known == path);
        found.map_or(0, |(_, bytes)| *bytes)
    };
    let (cubes, vectors) = (chip.cores.cube.max(1), chip.cores.vector.max(1));
    let port = |bytes: u64, cores: u64, rate: u64| bytes / (cores * rate.max(1)).max(1);
    let hbm = report.hbm_read + report.hbm_write;
    let fractal = |bytes: u64, cycles: u64| bytes / 512 * cycles / cubes;
    let (to_l1, to_ub, from_ub) = (moved(Path::GmL1), moved(Path::GmUb), moved(Path::UbGm));
    let (l0a, l0b, drained) = (moved(Path::L1L0a), moved(Path::L1L0b), moved(Path::L0cGm));
    vec![
        roof(
            "memory as it was used",
            "bytes read and written",
            hbm,
            at_rate(hbm, chip.memory.hbm_effective_mbps, chip),
        ),
        roof(
            "l2",
            "bytes of copies",
            report.l2_bytes,
            at_rate(report.l2_bytes, chip.memory.l2_mixed_mbps, chip),
        ),
        roof(
            "l2 reads",
            "bytes of copies in",
            to_l1 + to_ub,
            at_rate(to_l1 + to_ub, chip.memory.l2_mbps, chip),
        ),
        roof(
            "mte2 to l1",
            "bytes",
            to_l1,
            port(to_l1, cubes, chip.mte2.l1_port),
        ),
        roof(
            "mte2 to ub",
            "bytes",
            to_ub,
            port(to_ub, vectors, chip.mte2.ub_port),
        ),
        roof(
            "mte3 from ub",
            "bytes",
            from_ub,
            port(from_ub, vectors, chip.mte3.ub_port),
        ),
        roof(
            "mte1 to l0a and l0b",
            "bytes",
            l0a + l0b,
            fractal(l0a, chip.mte1.l0a_fractal) + fractal(l0b, chip.mte1.l0b_fractal),
        ),
        roof(
            "fixpipe",
            "bytes to global memory",
            drained,
            port(drained, cubes, chip.fix.gm_port_shared),
        ),
    ]
}

/// What each pipe did, waits for what cores share left out: its queue is in order, so the run takes no less.
fn worked(report: &Report) -> impl Iterator<Item = Roof> {
    report.pipes.iter().map(|pipe| Roof {
        resource: format!("pipe {}", pipe.pipe),
        unit: "instructions",
        amount: pipe.instructions,
        cycles: (pipe.busy - pipe.stall_memory) / pipe.cores.max(1),
        compulsory: false,
    })
}

/// Cycles that so many bytes take at a rate in MB/s.
fn at_rate(bytes: u64, mbps: u64, chip: &Chip) -> u64 {
    let cycles = u128::from(bytes) * u128::from(chip.cores.clock_mhz) / u128::from(mbps.max(1));
    u64::try_from(cycles).unwrap_or(u64::MAX)
}
