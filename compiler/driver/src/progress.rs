//! How far long work is: a line on standard error, only on a terminal, only after a second, never with `--quiet` or JSON.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is shorter shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the clock of the line moves.
const TICK: Duration = Duration::from_millis(200);

/// A line that is there as long as this is.
pub(crate) struct Progress {
    bar: ProgressBar,
    /// Wakes the thread that waits to show the line.
    end: Option<Sender<()>>,
    waiting: Option<JoinHandle<()>>,
}

impl Progress {
    /// Work of so many steps; 0 if nobody knows how many. Without a terminal nothing is ever shown.
    pub(crate) fn new(shown: bool, steps: u64, what: &str) -> Progress {
        let bar = if steps == 0 {
            ProgressBar::no_length()
        } else {
            ProgressBar::new(steps)
        };
        bar.set_draw_target(ProgressDrawTarget::hidden());
        let template = if steps == 0 {
            "{elapsed:>4} {msg}"
        } else {
            "{elapsed:>4} [{bar:30}] {pos}/{len} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        let (end, ended) = channel();
        let waiting = shown.then(|| {
            let bar = bar.clone();
            thread::spawn(move || show_later(&bar, &ended))
        });
        Progress {
            bar,
            end: Some(end),
            waiting,
        }
    }

    /// A step is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    /// What is being done, or the best that was found.
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }
}

fn show_later(bar: &ProgressBar, ended: &Receiver<()>) {
    if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TICK);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(waiting) = self.waiting.take() {
            // A thread that could not draw changes nothing.
            let _ = waiting.join();
        }
        self.bar.finish_and_clear();
    }
}
