//! Which bytes hold values: what an instruction demands of those that it uses, and what it leaves in those that it writes.

use isa::types::Space;

use crate::core::{Core, Target};
use crate::footprint::Footprints;
use crate::moves::Moves;
use crate::refusal::Reason;
use crate::shape::Shape;
use crate::work::{Stop, alone, moved, whole};

impl Core {
    /// Demands values in what is used.
    pub(crate) fn demand(&mut self, footprints: &Footprints, shape: &Shape) -> Result<(), Stop> {
        let wrong = |operand, space, address: u32| {
            alone(Reason::Uninitialised {
                operand,
                space,
                address: address.into(),
                tensor: None,
            })
        };
        for &bytes in &shape.needs {
            if let Some(hole) = self.local.hole(footprints, bytes) {
                let space = footprints.get(bytes).space;
                let mut named = shape.uses.iter().filter(|use_| use_.reads);
                let named = named.find(|use_| footprints.get(use_.bytes).space == space);
                return Err(wrong(named.map_or("src", |use_| use_.operand), space, hole));
            }
        }
        let Some(product) = &shape.product else {
            return Ok(());
        };
        let operands = shape.uses.iter().filter(|use_| {
            let space = footprints.get(use_.bytes).space;
            use_.reads && matches!(space, Space::L0a | Space::L0b)
        });
        let full = operands
            .filter(|use_| self.local.hole(footprints, use_.bytes).is_some())
            .count()
            == 0;
        match self.local.missing(product).filter(|_| !full) {
            Some((operand, space, address)) => Err(wrong(operand, space, address)),
            None => Ok(()),
        }
    }

    /// Says which bytes hold values afterwards.
    pub(crate) fn provide(
        &mut self,
        footprints: &Footprints,
        gm: &crate::gm::Global,
        shape: &Shape,
        targets: &[Target; 2],
    ) {
        let source = shape.uses.iter().find(|use_| !use_.writes);
        let complete = match (&shape.moves, source) {
            (Moves::Values, _) => true,
            (_, Some(use_)) => self.local.hole(footprints, use_.bytes).is_none(),
            (_, None) => all_set(gm, shape, targets),
        };
        if complete {
            for &bytes in &shape.gives {
                self.local.give(footprints, bytes);
            }
        } else {
            self.provide_part(footprints, gm, shape, targets);
        }
        if let Moves::Turned(_, size) = shape.moves {
            for &bytes in &shape.gives {
                self.local.turn_over(footprints, bytes, size);
            }
        }
    }

    /// As [`Core::provide`], where something of the source holds no value.
    fn provide_part(
        &mut self,
        footprints: &Footprints,
        gm: &crate::gm::Global,
        shape: &Shape,
        targets: &[Target; 2],
    ) {
        let Some(&bytes) = shape.gives.first() else {
            return;
        };
        let to = footprints.get(bytes).space;
        let source = shape.uses.iter().find(|use_| !use_.writes);
        match (&shape.moves, source, targets[0]) {
            (Moves::Local(pairs) | Moves::Turned(pairs, _), Some(use_), _) => {
                let from = footprints.get(use_.bytes).space;
                if matches!(shape.moves, Moves::Turned(..)) {
                    self.local.give(footprints, bytes);
                }
                self.local.straighten(footprints, bytes);
                self.local.copy((to, from), pairs);
            }
            (Moves::Global(pairs), None, Target::Address(at, _)) => {
                self.local.give(footprints, bytes);
                for &(dst, offset, len) in pairs {
                    let Ok(region) = gm.span("src", (at + offset, at + offset + u64::from(len)))
                    else {
                        continue;
                    };
                    let missing = (0..len)
                        .filter(|n| !gm.has_value(region, at + offset + u64::from(*n)))
                        .map(|n| dst + n);
                    self.local.lose(to, missing);
                }
            }
            (Moves::Values | Moves::Together, _, _)
            | (Moves::Local(_) | Moves::Turned(..), None, _)
            | (Moves::Global(_), _, _) => {
                self.local.straighten(footprints, bytes);
                self.local.lose_all(footprints, bytes);
            }
        }
    }
}

/// Whether all bytes that a shape reads of global memory hold values.
fn all_set(gm: &crate::gm::Global, shape: &Shape, targets: &[Target; 2]) -> bool {
    shape.global.iter().enumerate().all(|(number, use_)| {
        let (region, pieces) = match targets[number.min(1)] {
            Target::Address(at, _) => {
                let pieces = moved(&use_.pieces, at);
                match gm.span("src", pieces.span()) {
                    Ok(region) => (region, pieces),
                    Err(_) => return false,
                }
            }
            Target::Region(region) => (region, whole(gm, region)),
        };
        let set = |(start, len)| gm.hole(region, (start, start + len)).is_none();
        gm.is_input(region) || pieces.pieces().all(set)
    })
}
