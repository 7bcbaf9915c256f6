//! Memory of the evaluator: elements with a note for each whether it was written.

use isa::types::Elem;

use super::{EvalErrorKind, Fault};
use crate::algo::data::Data;
use crate::algo::eval::column::Column;

/// A tensor, or the current copy of a buffer.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) elem: Elem,
    data: Data,
    written: Vec<bool>,
    /// Columns of a matrix; `None` for a tensor, whose elements have one number.
    cols: Option<usize>,
}

impl Default for Store {
    fn default() -> Store {
        Store::empty(Elem::U8, 0, None)
    }
}

impl Store {
    /// Elements that nothing has written.
    pub(super) fn empty(elem: Elem, count: usize, cols: Option<usize>) -> Store {
        Store {
            elem,
            data: Data::zeros(elem, count),
            written: vec![false; count],
            cols,
        }
    }

    /// A tensor with contents.
    pub(super) fn filled(elem: Elem, data: Data) -> Store {
        let written = vec![true; data.count(elem)];
        Store {
            elem,
            data,
            written,
            cols: None,
        }
    }

    /// The contents if all was written, else the place of the first element that was not.
    pub(super) fn into_data(self) -> Result<Data, Fault> {
        match self.written.iter().position(|written| !written) {
            Some(at) => Err((EvalErrorKind::Uninitialised, self.place(at))),
            None => Ok(self.data),
        }
    }

    /// The number of elements.
    pub(super) fn count(&self) -> usize {
        self.written.len()
    }

    /// Forgets what was written in a range.
    pub(super) fn forget(&mut self, start: usize, count: usize) {
        if let Some(range) = self.written.get_mut(start..start.saturating_add(count)) {
            range.fill(false);
        }
    }

    /// Reads consecutive elements.
    pub(super) fn read(&self, start: usize, count: usize) -> Result<Column, Fault> {
        self.readable(start, count)?;
        let places: Vec<usize> = (start..start + count).collect();
        Ok(Column::gathered(self.elem, &self.data, &places))
    }

    /// Reads the bits of one element, zero-extended.
    pub(super) fn read_bits(&self, at: usize) -> Result<u64, Fault> {
        self.readable(at, 1)?;
        Ok(self.data.bits(self.elem, at))
    }

    /// Writes consecutive elements of this store's type.
    pub(super) fn write(&mut self, start: usize, values: &Column) -> Result<(), Fault> {
        let count = values.len();
        self.writable(start, count)?;
        values.store(self.elem, &mut self.data, start);
        Ok(())
    }

    /// Writes the low bits of a word to one element.
    pub(super) fn write_bits(&mut self, at: usize, bits: u64) -> Result<(), Fault> {
        self.writable(at, 1)?;
        self.data.set_bits(self.elem, at, bits);
        Ok(())
    }

    /// Writes zero bytes to consecutive elements.
    pub(super) fn clear(&mut self, start: usize, count: usize) -> Result<(), Fault> {
        self.writable(start, count)?;
        let size = self.elem.bytes() as usize;
        if let Some(bytes) = self
            .data
            .bytes
            .get_mut(start * size..(start + count) * size)
        {
            bytes.fill(0);
        }
        Ok(())
    }

    /// Copies consecutive elements from a store whose elements are of the same size.
    pub(super) fn copy(
        &mut self,
        start: usize,
        from: &Store,
        at: usize,
        count: usize,
    ) -> Result<(), Fault> {
        from.readable(at, count)?;
        self.writable(start, count)?;
        let size = self.elem.bytes() as usize;
        let source = from.data.bytes.get(at * size..(at + count) * size);
        let target = self
            .data
            .bytes
            .get_mut(start * size..(start + count) * size);
        if let (Some(source), Some(target)) = (source, target) {
            target.copy_from_slice(source);
        }
        Ok(())
    }

    fn readable(&self, start: usize, count: usize) -> Result<(), Fault> {
        self.in_bounds(start, count)?;
        match self.written[start..start + count]
            .iter()
            .position(|written| !written)
        {
            None => Ok(()),
            Some(first) => {
                let place = self.place(start + first);
                Err((
                    EvalErrorKind::Uninitialised,
                    format!("nothing has written {place}"),
                ))
            }
        }
    }

    fn writable(&mut self, start: usize, count: usize) -> Result<(), Fault> {
        self.in_bounds(start, count)?;
        self.written[start..start + count].fill(true);
        Ok(())
    }

    fn in_bounds(&self, start: usize, count: usize) -> Result<(), Fault> {
        let total = self.written.len();
        if start.checked_add(count).is_some_and(|end| end <= total) {
            return Ok(());
        }
        let message = format!(
            "{count} elements from {} on end beyond {total} elements",
            self.place(start)
        );
        Err((EvalErrorKind::OutOfBounds, message))
    }

    fn place(&self, at: usize) -> String {
        match self.cols {
            Some(cols) if cols > 0 => format!("[{}, {}]", at / cols, at % cols),
            Some(_) | None => format!("element {at}"),
        }
    }
}
