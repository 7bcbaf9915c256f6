//! Passes: `//! passes: place-buffers, insert-sync` says which run; the values stay, the snapshot holds what comes out.

use backend::pipeline::{PASSES, PassCx};
use backend::{Level, Options};
use diag::SourceMap;
use driver::tile;
use ir::algo::data::{Data, draw};
use ir::tile::{Func, TensorRole};
use isa::chip::Chip;

use super::case::{Case, relative};

/// Runs the passes that a file names.
pub(crate) fn check(path: &str) {
    let case = Case::read(path);
    let mut sources = SourceMap::new();
    let file = sources.add(relative(&case.path), case.text.as_str());
    let loaded = tile::load(file, &sources)
        .unwrap_or_else(|found| panic!("{}", diag::render_text(&found, &sources, false)));
    let chip = Chip::builtin(&loaded.target).expect("loading found the chip");
    let before = values(&loaded);
    let mut func = loaded;
    let passes = case.directives("passes", &["passes"]);
    for pass in passes
        .iter()
        .flat_map(|line| line.split(','))
        .map(str::trim)
    {
        let (name, level) = pass
            .strip_suffix(" -O0")
            .map_or((pass, Level::O1), |name| (name, Level::O0));
        let row = PASSES.iter().find(|row| row.name == name);
        let row = row.unwrap_or_else(|| panic!("{path}: there is no pass `{name}`"));
        let options = Options {
            level,
            verify_each: true,
        };
        if let Err(found) = (row.run)(
            &mut func,
            &PassCx {
                chip: &chip,
                options,
            },
        ) {
            case.snapshot(&diag::render_text(&found, &sources, false));
            return;
        }
        ir::tile::verify(&func, &|space| chip.space_bytes(space))
            .unwrap_or_else(|problems| panic!("{path} after {pass}: {problems:#?}"));
    }
    assert_eq!(values(&func), before, "{path}: the passes change values");
    case.snapshot(&ir::tile::print(&func));
}

/// What the sequential evaluator makes of drawn inputs.
fn values(func: &Func) -> Vec<Data> {
    let input = |tensor: &ir::tile::TensorData| {
        let shape: Vec<i64> = tensor.shape.to_vec();
        (tensor.role == TensorRole::In).then(|| draw(tensor.elem, &shape, 0, &tensor.name))
    };
    let tensors = func
        .tensors
        .values()
        .filter(|tensor| tensor.role != TensorRole::Work);
    let inputs: Vec<Option<Data>> = tensors.map(input).collect();
    ir::tile::eval::eval(func, &inputs).unwrap_or_else(|e| panic!("{e:?}"))
}
