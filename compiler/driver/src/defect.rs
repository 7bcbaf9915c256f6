//! A panic is a defect of ours: what is said about it, and the file with everything that helps to find it.

use std::any::Any;
use std::backtrace::Backtrace;
use std::ffi::OsString;
use std::fs;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};

use crate::host::{self, Host};
use crate::version;

/// Place and calls of the first panic. Only a process that is ours alone fills it.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// The panic hook: keeps what the payload does not have, and says nothing yet.
pub(crate) fn note(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let calls = Backtrace::force_capture();
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    first.get_or_insert_with(|| format!("at {place}\n\n{calls}"));
}

/// Says that there is a defect, and what to report; leaves a file beside the user's own with the rest.
pub(crate) fn report(
    name: &str,
    args: &[OsString],
    payload: &(dyn Any + Send),
    host: &mut Host<'_>,
) {
    let said = text(name, args, payload);
    host.complain(&said);
    let noted = FIRST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(noted) = noted else {
        return;
    };
    if host::switched_on("VINCI_BACKTRACE") {
        host.complain(&format!("{noted}\n"));
    }
    let file = format!("{name}-ice-{}.txt", std::process::id());
    let whole = format!("{said}\n{}\n{noted}", version::long(name));
    match fs::write(host.path(&file), whole) {
        Ok(()) => host.complain(&format!("note: the calls that led here are in `{file}`\n")),
        Err(e) => host.complain(&format!(
            "note: `{file}` cannot be written: {e}\n\n{noted}\n"
        )),
    }
}

fn text(name: &str, args: &[OsString], payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let what = text
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    let line: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    format!(
        "error: internal error: {what}\n\n\
         note: this is a bug of {name}, not of the input; please report it\n\
         note: {}note: the command was: {name} {}\n",
        version::short(name),
        line.join(" ")
    )
}
