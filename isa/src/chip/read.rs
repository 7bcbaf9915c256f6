//! Chip files: TOML tables of `key = { value, source, confidence }`, laid over the file they extend.

use super::ops::{VecCost, VecCosts};
use super::{Chip, Sourced};
use crate::inst::{INFO, InstInfo};
use crate::types::Pipe;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use toml::{Table, Value};

/// Why a text is no chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChipError {
    /// It is no TOML; the message is the parser's, the span in bytes of the file where known.
    Toml(String, Option<std::ops::Range<usize>>),
    /// There is no chip of that name to extend.
    UnknownBase(String),
    /// Files extend each other in a circle or too deeply.
    EndlessBase(String),
    /// This key is missing.
    Missing(String),
    /// This key means nothing.
    Unknown(String),
    /// The value of this key is of the wrong kind; what is expected.
    Wrong(String, &'static str),
}

impl fmt::Display for ChipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChipError::Toml(message, _) => write!(f, "the chip file is not TOML: {message}"),
            ChipError::UnknownBase(name) => write!(f, "there is no chip `{name}` to extend"),
            ChipError::EndlessBase(name) => write!(f, "chip `{name}` extends others without end"),
            ChipError::Missing(key) => write!(f, "the chip file lacks `{key}`"),
            ChipError::Unknown(key) => write!(f, "a chip has no `{key}`"),
            ChipError::Wrong(key, expected) => write!(f, "`{key}` must be {expected}"),
        }
    }
}

impl std::error::Error for ChipError {}

const MAX_BASES: usize = 8;
/// Largest number of a chip file: keeps every product of costs within 64 bits.
const MAX_NUMBER: i64 = 1 << 48;
const HEADINGS: [&str; 5] = ["name", "title", "architecture", "version", "extends"];
const VEC_COST: &str = "five numbers: cycles a repeat on 16 and on 32 bits, head, tail, floor";

/// A file laid over its bases, whose values are taken one by one.
pub(super) struct File {
    headings: BTreeMap<String, String>,
    /// Values by `section.key`.
    values: BTreeMap<String, Value>,
    taken: BTreeSet<String>,
    sources: Vec<Sourced>,
}

impl File {
    /// Parses a text and the files it extends.
    pub(super) fn resolve(
        text: &str,
        base: &dyn Fn(&str) -> Option<String>,
    ) -> Result<File, ChipError> {
        let mut layers = vec![parse(text)?];
        while let Some(name) = extends(&layers[layers.len() - 1])? {
            if layers.len() > MAX_BASES {
                return Err(ChipError::EndlessBase(name));
            }
            let found = base(&name).or_else(|| Chip::builtin_text(&name).map(str::to_owned));
            layers.push(parse(&found.ok_or(ChipError::UnknownBase(name))?)?);
        }
        let mut file = File {
            headings: BTreeMap::new(),
            values: BTreeMap::new(),
            taken: BTreeSet::new(),
            sources: Vec::new(),
        };
        for layer in layers.into_iter().rev() {
            file.lay(layer)?;
        }
        Ok(file)
    }

    fn lay(&mut self, layer: Table) -> Result<(), ChipError> {
        for (key, value) in layer {
            match value {
                Value::Table(section) => {
                    self.values.extend(
                        section
                            .into_iter()
                            .map(|(name, value)| (format!("{key}.{name}"), value)),
                    );
                }
                Value::String(text) if HEADINGS.contains(&key.as_str()) => {
                    self.headings.insert(key, text);
                }
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_) => {
                    return Err(ChipError::Wrong(key, "a section, or a heading in quotes"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn text(&mut self, key: &str) -> Result<String, ChipError> {
        self.headings
            .get(key)
            .cloned()
            .ok_or_else(|| ChipError::Missing(key.to_owned()))
    }

    pub(super) fn number(&mut self, section: &str, name: &str) -> Result<u64, ChipError> {
        let key = format!("{section}.{name}");
        let value = self
            .take(&key)?
            .ok_or_else(|| ChipError::Missing(key.clone()))?;
        let number = as_number(&value).ok_or(ChipError::Wrong(key, "a whole number"))?;
        Ok(number)
    }

    /// Takes a value and notes its source.
    fn take(&mut self, key: &str) -> Result<Option<Value>, ChipError> {
        let Some(entry) = self.values.get(key).cloned() else {
            return Ok(None);
        };
        self.taken.insert(key.to_owned());
        let (value, source, confidence) = match entry {
            Value::Table(mut entry) => {
                let value = entry
                    .remove("value")
                    .ok_or_else(|| ChipError::Missing(format!("{key}.value")))?;
                let mut text = |name: &str| match entry.remove(name) {
                    Some(Value::String(text)) => text,
                    Some(_) | None => String::new(),
                };
                let sourced = (value, text("source"), text("confidence"));
                if let Some(extra) = entry.keys().next() {
                    return Err(ChipError::Unknown(format!("{key}.{extra}")));
                }
                sourced
            }
            value @ (Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)) => (value, String::new(), String::new()),
        };
        self.sources.push(Sourced {
            key: key.to_owned(),
            value: value.to_string(),
            source,
            confidence,
        });
        Ok(Some(value))
    }

    pub(super) fn vector_ops(&mut self) -> Result<VecCosts, ChipError> {
        let default = self
            .vec_cost("default")?
            .ok_or_else(|| ChipError::Missing("vector_ops.default".to_owned()))?;
        let mut costs = vec![default; 256];
        let vector = |info: &&InstInfo| info.pipe == Pipe::V;
        for info in INFO.iter().filter(vector) {
            if let Some(cost) = self.vec_cost(info.mnemonic)? {
                costs[info.opcode as usize] = cost;
            }
        }
        Ok(VecCosts::new(costs))
    }

    fn vec_cost(&mut self, name: &str) -> Result<Option<VecCost>, ChipError> {
        let key = format!("vector_ops.{name}");
        let Some(value) = self.take(&key)? else {
            return Ok(None);
        };
        let numbers: Option<Vec<u64>> = value
            .as_array()
            .and_then(|list| list.iter().map(as_number).collect());
        match numbers.as_deref() {
            Some(&[per_repeat_16, per_repeat_32, head, tail, floor]) => Ok(Some(VecCost {
                per_repeat_16,
                per_repeat_32,
                head,
                tail,
                floor,
            })),
            Some(_) | None => Err(ChipError::Wrong(key, VEC_COST)),
        }
    }

    /// Checks that nothing is left over and hands out the sources.
    pub(super) fn finish(&mut self) -> Result<Vec<Sourced>, ChipError> {
        match self.values.keys().find(|key| !self.taken.contains(*key)) {
            Some(key) => Err(ChipError::Unknown(key.clone())),
            None => Ok(std::mem::take(&mut self.sources)),
        }
    }
}

fn parse(text: &str) -> Result<Table, ChipError> {
    text.parse::<Table>()
        .map_err(|e| ChipError::Toml(e.message().to_owned(), e.span()))
}

fn extends(layer: &Table) -> Result<Option<String>, ChipError> {
    match layer.get("extends") {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(_) => Err(ChipError::Wrong("extends".to_owned(), "the name of a chip")),
    }
}

fn as_number(value: &Value) -> Option<u64> {
    let number = value
        .as_integer()
        .filter(|n| (0..=MAX_NUMBER).contains(n))?;
    u64::try_from(number).ok()
}
