//! Places in a source text. Knows no texts: a span may point anywhere.

use std::ops::Range;

/// A source text of a [`crate::SourceMap`].
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Default)]
pub struct FileId(pub u32);

/// A range of bytes of one source text.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Default)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// The span of things that no text has: generated code, command lines.
    pub const NONE: Span = Span {
        file: FileId(u32::MAX),
        start: 0,
        end: 0,
    };

    /// Makes a span; offsets above 4 GiB stop at the largest one.
    pub fn new(file: FileId, range: Range<usize>) -> Span {
        Span {
            file,
            start: offset(range.start),
            end: offset(range.end),
        }
    }

    /// Returns whether this is [`Span::NONE`].
    pub fn is_none(self) -> bool {
        self == Span::NONE
    }

    /// Joins two spans of one file; [`Span::NONE`] is neutral, and of two files
    /// the first wins.
    pub fn to(self, other: Span) -> Span {
        if self.is_none() {
            return other;
        }
        if self.file != other.file {
            return self;
        }
        Span {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// The bytes as a range for slicing; never reversed.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end.max(self.start) as usize
    }

    /// The empty span at the start of this one.
    pub fn shrink_to_start(self) -> Span {
        Span {
            end: self.start,
            ..self
        }
    }

    /// The empty span at the end of this one.
    pub fn shrink_to_end(self) -> Span {
        Span {
            start: self.end,
            ..self
        }
    }
}

fn offset(byte: usize) -> u32 {
    u32::try_from(byte).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_takes_the_hull_and_none_is_neutral() {
        let a = Span::new(FileId(0), 3..5);
        let b = Span::new(FileId(0), 8..9);
        assert_eq!(a.to(b).range(), 3..9);
        assert_eq!(b.to(a).range(), 3..9);
        assert_eq!(Span::NONE.to(a), a);
        assert_eq!(a.to(Span::NONE), a);
        assert_eq!(a.to(Span::new(FileId(1), 0..1)), a);
    }
}
