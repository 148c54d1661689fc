//! Identity columns: PROTOCOL.md, "Identity Columns".

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::actions::Unusable;

const START: &str = "delta.identity.start";
const STEP: &str = "delta.identity.step";
const MARK: &str = "delta.identity.highWaterMark";

/// The older schema with identity columns that go on where they are at the newest version, so that no number is given twice;
/// none when it needs no change. `IdentityColumn.copySchemaWithMergedHighWaterMarks` of delta-io/delta: columns are the same when
/// their names in data files are.
pub(super) fn carried_on(newest: &str, older: &str) -> Result<Option<String>, Unusable> {
    if !older.contains(START) || !newest.contains(START) {
        return Ok(None);
    }
    let parse = |schema: &str| serde_json::from_str::<Value>(schema).map_err(|error| Unusable::new(error.to_string()));
    let (newest, mut older) = (parse(newest)?, parse(older)?);
    let marks: HashMap<&str, i64> = fields(&newest)
        .filter_map(|field| {
            let metadata = metadata(field)?;
            metadata.get(START)?;
            Some((physical_name(field)?, metadata.get(MARK)?.as_i64()?))
        })
        .collect();
    let mut changed = false;
    for field in older.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(mark) = physical_name(field).and_then(|name| marks.get(name)).copied() else { continue };
        let Some(metadata) = field.get_mut("metadata").and_then(Value::as_object_mut) else { continue };
        if let Some(mark) = carried(metadata, mark)? {
            metadata.insert(MARK.to_owned(), mark.into());
            changed = true;
        }
    }
    Ok(changed.then(|| older.to_string()))
}

fn fields(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("fields").and_then(Value::as_array).into_iter().flatten()
}

fn metadata(field: &Value) -> Option<&Map<String, Value>> {
    field.get("metadata")?.as_object()
}

fn physical_name(field: &Value) -> Option<&str> {
    let mapped = metadata(field).and_then(|metadata| metadata.get("delta.columnMapping.physicalName"));
    mapped.or_else(|| field.get("name"))?.as_str()
}

/// The mark of a column that goes on at least from a candidate; none when it stays. `IdentityColumn.updateToValidHighWaterMark`.
fn carried(metadata: &Map<String, Value>, candidate: i64) -> Result<Option<i64>, Unusable> {
    let number = |key: &str| metadata.get(key).and_then(Value::as_i64);
    let Some(start) = number(START) else { return Ok(None) };
    let step = number(STEP).filter(|step| *step != 0);
    let step = step.ok_or_else(|| Unusable::new("an identity column has no step"))?;
    let is_before = |one: i64, other: i64| if step > 0 { one < other } else { one > other };
    let rounded = round(start, step, candidate).ok_or_else(|| Unusable::new("an identity column is used up"))?;
    let mark = number(MARK);
    let next = mark.filter(|mark| is_before(rounded, *mark)).unwrap_or(rounded);
    let is_broken = mark.is_some_and(|mark| is_before(mark, start));
    let is_news = !is_before(candidate, start) && mark != Some(next);
    Ok((is_broken || is_news).then_some(next))
}

/// The value, or the next one behind it that the column can have.
fn round(start: i64, step: i64, value: i64) -> Option<i64> {
    let offset = value.checked_sub(start)?;
    if offset.checked_rem(step)? == 0 {
        return Some(value);
    }
    let steps = offset.checked_div(step)?;
    let steps = if offset.signum() == step.signum() { steps.checked_add(1)? } else { steps };
    start.checked_add(step.checked_mul(steps)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn schema(name: &str, start: i64, step: i64, mark: Option<i64>) -> String {
        let mut metadata = json!({START: start, STEP: step, "delta.identity.allowExplicitInsert": false});
        if let Some(mark) = mark {
            metadata[MARK] = mark.into();
        }
        json!({"type": "struct", "fields": [{"name": name, "type": "long", "nullable": true, "metadata": metadata}]})
            .to_string()
    }

    #[rstest]
    #[case::further(1, 1, Some(100), Some(30), Some(100))]
    #[case::first(1, 1, Some(100), None, Some(100))]
    #[case::same(1, 1, Some(30), Some(30), None)]
    #[case::behind(1, 1, Some(20), Some(30), None)]
    #[case::down(0, -2, Some(-100), Some(-30), Some(-100))]
    #[case::down_behind(0, -2, Some(-20), Some(-30), None)]
    #[case::rounded(1, 10, Some(95), Some(31), Some(101))]
    #[case::before_the_start(10, 3, Some(9), None, None)]
    #[case::never_used(1, 1, None, Some(30), None)]
    fn identity_columns_go_on(
        #[case] start: i64,
        #[case] step: i64,
        #[case] newest: Option<i64>,
        #[case] older: Option<i64>,
        #[case] expected: Option<i64>,
    ) {
        let older = schema("id", start, step, older);
        let carried = carried_on(&schema("id", start, step, newest), &older).unwrap();
        let expected = expected.map(|mark| schema("id", start, step, Some(mark)));
        let parsed = |schema: String| serde_json::from_str::<Value>(&schema).unwrap();
        assert_eq!(carried.map(parsed), expected.map(parsed));
    }

    #[test]
    fn other_columns_and_other_schemas_are_left_alone() {
        let one = schema("id", 1, 1, Some(100));
        assert_eq!(carried_on(&one, &schema("other", 1, 1, Some(3))).unwrap(), None);
        assert_eq!(carried_on(&one, "no schema").unwrap(), None);
        assert!(carried_on(&one, &schema("id", 1, 0, Some(3))).is_err());
        assert!(carried_on(&schema("id", 1, 7, Some(i64::MAX)), &schema("id", 1, 7, Some(8))).is_err());
    }
}
