//! Plays what the real service did and compares, as the README of the recordings says.

mod compare;
mod play;

use std::path::{Path, PathBuf};

use serde_json::Value;

use play::Player;

/// Cases that the twin does not play, and why.
const UNSUPPORTED: &[(&str, &str)] = &[];

#[tokio::test(start_paused = true)]
async fn the_twin_does_what_aws_was_recorded_to_do() {
    let Some(folder) = recordings() else {
        eprintln!("skipped: the recordings are not here; set LEVEE_SHARED to the folder that holds conformance/sfn");
        return;
    };
    let mut cases = Vec::new();
    collect(&folder, &mut cases);
    cases.sort();
    assert!(cases.len() >= 80, "the folder {} holds only {} cases", folder.display(), cases.len());
    let mut problems = Vec::new();
    let mut played = 0;
    for file in &cases {
        let case: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let name = format!("{}/{}", case["group"].as_str().unwrap(), case["name"].as_str().unwrap());
        if UNSUPPORTED.iter().any(|(unsupported, _)| *unsupported == name) {
            continue;
        }
        played += 1;
        if let Err(problem) = Player::new(&case).play(&case).await {
            problems.push(format!("{name}: {problem}"));
        }
    }
    assert!(problems.is_empty(), "{} of {played} cases differ:\n{}", problems.len(), problems.join("\n"));
    assert!(played * 100 >= cases.len() * 85, "too many cases are unsupported");
}

/// The folder of the cases.
fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("LEVEE_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("conformance/sfn/cases");
    folder.is_dir().then_some(folder)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}
