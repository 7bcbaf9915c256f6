//! What decisions mean for the steps of a kernel: names are looked up, each value finds the slots that it is for.

use std::collections::BTreeSet;

use diag::Diagnostic;
use ir::algo::Func;
use ir::schedule::{self as written, Block, Decision, DecisionKind, Group, Name, Number};
use isa::chip::Chip;

use super::{Axis, Form, Given, Knob, Schedule, Slot, StepSchedule};
use crate::errors::schedule as errors;

type Result<T> = std::result::Result<T, Box<Diagnostic>>;

/// What another schedule says about each step.
pub(crate) fn wanted(steps: &[StepSchedule], schedule: Option<&Schedule>) -> Vec<Given> {
    let given = |step: &StepSchedule| {
        let known = schedule.and_then(|schedule| schedule.step(&step.name));
        Given {
            values: known.map(|known| known.values.clone()).unwrap_or_default(),
            ..Given::default()
        }
    };
    steps.iter().map(given).collect()
}

/// The first schedule that was written for this chip.
pub(crate) fn applicable<'f>(func: &'f Func, chip: &Chip) -> Option<&'f written::Schedule> {
    let here = |schedule: &&written::Schedule| {
        let target = schedule.target.as_ref();
        target.is_none_or(|target| target.text == chip.name)
    };
    func.schedules.iter().find(here)
}

/// Decisions that are needed before there are steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Early {
    /// Definitions that the vector cores compute although the fixpipe could.
    pub(crate) on_vector: BTreeSet<String>,
    /// Whether definitions are kept that one pass would compute together.
    pub(crate) keeps: bool,
}

/// What a schedule, or another one, says before there are steps.
pub(crate) fn early(written: Option<&written::Schedule>, wanted: Option<&Schedule>) -> Early {
    let mut early = Early {
        keeps: wanted.is_some_and(|wanted| !wanted.keep.is_empty()),
        ..Early::default()
    };
    for step in wanted.into_iter().flat_map(|wanted| &wanted.steps) {
        if step.values.get(&Knob::Epilogue) == Some(&1) {
            early.on_vector.insert(step.name.clone());
        }
    }
    for decision in written.into_iter().flat_map(|written| &written.decisions) {
        match &decision.kind {
            DecisionKind::Keep { .. } => early.keeps = true,
            DecisionKind::Engine { group } | DecisionKind::Fuse { group, .. } => {
                if group
                    .word
                    .as_ref()
                    .is_some_and(|word| word.text == "vector")
                {
                    let names = group.names.iter().map(|name| name.text.clone());
                    early.on_vector.extend(names);
                }
            }
            DecisionKind::Grid { .. }
            | DecisionKind::Stream { .. }
            | DecisionKind::Place { .. }
            | DecisionKind::Pad { .. }
            | DecisionKind::Split { .. } => {}
        }
    }
    early
}

/// Vector and cube cores of the launch: what is written, or wanted, or all.
pub(crate) fn cores(
    written: Option<&written::Schedule>,
    wanted: Option<&Schedule>,
    (kernel, chip): (&str, &Chip),
) -> Result<Option<u32>> {
    let splits = written.into_iter().flat_map(|written| &written.decisions);
    for decision in splits {
        let DecisionKind::Split { block, .. } = &decision.kind else {
            continue;
        };
        if block.def.is_some() || block.index != kernel {
            continue;
        }
        let Some(cores) = block.size.value else {
            continue;
        };
        return match u32::try_from(cores) {
            Ok(number) if u64::from(number) <= chip.cores.cube => Ok(Some(number)),
            Ok(_) | Err(_) => Err(errors::too_many_cores(cores, chip, block.size.span)),
        };
    }
    Ok(wanted.and_then(|wanted| wanted.cores))
}

/// Everything that names may mean here.
pub(crate) struct Scope<'a> {
    pub(crate) kernel: &'a str,
    pub(crate) chip: &'a Chip,
    pub(crate) tensors: Vec<&'a str>,
    pub(crate) indices: Vec<String>,
    /// Definitions that are in memory.
    pub(crate) stored: &'a BTreeSet<String>,
    pub(crate) steps: &'a [StepSchedule],
}

/// Adds what is written to what is given for each step.
pub(crate) fn written(
    schedule: &written::Schedule,
    scope: &Scope<'_>,
    given: &mut [Given],
) -> std::result::Result<(), Vec<Diagnostic>> {
    let mut streams = BTreeSet::new();
    let mut wrong = Vec::new();
    for decision in &schedule.decisions {
        let done = scope.decision(decision, &mut streams, given);
        wrong.extend(done.err().map(|found| *found));
    }
    scope.by_rows(schedule, given);
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong),
    }
}

/// Streams that have been decided: step and knob.
type Streams = BTreeSet<(usize, Knob)>;

impl Scope<'_> {
    fn decision(
        &self,
        decision: &Decision,
        streams: &mut Streams,
        given: &mut [Given],
    ) -> Result<()> {
        match &decision.kind {
            DecisionKind::Grid { blocks, order } => {
                let order = order.as_ref().map(|(word, number)| (word, number.as_ref()));
                blocks.iter().try_for_each(|block| {
                    self.grid(block, given)?;
                    self.order(block, order, given)
                })
            }
            DecisionKind::Stream {
                blocks,
                inside,
                places,
                depth,
            } => blocks.iter().try_for_each(|block| {
                let stream = Stream {
                    block,
                    inside: inside.as_ref(),
                    places,
                    depth: depth.as_ref(),
                };
                self.stream(&stream, streams, given)
            }),
            DecisionKind::Place { groups, depth } => (groups.iter())
                .flat_map(|group| group.names.iter().map(move |name| (name, &group.word)))
                .try_for_each(|(name, word)| {
                    self.place(name, word.as_ref(), depth.as_ref(), given)
                }),
            DecisionKind::Engine { group } => self.engine(group, given),
            DecisionKind::Fuse { group, at } => {
                at.iter().try_for_each(|index| self.known_index(index))?;
                (group.names.iter()).try_for_each(|name| self.fused(name))?;
                self.engine(group, given)
            }
            DecisionKind::Pad { name, to } => {
                let pads =
                    |form: &Form| matches!(form, Form::Pad(names) if names.contains(&name.text));
                if self.set(&pads, to, given)? {
                    return Ok(());
                }
                self.known(name)?;
                Err(errors::no_slot(name, "has rows in the unified buffer"))
            }
            DecisionKind::Split { block, across, .. } => {
                match block.def.is_none() && block.index == self.kernel {
                    true => Ok(()),
                    false => Err(errors::not_split(block, &across.text, self.kernel)),
                }
            }
            DecisionKind::Keep { names } => names.iter().try_for_each(|name| {
                self.known(name)?;
                match self.stored.contains(&name.text) {
                    true => Ok(()),
                    false => Err(errors::not_kept(name)),
                }
            }),
        }
    }

    /// Gives a value to every slot of such a form; whether there was one.
    fn set(
        &self,
        form: &dyn Fn(&Form) -> bool,
        number: &Number,
        given: &mut [Given],
    ) -> Result<bool> {
        let mut any = false;
        for (step, given) in self.steps.iter().zip(given) {
            for slot in step.slots.iter().filter(|slot| form(&slot.form)) {
                any = true;
                if let Some(knob) = slot.knob {
                    decide(given, knob, number)?;
                }
            }
        }
        Ok(any)
    }

    fn grid(&self, block: &Block, given: &mut [Given]) -> Result<()> {
        let over = |form: &Form| matches!(form, Form::Grid(axis) if means(axis, block));
        match self.set(&over, &block.size, given)? {
            true => Ok(()),
            false => Err(self.no_axis(block, "grid")),
        }
    }

    /// A grid without an order goes row by row.
    fn by_rows(&self, schedule: &written::Schedule, given: &mut [Given]) {
        let ordered = |decision: &Decision| {
            matches!(&decision.kind, DecisionKind::Grid { order: Some(_), .. })
        };
        if schedule.decisions.iter().any(ordered) {
            return;
        }
        for (step, given) in self.steps.iter().zip(given) {
            let open = step.slots.iter().any(|slot| slot.knob == Some(Knob::Order));
            let sides = [Knob::Rows, Knob::Cols];
            if open && sides.iter().any(|side| given.spans.contains_key(side)) {
                given.values.entry(Knob::Order).or_insert(0);
            }
        }
    }

    /// The order of the blocks of a grid, as far as one is written; `?` leaves it open.
    fn order(
        &self,
        block: &Block,
        order: Option<(&Name, Option<&Number>)>,
        given: &mut [Given],
    ) -> Result<()> {
        let place = order.map_or(block.span, |(word, _)| word.span);
        let by_rows = Number {
            value: Some(0),
            span: place,
        };
        let number = match order {
            None => return Ok(()),
            Some((word, None)) if word.text == "row" => by_rows,
            Some((word, _)) if word.text == "?" => return Ok(()),
            Some((word, Some(number))) if word.text == "diagonal" => match number.value {
                Some(beside) if beside < 1 => return Err(errors::order(word)),
                Some(_) | None => *number,
            },
            Some((word, Some(number))) if word.text == "swizzle" => match number.value {
                Some(rows) if rows < 1 => return Err(errors::order(word)),
                rows => Number {
                    value: Some(rows.map_or(super::ANY_SWIZZLE, super::swizzle)),
                    span: number.span,
                },
            },
            Some((word, _)) => return Err(errors::order(word)),
        };
        let over = |slot: &Slot| matches!(&slot.form, Form::Grid(axis) if means(axis, block));
        for (step, given) in self.steps.iter().zip(given) {
            let over = step.slots.iter().any(over);
            let ordered = step.slots.iter().any(|slot| slot.knob == Some(Knob::Order));
            if over && ordered {
                decide(given, Knob::Order, &number)?;
            } else if over && number.value != Some(0) {
                return Err(errors::order_by_rows(place));
            }
        }
        Ok(())
    }

    fn stream(
        &self,
        stream: &Stream<'_>,
        streams: &mut Streams,
        given: &mut [Given],
    ) -> Result<()> {
        let mut any = false;
        for (number, (step, given)) in self.steps.iter().zip(given).enumerate() {
            let fitting = step.slots.iter().find_map(|slot| {
                let Form::Stream {
                    axis,
                    inside,
                    places,
                    depth,
                } = &slot.form
                else {
                    return None;
                };
                let knob = slot.knob?;
                let fits = means(axis, stream.block)
                    && (stream.inside.is_none() || inside.is_some())
                    && !streams.contains(&(number, knob))
                    && stream.reaches(places);
                fits.then_some((knob, *inside, places, *depth))
            });
            let Some((knob, inside, places, copies)) = fitting else {
                continue;
            };
            any = true;
            streams.insert((number, knob));
            stream.check_places(places)?;
            decide(given, knob, &stream.block.size)?;
            if let (Some(outer), Some(knob)) = (stream.inside, inside) {
                inside_of(outer, given.values.get(&knob).copied())?;
                decide(given, knob, &outer.size)?;
            }
            match (stream.depth, copies) {
                (Some(depth), Some(knob)) => decide(given, knob, depth)?,
                (Some(depth), None) => return Err(errors::no_depth(depth.span)),
                (None, _) => {}
            }
        }
        match any {
            true => Ok(()),
            false => Err(self.no_axis(stream.block, "stream")),
        }
    }

    fn place(
        &self,
        name: &Name,
        space: Option<&Name>,
        depth: Option<&Number>,
        given: &mut [Given],
    ) -> Result<()> {
        self.known(name)?;
        let Some(space) = space else {
            return Ok(());
        };
        let mut there = BTreeSet::new();
        let mut any = false;
        for (step, given) in self.steps.iter().zip(given) {
            for slot in &step.slots {
                let (spaces, knob) = match &slot.form {
                    Form::Depth { names, space } if names.contains(&name.text) => {
                        (vec![space.name()], slot.knob)
                    }
                    Form::Stream { places, depth, .. } => {
                        let of = places
                            .iter()
                            .filter(|(names, _)| names.contains(&name.text));
                        (of.map(|(_, space)| space.name()).collect(), *depth)
                    }
                    Form::Depth { .. }
                    | Form::Grid(_)
                    | Form::Pad(_)
                    | Form::Epilogue(_)
                    | Form::Engine { .. }
                    | Form::Elsewhere => continue,
                };
                there.extend(spaces.iter().copied());
                if !spaces.contains(&space.text.as_str()) {
                    continue;
                }
                any = true;
                match (depth, knob) {
                    (Some(depth), Some(knob)) => decide(given, knob, depth)?,
                    (Some(depth), None) => return Err(errors::no_depth(depth.span)),
                    (None, _) => {}
                }
            }
        }
        match any {
            true => Ok(()),
            false => Err(errors::not_there(name, space, &there)),
        }
    }

    fn engine(&self, group: &Group, given: &mut [Given]) -> Result<()> {
        let Some(engine) = &group.word else {
            return Ok(());
        };
        for name in &group.names {
            self.known(name)?;
            let mut only = None;
            for (step, given) in self.steps.iter().zip(&mut *given) {
                for slot in &step.slots {
                    match &slot.form {
                        Form::Epilogue(names) if names.contains(&name.text) => {
                            let value = match engine.text.as_str() {
                                "fixpipe" => 0,
                                "vector" => 1,
                                _ => {
                                    return Err(errors::no_engine(
                                        name,
                                        engine,
                                        "fixpipe` or `vector",
                                    ));
                                }
                            };
                            let number = Number {
                                value: Some(value),
                                span: engine.span,
                            };
                            decide(given, Knob::Epilogue, &number)?;
                            only = Some(engine.text.as_str());
                        }
                        Form::Engine { names, engine } if names.contains(&name.text) => {
                            only = Some(engine);
                        }
                        Form::Depth { names, .. } if names.contains(&name.text) => {
                            only = Some("cube");
                        }
                        Form::Epilogue(_)
                        | Form::Engine { .. }
                        | Form::Depth { .. }
                        | Form::Grid(_)
                        | Form::Stream { .. }
                        | Form::Pad(_)
                        | Form::Elsewhere => {}
                    }
                }
            }
            match only {
                Some(only) if only == engine.text => {}
                Some(only) => return Err(errors::no_engine(name, engine, only)),
                None => return Err(errors::no_slot(name, "has an engine of its own")),
            }
        }
        Ok(())
    }

    /// A definition must be computed together with others.
    fn fused(&self, name: &Name) -> Result<()> {
        self.known(name)?;
        let together = |form: &Form| match form {
            Form::Epilogue(names) => names.contains(&name.text),
            Form::Engine { names, .. } => names.len() > 1 && names.contains(&name.text),
            Form::Grid(_)
            | Form::Stream { .. }
            | Form::Depth { .. }
            | Form::Pad(_)
            | Form::Elsewhere => false,
        };
        let mut slots = self.steps.iter().flat_map(|step| &step.slots);
        match slots.any(|slot| together(&slot.form)) {
            true => Ok(()),
            false => Err(errors::not_fused(name)),
        }
    }

    fn known(&self, name: &Name) -> Result<()> {
        match self.tensors.contains(&name.text.as_str()) {
            true => Ok(()),
            false => Err(errors::unknown("definition", name, &self.tensors)),
        }
    }

    fn known_index(&self, name: &Name) -> Result<()> {
        match self.indices.contains(&name.text) {
            true => Ok(()),
            false => {
                let known: Vec<&str> = self.indices.iter().map(String::as_str).collect();
                Err(errors::unknown("index", name, &known))
            }
        }
    }

    /// Why no step takes a block: its names, or what is open.
    fn no_axis(&self, block: &Block, verb: &str) -> Box<Diagnostic> {
        let name = |text: &str| Name {
            text: text.to_owned(),
            span: block.span,
        };
        if let Some(def) = &block.def
            && let Err(found) = self.known(&name(def))
        {
            return found;
        }
        if let Err(found) = self.known_index(&name(&block.index)) {
            return found;
        }
        let slots = self.steps.iter().flat_map(|step| &step.slots);
        let mut open: Vec<(&str, String)> = Vec::new();
        for slot in slots {
            let axis = match &slot.form {
                Form::Grid(axis) => ("grid", axis),
                Form::Stream { axis, .. } => ("stream", axis),
                Form::Depth { .. }
                | Form::Pad(_)
                | Form::Epilogue(_)
                | Form::Engine { .. }
                | Form::Elsewhere => continue,
            };
            let axis = (axis.0, super::print::named(axis.1));
            if !open.contains(&axis) {
                open.push(axis);
            }
        }
        errors::no_axis(block, verb, &open, self.chip)
    }
}

/// A stream as it is written.
struct Stream<'a> {
    block: &'a Block,
    inside: Option<&'a Block>,
    places: &'a [Group],
    depth: Option<&'a Number>,
}

impl Stream<'_> {
    /// Whether a slot brings something to each memory that is named.
    fn reaches(&self, places: &[(Vec<String>, isa::types::Space)]) -> bool {
        let words = self.places.iter().filter_map(|group| group.word.as_ref());
        words
            .map(|word| word.text.as_str())
            .all(|word| places.iter().any(|(_, space)| space.name() == word))
    }

    fn check_places(&self, places: &[(Vec<String>, isa::types::Space)]) -> Result<()> {
        for group in self.places {
            let Some(word) = &group.word else {
                continue;
            };
            for name in &group.names {
                let own =
                    |(names, _): &&(Vec<String>, isa::types::Space)| names.contains(&name.text);
                let spaces: BTreeSet<&str> = places
                    .iter()
                    .filter(own)
                    .map(|(_, space)| space.name())
                    .collect();
                if !spaces.contains(word.text.as_str()) {
                    return Err(errors::not_there(name, word, &spaces));
                }
            }
        }
        Ok(())
    }
}

/// Whether a block is of this index.
fn means(axis: &Axis, block: &Block) -> bool {
    axis.index == block.index && block.def.as_ref().is_none_or(|def| axis.defs.contains(def))
}

/// Notes a value; a hole decides nothing, and two values of one thing are one too many.
fn decide(given: &mut Given, knob: Knob, number: &Number) -> Result<()> {
    let Some(value) = number.value else {
        return Ok(());
    };
    match (given.values.get(&knob), given.spans.get(&knob)) {
        (Some(known), Some(first)) if *known != value => Err(errors::decided_twice(
            knob,
            (*known, *first),
            (value, number.span),
        )),
        _ => {
            given.values.insert(knob, value);
            given.spans.entry(knob).or_insert(number.span);
            Ok(())
        }
    }
}

/// `in k: 256` says what the stream around it is.
fn inside_of(outer: &Block, known: Option<i64>) -> Result<()> {
    match (outer.size.value, known) {
        (Some(said), Some(known)) if said != known => Err(errors::not_inside(outer, said, known)),
        _ => Ok(()),
    }
}
