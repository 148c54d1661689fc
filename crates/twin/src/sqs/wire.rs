//! The errors of SQS, and their names in the older query protocol, which SDKs still match.

use crate::service::ServiceError;

/// The JSON names whose query names differ; taken from the service's API model.
const QUERY_NAMES: [(&str, &str); 11] = [
    ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"),
    ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
    ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
    ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress"),
    ("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"),
    ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
    ("QueueNameExists", "QueueAlreadyExists"),
    ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"),
];

/// The value of the header `x-amzn-query-error`: the code in the query protocol and whose fault it is.
pub(crate) fn query_error(error: &ServiceError) -> String {
    let code = QUERY_NAMES.iter().find(|(name, _)| *name == error.code).map_or(error.code.as_str(), |(_, query)| query);
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    format!("{code};{fault}")
}

/// A parameter that must be there and is not.
pub(crate) fn missing(parameter: &str) -> ServiceError {
    ServiceError::client("MissingParameter", format!("The request must contain the parameter {parameter}."))
}

/// A parameter of another JSON type.
pub(crate) fn wrong_type(parameter: &str, wanted: &str) -> ServiceError {
    ServiceError::client("SerializationException", format!("{parameter} must be {wanted}"))
}

/// A parameter with a value that SQS does not take.
pub(crate) fn invalid_value(message: impl Into<String>) -> ServiceError {
    ServiceError::client("InvalidParameterValue", message)
}

/// A queue that is not there.
pub(crate) fn no_queue() -> ServiceError {
    ServiceError::client("QueueDoesNotExist", "The specified queue does not exist.")
}
