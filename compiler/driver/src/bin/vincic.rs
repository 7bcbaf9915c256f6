//! The command `vincic`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    driver::run_main(driver::vincic)
}
