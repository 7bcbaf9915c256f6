//! What `vincic` knows without compiling: `--print WHAT[=FILE]`, and the lists behind `help` as the value of an option.

use std::fmt::Write as _;

use isa::chip::Chip;
use isa::docs::render_one;
use isa::inst::INFO;
use serde_json::{Map, Value, json};

use super::options::Vincic;
use super::{KINDS, one_input};
use crate::host::Stop;
use crate::session::Session;
use crate::settings::{CODEGEN, UNSTABLE};
use crate::table::{Align, Table, bytes};
use crate::{cmd, errors, kernel, lints, version};

/// What `--print` can print, and what that is.
const WHAT: [(&str, &str); 10] = [
    ("target-list", "the chips"),
    (
        "chip",
        "every value of the chip of `--target`, with its source",
    ),
    ("target-spec-json", "the same as JSON"),
    ("buffers", "the memories of the chip"),
    ("isa", "the manual page of every instruction"),
    ("kernels", "the kernels of the input with their signatures"),
    ("error-codes", "the codes of findings"),
    ("lints", "the lints with their levels and groups"),
    ("host-tuple", "the machine that the compiler runs on"),
    (
        "file-names",
        "where the outputs of this command line would go",
    ),
];

/// The list that `help` as the value of `-C`, `-Z`, `--emit` or `--print` asks for.
pub(super) fn option_help(args: &Vincic) -> Option<String> {
    let list = |keys: &[(&str, &str)], option: &str| {
        let line = |(key, text): &(&str, &str)| format!("    {option}{key:<22} {text}\n");
        keys.iter().map(line).collect::<String>()
    };
    let asked = |values: &[String]| values.iter().any(|value| value == "help");
    if asked(&args.compile.codegen) {
        return Some(list(CODEGEN, "-C "));
    }
    if asked(&args.emit) {
        let kinds = KINDS
            .iter()
            .map(|(_, word, extension)| format!("    {word:<10} NAME.{extension}\n"));
        return Some(kinds.collect());
    }
    if args.print.as_deref() == Some("help") {
        return Some(list(&WHAT, ""));
    }
    asked(&args.compile.unstable).then(|| list(UNSTABLE, "-Z ") + &pass_table())
}

/// The passes that `-Z print-after` takes, as the pass table describes them.
fn pass_table() -> String {
    let rows = backend::pipeline::PASSES.iter();
    let lines = rows.map(|pass| format!("    {:<25} {}\n", pass.name, pass.what));
    let tiler = format!("\nPasses:\n    {:<25} {}\n", "tile", "write the tile form");
    tiler + &lines.collect::<String>()
}

/// `--print WHAT`, or `--print WHAT=FILE`.
pub(super) fn knowledge(
    what: &str,
    args: &Vincic,
    session: &mut Session<'_, '_>,
) -> Result<(), Stop> {
    let (what, path) = what.split_once('=').unwrap_or((what, "-"));
    let target = args.compile.target.as_deref().unwrap_or(Chip::DEFAULT);
    let text = match what {
        "target-list" => Chip::names().map(|name| format!("{name}\n")).collect(),
        "chip" => cmd::chips::everything(&session.chip(target)?),
        "target-spec-json" => spec(&session.chip(target)?),
        "buffers" => buffers(&session.chip(target)?),
        "isa" => INFO.iter().map(|info| render_one(info) + "\n").collect(),
        "kernels" => kernels(one_input(args)?, session)?,
        "error-codes" => error_codes(),
        "lints" => lints::list(),
        "host-tuple" => version::host() + "\n",
        "file-names" => file_names(args, session)?,
        _ => {
            let known: Vec<&str> = WHAT.iter().map(|(word, _)| *word).collect();
            return Err(errors::option_value("--print", what, &known).into());
        }
    };
    session.write(path, text.as_bytes())
}

/// Each kernel of a file with its signature.
fn kernels(input: &str, session: &mut Session<'_, '_>) -> Result<String, Stop> {
    let loaded = session.load_kernel(input)?;
    Ok(loaded
        .kernels()
        .iter()
        .map(|kernel| kernel::signature(kernel) + "\n")
        .collect())
}

fn error_codes() -> String {
    let mut table = Table::new(&[
        ("code", Align::Left),
        ("name", Align::Left),
        ("", Align::Left),
    ]);
    for code in diag::codes::ALL {
        table.row([
            code.to_string(),
            code.slug().to_owned(),
            code.title().to_owned(),
        ]);
    }
    table.to_string()
}

fn spec(chip: &Chip) -> String {
    let value = |text: &str| {
        let number = text.parse::<i64>().map(Value::from);
        let number = number.or_else(|_| text.parse::<f64>().map(Value::from));
        number.unwrap_or_else(|_| text.into())
    };
    let entries = chip.sources.iter().map(|entry| {
        let facts = json!({
            "value": value(&entry.value),
            "confidence": entry.confidence,
            "source": entry.source,
        });
        (entry.key.clone(), facts)
    });
    let values: Map<String, Value> = entries.collect();
    let spec = json!({ "schema": 1, "name": chip.name, "version": chip.version_stamp(), "values": values });
    format!("{spec:#}\n")
}

fn buffers(chip: &Chip) -> String {
    let mut text = String::new();
    for space in isa::types::Space::ALL {
        if let Some(size) = chip
            .space_bytes(space)
            .checked_add(0)
            .filter(|size| *size > 0)
        {
            writeln!(text, "{:<4} {size:>12}  {}", space.name(), bytes(size))
                .expect("strings take all that is written");
        }
    }
    text
}

fn file_names(args: &Vincic, session: &mut Session<'_, '_>) -> Result<String, Stop> {
    let settings = crate::settings::Settings::read(&args.compile, session)?;
    let wanted = super::wanted(args, one_input(args)?, &settings)?;
    Ok(wanted
        .iter()
        .map(|output| output.path.clone() + "\n")
        .collect())
}
