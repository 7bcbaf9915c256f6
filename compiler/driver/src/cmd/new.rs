//! `vinci new`: a folder with a kernel that runs, an expectation that it meets, and a page that says what to type.

use std::fs;

use clap::Args;
use ir::algo::data::Data;
use isa::types::Elem;

use crate::host::Stop;
use crate::kernel::is_name;
use crate::session::Session;
use crate::{arrays, errors};

/// `vinci new`.
#[derive(Args, Clone, Debug)]
pub(crate) struct New {
    /// The folder, and the kernel in it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

const ROWS: usize = 3;
const COLUMNS: usize = 40;

/// Makes the folder; one that is there already is left alone.
pub(crate) fn run(args: &New, session: &mut Session<'_, '_>) -> Result<(), Stop> {
    let folder = args.name.trim_end_matches('/');
    let kernel = folder.rsplit('/').next().unwrap_or_default();
    if !is_name(kernel) {
        return Err(errors::no_kernel_name(kernel).into());
    }
    let place = session.host.path(folder);
    if place.exists() {
        return Err(errors::exists(folder).into());
    }
    let failed = |e: std::io::Error| errors::cannot_write(folder, &e);
    fs::create_dir_all(place.join("data/small")).map_err(failed)?;
    let (x, w, y) = example();
    let wide: &[u64] = &[ROWS as u64, COLUMNS as u64];
    let files: [(&str, Vec<u8>); 5] = [
        (&format!("{kernel}.vn"), source(kernel).into_bytes()),
        ("README.md", page(kernel).into_bytes()),
        ("data/small/x.npy", arrays::write(Elem::F16, wide, &x.bytes)),
        (
            "data/small/w.npy",
            arrays::write(Elem::F16, &wide[1..], &w.bytes),
        ),
        ("data/small/y.npy", arrays::write(Elem::F16, wide, &y.bytes)),
    ];
    for (name, bytes) in files {
        session.write(&format!("{folder}/{name}"), &bytes)?;
    }
    session.host.print(&format!(
        "made {folder}/{kernel}.vn with an expectation in {folder}/data\n\
         next: cd {folder} && vinci run {kernel}.vn && vinci test {kernel}.vn\n"
    ))
}

fn source(kernel: &str) -> String {
    format!(
        "//! shape: R=512 C=1024\n\
         //! shape: R=4096 C=64\n\
         //! case: data/small\n\n\
         /// y = relu(x) scaled column by column. Say here what the kernel computes and how exactly.\n\
         pub kernel {kernel}<R, C>(x: f16[R, C], w: f16[C]) -> y: f16[R, C] {{\n    \
             let positive[r, c]: f32 = max(x[r, c] as f32, 0.0);\n    \
             y[r, c] = (positive[r, c] * (w[c] as f32)) as f16;\n\
         }}\n"
    )
}

/// Values that f16 holds exactly, products too, so that the expectation is beyond doubt.
fn example() -> (Data, Data, Data) {
    let x: Vec<f64> = (0..ROWS * COLUMNS)
        .map(|at| (at % 17) as f64 / 4.0 - 2.0)
        .collect();
    let w: Vec<f64> = (0..COLUMNS).map(|at| (at % 5) as f64 / 2.0).collect();
    let y: Vec<f64> = (x.iter().enumerate())
        .map(|(at, x)| x.max(0.0) * w[at % COLUMNS])
        .collect();
    let data = |values: &[f64]| Data::from_f64(Elem::F16, values);
    (data(&x), data(&w), data(&y))
}

fn page(kernel: &str) -> String {
    format!(
        "# {kernel}\n\n\
         ```console\n\
         vinci run {kernel}.vn                          # numbers, cycles and hazards at the first `//! shape:` line\n\
         vinci run {kernel}.vn -D R=7 -D C=100          # other sizes\n\
         vinci test {kernel}.vn                         # every `//! shape:` line, and the arrays of `//! case:`\n\
         vinci profile {kernel}.vn                      # where the cycles went, and what would help\n\
         vinci bench {kernel}.vn --save base.json       # cycles, written down\n\
         vinci bench {kernel}.vn --baseline base.json   # what a change did to them\n\
         vinci sweep {kernel}.vn --targets 910b2,910b4  # other chips\n\
         vincic {kernel}.vn --emit=tile=-               # what the compiler made of it\n\
         ```\n\n\
         `{kernel}.vn` says what to compute. `data/small` has an array for each argument (`x.npy`, `w.npy`) and the result\n\
         that is expected (`y.npy`), as `numpy.save` writes them.\n"
    )
}
