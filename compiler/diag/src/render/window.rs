//! Long lines cut round what is pointed at, so that a snippet fits its terminal.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::source::SourceFile;

/// What stands where something was cut off.
const CUT: &str = "…";
/// Characters that a snippet needs before its line: the number, a bar, the ends.
const MARGIN: usize = 12;
/// Fewer characters of a line are of no use.
const LEAST: usize = 20;

/// Lines that a snippet may show before and behind those that are pointed at.
const CONTEXT: usize = 4;

/// The part of a text that a snippet shows, its long lines cut.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The text with its cuts.
    pub(super) text: String,
    /// The first line of it.
    first: usize,
    /// Where each line of it begins.
    starts: Vec<usize>,
    /// For each cut line the part that is left, as bytes of the original line.
    left: BTreeMap<usize, Range<usize>>,
}

impl Window {
    /// Cuts the lines on which something is pointed at and that have more than so many columns; nothing if there are none.
    pub(super) fn new(
        file: &SourceFile,
        pointed: &[Range<usize>],
        columns: usize,
    ) -> Option<Window> {
        let room = columns.saturating_sub(MARGIN).max(LEAST);
        let mut left = BTreeMap::new();
        for range in pointed {
            for line in [file.line_of(range.start), file.line_of(range.end)] {
                let whole = file.line_range(line);
                let text = file.shown().get(whole.clone())?;
                if fits(text.trim_end(), room) {
                    continue;
                }
                let on_line = pointed
                    .iter()
                    .filter(|r| file.line_of(r.start) == line || file.line_of(r.end) == line);
                let clamp = |at: usize| at.clamp(whole.start, whole.end) - whole.start;
                let first = on_line.clone().map(|r| clamp(r.start)).min()?;
                let last = on_line.map(|r| clamp(r.end)).max()?;
                left.insert(line, around(text.trim_end(), first, last, room));
            }
        }
        let first = pointed
            .iter()
            .map(|range| file.line_of(range.start))
            .min()?;
        let last = pointed.iter().map(|range| file.line_of(range.end)).max()?;
        let lines = first.saturating_sub(CONTEXT)..(last + 1 + CONTEXT).min(file.lines());
        (!left.is_empty()).then(|| build(file, lines, left))
    }

    /// Where a byte of the original text is in this one.
    pub(super) fn to(&self, file: &SourceFile, byte: usize) -> usize {
        let line = file.line_of(byte);
        let start = file.line_range(line).start;
        let inside = byte.saturating_sub(start);
        let here = self.start(line);
        let at = match self.left.get(&line) {
            None => here + inside,
            Some(left) => {
                let lead = if left.start > 0 { CUT.len() } else { 0 };
                here + lead + inside.clamp(left.start, left.end) - left.start
            }
        };
        self.text.floor_char_boundary(at)
    }

    /// The column that a byte of this text has in the original one.
    pub(super) fn column(&self, file: &SourceFile, line: usize, byte: usize) -> usize {
        let here = self.start(line);
        let inside = byte.saturating_sub(here);
        let start = file.line_range(line).start;
        let original = match self.left.get(&line) {
            None => inside,
            Some(left) => {
                let lead = if left.start > 0 { CUT.len() } else { 0 };
                left.start + inside.saturating_sub(lead)
            }
        };
        file.line_col(start + original).1
    }

    /// The line of a byte of this text, from 0.
    pub(super) fn line_of(&self, byte: usize) -> usize {
        let behind = self.starts.partition_point(|start| *start <= byte);
        self.first + behind.saturating_sub(1)
    }

    /// The bytes of a line of this text.
    pub(super) fn line_range(&self, line: usize) -> Range<usize> {
        self.start(line)..self.start(line + 1)
    }

    /// Where a line begins in this text; what is not part of it has no bytes.
    fn start(&self, line: usize) -> usize {
        match line.checked_sub(self.first) {
            None => 0,
            Some(at) => self.starts.get(at).copied().unwrap_or(self.text.len()),
        }
    }
}

/// Whether a line has no more than so many characters; of a long line no more is read.
pub(super) fn fits(text: &str, room: usize) -> bool {
    text.len() <= room || text.chars().nth(room).is_none()
}

/// A line with its ends cut off if it is too long, round a byte that must be seen.
pub(super) fn shortened(line: &str, byte: usize, columns: Option<usize>) -> Cow<'_, str> {
    let room = columns.map_or(usize::MAX, |columns| {
        columns.saturating_sub(MARGIN).max(LEAST)
    });
    if fits(line, room) {
        return Cow::Borrowed(line);
    }
    let part = around(line, byte, byte, room);
    let cut = |cut: bool| if cut { CUT } else { "" };
    let (before, behind) = (cut(part.start > 0), cut(part.end < line.len()));
    Cow::Owned(format!("{before}{}{behind}", &line[part]))
}

/// So many characters of a line round the bytes that must be seen.
fn around(text: &str, first: usize, last: usize, room: usize) -> Range<usize> {
    let characters = |range: Range<usize>| text.get(range).map_or(0, |part| part.chars().count());
    let (first, last) = (
        text.floor_char_boundary(first),
        text.floor_char_boundary(last),
    );
    let needed = characters(first..last.max(first)).min(room);
    let before = (room - needed) / 2;
    let start = text[..first].char_indices().rev().take(before).last();
    let start = start.map_or(first, |(at, _)| at);
    let end = text[start..]
        .char_indices()
        .nth(room)
        .map_or(text.len(), |(at, _)| start + at);
    start..end
}

fn build(file: &SourceFile, lines: Range<usize>, left: BTreeMap<usize, Range<usize>>) -> Window {
    let mut text = String::new();
    let mut starts = Vec::new();
    let first = lines.start;
    for line in lines {
        starts.push(text.len());
        let whole = file.shown().get(file.line_range(line)).unwrap_or_default();
        match left.get(&line) {
            None => text.push_str(whole),
            Some(part) => {
                text.push_str(if part.start > 0 { CUT } else { "" });
                text.push_str(whole.get(part.clone()).unwrap_or_default());
                text.push_str(if part.end < whole.trim_end().len() {
                    CUT
                } else {
                    ""
                });
                text.push_str(if whole.ends_with('\n') { "\n" } else { "" });
            }
        }
    }
    Window {
        text,
        first,
        starts,
        left,
    }
}
