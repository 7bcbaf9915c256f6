//! Programs whose mistake is in a round of a loop, or on a core, that looks like those before it: what follows every round
//! refuses them, so induction has to.

use std::fs;
use std::path::Path;

use isa::asm::assemble;
use isa::chip::Chip;

#[test]
fn what_goes_wrong_late_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rounds");
    let entries = fs::read_dir(&folder).expect("the folder is there");
    let mut files = 0;
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        let text = fs::read_to_string(&path).expect("a file of text");
        let object = assemble(&text).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
        let chip = Chip::builtin(&object.chip).expect("a built-in chip");
        let every = verifier::verify_every_round(&object, &chip);
        assert!(every.is_err(), "{}: nothing is wrong", path.display());
        let soon = verifier::verify(&object, &chip);
        assert!(soon.is_err(), "{}: accepted", path.display());
        files += 1;
    }
    assert!(files > 8, "{files} files");
}
