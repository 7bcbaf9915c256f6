//! `vincic`: one input to any of its levels. `compile/options.rs` is its command line, `compile/levels.rs` has the levels,
//! `compile/print.rs` what it knows without an input, `compile/passes.rs` the passes of `-Z`.

mod levels;
mod options;
mod passes;
mod print;
mod stats;

pub(crate) use options::Vincic;

use levels::{KINDS, Kind, Levels, levels};

use crate::files;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;
use crate::{cmd, errors, verification};

/// A level and where it goes.
struct Wanted {
    kind: Kind,
    path: String,
    /// Whether `--emit` names the path.
    given: bool,
}

/// Compiles, or prints what was asked for instead.
pub(crate) fn run(args: &Vincic, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    for option in &args.remap_path_prefix {
        let Some((from, to)) = option.split_once('=') else {
            return Err(errors::option_form("--remap-path-prefix", option, "FROM=TO").into());
        };
        session.remap.push((from.to_owned(), to.to_owned()));
    }
    if let Some(code) = &args.explain {
        return cmd::explain::page(code, session);
    }
    if let Some(text) = print::option_help(args) {
        return session.host.print(&text);
    }
    if let Some(what) = &args.print {
        return print::knowledge(what, args, session);
    }
    let input = one_input(args)?;
    let mut settings = Settings::read(&args.compile, session)?;
    let wanted = wanted(args, input, &settings)?;
    for output in &wanted {
        session.protect(&output.path, input)?;
    }
    let mut levels = levels(input, args, &wanted, &mut settings, session)?;
    if let Some(bytes) = levels.object(&wanted) {
        verification::certify(bytes, input, &settings, session)?;
        session.phase("verify");
    }
    let sizes = levels.sizes();
    write(&wanted, &levels, input, session)?;
    if args.verbose > 0 {
        session.host.complain(&said(&wanted, &settings));
    }
    session.phase("write");
    if settings.time_passes || args.verbose > 1 {
        session.host.complain(&stats::times(session.phases()));
    }
    if let Some(form) = args.stats {
        let text = stats::text(form, input, &settings, &sizes, session.phases());
        session.host.complain(&text);
    }
    Ok(())
}

fn one_input(args: &Vincic) -> Result<&str, Stop> {
    match args.input.as_slice() {
        [input] => Ok(input),
        [] => Err(errors::no_input().into()),
        [first, second, ..] => Err(errors::two_inputs(first, second).into()),
    }
}

/// What is to be written and where.
fn wanted(args: &Vincic, input: &str, settings: &Settings) -> Result<Vec<Wanted>, Stop> {
    let folder = args.out_dir.as_deref();
    let named = |kind: Kind| {
        let name = format!("{}.{}", files::stem(input), kind.extension());
        folder.map_or(name.clone(), |folder| {
            format!("{}/{name}", folder.trim_end_matches('/'))
        })
    };
    let mut wanted = Vec::new();
    for word in &args.emit {
        let (word, path) = word
            .split_once('=')
            .map_or((word.as_str(), None), |(w, p)| (w, Some(p)));
        let Some((kind, ..)) = KINDS.iter().find(|(_, known, _)| *known == word) else {
            let known: Vec<&str> = KINDS.iter().map(|(_, word, _)| *word).collect();
            return Err(errors::option_value("--emit", word, &known).into());
        };
        wanted.push(Wanted {
            kind: *kind,
            path: path.map_or_else(|| named(*kind), str::to_owned),
            given: path.is_some(),
        });
    }
    if wanted.is_empty() {
        // A compilation that stops at a pass, or takes its passes from the command line, ends in tile form.
        let kind = match settings.stop_after.is_some() || settings.passes.is_some() {
            true => Kind::Tile,
            false => Kind::Obj,
        };
        wanted.push(Wanted {
            kind,
            path: named(kind),
            given: false,
        });
    }
    if let Some(output) = &args.output {
        let mut open = wanted.iter_mut().filter(|output| !output.given);
        match (open.next(), open.next()) {
            (Some(only), None) => only.path.clone_from(output),
            (Some(_), Some(_)) => return Err(errors::output_of_several().into()),
            (None, _) => return Err(errors::output_of_none(output).into()),
        }
    }
    Ok(wanted)
}

/// What the outputs were made from, as make reads it.
fn dep_info(wanted: &[Wanted], args: &Vincic, session: &Session<'_, '_>) -> String {
    let escaped = |name: &str| name.replace(' ', "\\ ");
    let read = session.sources.iter().map(|(_, file)| file.name.as_str());
    let ours = read.filter(|name| !name.starts_with("stdlib/") && !name.starts_with('<'));
    let mut inputs: Vec<String> = ours.map(escaped).collect();
    // Objects are read, but they are no text.
    let binary = args.input.iter().filter(|input| input.ends_with(".vo"));
    inputs.extend(binary.map(|input| escaped(input)));
    let files = wanted.iter().filter(|output| output.path != "-");
    let rule = |output: &Wanted| format!("{}: {}\n\n", escaped(&output.path), inputs.join(" "));
    let rules: String = files.map(rule).collect();
    let alone: Vec<String> = inputs.iter().map(|input| format!("{input}:\n")).collect();
    rules + &alone.concat()
}

/// What `-v` says of a compilation that came to its end.
fn said(wanted: &[Wanted], settings: &Settings) -> String {
    let files: Vec<String> = wanted
        .iter()
        .map(|output| format!("`{}`", output.path))
        .collect();
    format!(
        "wrote {} for {} at -O{}\n",
        files.join(", "),
        settings.chip.stamp(),
        settings.level.name()
    )
}

/// Writes every output, or none of them.
fn write(
    wanted: &[Wanted],
    levels: &Levels,
    input: &str,
    session: &mut Session<'_, '_>,
) -> Result<(), Stop> {
    let mut outputs = Vec::new();
    for output in wanted {
        let Some(bytes) = levels.get(output.kind) else {
            return Err(errors::no_such_level(input, output.kind.word()).into());
        };
        if output.kind == Kind::Obj {
            session.check_object_path(&output.path, input)?;
        }
        outputs.push((output.path.as_str(), bytes));
    }
    session.write_all(&outputs)?;
    for output in wanted {
        session.artifact(&output.path, output.kind.word());
    }
    Ok(())
}
