//! What a build and a run do with the verifier: how hard it tries, what becomes of its answer.
//!
//! Decides nothing about code; `verifier` does.

use isa::chip::Chip;
use isa::object::Object;
use verifier::{Proof, Reason, Refusal};

use crate::host::Stop;
use crate::session::Session;
use crate::settings::{Settings, Verify};
use crate::{assembly, errors};

/// Instructions that a build or a run lets the verifier follow if nobody asks for it: some fifty milliseconds.
const USUAL_STEPS: u64 = 1 << 21;

/// What is known of an object.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// It is proved.
    Proved(Proof),
    /// It is not.
    Refused(Box<Refusal>),
    /// Nobody looked, and why.
    Left(&'static str),
}

/// What the verifier says of an object.
pub(crate) fn judge(object: &Object, chip: &Chip, verify: Verify) -> Verdict {
    let steps = match verify {
        Verify::Off => return Verdict::Left("off"),
        Verify::On => u64::MAX,
        Verify::Usual => USUAL_STEPS,
    };
    if object.kernel.launch_words().any(|word| word == 0) {
        return Verdict::Left("sizes are given at the launch, which verifies");
    }
    match verifier::verify_within(object, chip, steps) {
        Ok(proof) => Verdict::Proved(proof),
        Err(refusal) if matches!(refusal.reason, Reason::TooLong(_)) => {
            Verdict::Left("too long; `vinci verify` takes its time")
        }
        Err(refusal) => Verdict::Refused(refusal),
    }
}

/// Proves the object that these bytes are, and puts the certificate into them.
pub(crate) fn certify(
    bytes: &mut Vec<u8>,
    input: &str,
    settings: &Settings,
    session: &mut Session<'_, '_>,
) -> Result<(), Stop> {
    let mut object = Object::read(bytes).map_err(|e| errors::asm::bad_object(input, &e))?;
    match judge(&object, &settings.chip, settings.verify) {
        Verdict::Proved(proof) => object.certificate = verifier::certificate(&object, &proof),
        Verdict::Left(_) => object.certificate = String::new(),
        Verdict::Refused(refusal) => {
            assembly::add_lines(&mut object, input, &session.sources);
            session.read_line_files(&object);
            let found = errors::verify::refused(&refusal, &object, &session.sources);
            let help = "`-C verify=off` builds it without a certificate";
            return Err(found.help(help).into());
        }
    }
    *bytes = object
        .write()
        .map_err(|e| errors::asm::no_object(input, &e))?;
    Ok(())
}
