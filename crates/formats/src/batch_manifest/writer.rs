//! Writes CSV manifests.

use std::io::Write;

use crate::{KeyCodec, WriteError, digest::TallyWriter};

/// Writes a manifest with keys in [`KeyCodec::Percent`], so that form-decoding readers see the same keys.
pub struct ManifestWriter<W: Write> {
    writer: TallyWriter<W>,
    with_versions: bool,
    bucket: Option<String>,
    line: Vec<u8>,
    rows: u64,
}

/// A manifest that has been written.
#[derive(Debug)]
#[non_exhaustive]
pub struct WrittenManifest<W> {
    /// The writer below.
    pub writer: W,
    /// The rows written.
    pub rows: u64,
    /// The bytes written.
    pub size: u64,
    /// Their MD5 in hexadecimal.
    pub md5: String,
}

impl<W: Write> ManifestWriter<W> {
    /// A writer of rows `Bucket,Key`, or `Bucket,Key,VersionId` where versions are wanted.
    pub fn new(writer: W, with_versions: bool) -> Self {
        Self { writer: TallyWriter::new(writer), with_versions, bucket: None, line: Vec::new(), rows: 0 }
    }

    /// Writes a row; nothing is written of one that is refused.
    ///
    /// With versions, no version and an empty one are written as `null`. Without, a version is refused, because the job
    /// would act on another one. All rows must be of one bucket.
    pub fn row(&mut self, bucket: &str, key: &[u8], version_id: Option<&str>) -> Result<(), WriteError> {
        self.check(bucket, key, version_id)?;
        self.line.clear();
        self.line.extend_from_slice(bucket.as_bytes());
        self.line.push(b',');
        KeyCodec::Percent.encode_into(key, &mut self.line);
        if self.with_versions {
            self.line.push(b',');
            let version = version_id.filter(|id| !id.is_empty()).unwrap_or("null");
            self.line.extend_from_slice(version.as_bytes());
        }
        self.line.push(b'\n');
        self.writer.write_all(&self.line)?;
        self.rows += 1;
        Ok(())
    }

    /// Ends the manifest. One without rows is empty, and S3 refuses a job on it.
    pub fn finish(self) -> Result<WrittenManifest<W>, WriteError> {
        let (mut writer, size, md5) = self.writer.finish();
        writer.flush()?;
        Ok(WrittenManifest { writer, rows: self.rows, size, md5 })
    }

    fn check(&mut self, bucket: &str, key: &[u8], version_id: Option<&str>) -> Result<(), WriteError> {
        let refuse = |field, value: &str, reason| Err(WriteError::Field { field, value: value.to_owned(), reason });
        if bucket.is_empty() || !bucket.bytes().all(is_plain) {
            return refuse("bucket", bucket, "it is not the name of a bucket");
        }
        if key.is_empty() {
            return refuse("key", "", "a key has at least one byte");
        }
        match version_id {
            Some(id) if !self.with_versions => {
                return refuse("version id", id, "the manifest has no column for it, so another version would be used");
            }
            Some(id) if !id.bytes().all(is_plain) => {
                return refuse("version id", id, "it holds bytes that no version id has");
            }
            _ => {}
        }
        match &self.bucket {
            Some(first) if first != bucket => refuse("bucket", bucket, "a manifest is of one bucket"),
            Some(_) => Ok(()),
            None => {
                self.bucket = Some(bucket.to_owned());
                Ok(())
            }
        }
    }
}

/// Bytes that need neither quotes nor escapes.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b',' | b'"')
}
