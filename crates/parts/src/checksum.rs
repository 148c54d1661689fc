//! The checksums that S3 keeps with objects and parts, and which of them a copy can have.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use serde::{Deserialize, Serialize};

/// The algorithm that S3 itself uses when nobody asks for another ("Checking object integrity" in the S3 User Guide).
const DEFAULT: &str = "CRC64NVME";
/// The algorithms whose checksums S3 combines to one of the whole object when it is uploaded in parts.
const COMBINED: [&str; 3] = [DEFAULT, "CRC32", "CRC32C"];
/// Those that a multipart upload can only have as a checksum over the checksums of the parts.
const OVER_PARTS: [&str; 2] = ["SHA1", "SHA256"];

/// A checksum in Base64, by the algorithm's name in the S3 API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: &'static str,
    pub(crate) value: String,
}

/// A checksum of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectChecksum {
    pub(crate) checksum: Checksum,
    /// Whether it is of the whole object, and not over the checksums of its parts.
    pub(crate) full_object: bool,
}

/// The checksum that any answer of S3 tells.
macro_rules! told {
    ($answer:expr) => {
        $crate::checksum::Checksum::first([
            ("CRC64NVME", $answer.checksum_crc64_nvme()),
            ("CRC32C", $answer.checksum_crc32_c()),
            ("CRC32", $answer.checksum_crc32()),
            ("SHA256", $answer.checksum_sha256()),
            ("SHA1", $answer.checksum_sha1()),
            ("SHA512", $answer.checksum_sha512()),
            ("MD5", $answer.checksum_md5()),
            ("XXHASH64", $answer.checksum_xxhash64()),
            ("XXHASH3", $answer.checksum_xxhash3()),
            ("XXHASH128", $answer.checksum_xxhash128()),
        ])
    };
}

/// Gives any request a checksum.
macro_rules! state {
    ($request:expr, $checksum:expr) => {{
        let (request, checksum) = ($request, $checksum);
        let value = |algorithm: &str| {
            checksum.filter(|checksum| checksum.algorithm == algorithm).map(|checksum| checksum.value.clone())
        };
        request
            .set_checksum_crc64_nvme(value("CRC64NVME"))
            .set_checksum_crc32_c(value("CRC32C"))
            .set_checksum_crc32(value("CRC32"))
            .set_checksum_sha256(value("SHA256"))
            .set_checksum_sha1(value("SHA1"))
            .set_checksum_sha512(value("SHA512"))
            .set_checksum_md5(value("MD5"))
            .set_checksum_xxhash64(value("XXHASH64"))
            .set_checksum_xxhash3(value("XXHASH3"))
            .set_checksum_xxhash128(value("XXHASH128"))
    }};
}

pub(crate) use {state, told};

impl Checksum {
    /// The first that is there.
    pub(crate) fn first<'a>(told: impl IntoIterator<Item = (&'static str, Option<&'a str>)>) -> Option<Self> {
        let mut told = told.into_iter();
        told.find_map(|(algorithm, value)| Some(Self { algorithm, value: value?.to_owned() }))
    }
}

impl ObjectChecksum {
    /// The checksum of an object as a HEAD tells it. Without a type, a composite one is told by the number of parts behind it.
    pub(crate) fn of(checksum: Option<Checksum>, kind: Option<&ChecksumType>) -> Option<Self> {
        let checksum = checksum?;
        let full_object = match kind {
            Some(kind) => *kind == ChecksumType::FullObject,
            None => !checksum.value.contains('-'),
        };
        Some(Self { checksum, full_object })
    }
}

/// The checksum that an upload is made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadChecksum {
    algorithm: String,
    full_object: bool,
}

impl UploadChecksum {
    /// The source's algorithm and type, as far as an upload in parts can have them; CRC64NVME of the whole for a source without
    /// a checksum, or with one of an algorithm of which it is not documented how parts are combined.
    pub(crate) fn like(source: Option<&ObjectChecksum>) -> Self {
        let default = Self { algorithm: DEFAULT.to_owned(), full_object: true };
        let Some(source) = source else { return default };
        let algorithm = source.checksum.algorithm;
        let carried = |full_object| Self { algorithm: algorithm.to_owned(), full_object };
        if !source.full_object {
            return carried(false);
        }
        if COMBINED.contains(&algorithm) {
            carried(true)
        } else if OVER_PARTS.contains(&algorithm) {
            carried(false)
        } else {
            default
        }
    }

    /// The algorithm, for a request.
    pub(crate) fn algorithm(&self) -> ChecksumAlgorithm {
        ChecksumAlgorithm::from(self.algorithm.as_str())
    }

    /// The type, for a request.
    pub(crate) fn kind(&self) -> ChecksumType {
        if self.full_object { ChecksumType::FullObject } else { ChecksumType::Composite }
    }

    /// What the whole object's checksum must be, where the source tells.
    pub(crate) fn expected<'a>(&self, source: Option<&'a ObjectChecksum>) -> Option<&'a Checksum> {
        let same = |source: &&ObjectChecksum| source.full_object && source.checksum.algorithm == self.algorithm;
        source.filter(|_| self.full_object).filter(same).map(|source| &source.checksum)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;

    use super::*;

    fn source(algorithm: &'static str, full_object: bool) -> ObjectChecksum {
        ObjectChecksum { checksum: Checksum { algorithm, value: "AAAA".to_owned() }, full_object }
    }

    #[rstest]
    #[case::none(None, "CRC64NVME", true)]
    #[case::crc_of_the_whole(Some(source("CRC32", true)), "CRC32", true)]
    #[case::crc_over_parts(Some(source("CRC32C", false)), "CRC32C", false)]
    #[case::sha_of_one_put(Some(source("SHA256", true)), "SHA256", false)]
    #[case::sha_over_parts(Some(source("SHA1", false)), "SHA1", false)]
    #[case::one_that_is_not_documented_for_parts(Some(source("XXHASH3", true)), "CRC64NVME", true)]
    fn upload_has_the_checksum_of_its_source_as_far_as_parts_can(
        #[case] source: Option<ObjectChecksum>,
        #[case] algorithm: &str,
        #[case] full_object: bool,
    ) {
        let upload = UploadChecksum::like(source.as_ref());
        assert_eq!((upload.algorithm.as_str(), upload.full_object), (algorithm, full_object));
        let told = source.filter(|source| source.full_object && full_object && source.checksum.algorithm == algorithm);
        assert_eq!(upload.expected(told.as_ref()), told.as_ref().map(|told| &told.checksum));
    }

    #[rstest]
    #[case::typed_full("AAAA", Some(ChecksumType::FullObject), true)]
    #[case::typed_composite("AAAA-2", Some(ChecksumType::Composite), false)]
    #[case::untyped_full("AAAA", None, true)]
    #[case::untyped_composite("AAAA-2", None, false)]
    fn type_of_a_checksum_is_told_or_seen(
        #[case] value: &str,
        #[case] kind: Option<ChecksumType>,
        #[case] full_object: bool,
    ) {
        let checksum = Checksum::first([("SHA1", None), ("CRC32", Some(value))]);
        assert_eq!(ObjectChecksum::of(checksum, kind.as_ref()).unwrap().full_object, full_object);
    }
}
