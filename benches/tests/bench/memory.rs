//! Memory is bounded by configuration, not by rows: in processes of their own under a limit of the system.

use std::{
    path::Path,
    process::{Command, Output},
};

use levee_bench::{
    Outcome,
    make::{Facts, Kind, Size, make},
};
use rstest::rstest;

/// What a process may have. The rows of the larger sets are several times as much.
const LIMIT_MIB: u64 = 40;
const ROWS: u64 = 130_000;

/// Keys as long as they may be: much to hold, and little to decode.
fn size(rows: u64) -> Size {
    Size { rows_per_file: rows / 4, padding: 850, ..Size::of(rows, 7) }
}

fn under_the_limit(task: &str, folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_levee-bench"));
    command
        .args(["ours", task, "--threads", "2", "--limit-memory-mib", &LIMIT_MIB.to_string(), "--folder"])
        .arg(folder);
    command.output().unwrap()
}

fn made(kind: Kind, rows: u64) -> (tempfile::TempDir, Facts) {
    let folder = tempfile::tempdir().unwrap();
    let facts = make(kind, size(rows), folder.path(), 2).unwrap();
    (folder, facts)
}

#[rstest]
#[case::inventory("scan", Kind::Inventory)]
#[case::report("report", Kind::Report)]
fn ten_times_the_rows_are_read_in_the_same_memory(#[case] task: &str, #[case] kind: Kind) {
    for rows in [ROWS / 10, ROWS] {
        let (folder, facts) = made(kind, rows);
        if rows == ROWS {
            assert!(
                kind == Kind::Inventory || facts.bytes > 3 * (LIMIT_MIB << 20),
                "{} bytes are too few",
                facts.bytes
            );
        }
        let output = under_the_limit(task, folder.path());
        assert!(output.status.success(), "{task} of {rows} rows: {}", String::from_utf8_lossy(&output.stderr));
        let outcome: Outcome = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(outcome.rows, rows);
    }
}

#[test]
fn limit_stops_whoever_keeps_all_rows() {
    let (few, _) = made(Kind::Inventory, ROWS / 10);
    let output = under_the_limit("hoard", few.path());
    assert!(output.status.success(), "few rows fit: {}", String::from_utf8_lossy(&output.stderr));
    let (many, _) = made(Kind::Inventory, ROWS);
    let output = under_the_limit("hoard", many.path());
    assert!(!output.status.success(), "{} MiB were not enforced", LIMIT_MIB);
    assert!(String::from_utf8_lossy(&output.stderr).contains("memory allocation"), "{output:?}");
}
