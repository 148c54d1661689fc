//! The checksums that S3 verifies on upload, keeps, and returns.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use s3s::{
    S3Error, S3Result,
    crypto::{Checksum, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
    dto, s3_error,
};
use serde::{Deserialize, Serialize};

use super::body::Body;

/// A checksum algorithm of the S3 API.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// A checksum as it is kept with an object or a part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredChecksum {
    pub(crate) algorithm: Algorithm,
    /// Base64, with `-N` behind a composite one.
    pub(crate) value: String,
    /// Whether it is a checksum of the parts' checksums.
    pub(crate) composite: bool,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// Reads the name; refuses algorithms that the twin does not model.
    pub(crate) fn parse(name: &dto::ChecksumAlgorithm) -> S3Result<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name.as_str()).ok_or_else(|| {
            s3_error!(NotImplemented, "the twin does not model the checksum algorithm {}", name.as_str())
        })
    }

    /// The checksum's bytes.
    pub(crate) fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Crc32 => Crc32::checksum(data).as_ref().to_vec(),
            Self::Crc32c => Crc32c::checksum(data).as_ref().to_vec(),
            Self::Crc64Nvme => Crc64Nvme::checksum(data).as_ref().to_vec(),
            Self::Sha1 => Sha1::checksum(data).as_ref().to_vec(),
            Self::Sha256 => Sha256::checksum(data).as_ref().to_vec(),
        }
    }

    /// The checksum of a whole body, read piece by piece; of a sparse one, that of its description.
    pub(crate) fn of_body(self, body: &Body) -> S3Result<StoredChecksum> {
        let digest = match self {
            Self::Crc32 => digest_of::<Crc32>(body),
            Self::Crc32c => digest_of::<Crc32c>(body),
            Self::Crc64Nvme => digest_of::<Crc64Nvme>(body),
            Self::Sha1 => digest_of::<Sha1>(body),
            Self::Sha256 => digest_of::<Sha256>(body),
        }?;
        Ok(StoredChecksum { algorithm: self, value: STANDARD.encode(digest), composite: false })
    }

    /// The checksum of a whole object.
    pub(crate) fn of(self, data: &[u8]) -> StoredChecksum {
        StoredChecksum { algorithm: self, value: STANDARD.encode(self.digest(data)), composite: false }
    }
}

impl StoredChecksum {
    /// The composite checksum of parts: the checksum of the parts' checksums, and their number.
    pub(crate) fn composite(algorithm: Algorithm, parts: &[StoredChecksum]) -> S3Result<Self> {
        let mut all = Vec::new();
        for part in parts {
            all.extend(STANDARD.decode(&part.value).map_err(|error| s3_error!(error, InternalError))?);
        }
        let value = format!("{}-{}", STANDARD.encode(algorithm.digest(&all)), parts.len());
        Ok(Self { algorithm, value, composite: true })
    }

    /// `COMPOSITE` or `FULL_OBJECT`.
    pub(crate) fn kind(&self) -> dto::ChecksumType {
        dto::ChecksumType::from_static(if self.composite { "COMPOSITE" } else { "FULL_OBJECT" })
    }

    /// The members of a response.
    pub(crate) fn fields(checksum: Option<&Self>) -> dto::Checksum {
        let mut fields = dto::Checksum::default();
        if let Some(checksum) = checksum {
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                Algorithm::Crc32 => fields.checksum_crc32 = value,
                Algorithm::Crc32c => fields.checksum_crc32c = value,
                Algorithm::Crc64Nvme => fields.checksum_crc64nvme = value,
                Algorithm::Sha1 => fields.checksum_sha1 = value,
                Algorithm::Sha256 => fields.checksum_sha256 = value,
            }
            fields.checksum_type = Some(checksum.kind());
        }
        fields
    }
}

/// Puts a checksum into any output that has a member per algorithm.
macro_rules! tell_checksum {
    ($output:expr, $checksum:expr) => {{
        let fields = $crate::s3::checksum::StoredChecksum::fields($checksum);
        $output.checksum_crc32 = fields.checksum_crc32;
        $output.checksum_crc32c = fields.checksum_crc32c;
        $output.checksum_crc64nvme = fields.checksum_crc64nvme;
        $output.checksum_sha1 = fields.checksum_sha1;
        $output.checksum_sha256 = fields.checksum_sha256;
    }};
    ($output:expr, $checksum:expr, typed) => {{
        $crate::s3::checksum::tell_checksum!($output, $checksum);
        $output.checksum_type = $checksum.map($crate::s3::checksum::StoredChecksum::kind);
    }};
}
pub(crate) use tell_checksum;

/// The checksums that a request states.
#[derive(Default)]
pub(crate) struct Stated {
    values: Vec<(Algorithm, String)>,
}

impl Stated {
    /// Collects what the headers, trailers or the XML state.
    pub(crate) fn new(
        crc32: Option<String>,
        crc32c: Option<String>,
        crc64nvme: Option<String>,
        sha1: Option<String>,
        sha256: Option<String>,
    ) -> S3Result<Self> {
        let values: Vec<_> =
            Algorithm::ALL.into_iter().zip([crc32, crc32c, crc64nvme, sha1, sha256]).collect::<Vec<_>>();
        let values: Vec<_> =
            values.into_iter().filter_map(|(algorithm, value)| value.map(|value| (algorithm, value))).collect();
        if values.len() > 1 {
            return Err(s3_error!(
                InvalidRequest,
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            ));
        }
        Ok(Self { values })
    }

    /// The one checksum stated.
    pub(crate) fn single(&self) -> Option<(Algorithm, &str)> {
        self.values.first().map(|(algorithm, value)| (*algorithm, value.as_str()))
    }

    /// Checks `data` against what is stated and returns the checksum to keep: the stated one, the one of the
    /// algorithm asked for, or (as S3 does) CRC64NVME.
    pub(crate) fn verify(&self, asked: Option<Algorithm>, data: &[u8]) -> S3Result<StoredChecksum> {
        let Some((algorithm, value)) = self.single() else {
            return Ok(asked.unwrap_or(Algorithm::Crc64Nvme).of(data));
        };
        let computed = algorithm.of(data);
        if computed.value != value {
            let valid = STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == algorithm.digest(&[]).len());
            return Err(if valid {
                s3_error!(BadDigest, "The {} you specified did not match the calculated checksum.", algorithm.as_str())
            } else {
                s3_error!(
                    InvalidRequest,
                    "Value for x-amz-checksum-{} header is invalid.",
                    algorithm.as_str().to_lowercase()
                )
            });
        }
        Ok(computed)
    }
}

/// The MD5 of `data`, in hexadecimal: the ETag of an object put whole.
pub(crate) fn md5_hex(data: &[u8]) -> String {
    hex::encode(Md5::digest(data))
}

/// As [`md5_hex`], of a body that is read piece by piece; of a sparse one, that of its description.
pub(crate) fn md5_hex_of(body: &Body) -> S3Result<String> {
    let mut hasher = Md5::new();
    body.digested(|piece| hasher.update(piece)).map_err(unreadable)?;
    Ok(hex::encode(hasher.finalize()))
}

/// What a call answers when bytes that are kept in a folder cannot be read.
pub(crate) fn unreadable(error: io::Error) -> S3Error {
    s3_error!(error, InternalError, "the twin cannot read the object's bytes")
}

fn digest_of<C: Checksum>(body: &Body) -> S3Result<Vec<u8>> {
    let mut checksum = C::new();
    body.digested(|piece| checksum.update(piece)).map_err(unreadable)?;
    Ok(checksum.finalize().as_ref().to_vec())
}

/// Checks `Content-MD5`.
pub(crate) fn verify_content_md5(stated: Option<&str>, data: &[u8]) -> S3Result<()> {
    let Some(stated) = stated else { return Ok(()) };
    let bytes = STANDARD.decode(stated).ok().filter(|bytes| bytes.len() == 16);
    let bytes = bytes.ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."))?;
    if bytes != Md5::digest(data).to_vec() {
        return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
    }
    Ok(())
}

/// The ETag of a multipart upload: the MD5 of the parts' MD5s, and their number.
pub(crate) fn multipart_etag<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = parts.len();
    let mut hasher = Md5::new();
    for etag in parts {
        hasher.update(hex::decode(etag).unwrap_or_default());
    }
    format!("{}-{count}", hex::encode(hasher.finalize()))
}
