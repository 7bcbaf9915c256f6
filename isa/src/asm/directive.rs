//! Directives: words, strings and shapes.

use super::AsmErrorKind;
use crate::chip::Chip;
use crate::inst::MmadTy;
use crate::object::{LineRow, Object, ParamDir, ParamMeta};
use crate::types::Elem;
use std::ops::Range;

/// What is wrong, and where in the line.
type Wrong = (AsmErrorKind, Range<usize>);

/// The arguments of a directive.
struct Arguments<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Arguments<'a> {
    fn skip_blanks(&mut self) {
        let rest = &self.line[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// A word up to the next blank, and its place; empty at the end of the line.
    fn word(&mut self) -> (&'a str, Range<usize>) {
        self.skip_blanks();
        let rest = &self.line[self.at..];
        let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let span = self.at..self.at + len;
        self.at = span.end;
        (&self.line[span.clone()], span)
    }

    /// A word, or a string in quotes.
    fn name(&mut self, expected: &'static str) -> Result<String, Wrong> {
        self.skip_blanks();
        if self.line[self.at..].starts_with('"') {
            return self.string();
        }
        let (word, span) = self.word();
        if word.is_empty() {
            Err((AsmErrorKind::Directive(expected), span))
        } else {
            Ok(word.to_owned())
        }
    }

    fn string(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        let mut text = String::new();
        let mut rest = self.line[start + 1..].char_indices();
        while let Some((offset, c)) = rest.next() {
            match c {
                '"' => {
                    self.at = start + 1 + offset + 1;
                    return Ok(text);
                }
                '\\' => match escape(&mut rest) {
                    Some(c) => text.push(c),
                    None => break,
                },
                c => text.push(c),
            }
        }
        self.at = self.line.len();
        Err((AsmErrorKind::BadString, start..self.line.len()))
    }

    fn number<T: TryFrom<u64>>(&mut self, expected: &'static str) -> Result<T, Wrong> {
        let (word, span) = self.word();
        let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let number = word.parse::<u64>().ok().filter(|_| digits);
        number
            .and_then(|n| T::try_from(n).ok())
            .ok_or((AsmErrorKind::Directive(expected), span))
    }

    /// A formula over sizes, in quotes.
    fn formula(&mut self) -> Result<String, Wrong> {
        self.skip_blanks();
        let start = self.at;
        let text = self.name("a formula")?;
        match crate::object::formula::value(&text, &|_| Some(1)) {
            Err(crate::object::formula::Flaw::Text) if !text.is_empty() => {
                Err((AsmErrorKind::Directive("a formula"), start..self.at))
            }
            Ok(_) | Err(_) => Ok(text),
        }
    }

    /// Formulas up to the end of the line.
    fn formulas(&mut self) -> Result<Vec<String>, Wrong> {
        let mut all = Vec::new();
        self.skip_blanks();
        while self.at < self.line.len() {
            all.push(self.formula()?);
            self.skip_blanks();
        }
        Ok(all)
    }

    /// `[2,3]`, blanks allowed.
    fn shape(&mut self) -> Result<Vec<u64>, Wrong> {
        self.skip_blanks();
        let span = self.at..self.line.trim_end().len().max(self.at);
        let wrong = (AsmErrorKind::Directive("a shape, `[2,3]`"), span.clone());
        let text = &self.line[span.clone()];
        let Some(list) = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
        else {
            return Err(wrong);
        };
        self.at = span.end;
        if list.trim().is_empty() {
            return Ok(Vec::new());
        }
        let extent = |word: &str| word.trim().parse::<u64>().map_err(|_| wrong.clone());
        list.split(',').map(extent).collect()
    }

    fn finish(&mut self) -> Result<(), Wrong> {
        let (word, span) = self.word();
        if word.is_empty() {
            Ok(())
        } else {
            Err((AsmErrorKind::Directive("the end of the line"), span))
        }
    }
}

fn escape(rest: &mut std::str::CharIndices<'_>) -> Option<char> {
    match rest.next()?.1 {
        'n' => Some('\n'),
        c @ ('"' | '\\') => Some(c),
        'u' => {
            let (_, '{') = rest.next()? else {
                return None;
            };
            let digits: String = rest
                .take_while(|(_, c)| *c != '}')
                .map(|(_, c)| c)
                .take(8)
                .collect();
            u32::from_str_radix(&digits, 16)
                .ok()
                .and_then(char::from_u32)
        }
        _ => None,
    }
}

/// What a directive asks of the assembler beyond its entry in the object.
pub(super) enum Request {
    /// Nothing.
    None,
    /// Code of the cube program follows.
    Aic,
    /// Code of the vector program follows.
    Aiv,
    /// The next instruction came from here; `pc` is open.
    Loc(LineRow),
}

/// Carries out the directive of a line without comment.
pub(super) fn apply(
    line: &str,
    object: &mut Object,
    cores_given: &mut [bool; 2],
) -> Result<Request, Wrong> {
    let mut arguments = Arguments { line, at: 0 };
    let (directive, span) = arguments.word();
    let mut request = Request::None;
    match directive {
        ".chip" => chip(&mut arguments, object)?,
        ".kernel" => object.kernel.name = arguments.name("the name of the kernel")?,
        ".opt" => object.kernel.opt = arguments.name("a string")?,
        ".cores" => cores(&mut arguments, object, cores_given)?,
        ".work" => work(&mut arguments, object)?,
        ".param" => object.kernel.params.push(param(&mut arguments)?),
        ".size" => {
            let name = arguments.name("the name of a size")?;
            object
                .kernel
                .sizes
                .push((name, arguments.number("a number")?));
        }
        ".launch" => launch(&mut arguments, object)?,
        ".file" => {
            let file = arguments.name("a file name")?;
            object.files.push(file);
        }
        ".aic" => request = Request::Aic,
        ".aiv" => request = Request::Aiv,
        ".loc" => request = Request::Loc(loc(&mut arguments, object.files.len())?),
        _ => return Err((AsmErrorKind::UnknownDirective(directive.to_owned()), span)),
    }
    arguments.finish()?;
    Ok(request)
}

fn chip(arguments: &mut Arguments<'_>, object: &mut Object) -> Result<(), Wrong> {
    object.chip = arguments.name("the name of a chip")?;
    arguments.skip_blanks();
    object.chip_version = if arguments.at < arguments.line.len() {
        arguments.name("a version")?
    } else {
        Chip::builtin(&object.chip).map_or(String::new(), |chip| chip.version_stamp())
    };
    Ok(())
}

fn cores(
    arguments: &mut Arguments<'_>,
    object: &mut Object,
    given: &mut [bool; 2],
) -> Result<(), Wrong> {
    let (kind, span) = arguments.word();
    let (count, given) = match kind {
        "cube" => (&mut object.kernel.cube_cores, &mut given[0]),
        "vector" => (&mut object.kernel.vector_cores, &mut given[1]),
        _ => return Err((AsmErrorKind::Directive("`cube` or `vector`"), span)),
    };
    *count = arguments.number("a number of cores")?;
    *given = true;
    Ok(())
}

fn work(arguments: &mut Arguments<'_>, object: &mut Object) -> Result<(), Wrong> {
    let (what, span) = arguments.word();
    let kernel = &mut object.kernel;
    match what {
        "mads" => kernel.mads = arguments.number("a number")?,
        "vector_ops" => kernel.vector_ops = arguments.number("a number")?,
        "bytes" => kernel.compulsory_bytes = arguments.number("a number")?,
        "mad_ty" => {
            let (name, span) = arguments.word();
            let ty = MmadTy::ALL.iter().copied().find(|ty| ty.name() == name);
            kernel.mad_ty = Some(ty.ok_or((
                AsmErrorKind::Directive("`f16`, `bf16`, `f32` or `s8`"),
                span,
            ))?);
        }
        _ => {
            return Err((
                AsmErrorKind::Directive("`mads`, `mad_ty`, `vector_ops` or `bytes`"),
                span,
            ));
        }
    }
    Ok(())
}

/// `.launch size M`, `.launch shape "M" "2*K"` (one a parameter, in order), `.launch condition "M <= 64"`,
/// `.launch work "M*K" "0" "2*M"`.
fn launch(arguments: &mut Arguments<'_>, object: &mut Object) -> Result<(), Wrong> {
    let (what, span) = arguments.word();
    let launch = &mut object.kernel.launch;
    match what {
        "size" => launch.sizes.push(arguments.name("the name of a size")?),
        "shape" => launch.shapes.push(arguments.formulas()?),
        "condition" => launch.conditions.push(arguments.formula()?),
        "work" => {
            for text in &mut launch.work {
                *text = arguments.formula()?;
            }
        }
        _ => {
            let expected = "`size`, `shape`, `condition` or `work`";
            return Err((AsmErrorKind::Directive(expected), span));
        }
    }
    Ok(())
}

fn param(arguments: &mut Arguments<'_>) -> Result<ParamMeta, Wrong> {
    let (dir, dir_span) = arguments.word();
    let dir = ParamDir::from_name(dir)
        .ok_or((AsmErrorKind::Directive("`in`, `out` or `work`"), dir_span))?;
    let name = arguments.name("the name of a parameter")?;
    let (elem, elem_span) = arguments.word();
    let elem =
        Elem::from_name(elem).ok_or((AsmErrorKind::Directive("an element type"), elem_span))?;
    Ok(ParamMeta {
        name,
        elem,
        shape: arguments.shape()?,
        dir,
    })
}

fn loc(arguments: &mut Arguments<'_>, files: usize) -> Result<LineRow, Wrong> {
    let start = arguments.at;
    let file: u32 = arguments.number("the number of a `.file`")?;
    if file as usize >= files {
        return Err((
            AsmErrorKind::Directive("the number of a `.file`"),
            start..arguments.at,
        ));
    }
    let line = arguments.number("a line")?;
    let col = arguments.number("a column")?;
    let start = arguments.at;
    let byte_start: u32 = arguments.number("a byte position")?;
    let byte_end = arguments.number("a byte position")?;
    if byte_end < byte_start {
        return Err((
            AsmErrorKind::Directive("an end behind the start"),
            start..arguments.at,
        ));
    }
    Ok(LineRow {
        pc: 0,
        file,
        line,
        col,
        byte_start,
        byte_end,
    })
}
