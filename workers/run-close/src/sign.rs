//! The signature of a receipt.

use aws_sdk_kms::{
    Client,
    types::{MessageType, SigningAlgorithmSpec},
};
use aws_smithy_types::Blob;
use levee_ledger::{Ledger, canonical_json, chain::signature_key, signature::Signature, state::ObjectPointer};
use levee_stage::{StageError, aws_error};
use sha2::{Digest, Sha256};

use crate::chain::Chained;

/// Signs the receipt and writes the signature beside it, unless there is one. No two signatures of the same bytes are equal
/// (ECDSA), so the one that was written first stays.
pub(crate) async fn sign(
    kms: &Client,
    ledger: &Ledger,
    source: &str,
    key_arn: &str,
    chained: &Chained,
) -> Result<ObjectPointer, StageError> {
    let place = signature_key(source, chained.receipt.sequence);
    if let Some(there) = ledger.find(&place).await? {
        return Ok(there);
    }
    let digest = Sha256::digest(&chained.bytes).to_vec();
    let call = kms.sign().key_id(key_arn).message(Blob::new(digest)).message_type(MessageType::Digest);
    let answer = call.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await;
    let answer = answer.map_err(|error| aws_error(&format!("Sign with {key_arn}"), error))?;
    let Some(der) = answer.signature else {
        let cause = format!("Sign with {key_arn} answered no signature");
        return Err(StageError::transient(StageError::AWS_UNAVAILABLE, cause));
    };
    let signature = Signature::new(answer.key_id.unwrap_or_else(|| key_arn.to_owned()), der.as_ref());
    let bytes = canonical_json(&signature).map_err(|error| {
        StageError::permanent(StageError::OUTPUT_INVALID, format!("the signature {place} is no JSON: {error}"))
    })?;
    loop {
        if let Some(pointer) = ledger.put_new(&place, bytes.clone(), "application/json").await? {
            return Ok(pointer);
        }
        if let Some(there) = ledger.find(&place).await? {
            return Ok(there);
        }
    }
}
