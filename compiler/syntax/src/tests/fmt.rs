//! The formatter: what it makes of some texts, and what it may never do to any.

use std::fs;
use std::path::{Path, PathBuf};

use diag::FileId;

use crate::fmt::{TextForm, format};
use crate::prepare::lex;

const FILE: FileId = FileId(0);

fn formatted(text: &str) -> String {
    format(TextForm::Kernel, FILE, text).unwrap_or_else(|found| panic!("{found:?}"))
}

/// Tokens and comments as texts, in order.
fn parts(text: &str) -> Vec<String> {
    let read = lex(FILE, text);
    let tokens = read.tokens.iter().map(|&(start, _, end)| (start, end));
    let comments = read.comments.iter().map(|c| (c.span.start, c.span.end));
    let mut spans: Vec<(u32, u32)> = tokens.chain(comments).collect();
    spans.sort_unstable();
    let part = |(start, end): (u32, u32)| text[start as usize..end as usize].trim_end().to_owned();
    spans.into_iter().map(part).collect()
}

#[test]
fn spacing_and_levels() {
    let text = "pub kernel  f < M,K >(a:f16[M,K] , b : f16 [2*K, M - 1])->y:f16[M]
where K%32==0{
let  s [ m ]=sum ( k where k<K-1 )a[m , k]*-b [2*k,m];// why


  y[m]=(if s[m]<=0.0 then -1.0 else clamp(s[m],0,1) )as f16 round even;

}
fn g(x: f32)->f32{ x*( 1.0+x) }
kernel h<S, J>(s: f32[S, J]) -> y: f32[S] {
    let st[h] = fold (j where j < 3)attend<J / 2> (s[h, j]);
    y[h] = st[h] . m
+ st[h].l
        * 2.0;
}
";
    let expected = "pub kernel f<M, K>(a: f16[M, K], b: f16[2*K, M - 1]) -> y: f16[M]
    where K % 32 == 0
{
    let s[m] = sum(k where k < K - 1) a[m, k] * -b[2*k, m]; // why

    y[m] = (if s[m] <= 0.0 then -1.0 else clamp(s[m], 0, 1)) as f16 round even;
}
fn g(x: f32) -> f32 { x * (1.0 + x) }
kernel h<S, J>(s: f32[S, J]) -> y: f32[S] {
    let st[h] = fold(j where j < 3) attend<J / 2>(s[h, j]);
    y[h] = st[h].m
        + st[h].l
        * 2.0;
}
";
    let expected = expected.replace("    where K % 32 == 0\n{", "    where K % 32 == 0 {");
    assert_eq!(formatted(text), expected);
}

#[test]
fn aligned_columns_stay_aligned() {
    let text = "kernel f<M>(x: f32[M]) -> y: f32[M] {
    let  a = max(m) x[m];  // the greatest
    let bb[m]   = x[m]-a;
    let c[m]    = exp( bb[m] ); // e
    y[m] = c[m];                // result
}
";
    let expected = "kernel f<M>(x: f32[M]) -> y: f32[M] {
    let a = max(m) x[m]; // the greatest
    let bb[m] = x[m] - a;
    let c[m]  = exp(bb[m]); // e
    y[m] = c[m];            // result
}
";
    assert_eq!(formatted(text), expected);
}

#[test]
fn mistakes_are_left_alone() {
    assert!(format(TextForm::Kernel, FILE, "kernel f<").is_err());
    assert!(format(TextForm::Tile, FILE, "tile {").is_err());
}

/// Every file of the repository keeps its tokens and comments, and formatting again changes nothing.
#[test]
fn nothing_is_lost_and_twice_is_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in [
        "stdlib",
        "tests/kernels",
        "tests/ui",
        "tests/passes",
        "tests/tile",
    ] {
        collect(&root.join(folder), &mut files);
    }
    let mut count = 0;
    for path in files {
        let form = match path.extension().and_then(|e| e.to_str()) {
            Some("vn") => TextForm::Kernel,
            Some("tile") => TextForm::Tile,
            _ => continue,
        };
        let text = fs::read_to_string(&path).expect("readable");
        let Ok(once) = format(form, FILE, &text) else {
            continue;
        };
        let name = path.display();
        assert_eq!(parts(&once), parts(&text), "{name}: tokens and comments");
        let twice = format(form, FILE, &once).expect("what was formatted has no mistakes");
        assert_eq!(twice, once, "{name}: twice is once");
        let damaged = format(form, FILE, &damaged(&text)).expect("white space means nothing");
        assert_eq!(parts(&damaged), parts(&text), "{name}: other white space");
        count += 1;
    }
    assert!(count > 200, "the files are there");
}

/// The text with other white space in its lines.
fn damaged(text: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with("//") {
        true => line.trim_start().to_owned(),
        false => line.trim_start().replace(", ", " ,"),
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n\n\n")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("the folder is there");
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
