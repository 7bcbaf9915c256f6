//! The head of a `.npy` file. npyz reads it, but trusts it too much: a hostile head is refused before.

use npyz::NpyHeader;

/// Far above what any array that fits a tensor needs.
const MAX_HEADER: usize = 1 << 16;
const MAX_NESTING: usize = 8;

/// The head and the bytes after it.
pub(super) fn split(file: &[u8]) -> Result<(NpyHeader, &[u8]), String> {
    let text = header_text(file).ok_or("it does not begin as a .npy file does")?;
    check_text(text)?;
    let mut rest = file;
    match NpyHeader::from_reader(&mut rest) {
        Ok(header) => Ok((header, rest)),
        Err(e) => Err(format!(
            "its header cannot be read: {}",
            first_line(&e.to_string())
        )),
    }
}

fn header_text(file: &[u8]) -> Option<&[u8]> {
    let rest = file.strip_prefix(b"\x93NUMPY")?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let (length, rest) = if version[0] == 1 {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (u32::from_le_bytes(*length) as usize, rest)
    };
    rest.get(..length.min(MAX_HEADER + 1))
}

/// Refuses nesting that would exhaust the stack of npyz's parser and numbers whose product would overflow in it.
fn check_text(text: &[u8]) -> Result<(), String> {
    if text.len() > MAX_HEADER {
        return Err("its header is too long".to_owned());
    }
    let mut depth = 0usize;
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err("its header is nested too deeply".to_owned());
        }
    }
    let numbers = text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let mut product = 1u64;
    for number in numbers.filter(|word| word.first().is_some_and(u8::is_ascii_digit)) {
        let value = std::str::from_utf8(number)
            .ok()
            .and_then(|word| word.parse::<u64>().ok());
        let value = value.ok_or("its header has a number that is none")?;
        product = product
            .checked_mul(value.max(1))
            .ok_or("its shape has more elements than there is memory")?;
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
