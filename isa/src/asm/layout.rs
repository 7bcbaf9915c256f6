//! The formatter of assembly texts: sections, labels and directives at the margin, instructions four spaces in, one space
//! where white space is. Lines, comments and the columns of comments stay the author's.

use super::AsmError;
use super::parse::{assemble, comment_start};

/// The indentation of instructions and of `.loc`, which belongs to the next one.
const INDENT: &str = "    ";

/// Formats an assembly text, or gives what is wrong with it. The object that it means stays the same.
pub fn format(text: &str) -> Result<String, Vec<AsmError>> {
    assemble(text)?;
    let mut out = String::new();
    let mut blank = false;
    for line in text.lines() {
        let (code, comment) = line.split_at(comment_start(line));
        if code.trim().is_empty() && comment.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push('\n');
        }
        format_line(code, comment.trim_end(), &mut out);
        out.push('\n');
    }
    Ok(out)
}

fn format_line(code: &str, comment: &str, out: &mut String) {
    let words = code.trim();
    if words.is_empty() {
        let inside = code.starts_with([' ', '\t']);
        out.push_str(if inside { INDENT } else { "" });
        out.push_str(comment);
        return;
    }
    let start = out.len();
    let margin = words.ends_with(':') || (words.starts_with('.') && !words.starts_with(".loc"));
    out.push_str(if margin { "" } else { INDENT });
    push_words(words, out);
    if comment.is_empty() {
        return;
    }
    let width = out[start..].chars().count();
    let padded = code.ends_with("  ") || code.ends_with('\t');
    let column = if padded { code.chars().count() } else { 0 };
    out.extend(std::iter::repeat_n(
        ' ',
        column.saturating_sub(width).max(1),
    ));
    out.push_str(comment);
}

/// Writes code with one space for white space, none before a comma and one behind it; quotes and brackets keep theirs.
fn push_words(code: &str, out: &mut String) {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    let mut gap = false;
    for c in code.chars() {
        if !quoted && c.is_whitespace() {
            gap = true;
            continue;
        }
        let behind_comma = depth == 0 && out.ends_with(',');
        if c != ',' && (gap || behind_comma) && !quoted {
            out.push(' ');
        }
        gap = false;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_space_and_a_margin() {
        let text = "\n\n  .chip 910b2\n.kernel   \"a  b\"\n.cores vector 1\n\n\n.aiv\ntop:\nadd x1,x1 , 1  // one\n \
                    bcc.ne  x1,3,top\n end\n";
        let expected = ".chip 910b2\n.kernel \"a  b\"\n.cores vector 1\n\n.aiv\ntop:\n    add x1, x1, 1 // one\n    \
                        bcc.ne x1, 3, top\n    end\n";
        let once = format(text).expect("no mistakes");
        assert_eq!(once, expected);
        assert_eq!(format(&once).expect("no mistakes"), once);
        assert!(assemble(text).expect("right") == assemble(&once).expect("right"));
    }

    #[test]
    fn mistakes_are_left_alone() {
        assert!(format(".kernel").is_err());
    }
}
