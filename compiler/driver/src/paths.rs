//! Paths that are no text: command lines are text here, so each byte of an argument that is no UTF-8 becomes a character of
//! a private area, and the path that is opened has the byte again. Findings show such a name as it was written.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The character of byte 0; the end of the last plane, where nothing has a meaning.
const FIRST: u32 = 0x10_FE00;

/// An argument as text.
pub(crate) fn text(arg: &OsStr) -> OsString {
    match arg.to_str() {
        Some(_) => arg.to_owned(),
        None => escaped(arg.as_encoded_bytes()).into(),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let odd = chunk.invalid().iter();
        text.extend(odd.filter_map(|&byte| char::from_u32(FIRST + u32::from(byte))));
    }
    text
}

/// The byte that a character stands for.
fn byte(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(FIRST)?).ok()
}

/// The path that a text means.
pub(crate) fn real(text: &str) -> PathBuf {
    if !text.chars().any(|c| byte(c).is_some()) {
        return PathBuf::from(text);
    }
    let mut bytes = Vec::new();
    for c in text.chars() {
        match byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    from_bytes(bytes)
}

#[cfg(unix)]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The path as findings show it.
pub(crate) fn shown(text: &str) -> String {
    let shown = |c: char| byte(c).map_or(c, |_| char::REPLACEMENT_CHARACTER);
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_survive() {
        let text = escaped(b"a\xff\xc3\xa4.vn");
        assert_eq!(
            real(&text).as_os_str().as_encoded_bytes(),
            b"a\xff\xc3\xa4.vn"
        );
        assert_eq!(shown(&text), "a\u{fffd}\u{e4}.vn");
        assert_eq!(real("plain.vn"), PathBuf::from("plain.vn"));
    }
}
