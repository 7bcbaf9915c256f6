//! Compiled code is proved free of hazards, and hand-written right programs are too.

use isa::chip::Chip;
use isa::object::Object;

/// Demands a proof of an object; one whose sizes the launch gives is proved with them.
pub(crate) fn assert_proved(object: &Object, chip: &Chip) {
    if object.kernel.launch_words().any(|word| word == 0) {
        return;
    }
    if let Err(refusal) = verifier::verify(object, chip) {
        panic!("{}: {refusal}", object.kernel.name);
    }
}
