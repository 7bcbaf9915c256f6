//! Long lines cut round what is pointed at, so that a snippet fits its terminal.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::source::SourceFile;

/// What stands where something was cut off.
const CUT: &str = "…";
/// Characters that a snippet needs before its line: the number, a bar, the ends.
const MARGIN: usize = 12;
/// Fewer characters of a line are of no use.
const LEAST: usize = 20;

/// A text whose long lines are cut.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The text with its cuts.
    pub(super) text: String,
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
                if text.trim_end().chars().count() <= room {
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
        (!left.is_empty()).then(|| build(file, left))
    }

    /// Where a byte of the original text is in this one.
    pub(super) fn to(&self, file: &SourceFile, byte: usize) -> usize {
        let line = file.line_of(byte);
        let start = file.line_range(line).start;
        let inside = byte.saturating_sub(start);
        let here = self.starts.get(line).copied().unwrap_or(self.text.len());
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
        let here = self.starts.get(line).copied().unwrap_or(self.text.len());
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
        self.starts
            .partition_point(|start| *start <= byte)
            .saturating_sub(1)
    }

    /// The bytes of a line of this text.
    pub(super) fn line_range(&self, line: usize) -> Range<usize> {
        let at = |line: usize| self.starts.get(line).copied().unwrap_or(self.text.len());
        at(line)..at(line + 1)
    }
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

fn build(file: &SourceFile, left: BTreeMap<usize, Range<usize>>) -> Window {
    let mut text = String::new();
    let mut starts = Vec::with_capacity(file.lines());
    for line in 0..file.lines() {
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
    Window { text, starts, left }
}
