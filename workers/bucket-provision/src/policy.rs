//! The bucket policy that keeps a snapshot from being removed.

use serde_json::{Value, json};

/// Statement ids that are Levee's; statements with other ids are left alone.
const DENY_REMOVAL: &str = "LeveeDenyRemoval";
const DENY_PLAIN_HTTP: &str = "LeveeDenyPlainHttp";

/// Every way to remove a copy or to open a way to remove it. `PutLifecycleConfiguration` is on the list because expiry is
/// a deletion, `PutReplicationConfiguration` because it can carry deletions out, `PutBucketOwnershipControls` because ACLs,
/// once they count again, let others in.
pub const REMOVING_ACTIONS: [&str; 13] = [
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
];

/// Levee's statements for `bucket`. `break_glass` are the principals, role ARNs or patterns of them, that may still do it.
///
/// Service principals are let out, because a blanket denial would hit deliveries. The role of the copy jobs needs no
/// exception: nothing that it does is on the list.
#[must_use]
pub fn statements(bucket: &str, break_glass: &[String]) -> Vec<Value> {
    let resources = json!([format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]);
    let mut removal_condition = json!({ "BoolIfExists": { "aws:PrincipalIsAWSService": "false" } });
    if let (false, Some(condition)) = (break_glass.is_empty(), removal_condition.as_object_mut()) {
        condition.insert("ArnNotLike".to_owned(), json!({ "aws:PrincipalArn": break_glass }));
    }
    vec![
        json!({
            "Sid": DENY_REMOVAL,
            "Effect": "Deny",
            "Principal": "*",
            "Action": REMOVING_ACTIONS,
            "Resource": resources,
            "Condition": removal_condition,
        }),
        json!({
            "Sid": DENY_PLAIN_HTTP,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": resources,
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }),
    ]
}

/// The policy to write so that `wanted` holds, or nothing when `current` already has these statements. Statements of
/// others are kept.
///
/// # Errors
/// `current` is not a policy document.
pub(crate) fn to_write(current: Option<&str>, wanted: &[Value]) -> Result<Option<String>, serde_json::Error> {
    let found = match current {
        Some(text) => serde_json::from_str(text)?,
        None => Value::Null,
    };
    let statements = match found.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let holds = wanted.iter().all(|statement| {
        let same_id = statements.iter().filter(|other| other.get("Sid") == statement.get("Sid"));
        let mut same_id = same_id.map(normalised);
        same_id.next() == Some(normalised(statement)) && same_id.next().is_none()
    });
    if holds {
        return Ok(None);
    }
    let ours = |statement: &Value| wanted.iter().any(|own| own.get("Sid") == statement.get("Sid"));
    let others = statements.into_iter().filter(|statement| !ours(statement));
    let all: Vec<Value> = others.chain(wanted.iter().cloned()).collect();
    serde_json::to_string(&json!({ "Version": "2012-10-17", "Statement": all })).map(Some)
}

/// A policy element without the freedom that the policy language has: a list of one is the one, lists have no order.
fn normalised(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(normalised).collect();
            items.sort_by_key(Value::to_string);
            items.dedup();
            match (items.pop(), items.is_empty()) {
                (Some(only), true) => only,
                (Some(last), false) => {
                    items.push(last);
                    Value::Array(items)
                }
                (None, _) => Value::Array(items),
            }
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(name, value)| (name.clone(), normalised(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    fn break_glass() -> Vec<String> {
        vec!["arn:aws:iam::222222222222:role/break-glass".to_owned()]
    }

    #[test]
    fn written_policy_holds_when_read_back() {
        let wanted = statements("lake-31-mar-2026", &break_glass());
        let written = to_write(None, &wanted).unwrap().unwrap();
        assert_eq!(to_write(Some(&written), &wanted).unwrap(), None);
    }

    #[test]
    fn policy_in_another_notation_holds() {
        let wanted = statements("lake-31-mar-2026", &break_glass());
        let mut returned = wanted.clone();
        returned[0]["Action"].as_array_mut().unwrap().reverse();
        returned[0]["Condition"]["ArnNotLike"]["aws:PrincipalArn"] =
            json!("arn:aws:iam::222222222222:role/break-glass");
        let returned = json!({ "Statement": returned }).to_string();
        assert_eq!(to_write(Some(&returned), &wanted).unwrap(), None);
    }

    #[test]
    fn statements_of_others_stay_and_weakened_ones_are_replaced() {
        let wanted = statements("lake-31-mar-2026", &[]);
        let mut weakened = wanted.clone();
        weakened[0]["Action"] = json!("s3:DeleteBucket");
        weakened.push(json!({ "Sid": "Auditors", "Effect": "Allow" }));
        let current = json!({ "Version": "2012-10-17", "Statement": weakened }).to_string();
        let written: Value = serde_json::from_str(&to_write(Some(&current), &wanted).unwrap().unwrap()).unwrap();
        let ids: Vec<_> = written["Statement"].as_array().unwrap().iter().map(|s| s["Sid"].as_str().unwrap()).collect();
        assert_eq!(ids, ["Auditors", DENY_REMOVAL, DENY_PLAIN_HTTP]);
        assert_eq!(written["Statement"][1], wanted[0]);
    }

    #[test]
    fn services_and_break_glass_principals_are_let_out() {
        let with = statements("lake-31-mar-2026", &break_glass());
        assert_eq!(with[0]["Condition"]["BoolIfExists"]["aws:PrincipalIsAWSService"], "false");
        assert_eq!(with[0]["Condition"]["ArnNotLike"]["aws:PrincipalArn"][0], break_glass()[0]);
        let without = statements("lake-31-mar-2026", &[]);
        assert!(without[0]["Condition"].get("ArnNotLike").is_none());
    }

    #[test]
    fn text_that_is_no_policy_is_an_error() {
        assert!(to_write(Some("{"), &statements("b", &[])).is_err());
    }
}
