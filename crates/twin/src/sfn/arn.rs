//! ARNs and names.

use crate::service::{Caller, ServiceError};

/// The longest name of a state machine or an execution, in characters.
const NAME_LIMIT: usize = 80;

/// The ARN of a state machine.
pub(crate) fn machine(caller: &Caller, name: &str) -> String {
    format!("arn:aws:states:{}:{}:stateMachine:{name}", caller.region, caller.account)
}

/// The ARN of an execution of a state machine.
pub(super) fn execution(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1))
}

/// Checks that an ARN is one of Step Functions, of the kind given and of the caller's account.
///
/// # Errors
/// `InvalidArn`, `AccessDeniedException`.
pub(super) fn check(caller: &Caller, arn: &str, kind: &str) -> Result<(), ServiceError> {
    let invalid = |why: &str| Err(ServiceError::client("InvalidArn", format!("Invalid Arn: '{why}: {arn}'")));
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    match parts.as_slice() {
        ["arn", "aws", "states", _, account, found, rest] => {
            if *found != kind || rest.is_empty() {
                return invalid("Resource type not valid in this context");
            }
            if *account != caller.account {
                let message = format!("User: {} is not authorized to access: {arn}", caller.principal_arn());
                return Err(ServiceError::client("AccessDeniedException", message));
            }
            Ok(())
        }
        ["arn", "aws", "states", ..] => invalid("Invalid ARN"),
        _ => invalid("Invalid ARN prefix"),
    }
}

/// Checks a name as `CreateStateMachine` and `StartExecution` do.
///
/// # Errors
/// `ValidationException` for the length, `InvalidName` for the characters.
pub(super) fn check_name(name: &str) -> Result<(), ServiceError> {
    if name.is_empty() || name.chars().count() > NAME_LIMIT {
        let bound = if name.is_empty() { "greater than or equal to 1" } else { "less than or equal to 80" };
        let message = format!(
            "1 validation error detected: Value at 'name' failed to satisfy constraint: Member must have length {bound}"
        );
        return Err(ServiceError::client("ValidationException", message));
    }
    let bad = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    if name.contains(bad) || name.contains(['\u{fffe}', '\u{ffff}']) {
        return Err(ServiceError::client("InvalidName", format!("Invalid Name: '{name}'")));
    }
    Ok(())
}
