//! What source lines cost: the instructions of a profile, summed over the lines that the object's table gives them.

use std::collections::BTreeMap;

use diag::SourceMap;
use emulator::{InstProfile, Profile};
use isa::object::Object;
use isa::types::{CoreKind, Pipe};

/// A line of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u32,
    /// Cycles of the critical path.
    pub(super) path: u64,
    /// Cycles that it kept each pipe busy, over all cores.
    pub(super) busy: BTreeMap<Pipe, u64>,
    /// Least slack of its instructions.
    pub(super) slack: u64,
    /// Instructions executed, over all cores.
    pub(super) count: u64,
}

/// A source with what its lines cost.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file's name, as the object has it.
    pub(super) name: String,
    /// Its text, if it is at hand.
    pub(super) text: Option<String>,
    /// The lines that something was executed for, ascending.
    pub(super) lines: Vec<Line>,
}

/// The sources of an object.
pub(super) fn sources(object: &Object, profile: &Profile, texts: &SourceMap) -> Vec<Source> {
    let mut files: Vec<BTreeMap<u32, Line>> = vec![BTreeMap::new(); object.files.len()];
    for (&(kind, pc), inst) in &profile.insts {
        let Some(row) = object.line_of(kind, pc) else {
            continue;
        };
        let Some(lines) = files.get_mut(row.file as usize) else {
            continue;
        };
        let line = lines.entry(row.line).or_insert_with(|| Line {
            number: row.line,
            slack: u64::MAX,
            ..Line::default()
        });
        line.add(inst, pipe(object, kind, pc));
    }
    let text = |name: &String| {
        let mut known = texts.iter().filter(|(_, source)| source.name == *name);
        known.next().map(|(id, _)| texts.text(id).to_owned())
    };
    let named = object.files.iter().zip(files);
    named
        .map(|(name, lines)| Source {
            name: name.clone(),
            text: text(name),
            lines: lines.into_values().collect(),
        })
        .collect()
}

/// The pipe whose queue an instruction is in.
pub(super) fn pipe(object: &Object, kind: CoreKind, pc: u32) -> Pipe {
    let inst = object.code(kind).get(pc as usize);
    inst.map_or(Pipe::S, isa::inst::Inst::queue)
}

impl Line {
    fn add(&mut self, inst: &InstProfile, pipe: Pipe) {
        self.path += inst.path;
        self.count += inst.count;
        *self.busy.entry(pipe).or_default() += inst.busy;
        if inst.count > 0 {
            self.slack = self.slack.min(inst.slack);
        }
    }

    /// The pipe that it kept busy longest, and how long.
    pub(super) fn longest(&self) -> (Pipe, u64) {
        let longest = self.busy.iter().max_by_key(|(_, cycles)| **cycles);
        longest.map_or((Pipe::S, 0), |(pipe, cycles)| (*pipe, *cycles))
    }
}

impl Source {
    /// The text of a line, without its indentation.
    pub(super) fn line_text(&self, number: u32) -> &str {
        let text = self.text.as_deref().unwrap_or_default();
        let line = text.lines().nth((number as usize).saturating_sub(1));
        line.unwrap_or_default().trim()
    }
}

/// The word for a kind of core.
pub(super) const fn core(kind: CoreKind) -> &'static str {
    match kind {
        CoreKind::Cube => "cube",
        CoreKind::Vector => "vector",
    }
}
