//! The tree as canonical source text, for `--emit=ast`. What is printed parses
//! back to the same tree; comments are not in the tree and are lost, and what
//! could not be read prints as `<error>`.

mod expr;
mod item;

use std::fmt::Write as _;

use crate::ast::{Exprs, File};

/// Prints a tree as source text.
pub fn print_ast(file: &File) -> String {
    let mut out = Printer {
        exprs: &file.exprs,
        text: String::new(),
    };
    for directive in &file.directives {
        out.line(
            0,
            format_args!("//! {}: {}", directive.key, directive.value),
        );
    }
    for item in &file.items {
        if !out.text.is_empty() {
            out.text.push('\n');
        }
        out.item(item);
    }
    out.text
}

struct Printer<'a> {
    exprs: &'a Exprs,
    text: String,
}

impl Printer<'_> {
    /// Writes a whole line.
    fn line(&mut self, indent: usize, line: std::fmt::Arguments<'_>) {
        let blank = " ".repeat(indent * 4);
        writeln!(self.text, "{blank}{line}").expect("strings take all that is written");
    }
}

/// Joins the texts of a list.
fn list<T>(items: &[T], text: impl FnMut(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}
