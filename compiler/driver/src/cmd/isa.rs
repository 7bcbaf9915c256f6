//! `vinci isa`: the list of instructions, or the manual page of one; everything comes from the table.

use clap::Args;
use isa::docs::render_one;
use isa::inst::{INFO, Opcode, info};

use crate::errors;
use crate::host::Stop;
use crate::session::Session;
use crate::table::{Align, Table};

/// `vinci isa`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Isa {
    /// An instruction; without it the whole list
    #[arg(value_name = "MNEMONIC")]
    pub(crate) mnemonic: Option<String>,
}

/// Prints a row for each instruction, or everything about one.
pub(crate) fn run(args: &Isa, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let text = match &args.mnemonic {
        Some(mnemonic) => {
            let opcode = Opcode::from_mnemonic(mnemonic).ok_or_else(|| {
                let known: Vec<&str> = INFO.iter().map(|row| row.mnemonic).collect();
                errors::unknown_mnemonic(mnemonic, &known)
            })?;
            render_one(info(opcode))
        }
        None => overview(),
    };
    session.host.print(&text)
}

fn overview() -> String {
    let mut table = Table::new(&[
        ("instruction", Align::Left),
        ("pipe", Align::Left),
        ("code", Align::Left),
        ("", Align::Left),
    ]);
    for row in INFO {
        table.row([
            row.mnemonic.to_owned(),
            row.pipe.to_string(),
            format!("{:#04x}", row.opcode as u8),
            row.summary().to_owned(),
        ]);
    }
    format!("{table}\n`vinci isa MNEMONIC` prints the manual page of an instruction\n")
}
