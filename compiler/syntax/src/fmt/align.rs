//! Lines on their way to text, and columns that the author aligned: the `=` of neighbouring lines, and comments behind code.
//!
//! Neighbours are aligned if they were aligned before, so nobody's table is torn apart and none is made.

use super::Lexeme;
use crate::token::Token;

/// A line of the result, without its indentation.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) level: usize,
    /// Whether a blank line stands before it.
    pub(super) blank: bool,
    pub(super) text: String,
    /// The first `=` outside of brackets that the line opens.
    assign: Option<Mark>,
    /// The comment behind the code.
    comment: Option<Mark>,
    /// Brackets open where the line begins.
    depth: usize,
}

/// A place in a line.
#[derive(Copy, Clone, Debug)]
struct Mark {
    /// Its first byte in the line's text.
    at: usize,
    /// The column it had in the source.
    column: usize,
    /// Whether more than one space stood before it there.
    padded: bool,
}

impl Line {
    pub(super) fn new(level: usize, blank: bool) -> Line {
        Line {
            level,
            blank,
            text: String::new(),
            assign: None,
            comment: None,
            depth: 0,
        }
    }

    /// Adds a lexeme; `depth` is the number of brackets open before it.
    pub(super) fn push(&mut self, lexeme: &Lexeme<'_>, space: bool, depth: usize) {
        if self.text.is_empty() {
            self.depth = depth;
        }
        let behind = !self.text.is_empty();
        if space && behind {
            self.text.push(' ');
        }
        let mark = Mark {
            at: self.text.len(),
            column: lexeme.column,
            padded: lexeme.padded,
        };
        if lexeme.token == Some(Token::Assign)
            && depth == self.depth
            && self.assign.is_none()
            && space
        {
            self.assign = Some(mark);
        }
        if lexeme.token.is_none() && behind {
            self.comment = Some(mark);
        }
        self.text.push_str(lexeme.text);
    }
}

/// Aligns the `=` of neighbouring lines of one level that had them in one column.
pub(super) fn assignments(lines: &mut [Line]) {
    align(
        lines,
        |line| line.assign.as_mut(),
        |line, by| {
            if let Some(comment) = &mut line.comment {
                comment.at += by;
            }
        },
    );
}

/// Aligns comments behind code of neighbouring lines that had them in one column.
pub(super) fn comments(lines: &mut [Line]) {
    align(lines, |line| line.comment.as_mut(), |_, _| {});
}

/// Pads the marks of each group of neighbours to one column. `moved` learns by how many bytes the rest of a line moved.
fn align(
    lines: &mut [Line],
    mark: impl Fn(&mut Line) -> Option<&mut Mark>,
    moved: impl Fn(&mut Line, usize),
) {
    let mut from = 0;
    while from < lines.len() {
        let Some(first) = mark(&mut lines[from]).map(|mark| *mark) else {
            from += 1;
            continue;
        };
        let level = lines[from].level;
        let mut to = from + 1;
        while to < lines.len() && !lines[to].blank && lines[to].level == level {
            match mark(&mut lines[to]) {
                Some(next) if next.column == first.column => to += 1,
                _ => break,
            }
        }
        let group = &mut lines[from..to];
        let padded = group
            .iter_mut()
            .any(|line| mark(line).is_some_and(|mark| mark.padded));
        if group.len() > 1 && padded {
            pad(group, &mark, &moved);
        }
        from = to;
    }
}

fn pad(
    group: &mut [Line],
    mark: &impl Fn(&mut Line) -> Option<&mut Mark>,
    moved: &impl Fn(&mut Line, usize),
) {
    let column = |line: &mut Line| {
        let at = mark(line).map_or(0, |mark| mark.at);
        line.text[..at].chars().count()
    };
    let widest = group.iter_mut().map(column).max().unwrap_or(0);
    for line in group {
        let missing = widest - column(line);
        let Some(mark) = mark(line) else {
            continue;
        };
        let at = mark.at;
        mark.at += missing;
        line.text.insert_str(at, &" ".repeat(missing));
        moved(line, missing);
    }
}

/// The whole text.
pub(super) fn text(lines: &[Line], indent: usize) -> String {
    let mut text = String::new();
    for line in lines {
        if line.blank {
            text.push('\n');
        }
        text.push_str(&" ".repeat(indent * line.level));
        text.push_str(&line.text);
        text.push('\n');
    }
    text
}
