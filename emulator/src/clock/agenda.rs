//! What happens next: the list that all cores share, in the order of time.
//!
//! Entries of one time are in the order of cores and pipes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    /// The entry as one number, in the order of times, then of cores, pieces before sets.
    fn packed(self) -> u128 {
        let what = match self.what {
            PostWhat::Piece(pipe) => pipe.index() as u64,
            PostWhat::Set(mode, id) => SET | u64::from(mode) << 8 | u64::from(id),
        };
        u128::from(self.at) << 64 | u128::from(u64::from(self.core) << 32 | what)
    }

    fn of(packed: u128) -> Post {
        let rank = packed as u64;
        let what = match rank & SET {
            0 => PostWhat::Piece(Pipe::ALL[(rank & 7) as usize]),
            _ => PostWhat::Set((rank >> 8) as u8, rank as u8),
        };
        Post {
            at: (packed >> 64) as u64,
            core: (rank >> 32) as u32,
            what,
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    posts: BinaryHeap<Reverse<u128>>,
}

impl Agenda {
    pub(super) fn add(&mut self, post: Post) {
        self.posts.push(Reverse(post.packed()));
    }

    /// The first.
    #[inline]
    pub(super) fn first(&self) -> Option<Post> {
        self.posts.peek().map(|post| Post::of(post.0))
    }

    /// Puts another in the place of the first.
    #[inline]
    pub(super) fn replace_first(&mut self, post: Post) {
        if let Some(mut first) = self.posts.peek_mut() {
            first.0 = post.packed();
        }
    }

    pub(super) fn drop_first(&mut self) {
        self.posts.pop();
    }
}
