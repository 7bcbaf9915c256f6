//! The arguments of a run: which arrays and numbers are given, whether they fit, and what is drawn instead.

use std::collections::BTreeMap;

use diag::{Diagnostic, Span};
use frontend::{ElemInfo, KernelInfo};
use ir::algo::Func;
use ir::algo::data::{Data, draw};
use isa::object::{KernelMeta, ParamDir};
use isa::types::Elem;

use crate::arrays::{self, Array, archive};
use crate::errors;
use crate::host::Stop;
use crate::session::Session;

/// Most elements that are drawn or made room for without being asked: 16 GiB of f32 would end the machine, not the run.
const MAX_BYTES: u64 = 1 << 34;

/// Element type and shape of the arrays that are given, by name.
pub(crate) type Arrays = BTreeMap<String, (Elem, Vec<i64>)>;

/// What `--arg` gave, by name.
#[derive(Debug, Default)]
pub(crate) struct Given(BTreeMap<String, Value>);

#[derive(Debug)]
enum Value {
    Array { path: String, array: Array },
    Number(String),
}

/// A parameter as far as it is known.
struct Declared<'a> {
    name: &'a str,
    /// None where the argument decides.
    elem: Option<Elem>,
    rank: usize,
    span: Span,
}

/// Reads the values of `--arg NAME=FILE.npy|VALUE`.
pub(crate) fn read(options: &[String], session: &mut Session<'_, '_>) -> Result<Given, Stop> {
    let mut given = BTreeMap::new();
    for option in options {
        let Some((name, value)) = option.split_once('=') else {
            return Err(errors::option_form("--arg", option, "NAME=FILE.npy or NAME=VALUE").into());
        };
        let value = if is_number(value) {
            Value::Number(value.to_owned())
        } else {
            let array = read_array(name, value, session)?;
            Value::Array {
                path: value.to_owned(),
                array,
            }
        };
        if given.insert(name.to_owned(), value).is_some() {
            return Err(errors::given_twice("--arg", name).into());
        }
    }
    Ok(Given(given))
}

/// The array of a `.npy` file, or one of an archive: by the name behind a colon, else by that of the parameter.
fn read_array(name: &str, given: &str, session: &mut Session<'_, '_>) -> Result<Array, Diagnostic> {
    let array = match archive::divided(given) {
        Some((path, sort, key)) => sort.read(&session.read_bytes(path)?, key.unwrap_or(name)),
        None => arrays::read(&session.read_bytes(given)?),
    };
    array.map_err(|why| errors::bad_array(given, &why))
}

fn is_number(text: &str) -> bool {
    matches!(text, "true" | "false") || text.parse::<f64>().is_ok()
}

impl Given {
    /// Checks names and element types against a kernel's signature; gives what its sizes and types are inferred from.
    pub(crate) fn for_kernel(&self, kernel: &KernelInfo) -> Result<Arrays, Vec<Diagnostic>> {
        let declared = kernel.params.iter().map(|param| Declared {
            name: &param.name,
            elem: match &param.elem {
                ElemInfo::Elem(elem) => Some(*elem),
                ElemInfo::I4 => Some(Elem::U8),
                ElemInfo::Param(_) => None,
            },
            rank: param.dims.len(),
            span: param.span,
        });
        self.check(&kernel.name, &declared.collect::<Vec<_>>())
    }

    /// The shapes of the arrays that are given, with the path of each.
    pub(crate) fn shapes(&self) -> BTreeMap<String, (String, Vec<u64>)> {
        let shape = |(name, value): (&String, &Value)| match value {
            Value::Array { path, array } => {
                Some((name.clone(), (path.clone(), array.shape.clone())))
            }
            Value::Number(_) => None,
        };
        self.0.iter().filter_map(shape).collect()
    }

    /// Checks names, element types and shapes against an object.
    pub(crate) fn for_object(&self, kernel: &KernelMeta) -> Result<(), Vec<Diagnostic>> {
        let inputs = kernel
            .params
            .iter()
            .filter(|param| param.dir == ParamDir::In);
        let declared = inputs.clone().map(|param| Declared {
            name: &param.name,
            elem: Some(param.elem),
            rank: param.shape.len(),
            span: Span::NONE,
        });
        self.check(&kernel.name, &declared.collect::<Vec<_>>())?;
        let mut found = Vec::new();
        for param in inputs {
            if let Some(Value::Array { path, array }) = self.0.get(&param.name)
                && array.shape != param.shape
            {
                let (expected, is) = (shape_text(&param.shape), shape_text(&array.shape));
                found.push(errors::argument_shape(
                    &param.name,
                    Span::NONE,
                    &expected,
                    path,
                    &is,
                ));
            }
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    fn check(&self, kernel: &str, declared: &[Declared<'_>]) -> Result<Arrays, Vec<Diagnostic>> {
        let known: Vec<&str> = declared.iter().map(|param| param.name).collect();
        let mut arrays = BTreeMap::new();
        let mut found = Vec::new();
        for (name, value) in &self.0 {
            let Some(param) = declared.iter().find(|param| param.name == name) else {
                found.push(errors::unknown_argument(kernel, "argument", name, &known));
                continue;
            };
            match fits(param, value) {
                Ok(Some(array)) => drop(arrays.insert(name.clone(), array)),
                Ok(None) => {}
                Err(wrong) => found.push(wrong),
            }
        }
        if found.is_empty() {
            Ok(arrays)
        } else {
            Err(found)
        }
    }

    /// The bytes of a kernel's parameters in order: what is given, else drawn. The second part says whether any was.
    pub(crate) fn bytes_for(
        &self,
        func: &Func,
        seed: u64,
    ) -> Result<(Vec<Data>, bool), Diagnostic> {
        let mut drawn = false;
        let mut all = Vec::with_capacity(func.params.len());
        let bytes = |data: &ir::algo::TensorData| {
            let count = data
                .shape
                .iter()
                .try_fold(data.elem.bytes(), |bytes, &extent| {
                    bytes.checked_mul(u64::try_from(extent).ok()?)
                });
            count.unwrap_or(u64::MAX)
        };
        let whole = func
            .tensors
            .values()
            .fold(0u64, |sum, data| sum.saturating_add(bytes(data)));
        if whole > MAX_BYTES {
            return Err(errors::too_much_memory(&func.name, whole, MAX_BYTES));
        }
        for &param in &func.params {
            let data = &func.tensors[param];
            match self.value(&data.name, data.elem, data.span)? {
                Some(bytes) => all.push(bytes),
                None => {
                    drawn = true;
                    all.push(draw(data.elem, &data.shape, seed, &data.name));
                }
            }
        }
        Ok((all, drawn))
    }

    /// The bytes of the parameters that are given, in order; nothing is drawn.
    pub(crate) fn given_for(&self, kernel: &KernelMeta) -> Result<Vec<Option<Data>>, Diagnostic> {
        fits_memory(kernel)?;
        let params = kernel.params.iter();
        let values = params.map(|param| match param.dir {
            ParamDir::In => self.value(&param.name, param.elem, Span::NONE),
            ParamDir::Out | ParamDir::Work => Ok(None),
        });
        values.collect()
    }

    /// As [`Given::bytes_for`], for an object; results and workspaces get nothing.
    pub(crate) fn bytes_for_object(
        &self,
        kernel: &KernelMeta,
        seed: u64,
    ) -> Result<(Vec<Option<Data>>, bool), Diagnostic> {
        fits_memory(kernel)?;
        let mut drawn = false;
        let mut all = Vec::with_capacity(kernel.params.len());
        for param in &kernel.params {
            if param.dir != ParamDir::In {
                all.push(None);
                continue;
            }
            let value = self.value(&param.name, param.elem, Span::NONE)?;
            drawn |= value.is_none();
            let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
            all.push(Some(
                value.unwrap_or_else(|| draw(param.elem, &shape, seed, &param.name)),
            ));
        }
        Ok((all, drawn))
    }

    /// The bytes of a parameter that is given.
    fn value(&self, name: &str, elem: Elem, span: Span) -> Result<Option<Data>, Diagnostic> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Array { array, .. }) => Ok(Some(Data {
                bytes: array.bytes.clone(),
            })),
            Some(Value::Number(text)) => match number(elem, text) {
                Some(data) => Ok(Some(data)),
                None => Err(errors::scalar_value(name, span, elem, text)),
            },
        }
    }
}

/// Refuses what is too large to be made room for.
fn fits_memory(kernel: &KernelMeta) -> Result<(), Diagnostic> {
    let whole = kernel.params.iter().fold(0u64, |sum, param| {
        sum.saturating_add(param.bytes().unwrap_or(u64::MAX))
    });
    if whole > MAX_BYTES {
        return Err(errors::too_much_memory(&kernel.name, whole, MAX_BYTES));
    }
    Ok(())
}

/// Whether a value may be that parameter's; gives type and shape if it is an array.
fn fits(param: &Declared<'_>, value: &Value) -> Result<Option<(Elem, Vec<i64>)>, Diagnostic> {
    let (path, array) = match value {
        Value::Number(_) if param.rank == 0 => return Ok(None),
        Value::Number(text) => {
            return Err(errors::scalar_for_tensor(
                param.name, param.span, param.rank, text,
            ));
        }
        Value::Array { path, array } => (path, array),
    };
    let elem = match param.elem {
        Some(elem) if array.kind.holds(elem) => elem,
        None => array
            .kind
            .natural()
            .expect("a file of another kind was refused when it was read"),
        Some(elem) => {
            let (stored, kind) = (arrays::stored_name(elem), array.kind.name());
            return Err(errors::argument_type(
                param.name, param.span, elem, &stored, path, &kind,
            ));
        }
    };
    let shape = array
        .shape
        .iter()
        .map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX));
    let shape: Vec<i64> = shape.collect();
    if shape.contains(&0) {
        return Err(errors::bad_array(path, "it has no elements"));
    }
    Ok(Some((elem, shape)))
}

/// A number of the command line as one element.
fn number(elem: Elem, text: &str) -> Option<Data> {
    if elem.is_float() {
        let value: f64 = text.parse().ok()?;
        let data = Data::from_f64(elem, &[value]);
        // `inf` may be said; a number that becomes it may not.
        let said = value.is_infinite() && text.to_ascii_lowercase().contains("inf");
        let kept = value.is_nan() || said || data.get_f64(elem, 0).is_finite();
        return kept.then_some(data);
    }
    let value: i64 = match (elem, text) {
        (Elem::Bool, "true") => 1,
        (Elem::Bool, "false") => 0,
        _ => text.parse().ok()?,
    };
    let data = Data::from_i64(elem, &[value]);
    (data.get_i64(elem, 0) == value).then_some(data)
}

/// `[2, 3]`; a scalar has `[]`.
pub(crate) fn shape_text(shape: &[u64]) -> String {
    let extents: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!("[{}]", extents.join(", "))
}
