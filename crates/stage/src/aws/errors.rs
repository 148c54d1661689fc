//! Turns an error of any AWS call into a [`StageError`]: what happened, to what, and what to do next.

use aws_sdk_s3::{
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::StageError;

/// Codes that say "later": throttling and passing trouble of the service. From the SDKs' standard retry mode and from the
/// error lists of the services that Levee calls.
const TRANSIENT_CODES: &[&str] = &[
    "BandwidthLimitExceeded",
    "ConditionalRequestConflict",
    "EC2ThrottledException",
    "IDPCommunicationError",
    "InternalError",
    "InternalException",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceException",
    "KmsThrottled",
    "LimitExceededException",
    "OperationAborted",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Whether S3 refused a conditional write because the key has an object.
pub fn is_taken<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    http_status(error) == Some(412) || error_code(error) == Some("PreconditionFailed")
}

/// The error of an AWS call as a stage reports it. `what` names the operation and its resource:
/// `"PutBucketPolicy on s3://lake-31-mar-2026"`.
///
/// Transient ([`StageError::AWS_UNAVAILABLE`]) for throttling, time-outs, failed connections and 5xx answers; else
/// permanent ([`StageError::AWS_REFUSED`]). The cause carries code, message, HTTP status and request id.
pub fn aws_error<E>(what: &str, error: SdkError<E, HttpResponse>) -> StageError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let transient = is_transient(&error);
    let detail = match &error {
        SdkError::ServiceError(_) => service_detail(&error),
        _ => DisplayErrorContext(&error).to_string(),
    };
    if transient {
        let next = "It may pass: the task is tried again. If it stays, look at the AWS Health Dashboard, the service's quotas and the worker's network.";
        StageError::transient(StageError::AWS_UNAVAILABLE, format!("{what} failed: {detail}. {next}"))
    } else {
        let next = advice(error_code(&error), http_status(&error));
        StageError::permanent(StageError::AWS_REFUSED, format!("{what} was refused: {detail}. {next}"))
    }
}

/// Whether the same call may succeed later: throttling, time-outs, failed connections, 5xx answers.
pub fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => !failure.is_user(),
        _ => {
            let status = http_status(error).unwrap_or(0);
            (status >= 500 && status != 501)
                || status == 429
                || error_code(error).is_some_and(|code| TRANSIENT_CODES.contains(&code))
        }
    }
}

/// The service's error code, for example `NoSuchBucket`.
pub fn error_code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(|service| service.meta().code())
}

/// The HTTP status of the answer; none when there was no answer.
pub fn http_status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn service_detail<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
    let code = meta.and_then(|meta| meta.code()).unwrap_or("no error code");
    let message = meta.and_then(|meta| meta.message()).unwrap_or("no message");
    let status = http_status(error).map_or_else(|| "no".to_owned(), |status| status.to_string());
    let request = error.request_id().or_else(|| meta.and_then(RequestId::request_id)).unwrap_or("unknown");
    format!("{code}: {} (HTTP {status}, request id {request})", message.trim_end_matches('.'))
}

fn advice(code: Option<&str>, status: Option<u16>) -> &'static str {
    match (code.unwrap_or_default(), status) {
        ("AccessDenied" | "AccessDeniedException" | "Forbidden", _) | (_, Some(403)) => {
            "Check the worker's role, the resource's policy and key policy, and any service control policy; then redrive the execution."
        }
        ("ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" | "UnrecognizedClientException", _) => {
            "Renew the worker's credentials; then redrive the execution."
        }
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
            "The resource is in another Region than the worker's: correct AWS_REGION; then redrive the execution."
        }
        (_, Some(404)) => {
            "Check that the resource exists under this name in this account and Region; then redrive the execution."
        }
        (_, Some(501)) => "The endpoint does not offer this call: use one that does.",
        _ => "Correct what the message names; then redrive the execution.",
    }
}
