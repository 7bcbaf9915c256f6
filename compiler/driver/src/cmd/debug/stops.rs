//! Where a run stops: set, listed, taken away.

use emulator::pcs_of_line;
use isa::types::CoreKind;

use super::command::Break;
use super::{Debugger, show};

impl Debugger<'_, '_> {
    /// Stops before an instruction, or before those of a line.
    pub(super) fn add_break(&mut self, at: &Break) -> Result<String, String> {
        let pcs = match at {
            Break::Fault => return Ok("every fault stops\n".to_owned()),
            Break::Pc(kind, pc) => {
                let kind = kind.unwrap_or(self.core.kind());
                let known = (*pc as usize) < self.object.code(kind).len();
                if !known {
                    return Err(format!(
                        "there is no instruction {pc} in the {} code",
                        kind.name()
                    ));
                }
                vec![(kind, *pc)]
            }
            Break::Line(file, line) => self.line_pcs(file.as_deref(), *line)?,
        };
        self.stops.pcs.extend(pcs);
        Ok(self.stops_text())
    }

    /// The first instruction of a line in each section.
    fn line_pcs(&self, file: Option<&str>, line: u32) -> Result<Vec<(CoreKind, u32)>, String> {
        let files = self.object.files.iter();
        let mut files = files.filter(|name| file.is_none_or(|file| name.ends_with(file)));
        let file = files
            .next()
            .ok_or("the object does not know its source lines")?;
        let pcs = pcs_of_line(self.object, file, line);
        let mut first: Vec<(CoreKind, u32)> = Vec::new();
        for (kind, pc) in pcs {
            if first.iter().all(|(known, _)| *known != kind) {
                first.push((kind, pc));
            }
        }
        match first.is_empty() {
            true => Err(format!("no instruction comes from {file}:{line}")),
            false => Ok(first),
        }
    }

    /// The list of stops.
    pub(super) fn stops_text(&self) -> String {
        let pcs = self.stops.pcs.iter().map(|&(kind, pc)| {
            format!(
                "before {} instruction {pc}: `{}`",
                kind.name(),
                show::instruction(self.object, kind, pc)
            )
        });
        let watches = self.stops.watches.iter().map(show::watch);
        let lines = pcs.chain(watches).enumerate();
        let text: String = lines
            .map(|(n, line)| format!("{}  {line}\n", n + 1))
            .collect();
        match text.is_empty() {
            true => "no stops but faults\n".to_owned(),
            false => text,
        }
    }

    /// Takes a stop away, by its number in the list.
    pub(super) fn delete(&mut self, number: usize) -> Result<String, String> {
        let pcs = self.stops.pcs.len();
        let known = 1..=pcs + self.stops.watches.len();
        if !known.contains(&number) {
            return Err(format!("there is no stop {number}"));
        }
        match number <= pcs {
            true => drop(self.stops.pcs.remove(number - 1)),
            false => drop(self.stops.watches.remove(number - pcs - 1)),
        }
        Ok(self.stops_text())
    }
}
