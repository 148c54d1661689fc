//! Signatures of receipts, made with an asymmetric key of KMS and checked without it.
//!
//! KMS signs with `ECDSA_SHA_256` on the curve P-256 (`ECC_NIST_P256`). It is handed the SHA-256 of the receipt (`MessageType`
//! `DIGEST`), and answers the signature as DER (ANSI X9.62, RFC 3279 section 2.2.3). `GetPublicKey` answers the public key as
//! DER of X.509's `SubjectPublicKeyInfo` ("Sign" and `GetPublicKey` of the KMS API Reference).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// The signing algorithm, as KMS names it.
pub const ALGORITHM: &str = "ECDSA_SHA_256";

const PEM_BEGINS: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_ENDS: &str = "-----END PUBLIC KEY-----";
const PEM_LINE: usize = 64;

/// What is beside a receipt in the chain: `receipts/<source>/<sequence>.sig.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The ARN of the key.
    pub key_id: String,
    /// [`ALGORITHM`].
    pub algorithm: String,
    /// The signature: DER, in Base64.
    pub signature: String,
}

impl Signature {
    /// A signature that KMS answered.
    #[must_use]
    pub fn new(key_id: impl Into<String>, der: &[u8]) -> Self {
        Self { key_id: key_id.into(), algorithm: ALGORITHM.to_owned(), signature: STANDARD.encode(der) }
    }
}

/// Why something is not the public key of a signing key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM.
    #[error(
        "it is no PEM: it has no block that begins with {PEM_BEGINS} and ends with {PEM_ENDS}, with Base64 between them"
    )]
    NoPem,
    /// Not on the curve.
    #[error("it is no public key on the curve P-256 (ECC_NIST_P256)")]
    OtherKey,
}

/// The public half of a signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// The key of a DER of `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// It is none of a key on P-256.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der).map_err(|_| KeyError::OtherKey)?;
        Ok(Self(der.to_vec()))
    }

    /// The key of a PEM (RFC 7468, section 13).
    ///
    /// # Errors
    /// It is no PEM, or none of a key on P-256.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block =
            text.split_once(PEM_BEGINS).and_then(|(_, rest)| rest.split_once(PEM_ENDS)).ok_or(KeyError::NoPem)?;
        let encoded: String = block.0.chars().filter(|c| !c.is_whitespace()).collect();
        Self::from_der(&STANDARD.decode(encoded).map_err(|_| KeyError::NoPem)?)
    }

    /// The key as PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let encoded: Vec<char> = STANDARD.encode(&self.0).chars().collect();
        let lines: Vec<String> = encoded.chunks(PEM_LINE).map(|line| line.iter().collect()).collect();
        format!("{PEM_BEGINS}\n{}\n{PEM_ENDS}\n", lines.join("\n"))
    }

    /// Whether a signature is one of these bytes by this key.
    #[must_use]
    pub fn has_signed(&self, bytes: &[u8], signature: &Signature) -> bool {
        let Ok(der) = STANDARD.decode(&signature.signature) else { return false };
        signature.algorithm == ALGORITHM
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0).verify(bytes, &der).is_ok()
    }
}
