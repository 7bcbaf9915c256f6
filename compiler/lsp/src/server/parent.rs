//! The client's process: a server whose client has died without a word ends too.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

/// How often the process is looked for.
const PAUSE: Duration = Duration::from_millis(500);

/// A channel that says something, or is closed, when the process of this number has gone.
pub(super) fn watch(process: u32) -> Receiver<()> {
    let (sender, gone) = bounded(1);
    let look = move || {
        // Nobody listens any more when the session has ended by itself.
        while lives(process) {
            thread::sleep(PAUSE);
        }
        let _ = sender.send(());
    };
    // Without a thread the closed stream ends the session.
    match thread::Builder::new()
        .name("lsp parent".to_owned())
        .spawn(look)
    {
        Ok(_) => gone,
        Err(_) => crossbeam_channel::never(),
    }
}

/// Whether there is such a process. One of another user counts.
#[cfg(unix)]
fn lives(process: u32) -> bool {
    let number = i32::try_from(process).ok();
    let Some(pid) = number.and_then(rustix::process::Pid::from_raw) else {
        return true;
    };
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

#[cfg(not(unix))]
fn lives(_process: u32) -> bool {
    true
}
