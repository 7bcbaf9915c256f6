//! Emission: programs, metadata and line table into one object.
//!
//! Knows no files: where a span stands is the asker's business.

use diag::Span;
use ir::tile::{Func, TensorRole};
use isa::chip::Chip;
use isa::inst::MmadTy;
use isa::object::claims::{Buffer, Claims};
use isa::object::{KernelMeta, Launch, LineRow, Object, ParamDir, ParamMeta};
use isa::types::{Elem, Space};

use crate::select::{Code, scratch_bytes};

/// Says in which file, line and column (both from 1) a span starts.
pub type Resolver<'r> = &'r dyn Fn(Span) -> Option<(String, u32, u32)>;

/// Makes the object of a function from the programs of its cube and vector cores.
pub fn emit(
    func: &Func,
    chip: &Chip,
    opt: &str,
    cube: Code,
    vector: Code,
    resolve: Resolver<'_>,
) -> Object {
    let mut files = Vec::new();
    let lines_aic = lines(&cube.spans, resolve, &mut files);
    let lines_aiv = lines(&vector.spans, resolve, &mut files);
    let claims = Claims {
        buffers: buffers(func, chip),
        aic: cube.claims,
        aiv: vector.claims,
    };
    Object {
        chip: chip.name.clone(),
        chip_version: chip.version_stamp(),
        kernel: meta(func, opt, !cube.insts.is_empty(), !vector.insts.is_empty()),
        aic: cube.insts,
        aiv: vector.insts,
        files,
        lines_aic,
        lines_aiv,
        claims,
        certificate: String::new(),
    }
}

fn meta(func: &Func, opt: &str, cube: bool, vector: bool) -> KernelMeta {
    let params = func.tensors.values().map(|tensor| ParamMeta {
        name: tensor.name.clone(),
        elem: tensor.elem,
        shape: tensor
            .shape
            .iter()
            .map(|&extent| known(func, extent))
            .collect(),
        dir: match tensor.role {
            TensorRole::In => ParamDir::In,
            TensorRole::Out => ParamDir::Out,
            TensorRole::Work => ParamDir::Work,
        },
    });
    KernelMeta {
        name: func.name.clone(),
        params: params.collect(),
        sizes: func
            .sizes
            .iter()
            .map(|(name, size)| (name.clone(), known(func, *size)))
            .collect(),
        launch: launch(func),
        cube_cores: if cube { func.groups } else { 0 },
        vector_cores: if vector {
            func.groups.saturating_mul(2)
        } else {
            0
        },
        mads: func.work.mads,
        mad_ty: func.work.mad_elem.and_then(mad_ty),
        vector_ops: func.work.vector_ops,
        compulsory_bytes: func.work.compulsory_bytes,
        opt: opt.to_owned(),
    }
}

/// The buffers of a function, in order, and the blocks for scalars behind them.
fn buffers(func: &Func, chip: &Chip) -> Vec<Buffer> {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let named = func.bufs.values().map(|data| Buffer {
        name: data.name.clone(),
        space: data.space,
        at: data.addr.unwrap_or(0),
        bytes: number(data.copy_bytes().unwrap_or(0)),
        copies: data.depth,
    });
    let scratch = scratch_bytes(func);
    let end = chip.usable_bytes(Space::Ub);
    let scalars = (scratch > 0).then(|| Buffer {
        name: "scalars".to_owned(),
        space: Space::Ub,
        at: number(end.saturating_sub(scratch)),
        bytes: number(scratch),
        copies: 1,
    });
    named.chain(scalars).collect()
}

/// A size, or 0 for one that the launch gives.
fn known(func: &Func, size: i64) -> u64 {
    match func.symbols.is_symbolic(size) {
        true => 0,
        false => u64::try_from(size).unwrap_or(0),
    }
}

fn launch(func: &Func) -> Launch {
    let symbols = &func.symbols;
    if symbols.is_empty() {
        return Launch::default();
    }
    let shape = |shape: &[i64]| shape.iter().map(|&n| symbols.show(n)).collect();
    Launch {
        sizes: symbols
            .all
            .iter()
            .map(|symbol| symbol.name.clone())
            .collect(),
        shapes: func
            .tensors
            .values()
            .map(|tensor| shape(&tensor.shape))
            .collect(),
        conditions: symbols.conditions.clone(),
        work: symbols.work.clone(),
    }
}

fn mad_ty(elem: Elem) -> Option<MmadTy> {
    MmadTy::ALL.iter().copied().find(|ty| ty.elem() == elem)
}

/// A row where the place changes; instructions without a place belong to the one before.
fn lines(spans: &[Span], resolve: Resolver<'_>, files: &mut Vec<String>) -> Vec<LineRow> {
    let mut rows: Vec<LineRow> = Vec::new();
    let mut last = Span::NONE;
    for (pc, &span) in spans.iter().enumerate() {
        if span == last || span.is_none() {
            continue;
        }
        let Some((file, line, col)) = resolve(span) else {
            continue;
        };
        last = span;
        let known = files.iter().position(|name| *name == file);
        let file = known.unwrap_or_else(|| {
            files.push(file);
            files.len() - 1
        });
        rows.push(LineRow {
            pc: u32::try_from(pc).unwrap_or(u32::MAX),
            file: u32::try_from(file).unwrap_or(u32::MAX),
            line,
            col,
            byte_start: span.start,
            byte_end: span.end,
        });
    }
    rows
}
