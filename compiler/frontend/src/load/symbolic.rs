//! Sizes that the launch gives, in tile form: `sizes M = ?`, extents such as `2*M*K`, and what is known of them.
//!
//! They are held as the algorithm IR holds them ([`ir::symbols`]).

use diag::Span;
use ir::symbols::{Numbering, Symbols};
use ir::tile::names::WORK;
use syntax::ast::Name;
use syntax::tile_ast::{Int, TileArg, TileExtent, TileFunc, TileItem};

use super::Loader;
use super::names::error;

impl Loader {
    /// Reads the sizes; shapes of tensors name them.
    pub(super) fn sizes(&mut self, func: &TileFunc) {
        let mut all: Vec<(&Name, Option<Int>)> = Vec::new();
        for item in &func.items {
            if let TileItem::Sizes(sizes) = item {
                all.extend(sizes.iter().map(|(name, value)| (name, *value)));
            }
        }
        let open = all.iter().filter(|(_, value)| value.is_none());
        let names: Vec<String> = open.map(|(name, _)| name.text.clone()).collect();
        let written = written_numbers(func);
        // Every number divides an extent of none, which is refused where it is read.
        let taken = |number: i64| (written.iter()).any(|&n| n != 0 && n % i128::from(number) == 0);
        self.func.symbols = Symbols::new(&names, Numbering::Rising, &taken);
        for (name, value) in all {
            let text = self.new_name(name);
            let value = match value {
                Some(value) => self.int(value),
                None => self
                    .symbol(name)
                    .map(|place| self.func.symbols.all[place].number),
            };
            if let Some(value) = value {
                self.func.sizes.push((text, value));
            }
        }
    }

    /// The place of a size that the launch gives.
    pub(super) fn symbol(&mut self, name: &Name) -> Option<usize> {
        let all = &self.func.symbols.all;
        let place = all.iter().position(|symbol| symbol.name == name.text);
        if place.is_none() {
            let message = format!("`{}` is no size that the launch gives", name.text);
            let help = "such a size is declared by `sizes M = ?;`";
            let error = error(name.span, message, "not known here").help(help);
            self.diagnostics.push(error);
        }
        place
    }

    /// An extent of a tensor: a number, or a product with sizes in it.
    pub(super) fn tensor_extent(&mut self, extent: &TileExtent) -> Option<i64> {
        let mut product = 1_i64;
        for factor in &extent.factors {
            let factor = match factor {
                TileArg::Int(int) => self.int(*int)?,
                TileArg::Name(name) => {
                    let place = self.symbol(name)?;
                    self.func.symbols.all[place].number
                }
            };
            let Some(next) = product.checked_mul(factor) else {
                self.problem(
                    extent.span,
                    "this extent is too large",
                    "a product beyond 64 bits",
                );
                return None;
            };
            product = next;
        }
        Some(product)
    }

    /// `launch most M 4096;`, `launch check "…";`, or a formula for a kind of work.
    pub(super) fn launch_fact(&mut self, what: &Name, name: &Name, value: Option<Int>) {
        let work = WORK.iter().position(|known| *known == what.text);
        match (what.text.as_str(), work, value) {
            ("most", _, Some(most)) => {
                let (place, most) = (self.symbol(name), self.int(most));
                if let (Some(place), Some(most)) = (place, most) {
                    self.func.symbols.all[place].most = Some(most);
                }
            }
            ("check", _, None) => self.func.symbols.conditions.push(name.text.clone()),
            (_, Some(place), None) => self.func.symbols.work[place].clone_from(&name.text),
            (_, _, _) => self.no_launch_fact(what.span),
        }
    }

    fn no_launch_fact(&mut self, span: Span) {
        let error = error(span, "not a fact about the launch".to_owned(), "not known");
        let note = "facts are: `most M 4096`, `check \"FORMULA\"`, and `mads`, `vector_ops`, `bytes` with a formula";
        self.diagnostics.push(error.note(note));
    }
}

/// The numbers in the shapes of tensors.
fn written_numbers(func: &TileFunc) -> Vec<i128> {
    let factors = (func.params.iter())
        .flat_map(|param| &param.shape)
        .flat_map(|extent| &extent.factors);
    let mut numbers = Vec::new();
    for factor in factors {
        if let TileArg::Int(int) = factor {
            numbers.push(int.value);
        }
    }
    numbers
}
