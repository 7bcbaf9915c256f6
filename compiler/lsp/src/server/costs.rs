//! Cycles of kernels, computed on a thread of their own, the kernel under the cursor first.
//!
//! A kernel's time depends on its slice (itself and what it names), so an edit elsewhere leaves it known, and only the
//! newest slice of a kernel is worth the time. Some kernels take long: the one under the cursor waits for no other.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::background::spawn;
use crate::document::Slice;
use crate::{Cost, LineCost, Source, Toolchain};

/// The kernels of a document that are to be timed, the first first; older wishes for this document are void.
#[derive(Default)]
struct Wish {
    uri: String,
    path: PathBuf,
    target: Option<String>,
    sizes: Vec<String>,
    slices: Vec<Slice>,
}

/// The time of a kernel.
pub(crate) struct Done {
    uri: String,
    slice: Slice,
    cost: Found,
    /// It was under the cursor.
    pub(crate) near: bool,
    /// Kernels that are still to be timed.
    pub(crate) left: usize,
}

/// What was found out about a kernel.
enum Found {
    /// Its time; nothing if that hit a defect.
    Time(Option<Cost>),
    /// What its lines cost.
    Lines(Vec<LineCost>),
}

/// Threads for kernels under the cursor: whoever types goes on while older texts are still timed.
const NEAR: usize = 3;

/// How often the thread for other kernels looks whether it may go on.
const PAUSE: Duration = Duration::from_millis(5);

/// How long nothing must have changed before other kernels are timed.
const QUIET: Duration = Duration::from_millis(200);

/// Costs by document and kernel, and the thread that makes them.
pub(crate) struct Costs {
    toolchain: Arc<dyn Toolchain>,
    wishes: Sender<Wish>,
    results: Sender<Done>,
    pub(crate) done: Receiver<Done>,
    /// Threads at work for kernels under the cursor. While there are any, the thread for the others waits.
    busy: Arc<AtomicUsize>,
    known: BTreeMap<(String, String), (Arc<str>, Option<Cost>)>,
    asked: BTreeMap<(String, String), Arc<str>>,
    lines: BTreeMap<(String, String), (Arc<str>, Vec<LineCost>)>,
    /// The text whose lines a thread is at work on.
    lined: Option<Arc<str>>,
}

impl Costs {
    pub(crate) fn start(toolchain: Arc<dyn Toolchain>) -> Costs {
        let (wishes, incoming) = unbounded::<Wish>();
        let (outgoing, done) = unbounded();
        // The thread ends with the sender of its wishes, and is not waited for.
        let (results, far) = (outgoing.clone(), Arc::clone(&toolchain));
        let busy = Arc::new(AtomicUsize::new(0));
        let others = Arc::clone(&busy);
        spawn(move || work(far.as_ref(), &incoming, &outgoing, &others));
        Costs {
            toolchain,
            wishes,
            results,
            done,
            busy,
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
            lines: BTreeMap::new(),
            lined: None,
        }
    }

    /// What the lines of a kernel cost, if that is known; else asks for it, if the kernel's time is known already.
    pub(crate) fn lines(
        &mut self,
        uri: &str,
        source: &Source<'_>,
        slice: &Slice,
    ) -> Option<&[LineCost]> {
        let key = (uri.to_owned(), slice.kernel.clone());
        let known = self.lines.get(&key);
        if known.is_some_and(|(known, _)| *known == slice.text) {
            return self.lines.get(&key).map(|(_, lines)| lines.as_slice());
        }
        let time = self.of(uri, slice);
        let timed = time.is_some_and(|(cost, fresh)| fresh && cost.cycles.is_ok());
        if timed && self.lined.is_none() {
            self.lined = Some(Arc::clone(&slice.text));
            let wish = Wish::new(uri, source);
            self.begin(wish, slice.clone(), |toolchain, wish, slice| {
                let lines = || toolchain.lines(&wish.source(slice), &slice.kernel);
                let lines = catch_unwind(AssertUnwindSafe(lines));
                Found::Lines(lines.unwrap_or_default())
            });
        }
        None
    }

    /// Asks for what is not known of these slices, one of which may be under the cursor; gives the number of kernels that
    /// are now waited for.
    pub(crate) fn ask(
        &mut self,
        uri: &str,
        source: &Source<'_>,
        slices: &[Slice],
        near: Option<&Slice>,
    ) -> usize {
        let key = |slice: &Slice| (uri.to_owned(), slice.kernel.clone());
        let open = |slice: &&Slice| {
            (self.known.get(&key(slice))).is_none_or(|(known, _)| *known != slice.text)
        };
        let mut open: Vec<Slice> = slices.iter().filter(open).cloned().collect();
        let waited_for = |slice: &Slice| self.asked.get(&key(slice)) == Some(&slice.text);
        if open.iter().all(waited_for) {
            return 0;
        }
        let count = open.len();
        let under = near.and_then(|near| open.iter().position(|slice| slice == near));
        let near = under.map(|at| open.remove(at));
        // A kernel that a thread has already taken comes without being asked for.
        let near = near.filter(|slice| {
            self.asked.insert(key(slice), slice.text.clone()).as_ref() != Some(&slice.text)
        });
        for slice in &open {
            self.asked.insert(key(slice), slice.text.clone());
        }
        let mut wish = Wish::new(uri, source);
        wish.slices = open;
        match near {
            Some(slice) if self.busy.load(Ordering::Relaxed) < NEAR => {
                let own = Wish::new(uri, source);
                self.begin(own, slice, |toolchain, wish, slice| {
                    Found::Time(timed(toolchain, wish, slice))
                });
            }
            Some(slice) => wish.slices.insert(0, slice),
            None => {}
        }
        // Without the thread there are no hints, and everything else goes on.
        let _ = self.wishes.send(wish);
        count
    }

    /// Starts a thread for a kernel under the cursor.
    fn begin(
        &mut self,
        wish: Wish,
        slice: Slice,
        work: impl FnOnce(&dyn Toolchain, &Wish, &Slice) -> Found + Send + 'static,
    ) {
        let busy = Arc::clone(&self.busy);
        busy.fetch_add(1, Ordering::Relaxed);
        let (toolchain, results) = (Arc::clone(&self.toolchain), self.results.clone());
        spawn(move || {
            let cost = work(toolchain.as_ref(), &wish, &slice);
            busy.fetch_sub(1, Ordering::Relaxed);
            let uri = wish.uri;
            // Nobody waits if the session has ended.
            let _ = results.send(Done {
                uri,
                slice,
                cost,
                near: true,
                left: 0,
            });
        });
    }

    pub(crate) fn keep(&mut self, done: Done) {
        let key = (done.uri, done.slice.kernel);
        let text = done.slice.text;
        match done.cost {
            // What was asked before the chip changed is not waited for any more.
            Found::Time(cost) if self.asked.get(&key) == Some(&text) => {
                self.asked.remove(&key);
                self.known.insert(key, (text, cost));
            }
            Found::Lines(lines) if self.lined.take() == Some(Arc::clone(&text)) => {
                self.lines.insert(key, (text, lines));
            }
            Found::Time(_) | Found::Lines(_) => {}
        }
    }

    /// The cost of a kernel with this slice, or that of the last one known with `false`.
    pub(crate) fn of(&self, uri: &str, slice: &Slice) -> Option<(&Cost, bool)> {
        let (known, cost) = self.known.get(&(uri.to_owned(), slice.kernel.clone()))?;
        cost.as_ref().map(|cost| (cost, *known == slice.text))
    }

    pub(crate) fn forget(&mut self, uri: &str) {
        self.known.retain(|(of, _), _| of != uri);
        self.asked.retain(|(of, _), _| of != uri);
        self.lines.retain(|(of, _), _| of != uri);
        self.lined = None;
    }

    /// Forgets all, because the chip, the sizes or a file that others use has changed.
    pub(crate) fn forget_all(&mut self) {
        self.known.clear();
        self.asked.clear();
        self.lines.clear();
        self.lined = None;
    }

    /// Gives up what is not done yet.
    pub(crate) fn stop(&mut self) {
        for (uri, _) in std::mem::take(&mut self.asked).into_keys() {
            let _ = self.wishes.send(Wish {
                uri,
                ..Wish::default()
            });
        }
    }
}

impl Wish {
    /// One for no kernel so far.
    fn new(uri: &str, source: &Source<'_>) -> Wish {
        Wish {
            uri: uri.to_owned(),
            path: source.path.to_owned(),
            target: source.target.map(str::to_owned),
            sizes: source.sizes.to_vec(),
            slices: Vec::new(),
        }
    }

    fn source<'a>(&'a self, slice: &'a Slice) -> Source<'a> {
        Source {
            path: &self.path,
            text: &slice.text,
            target: self.target.as_deref(),
            sizes: &self.sizes,
        }
    }
}

/// The time of a kernel; nothing if that hit a defect.
fn timed(toolchain: &dyn Toolchain, wish: &Wish, slice: &Slice) -> Option<Cost> {
    let cost = || toolchain.cost(&wish.source(slice), &slice.kernel);
    catch_unwind(AssertUnwindSafe(cost)).ok()
}

fn work(
    toolchain: &dyn Toolchain,
    incoming: &Receiver<Wish>,
    outgoing: &Sender<Done>,
    busy: &AtomicUsize,
) {
    let mut wishes: Vec<Wish> = Vec::new();
    // A slice that was wished for again while it was timed has its answer.
    let mut last: Option<(String, Slice, Option<String>, Vec<String>)> = None;
    loop {
        let mut changed = if wishes.is_empty() {
            match incoming.recv() {
                Ok(wish) => Some(wish),
                Err(_) => return,
            }
        } else {
            incoming.try_recv().ok()
        };
        // Whoever types has the machine to himself: other kernels begin when nothing has changed for a while.
        while let Some(wish) = changed {
            wishes.retain(|older| older.uri != wish.uri);
            wishes.push(wish);
            changed = incoming.recv_timeout(QUIET).ok();
        }
        wishes.retain(|wish| !wish.slices.is_empty());
        if busy.load(Ordering::Relaxed) > 0 {
            thread::sleep(PAUSE);
            continue;
        }
        let Some(wish) = wishes.last_mut() else {
            continue;
        };
        let slice = wish.slices.remove(0);
        let this = (
            wish.uri.clone(),
            slice.clone(),
            wish.target.clone(),
            wish.sizes.clone(),
        );
        if last.as_ref() == Some(&this) {
            continue;
        }
        let cost = Found::Time(timed(toolchain, wish, &slice));
        last = Some(this);
        let uri = wish.uri.clone();
        let left = wishes.iter().map(|wish| wish.slices.len()).sum();
        let done = Done {
            uri,
            slice,
            cost,
            near: false,
            left,
        };
        if outgoing.send(done).is_err() {
            return;
        }
    }
}
