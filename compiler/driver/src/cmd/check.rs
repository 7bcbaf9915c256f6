//! `vinci check`: everything but code generation, for any number of files.

use std::collections::BTreeMap;

use clap::Args;
use diag::Diagnostic;

use crate::files::Form;
use crate::host::Stop;
use crate::kernel::Values;
use crate::session::Session;
use crate::{assembly, laws, tile};

/// `vinci check`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Check {
    /// `.vn`, `.tile` or `.vasm` files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<String>,
    /// Makes a lint an error
    #[arg(short = 'D', value_name = "LINT")]
    pub(crate) denied: Vec<String>,
}

/// Checks every file and shows what is wrong with all of them.
pub(crate) fn run(args: &Check, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let mut found = Vec::new();
    for path in &args.files {
        match check(path, session) {
            Ok(()) => {}
            Err(Stop::Findings(more)) => found.extend(more),
            Err(stop @ (Stop::Said | Stop::Closed)) => return Err(stop),
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Stop::Findings(found))
    }
}

fn check(path: &str, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    match Form::of(path)? {
        Form::Kernel => check_kernels(path, session),
        Form::Tile => {
            let file = session.read_text(path)?;
            tile::load(file, &session.sources)?;
            Ok(())
        }
        Form::Assembly => {
            let file = session.read_text(path)?;
            assembly::assemble(file, &session.sources)?;
            Ok(())
        }
        Form::Object => {
            assembly::read_object(path, session)?;
            Ok(())
        }
    }
}

/// Checks a file, tests the laws of its monoids, and binds every kernel whose sizes a shape line gives.
fn check_kernels(path: &str, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let loaded = session.load_kernel(path)?;
    let shapes = loaded.lines("shape")?;
    let mut found: Vec<Diagnostic> = laws::check(|lengths| loaded.laws(lengths));
    for kernel in loaded.kernels() {
        let fits = |values: &&Values| kernel.sizes.iter().all(|s| values.gives(s));
        let mine = |values: &Values| Values {
            sizes: values
                .sizes
                .iter()
                .filter(|(name, _)| kernel.sizes.contains(name))
                .map(own)
                .collect(),
            lists: values
                .lists
                .iter()
                .filter(|(name, _)| kernel.sizes.contains(name))
                .map(own)
                .collect(),
            types: values.types.clone(),
            ..Values::default()
        };
        for values in shapes.iter().filter(fits) {
            if let Err(more) = loaded.bind(&kernel, &mine(values), &BTreeMap::new()) {
                found.extend(more);
            }
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(found.into())
    }
}

fn own<T: Clone>((name, value): (&String, &T)) -> (String, T) {
    (name.clone(), value.clone())
}
