//! `vinci explain CODE` and `vincic --explain CODE`: the page of a code.

use clap::Args;
use diag::Code;
use diag::codes::ALL;

use crate::errors;
use crate::host::Stop;
use crate::session::Session;

/// `vinci explain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Explain {
    /// The code
    #[arg(value_name = "CODE")]
    pub(crate) code: String,
}

/// Prints the page.
pub(crate) fn run(args: &Explain, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    page(&args.code, session)
}

/// Prints the page of a code.
pub(crate) fn page(code: &str, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let known: Vec<&str> = ALL.iter().map(|code| code.as_str()).collect();
    let code = Code::lookup(code).ok_or_else(|| errors::unknown_code(code, &known))?;
    session.host.print(diag::explain(code))
}
