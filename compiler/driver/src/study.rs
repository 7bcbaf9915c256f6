//! A kernel whose schedule is looked into: what a command line says of it, and what a schedule of it costs.

use clap::Args;
use emulator::{Options, Report, Sanitize};
use ir::algo::Func;
use ir::algo::data::Data;
use isa::object::Object;

use crate::args::{Compile, ReportForm, threads};
use crate::arguments::Given;
use crate::errors;
use crate::files::Form;
use crate::host::Stop;
use crate::session::Session;
use crate::settings::Settings;

/// Which kernel, and how what was found is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Study {
    /// A `.vn` file
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    compile: Compile,
    /// The form of the report
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) report: ReportForm,
    /// Host threads of the emulator; 0 takes all. Results do not depend on it
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true, value_parser = threads)]
    pub(crate) threads: usize,
}

impl Study {
    /// The kernel with its sizes, and what is to be compiled for.
    pub(crate) fn subject(&self, session: &mut Session<'_, '_>) -> Result<(Settings, Func), Stop> {
        Form::Kernel.demand(&self.file)?;
        let settings = Settings::read(&self.compile, session)?;
        let loaded = session.load_kernel(&self.file)?;
        let info = loaded.choose(self.compile.kernel.as_deref())?;
        let func = loaded.bind(&info, &settings.values, &Default::default())?;
        Ok((settings, func))
    }

    /// What an object costs, without values; where these decide, with drawn ones, as a run has them.
    pub(crate) fn timed(
        &self,
        object: &Object,
        settings: &Settings,
        session: &Session<'_, '_>,
    ) -> Result<Report, Stop> {
        let options = Options {
            threads: self.threads,
            sanitize: Sanitize::NONE,
            timing_only: true,
            ..Options::default()
        };
        let inputs = vec![None; object.kernel.params.len()];
        let timed = emulator::run(object, &inputs, &settings.chip, &options).or_else(|fault| {
            let drawn = Given::default().bytes_for_object(&object.kernel, 0);
            let (inputs, _) = drawn.map_err(|_| fault.clone())?;
            let bytes = |data: Option<Data>| data.map(|data| data.bytes);
            let inputs: Vec<_> = inputs.into_iter().map(bytes).collect();
            emulator::run(object, &inputs, &settings.chip, &options).map_err(|_| fault)
        });
        match timed {
            Ok(outcome) => Ok(outcome.report),
            Err(fault) => Err(errors::fault::fault(&fault, object, &session.sources).into()),
        }
    }
}
