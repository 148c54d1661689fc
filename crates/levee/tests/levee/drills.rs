//! `levee drills`, on a ledger in the twin.

use levee_ledger::{canonical_json, drill::Drill};
use serde_json::{Value, json};

use super::support::{Served, run};

const LEDGER: &str = "levee-ledger";

/// A record of a drill that was closed at this hour of 2 April, after 15 minutes of work and 5 of taking away.
fn drill(source: &str, hour: u8, tables: &[&str]) -> Drill {
    let tables: Vec<_> = tables
        .iter()
        .map(|path| json!({ "path": path, "version": 7, "files": 3, "bytes": 900, "rows": 1_500 }))
        .collect();
    serde_json::from_value(json!({
        "version": 1, "source": source, "backup_date": "2026-03-31", "execution_name": format!("{source}-{hour}"),
        "execution_arn": format!("arn:aws:states:us-east-1:222222222222:execution:levee-drill:{source}-{hour}"),
        "started": format!("2026-04-02T{hour:02}:00:00Z"), "restored": format!("2026-04-02T{hour:02}:15:00Z"),
        "closed": format!("2026-04-02T{hour:02}:20:00Z"), "receipt": { "bucket": LEDGER, "key": "receipt.json", "etag": "e" },
        "objects": 1_800, "bytes": 9_u64 << 30, "tables": tables, "emptied": 1_803,
    }))
    .unwrap()
}

async fn ledger(drills: &[Drill]) -> Served {
    let served = Served::new().await;
    served.s3().create_bucket().bucket(LEDGER).send().await.unwrap();
    for drill in drills {
        let put = served.s3().put_object().bucket(LEDGER).key(drill.key());
        put.body(canonical_json(drill).unwrap().into()).send().await.unwrap();
    }
    served
}

fn told(served: &Served, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(served.levee(&[&["drills", "--ledger", LEDGER], arguments].concat()));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn drills_are_listed_newest_first_with_what_they_took() {
    let drills = [
        drill("lake-events", 3, &["sales/orders"]),
        drill("lake-sales", 5, &["a", "b"]),
        drill("lake-events", 4, &[""]),
    ];
    let served = ledger(&drills).await;
    let (code, json, _) = told(&served, &["--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let names: Vec<&str> =
        json["drills"].as_array().unwrap().iter().map(|drill| drill["execution_name"].as_str().unwrap()).collect();
    assert_eq!((code, names), (Some(0), vec!["lake-sales-5", "lake-events-4", "lake-events-3"]));
    let newest = &json["drills"][0];
    assert_eq!((&newest["seconds"], &newest["objects_per_second"]), (&json!(900), &json!(2.0)));
    assert_eq!(newest["tables"][1]["rows"], 1_500);
    let (_, text, _) = told(&served, &["--source", "lake-events", "--limit", "1"]);
    for part in ["lake-events-4", "(the root)", "15 min", "2.0", "10.2 MiB", "9.00 GiB", "1,800"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains("lake-events-3") && !text.contains("lake-sales"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn source_without_drills_is_told_from_a_ledger_without_them() {
    let served = ledger(&[]).await;
    assert_eq!(told(&served, &[]), (Some(0), "s3://levee-ledger/drills/ has no drills\n".to_owned(), String::new()));
    let served = ledger(&[drill("lake-events", 3, &["a"])]).await;
    let (code, _, error) = told(&served, &["--source", "lake"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("no drills of \"lake\"; it has those of lake-events"), "{error}");
}
