//! A table that is as small as a table can be.

use serde_json::json;

/// The objects of the table of that number: one commit, and the one data file that it adds. Keys differ from number to number.
#[must_use]
pub fn small_table(number: u64) -> [(String, Vec<u8>); 2] {
    let root = format!("area_{:02}/table_{number:06}", number % 37);
    let lines = [
        json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } }),
        json!({ "metaData": { "id": number.to_string(), "format": { "provider": "parquet", "options": {} },
            "schemaString": "{\"type\":\"struct\",\"fields\":[]}", "partitionColumns": [], "configuration": {} } }),
        json!({ "add": { "path": "part-0.parquet", "partitionValues": {}, "size": 4, "modificationTime": 1, "dataChange": true } }),
    ];
    let commit = lines.map(|line| line.to_string()).join("\n");
    [
        (format!("{root}/_delta_log/{:020}.json", 0), commit.into_bytes()),
        (format!("{root}/part-0.parquet"), b"data".to_vec()),
    ]
}
