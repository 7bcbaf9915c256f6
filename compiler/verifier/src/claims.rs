//! Holding the words to what is claimed of them: a step uses the buffers that it names and no others, and of those it reads
//! and writes every byte that it says.
//!
//! Claims prove nothing by themselves: order, values and bounds are proved without them, and a program without claims is
//! proved as well. They are what is said of buffers and data flow by whoever knows what the words are for, and so catch a
//! program that is sound and does something else. A violation is told only if nothing else is wrong.
//! Where to start: [`Core::claim`].

use std::collections::HashMap;

use isa::object::Object;
use isa::object::claims::{Claims, Part, Place as Named, Step};
use isa::types::{CoreKind, Space};
use smallvec::SmallVec;

use crate::core::{Core, Target};
use crate::footprint::{Footprints, merge};
use crate::refusal::{Reason, Refusal};
use crate::shape::{Shape, Shapes};
use crate::slopes::{LEVELS, Slopes};
use crate::world::World;

/// Pieces of one part at most.
const MOST: i64 = 1 << 16;

type Piece = (i64, i64);
/// Start, count, stride and length of what a part names; none if data decides.
type Said = Option<[i64; 4]>;
/// What an instruction touches: its shape, and where in the tensor from what is claimed; none if data decides.
type Done = (u32, Option<i64>);
type Key = (u8, u32, SmallVec<[Said; 4]>, SmallVec<[Done; 8]>);

/// A step that is being followed.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    number: u32,
    said: SmallVec<[Said; 4]>,
    /// How the start of what is claimed of a tensor changes.
    slopes: Slopes,
    done: SmallVec<[Done; 8]>,
}

/// What is claimed of the programs, and which steps were found to do so.
#[derive(Debug, Default)]
pub(crate) struct Held<'a> {
    claims: Option<&'a Claims>,
    /// Of each instruction the step that it belongs to, from 1; 0 for none.
    steps: [Vec<u32>; 2],
    checked: HashMap<Key, Option<String>>,
    /// What is wrong, once it is found.
    pub(crate) wrong: Option<Refusal>,
}

impl<'a> Held<'a> {
    pub(crate) fn new(object: &'a Object) -> Held<'a> {
        if object.claims.is_empty() {
            return Held::default();
        }
        let steps = [CoreKind::Cube, CoreKind::Vector].map(|kind| {
            let mut steps = vec![0; object.code(kind).len()];
            for (number, step) in object.claims.steps(kind).iter().enumerate() {
                let range = step.first as usize..step.end as usize;
                if let Some(range) = steps.get_mut(range) {
                    range.fill(number as u32 + 1);
                }
            }
            steps
        });
        Held {
            claims: Some(&object.claims),
            steps,
            ..Held::default()
        }
    }

    fn step(&self, kind: CoreKind, number: u32) -> Option<&'a Step> {
        let steps = self.claims?.steps(kind);
        steps.get((number as usize).checked_sub(1)?)
    }
}

impl Core {
    /// Notes which step an instruction belongs to, before it is executed; a step that it leaves is over.
    pub(crate) fn claim(&mut self, world: &mut World<'_>, pc: u32) {
        if world.held.claims.is_none() || world.held.wrong.is_some() {
            return;
        }
        let kind = self.name.kind();
        let number = world.held.steps[kind as usize][pc as usize];
        if self.step.as_ref().map_or(0, |step| step.number) == number {
            return;
        }
        self.close_step(world);
        if let Some(step) = world.held.step(kind, number) {
            self.open_step(world, number, step);
        }
    }

    fn open_step(&mut self, world: &World<'_>, number: u32, step: &Step) {
        let mut open = Open {
            number,
            said: SmallVec::new(),
            slopes: [0; LEVELS],
            done: SmallVec::new(),
        };
        for part in &step.parts {
            let said = self.said(part);
            if !self.levels.is_empty()
                && let (Some(_), Some(bytes)) = (said, &part.bytes)
            {
                let mut fixed = bytes.registers();
                if let Named::Tensor(_) = part.place {
                    for &(reg, factor) in &bytes.start.terms {
                        let slopes = self.levels.of(reg);
                        for (sum, slope) in open.slopes.iter_mut().zip(slopes) {
                            *sum = sum.wrapping_add(slope.wrapping_mul(factor));
                        }
                    }
                    fixed &= !bytes
                        .start
                        .terms
                        .iter()
                        .fold(0, |bits, (reg, _)| bits | 1 << reg.index());
                }
                self.levels.pin(fixed);
            }
            let base = match part.place {
                Named::Tensor(tensor) => {
                    let region = world.gm.regions.get(tensor as usize);
                    region.map_or(0, |region| region.start)
                }
                Named::Buffer(_) => 0,
            };
            open.said.push(said.map(|[start, count, stride, len]| {
                [start.wrapping_add(base as i64), count, stride, len]
            }));
        }
        self.step = Some(open);
    }

    /// What a part names with registers as they are.
    fn said(&self, part: &Part) -> Said {
        let bytes = part.bytes.as_ref()?;
        if bytes.registers() & self.regs.unknown != 0 {
            return None;
        }
        let reg = |reg: isa::inst::Reg| self.regs.x[reg.index()] as i64;
        Some([
            bytes.start.value(reg)?,
            bytes.count.value(reg)?,
            bytes.stride.value(reg)?,
            bytes.len.value(reg)?,
        ])
    }

    /// Notes what an instruction touches.
    pub(crate) fn note_use(&mut self, world: &mut World<'_>, shape: u32, targets: &[Target; 2]) {
        if world.held.claims.is_none() || world.held.wrong.is_some() {
            return;
        }
        let kind = self.name.kind();
        let Some(open) = &mut self.step else {
            let touches = &world.shapes.all[shape as usize];
            let claimed = world
                .held
                .claims
                .is_some_and(|it| !it.steps(kind).is_empty());
            if claimed && !(touches.uses.is_empty() && touches.global.is_empty()) {
                let what = "it belongs to no step that is claimed to use memory".to_owned();
                world.held.wrong = Some(self.refuse(self.pc, kind_lane(), Reason::Claimed(what)));
            }
            return;
        };
        let mut far = None;
        let moves = !world.shapes.all[shape as usize].global.is_empty();
        let tensor = world.held.step(kind, open.number).and_then(|step| {
            let place = |part: &Part| matches!(part.place, Named::Tensor(_));
            step.parts.iter().position(place)
        });
        let said = tensor.and_then(|part| open.said[part]);
        if let (true, Target::Address(at, slopes), Some([start, ..])) = (moves, targets[0], said) {
            far = Some((at as i64).wrapping_sub(start));
            let pairs = slopes.iter().zip(open.slopes);
            for (level, (is, said)) in self.levels.all.iter_mut().zip(pairs) {
                level.failed |= *is != said;
            }
        }
        let done = (shape, far);
        if open.done.last() != Some(&done) {
            open.done.push(done);
        }
    }

    /// What is claimed of a tensor moves on with so many rounds that are not followed.
    pub(crate) fn shift_step(&mut self, level: usize, rounds: u32) {
        let Some(open) = &mut self.step else { return };
        let way = open.slopes[level].wrapping_mul(i64::from(rounds));
        if way != 0 {
            // The one part with a slope is the tensor's, which comes last.
            if let Some(Some(said)) = open.said.last_mut() {
                said[0] = said[0].wrapping_add(way);
            }
        }
    }

    /// A step is over: it has done what is claimed, or it is noted that it has not.
    pub(crate) fn close_step(&mut self, world: &mut World<'_>) {
        let Some(open) = self.step.take() else { return };
        let kind = self.name.kind();
        let Some(step) = world.held.step(kind, open.number) else {
            return;
        };
        let mut said = open.said;
        for (part, said) in step.parts.iter().zip(&mut said) {
            // What is noted of a tensor is so much further than what is claimed.
            if let (Named::Tensor(_), Some(said)) = (part.place, said) {
                said[0] = 0;
            }
        }
        let key = (kind as u8, open.number, said, open.done);
        let wrong = match world.held.checked.get(&key) {
            Some(wrong) => wrong.clone(),
            None => {
                let claims = world.held.claims.unwrap_or(&NONE);
                let check = Check {
                    claims,
                    shapes: &world.shapes,
                    footprints: &world.footprints,
                };
                let wrong = check.step(step, &key.2, &key.3).err();
                world.held.checked.insert(key, wrong.clone());
                wrong
            }
        };
        if let Some(text) = wrong
            && world.held.wrong.is_none()
        {
            world.held.wrong = Some(self.refuse(step.first, kind_lane(), Reason::Claimed(text)));
        }
    }
}

static NONE: Claims = Claims {
    buffers: Vec::new(),
    aic: Vec::new(),
    aiv: Vec::new(),
};

/// Claims are of steps, not of queues.
const fn kind_lane() -> usize {
    crate::order::SCALAR
}

/// What a step has done beside what it is claimed to do.
struct Check<'a> {
    claims: &'a Claims,
    shapes: &'a Shapes,
    footprints: &'a Footprints,
}

/// What is touched of one memory.
#[derive(Default)]
struct Touched {
    reads: Vec<(u32, u32)>,
    writes: Vec<(u32, u32)>,
}

impl Check<'_> {
    fn step(&self, step: &Step, said: &[Said], done: &[Done]) -> Result<(), String> {
        let nothing = |said: &Said| said.is_some_and(|[_, count, _, len]| count <= 0 || len <= 0);
        let shapes = || done.iter().map(|done| &self.shapes.all[done.0 as usize]);
        for shape in shapes() {
            self.inside(step, said, shape)?;
        }
        // An operation on no rows or no columns does nothing, whatever its other operands are.
        if said.iter().any(nothing) {
            return Ok(());
        }
        for (part, said) in step.parts.iter().zip(said) {
            let Some(said) = said else { continue };
            match part.place {
                Named::Buffer(number) => {
                    let buffer = &self.claims.buffers[number as usize];
                    let touched = self.on_chip(shapes(), buffer.space);
                    let claimed = pieces(*said, i64::from(buffer.at))?;
                    let all = [
                        (part.reads, touched.reads, "reads"),
                        (part.writes, touched.writes, "writes"),
                    ];
                    for (_, mut touched, verb) in all.into_iter().filter(|all| all.0) {
                        merge(&mut touched);
                        let touched: Vec<Piece> = touched
                            .iter()
                            .map(|&(a, b)| (i64::from(a), i64::from(b)))
                            .collect();
                        if let Some((from, to)) = gap(&claimed, &touched) {
                            return Err(format!(
                                "bytes {from:#x} to {to:#x} of {}, which are `{}`: the step is claimed to, and no instruction of it {verb} them",
                                buffer.space, buffer.name
                            ));
                        }
                    }
                }
                Named::Tensor(_) => self.tensor(part, *said, done)?,
            }
        }
        Ok(())
    }

    /// Whether an instruction uses nothing on chip but the buffers that its step names.
    fn inside(&self, step: &Step, said: &[Said], shape: &Shape) -> Result<(), String> {
        for use_ in &shape.uses {
            let footprint = self.footprints.get(use_.bytes);
            for &piece in &footprint.pieces {
                let room = |(part, said): (&Part, &Said)| {
                    let (from, to) = self.room(part, said, footprint.space)?;
                    let inside = from <= i64::from(piece.0) && i64::from(piece.1) <= to;
                    (inside && (part.writes || !use_.writes)).then_some(())
                };
                if step.parts.iter().zip(said).find_map(room).is_none() {
                    let verb = if use_.writes { "writes" } else { "reads" };
                    return Err(format!(
                        "`{}` {verb} bytes {:#x} to {:#x} of {}, outside the buffers of its step: {}",
                        use_.operand,
                        piece.0,
                        piece.1,
                        footprint.space,
                        self.names(step, use_.writes)
                    ));
                }
            }
        }
        Ok(())
    }

    /// The bytes of the copy of a buffer that a part is of.
    fn room(&self, part: &Part, said: &Said, space: Space) -> Option<Piece> {
        let Named::Buffer(number) = part.place else {
            return None;
        };
        let buffer = &self.claims.buffers[number as usize];
        if buffer.space != space {
            return None;
        }
        let (at, bytes) = (i64::from(buffer.at), i64::from(buffer.bytes));
        match said {
            Some([start, ..]) if bytes > 0 => {
                let copy = start.div_euclid(bytes);
                let there = (0..i64::from(buffer.copies.max(1))).contains(&copy);
                let from = copy.saturating_mul(bytes).saturating_add(at);
                there.then_some((from, from.saturating_add(bytes)))
            }
            Some(_) | None => {
                let all = bytes.saturating_mul(i64::from(buffer.copies.max(1)));
                Some((at, at.saturating_add(all)))
            }
        }
    }

    fn names(&self, step: &Step, writes: bool) -> String {
        let named = step.parts.iter().filter(|part| part.writes || !writes);
        let names = named.filter_map(|part| match part.place {
            Named::Buffer(number) => {
                Some(format!("`{}`", self.claims.buffers[number as usize].name))
            }
            Named::Tensor(_) => None,
        });
        let mut names: Vec<String> = names.collect();
        names.dedup();
        names.join(", ")
    }

    fn on_chip<'s>(&self, shapes: impl Iterator<Item = &'s Shape>, space: Space) -> Touched {
        let mut touched = Touched::default();
        for use_ in shapes.flat_map(|shape| &shape.uses) {
            let footprint = self.footprints.get(use_.bytes);
            if footprint.space != space {
                continue;
            }
            if use_.reads {
                touched.reads.extend_from_slice(&footprint.pieces);
            }
            if use_.writes {
                touched.writes.extend_from_slice(&footprint.pieces);
            }
        }
        touched
    }

    /// Whether the elements of a tensor that are claimed are moved, and no others written.
    fn tensor(&self, part: &Part, said: [i64; 4], done: &[Done]) -> Result<(), String> {
        let claimed = pieces(said, 0)?;
        let mut touched: Vec<Piece> = Vec::new();
        for &(shape, far) in done {
            let global = &self.shapes.all[shape as usize].global;
            if global.is_empty() {
                continue;
            }
            let Some(far) = far else { return Ok(()) };
            for use_ in global {
                if use_.writes != part.writes {
                    return Err("it moves to or from a tensor the other way".to_owned());
                }
                if use_
                    .pieces
                    .outer
                    .count
                    .saturating_mul(use_.pieces.inner.count)
                    > MOST as u64
                {
                    return Ok(());
                }
                let moved = |(start, len): (u64, u64)| {
                    let start = far.wrapping_add(start as i64);
                    (start, start.wrapping_add(len as i64))
                };
                touched.extend(use_.pieces.pieces().map(moved));
            }
        }
        let touched = joined(touched);
        let wrong = |(from, to): Piece, what: &str| {
            Err(format!(
                "bytes {from} to {to} from where its step is claimed to use a tensor are {what}"
            ))
        };
        if let Some(missing) = gap(&claimed, &touched) {
            return wrong(missing, "not moved");
        }
        match gap(&touched, &claimed).filter(|_| part.writes) {
            Some(beyond) => wrong(beyond, "written and not claimed"),
            None => Ok(()),
        }
    }
}

/// The pieces that are named, ascending.
fn pieces([start, count, stride, len]: [i64; 4], base: i64) -> Result<Vec<Piece>, String> {
    if count <= 0 || len <= 0 {
        return Ok(Vec::new());
    }
    let start = start.wrapping_add(base);
    if count == 1 || stride == len {
        let end = count
            .checked_mul(len)
            .and_then(|all| start.checked_add(all));
        let end = end.ok_or("what is claimed of its step ends beyond every memory")?;
        return Ok(vec![(start, end)]);
    }
    if count > MOST {
        return Err("more pieces are claimed of its step than can be looked at".to_owned());
    }
    let all = (0..count).map(|n| {
        let from = start.wrapping_add(n.wrapping_mul(stride));
        (from, from.wrapping_add(len))
    });
    Ok(joined(all.collect()))
}

/// Sorts pieces and joins those that touch.
fn joined(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.retain(|piece| piece.0 < piece.1);
    pieces.sort_unstable();
    let mut all: Vec<Piece> = Vec::new();
    for piece in pieces {
        match all.last_mut() {
            Some(last) if piece.0 <= last.1 => last.1 = last.1.max(piece.1),
            Some(_) | None => all.push(piece),
        }
    }
    all
}

/// The first bytes of some pieces that others lack; both ascend, and the others do not touch.
fn gap(wanted: &[Piece], there: &[Piece]) -> Option<Piece> {
    wanted.iter().find_map(|&(from, to)| {
        let at = there.partition_point(|piece| piece.1 <= from);
        match there.get(at) {
            Some(&(first, end)) if first <= from => (end < to).then_some((end, to)),
            Some(&(first, _)) => Some((from, to.min(first))),
            None => Some((from, to)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found() {
        let there = joined(vec![(32, 64), (0, 32), (96, 128)]);
        assert_eq!(there, [(0, 64), (96, 128)]);
        assert_eq!(gap(&[(0, 64), (100, 128)], &there), None);
        assert_eq!(gap(&[(16, 70)], &there), Some((64, 70)));
        assert_eq!(gap(&[(64, 100)], &there), Some((64, 96)));
        assert_eq!(gap(&[(128, 130)], &there), Some((128, 130)));
    }

    #[test]
    fn pieces_are_bounded() {
        assert_eq!(pieces([4, 2, 8, 4], 0), Ok(vec![(4, 8), (12, 16)]));
        assert_eq!(pieces([4, 3, 8, 8], 1), Ok(vec![(5, 29)]));
        assert_eq!(pieces([4, -3, 8, 8], 1), Ok(Vec::new()));
        assert!(pieces([0, i64::MAX, 8, 4], 0).is_err());
    }
}
