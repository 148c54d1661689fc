//! What keeps an object from being copied.

use std::fmt;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
use levee_ledger::state::{FailureClass, LargeFailure, LargeRow};
use levee_stage::{
    StageError,
    aws::{error_code, http_status, is_transient},
};

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) operation: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    message: Option<String>,
    /// Whether the same call may succeed later.
    pub(crate) transient: bool,
}

impl Refusal {
    /// The refusal of a call.
    pub(crate) fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let told = error.as_service_error().and_then(|service| service.meta().message());
        let message = match error {
            SdkError::ServiceError(_) => told.map(str::to_owned),
            _ => Some(DisplayErrorContext(error).to_string()),
        };
        Self {
            operation,
            status: http_status(error),
            code: error_code(error).map(str::to_owned),
            message,
            transient: is_transient(error),
        }
    }

    /// Whether S3 answered with this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// What it means for the object.
    pub(crate) fn class(&self) -> FailureClass {
        if self.transient {
            return FailureClass::Throttled;
        }
        FailureClass::of(self.code.as_deref(), self.status, self.message.as_deref())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_deref().unwrap_or("no error code");
        write!(f, "{}: {code}: {}", self.operation, self.message.as_deref().unwrap_or("no message"))
    }
}

/// Why an object did not come to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It is gone from the source.
    Vanished,
    /// It is another object than the one that was looked at.
    Changed(Refusal),
    /// Its upload is gone, or the key is taken meanwhile: another worker has been there.
    Lost(Refusal),
    /// It cannot be copied for now.
    Failed(Failure),
    /// Nothing can be done for any object.
    Broken(StageError),
}

impl From<StageError> for Trouble {
    fn from(error: StageError) -> Self {
        Self::Broken(error)
    }
}

/// Why an object was not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    class: FailureClass,
    refusal: Option<Refusal>,
    message: Option<String>,
}

impl Failure {
    /// A failure by a refused call, with the class of its answer.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self { class: refusal.class(), refusal: Some(refusal), message: None }
    }

    /// A failure by a refused call that means something else here than its answer says.
    pub(crate) fn meaning(class: FailureClass, refusal: Refusal) -> Self {
        Self { class, refusal: Some(refusal), message: None }
    }

    /// A failure without a refused call.
    pub(crate) fn found(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, refusal: None, message: Some(message.into()) }
    }

    /// What it means for the object. What is [`FailureClass::Throttled`] may be mended by another try; the upload is kept for it.
    #[must_use]
    pub const fn class(&self) -> FailureClass {
        self.class
    }

    /// Whether another try may mend it.
    pub(crate) fn is_transient(&self) -> bool {
        self.class == FailureClass::Throttled
    }

    /// The line of a list of failures, of an object of the bucket `bucket`.
    #[must_use]
    pub fn line(self, bucket: &str, row: &LargeRow) -> LargeFailure {
        let (refusal, said) = (self.refusal, self.message);
        let (operation, http_status, error_code, message) = match refusal {
            Some(refusal) => (Some(refusal.operation.to_owned()), refusal.status, refusal.code, refusal.message),
            None => (None, None, None, said),
        };
        LargeFailure {
            bucket: bucket.to_owned(),
            key: row.key.clone(),
            size: row.size,
            class: self.class,
            operation,
            http_status,
            error_code,
            message,
        }
    }
}

/// The call that was refused, or what was found, for people.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            Some(refusal) => write!(f, "{refusal}"),
            None => f.write_str(self.message.as_deref().unwrap_or("no message")),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
