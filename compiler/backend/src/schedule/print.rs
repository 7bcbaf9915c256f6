//! A complete schedule in the syntax of the language.

use std::fmt;

use isa::types::Space;

use super::{Axis, Form, Knob, Schedule, Slot, StepSchedule};

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match self.target.chars().all(|c| c.is_ascii_alphanumeric()) {
            true => self.target.clone(),
            false => format!("\"{}\"", self.target),
        };
        writeln!(f, "schedule {} for {target} {{", self.kernel)?;
        for remark in &self.remarks {
            writeln!(f, "    // {remark}")?;
        }
        if let Some(cores) = self.cores {
            writeln!(f, "    split {}: {cores} across cores;", self.kernel)?;
        }
        if !self.keep.is_empty() {
            writeln!(f, "    keep {};", self.keep.join(", "))?;
        }
        for step in &self.steps {
            for line in step.lines() {
                writeln!(f, "    {line};")?;
            }
        }
        writeln!(f, "}}")
    }
}

impl StepSchedule {
    /// The decisions, one line each.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let blocks: Vec<String> = (self.slots.iter())
            .filter_map(|slot| match &slot.form {
                Form::Grid(axis) => Some(format!("{}: {}", named(axis), self.value(slot)?)),
                Form::Stream { .. }
                | Form::Depth { .. }
                | Form::Pad(_)
                | Form::Epilogue(_)
                | Form::Engine { .. }
                | Form::Elsewhere => None,
            })
            .collect();
        if !blocks.is_empty() {
            let order = match self.values.get(&Knob::Order) {
                Some(beside) if *beside > 0 => format!(" order diagonal({beside})"),
                Some(rows) if *rows < 0 => format!(" order swizzle({})", rows.unsigned_abs()),
                Some(_) | None => String::new(),
            };
            lines.push(format!("grid {}{order}", blocks.join(", ")));
        }
        lines.extend(self.slots.iter().filter_map(|slot| self.line(slot)));
        lines
    }

    fn value(&self, slot: &Slot) -> Option<i64> {
        self.values.get(&slot.knob?).copied()
    }

    fn line(&self, slot: &Slot) -> Option<String> {
        Some(match &slot.form {
            Form::Grid(_) | Form::Elsewhere => return None,
            Form::Stream {
                axis,
                inside,
                places,
                depth,
            } => self.stream(slot, axis, *inside, places, *depth)?,
            Form::Depth { names, space } => {
                let depth = self.value(slot)?;
                format!(
                    "place {} in {} depth {depth}",
                    names.join(", "),
                    space.name()
                )
            }
            Form::Pad(names) => format!("pad {} to {}", names.first()?, self.value(slot)?),
            Form::Epilogue(names) => {
                let engine = match self.value(slot)? {
                    0 => "fixpipe",
                    _ => "vector",
                };
                format!("engine {} = {engine}", names.join(", "))
            }
            Form::Engine { names, engine } => format!("engine {} = {engine}", names.join(", ")),
        })
    }

    fn stream(
        &self,
        slot: &Slot,
        axis: &Axis,
        inside: Option<Knob>,
        places: &[(Vec<String>, Space)],
        depth: Option<Knob>,
    ) -> Option<String> {
        let name = named(axis);
        let mut line = format!("stream {name}: {}", self.value(slot)?);
        if let Some(outer) = inside.and_then(|knob| self.values.get(&knob)) {
            line += &format!(" in {name}: {outer}");
        }
        let groups: Vec<String> = (places.iter())
            .map(|(names, space)| format!("{} in {}", names.join(", "), space.name()))
            .collect();
        if !groups.is_empty() {
            line += &format!(" place {}", groups.join(", "));
        }
        if let Some(depth) = depth.and_then(|knob| self.values.get(&knob)) {
            line += &format!(" depth {depth}");
        }
        Some(line)
    }
}

/// An index with the definition that it is of.
pub(super) fn named(axis: &Axis) -> String {
    match axis.defs.first() {
        Some(def) => format!("{def}.{}", axis.index),
        None => axis.index.clone(),
    }
}
