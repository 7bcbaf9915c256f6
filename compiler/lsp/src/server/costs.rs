//! Cycles of kernels, computed on a thread of their own. Only the newest text of a document counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{Cost, Source, Toolchain};

/// A text whose kernels are to be timed.
struct Job {
    uri: String,
    version: i32,
    path: PathBuf,
    text: String,
    target: Option<String>,
}

/// The costs of a version of a document.
pub(crate) struct Done {
    uri: String,
    version: i32,
    costs: Vec<Cost>,
}

/// Costs by document, and the thread that makes them.
pub(crate) struct Costs {
    jobs: Sender<Job>,
    pub(crate) done: Receiver<Done>,
    known: BTreeMap<String, (i32, Vec<Cost>)>,
    asked: BTreeMap<String, i32>,
}

impl Costs {
    pub(crate) fn start(toolchain: Arc<dyn Toolchain>) -> Costs {
        let (jobs, incoming) = unbounded::<Job>();
        let (outgoing, done) = unbounded();
        // The thread ends with the sender of its jobs, and is not waited for.
        thread::spawn(move || work(toolchain.as_ref(), &incoming, &outgoing));
        Costs {
            jobs,
            done,
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Asks for the costs of a text, once a version.
    pub(crate) fn ask(&mut self, uri: &str, version: i32, source: &Source<'_>) {
        if self.asked.get(uri) == Some(&version) {
            return;
        }
        self.asked.insert(uri.to_owned(), version);
        let job = Job {
            uri: uri.to_owned(),
            version,
            path: source.path.to_owned(),
            text: source.text.to_owned(),
            target: source.target.map(str::to_owned),
        };
        // Without the thread there are no hints, and everything else goes on.
        let _ = self.jobs.send(job);
    }

    pub(crate) fn keep(&mut self, done: Done) {
        self.known.insert(done.uri, (done.version, done.costs));
    }

    /// The costs of this version, or those of the last one known with `false`.
    pub(crate) fn of(&self, uri: &str, version: i32) -> (&[Cost], bool) {
        match self.known.get(uri) {
            Some((known, costs)) => (costs, *known == version),
            None => (&[], false),
        }
    }

    pub(crate) fn forget(&mut self, uri: &str) {
        self.known.remove(uri);
        self.asked.remove(uri);
    }

    /// Forgets all, because the chip is another one.
    pub(crate) fn forget_all(&mut self) {
        self.known.clear();
        self.asked.clear();
    }
}

fn work(toolchain: &dyn Toolchain, incoming: &Receiver<Job>, outgoing: &Sender<Done>) {
    while let Ok(first) = incoming.recv() {
        // Of several versions of one text the last is worth the time.
        let mut jobs = vec![first];
        jobs.extend(incoming.try_iter());
        while let Some(job) = jobs.pop() {
            jobs.retain(|older| older.uri != job.uri);
            let source = Source {
                path: &job.path,
                text: &job.text,
                target: job.target.as_deref(),
            };
            let done = Done {
                costs: toolchain.costs(&source),
                uri: job.uri,
                version: job.version,
            };
            if outgoing.send(done).is_err() {
                return;
            }
            jobs.extend(incoming.try_iter());
        }
    }
}
