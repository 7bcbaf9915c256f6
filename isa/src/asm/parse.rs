//! Text → object: one walk for directives, labels and places, one for instructions, whose labels are then known.

use super::directive::{self, Request};
use super::{AsmError, AsmErrorKind, empty_object};
use crate::chip::Chip;
use crate::inst::{Inst, info, parse_inst};
use crate::object::{LineRow, MAX_CODE, Object};
use crate::types::CoreKind;
use std::collections::BTreeMap;
use std::ops::Range;

/// One line without its comment.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: u32,
    /// First byte in the text.
    start: usize,
    text: &'a str,
}

impl Line<'_> {
    fn error(&self, kind: AsmErrorKind, span: Range<usize>) -> AsmError {
        AsmError {
            line: self.number,
            span: self.start + span.start..self.start + span.end,
            kind,
        }
    }

    fn whole(&self, kind: AsmErrorKind) -> AsmError {
        let start = self.text.len() - self.text.trim_start().len();
        self.error(kind, start..self.text.trim_end().len().max(start))
    }
}

/// One program while it is read.
#[derive(Default)]
struct Section<'a> {
    labels: BTreeMap<&'a str, u32>,
    code: Vec<Line<'a>>,
    rows: Vec<LineRow>,
}

struct Reader<'a> {
    object: Object,
    sections: [Section<'a>; 2],
    current: Option<usize>,
    /// A `.loc` that waits for its instruction.
    pending: Option<(Line<'a>, LineRow)>,
    cores_given: [bool; 2],
    errors: Vec<AsmError>,
}

/// Reads an assembly file. Every line that is wrong gives an error.
pub fn assemble(text: &str) -> Result<Object, Vec<AsmError>> {
    let mut reader = Reader {
        object: empty_object(),
        sections: Default::default(),
        current: None,
        pending: None,
        cores_given: [false; 2],
        errors: Vec::new(),
    };
    for line in lines(text) {
        reader.line(line);
    }
    reader.drop_loc();
    reader.finish()
}

/// The lines of a text, comments cut off.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split('\n').zip(1..).map(move |(raw, number)| {
        let line = Line {
            number,
            start,
            text: &raw[..comment_start(raw)],
        };
        start += raw.len() + 1;
        line
    })
}

/// Where the comment of a line starts; a `//` in quotes is none.
pub(super) fn comment_start(line: &str) -> usize {
    let bytes = line.as_bytes();
    let (mut quoted, mut escaped) = (false, false);
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'/' if !quoted && bytes.get(i + 1) == Some(&b'/') => return i,
            _ => {}
        }
    }
    line.len()
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: Line<'a>) {
        let content = line.text.trim();
        if content.is_empty() {
            return;
        }
        if content.starts_with('.') {
            self.directive(line);
        } else if let Some(name) = label_name(line.text) {
            self.label(line, name);
        } else {
            self.instruction(line);
        }
    }

    fn directive(&mut self, line: Line<'a>) {
        match directive::apply(line.text, &mut self.object, &mut self.cores_given) {
            Ok(Request::None) => {}
            Ok(Request::Aic) => self.enter(0),
            Ok(Request::Aiv) => self.enter(1),
            Ok(Request::Loc(row)) => {
                self.drop_loc();
                self.pending = Some((line, row));
            }
            Err((kind, span)) => self.errors.push(line.error(kind, span)),
        }
    }

    fn enter(&mut self, section: usize) {
        self.drop_loc();
        self.current = Some(section);
    }

    /// Complains about a `.loc` that no instruction followed.
    fn drop_loc(&mut self) {
        if let Some((line, _)) = self.pending.take() {
            self.errors.push(line.whole(AsmErrorKind::DanglingLoc));
        }
    }

    fn label(&mut self, line: Line<'a>, name: &'a str) {
        let Some(current) = self.current else {
            self.errors.push(line.whole(AsmErrorKind::NoSection));
            return;
        };
        let section = &mut self.sections[current];
        let index = section.code.len() as u32;
        if section.labels.insert(name, index).is_some() {
            self.errors
                .push(line.error(AsmErrorKind::DuplicateLabel(name.to_owned()), 0..name.len()));
        }
    }

    fn instruction(&mut self, line: Line<'a>) {
        let Some(current) = self.current else {
            self.errors.push(line.whole(AsmErrorKind::NoSection));
            return;
        };
        let section = &mut self.sections[current];
        if section.code.len() + 1 >= MAX_CODE {
            self.errors.push(line.whole(AsmErrorKind::TooLong));
            return;
        }
        if let Some((_, row)) = self.pending.take() {
            section.rows.push(LineRow {
                pc: section.code.len() as u32,
                ..row
            });
        }
        section.code.push(line);
    }

    fn finish(mut self) -> Result<Object, Vec<AsmError>> {
        let [aic, aiv] = std::mem::take(&mut self.sections);
        self.object.aic = self.program(CoreKind::Cube, &aic);
        self.object.aiv = self.program(CoreKind::Vector, &aiv);
        (self.object.lines_aic, self.object.lines_aiv) = (aic.rows, aiv.rows);
        self.fill_defaults();
        self.errors.sort_by_key(|error| error.span.start);
        if self.errors.is_empty() {
            Ok(self.object)
        } else {
            Err(self.errors)
        }
    }

    fn program(&mut self, core: CoreKind, section: &Section<'a>) -> Vec<Inst> {
        let label = |name: &str| section.labels.get(name).copied();
        let mut code = Vec::with_capacity(section.code.len());
        for line in &section.code {
            match parse_inst(line.text, &label) {
                Ok(inst) => {
                    self.check(&inst, core, line, section.code.len());
                    code.push(inst);
                }
                Err(error) => {
                    let (kind, span) = error.into();
                    self.errors.push(line.error(kind, span));
                }
            }
        }
        code
    }

    fn check(&mut self, inst: &Inst, core: CoreKind, line: &Line<'a>, length: usize) {
        if !info(inst.opcode()).runs_on(core) {
            self.errors.push(line.whole(AsmErrorKind::WrongCore(core)));
        }
        if inst.label().is_some_and(|label| label.0 as usize >= length) {
            self.errors.push(line.whole(AsmErrorKind::LabelAtEnd));
        }
    }

    fn fill_defaults(&mut self) {
        if self.object.chip.is_empty() {
            self.object.chip = Chip::DEFAULT.to_owned();
            self.object.chip_version =
                Chip::builtin(Chip::DEFAULT).map_or(String::new(), |chip| chip.version_stamp());
        }
        let [cube, vector] = self.cores_given;
        if !cube {
            self.object.kernel.cube_cores = u32::from(!self.object.aic.is_empty());
        }
        if !vector {
            self.object.kernel.vector_cores = u32::from(!self.object.aiv.is_empty());
        }
    }
}

/// The name of a label line.
fn label_name(text: &str) -> Option<&str> {
    let name = text.trim_end().strip_suffix(':')?;
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (!name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(word))
        .then_some(name)
}
