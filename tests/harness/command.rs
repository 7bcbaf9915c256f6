//! Commands in this process, with captured streams.

use std::ffi::OsString;
use std::path::Path;

use driver::{Host, Status};

/// What a command left.
pub(crate) struct Ran {
    /// How it ended.
    pub(crate) status: Status,
    /// Standard output.
    pub(crate) out: Vec<u8>,
    /// Standard error.
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Fails unless the command came to its end.
    pub(crate) fn expect_done(self) -> Ran {
        assert_eq!(self.status, Status::Done, "{}", self.err);
        self
    }
}

/// Runs `vinci …` or `vincic …` in a folder.
pub(crate) fn run<S: AsRef<str>>(folder: &Path, words: &[S], input: &[u8]) -> Ran {
    let args: Vec<OsString> = words[1..].iter().map(|word| word.as_ref().into()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut input = input;
    let mut host = Host::new(&mut input, &mut out, &mut err, folder.to_path_buf());
    let status = match words[0].as_ref() {
        "vinci" => driver::vinci(&args, &mut host),
        "vincic" => driver::vincic(&args, &mut host),
        other => panic!("`{other}` is no command of ours"),
    };
    Ran {
        status,
        out,
        err: String::from_utf8_lossy(&err).into_owned(),
    }
}
