//! Keys that objects are encrypted with, as far as they decide who can read: the bytes themselves stay plain.
//!
//! A key of the customer's own (SSE-C) has to come with every read ("Using server-side encryption with customer-provided
//! keys" of the S3 user guide); of it the MD5 is kept. Under SSE-KMS the reader needs `kms:Decrypt` on the key. The AWS
//! managed key `aws/s3` is usable by its own account alone, whatever a bucket policy says. Reading the attributes of an
//! object asks for no KMS key, and neither does writing: both are left to the policies of the deployment.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use s3s::{S3Error, S3Result, dto, s3_error};

use super::{
    access,
    context::Context,
    store::{Bucket, Encryption},
};
use crate::kms::{Kms, Refusal};

/// How the key of the AWS managed kind is named.
const MANAGED_KEY: &str = "alias/aws/s3";

/// The key that a request brings for an object under SSE-C.
#[derive(Default)]
pub(crate) struct CustomerKey {
    pub(crate) algorithm: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) md5: Option<String>,
}

/// Builds a [`CustomerKey`] from the input of a read or of PutObject.
macro_rules! customer_key {
    ($input:expr) => {
        $crate::s3::keys::CustomerKey {
            algorithm: $input.sse_customer_algorithm.take(),
            key: $input.sse_customer_key.take(),
            md5: $input.sse_customer_key_md5.take(),
        }
    };
}
pub(crate) use customer_key;

impl CustomerKey {
    /// The MD5 of the key, in base64; none when no key is brought.
    pub(crate) fn checked(self) -> S3Result<Option<String>> {
        let (algorithm, key, md5) = match (self.algorithm, self.key, self.md5) {
            (None, None, None) => return Ok(None),
            (Some(algorithm), Some(key), Some(md5)) => (algorithm, key, md5),
            _ => {
                return Err(s3_error!(
                    InvalidArgument,
                    "Requests specifying Server Side Encryption with Customer provided keys must provide an encryption algorithm, a secret key and the client calculated MD5 of the secret key."
                ));
            }
        };
        if algorithm != "AES256" {
            return Err(s3_error!(
                InvalidEncryptionAlgorithmError,
                "The encryption request that you specified is not valid. The valid value is AES256."
            ));
        }
        let key = STANDARD.decode(key).ok().filter(|key| key.len() == 32);
        let key =
            key.ok_or_else(|| s3_error!(InvalidArgument, "The secret key was invalid for the specified algorithm."))?;
        if STANDARD.encode(Md5::digest(&key)) != md5 {
            return Err(s3_error!(
                InvalidArgument,
                "The calculated MD5 hash of the key did not match the hash that was provided."
            ));
        }
        Ok(Some(md5))
    }
}

/// Refuses a key for what the twin keeps none for.
pub(crate) fn refuse_customer_key(algorithm: Option<&str>, what: &str) -> S3Result<()> {
    match algorithm {
        None => Ok(()),
        Some(_) => Err(s3_error!(NotImplemented, "the twin does not model customer-provided keys (SSE-C) for {what}")),
    }
}

impl Encryption {
    /// The header `x-amz-server-side-encryption`, which SSE-C has not.
    pub(crate) fn told(&self) -> Option<dto::ServerSideEncryption> {
        self.customer_key.is_none().then(|| self.algorithm.clone().into())
    }

    /// The header that says that an object is under SSE-C.
    pub(crate) fn customer_algorithm(&self) -> Option<String> {
        self.customer_key.as_ref().map(|_| self.algorithm.clone())
    }

    /// Whether the ETag of an object that was put whole is the MD5 of its bytes.
    pub(crate) fn etag_is_md5(&self) -> bool {
        self.algorithm == "AES256" && self.customer_key.is_none()
    }

    /// Refuses a request for an object under SSE-C that does not bring the key, and one that brings a key for another.
    pub(crate) fn check_customer_key(&self, brought: Option<&str>) -> S3Result<()> {
        match (self.customer_key.as_deref(), brought) {
            (None, None) => Ok(()),
            (Some(kept), Some(brought)) if kept == brought => Ok(()),
            (Some(_), Some(_)) => Err(s3_error!(AccessDenied, "Access Denied")),
            (Some(_), None) => Err(s3_error!(
                InvalidRequest,
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object."
            )),
            (None, Some(_)) => {
                Err(s3_error!(InvalidRequest, "The encryption parameters are not applicable to this object."))
            }
        }
    }

    /// Refuses who may not decrypt an object of `bucket`.
    pub(crate) fn check_decrypt(&self, kms: &Kms, bucket: &Bucket, context: &Context) -> S3Result<()> {
        if !self.algorithm.starts_with("aws:kms") {
            return Ok(());
        }
        let caller = &context.caller;
        let denied = |of: &str| {
            let who = caller.principal_arn();
            s3_error!(AccessDenied, "User: {who} is not authorized to perform: kms:Decrypt on {of}")
        };
        match self.kms_key.as_deref().filter(|key| !key.ends_with(MANAGED_KEY)) {
            // Its policy lets in the account alone, and cannot be changed.
            None if caller.account == bucket.account => Ok(()),
            None => Err(denied(
                "the resource associated with this ciphertext because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            )),
            Some(key) => {
                let arn = crate::kms::arn_of(&bucket.account, &bucket.region, key);
                context.flight.need("kms:Decrypt", &arn);
                kms.may(caller, &arn, "Decrypt").map_err(|refusal| refused(&refusal, &denied, &arn))
            }
        }
    }
}

fn refused(refusal: &Refusal, denied: &dyn Fn(&str) -> S3Error, arn: &str) -> S3Error {
    match refusal {
        Refusal::Disabled => {
            access::custom("KMS.DisabledException", http::StatusCode::BAD_REQUEST, format!("{arn} is disabled."))
        }
        Refusal::PendingDeletion => access::custom(
            "KMS.KMSInvalidStateException",
            http::StatusCode::BAD_REQUEST,
            format!("{arn} is pending deletion."),
        ),
        Refusal::Denied => {
            denied(&format!("resource: {arn} because no resource-based policy allows the kms:Decrypt action"))
        }
    }
}
