//! How a command ends when the world does not play along: nobody reads its output, or we are at fault.

use std::ffi::OsString;
use std::io::{self, Read, Write};

use driver::{Host, Status};

use super::case::root;

/// A pipe whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// A stream that stands for a defect of ours.
struct Defective;

impl Read for Defective {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("a defect for this test")
    }
}

fn args(words: &[&str]) -> Vec<OsString> {
    words.iter().map(Into::into).collect()
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut err = Vec::new();
    let (mut input, mut out) = (io::empty(), Closed);
    let mut host = Host::new(&mut input, &mut out, &mut err, root());
    let status = driver::vinci(&args(&["chips"]), &mut host);
    assert_eq!(status, Status::Done);
    let words = args(&["run", "stdlib/kernels/relu.vn", "-D", "R=1", "-D", "C=1"]);
    assert_eq!(driver::vinci(&words, &mut host), Status::Done);
    assert!(err.is_empty());
}

/// A file on a full disk.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn lost_results_are_an_error_and_lost_findings_change_no_status() {
    let mut err = Vec::new();
    let (mut input, mut out) = (io::empty(), Full);
    let mut host = Host::new(&mut input, &mut out, &mut err, root());
    assert_eq!(driver::vinci(&args(&["chips"]), &mut host), Status::Wrong);
    let said = String::from_utf8_lossy(&err);
    assert!(said.contains("E0708"), "{said}");
    let (mut input, mut out, mut closed) = (io::empty(), io::sink(), Closed);
    let mut host = Host::new(&mut input, &mut out, &mut closed, root());
    let wrong = args(&["explain", "E9999"]);
    assert_eq!(driver::vinci(&wrong, &mut host), Status::Wrong);
}

#[test]
fn a_defect_of_ours_says_what_to_report() {
    let mut err = Vec::new();
    let (mut input, mut out) = (Defective, io::sink());
    let mut host = Host::new(&mut input, &mut out, &mut err, root());
    let status = driver::vincic(&args(&["-", "-O0"]), &mut host);
    assert_eq!(status.code(), 101);
    let said = String::from_utf8_lossy(&err);
    assert!(said.contains("a defect for this test"), "{said}");
    assert!(said.contains("this is a bug of vincic"), "{said}");
    assert!(said.contains("vincic - -O0"), "{said}");
    assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
}

#[test]
fn an_object_never_goes_to_a_terminal() {
    let mut err = Vec::new();
    let (mut input, mut out) = (io::empty(), io::sink());
    let mut host = Host::new(&mut input, &mut out, &mut err, root());
    host.out_is_terminal = true;
    let words = args(&[
        "stdlib/kernels/relu.vn",
        "-D",
        "R=1",
        "-D",
        "C=1",
        "-o",
        "-",
    ]);
    assert_eq!(driver::vincic(&words, &mut host), Status::Wrong);
    assert!(String::from_utf8_lossy(&err).contains("E0708"));
}
