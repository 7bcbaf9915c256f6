//! Items of a repeat as the loops of `rows` see them: bytes of memory, four or two at a time.

/// Bytes of a repeat.
pub(super) const ROW: usize = 256;
/// Bytes of a block.
pub(super) const BLOCK: usize = 32;

/// An item of a row: four bytes or two.
pub(super) trait Item: Copy {
    /// A row of such items.
    type Row: AsRef<[Self]> + AsMut<[Self]> + Copy;
    /// The items of a row.
    fn row(bytes: &[u8; ROW]) -> &Self::Row;
    /// The items of a row, to change them.
    fn row_mut(bytes: &mut [u8; ROW]) -> &mut Self::Row;
    /// The items of any bytes.
    fn items(bytes: &[u8]) -> &[Self];
    /// The items of any bytes, to change them.
    fn items_mut(bytes: &mut [u8]) -> &mut [Self];
    /// The items of a line: two blocks.
    type Line: AsRef<[Self]> + AsMut<[Self]> + Copy;
    /// Two copies of a block as a line.
    fn line(block: &[u8; BLOCK]) -> Self::Line;
    /// The lines of a row, to change them.
    fn lines_mut(bytes: &mut [u8; ROW]) -> &mut [Self::Line];
    /// The lines of a row.
    fn lines(bytes: &[u8; ROW]) -> &[Self::Line];
}

/// Declares the items of one size.
macro_rules! item {
    ($size:literal, $count:literal, $line:literal) => {
        impl Item for [u8; $size] {
            type Row = [[u8; $size]; $count];

            #[inline(always)]
            fn row(bytes: &[u8; ROW]) -> &Self::Row {
                bytes.as_chunks().0.first_chunk().expect("a whole row")
            }

            #[inline(always)]
            fn row_mut(bytes: &mut [u8; ROW]) -> &mut Self::Row {
                let row = bytes.as_chunks_mut().0.first_chunk_mut();
                row.expect("a whole row")
            }

            fn items(bytes: &[u8]) -> &[Self] {
                bytes.as_chunks().0
            }

            fn items_mut(bytes: &mut [u8]) -> &mut [Self] {
                bytes.as_chunks_mut().0
            }

            type Line = [[u8; $size]; $line];

            #[inline(always)]
            fn line(block: &[u8; BLOCK]) -> Self::Line {
                let items = block.as_chunks().0;
                std::array::from_fn(|n| items[n % (BLOCK / $size)])
            }

            #[inline(always)]
            fn lines_mut(bytes: &mut [u8; ROW]) -> &mut [Self::Line] {
                bytes.as_chunks_mut().0.as_chunks_mut().0
            }

            #[inline(always)]
            fn lines(bytes: &[u8; ROW]) -> &[Self::Line] {
                bytes.as_chunks().0.as_chunks().0
            }
        }
    };
}

item!(4, 64, 16);
item!(2, 128, 32);
