//! Generates the parser from `src/grammar.lalrpop`.

fn main() {
    let mut config = lalrpop::Configuration::new();
    config.emit_rerun_directives(true);
    // A grammar that is added must be met too; those at hand are watched above.
    println!("cargo::rerun-if-changed=src");
    if let Err(error) = config.process_dir("src") {
        panic!("grammar.lalrpop: {error}");
    }
}
