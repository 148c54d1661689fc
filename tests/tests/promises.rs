//! Every test that SEMANTICS.md names exists, and every promise there names one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path};

/// The names in backquotes of the sentence that begins with "Proved by".
fn named(section: &str) -> Vec<&str> {
    let Some((_, proof)) = section.split_once("Proved by ") else { return Vec::new() };
    proof.split('`').skip(1).step_by(2).collect()
}

/// How a file has a test of that name: Rust as a function, Terraform as a run, other checks as the text that they print.
fn named_in(file: &str, test: &str) -> String {
    match Path::new(file).extension().and_then(|extension| extension.to_str()) {
        Some("rs") => format!("fn {test}("),
        Some("hcl") => format!("run \"{test}\" {{"),
        _ => format!("\"{test}\""),
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("SEMANTICS.md")).unwrap();
    let mut problems = Vec::new();
    let mut promises = 0;
    for section in text.split("\n## ").skip(1) {
        promises += 1;
        let title = section.lines().next().unwrap();
        let names = named(section);
        if names.is_empty() || !names.len().is_multiple_of(2) {
            problems.push(format!("{title}: names no test as `file` `test`"));
        }
        for pair in names.chunks_exact(2) {
            let source = fs::read_to_string(root.join(pair[0])).unwrap_or_default();
            if !source.contains(&named_in(pair[0], pair[1])) {
                problems.push(format!("{title}: {} has no test {}", pair[0], pair[1]));
            }
        }
    }
    assert!(promises > 0, "SEMANTICS.md has no promises");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_test_that_the_page_of_faults_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../docs/faults.md")).unwrap();
    let nights = fs::read_dir(root.join("tests/nights")).unwrap().map(|entry| entry.unwrap().path());
    let nights: String = nights.filter(|path| path.is_file()).map(|file| fs::read_to_string(file).unwrap()).collect();
    // A name in backquotes of five words or more is that of a test.
    let is_test = |name: &&str| {
        name.matches('_').count() >= 4
            && !name.contains(|c: char| !c.is_ascii_lowercase() && c != '_' && !c.is_ascii_digit())
    };
    let named: Vec<_> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 20, "only {} tests are named", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !nights.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
