//! From arguments to a command and from its end to a status: argument files, clap's habits turned into rustc's, panics.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use crate::args::{Color, ErrorFormat, Findings};
use crate::cmd::Vinci;
use crate::cmd::compile::Vincic;
use crate::host::{Host, Status, Stop};
use crate::session::Session;
use crate::{cmd, defect, errors, lints, paths, version};

/// Runs `vincic` with these arguments (the program's name left out).
pub fn vincic(args: &[OsString], host: &mut Host<'_>) -> Status {
    guarded("vincic", args, host, |args, host| {
        let Some(parsed) = parse::<Vincic>("vincic", args, host)? else {
            return Ok(());
        };
        let nothing = parsed.input.is_empty() && parsed.explain.is_none() && parsed.print.is_none();
        if parsed.version {
            return host.print(&version_text("vincic", parsed.verbose > 0));
        }
        if nothing && args.is_empty() {
            return print_help::<Vincic>(host);
        }
        let findings = parsed.findings.clone();
        in_session(host, args, &findings, |session| {
            cmd::compile::run(&parsed, session)
        })
    })
}

/// Runs `vinci` with these arguments (the program's name left out).
pub fn vinci(args: &[OsString], host: &mut Host<'_>) -> Status {
    guarded("vinci", args, host, |args, host| {
        let Some(parsed) = parse::<Vinci>("vinci", args, host)? else {
            return Ok(());
        };
        if parsed.version {
            return host.print(&version_text("vinci", parsed.verbose > 0));
        }
        let Some(command) = &parsed.command else {
            return print_help::<Vinci>(host);
        };
        in_session(host, args, &parsed.findings, |session| command.run(session))
    })
}

fn version_text(command: &str, verbose: bool) -> String {
    if verbose {
        version::long(command)
    } else {
        version::short(command)
    }
}

/// Runs a command, and calls a panic what it is: our defect.
fn guarded(
    name: &str,
    args: &[OsString],
    host: &mut Host<'_>,
    body: impl FnOnce(&[OsString], &mut Host<'_>) -> Result<(), Stop>,
) -> Status {
    let run = || {
        let args = expand(args, host)?;
        body(&args, host)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(()) | Err(Stop::Closed)) => Status::Done,
        Ok(Err(Stop::Said)) => Status::Wrong,
        Ok(Err(Stop::Findings(findings))) => {
            // Only what came before there was a session: the command line itself.
            Session::new(host, &Findings::guess(args)).show(findings);
            Status::Wrong
        }
        Err(payload) => {
            defect::report(name, args, payload.as_ref(), host);
            Status::Defect
        }
    }
}

/// Replaces `@FILE` by the lines of the file and a lone `-O` by `-O3`, and leaves out levels that a later one overrules.
fn expand(args: &[OsString], host: &mut Host<'_>) -> Result<Vec<OsString>, Stop> {
    let mut expanded = Vec::new();
    for arg in args {
        let text = arg.to_string_lossy();
        match text.strip_prefix('@') {
            Some(file) => {
                let lines = std::fs::read_to_string(host.path(file))
                    .map_err(|e| errors::argument_file(file, &e))?;
                expanded.extend(lines.lines().filter(|line| !line.is_empty()).map(level));
            }
            None if text == "-O" => expanded.push(level("-O")),
            None => expanded.push(paths::text(arg)),
        }
    }
    Ok(last_level(expanded))
}

/// Leaves out every `-O` before the last `-C opt-level`: of two ways to say a level the later one holds.
fn last_level(args: Vec<OsString>) -> Vec<OsString> {
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let options = words.iter().position(|word| word == "--");
    let options = &words[..options.unwrap_or(words.len())];
    let key = |at: usize| match options[at].strip_prefix("-C") {
        Some("") => options.get(at + 1).map_or("", |next| next),
        Some(rest) => rest,
        None => "",
    };
    let last = (0..options.len()).rfind(|at| key(*at).starts_with("opt-level="));
    let level = |at: usize| options.get(at).is_some_and(|word| word.starts_with("-O"));
    let overruled = |at: usize| last.is_some_and(|last| at < last) && level(at);
    let kept: Vec<bool> = (0..args.len()).map(|at| !overruled(at)).collect();
    let args = args.into_iter().zip(kept);
    args.filter(|(_, kept)| *kept).map(|(arg, _)| arg).collect()
}

fn level(arg: &str) -> OsString {
    if arg == "-O" {
        "-O3".into()
    } else {
        arg.into()
    }
}

/// What clap makes of the arguments; none if it answered itself (`--help`).
fn parse<P: Parser>(name: &str, args: &[OsString], host: &mut Host<'_>) -> Result<Option<P>, Stop> {
    let whole = std::iter::once(OsString::from(name)).chain(args.iter().cloned());
    let error = match P::try_parse_from(whole) {
        Ok(parsed) => return Ok(Some(parsed)),
        Err(error) => error,
    };
    let findings = Findings::guess(args);
    let wrong = error.use_stderr();
    if wrong && findings.error_format != ErrorFormat::Human {
        return Err(errors::command_line(&error.render().to_string()).into());
    }
    let color = match findings.color {
        Color::Auto if wrong => host.color,
        Color::Auto => host.color && host.out_is_terminal,
        Color::Always => true,
        Color::Never => false,
    };
    let text = error.render();
    let mut text = if color {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let tip = similar_command::<P>(&error)
        .map(|near| format!("a similar subcommand exists: '{near}'"))
        .or_else(|| Some(other_dialect(&error, args)?.to_owned()));
    if let Some(tip) = tip {
        text = text.replacen("\nUsage:", &format!("\n  tip: {tip}\n\nUsage:"), 1);
    }
    if wrong {
        host.complain(&text);
        return Err(Stop::Said);
    }
    host.print(&text)?;
    Ok(None)
}

/// The command that a word was meant to be, where clap sees none: it does not know of swapped letters.
fn similar_command<P: CommandFactory>(error: &clap::Error) -> Option<String> {
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word))
            if error.get(ContextKind::SuggestedSubcommand).is_none() =>
        {
            word
        }
        Some(_) | None => return None,
    };
    let definition = P::command();
    let names = definition.get_subcommands().map(clap::Command::get_name);
    diag::similar(word, names).map(str::to_owned)
}

/// How other compilers spell what we have.
const DIALECTS: [(&str, &str); 8] = [
    ("-S", "`--emit=asm` writes assembly"),
    ("-c", "an object is what is written anyway"),
    ("-g", "an object always has its line table"),
    ("-march", "`--target NAME` chooses the chip"),
    ("-mcpu", "`--target NAME` chooses the chip"),
    (
        "--opt-level",
        "`-O0`, `-O1` and `-O3` are the levels, also as `-C opt-level=1`",
    ),
    ("--cfg", "`-D NAME=VALUE` gives sizes and element types"),
    ("--define", "`-D NAME=VALUE` gives sizes and element types"),
];

/// What an option of another compiler is called here.
fn other_dialect(error: &clap::Error, args: &[OsString]) -> Option<&'static str> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let said = |option: &str| {
        let mut words = words
            .iter()
            .map(|word| word.split('=').next().unwrap_or_default());
        words.any(|word| word == option)
    };
    let known = DIALECTS.iter().find(|(option, _)| said(option));
    known.map(|(_, here)| *here)
}

fn print_help<P: CommandFactory>(host: &mut Host<'_>) -> Result<(), Stop> {
    host.print(&P::command().render_help().to_string())
}

/// Runs a command in a session and shows what it found.
fn in_session(
    host: &mut Host<'_>,
    args: &[OsString],
    findings: &Findings,
    body: impl FnOnce(&mut Session<'_, '_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut session = Session::new(host, findings);
    if findings.warn.iter().any(|lint| lint == "help") {
        return session.host.print(&lints::list());
    }
    let ended = session
        .set_lints(args, findings)
        .and_then(|()| session.check_roots())
        .and_then(|()| body(&mut session));
    match ended {
        Ok(()) => {
            session.show_warnings();
            Ok(())
        }
        Err(Stop::Findings(found)) => {
            session.show(found);
            Err(Stop::Said)
        }
        Err(Stop::Said) => Err(Stop::Said),
        Err(Stop::Closed) => Err(Stop::Closed),
    }
}
