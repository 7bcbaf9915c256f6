//! Names of tile form and labels of assembly, by their words: where they are declared, and where else they stand.
//!
//! A word that is the operation of its statement is no name, whatever is called like it. A name means the same thing in the
//! whole file, so that all its places change together.

use std::ops::Range;

use crate::document::{Document, Form};

/// A place of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bytes: Range<usize>,
    pub(crate) declares: bool,
}

/// The places of the name at a byte, if something declares it.
pub(crate) fn places(document: &Document, byte: usize) -> Vec<Place> {
    let all = match document.form {
        Form::Tile => tile(&document.text),
        Form::Assembly => assembly(&document.text),
        Form::Kernel => return Vec::new(),
    };
    let text = |place: &Place| &document.text[place.bytes.clone()];
    let here = all
        .iter()
        .find(|place| place.bytes.start <= byte && byte <= place.bytes.end);
    let Some(name) = here.map(text) else {
        return Vec::new();
    };
    let same: Vec<Place> = all
        .iter()
        .filter(|place| text(place) == name)
        .cloned()
        .collect();
    if same.iter().any(|place| place.declares) {
        same
    } else {
        Vec::new()
    }
}

/// Whether a text has a word, comments aside.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let mut lines = text.lines();
    lines.any(|line| words(line).into_iter().any(|at| line[at] == *word))
}

/// The line of a place without what is around it, as what hovering shows.
pub(crate) fn line(text: &str, place: &Place) -> String {
    let start = text[..place.bytes.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let line = line.split("//").next().unwrap_or_default().trim();
    line.trim_end_matches([';', '{']).trim_end().to_owned()
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The words of a line before its comment.
fn words(line: &str) -> Vec<Range<usize>> {
    let code = line.split("//").next().unwrap_or_default();
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (start, is_part(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push(from..at);
                start = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    words
}

fn tile(text: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let words = words(line);
        let sizes = words
            .first()
            .is_some_and(|word| line[word.clone()] == *"sizes");
        for (at, word) in words.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| &words[at]);
            let after = line[word.end..].trim_start();
            let assigned = after.starts_with("= ");
            let adjoins = before.is_some_and(|other| line[other.end..word.start].trim().is_empty());
            let keyword = before
                .filter(|_| adjoins)
                .map_or("", |other| &line[other.clone()]);
            let declares = match keyword {
                "buf" | "chan" | "in" | "out" | "work" => after.starts_with(':'),
                "for" => after.starts_with("in "),
                "tile" => after.starts_with('@'),
                _ => assigned && (at == 0 || sizes),
            };
            // The first word of a statement or of its right side, unless nothing follows it.
            let right = line[..word.start].trim_end().ends_with('=');
            let operation =
                !declares && !assigned && (at == 0 || (right && !after.starts_with([';', ','])));
            if !operation && !line[word.clone()].starts_with(|c: char| c.is_ascii_digit()) {
                places.push(Place {
                    bytes: begin + word.start..begin + word.end,
                    declares,
                });
            }
        }
        begin += line.len();
    }
    places
}

/// Labels: `name:` alone, and words that are called so.
fn assembly(text: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        for word in words(line) {
            let alone = line[..word.start].is_empty() && line[word.end..].trim_end() == ":";
            places.push(Place {
                bytes: begin + word.start..begin + word.end,
                declares: alone,
            });
        }
        begin += line.len();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_no_names() {
        let text = "tile k@910b2 (in a: f32[8], out sum: f32[8]) {\n  buf b: f32[8] in ub;\n  sum = min b, 4; // b\n  load b <- a[sum];\n}\n";
        let found = tile(text);
        let of = |name: &str| {
            found
                .iter()
                .filter(|p| text[p.bytes.clone()] == *name)
                .count()
        };
        assert_eq!(
            (of("b"), of("sum"), of("load"), of("min"), of("a")),
            (3, 3, 0, 0, 2)
        );
        let declared = found.iter().filter(|p| p.declares).count();
        assert_eq!(declared, 5, "the kernel, two tensors, a buffer, a value");
    }
}
