//! A `.vn` file on its way to a bound kernel: parsed, checked with the library, chosen, its sizes and types given.
//!
//! Where sizes come from, in this order: the command line and the arguments; then, for what these leave open, the
//! file's first `//! shape:` line. Element types that nothing gives are the commonest of their class.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use diag::codes::E0308;
use diag::{Diagnostic, FileId, SourceMap};
use frontend::program::{Library, Neighbours, Program};
use frontend::{Bindings, Checked, ElemInfo, KernelInfo};
use ir::algo::Func;
use isa::types::Elem;
use syntax::ast::{Directive, File};
use syntax::parse_kernel;

use crate::errors;

/// The library, read once.
static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::new(stdlib::PRELUDE, stdlib::SOURCES));

/// A checked file.
#[derive(Debug)]
pub struct KernelFile {
    /// The tree, for `--emit=ast`.
    pub tree: File,
    checked: Checked,
    /// The file's name without folders and extension: the kernel of that name is meant if there are several.
    stem: String,
}

/// Values of sizes and element types by name, as command lines and shape lines give them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Sizes.
    pub sizes: BTreeMap<String, i64>,
    /// Open lists of sizes: `B=2,3` and `B=[]`.
    pub lists: BTreeMap<String, Vec<i64>>,
    /// Element types.
    pub types: BTreeMap<String, Elem>,
    /// Sizes that are left to the launch: `M=?`.
    pub symbolic: BTreeSet<String>,
    /// Every size that nothing here gives is left to the launch.
    pub dynamic: bool,
}

/// Why a word gives no value.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Unread<'a> {
    /// The word is not of the form `NAME=VALUE`.
    Form(&'a str),
    /// The name has a value already.
    Twice(&'a str),
}

impl Values {
    /// Reads words of the form `NAME=VALUE`, each name once.
    pub fn read<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Values, Unread<'a>> {
        let mut values = Values::default();
        for word in words {
            let form = Unread::Form(word);
            let (name, value) = word.split_once('=').ok_or(form)?;
            let name = name.trim();
            if name.is_empty() {
                return Err(form);
            }
            if values.gives(name) || values.types.contains_key(name) {
                return Err(Unread::Twice(name));
            }
            let (name, value) = (name.to_owned(), value.trim());
            if value == "?" {
                values.symbolic.insert(name);
                continue;
            }
            match (value.parse::<i64>(), Elem::from_name(value)) {
                (Ok(size), _) => drop(values.sizes.insert(name, size)),
                (Err(_), Some(elem)) => drop(values.types.insert(name, elem)),
                (Err(_), None) => {
                    let list = list(value).ok_or(form)?;
                    values.lists.insert(name, list);
                }
            }
        }
        Ok(values)
    }

    /// Whether a size, or a list of sizes, of that name has a value.
    pub fn gives(&self, size: &str) -> bool {
        self.sizes.contains_key(size)
            || self.lists.contains_key(size)
            || self.symbolic.contains(size)
    }

    /// Whether any size is left to the launch.
    pub fn leaves_sizes(&self) -> bool {
        self.dynamic || !self.symbolic.is_empty()
    }

    /// The same with nothing left to the launch: what it takes is inferred.
    pub fn at_launch(&self) -> Values {
        Values {
            symbolic: BTreeSet::new(),
            dynamic: false,
            ..self.clone()
        }
    }

    /// The same with the element types that arrays choose.
    pub(crate) fn typed(
        &self,
        kernel: &KernelInfo,
        arrays: &BTreeMap<String, (Elem, Vec<i64>)>,
    ) -> Values {
        let mut values = self.clone();
        for param in &kernel.params {
            if let (ElemInfo::Param(ty), Some((elem, _))) = (&param.elem, arrays.get(&param.name)) {
                values.types.entry(ty.clone()).or_insert(*elem);
            }
        }
        values
    }

    /// The sizes of a kernel that are left to the launch.
    fn symbolic_of(&self, kernel: &KernelInfo) -> BTreeSet<String> {
        let open =
            |name: &&String| self.dynamic && !self.gives(name) && !kernel.fixed.contains(name);
        let rest = kernel.sizes.iter().filter(open).cloned();
        self.symbolic.iter().cloned().chain(rest).collect()
    }
}

/// `2,3` or `[2,3]`; `[]` is empty.
fn list(text: &str) -> Option<Vec<i64>> {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if inner.is_none() && !text.contains(',') {
        return None;
    }
    let inner = inner.unwrap_or(text);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let sizes = inner.split(',').map(|size| size.trim().parse::<i64>());
    sizes.collect::<Result<_, _>>().ok()
}

/// Parses only, for `--emit=ast`; the second part is what is wrong.
pub fn parse(file: FileId, sources: &SourceMap) -> (File, Vec<Diagnostic>) {
    let parsed = parse_kernel(file, sources.text(file));
    (parsed.file, parsed.diagnostics)
}

/// Whether the language takes a word as the name of a kernel.
pub(crate) fn is_name(word: &str) -> bool {
    let plain = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let text = format!("kernel {word}(a: f32) -> y: f32 {{ y = a; }}");
    let alone = word.chars().all(plain) && !word.is_empty();
    let parsed = alone.then(|| parse_kernel(FileId(0), &text));
    parsed.is_some_and(|parsed| parsed.diagnostics.is_empty())
}

/// Parses and checks a file that has no neighbours. Warnings are added to `warnings`.
pub fn load(
    file: FileId,
    sources: &mut SourceMap,
    warnings: &mut Vec<Diagnostic>,
) -> Result<KernelFile, Vec<Diagnostic>> {
    load_with(file, sources, warnings, &|_| None)
}

/// Parses and checks a file. `neighbour` gives name and text of the file that `use` means by a path such as `nn` or
/// `nn/norms`, if there is one.
pub fn load_with(
    file: FileId,
    sources: &mut SourceMap,
    warnings: &mut Vec<Diagnostic>,
    neighbour: &Neighbours<'_>,
) -> Result<KernelFile, Vec<Diagnostic>> {
    let program = Program::read(file, sources, &LIBRARY, neighbour);
    let checked = program.check();
    let mut found = program.diagnostics.clone();
    found.extend(checked.diagnostics.iter().cloned());
    diag::sort(&mut found);
    if found.iter().any(Diagnostic::is_error) {
        return Err(found);
    }
    found.extend(program.lints(&checked));
    diag::sort(&mut found);
    warnings.extend(found);
    Ok(KernelFile {
        tree: program.main,
        checked,
        stem: crate::files::stem(sources.name(file)),
    })
}

impl KernelFile {
    /// The kernels of the file.
    pub fn kernels(&self) -> Vec<KernelInfo> {
        self.checked.kernels()
    }

    /// The laws of the file's monoids on blocks of these numbers of items.
    pub fn laws(&self, lengths: [i64; 3]) -> Vec<frontend::Laws> {
        frontend::laws(&self.checked, lengths)
    }

    /// The kernel of that name; without a name the only one, or the one that is called like the file.
    pub fn choose(&self, name: Option<&str>) -> Result<KernelInfo, Diagnostic> {
        let mut kernels = self.kernels();
        let names: Vec<String> = kernels.iter().map(|kernel| kernel.name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = match name {
            Some(name) => name,
            None if kernels.len() == 1 => names[0],
            None => &self.stem,
        };
        match (names.iter().position(|known| *known == wanted), name) {
            (Some(at), _) => Ok(kernels.swap_remove(at)),
            (None, Some(name)) => Err(errors::unknown_kernel(name, &names)),
            (None, None) => Err(errors::which_kernel(&names)),
        }
    }

    /// The values of the lines `//! KEY: NAME=VALUE …`, in order.
    pub fn lines(&self, key: &str) -> Result<Vec<Values>, Diagnostic> {
        self.directives(key).map(line).collect()
    }

    fn directives(&self, key: &str) -> impl Iterator<Item = &Directive> {
        let all = self.tree.directives.iter();
        all.filter(move |directive| directive.key == key)
    }

    /// Binds a kernel, with the schedules that the file has for it. `arrays` has the element type and shape of the
    /// arguments that are given.
    pub fn bind(
        &self,
        kernel: &KernelInfo,
        given: &Values,
        arrays: &BTreeMap<String, (Elem, Vec<i64>)>,
    ) -> Result<Func, Vec<Diagnostic>> {
        let mut func = self.bind_algorithm(kernel, given, arrays)?;
        func.schedules = frontend::schedules(&self.tree, &func)?;
        Ok(func)
    }

    fn bind_algorithm(
        &self,
        kernel: &KernelInfo,
        given: &Values,
        arrays: &BTreeMap<String, (Elem, Vec<i64>)>,
    ) -> Result<Func, Vec<Diagnostic>> {
        let shape = self.directives("shape").next().map(line).transpose();
        let shape = shape.map_err(|e| vec![e])?.unwrap_or_default();
        let mut bindings = Bindings {
            sizes: given.sizes.clone(),
            lists: given.lists.clone(),
            symbolic: given.symbolic_of(kernel),
            types: given.types.clone(),
            params: arrays.clone(),
        };
        for (name, elem) in open_types(kernel, &bindings, &shape) {
            bindings.types.insert(name, elem);
        }
        let symbolic = bindings.symbolic.clone();
        let lacks_sizes = |found: &[Diagnostic]| found.iter().any(|d| d.code == E0308);
        match frontend::bind(&self.checked, &kernel.name, &bindings) {
            Err(found)
                if lacks_sizes(&found) && !(shape.sizes.is_empty() && shape.lists.is_empty()) =>
            {
                let open = |name: &String| {
                    kernel.sizes.contains(name)
                        && !given.gives(name)
                        && !symbolic.contains(name)
                        && !in_arrays(kernel, arrays, name)
                };
                for (name, size) in shape.sizes.iter().filter(|(name, _)| open(name)) {
                    bindings.sizes.insert(name.clone(), *size);
                }
                for (name, sizes) in shape.lists.iter().filter(|(name, _)| open(name)) {
                    bindings.lists.insert(name.clone(), sizes.clone());
                }
                frontend::bind(&self.checked, &kernel.name, &bindings)
            }
            bound => bound,
        }
    }
}

fn line(directive: &Directive) -> Result<Values, Diagnostic> {
    Values::read(directive.value.split_whitespace())
        .map_err(|unread| errors::shape_line(directive.span, unread))
}

/// Element types that neither the command line nor an array gives: the shape line's, else the class's commonest.
fn open_types(kernel: &KernelInfo, given: &Bindings, shape: &Values) -> Vec<(String, Elem)> {
    let from_array = |name: &str| {
        kernel.params.iter().any(|param| {
            param.elem == ElemInfo::Param(name.to_owned()) && given.params.contains_key(&param.name)
        })
    };
    let open = |name: &str| !given.types.contains_key(name) && !from_array(name);
    let types = kernel.types.iter().filter(|ty| open(&ty.name));
    let elem = |name: &str| shape.types.get(name).copied();
    types
        .map(|ty| {
            (
                ty.name.clone(),
                elem(&ty.name).unwrap_or(ty.class.default_elem()),
            )
        })
        .collect()
}

/// Whether a size stands in a dimension of an array that is given: then the array says what it is.
fn in_arrays(kernel: &KernelInfo, arrays: &BTreeMap<String, (Elem, Vec<i64>)>, size: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let has = |dim: &String| dim.split(|c| !is_part(c)).any(|word| word == size);
    kernel
        .params
        .iter()
        .any(|param| arrays.contains_key(&param.name) && param.dims.iter().any(has))
}

/// A kernel's signature in one line.
pub fn signature(kernel: &KernelInfo) -> String {
    let value = |value: &frontend::ValueInfo| {
        let elem = match &value.elem {
            ElemInfo::Elem(elem) => elem.name().to_owned(),
            ElemInfo::I4 => "i4".to_owned(),
            ElemInfo::Param(name) => name.clone(),
        };
        let dims = if value.dims.is_empty() {
            String::new()
        } else {
            format!("[{}]", value.dims.join(", "))
        };
        format!("{}: {elem}{dims}", value.name)
    };
    let list =
        |values: &[frontend::ValueInfo]| values.iter().map(value).collect::<Vec<_>>().join(", ");
    let types = kernel
        .types
        .iter()
        .map(|ty| format!("{}: {}", ty.name, ty.class.name()));
    let generics: Vec<String> = kernel.sizes.iter().cloned().chain(types).collect();
    let generics = if generics.is_empty() {
        String::new()
    } else {
        format!("<{}>", generics.join(", "))
    };
    let results = match kernel.results.as_slice() {
        [only] => value(only),
        several => format!("({})", list(several)),
    };
    format!(
        "{}{generics}({}) -> {results}",
        kernel.name,
        list(&kernel.params)
    )
}
