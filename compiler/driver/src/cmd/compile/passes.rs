//! `-Z passes=…` and `-Z stop-after=…`: some passes over a tile form; `-Z verify-each`: that none of them changed a value.

use backend::Lowered;
use backend::pipeline::{PASSES, Pass, PassCx};
use diag::Diagnostic;
use ir::algo::data::{Data, draw, element_count};
use ir::tile::{Func, TensorRole};

use crate::errors;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;

/// Elements of all tensors up to which values are computed after each pass.
const SMALL: usize = 1 << 20;

/// Runs the passes of these names in this order, and prints what comes out.
pub(super) fn run(
    mut func: Func,
    names: &[String],
    settings: &Settings,
    session: &mut Session<'_, '_>,
) -> Result<String, Stop> {
    let cx = PassCx {
        chip: &settings.chip,
        options: settings.options(),
    };
    super::levels::print_after("tile", &func, settings, session);
    let before = values(&func, settings)?;
    for pass in names.iter().filter_map(|name| row(name)) {
        (pass.run)(&mut func, &cx)?;
        super::levels::print_after(pass.name, &func, settings, session);
        if settings.verify_each {
            crate::tile::verify(&func, &settings.chip)?;
            unchanged(pass.name, &before, &values(&func, settings)?)?;
        }
    }
    Ok(ir::tile::print(&func))
}

fn row(name: &str) -> Option<&'static Pass> {
    PASSES.iter().find(|pass| pass.name == name)
}

/// Says which pass was the first to change a value, if one did.
pub(super) fn same_values(
    tiled: &Func,
    lowered: &Lowered,
    settings: &Settings,
) -> Result<(), Diagnostic> {
    let before = values(tiled, settings)?;
    let entered = tiled.stage;
    for pass in PASSES.iter().filter(|pass| entered < pass.to) {
        unchanged(pass.name, &before, &values(lowered.at(pass.to), settings)?)?;
    }
    Ok(())
}

fn unchanged(pass: &str, before: &[Data], after: &[Data]) -> Result<(), Diagnostic> {
    if before == after {
        Ok(())
    } else {
        Err(errors::pass_changes_values(pass))
    }
}

/// What the sequential evaluator makes of drawn inputs; nothing if it is not asked for, or the tensors are large.
fn values(func: &Func, settings: &Settings) -> Result<Vec<Data>, Diagnostic> {
    let count = func
        .tensors
        .values()
        .map(|tensor| element_count(&tensor.shape).unwrap_or(usize::MAX));
    let small = count.fold(0, usize::saturating_add) <= SMALL;
    if !settings.verify_each || !small {
        return Ok(Vec::new());
    }
    let input = |tensor: &ir::tile::TensorData| {
        let drawn = || draw(tensor.elem, &tensor.shape, 0, &tensor.name);
        (tensor.role == TensorRole::In).then(drawn)
    };
    let tensors = func.tensors.values();
    let given = tensors.filter(|tensor| tensor.role != TensorRole::Work);
    let inputs: Vec<Option<Data>> = given.map(input).collect();
    ir::tile::eval::eval(func, &inputs).map_err(|e| errors::evaluation(e.span, &e.message))
}
