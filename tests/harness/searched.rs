//! The library at `-O3`: what a search decides changes no bit where the order is fixed, and no sanitizer finds anything in
//! any order that flags, barriers and queues allow.

use std::collections::BTreeMap;

use backend::Level;
use diag::SourceMap;
use driver::{Settings, build, kernel};
use emulator::{Options, Sanitize, Schedule};
use ir::algo::Func;
use ir::algo::data::draw;
use isa::chip::Chip;
use isa::object::{Object, ParamDir};
use search::Budget;

/// Holds every test size of the kernels of a file to that, in its own order and as many others as there are seeds; gives
/// how many objects there were, and what was found wrong.
pub(crate) fn check(name: &str, text: &str, budget: Budget, seeds: u64) -> (usize, Vec<String>) {
    let chip = Chip::builtin(Chip::DEFAULT).expect("the default chip is built in");
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let loaded = kernel::load(file, &mut sources, &mut Vec::new()).expect("the library is right");
    let shapes = loaded.lines("test").expect("the library's lines are right");
    let (mut count, mut wrong) = (0, Vec::new());
    for info in loaded.kernels() {
        for values in &shapes {
            let func = loaded.bind(&info, values, &BTreeMap::new());
            let func = func.expect("the library's sizes fit");
            count += 1;
            if let Err(what) = compare(&func, &chip, &sources, (budget, seeds)) {
                wrong.push(format!("{name}: {} {:?}: {what}", func.name, func.sizes));
            }
        }
    }
    (count, wrong)
}

/// Compiles a kernel at `-O0` and `-O3` and runs both.
fn compare(
    func: &Func,
    chip: &Chip,
    sources: &SourceMap,
    (budget, seeds): (Budget, u64),
) -> Result<(), String> {
    let compiled = |level| {
        let mut settings = Settings::new(chip.clone(), level);
        settings.budget = budget;
        let compiled = build::compile(func, &settings, sources);
        let object = |compiled: backend::Compiled| compiled.lowered.object;
        compiled.map(object).map_err(|found| format!("{found:?}"))
    };
    let plain = compiled(Level::O0)?;
    let expected = results(&plain, chip, Schedule::default())?;
    let best = compiled(Level::O3)?;
    let in_order = results(&best, chip, Schedule::default())?;
    let free = func.order_free || !func.regrouped.is_empty();
    if !free && in_order != expected {
        return Err("the bits of -O0 and -O3 differ".to_owned());
    }
    for seed in 0..seeds {
        let got = results(&best, chip, Schedule::Adversarial(seed));
        let got = got.map_err(|what| format!("seed {seed}: {what}"))?;
        if got != in_order {
            return Err(format!("the bits of -O3 differ under seed {seed}"));
        }
    }
    Ok(())
}

/// The results of a run with drawn arguments and every sanitizer.
fn results(object: &Object, chip: &Chip, schedule: Schedule) -> Result<Vec<Vec<u8>>, String> {
    let params = &object.kernel.params;
    let inputs: Vec<Option<Vec<u8>>> = (params.iter())
        .map(|param| {
            let shape: Vec<i64> = param.shape.iter().map(|&extent| extent as i64).collect();
            (param.dir == ParamDir::In).then(|| draw(param.elem, &shape, 0, &param.name).bytes)
        })
        .collect();
    let options = Options {
        schedule,
        sanitize: Sanitize::ALL,
        threads: 1,
        ..Options::default()
    };
    let outcome = emulator::run(object, &inputs, chip, &options).map_err(|f| f.to_string())?;
    let outs = params.iter().zip(outcome.tensors);
    let outs = outs.filter(|(param, _)| param.dir == ParamDir::Out);
    Ok(outs.map(|(_, bytes)| bytes).collect())
}
