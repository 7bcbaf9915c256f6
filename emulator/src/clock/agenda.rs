//! What happens next: the list that all cores share, in the order of time.
//!
//! Entries of one time are in the order of cores and pipes.

use isa::types::Pipe;

/// Something that happens at a time that other cores may depend on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Post {
    /// In ticks.
    pub(super) at: u64,
    pub(super) core: u32,
    pub(super) what: PostWhat,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum PostWhat {
    /// The next piece of the copy that the pipe is doing.
    Piece(Pipe),
    /// A cross-core set arrives at its peers: mode and counter.
    Set(u8, u8),
}

/// Marks the rank of a set, behind all pipes.
const SET: u64 = 1 << 16;

impl Post {
    /// The entry as two numbers, in the order of times, then of cores, pieces before sets.
    fn packed(self) -> Entry {
        let what = match self.what {
            PostWhat::Piece(pipe) => pipe.index() as u64,
            PostWhat::Set(mode, id) => SET | u64::from(mode) << 8 | u64::from(id),
        };
        Entry {
            at: self.at,
            rank: u64::from(self.core) << 32 | what,
        }
    }

    fn of(Entry { at, rank }: Entry) -> Post {
        let what = match rank & SET {
            0 => PostWhat::Piece(Pipe::ALL[(rank & 7) as usize]),
            _ => PostWhat::Set((rank >> 8) as u8, rank as u8),
        };
        Post {
            at,
            core: (rank >> 32) as u32,
            what,
        }
    }
}

#[derive(Copy, Clone, Debug)]
struct Entry {
    at: u64,
    rank: u64,
}

impl Entry {
    #[inline]
    fn is_before(self, other: Entry) -> bool {
        // As one number each: without a branch, because nobody can foretell which way it would go.
        let number = |entry: Entry| u128::from(entry.at) << 64 | u128::from(entry.rank);
        number(self) < number(other)
    }
}

/// The list: entries in their order, those that have gone still before them.
///
/// It is as long as cores have copies under way, a few dozen, and what comes next is mostly behind nearly all of them,
/// since whoever has had bandwidth waits for the others: looking for its place from the end takes few steps.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    posts: Vec<Entry>,
    /// Entries that have gone.
    gone: usize,
}

/// Entries that may have gone before the list moves to its beginning.
const GONE: usize = 1 << 10;

impl Agenda {
    #[inline]
    pub(super) fn add(&mut self, post: Post) {
        let entry = post.packed();
        self.posts.push(entry);
        let waiting = &mut self.posts[self.gone..];
        for place in (1..waiting.len()).rev() {
            let before = waiting[place - 1];
            if !entry.is_before(before) {
                waiting[place] = entry;
                return;
            }
            waiting[place] = before;
        }
        waiting[0] = entry;
    }

    /// The first.
    #[inline]
    pub(super) fn first(&self) -> Option<Post> {
        self.posts.get(self.gone).map(|&entry| Post::of(entry))
    }

    /// Puts another in the place of the first.
    #[inline]
    pub(super) fn replace_first(&mut self, post: Post) {
        self.drop_first();
        self.add(post);
    }

    #[inline]
    pub(super) fn drop_first(&mut self) {
        self.gone += usize::from(self.gone < self.posts.len());
        if self.gone >= GONE {
            self.posts.drain(..self.gone);
            self.gone = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_the_order_of_time() {
        let mut agenda = Agenda::default();
        let post = |at, core| Post {
            at,
            core,
            what: PostWhat::Piece(Pipe::Mte2),
        };
        for n in 0..100_u32 {
            agenda.add(post(u64::from(n * 37 % 64), n));
        }
        let mut seen = Vec::new();
        while let Some(first) = agenda.first() {
            seen.push((first.at, first.core));
            match seen.len() <= 50 {
                true => agenda.replace_first(post(first.at + 70, first.core)),
                false => agenda.drop_first(),
            }
        }
        assert_eq!(seen.len(), 150);
        assert!(seen.is_sorted());
    }
}
