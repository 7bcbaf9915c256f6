//! What a line at the prompt means.

use isa::types::CoreKind;

/// The answer to `help`.
pub(super) const HELP: &str = "\
step [N]              N instructions of the core whose turn it is (s)
next                  to behind the instruction, over calls and loops (n)
continue              to the next stop, fault, or the end (c)
back [N]              N steps back (b takes a stop, so spell it out)
break PC              stop before an instruction of this core's section; `break aic PC` for a section (b)
break line [FILE:]N   stop before the first instruction of a source line
break fault           faults always stop
watch PLACE [r|w|rw]  stop at an access: `watch ub+0x100 64`, `watch y 0..16 w`
stops, delete N       what stops, and taking one away
print PLACE           values: `print ub+0x100 f32 [8,8]`, `print y`, `print y 0..16` (p)
who PLACE             who last wrote these bytes: `who ub+0x100 64`, `who y 3..4`
regs                  registers of the core
list [PC]             instructions around a place, with their source (l)
info                  queues, flags, counters, and what the core waits for
core [N|NAME]         the cores, or another one to look at
help, quit            (h, q)
An empty line repeats the last one.
";

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Nothing,
    Help,
    Quit,
    Step(u64),
    Next,
    Continue,
    Back(u64),
    Break(Break),
    /// A place, and whether reads and writes stop.
    Watch(String, bool, bool),
    Delete(usize),
    Stops,
    Core(String),
    Print(String),
    Who(String),
    Registers,
    List(Option<u32>),
    Info,
}

/// Where to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Break {
    Fault,
    Pc(Option<CoreKind>, u32),
    /// A file, if it is said, and a line.
    Line(Option<String>, u32),
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Command, String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let alone = |command| match rest {
        "" => Ok(command),
        _ => Err(format!("`{word}` takes nothing behind it")),
    };
    match word {
        "" => Ok(Command::Nothing),
        "help" | "h" | "?" => alone(Command::Help),
        "quit" | "q" | "exit" => alone(Command::Quit),
        "step" | "s" => Ok(Command::Step(count(rest)?)),
        "next" | "n" => alone(Command::Next),
        "continue" | "c" => alone(Command::Continue),
        "back" => Ok(Command::Back(count(rest)?)),
        "break" | "b" => Ok(Command::Break(stop(rest)?)),
        "watch" => watch(rest),
        "delete" => Ok(Command::Delete(number(rest)? as usize)),
        "stops" => alone(Command::Stops),
        "core" | "cores" => Ok(Command::Core(rest.to_owned())),
        "print" | "p" => Ok(Command::Print(rest.to_owned())),
        "who" => Ok(Command::Who(rest.to_owned())),
        "regs" => alone(Command::Registers),
        "list" | "l" => match rest {
            "" => Ok(Command::List(None)),
            _ => Ok(Command::List(Some(number(rest)?))),
        },
        "info" => alone(Command::Info),
        other => Err(format!("no command `{other}`; `help` lists them")),
    }
}

/// How often; once if nothing is said.
fn count(text: &str) -> Result<u64, String> {
    match text {
        "" => Ok(1),
        _ => number(text).map(u64::from),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn stop(text: &str) -> Result<Break, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match (word, rest.trim()) {
        ("fault", "") => Ok(Break::Fault),
        ("line", rest) => match rest.rsplit_once(':') {
            Some((file, line)) => Ok(Break::Line(Some(file.to_owned()), number(line)?)),
            None => Ok(Break::Line(None, number(rest)?)),
        },
        ("aic", rest) => Ok(Break::Pc(Some(CoreKind::Cube), number(rest)?)),
        ("aiv", rest) => Ok(Break::Pc(Some(CoreKind::Vector), number(rest)?)),
        (pc, "") => Ok(Break::Pc(None, number(pc)?)),
        _ => Err("expected `break PC`, `break line [FILE:]N` or `break fault`".to_owned()),
    }
}

fn watch(text: &str) -> Result<Command, String> {
    let (place, how) = text.rsplit_once(char::is_whitespace).unwrap_or((text, ""));
    let (place, reads, writes) = match how {
        "r" => (place, true, false),
        "w" => (place, false, true),
        "rw" => (place, true, true),
        _ => (text, false, true),
    };
    Ok(Command::Watch(place.trim().to_owned(), reads, writes))
}
