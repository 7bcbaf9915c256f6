//! Names, numbers and words: what each stands for, or a diagnostic that says that it stands for nothing.

use std::collections::BTreeMap;

use diag::{Diagnostic, Span, codes, similar};
use ir::tile::names::{is_name, is_number_name, red_from_name};
use ir::tile::{Arg, Buf, Chan, RedOp, Tensor, Value, View};
use isa::types::{CoreKind, Elem, Pipe};
use syntax::ast::Name;
use syntax::tile_ast::{Extents, Int, TileArg, TilePlace};

use super::Loader;

impl Loader {
    pub(super) fn define(&mut self, name: &Name) -> Value {
        let value = self.func.add_value();
        self.levels.insert(value, self.open.len());
        if !is_number_name(&name.text) {
            self.func.values[value].name = Some(self.new_name(name));
        }
        if self.values.insert(name.text.clone(), value).is_some() {
            self.twice("value", name);
        }
        self.scope.push(name.text.clone());
        value
    }

    /// Ends the scope of the values that came after the first `scope` ones.
    pub(super) fn leave(&mut self, scope: usize) {
        for name in self.scope.drain(scope..) {
            self.values.remove(&name);
            self.ranges.remove(&name);
        }
    }

    pub(super) fn value(&mut self, name: &Name) -> Option<Value> {
        look_up(&self.values, "value", name, &mut self.diagnostics)
    }

    pub(super) fn arg(&mut self, arg: &TileArg) -> Option<Arg> {
        match arg {
            TileArg::Int(int) => self.int(*int).map(Arg::Const),
            TileArg::Name(name) => self.value(name).map(Arg::Val),
        }
    }

    pub(super) fn tensor(&mut self, name: &Name) -> Option<Tensor> {
        look_up(&self.tensors, "tensor", name, &mut self.diagnostics)
    }

    pub(super) fn buf(&mut self, name: &Name) -> Option<Buf> {
        look_up(&self.bufs, "buffer", name, &mut self.diagnostics)
    }

    pub(super) fn chan(&mut self, name: &Name) -> Option<Chan> {
        if self.broken.contains(&name.text) {
            return None;
        }
        look_up(&self.chans, "channel", name, &mut self.diagnostics)
    }

    pub(super) fn view(&mut self, place: &TilePlace) -> Option<View> {
        let buf = self.buf(&place.name)?;
        if place.at.is_empty() {
            let (row, col) = (Arg::Const(0), Arg::Const(0));
            return Some(View { buf, row, col });
        }
        let [row, col] = place.at.as_slice() else {
            self.problem(
                place.span,
                "a part of a buffer has a row and a column",
                "not two numbers",
            );
            return None;
        };
        Some(View {
            buf,
            row: self.arg(row)?,
            col: self.arg(col)?,
        })
    }

    pub(super) fn place(&mut self, place: &TilePlace) -> Option<(Tensor, Arg)> {
        let tensor = self.tensor(&place.name)?;
        let [at] = place.at.as_slice() else {
            self.problem(
                place.span,
                "a place in a tensor is one element offset",
                "not one number",
            );
            return None;
        };
        Some((tensor, self.arg(at)?))
    }

    pub(super) fn size<const N: usize>(&mut self, size: &Extents) -> Option<[Arg; N]> {
        let mut extents = [Arg::Const(0); N];
        if size.args.len() != N {
            let message = format!("{N} extents are expected, not {}", size.args.len());
            self.problem(size.span, &message, "of this operation");
            return None;
        }
        for (extent, arg) in extents.iter_mut().zip(&size.args) {
            *extent = self.arg(arg)?;
        }
        Some(extents)
    }

    /// Extents that are known.
    pub(super) fn known<const N: usize>(&mut self, size: &Extents) -> Option<[i64; N]> {
        let args = self.size::<N>(size)?;
        let mut numbers = [0; N];
        for (number, arg) in numbers.iter_mut().zip(args) {
            let Arg::Const(value) = arg else {
                self.problem(size.span, "a number is expected", "of this operation");
                return None;
            };
            *number = value;
        }
        Some(numbers)
    }

    pub(super) fn int(&mut self, int: Int) -> Option<i64> {
        let value = i64::try_from(int.value).ok();
        if value.is_none() {
            self.out_of_range(int);
        }
        value
    }

    pub(super) fn small(&mut self, int: Int) -> Option<u32> {
        let value = u32::try_from(int.value).ok();
        if value.is_none() {
            self.out_of_range(int);
        }
        value
    }

    pub(super) fn elem(&mut self, name: &Name) -> Option<Elem> {
        self.word(
            name,
            "element type",
            Elem::from_name,
            Elem::ALL.into_iter().map(Elem::name),
        )
    }

    pub(super) fn pipe(&mut self, name: &Name) -> Option<Pipe> {
        self.word(
            name,
            "pipe",
            Pipe::from_name,
            Pipe::ALL.into_iter().map(Pipe::name),
        )
    }

    pub(super) fn red_op(&mut self, name: &Name) -> Option<RedOp> {
        self.word(
            name,
            "reduction",
            red_from_name,
            ["sum", "max", "min"].into_iter(),
        )
    }

    pub(super) fn core_kind(&mut self, name: &Name) -> Option<CoreKind> {
        let find = |text: &str| {
            [CoreKind::Cube, CoreKind::Vector]
                .into_iter()
                .find(|kind| kind.name() == text)
        };
        self.word(name, "kind of core", find, ["cube", "vector"].into_iter())
    }

    pub(super) fn word<'a, T>(
        &mut self,
        name: &Name,
        what: &str,
        find: impl Fn(&str) -> Option<T>,
        words: impl Iterator<Item = &'a str>,
    ) -> Option<T> {
        let found = find(&name.text);
        if found.is_none() {
            let error = unknown(what, name, words);
            self.diagnostics.push(error);
        }
        found
    }

    /// A name for something new.
    pub(super) fn new_name(&mut self, name: &Name) -> String {
        if !is_name(&name.text) {
            self.problem(
                name.span,
                "a name is not empty and has no control characters or `\\`",
                "not a name",
            );
        }
        name.text.clone()
    }

    pub(super) fn twice(&mut self, what: &str, name: &Name) {
        let message = format!("{what} `{}` is defined twice", name.text);
        self.problem(name.span, &message, "the name is taken");
    }

    pub(super) fn out_of_range(&mut self, int: Int) {
        let message = format!("number {} is out of range here", int.value);
        self.problem(int.span, &message, "out of range");
    }

    pub(super) fn problem(&mut self, span: Span, message: &str, label: &str) {
        self.diagnostics.push(error(span, message, label));
    }
}

/// E0605 at a place.
pub(super) fn error(span: Span, message: impl Into<String>, label: &str) -> Diagnostic {
    Diagnostic::new(codes::E0605, message).primary(span, label)
}

fn look_up<T: Copy>(
    known: &BTreeMap<String, T>,
    what: &str,
    name: &Name,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<T> {
    let found = known.get(&name.text).copied();
    if found.is_none() {
        // Advice costs a walk over all names; a text with many mistakes gets it for the first ones.
        let advised = if diagnostics.len() < 32 {
            usize::MAX
        } else {
            0
        };
        let names = known.keys().map(String::as_str).take(advised);
        diagnostics.push(unknown(what, name, names));
    }
    found
}

fn unknown<'a>(what: &str, name: &Name, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let error = error(
        name.span,
        format!("unknown {what} `{}`", name.text),
        "not found",
    );
    match similar(&name.text, known) {
        Some(near) => error.help(format!("`{near}` is similar")),
        None => error,
    }
}
