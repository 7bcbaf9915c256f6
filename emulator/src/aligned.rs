//! Items whose first one begins a line of the host's cache: wide loads and stores of lines then touch one line each.
//!
//! Nothing but time depends on it. Knows nothing of what the items are.

use std::ops::{Deref, DerefMut};

/// Bytes of a line of the host's cache.
const LINE: usize = 64;

/// A fixed number of items; used as the slice that it holds.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    /// The items, and before and behind them as many as bring the first to the begin of a line.
    room: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// So many items of the default, which for numbers is zero.
    pub(crate) fn new(len: usize) -> Aligned<T> {
        let spare = match len {
            0 => 0,
            _ => LINE / size_of::<T>().max(1),
        };
        let room = vec![T::default(); len + spare];
        // The host may refuse to tell.
        let first = room.as_ptr().align_offset(LINE).min(spare);
        Aligned { room, first, len }
    }
}

impl<T> Aligned<T> {
    /// How many items there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.room[self.first..self.first + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.room[self.first..self.first + self.len]
    }
}

impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Aligned<T> {
        let mut copy = Aligned::new(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: PartialEq> PartialEq for Aligned<T> {
    fn eq(&self, other: &Aligned<T>) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_begins_a_line_in_copies_too() {
        for len in [0, 1, 64, 100, 4096] {
            let mut items: Aligned<u32> = Aligned::new(len);
            items.iter_mut().zip(7..).for_each(|(item, n)| *item = n);
            for items in [items.clone(), items] {
                assert_eq!((items.len(), items.iter().len()), (len, len));
                assert!(items.iter().zip(7..).all(|(&item, n)| item == n), "{len}");
                let at = items.as_ptr().addr();
                assert!(
                    len == 0 || at.is_multiple_of(LINE),
                    "{len} items at {at:#x}"
                );
            }
        }
    }
}
