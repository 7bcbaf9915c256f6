//! `cargo bench -p tests --bench calibration [NAME]`: the calibration suite as a table; NAME picks the rows that hold it.

#[path = "../harness/calibration.rs"]
#[expect(dead_code, reason = "the test target uses the rest")]
mod calibration;

const HEADINGS: &str = "row                      published    modelled     error  within  fit              \
                        m / mte1 / mte2 / fix busy, published | modelled";

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn main() {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = wanted.unwrap_or_default();
    println!("{HEADINGS}");
    for anchor in calibration::anchors() {
        if anchor.name.contains(&wanted) {
            println!("{}", anchor.line(&anchor.run()));
        }
    }
}
