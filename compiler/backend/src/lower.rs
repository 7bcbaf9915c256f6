//! From tile form to an object: the passes, then selection and emission.

use diag::{Diagnostic, Span, codes};
use ir::tile::{Func, Stage};
use isa::chip::Chip;
use isa::object::Object;
use isa::types::CoreKind;

use crate::Options;
use crate::emit::{Resolver, emit};
use crate::pipeline::{PASSES, PassCx};
use crate::plan;
use crate::select::select;

/// A lowered function, level by level.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// With addresses.
    pub placed: Func,
    /// With flags and barriers.
    pub synced: Func,
    /// The address map with lifetimes.
    pub memory: String,
    /// The finished object.
    pub object: Object,
}

impl Lowered {
    /// The function as the pass to that stage left it.
    pub fn at(&self, stage: Stage) -> &Func {
        match stage {
            Stage::Synced => &self.synced,
            Stage::Tiled | Stage::Legal | Stage::Placed => &self.placed,
        }
    }
}

/// Lowers a function to an object. Passes it has already been through are left out: text may enter at any stage.
///
/// # Errors
/// A buffer that does not fit (E0501), an operation without instructions (E0502).
pub fn lower(
    mut func: Func,
    chip: &Chip,
    options: Options,
    resolve: Resolver<'_>,
) -> Result<Lowered, Vec<Diagnostic>> {
    let cx = PassCx { chip, options };
    verified(&func, &cx, "tile")?;
    let mut placed = None;
    let entered = func.stage;
    for pass in PASSES.iter().filter(|pass| entered < pass.to) {
        (pass.run)(&mut func, &cx)?;
        verified(&func, &cx, pass.name)?;
        if pass.to == Stage::Placed {
            placed = Some(func.clone());
        }
    }
    let cube = select(&func, chip, CoreKind::Cube).map_err(|found| vec![found])?;
    let vector = select(&func, chip, CoreKind::Vector).map_err(|found| vec![found])?;
    let object = emit(&func, chip, options.level.name(), cube, vector, resolve);
    legal(&object, &cx)?;
    let placed = placed.unwrap_or_else(|| func.clone());
    Ok(Lowered {
        memory: plan::report(&placed, chip),
        placed,
        synced: func,
        object,
    })
}

/// Checks the tile form after a pass, if asked to.
fn verified(func: &Func, cx: &PassCx<'_>, pass: &str) -> Result<(), Vec<Diagnostic>> {
    if !cx.options.verify_each {
        return Ok(());
    }
    let verdict = ir::tile::verify::verify(func, &|space| cx.chip.space_bytes(space));
    let violation = |what| defect(format!("after `{pass}`: {what}"));
    verdict.map_err(|found| found.into_iter().map(violation).collect())
}

/// Checks every instruction against the machine's rules, if asked to.
fn legal(object: &Object, cx: &PassCx<'_>) -> Result<(), Vec<Diagnostic>> {
    if !cx.options.verify_each {
        return Ok(());
    }
    let violation = |(core, pc, error): (CoreKind, usize, isa::legal::LegalError)| {
        defect(format!(
            "instruction {pc} of the {} program: {error}",
            core.name()
        ))
    };
    let refused = isa::legal::check_object(object, cx.chip);
    if refused.is_empty() {
        return Ok(());
    }
    Err(refused.into_iter().map(violation).collect())
}

fn defect(what: String) -> Diagnostic {
    Diagnostic::new(codes::E0605, what).primary(Span::NONE, "")
}
