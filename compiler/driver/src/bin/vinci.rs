//! The command `vinci`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    driver::run_main(driver::vinci)
}
