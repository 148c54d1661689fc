//! Any descriptor of a deletion vector leads to a file, or spoils its commit.
#![no_main]

use levee_delta_log_fuzz::{Table, commit_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (char, &str, Option<i64>, i64, i64)| {
    let (storage, path, offset, size, cardinality) = data;
    let vector = serde_json::json!({"storageType": storage.to_string(), "pathOrInlineDv": path, "offset": offset,
        "sizeInBytes": size, "cardinality": cardinality});
    let add = serde_json::json!({"add": {"path": "f0", "size": 10, "deletionVector": vector}});
    let mut table = Table::small();
    table.put(&commit_key(1), add.to_string().into_bytes());
    table.check();
});
