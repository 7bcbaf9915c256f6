//! Generates the parser from `src/grammar.lalrpop`.

fn main() {
    let mut config = lalrpop::Configuration::new();
    config.emit_rerun_directives(true);
    if let Err(error) = config.process_dir("src") {
        panic!("grammar.lalrpop: {error}");
    }
}
