//! KMS. Source: "Actions, resources, and condition keys for AWS Key Management Service" of the Service Authorization
//! Reference (`list_awskeymanagementservice`).

use super::Need;

/// What a call on `key`, an ARN, needs; nothing is known of operations that the twin does not model.
pub(crate) fn needs(operation: &str, key: &str) -> Vec<Need> {
    let on = |action| vec![Need::new(action, if key.is_empty() { "*" } else { key })];
    match operation {
        "CreateKey" => vec![Need::any("kms:CreateKey")],
        "CreateGrant" => on("kms:CreateGrant"),
        "DescribeKey" => on("kms:DescribeKey"),
        "DisableKey" => on("kms:DisableKey"),
        "EnableKey" => on("kms:EnableKey"),
        "GetKeyPolicy" => on("kms:GetKeyPolicy"),
        "GetPublicKey" => on("kms:GetPublicKey"),
        "ListGrants" => on("kms:ListGrants"),
        "PutKeyPolicy" => on("kms:PutKeyPolicy"),
        "ScheduleKeyDeletion" => on("kms:ScheduleKeyDeletion"),
        "Sign" => on("kms:Sign"),
        _ => Vec::new(),
    }
}
