//! Arrays in files that hold several: `.npz` archives and safetensors.

use std::io::{Cursor, Read};

use npyz::TypeChar;
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;

use super::{Array, Kind, read, whole};

/// Bytes of one member, unpacked, up to which it is read: an archive may promise more than there is memory.
const MAX_BYTES: u64 = 1 << 34;

/// A path as it is given, divided into the file, the sort of archive and the array wanted: `w.npz:bias`.
pub(crate) fn divided(given: &str) -> Option<(&str, Sort, Option<&str>)> {
    for (ending, sort) in [(".npz", Sort::Npz), (".safetensors", Sort::Safetensors)] {
        let (path, key) = match given.rsplit_once(':') {
            Some((path, key)) if path.ends_with(ending) => (path, Some(key)),
            Some(_) | None => (given, None),
        };
        if path.ends_with(ending) {
            return Some((path, sort, key));
        }
    }
    None
}

/// Sorts of archives.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// What `numpy.savez` writes.
    Npz,
    /// Weights.
    Safetensors,
}

impl Sort {
    /// Reads one array of a file; the error is a phrase.
    pub(crate) fn read(self, file: &[u8], name: &str) -> Result<Array, String> {
        match self {
            Sort::Npz => npz(file, name),
            Sort::Safetensors => tensor(file, name),
        }
    }
}

fn npz(file: &[u8], name: &str) -> Result<Array, String> {
    let broken = |e: zip::result::ZipError| format!("it is no archive that can be read: {e}");
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(broken)?;
    let known: Vec<String> = archive.file_names().map(str::to_owned).collect();
    let plain = |member: &str| member.strip_suffix(".npy").unwrap_or(member).to_owned();
    let Some(member) = known.iter().find(|member| plain(member) == name) else {
        return Err(missing(name, known.iter().map(|member| plain(member))));
    };
    let member = archive.by_name(member).map_err(broken)?;
    let mut bytes = Vec::new();
    let unpacked = member.take(MAX_BYTES).read_to_end(&mut bytes);
    unpacked.map_err(|e| format!("its array `{name}` cannot be unpacked: {e}"))?;
    read(&bytes).map_err(|why| format!("its array `{name}`: {why}"))
}

fn tensor(file: &[u8], name: &str) -> Result<Array, String> {
    let tensors = SafeTensors::deserialize(file)
        .map_err(|e| format!("it holds no tensors that can be read: {e}"))?;
    let Ok(tensor) = tensors.tensor(name) else {
        return Err(missing(
            name,
            tensors.names().into_iter().map(str::to_owned),
        ));
    };
    let kind = kind(tensor.dtype()).ok_or_else(|| {
        format!(
            "the elements of `{name}` are {:?}, which no element type stores",
            tensor.dtype()
        )
    })?;
    let shape: Vec<u64> = tensor.shape().iter().map(|&extent| extent as u64).collect();
    Ok(Array {
        kind,
        bytes: whole(tensor.data(), &shape, kind.size)?.to_vec(),
        shape,
    })
}

/// The kind of array that stores the same; nothing for types that we do not have. A new type of theirs is one of those.
fn kind(dtype: Dtype) -> Option<Kind> {
    let known = [
        (Dtype::BOOL, TypeChar::Bool, 1),
        (Dtype::U8, TypeChar::Uint, 1),
        (Dtype::I8, TypeChar::Int, 1),
        (Dtype::I16, TypeChar::Int, 2),
        (Dtype::F16, TypeChar::Float, 2),
        (Dtype::BF16, TypeChar::Uint, 2),
        (Dtype::I32, TypeChar::Int, 4),
        (Dtype::F32, TypeChar::Float, 4),
        (Dtype::I64, TypeChar::Int, 8),
    ];
    let found = known.into_iter().find(|(known, ..)| *known == dtype);
    found.map(|(_, letter, size)| Kind { letter, size })
}

fn missing(name: &str, known: impl Iterator<Item = String>) -> String {
    let mut known: Vec<String> = known.collect();
    known.sort();
    match diag::similar(name, known.iter().map(String::as_str)) {
        Some(near) => format!("it has no array `{name}`; did you mean `{near}`?"),
        None => format!("it has no array `{name}`, only {}", known.join(", ")),
    }
}
