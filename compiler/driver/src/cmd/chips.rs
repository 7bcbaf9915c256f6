//! `vinci chips`: what the targets are, and where each of their numbers comes from.

use std::fmt::Write as _;

use clap::Args;
use isa::chip::Chip;
use isa::inst::MmadTy;

use crate::host::Stop;
use crate::session::Session;
use crate::table::{Align, Table};

/// `vinci chips`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Chips {
    /// One of them, or a chip file
    #[arg(value_name = "NAME|FILE.toml")]
    pub(crate) name: Option<String>,
}

/// Prints a row for each chip, or everything about one.
pub(crate) fn run(args: &Chips, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let text = match &args.name {
        Some(name) => everything(&session.chip(name)?),
        None => overview(),
    };
    session.host.print(&text)
}

fn overview() -> String {
    let mut table = Table::new(&[
        ("chip", Align::Left),
        ("cube", Align::Right),
        ("vector", Align::Right),
        ("MHz", Align::Right),
        ("f16 TFLOP/s", Align::Right),
        ("i8 TOP/s", Align::Right),
        ("HBM GB/s", Align::Right),
        ("L2 MiB", Align::Right),
        ("version", Align::Left),
    ]);
    for chip in Chip::names().filter_map(Chip::builtin) {
        let tera = |ty| format!("{:.1}", chip.peak(ty).cube as f64 / 1e12);
        table.row([
            chip.name.clone(),
            chip.cores.cube.to_string(),
            chip.cores.vector.to_string(),
            chip.cores.clock_mhz.to_string(),
            tera(MmadTy::F16),
            tera(MmadTy::S8),
            (chip.memory.hbm_mbps / 1000).to_string(),
            (chip.memory.l2_bytes >> 20).to_string(),
            chip.version_stamp(),
        ]);
    }
    format!(
        "{table}\npeaks are those of the cube cores; `vinci chips NAME` gives every value with its source\n"
    )
}

/// Every value of a chip with its source.
pub(crate) fn everything(chip: &Chip) -> String {
    let mut text = format!("{}: {}\n{}\n\n", chip.name, chip.title, chip.stamp());
    let mut table = Table::new(&[
        ("value", Align::Left),
        ("", Align::Right),
        ("", Align::Left),
        ("source", Align::Left),
    ]);
    for value in &chip.sources {
        table.row([
            value.key.clone(),
            value.value.clone(),
            value.confidence.clone(),
            value.source.clone(),
        ]);
    }
    writeln!(
        text,
        "{table}\nD documented, Dm documented measurement, I inferred, W we choose, P press"
    )
    .expect("strings take all that is written");
    text
}
