//! Fixes applied to a text.

use std::ops::Range;

use crate::span::Span;

/// A span and what stands there afterwards.
pub type Edit = (Span, String);

/// Applies fixes, each whole or not at all; one that touches what an earlier one changed waits for the next round. Gives
/// the new text and how many were applied, or nothing if none could be.
pub fn apply(text: &str, fixes: &[Vec<Edit>]) -> Option<(String, usize)> {
    let mut chosen: Vec<&Edit> = Vec::new();
    let mut applied = 0;
    for fix in fixes {
        let fits = |edit: &Edit| {
            let range = edit.0.range();
            text.get(range.clone()).is_some()
                && chosen.iter().all(|other| apart(&range, &other.0.range()))
        };
        if !fix.is_empty() && fix.iter().all(fits) {
            chosen.extend(fix);
            applied += 1;
        }
    }
    chosen.sort_by_key(|(span, _)| (span.start, span.end));
    let mut after = String::with_capacity(text.len());
    let mut at = 0;
    for (span, replacement) in chosen {
        let range = if replacement.is_empty() {
            whole_line(text, span.range())
                .filter(|line| line.start >= at)
                .unwrap_or(span.range())
        } else {
            span.range()
        };
        if range.start < at {
            continue;
        }
        after.push_str(text.get(at..range.start)?);
        after.push_str(replacement);
        at = range.end;
    }
    after.push_str(text.get(at..)?);
    (applied > 0 && after != text).then_some((after, applied))
}

/// The line of a range and its end, if there is nothing else on it: a line that is emptied goes.
fn whole_line(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    let end = range.end + text.get(range.end..)?.find('\n')? + 1;
    let blank = |part: &str| part.trim().is_empty();
    let alone = !range.is_empty()
        && blank(text.get(start..range.start)?)
        && blank(text.get(range.end..end)?);
    alone.then_some(start..end)
}

/// Whether two ranges share no byte, and do not insert at the same place.
fn apart(one: &Range<usize>, other: &Range<usize>) -> bool {
    (one.end <= other.start || other.end <= one.start) && one.start != other.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::FileId;

    #[test]
    fn what_overlaps_waits() {
        let span = |start, end| Span {
            file: FileId(0),
            start,
            end,
        };
        let edit = |start, end, text: &str| (span(start, end), text.to_owned());
        let fixes = [
            vec![edit(0, 1, "A"), edit(4, 4, ";")],
            vec![edit(0, 2, "x")],
            vec![edit(2, 3, "C")],
        ];
        assert_eq!(apply("abcd", &fixes), Some(("AbCd;".to_owned(), 2)));
        assert_eq!(apply("abcd", &[vec![edit(3, 9, "")]]), None);
        assert_eq!(
            apply("a\n bc \nd", &[vec![edit(3, 5, "")]]),
            Some(("a\nd".to_owned(), 1))
        );
    }
}
