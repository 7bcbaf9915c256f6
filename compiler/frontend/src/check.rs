//! From syntax to the checked program: everything that can be said without the values of sizes.
//!
//! [`run`] is the table of contents: collect the names of all files, read every signature, look for recursion, then
//! check each body on its own against the signatures. A body is checked once, for all sizes and element types.
//!
//! The prelude comes first among the items: what is made of it alone ([`Prelude`]) then holds for every program.

mod access;
mod agree;
mod body;
pub(crate) mod bounds;
mod call;
mod cx;
pub(crate) mod cycles;
mod declare;
mod definitions;
mod expr;
mod finish;
mod fold;
mod gather;
pub(crate) mod literal;
pub(crate) mod monoids;
pub(crate) mod open;
mod ops;
mod parts;
pub(crate) mod primitive;
mod signature;
mod sizes;
mod unify;

use crate::Sources;
use crate::errors::resolve;
use crate::hir::{Item, ItemId};
use crate::schedules;
use diag::{Diagnostic, Known, Span};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use syntax::ast;

pub(crate) use unify::{Solution, solve};

/// All files with the meaning of their top-level names.
pub(crate) struct World<'a> {
    /// The main file first, then the prelude, then the library.
    pub(crate) files: Vec<&'a ast::File>,
    scopes: Vec<BTreeMap<&'a str, Symbol<'a>>>,
    prelude: Option<usize>,
    /// What each file sees by name, for those who look for a name like another: made when first asked for.
    known: Vec<OnceCell<Known<'a>>>,
    /// How many items, from the first, are the prelude's: they are checked already.
    pub(crate) checked: usize,
    /// The syntax of each item, by [`ItemId`].
    pub(crate) callables: Vec<Callable<'a>>,
    /// Signatures, by [`ItemId`]; their bodies hold parameters and results only.
    pub(crate) signatures: Vec<Arc<Item>>,
}

/// What every file sees without `use`, checked.
#[derive(Clone, Debug)]
pub struct Prelude {
    tree: ast::File,
    /// The tree with instances and functions of monoids, if it has any.
    expanded: Option<ast::File>,
    signatures: Vec<Arc<Item>>,
    items: Vec<Arc<Item>>,
    found: Vec<Diagnostic>,
}

impl Prelude {
    /// Checks a tree that calls only itself.
    pub fn new(tree: ast::File) -> Prelude {
        let mut found = Vec::new();
        let expanded = expanded(&tree, &mut found);
        let sources = Sources {
            main: expanded.as_ref().unwrap_or(&tree),
            prelude: None,
            library: &[],
        };
        let mut world = collect(&sources, &mut found);
        signature::read_all(&mut world, &mut found);
        cycles::report_recursion(&world, &mut found);
        let items = check_bodies(&world, &mut found);
        body::check_asserts(&world, &mut found);
        let signatures = world.signatures;
        Prelude {
            tree,
            expanded,
            signatures,
            items,
            found,
        }
    }

    /// The tree as it was written.
    pub fn tree(&self) -> &ast::File {
        &self.tree
    }

    fn file(&self) -> &ast::File {
        self.expanded.as_ref().unwrap_or(&self.tree)
    }
}

/// A file with the functions that open lists of dimensions and monoids stand for, if it has any.
fn expanded(file: &ast::File, diagnostics: &mut Vec<Diagnostic>) -> Option<ast::File> {
    let open = open::expand(file);
    let monoids = monoids::expand(open.as_ref().unwrap_or(file), diagnostics);
    monoids.or(open)
}

/// The syntax of a kernel or function.
#[derive(Copy, Clone)]
pub(crate) struct Callable<'a> {
    pub(crate) file: usize,
    pub(crate) ast: &'a ast::Callable,
    pub(crate) span: Span,
}

/// What a top-level name means.
#[derive(Copy, Clone)]
pub(crate) enum Symbol<'a> {
    Item(ItemId),
    /// The first instance of a function over an open list of dimensions; the others follow it.
    Open(ItemId),
    Const(usize, &'a ast::Const),
    /// A monoid of that file.
    Monoid(usize),
    /// Could not be read; uses of it stay silent.
    Error,
}

/// Checks all files; the items are those of the main file and of everything they could call.
pub(crate) fn run(sources: &Sources<'_>) -> (Vec<Arc<Item>>, Vec<usize>, Vec<Diagnostic>) {
    let ((items, files), diagnostics) = with_world(sources, |world, diagnostics| {
        let mut items = sources.prelude.map_or_else(Vec::new, |p| p.items.clone());
        items.extend(check_bodies(world, diagnostics));
        let files = world.callables.iter().map(|c| c.file).collect();
        (items, files)
    });
    (items, files, diagnostics)
}

/// Checks one body.
pub(crate) fn check_body(world: &World<'_>, id: usize, found: &mut Vec<Diagnostic>) -> Item {
    body::check(world, ItemId(id), found)
}

/// Checks everything but bodies, which are the caller's.
pub(crate) fn with_world<T>(
    sources: &Sources<'_>,
    bodies: impl FnOnce(&World<'_>, &mut Vec<Diagnostic>) -> T,
) -> (T, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let main = expanded(sources.main, &mut diagnostics);
    let library: Vec<_> = sources
        .library
        .iter()
        .map(|(_, file)| expanded(file, &mut diagnostics))
        .collect();
    let library: Vec<(&str, &ast::File)> = (sources.library.iter().zip(&library))
        .map(|((name, file), expanded)| (*name, expanded.as_ref().unwrap_or(file)))
        .collect();
    let sources = &Sources {
        main: main.as_ref().unwrap_or(sources.main),
        prelude: sources.prelude,
        library: &library,
    };
    diagnostics.extend(sources.prelude.iter().flat_map(|known| known.found.clone()));
    let mut world = collect(sources, &mut diagnostics);
    resolve_uses(&mut world, sources, &mut diagnostics);
    signature::read_all(&mut world, &mut diagnostics);
    cycles::report_recursion(&world, &mut diagnostics);
    let checked = bodies(&world, &mut diagnostics);
    body::check_asserts(&world, &mut diagnostics);
    report_schedules(&world, &mut diagnostics);
    (checked, diagnostics)
}

/// Checks every body but those of the prelude; what is wrong with several instances of a function is reported for the first.
fn check_bodies(world: &World<'_>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<Item>> {
    let mut reported = None;
    let mut items = Vec::new();
    for (id, callable) in world.callables.iter().enumerate().skip(world.checked) {
        let mut found = Vec::new();
        items.push(Arc::new(body::check(world, ItemId(id), &mut found)));
        let place = callable.ast.name.span;
        if found.is_empty() || reported == Some(place) {
            continue;
        }
        reported = open::open_list(callable.ast).map(|_| place);
        diagnostics.append(&mut found);
    }
    items
}

impl Symbol<'_> {
    fn is_constant(self) -> bool {
        matches!(self, Symbol::Const(..))
    }
}

impl<'a> World<'a> {
    /// The meaning of a top-level name as seen from a file.
    pub(crate) fn lookup(&self, file: usize, name: &str) -> Option<Symbol<'a>> {
        let prelude = self.prelude.and_then(|p| self.scopes.get(p));
        let own = self.scopes.get(file).and_then(|scope| scope.get(name));
        own.or_else(|| prelude.and_then(|scope| scope.get(name)))
            .copied()
    }

    /// A function of a monoid, by the monoid's name as seen from a file.
    pub(crate) fn monoid_function(&self, file: usize, monoid: &str, part: &str) -> Option<ItemId> {
        let Some(Symbol::Monoid(home)) = self.lookup(file, monoid) else {
            return None;
        };
        let name = monoids::function(monoid, part);
        match self.scopes.get(home)?.get(name.as_str()) {
            Some(Symbol::Item(item)) => Some(*item),
            Some(Symbol::Open(_) | Symbol::Const(..) | Symbol::Monoid(_) | Symbol::Error)
            | None => None,
        }
    }

    /// The instances of a function over an open list of dimensions, from the first.
    pub(crate) fn instances(&self, first: ItemId) -> impl Iterator<Item = ItemId> + '_ {
        let place = |id: usize| self.callables.get(id).map(|c| c.ast.name.span);
        let all = first.0..self.callables.len();
        all.take_while(move |id| place(*id) == place(first.0))
            .map(ItemId)
    }

    /// The nearest of the top-level names that a file sees, with the number of changes.
    pub(crate) fn nearest(&self, file: usize, name: &str) -> Option<(usize, &'a str)> {
        let known = self.known.get(file)?;
        known
            .get_or_init(|| Known::new(self.names(file)))
            .nearest(name)
    }

    /// Every top-level name that a file sees.
    pub(crate) fn names(&self, file: usize) -> Vec<&'a str> {
        let scopes = [Some(file), self.prelude];
        let scopes = scopes
            .into_iter()
            .flatten()
            .filter_map(|f| self.scopes.get(f));
        let names = scopes.flat_map(|scope| scope.keys().copied());
        // The functions that monoids become have no names that anybody could write.
        names.filter(|name| !name.contains('.')).collect()
    }
}

fn collect<'a>(sources: &Sources<'a>, diagnostics: &mut Vec<Diagnostic>) -> World<'a> {
    let mut files = vec![sources.main];
    files.extend(sources.prelude.map(Prelude::file));
    files.extend(sources.library.iter().map(|(_, file)| *file));
    let mut world = World {
        scopes: vec![BTreeMap::new(); files.len()],
        known: files.iter().map(|_| OnceCell::new()).collect(),
        prelude: sources.prelude.map(|_| 1),
        checked: sources.prelude.map_or(0, |known| known.items.len()),
        callables: Vec::new(),
        signatures: sources
            .prelude
            .map_or_else(Vec::new, |p| p.signatures.clone()),
        files,
    };
    let prelude = world.prelude;
    let others = (0..world.files.len()).filter(|number| Some(*number) != prelude);
    for number in prelude.into_iter().chain(others) {
        world.scopes[number] = collect_file(&mut world, number, diagnostics);
    }
    world
}

fn collect_file<'a>(
    world: &mut World<'a>,
    number: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'a str, Symbol<'a>> {
    let file = world.files[number];
    let mut scope = BTreeMap::new();
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    for item in &file.items {
        let (name, symbol) = match &item.kind {
            ast::ItemKind::Callable(callable) => {
                world.callables.push(Callable {
                    file: number,
                    ast: callable,
                    span: item.span,
                });
                let id = ItemId(world.callables.len() - 1);
                match open_instance(&scope, callable) {
                    Some(Instance::Next) => continue,
                    Some(Instance::First) => (&callable.name, Symbol::Open(id)),
                    None => (&callable.name, Symbol::Item(id)),
                }
            }
            ast::ItemKind::Const(constant) => (&constant.name, Symbol::Const(number, constant)),
            ast::ItemKind::Monoid(monoid) => (&monoid.name, Symbol::Monoid(number)),
            ast::ItemKind::Error { name: Some(name) } => (name, Symbol::Error),
            ast::ItemKind::Error { name: None }
            | ast::ItemKind::Assert(_)
            | ast::ItemKind::Use(_)
            | ast::ItemKind::Schedule(_) => continue,
        };
        match places.get(name.text.as_str()) {
            Some(first) => diagnostics.push(resolve::defined_twice(&name.text, name.span, *first)),
            None => {
                places.insert(&name.text, name.span);
                scope.insert(name.text.as_str(), symbol);
            }
        }
    }
    scope
}

/// Which instance of a function over an open list of dimensions this is.
enum Instance {
    First,
    Next,
}

fn open_instance(scope: &BTreeMap<&str, Symbol<'_>>, callable: &ast::Callable) -> Option<Instance> {
    open::open_list(callable)?;
    let known = scope.get(callable.name.text.as_str());
    // Instances with more dimensions follow the first one.
    let next = matches!(known, Some(Symbol::Open(_))) && open::dimensions(callable) > 0;
    Some(if next {
        Instance::Next
    } else {
        Instance::First
    })
}

/// `use nn::softmax;` names a function of the library file `nn`.
fn resolve_uses<'a>(
    world: &mut World<'a>,
    sources: &Sources<'a>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let first_library = world.files.len() - sources.library.len();
    for number in 0..world.files.len() {
        for item in &world.files[number].items {
            let ast::ItemKind::Use(path) = &item.kind else {
                continue;
            };
            let Some(name) = path.last() else { continue };
            let words: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
            let module = words.split_last().map(|(_, module)| module.join("/"));
            let module = module.as_deref().filter(|module| !module.is_empty());
            let found = module.and_then(|module| {
                let at = sources
                    .library
                    .iter()
                    .position(|(stem, _)| *stem == module)?;
                world
                    .scopes
                    .get(first_library + at)?
                    .get(name.text.as_str())
                    .copied()
            });
            if found.is_none() {
                let known = module.and_then(|module| {
                    let at = sources
                        .library
                        .iter()
                        .position(|(stem, _)| *stem == module)?;
                    diag::similar(
                        &name.text,
                        world.scopes.get(first_library + at)?.keys().copied(),
                    )
                });
                diagnostics.push(resolve::unknown_item(
                    "library item",
                    &path_text(path),
                    name.span,
                    known,
                ));
            }
            if let Some(scope) = world.scopes.get_mut(number) {
                if scope.contains_key(name.text.as_str()) && found.is_some() {
                    diagnostics.push(resolve::defined_twice(&name.text, name.span, item.span));
                }
                scope
                    .entry(&name.text)
                    .or_insert(found.unwrap_or(Symbol::Error));
            }
        }
    }
}

fn path_text(path: &[ast::Name]) -> String {
    path.iter()
        .map(|n| n.text.as_str())
        .collect::<Vec<_>>()
        .join("::")
}

/// What of schedules nobody obeys, and kernels that are not there.
fn report_schedules(world: &World<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let main = world.files[0];
    for item in &main.items {
        let ast::ItemKind::Schedule(schedule) = &item.kind else {
            continue;
        };
        let kernel = &schedule.kernel;
        match world.lookup(0, &kernel.text) {
            None => {
                let near = diag::similar(&kernel.text, world.names(0));
                diagnostics.push(resolve::unknown_item(
                    "kernel",
                    &kernel.text,
                    kernel.span,
                    near,
                ));
            }
            Some(_) => {
                let refused = schedule.decisions.iter().filter_map(schedules::not_applied);
                let refused = refused.map(|(word, span)| resolve::schedule_not_applied(word, span));
                diagnostics.extend(refused);
            }
        }
    }
}

/// The name of an argument that was given by name.
fn ast_arg(arg: &ast::Arg) -> Option<&ast::Name> {
    arg.name.as_ref()
}
