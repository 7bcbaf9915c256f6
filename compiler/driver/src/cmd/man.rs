//! `vinci man`: manual pages, made from the same definition as `--help`.

use clap::Args;
use clap_mangen::Man as Page;
use diag::similar;

use super::completions::Binary;
use crate::errors;
use crate::host::Stop;
use crate::session::Session;

/// `vinci man`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Man {
    /// The page: `vinci`, `vincic`, or that of a command such as `vinci-run`
    #[arg(value_name = "PAGE", default_value = "vinci")]
    pub(crate) page: String,
    /// Writes every page to a folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    pub(crate) out_dir: Option<String>,
}

/// Prints a page, or writes all of them.
pub(crate) fn run(args: &Man, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let pages = pages();
    let date = session.host.source_date.map(date).unwrap_or_default();
    let Some(folder) = &args.out_dir else {
        let known: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        let Some((_, page)) = pages.iter().find(|(name, _)| *name == args.page) else {
            let near = similar(&args.page, known.iter().copied());
            return Err(errors::unknown_page(&args.page, near, &known).into());
        };
        return session.host.print_bytes(&rendered(page, &date)?);
    };
    for (name, page) in &pages {
        let path = format!("{}/{name}.1", folder.trim_end_matches('/'));
        session.write(&path, &rendered(page, &date)?)?;
    }
    Ok(())
}

/// Both commands and the sub-commands, each by the name of its page.
fn pages() -> Vec<(String, clap::Command)> {
    let mut pages = Vec::new();
    for binary in [Binary::Vincic, Binary::Vinci] {
        let (name, mut definition) = binary.definition();
        definition.build();
        for sub in definition.get_subcommands() {
            pages.push((format!("{name}-{}", sub.get_name()), sub.clone()));
        }
        pages.push((name.to_owned(), definition));
    }
    pages.retain(|(name, _)| name != "vinci-help");
    pages.sort_by(|one, other| one.0.cmp(&other.0));
    pages
}

/// A page. The date of the build would make the same program give other pages, so only one that is asked for is said.
fn rendered(page: &clap::Command, date: &str) -> Result<Vec<u8>, Stop> {
    let mut text = Vec::new();
    let page = Page::new(page.clone()).date(date).source("vinci");
    page.render(&mut text)
        .map_err(|e| errors::cannot_print(&e))?;
    Ok(text)
}

/// The day of a number of seconds since 1970, as `2026-11-22`: years begin in March here, so that leap days come last.
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + next)
}
