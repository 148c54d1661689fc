//! The one door of all operations: the gate, the bucket, its owner, the permissions.

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::{
    Backend,
    context::Context,
    policy::{Question, Verdict},
    store::{self, Bucket, Locked, State},
};
use crate::service::{Principal, ServiceError};

/// What an operation acts on.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    Bucket(&'a str),
    Object(&'a str, &'a str),
}

impl Target<'_> {
    fn bucket(&self) -> &str {
        match self {
            Self::Bucket(bucket) | Self::Object(bucket, _) => bucket,
        }
    }

    fn arn(&self) -> String {
        match self {
            Self::Bucket(bucket) => store::bucket_arn(bucket),
            Self::Object(bucket, key) => store::object_arn(bucket, key),
        }
    }
}

/// The store, locked for an operation that was let in.
pub(crate) struct Entered<'a> {
    state: Locked<'a>,
    bucket: String,
}

impl Entered<'_> {
    pub(crate) fn bucket(&self) -> S3Result<&Bucket> {
        find(&self.state, &self.bucket)
    }

    pub(crate) fn bucket_mut(&mut self) -> S3Result<&mut Bucket> {
        self.state.bucket_mut(&self.bucket).ok_or_else(no_such_bucket)
    }

    pub(crate) fn state(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Backend {
    /// Lets a call in: passes the gate, finds the bucket, checks the owner that the caller expects, and every action
    /// that the call needs on its target.
    pub(crate) fn enter(
        &self,
        context: &Context,
        operation: &str,
        target: Target<'_>,
        expected_owner: Option<&str>,
        actions: &[&'static str],
    ) -> S3Result<Entered<'_>> {
        let arn = target.arn();
        for action in actions {
            context.flight.need(action, &arn);
        }
        Self::admit(context, operation, &arn)?;
        let state = self.store.lock();
        let bucket = find(&state, target.bucket())?;
        expect_owner(bucket, expected_owner)?;
        for action in actions {
            permit(bucket, context, action, &arn)?;
        }
        let bucket = target.bucket().to_owned();
        Ok(Entered { state, bucket })
    }

    /// Passes the gate; for calls that no bucket stands behind, too. What the call needs is noted before.
    pub(crate) fn admit(context: &Context, operation: &str, resource: &str) -> S3Result<()> {
        context.flight.admit(&context.caller, operation, resource, &context.facts.told()).map_err(from_service_error)
    }
}

/// The bucket, or `NoSuchBucket`.
pub(crate) fn find<'a>(state: &'a State, bucket: &str) -> S3Result<&'a Bucket> {
    state.buckets().get(bucket).ok_or_else(no_such_bucket)
}

fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

/// Refuses a bucket that another account owns than the caller expects.
pub(crate) fn expect_owner(bucket: &Bucket, expected: Option<&str>) -> S3Result<()> {
    match expected {
        Some(account) if account != bucket.account => Err(s3_error!(AccessDenied, "Access Denied")),
        _ => Ok(()),
    }
}

/// Notes that the call needs the action and refuses what the caller may not do.
pub(crate) fn authorize(bucket: &Bucket, context: &Context, action: &'static str, resource: &str) -> S3Result<()> {
    context.flight.need(action, resource);
    permit(bucket, context, action, resource)
}

/// Refuses what the caller may not do; for needs that have been noted.
pub(crate) fn permit(bucket: &Bucket, context: &Context, action: &str, resource: &str) -> S3Result<()> {
    let own = bucket.account == context.caller.account;
    let root = own && context.caller.principal == Principal::Root;
    let mending = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"].contains(&action);
    if root && mending {
        return Ok(());
    }
    let verdict = bucket.settings.policy.as_ref().map_or(Verdict::Silent, |policy| {
        policy.verdict(&Question { caller: &context.caller, action, resource, facts: &context.facts })
    });
    let home = own && !matches!(context.caller.principal, Principal::Service(_));
    let why = match verdict {
        Verdict::Allow => return Ok(()),
        Verdict::Silent if home => return Ok(()),
        Verdict::Deny => "with an explicit deny in a resource-based policy",
        Verdict::Silent => "because no resource-based policy allows it",
    };
    let who = context.caller.principal_arn();
    Err(s3_error!(AccessDenied, "User: {who} is not authorized to perform: {action} on resource: \"{resource}\" {why}"))
}

/// What a missing key answers: who may not list the bucket is not told that it is missing.
pub(crate) fn missing_key(bucket: &Bucket, context: &Context) -> S3Error {
    match authorize(bucket, context, "s3:ListBucket", &bucket.arn()) {
        Ok(()) => s3_error!(NoSuchKey, "The specified key does not exist."),
        Err(_) => s3_error!(AccessDenied, "Access Denied"),
    }
}

/// An error of a code that `s3s` does not know.
pub(crate) fn custom(code: &str, status: StatusCode, message: String) -> S3Error {
    let mut error =
        S3Error::with_message(S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError), message);
    error.set_status_code(status);
    error
}

fn from_service_error(error: ServiceError) -> S3Error {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    custom(&error.code, status, error.message)
}
