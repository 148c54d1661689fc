//! What is done with an object of the inventory, by the settings of the run.

use levee_formats::inventory::{Column, Row, Schema};
use levee_ledger::{
    Selector,
    state::{ArchivedPolicy, COPY_LIMIT_BYTES, Decision, Run, Selection},
};

/// The settings that decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Which objects are backed up.
    pub selection: Selection,
    /// What is done about archived ones.
    pub archived: ArchivedPolicy,
}

impl Rules {
    /// Those of a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self { selection: run.selection.clone(), archived: run.archived }
    }

    /// Whether objects may be decided about in different ways whatever the inventory has.
    #[must_use]
    pub fn ask_for_a_plan(&self) -> bool {
        !self.selection.is_everything() || !self.archived.is_fail()
    }
}

/// The rules, ready to be asked about the rows of one inventory.
#[derive(Clone, Debug)]
pub struct Decider {
    selector: Selector,
    archived: ArchivedPolicy,
    knows_tiers: bool,
}

impl Decider {
    /// The rules for rows with these columns.
    ///
    /// # Errors
    /// The selection cannot be used, or the rules need columns that the inventory lacks: what to change.
    pub fn new(rules: &Rules, schema: &Schema) -> Result<Self, String> {
        let selector = Selector::new(&rules.selection).map_err(|problems| problems.join("; "))?;
        if !schema.has(&Column::StorageClass) {
            if selector.asks_for_classes() {
                return Err(lacks_class("`run.selection.storage_classes` selects by it"));
            }
            if !rules.archived.is_fail() {
                return Err(lacks_class("`run.archived` is about archived objects, which it tells"));
            }
        }
        Ok(Self { selector, archived: rules.archived, knows_tiers: schema.has(&Column::IntelligentTieringAccessTier) })
    }

    /// What is done with the object of a row. The first that applies: it is not selected; it is encrypted with a key of the
    /// customer's own; it is archived, and something is to be done about that; it is too large for a batch copy.
    #[must_use]
    pub fn decide(&self, row: &Row<'_>) -> Decision {
        if !self.selector.takes(&row.key, row.storage_class.as_deref()) {
            return Decision::Excluded;
        }
        if row.text(&Column::EncryptionStatus).as_deref() == Some("SSE-C") {
            return Decision::Unsupported;
        }
        match self.archived {
            ArchivedPolicy::Skip if is_archived(row) => Decision::SkippedArchived,
            ArchivedPolicy::Restore(_) if is_archived(row) => Decision::Restore,
            _ if is_large(row) => Decision::Large,
            _ => Decision::Batch,
        }
    }

    /// Whether the rules would need to know the access tier of the row's object, and the inventory does not say it.
    #[must_use]
    pub fn lacks_tier(&self, row: &Row<'_>) -> bool {
        !self.knows_tiers && !self.archived.is_fail() && row.storage_class.as_deref() == Some("INTELLIGENT_TIERING")
    }
}

fn lacks_class(why: &str) -> String {
    format!("it has no column StorageClass, and {why}: add StorageClass to its optional fields")
}

/// Whether the object is too large for a batch copy. Nothing is where the inventory has no sizes.
#[must_use]
pub fn is_large(row: &Row<'_>) -> bool {
    row.size.is_some_and(|size| size > COPY_LIMIT_BYTES)
}

/// Whether the object must be restored before it can be copied.
#[must_use]
pub fn is_archived(row: &Row<'_>) -> bool {
    match row.storage_class.as_deref() {
        Some("GLACIER" | "DEEP_ARCHIVE") => true,
        Some(class) if class != "INTELLIGENT_TIERING" => false,
        _ => row.text(&Column::IntelligentTieringAccessTier).is_some_and(|tier| {
            let tier = tier.to_ascii_uppercase();
            tier.contains("ARCHIVE") && !tier.contains("INSTANT")
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use levee_formats::inventory::DataReader;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const SCHEMA: &str = "Bucket, Key, Size, StorageClass, EncryptionStatus, IntelligentTieringAccessTier";

    /// What is decided about a row with these fields after Bucket.
    fn decided(rules: &Rules, schema: &str, fields: &str) -> (Decision, bool) {
        let schema = Schema::parse(schema).unwrap();
        let decider = Decider::new(rules, &schema).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writeln!(gzip, "lake,{fields}").unwrap();
        let mut reader = DataReader::new("data", &schema, "lake").unwrap();
        let mut decisions = Vec::new();
        let mut sink = |row: Result<Row<'_>, levee_formats::inventory::RowError<'_>>| {
            let row = row.unwrap();
            decisions.push((decider.decide(&row), decider.lacks_tier(&row)));
        };
        reader.push(&gzip.finish().unwrap(), &mut sink).unwrap();
        reader.finish(&mut sink).unwrap();
        decisions.pop().unwrap()
    }

    fn rules(archived: Value) -> Rules {
        let selection = json!({ "include": [{ "prefix": "in/" }], "exclude": [{ "glob": "**/_tmp/**" }] });
        Rules {
            selection: serde_json::from_value(selection).unwrap(),
            archived: serde_json::from_value(archived).unwrap(),
        }
    }

    #[rstest]
    #[case::small("in/a,1,STANDARD,SSE-S3,", "fail", Decision::Batch)]
    #[case::empty("in/a,0,STANDARD,SSE-KMS,", "fail", Decision::Batch)]
    #[case::encoded_key("in%2Fa+b,1,STANDARD,NOT-SSE,", "fail", Decision::Batch)]
    #[case::at_the_limit("in/a,5000000000,STANDARD,SSE-S3,", "fail", Decision::Batch)]
    #[case::above_the_limit("in/a,5000000001,STANDARD,SSE-S3,", "fail", Decision::Large)]
    #[case::sixty_gigabytes("in/a,60000000000,STANDARD_IA,SSE-S3,", "skip", Decision::Large)]
    #[case::customer_key("in/a,1,STANDARD,SSE-C,", "fail", Decision::Unsupported)]
    #[case::large_with_customer_key("in/a,5000000001,STANDARD,SSE-C,", "fail", Decision::Unsupported)]
    #[case::archived_with_customer_key("in/a,1,GLACIER,SSE-C,", "restore", Decision::Unsupported)]
    #[case::not_selected("out/a,1,STANDARD,SSE-S3,", "fail", Decision::Excluded)]
    #[case::excluded("in/_tmp/a,1,STANDARD,SSE-S3,", "fail", Decision::Excluded)]
    #[case::excluded_with_customer_key("out/a,1,STANDARD,SSE-C,", "fail", Decision::Excluded)]
    #[case::excluded_and_archived("out/a,1,GLACIER,SSE-S3,", "skip", Decision::Excluded)]
    #[case::excluded_and_large("out/a,5000000001,STANDARD,SSE-S3,", "fail", Decision::Excluded)]
    #[case::archived_left_alone("in/a,1,GLACIER,SSE-S3,", "fail", Decision::Batch)]
    #[case::archived_skipped("in/a,1,GLACIER,SSE-S3,", "skip", Decision::SkippedArchived)]
    #[case::archived_restored("in/a,1,DEEP_ARCHIVE,SSE-S3,", "restore", Decision::Restore)]
    #[case::large_archived_left_alone("in/a,5000000001,GLACIER,SSE-S3,", "fail", Decision::Large)]
    #[case::large_archived_skipped("in/a,5000000001,GLACIER,SSE-S3,", "skip", Decision::SkippedArchived)]
    #[case::large_archived_restored("in/a,5000000001,GLACIER,SSE-S3,", "restore", Decision::Restore)]
    #[case::instant_retrieval("in/a,1,GLACIER_IR,SSE-S3,", "skip", Decision::Batch)]
    #[case::frequent_tier("in/a,1,INTELLIGENT_TIERING,SSE-S3,FREQUENT", "skip", Decision::Batch)]
    #[case::instant_tier("in/a,1,INTELLIGENT_TIERING,SSE-S3,ARCHIVE_INSTANT", "skip", Decision::Batch)]
    #[case::archive_tier("in/a,1,INTELLIGENT_TIERING,SSE-S3,ARCHIVE", "skip", Decision::SkippedArchived)]
    #[case::deep_tier("in/a,1,INTELLIGENT_TIERING,SSE-S3,DEEP_ARCHIVE", "restore", Decision::Restore)]
    fn decision_follows_from_the_row_and_the_settings(
        #[case] fields: &str,
        #[case] archived: &str,
        #[case] decision: Decision,
    ) {
        let archived = if archived == "restore" { json!({ "restore": {} }) } else { json!(archived) };
        assert_eq!(decided(&rules(archived), SCHEMA, fields), (decision, false));
    }

    #[test]
    fn nothing_is_large_or_unsupported_without_the_columns_that_tell() {
        assert_eq!(decided(&Rules::default(), "Bucket, Key", "in/a"), (Decision::Batch, false));
    }

    #[rstest]
    #[case::skip(json!("skip"), "INTELLIGENT_TIERING", true)]
    #[case::restore(json!({ "restore": {} }), "INTELLIGENT_TIERING", true)]
    #[case::nothing_is_done(json!("fail"), "INTELLIGENT_TIERING", false)]
    #[case::other_class(json!("skip"), "STANDARD", false)]
    fn tier_is_missed_where_the_settings_ask_for_it(
        #[case] archived: Value,
        #[case] class: &str,
        #[case] missed: bool,
    ) {
        let rules = Rules { archived: serde_json::from_value(archived).unwrap(), ..Rules::default() };
        assert_eq!(decided(&rules, "Bucket, Key, StorageClass", &format!("a,{class}")).1, missed);
    }

    #[rstest]
    #[case::selection(json!({ "selection": { "storage_classes": ["STANDARD"] } }), "run.selection.storage_classes")]
    #[case::skip(json!({ "archived": "skip" }), "run.archived")]
    #[case::restore(json!({ "archived": { "restore": {} } }), "run.archived")]
    fn class_is_asked_for_before_a_row_is_read(#[case] settings: Value, #[case] told: &str) {
        let part = |name: &str| settings.get(name).cloned();
        let rules = Rules {
            selection: part("selection").map(|value| serde_json::from_value(value).unwrap()).unwrap_or_default(),
            archived: part("archived").map(|value| serde_json::from_value(value).unwrap()).unwrap_or_default(),
        };
        let problem = Decider::new(&rules, &Schema::parse("Bucket, Key, Size").unwrap()).unwrap_err();
        assert!(problem.contains(told) && problem.contains("add StorageClass"), "{problem}");
        assert!(Decider::new(&rules, &Schema::parse("Bucket, Key, StorageClass").unwrap()).is_ok());
    }
}
