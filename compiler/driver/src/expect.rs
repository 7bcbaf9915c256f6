//! Contracts of schedules: what a run must reach, and whether it did.

use diag::{Diagnostic, codes};
use emulator::Report;
use ir::algo::Func;
use ir::schedule::Expectation;
use isa::object::KernelMeta;

use crate::settings::Settings;

/// What the schedule that a kernel is compiled with promises.
pub(crate) fn of(func: &Func, settings: &Settings) -> Result<Vec<Expectation>, Vec<Diagnostic>> {
    let pinned = match &settings.schedule {
        Some(tree) => Some(frontend::schedules(tree, func)?),
        None => None,
    };
    let schedules = pinned.as_ref().unwrap_or(&func.schedules);
    let here = schedules.iter().find(|schedule| {
        let target = schedule.target.as_ref();
        target.is_none_or(|target| target.text == settings.chip.name)
    });
    Ok(here
        .map(|schedule| schedule.expects.clone())
        .unwrap_or_default())
}

/// The promises that a run did not keep.
pub(crate) fn broken(
    expects: &[Expectation],
    kernel: &KernelMeta,
    report: &Report,
) -> Vec<Diagnostic> {
    let broken = expects.iter().filter_map(|expect| {
        let (measure, ideal) = measured(&expect.measure, kernel, report)?;
        let bound = match expect.of_ideal {
            true => expect.bound * ideal,
            false => expect.bound,
        };
        (!expect.op.holds(measure, bound)).then(|| fails(expect, measure, bound))
    });
    broken.collect()
}

/// A measure of a run, and what it would be at best.
fn measured(name: &str, kernel: &KernelMeta, report: &Report) -> Option<(f64, f64)> {
    let bound = report.bound.cycles as f64;
    match name {
        // Of the cube, or, where it has nothing to do, of what binds.
        "utilization" if report.useful_mads > 0 => Some((report.cube_utilization(), 1.0)),
        "utilization" => Some((bound / report.cycles.max(1) as f64, 1.0)),
        "hbm" => {
            let moved = report.hbm_read.saturating_add(report.hbm_write);
            Some((moved as f64, kernel.compulsory_bytes as f64))
        }
        "cycles" => Some((report.cycles as f64, bound)),
        _ => None,
    }
}

fn fails(expect: &Expectation, measure: f64, bound: f64) -> Diagnostic {
    let shown = |value: f64| match expect.measure.as_str() {
        "utilization" => format!("{:.1} %", 100.0 * value),
        "hbm" => format!("{value:.0} bytes"),
        _ => format!("{value:.0}"),
    };
    let what = format!(
        "{} is {}, and {} {} is promised",
        expect.measure,
        shown(measure),
        expect.op.text(),
        shown(bound)
    );
    Diagnostic::new(codes::E0406, what).primary(expect.span, "this does not hold")
}
