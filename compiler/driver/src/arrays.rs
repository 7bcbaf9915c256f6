//! Array files: `.npy` bytes to tensors and back. Opens no files itself.
//!
//! A tensor in memory is little-endian, row-major and without padding; a file in Fortran order or big-endian is
//! converted. numpy has no bf16: such arrays are stored as `<u2` (or `<V2`, as ml_dtypes writes them).

pub(crate) mod archive;
mod header;

use isa::types::Elem;
use npyz::{DType, Endianness, Order, TypeChar, WriterBuilder};

/// An array as a file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Array {
    /// The kind of its elements.
    pub(crate) kind: Kind,
    /// Extents, outermost first.
    pub(crate) shape: Vec<u64>,
    /// Little-endian elements, row-major.
    pub(crate) bytes: Vec<u8>,
}

/// A kind of element that files know.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    letter: TypeChar,
    size: u64,
}

impl Kind {
    /// The element type that such an array has if nothing is declared; none for what no element type stores.
    pub(crate) fn natural(self) -> Option<Elem> {
        Elem::ALL.into_iter().find(|&elem| self.holds(elem))
    }

    /// Whether arrays of this kind are how `elem` is stored.
    pub(crate) fn holds(self, elem: Elem) -> bool {
        stored_as(elem).contains(&self)
    }

    /// numpy's name: `float16`.
    pub(crate) fn name(self) -> String {
        let words = [
            (TypeChar::Float, "float"),
            (TypeChar::Int, "int"),
            (TypeChar::Uint, "uint"),
            (TypeChar::Complex, "complex"),
        ];
        if self.letter == TypeChar::Bool {
            return "bool".to_owned();
        }
        match words.into_iter().find(|(letter, _)| *letter == self.letter) {
            Some((_, word)) => format!("{word}{}", self.size.saturating_mul(8)),
            None => format!("{}{}", self.letter.to_str(), self.size),
        }
    }
}

/// The kinds that store an element type, the one that we write first.
fn stored_as(elem: Elem) -> &'static [Kind] {
    const fn kind(letter: TypeChar, size: u64) -> Kind {
        Kind { letter, size }
    }
    match elem {
        Elem::F32 => const { &[kind(TypeChar::Float, 4)] },
        Elem::F16 => const { &[kind(TypeChar::Float, 2)] },
        Elem::Bf16 => const { &[kind(TypeChar::Uint, 2), kind(TypeChar::RawData, 2)] },
        Elem::I64 => const { &[kind(TypeChar::Int, 8)] },
        Elem::I32 => const { &[kind(TypeChar::Int, 4)] },
        Elem::I16 => const { &[kind(TypeChar::Int, 2)] },
        Elem::I8 => const { &[kind(TypeChar::Int, 1)] },
        Elem::U8 => const { &[kind(TypeChar::Uint, 1)] },
        Elem::Bool => const { &[kind(TypeChar::Bool, 1)] },
    }
}

/// numpy's name of what stores an element type.
pub(crate) fn stored_name(elem: Elem) -> String {
    stored_as(elem)[0].name()
}

/// Reads the bytes of a `.npy` file; the error is a phrase.
pub(crate) fn read(file: &[u8]) -> Result<Array, String> {
    let (header, data) = header::split(file)?;
    let DType::Plain(plain) = header.dtype() else {
        return Err("its elements are records".to_owned());
    };
    let kind = Kind {
        letter: plain.type_char(),
        size: plain.size_field(),
    };
    if kind.natural().is_none() {
        return Err(format!(
            "its elements are {}, which no element type stores",
            kind.name()
        ));
    }
    let bytes = whole(data, header.shape(), kind.size)?;
    let bytes = match plain.endianness() {
        Endianness::Big => swapped(bytes, kind.size as usize),
        Endianness::Little | Endianness::Irrelevant => bytes.to_vec(),
    };
    let bytes = match header.order() {
        Order::C => bytes,
        Order::Fortran => row_major(&bytes, header.shape(), kind.size as usize),
    };
    Ok(Array {
        kind,
        shape: header.shape().to_vec(),
        bytes,
    })
}

/// The data of an array of that shape: all of it and no more.
fn whole<'a>(data: &'a [u8], shape: &[u64], size: u64) -> Result<&'a [u8], String> {
    let needed = shape
        .iter()
        .try_fold(size, |bytes, &extent| bytes.checked_mul(extent));
    let needed = needed.and_then(|bytes| usize::try_from(bytes).ok());
    let needed = needed.ok_or("its shape has more elements than there is memory")?;
    match data.len() {
        found if found < needed => Err(format!("it is cut off: {found} of {needed} bytes of data")),
        found if found > needed => Err(format!("{} bytes follow the array", found - needed)),
        _ => Ok(data),
    }
}

fn swapped(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    bytes
}

/// Elements that lie first-index-fastest, last-index-fastest.
fn row_major(bytes: &[u8], shape: &[u64], size: usize) -> Vec<u8> {
    let count = bytes.len() / size;
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = vec![0u64; shape.len()];
    for _ in 0..count {
        let mut place = 0;
        for (&index, &extent) in at.iter().zip(shape).rev() {
            place = place * extent + index;
        }
        let start = place as usize * size;
        out.extend_from_slice(&bytes[start..start + size]);
        advance(&mut at, shape);
    }
    out
}

/// The next index, the last dimension fastest.
fn advance(at: &mut [u64], shape: &[u64]) {
    for (index, &extent) in at.iter_mut().zip(shape).rev() {
        *index += 1;
        if *index < extent {
            return;
        }
        *index = 0;
    }
}

/// The bytes of a `.npy` file.
pub(crate) fn write(elem: Elem, shape: &[u64], bytes: &[u8]) -> Vec<u8> {
    let kind = stored_as(elem)[0];
    let order = if kind.size == 1 { '|' } else { '<' };
    let plain = format!("{order}{}{}", kind.letter.to_str(), kind.size);
    let dtype = DType::new_scalar(
        plain
            .parse()
            .expect("an order, a letter and a size are a type"),
    );
    let options = npyz::WriteOptions::new_header_only();
    let header = options.dtype(dtype).shape(shape).writer(Vec::new());
    let mut file = header
        .write_header_only()
        .expect("memory takes all that is written");
    file.extend_from_slice(bytes);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut dict =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        dict.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((dict.len() as u16).to_le_bytes());
        bytes.extend(dict.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_is_written_is_read_again() {
        for elem in Elem::ALL {
            let bytes: Vec<u8> = (0..6 * elem.bytes() as u8).collect();
            let array = read(&write(elem, &[2, 3], &bytes)).expect("our own file");
            assert_eq!(array.shape, [2, 3]);
            assert_eq!(array.bytes, bytes);
            assert!(array.kind.holds(elem));
            assert_eq!(array.kind.natural(), Some(elem));
        }
        let scalar = read(&write(Elem::F32, &[], &[0, 0, 128, 63])).expect("our own file");
        assert!(scalar.shape.is_empty());
    }

    #[test]
    fn fortran_order_and_big_endian_are_converted() {
        let data = [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6];
        let array = read(&file(">i2", "True", "(2, 3)", &data)).expect("a good file");
        assert_eq!(array.bytes, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]);
        assert_eq!(array.kind.name(), "int16");
    }

    #[test]
    fn bad_files_are_named_not_feared() {
        let good = file("<f4", "False", "(2,)", &[0; 8]);
        for end in 0..good.len() {
            assert!(read(&good[..end]).is_err());
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                // Either another array or an error, never a panic.
                let _ = read(&bad);
            }
        }
        let long = file("<f4", "False", "(2,)", &[0; 9]);
        assert_eq!(
            read(&long).expect_err("too long"),
            "1 bytes follow the array"
        );
        let huge = file("<f4", "False", "(4294967296, 4294967296, 4)", &[]);
        assert!(read(&huge).is_err());
        let deep = file("<f4", "False", &format!("({}", "(".repeat(9000)), &[]);
        assert!(read(&deep).is_err());
        let odd = read(&file("<f8", "False", "(1,)", &[0; 8])).expect_err("float64");
        assert_eq!(
            odd,
            "its elements are float64, which no element type stores"
        );
    }
}
