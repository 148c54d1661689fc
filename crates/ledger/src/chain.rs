//! The chain of a source's receipts: `receipts/<source>/<sequence, 8 digits>.json`, each with the digest of the one before.
//!
//! What is here is pure: bytes in, the receipt or what is wrong with it out.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    canonical_json,
    receipt::{RECEIPT_VERSION, Receipt},
    signature::{PublicKey, Signature},
};

/// Digits of a sequence number in a key.
const DIGITS: usize = 8;

/// What the keys of a source's receipts and signatures begin with.
#[must_use]
pub fn prefix(source: &str) -> String {
    format!("receipts/{source}/")
}

/// The key of a receipt.
#[must_use]
pub fn receipt_key(source: &str, sequence: u64) -> String {
    format!("{}{sequence:0DIGITS$}.json", prefix(source))
}

/// The key of a receipt's signature.
#[must_use]
pub fn signature_key(source: &str, sequence: u64) -> String {
    format!("{}{sequence:0DIGITS$}.sig.json", prefix(source))
}

/// What a file of a chain is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The receipt of a sequence number.
    Receipt(u64),
    /// The signature of that receipt.
    Signature(u64),
}

impl FileKind {
    /// The kind of a file that has `name`, which is the key without [`prefix`]; none for a name that is none of a chain.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let number = |digits: &str| {
            let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|number| plain && *number > 0)
        };
        match name.strip_suffix(".sig.json") {
            Some(digits) => number(digits).map(Self::Signature),
            None => number(name.strip_suffix(".json")?).map(Self::Receipt),
        }
    }
}

/// SHA-256 in hexadecimal: how a receipt names the one before it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What is wrong with a link of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Break {
    /// A number has no receipt.
    #[error("it is missing: the chain goes on with {next}")]
    Missing {
        /// The next number that has one.
        next: u64,
    },
    /// The last ones are gone, and a signature is left.
    #[error("it is missing, though there is a signature of number {signed}")]
    OnlySigned {
        /// The number that the signature has.
        signed: u64,
    },
    /// The bytes are no receipt.
    #[error("it does not read as a receipt: {problem}")]
    Unreadable {
        /// What does not.
        problem: String,
    },
    /// The bytes are not those that Levee writes for their value.
    #[error("its bytes are not the canonical form of what they say: they were written by something else, or changed")]
    NotCanonical,
    /// A form that this release does not know.
    #[error(
        "its form has the version {version}, this release knows {RECEIPT_VERSION}: check it with the release that wrote it, or a newer one"
    )]
    UnknownForm {
        /// The version.
        version: u64,
    },
    /// It belongs to another source.
    #[error("it is a receipt of {source_bucket}")]
    OtherSource {
        /// Whose it is.
        source_bucket: String,
    },
    /// It belongs to another place.
    #[error("it says that it is number {says}")]
    OtherSequence {
        /// What it says.
        says: u64,
    },
    /// It does not follow the one before.
    #[error(
        "it follows a receipt with the SHA-256 {}, the one before it has {}: one of the two is not what was written",
        says.as_deref().unwrap_or("(none)"), is.as_deref().unwrap_or("(there is none)")
    )]
    OtherPrevious {
        /// The digest that it names.
        says: Option<String>,
        /// The digest of the receipt before it.
        is: Option<String>,
    },
    /// A key was given, and it is not signed.
    #[error("it is not signed")]
    Unsigned,
    /// The signature does not read.
    #[error("its signature does not read as one: {problem}")]
    SignatureUnreadable {
        /// What does not.
        problem: String,
    },
    /// The signature is not of these bytes by that key.
    #[error("its signature, which names the key {key_id}, is not one of these bytes by the public key that was given")]
    WrongSignature {
        /// The key that the signature names.
        key_id: String,
    },
    /// A list that the receipt pins is not what it was.
    #[error("{what}: {problem}")]
    ListDiffers {
        /// Which list.
        what: String,
        /// How it differs.
        problem: String,
    },
    /// The run's own receipt is not the one in the chain.
    #[error("the receipt of its run, {key}, {problem}")]
    RunDiffers {
        /// The key of that.
        key: String,
        /// How it differs.
        problem: String,
    },
}

/// Checks the receipts of one source in the order of their numbers, from 1 on.
#[derive(Debug)]
pub struct Chain<'a> {
    source: &'a str,
    key: Option<&'a PublicKey>,
    length: u64,
    last: Option<String>,
}

impl<'a> Chain<'a> {
    /// The chain of a source. With a key, a receipt without a signature by it is a break.
    #[must_use]
    pub const fn new(source: &'a str, key: Option<&'a PublicKey>) -> Self {
        Self { source, key, length: 0, last: None }
    }

    /// Receipts that are good.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The digest of the last good receipt.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// The number that comes next.
    #[must_use]
    pub const fn expected(&self) -> u64 {
        self.length.saturating_add(1)
    }

    /// Checks the next receipt that there is, which has `number` by its name. After a break the chain stays where it was.
    ///
    /// # Errors
    /// What is wrong with the receipt [`expected`](Self::expected).
    pub fn check(&mut self, number: u64, bytes: &[u8], signature: Option<&[u8]>) -> Result<Receipt, Break> {
        if number != self.expected() {
            return Err(Break::Missing { next: number });
        }
        let receipt = read(bytes)?;
        if receipt.run.source != self.source {
            return Err(Break::OtherSource { source_bucket: receipt.run.source });
        }
        if receipt.sequence != number {
            return Err(Break::OtherSequence { says: receipt.sequence });
        }
        if receipt.previous_sha256 != self.last {
            return Err(Break::OtherPrevious { says: receipt.previous_sha256, is: self.last.clone() });
        }
        if let Some(key) = self.key {
            check_signature(key, bytes, signature)?;
        }
        self.length = number;
        self.last = Some(digest(bytes));
        Ok(receipt)
    }
}

fn read(bytes: &[u8]) -> Result<Receipt, Break> {
    let unreadable = |error: serde_json::Error| Break::Unreadable { problem: error.to_string() };
    let value: Value = serde_json::from_slice(bytes).map_err(unreadable)?;
    // Of the value and not of the receipt, so that a member which a later release adds is none too many.
    if canonical_json(&value).map_err(unreadable)? != bytes {
        return Err(Break::NotCanonical);
    }
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(RECEIPT_VERSION) => {}
        Some(version) => return Err(Break::UnknownForm { version }),
        None => return Err(Break::Unreadable { problem: "it has no `version`".to_owned() }),
    }
    serde_json::from_value(value).map_err(unreadable)
}

fn check_signature(key: &PublicKey, bytes: &[u8], signature: Option<&[u8]>) -> Result<(), Break> {
    let signature: Signature = serde_json::from_slice(signature.ok_or(Break::Unsigned)?)
        .map_err(|error| Break::SignatureUnreadable { problem: error.to_string() })?;
    if key.has_signed(bytes, &signature) {
        return Ok(());
    }
    Err(Break::WrongSignature { key_id: signature.key_id })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use aws_lc_rs::{
        encoding::AsDer,
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
    };
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// A file of a chain: the receipt, and its signature.
    #[derive(Clone)]
    struct Link {
        number: u64,
        bytes: Vec<u8>,
        signature: Option<Vec<u8>>,
    }

    /// The value of a receipt.
    fn receipt(sequence: u64, previous: Option<&str>) -> Value {
        let mut value = json!({
            "version": 1, "sequence": sequence, "headline": "lake 31 Mar 2026: 12 objects", "outcome": "complete",
            "run": {
                "source": "lake", "source_account": "111111111111", "backup_date": "2026-03-31",
                "execution_arn": "arn", "execution_name": format!("night-{sequence}"), "redrives": 0,
                "started": "2026-04-02T03:00:00Z", "closed": "2026-04-02T05:00:00Z",
            },
            "inventory": {
                "bucket": "b", "key": "k", "etag": "e", "scan_started": "2026-04-02T01:00:00Z", "objects": 12,
            },
            "objects": { "copied": 12, "copied_large": 0, "vanished": 0, "skipped": 0, "failed_rows": {} },
            "jobs": [], "stages": [], "levee_version": "0.1.0",
            "snapshot": {
                "bucket": "lake-31-mar-2026", "account": "222222222222", "region": "us-east-1", "objects": 12,
                "bytes": 12, "changed": 0, "unexpected": 0,
            },
            "tables": { "tables": 0, "verdicts": {}, "repaired": 0, "repaired_objects": 0, "repaired_bytes": 0 },
            "settings": {
                "source": "lake", "source_account": "111111111111", "inventory": { "bucket": "b", "id": "daily" },
            },
        });
        if let Some(previous) = previous {
            value["previous_sha256"] = json!(previous);
        }
        value
    }

    fn sign(pair: &EcdsaKeyPair, bytes: &[u8]) -> Vec<u8> {
        let signature = pair.sign(&SystemRandom::new(), bytes).unwrap();
        canonical_json(&Signature::new("arn:aws:kms:us-east-1:222222222222:key/1", signature.as_ref())).unwrap()
    }

    fn public(pair: &EcdsaKeyPair) -> PublicKey {
        PublicKey::from_der(pair.public_key().as_der().unwrap().as_ref()).unwrap()
    }

    fn pair() -> EcdsaKeyPair {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()
    }

    /// Four signed receipts.
    fn chain(pair: &EcdsaKeyPair) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for number in 1..=4 {
            let previous = links.last().map(|link| digest(&link.bytes));
            let bytes = canonical_json(&receipt(number, previous.as_deref())).unwrap();
            links.push(Link { number, signature: Some(sign(pair, &bytes)), bytes });
        }
        links
    }

    /// How many receipts are good, and what is wrong with the next.
    fn checked(links: &[Link], key: Option<&PublicKey>) -> (u64, Option<Break>) {
        let mut chain = Chain::new("lake", key);
        let broken = links.iter().find_map(|l| chain.check(l.number, &l.bytes, l.signature.as_deref()).err());
        (chain.length(), broken)
    }

    fn edit(link: &mut Link, change: impl FnOnce(&mut Value)) {
        let mut value: Value = serde_json::from_slice(&link.bytes).unwrap();
        change(&mut value);
        link.bytes = canonical_json(&value).unwrap();
    }

    #[test]
    fn whole_chain_is_good_with_its_signatures_and_without() {
        let pair = pair();
        let links = chain(&pair);
        assert_eq!(checked(&links, None), (4, None));
        assert_eq!(checked(&links, Some(&public(&pair))), (4, None));
        assert_eq!(checked(&[], None), (0, None));
    }

    #[rstest]
    #[case::byte_of_white_space(|links: &mut Vec<Link>| links[1].bytes.push(b' '), 1, "not the canonical form")]
    #[case::byte_that_breaks_the_json(|links: &mut Vec<Link>| links[1].bytes[0] = b'[', 1, "does not read as a receipt")]
    #[case::count_that_was_changed(|links: &mut Vec<Link>| edit(&mut links[1], |r| r["objects"]["copied"] = json!(13)), 2, "one of the two")]
    #[case::missing_link(|links: &mut Vec<Link>| drop(links.remove(1)), 1, "the chain goes on with 3")]
    #[case::missing_first(|links: &mut Vec<Link>| drop(links.remove(0)), 0, "the chain goes on with 2")]
    #[case::reordered_pair(
        |links: &mut Vec<Link>| { let (a, b) = (links[1].bytes.clone(), links[2].bytes.clone()); (links[1].bytes, links[2].bytes) = (b, a); },
        1, "says that it is number 3"
    )]
    #[case::renumbered(|links: &mut Vec<Link>| edit(&mut links[3], |r| r["sequence"] = json!(9)), 3, "number 9")]
    #[case::other_source(|links: &mut Vec<Link>| edit(&mut links[3], |r| r["run"]["source"] = json!("pond")), 3, "receipt of pond")]
    #[case::newer_form(|links: &mut Vec<Link>| edit(&mut links[3], |r| r["version"] = json!(2)), 3, "version 2")]
    #[case::first_with_a_predecessor(|links: &mut Vec<Link>| edit(&mut links[0], |r| r["previous_sha256"] = json!("00")), 0, "there is none")]
    #[case::without_a_predecessor(|links: &mut Vec<Link>| edit(&mut links[2], |r| drop(r.as_object_mut().unwrap().remove("previous_sha256"))), 2, "(none)")]
    fn first_break_is_named(#[case] tamper: fn(&mut Vec<Link>), #[case] good: u64, #[case] told: &str) {
        let mut links = chain(&pair());
        tamper(&mut links);
        let (length, broken) = checked(&links, None);
        let broken = broken.unwrap().to_string();
        assert!(broken.contains(told), "{broken}");
        assert_eq!(length, good, "{broken}");
    }

    #[rstest]
    #[case::forged_last_receipt(|links: &mut Vec<Link>, _: &EcdsaKeyPair| edit(&mut links[3], |r| r["objects"]["copied"] = json!(13)), 3, "not one of these bytes")]
    #[case::signed_by_another_key(|links: &mut Vec<Link>, other: &EcdsaKeyPair| links[3].signature = Some(sign(other, &links[3].bytes.clone())), 3, "not one of these bytes")]
    #[case::signature_of_another_receipt(|links: &mut Vec<Link>, _: &EcdsaKeyPair| links[3].signature = links[2].signature.clone(), 3, "not one of these bytes")]
    #[case::unsigned(|links: &mut Vec<Link>, _: &EcdsaKeyPair| links[1].signature = None, 1, "is not signed")]
    #[case::no_signature(|links: &mut Vec<Link>, _: &EcdsaKeyPair| links[1].signature = Some(b"{}".to_vec()), 1, "does not read")]
    fn with_a_key_only_what_it_has_signed_is_good(
        #[case] tamper: fn(&mut Vec<Link>, &EcdsaKeyPair),
        #[case] good: u64,
        #[case] told: &str,
    ) {
        let (own, other) = (pair(), pair());
        let mut links = chain(&own);
        tamper(&mut links, &other);
        assert_eq!(checked(&links, None), (4, None), "without the key nobody can tell");
        let (length, broken) = checked(&links, Some(&public(&own)));
        let broken = broken.unwrap().to_string();
        assert!(broken.contains(told), "{broken}");
        assert_eq!(length, good, "{broken}");
    }

    #[rstest]
    #[case("00000001.json", Some(FileKind::Receipt(1)))]
    #[case("00000412.sig.json", Some(FileKind::Signature(412)))]
    #[case("1.json", None)]
    #[case("00000000.json", None)]
    #[case("+0000001.json", None)]
    #[case("00000001.json.bak", None)]
    #[case("readme", None)]
    fn names_tell_receipts_from_signatures_and_from_others(#[case] name: &str, #[case] kind: Option<FileKind>) {
        assert_eq!(FileKind::of(name), kind);
        for number in [1, 412] {
            let names = [receipt_key("lake", number), signature_key("lake", number)];
            let kinds = names.map(|key| FileKind::of(key.strip_prefix(&prefix("lake")).unwrap()));
            assert_eq!(kinds, [Some(FileKind::Receipt(number)), Some(FileKind::Signature(number))]);
        }
    }

    #[test]
    fn public_key_survives_its_pem_and_other_keys_are_refused() {
        let key = public(&pair());
        let pem = key.to_pem();
        assert!(pem.lines().all(|line| line.len() <= 64), "{pem}");
        assert_eq!(PublicKey::from_pem(&format!("a comment\n{pem}")), Ok(key));
        use crate::signature::KeyError;
        assert_eq!(PublicKey::from_pem("no key"), Err(KeyError::NoPem));
        assert_eq!(
            PublicKey::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
            Err(KeyError::OtherKey)
        );
    }
}
