//! Lint levels as rustc has them: `-A -W -D -F LINT` in the order of the command line, groups, `--cap-lints`.

use std::ffi::OsString;

use diag::codes::{ALL, W0001};
use diag::{Code, Diagnostic, Severity, similar};

use crate::errors;

/// How a lint counts.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Not shown.
    Allow,
    /// Shown.
    Warn,
    /// An error.
    Deny,
    /// An error, whatever else is said.
    Forbid,
}

/// The levels by the words and letters of their options, in rising order.
const LEVELS: [(Level, &str, char); 4] = [
    (Level::Allow, "allow", 'A'),
    (Level::Warn, "warn", 'W'),
    (Level::Deny, "deny", 'D'),
    (Level::Forbid, "forbid", 'F'),
];

/// Names that stand for several lints, each with how its lints begin.
const GROUPS: [(&str, &str); 2] = [("warnings", ""), ("unused", "unused_")];

/// One `-W LINT`.
#[derive(Clone, Debug)]
struct Said {
    level: Level,
    /// As it was written, with `_`.
    name: String,
    /// `-W`.
    option: String,
}

/// What a command line says about lints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lints {
    said: Vec<Said>,
    cap: Option<Level>,
}

/// The name of a lint: that of its code, with `_` as in rustc.
pub(crate) fn name(code: Code) -> String {
    code.slug().replace('-', "_")
}

/// Every lint.
pub(crate) fn all() -> impl Iterator<Item = Code> {
    let lints = ALL.iter().copied();
    lints.filter(|code| code.severity() == Severity::Warning)
}

impl Lints {
    /// Reads the levels of a command line that clap has taken; clap does not keep the order of different options.
    /// `-D NAME=VALUE` is a size and none of ours.
    pub(crate) fn read(args: &[OsString], cap: Option<&str>) -> Result<Lints, Diagnostic> {
        let cap = match cap {
            Some(word) => Some(level(word)?),
            None => None,
        };
        let mut said = Vec::new();
        let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        let mut words = words
            .iter()
            .map(AsRef::as_ref)
            .take_while(|word| *word != "--")
            .peekable();
        while let Some(word) = words.next() {
            let Some((level, option, glued)) = option(word) else {
                continue;
            };
            let name = match glued {
                Some(name) => name,
                None => words.next().unwrap_or_default(),
            };
            if name.contains('=') || name == "help" {
                continue;
            }
            said.push(Said {
                level,
                name: name.replace('-', "_"),
                option: option.to_owned(),
            });
        }
        Ok(Lints { said, cap })
    }

    /// The names that are no lint, each a warning; behind `-D` an error, since a size may be meant.
    pub(crate) fn unknown(&self) -> Result<Vec<Diagnostic>, Diagnostic> {
        let mut found = Vec::new();
        for said in &self.said {
            let known = GROUPS.iter().any(|(group, _)| *group == said.name)
                || all().any(|code| name(code) == said.name);
            if known {
                continue;
            }
            if said.option == "-D" {
                return Err(errors::option_form(
                    "-D",
                    &said.name,
                    "NAME=SIZE, NAME=TYPE or a lint",
                ));
            }
            found.push(unknown(said));
        }
        self.level(&mut found);
        Ok(found)
    }

    /// Gives each finding its level: takes away what is allowed, makes errors of what is denied.
    pub(crate) fn level(&self, found: &mut Vec<Diagnostic>) {
        found.retain_mut(|finding| {
            if finding.code.severity() != Severity::Warning {
                return true;
            }
            let (level, why) = self.of(finding.code);
            if level == Level::Allow {
                return false;
            }
            if level >= Level::Deny {
                finding.severity = Severity::Error;
            }
            *finding = finding.clone().note(why);
            true
        });
    }

    /// The level of a lint, and where it comes from.
    fn of(&self, code: Code) -> (Level, String) {
        let lint = name(code);
        let mut now = (
            Level::Warn,
            format!("`{lint}` warns by default; `-A {lint}` silences it"),
        );
        for said in &self.said {
            let group = GROUPS.iter().find(|(group, _)| *group == said.name);
            let meant = match group {
                Some((_, start)) => lint.starts_with(start),
                None => said.name == lint,
            };
            if !meant || now.0 == Level::Forbid {
                continue;
            }
            // As in rustc, `warnings` speaks only of what would warn.
            if said.name == "warnings" && now.0 != Level::Warn {
                continue;
            }
            let (option, name) = (&said.option, &said.name);
            let why = if *name == lint {
                format!("requested on the command line with `{option} {lint}`")
            } else {
                format!("`{option} {lint}` implied by `{option} {name}`")
            };
            now = (said.level, why);
        }
        match self.cap {
            Some(cap) if cap < now.0 => (cap, now.1),
            Some(_) | None => now,
        }
    }
}

/// The level, the option as it is shown, and a name that is glued to it.
fn option(word: &str) -> Option<(Level, &str, Option<&str>)> {
    LEVELS.iter().find_map(|&(level, long, short)| {
        if let Some(rest) = word.strip_prefix("--") {
            let rest = rest.strip_prefix(long)?;
            return match rest.strip_prefix('=') {
                Some(name) => Some((level, &word[..2 + long.len()], Some(name))),
                None => rest.is_empty().then_some((level, word, None)),
            };
        }
        let rest = word.strip_prefix('-')?.strip_prefix(short)?;
        let glued = rest.strip_prefix('=').unwrap_or(rest);
        Some((level, &word[..2], (!glued.is_empty()).then_some(glued)))
    })
}

fn level(word: &str) -> Result<Level, Diagnostic> {
    let words: Vec<&str> = LEVELS.iter().map(|(_, word, _)| *word).collect();
    let known = LEVELS.iter().find(|(_, known, _)| *known == word);
    let known = known.map(|(level, ..)| *level);
    known.ok_or_else(|| errors::option_value("--cap-lints", word, &words))
}

fn unknown(said: &Said) -> Diagnostic {
    let names: Vec<String> = all().map(name).collect();
    let names = names.iter().map(String::as_str);
    let known = names.chain(GROUPS.iter().map(|(group, _)| *group));
    let found = Diagnostic::new(W0001, format!("unknown lint `{}`", said.name));
    match similar(&said.name, known) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help("`vincic --print lints` lists them"),
    }
}

/// What `--print lints` and `-W help` print.
pub(crate) fn list() -> String {
    use crate::table::{Align, Table};
    let mut table = Table::new(&[
        ("lint", Align::Left),
        ("default", Align::Left),
        ("code", Align::Left),
        ("", Align::Left),
    ]);
    for code in all() {
        table.row([
            name(code),
            "warn".to_owned(),
            code.to_string(),
            code.title().to_owned(),
        ]);
    }
    let mut text = format!("{table}\n");
    for (group, start) in GROUPS {
        let members: Vec<String> = all()
            .map(name)
            .filter(|lint| lint.starts_with(start))
            .collect();
        let members = if start.is_empty() {
            "all that warn".to_owned()
        } else {
            members.join(", ")
        };
        text.push_str(&format!("{group}: {members}\n"));
    }
    text
}
