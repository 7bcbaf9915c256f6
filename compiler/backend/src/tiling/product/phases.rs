//! The phases of a product: the cube's program, and what stands before it and beside it on the vector cores.

use diag::Span;
use ir::algo;
use ir::tile::{Func, Phase, Tensor};
use isa::types::Elem;

use super::sizes::{self, Tiles};
use super::{Extents, Output, cube, pad, ring, vector, words};
use crate::Level;
use crate::errors;
use crate::partition::{Epilogue, FixEpilogue, Product};
use crate::schedule::space::StepSpace;
use crate::schedule::{Knob, Values};
use crate::tiling::builder::Builder;
use crate::tiling::expr::GmMap;
use crate::tiling::trial::{self, Pick, Sized, open};
use crate::tiling::{Result, StepCx, slots, span_of, vector_phase, workspace};

/// Writes a product with its epilogue; gives what was decided about it.
pub(crate) fn emit(
    cx: &StepCx<'_>,
    (product, epilogue): (&Product, &Epilogue),
    out: Func,
    gm: &GmMap,
) -> Result<(Func, Values)> {
    if !cx.algo.symbols.is_empty() && product.window.is_some() {
        return Err(Box::new(errors::needs_fixed(span_of(cx, product.def))));
    }
    let out_of_l0c = cx.given.values.get(&Knob::Epilogue) == Some(&0);
    if out_of_l0c && matches!(epilogue, Epilogue::Vector(_)) {
        return Err(errors::schedule::not_on_the_way_out(cx.given));
    }
    let pitches = pad::decide(cx, product, epilogue)?;
    let padded = pad::padded(cx, product, pitches);
    let tiles = tiles(cx, &padded, epilogue)?;
    let (out, copies) = pad::copy(cx, (product, &padded), out, gm);
    let phases = Phases {
        cx,
        product: &padded,
        tiles: &tiles,
        gm,
        copies: &copies,
    };
    let (out, mut decided) = phases.with(epilogue, out)?;
    decided.extend(tiles.values());
    let pitches = pad::KNOBS.into_iter().zip(pitches);
    decided.extend(pitches.filter_map(|(knob, pitch)| Some((knob, pitch?))));
    Ok((out, decided))
}

/// Every size of a product with its price, the cheapest planned.
pub(crate) fn candidates(
    cx: &StepCx<'_>,
    (product, epilogue): (&Product, &Epilogue),
    (base, gm): (Func, &GmMap),
    space: &mut StepSpace,
) -> Result<()> {
    let pitches = pad::decide(cx, product, epilogue)?;
    let padded = pad::padded(cx, product, pitches);
    let extents = Extents::of(cx, &padded).assumed(&cx.algo.symbols);
    let tiles = sizes::space(&task(cx, &padded, epilogue, &extents), space);
    let (base, copies) = pad::copy(cx, (product, &padded), base, gm);
    trial::plan_cheapest(cx, space, &mut |number| {
        let phases = Phases {
            cx,
            product: &padded,
            tiles: &tiles[number],
            gm,
            copies: &copies,
        };
        Ok(phases.with(epilogue, base.clone())?.0)
    });
    Ok(())
}

/// Its sizes: those that are given, the rest by rule.
fn tiles(cx: &StepCx<'_>, product: &Product, epilogue: &Epilogue) -> Result<Tiles> {
    let extents = Extents::of(cx, product).assumed(&cx.algo.symbols);
    let task = task(cx, product, epilogue, &extents);
    sizes::check(&task, cx.given, &slots::name_of(cx, product.def))?;
    match cx.level {
        Level::O0 => Ok(sizes::plain(&task)),
        Level::O1 | Level::O3 => Ok(sizes::choose(&task).unwrap_or_else(|| sizes::plain(&task))),
    }
}

pub(super) fn task<'t>(
    cx: &'t StepCx<'_>,
    product: &'t Product,
    epilogue: &Epilogue,
    extents: &'t Extents,
) -> sizes::Task<'t> {
    sizes::Task {
        chip: cx.chip,
        extents,
        whole_columns: matches!(epilogue, Epilogue::Vector(_)),
        window: product.window.as_deref(),
        given: &cx.given.values,
    }
}

/// What the phases of one product are made of.
struct Phases<'a> {
    cx: &'a StepCx<'a>,
    product: &'a Product,
    tiles: &'a Tiles,
    /// Tensors in global memory.
    gm: &'a GmMap,
    /// The same, with copies of factors in their place.
    copies: &'a GmMap,
}

impl Phases<'_> {
    /// The product with what follows it, behind what there is; what was decided beside the tiles.
    fn with(&self, epilogue: &Epilogue, out: Func) -> Result<(Func, Values)> {
        Ok(match epilogue {
            Epilogue::Store => (self.stored(out), Values::new()),
            Epilogue::Fixpipe(fix) => (self.converted(fix, out), [(Knob::Epilogue, 0)].into()),
            Epilogue::Vector(defs) => self.on_vector(defs, out)?,
        })
    }

    fn span(&self) -> Span {
        span_of(self.cx, self.product.def)
    }

    /// The cube's program, behind what there is.
    fn cube(&self, out: &Output, mut b: Builder) -> Func {
        cube::emit(self.cx, self.product, self.tiles, out, &mut b, self.copies);
        b.func
    }

    /// As it comes out of L0C.
    fn stored(&self, func: Func) -> Func {
        let out = Output::Direct {
            tensor: gm_tensor(self.gm, self.cx.algo.defs[self.product.def].target),
            relu: false,
            words: None,
        };
        self.cube(&out, cube_phase(func, self.span()))
    }

    /// Converted on the way out; factors of columns are made into words of the fixpipe first.
    fn converted(&self, fix: &FixEpilogue, func: Func) -> Func {
        let cx = self.cx;
        let (func, words) = match fix.scale {
            None => (func, None),
            Some(scale) => {
                let count = cx.algo.tensors[scale.tensor].shape[0];
                let mut b = vector_phase(func, self.span());
                let name = format!("words{}", b.func.phases.len());
                let made = workspace(&mut b.func, &name, Elem::I64, &[count], self.span());
                let source = gm_tensor(self.gm, scale.tensor);
                words::emit(cx, &mut b, (source, scale.wide), made, count);
                (b.func, Some(made))
            }
        };
        let out = Output::Direct {
            tensor: gm_tensor(self.gm, cx.algo.defs[fix.def].target),
            relu: fix.relu,
            words,
        };
        self.cube(&out, cube_phase(func, self.span()))
    }

    /// Through a ring to the vector cores, which take strips of rows.
    fn on_vector(&self, defs: &[usize], func: Func) -> Result<(Func, Values)> {
        let Phases {
            cx, product, tiles, ..
        } = *self;
        let mut b = cube_phase(func, self.span());
        let target = cx.algo.defs[product.def].target;
        let chan = ring(cx, &mut b, tiles, cx.algo.tensors[target].elem);
        let base = self.cube(&Output::Ring(chan), b);
        let strip = |rows: &i64| [(Knob::Strip, *rows)].into();
        let sizes = open(cx, vector::row_counts(cx, tiles), strip, &|given, _| {
            let rows = given.values.get(&Knob::Strip).copied();
            let rows = rows.filter(|rows| 2 * rows <= tiles.m.max(32));
            rows.into_iter().collect()
        })?;
        let write = &mut |base, &rows: &i64| {
            let mut b = Builder::new(base);
            b.span = self.span();
            let block = b.block;
            if let Some(phase) = b.func.phases.last_mut() {
                phase.vector = Some(block);
            }
            Ok(vector::emit(cx, product, defs, tiles, chan, rows, b, self.gm)?.func)
        };
        let step = Sized::new(sizes, Pick::Cheapest, write);
        let (func, mut decided) = trial::choose(cx, &base, step)?;
        decided.insert(Knob::Epilogue, 1);
        Ok((func, decided))
    }
}

fn gm_tensor(gm: &GmMap, tensor: algo::Tensor) -> Tensor {
    debug_assert!(
        gm.contains_key(&tensor),
        "stored tensors are in global memory"
    );
    gm.get(&tensor).copied().unwrap_or(Tensor::from_u32(0))
}

fn cube_phase(func: Func, span: Span) -> Builder {
    let mut b = Builder::new(func);
    b.span = span;
    b.func.phases.push(Phase {
        cube: Some(b.block),
        vector: None,
    });
    b
}
