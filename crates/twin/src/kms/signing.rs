//! Asymmetric keys that sign: on the curve P-256, with `ECDSA_SHA_256` ("Sign" and `GetPublicKey` of the KMS API Reference).

use aws_lc_rs::{
    digest::{Digest, SHA256, digest},
    encoding::AsDer,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Kms, Refusal, key::Key};
use crate::{
    events::input,
    service::{Caller, ServiceError},
};

pub(super) const KEY_SPEC: &str = "ECC_NIST_P256";
pub(super) const KEY_USAGE: &str = "SIGN_VERIFY";
pub(super) const ALGORITHM: &str = "ECDSA_SHA_256";
/// The longest message of the type RAW, in bytes.
const LONGEST_MESSAGE: usize = 4096;

/// A new pair of keys.
pub(super) fn pair() -> Result<EcdsaKeyPair, ServiceError> {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| internal("no key could be made"))
}

impl Kms {
    pub(super) fn public_key(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        self.on_key(caller, body, |arn, key| {
            let pair = signing(arn, key)?;
            let der = pair.public_key().as_der().map_err(|_| internal("the public key cannot be written"))?;
            Ok(json!({
                "KeyId": arn, "PublicKey": STANDARD.encode(der.as_ref()), "KeySpec": KEY_SPEC,
                "CustomerMasterKeySpec": KEY_SPEC, "KeyUsage": KEY_USAGE, "SigningAlgorithms": [ALGORITHM],
            }))
        })
    }

    pub(super) fn sign(&self, caller: &Caller, body: &Value) -> Result<Value, ServiceError> {
        input::refuse(body, &["DryRun", "GrantTokens"], "signatures")?;
        let algorithm = input::text(body, "SigningAlgorithm")?;
        let kind = input::optional_text(body, "MessageType")?.unwrap_or("RAW");
        let message =
            STANDARD.decode(input::text(body, "Message")?).map_err(|_| input::invalid("Message is no Base64"))?;
        self.on_key(caller, body, |arn, key| {
            let pair = signing(arn, key)?;
            if algorithm != ALGORITHM {
                let reason = format!("Algorithm {algorithm} is incompatible with key spec {KEY_SPEC}.");
                return Err(ServiceError::client("InvalidKeyUsageException", reason));
            }
            let hash = match kind {
                "DIGEST" => Digest::import_less_safe(&message, &SHA256)
                    .map_err(|_| input::invalid("Digest is invalid length for algorithm ECDSA_SHA_256."))?,
                "RAW" if message.len() <= LONGEST_MESSAGE => digest(&SHA256, &message),
                "RAW" => return Err(input::invalid("Message must have at most 4096 bytes")),
                other => return Err(ServiceError::not_modelled(format_args!("messages of the type {other}"))),
            };
            let signature = pair.sign_digest(&hash).map_err(|_| internal("nothing could be signed"))?;
            let signature = STANDARD.encode(signature.as_ref());
            Ok(json!({ "KeyId": arn, "Signature": signature, "SigningAlgorithm": ALGORITHM }))
        })
    }
}

/// The pair of a key that signs, when it may be used.
fn signing<'a>(arn: &str, key: &'a Key) -> Result<&'a EcdsaKeyPair, ServiceError> {
    match key.usable() {
        Ok(()) => {}
        Err(Refusal::PendingDeletion) => {
            let error = ServiceError::client("KMSInvalidStateException", format!("{arn} is pending deletion."));
            return Err(ServiceError { status: 409, ..error });
        }
        Err(_) => return Err(ServiceError::client("DisabledException", format!("{arn} is disabled."))),
    }
    key.pair.as_ref().ok_or_else(|| {
        let reason = format!("{arn} key usage is ENCRYPT_DECRYPT which is not valid for signing.");
        ServiceError::client("InvalidKeyUsageException", reason)
    })
}

fn internal(what: &str) -> ServiceError {
    ServiceError { status: 500, ..ServiceError::client("KMSInternalException", what) }
}
