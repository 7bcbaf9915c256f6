//! The README shows what the tools print: every block of its tour stands, line for line, in the real output.

use super::case::root;
use super::command::run;

/// A line of a block that stands for left-out lines.
const GAP: &str = "…";

#[test]
fn readme_shows_what_the_tools_print() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README is there");
    let tour = "tests/kernels/tour.vn";
    let source = std::fs::read_to_string(root().join(tour)).expect("the tour's kernel is there");
    let print = |words: &[&str]| run(&root(), words, b"").expect_done().text();
    shows(&readme, "vn tour", &source);
    shows(
        &readme,
        "tile tour",
        &print(&["vincic", "--emit", "tile=-", tour]),
    );
    shows(
        &readme,
        "vasm tour",
        &print(&["vincic", "--emit", "asm=-", tour]),
    );
    shows(&readme, "text tour", &print(&["vinci", "run", tour]));
    shows(
        &readme,
        "text gemm",
        &print(&["vinci", "run", "stdlib/kernels/gemm.vn"]),
    );
}

#[test]
fn language_page_shows_a_kernel_of_the_library() {
    let page = std::fs::read_to_string(root().join("stdlib/README.md")).expect("the page is there");
    let kernel = root().join("stdlib/kernels/softmax.vn");
    let source = std::fs::read_to_string(kernel).expect("the kernel is there");
    shows(&page, "vn softmax", &source);
}

#[test]
fn tour_shows_its_files() {
    let page = std::fs::read_to_string(root().join("stdlib/TOUR.md")).expect("the tour is there");
    let folder =
        std::fs::read_dir(root().join("stdlib/tour")).expect("the tour's kernels are there");
    let files: Vec<_> = folder
        .map(|entry| entry.expect("readable").path())
        .collect();
    let kernels = files
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "vn"));
    let mut count = 0;
    for path in kernels {
        let stem = path.file_stem().expect("a file").to_string_lossy();
        let source = std::fs::read_to_string(path).expect("readable");
        let (_, kernel) = source.split_once("///").expect("a documented kernel");
        shows(&page, &format!("vn {stem}"), &format!("///{kernel}"));
        count += 1;
    }
    assert_eq!(count, 10, "ten kernels");
}

/// Demands that the block after the fence `mark` is made of parts of `output`, in order.
fn shows(readme: &str, mark: &str, output: &str) {
    let fence = format!("```{mark}\n");
    let (_, rest) = readme
        .split_once(&fence)
        .unwrap_or_else(|| panic!("no block `{mark}` in the README"));
    let (block, _) = rest.split_once("```").expect("the block ends");
    let mut from = 0;
    for part in block.split(GAP).map(|part| part.trim_matches('\n')) {
        if part.trim().is_empty() {
            continue;
        }
        let part = part.trim_end();
        let Some(at) = output[from..].find(part) else {
            panic!("`{mark}` of the README shows\n{part}\nbut the tools print\n{output}");
        };
        from += at + part.len();
    }
}

#[test]
fn performance_table_is_whole() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README is there");
    let (_, rest) = readme
        .split_once("<!-- kernels: begin -->\n")
        .expect("the README has the table of `cargo bench -p tests --bench kernels`");
    let (table, _) = rest
        .split_once("<!-- kernels: end -->")
        .expect("the table ends");
    let lines: Vec<&str> = table.lines().collect();
    let columns = |line: &str| line.matches('|').count();
    assert!(lines.len() > 16, "a head, a rule, and a row a kernel");
    for line in &lines {
        assert_eq!(columns(line), columns(lines[0]), "{line}");
    }
    for number in 1..=14 {
        let own = |line: &&str| {
            let first = line.trim_start_matches('|').split('|').next();
            first.is_some_and(|first| {
                first.trim().trim_end_matches(char::is_alphabetic) == number.to_string()
            })
        };
        assert!(lines.iter().any(own), "row {number} is there");
    }
}
