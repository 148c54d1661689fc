//! Why a row failed: the operator's word for what AWS answered.

use super::FailureClass;

impl FailureClass {
    /// The class of what S3 answered: its error code, HTTP status and message.
    ///
    /// Codes are those of the S3 API; the messages of copy tasks are not documented, so they only separate codes that stand
    /// for several causes. What matches nothing is [`FailureClass::Other`], which counts as a failure like every class.
    #[must_use]
    pub fn of(code: Option<&str>, http_status: Option<u16>, message: Option<&str>) -> Self {
        let code = code.unwrap_or_default();
        let message = message.unwrap_or_default().to_ascii_lowercase();
        if code.starts_with("KMS.") || (code == "AccessDenied" && message.contains("kms:")) {
            return FailureClass::Key;
        }
        match code {
            // A bucket that is gone explains nothing of its objects.
            "NoSuchBucket" => FailureClass::Other,
            "NoSuchKey" | "NoSuchVersion" | "SrcObjectNotFound" | "NotFound" => FailureClass::Vanished,
            "InvalidObjectState" | "ObjectNotInActiveTierError" => FailureClass::Archived,
            "EntityTooLarge" => FailureClass::TooLarge,
            "InvalidRequest" if speaks_of_size(&message) => FailureClass::TooLarge,
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => FailureClass::Denied,
            "PreconditionFailed" => FailureClass::Changed,
            "InternalError"
            | "SlowDown"
            | "ServiceUnavailable"
            | "RequestTimeout"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "TemporaryFailure"
            | "503 SlowDown" => FailureClass::Throttled,
            _ => by_status(http_status),
        }
    }
}

/// What the HTTP status says when the code is absent or unknown.
fn by_status(http_status: Option<u16>) -> FailureClass {
    match http_status {
        Some(403) => FailureClass::Denied,
        Some(404) => FailureClass::Vanished,
        Some(412) => FailureClass::Changed,
        Some(429 | 503 | 504) => FailureClass::Throttled,
        _ => FailureClass::Other,
    }
}

fn speaks_of_size(message: &str) -> bool {
    ["maximum allowable size", "larger than", "too large", "5368709120", "5 gb", "5gb"]
        .iter()
        .any(|part| message.contains(part))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::gone(Some("NoSuchKey"), Some(404), None, FailureClass::Vanished)]
    #[case::gone_with_status_500(
        Some("SrcObjectNotFound"),
        Some(500),
        Some("Object versionID is invalid"),
        FailureClass::Vanished
    )]
    #[case::archived(Some("InvalidObjectState"), Some(403), None, FailureClass::Archived)]
    #[case::above_the_limit(
        Some("InvalidRequest"),
        Some(400),
        Some("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"),
        FailureClass::TooLarge
    )]
    #[case::another_invalid_request(
        Some("InvalidRequest"),
        Some(400),
        Some("The encryption is wrong"),
        FailureClass::Other
    )]
    #[case::denied(Some("AccessDenied"), Some(403), Some("Access Denied"), FailureClass::Denied)]
    #[case::denied_by_the_key(
        Some("AccessDenied"),
        Some(403),
        Some("User is not authorized to perform: kms:Decrypt"),
        FailureClass::Key
    )]
    #[case::key(Some("KMS.DisabledException"), Some(400), None, FailureClass::Key)]
    #[case::throttled(Some("SlowDown"), Some(503), None, FailureClass::Throttled)]
    #[case::internal(Some("InternalError"), Some(500), None, FailureClass::Throttled)]
    #[case::internal_with_status_200(Some("InternalError"), Some(200), None, FailureClass::Throttled)]
    #[case::changed(Some("PreconditionFailed"), Some(412), None, FailureClass::Changed)]
    #[case::bucket_gone(Some("NoSuchBucket"), Some(404), None, FailureClass::Other)]
    #[case::unknown_code_but_known_status(Some("SomethingNew"), Some(404), None, FailureClass::Vanished)]
    #[case::unknown(Some("SomethingNew"), Some(200), None, FailureClass::Other)]
    #[case::nothing_said(None, None, None, FailureClass::Other)]
    fn failed_row_gets_the_class_of_its_cause(
        #[case] code: Option<&str>,
        #[case] status: Option<u16>,
        #[case] message: Option<&str>,
        #[case] class: FailureClass,
    ) {
        assert_eq!(FailureClass::of(code, status, message), class);
    }
}
