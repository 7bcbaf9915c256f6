//! The committed manual is what the table renders; `INSTA_UPDATE=always` writes it anew.

use std::path::Path;

#[test]
fn the_manual_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/isa.md");
    let rendered = isa::docs::render();
    if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        std::fs::write(&path, &rendered).expect("the folder is ours");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == rendered,
        "docs/isa.md is stale: run the test once with INSTA_UPDATE=always"
    );
}
