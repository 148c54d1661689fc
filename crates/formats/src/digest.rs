//! MD5, the digest that S3 uses in all manifests of this crate: of bytes, of what passes through, and of files side by side.

mod pool;

use std::io::{self, Write};

use md5::{Digest, Md5};
pub use pool::{Md5Pool, PooledMd5};

/// The MD5 of the bytes in lower-case hexadecimal, as `manifest.checksum` and the manifests hold it.
pub fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// Whether the text is an MD5 in hexadecimal, in capital or small letters.
pub(crate) fn is_md5_hex(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Counts and digests what passes through.
#[derive(Clone)]
pub(crate) struct Tally {
    /// None when the digest is left to somebody else.
    md5: Option<Md5>,
    bytes: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { md5: Some(Md5::new()), bytes: 0 }
    }
}

impl Tally {
    /// Counts alone.
    pub(crate) fn without_digest() -> Self {
        Self { md5: None, bytes: 0 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.bytes += bytes.len() as u64;
    }

    /// The number of bytes and their MD5 in hexadecimal, which is empty where it was left to somebody else.
    pub(crate) fn finish(self) -> (u64, String) {
        (self.bytes, self.md5.map(|md5| hex::encode(md5.finalize())).unwrap_or_default())
    }
}

/// A writer that tallies what it hands on.
pub(crate) struct TallyWriter<W> {
    inner: W,
    tally: Tally,
}

impl<W: Write> TallyWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, tally: Tally::default() }
    }

    /// The writer below.
    pub(crate) fn inner(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The writer below, the number of bytes and their MD5.
    pub(crate) fn finish(self) -> (W, u64, String) {
        let (bytes, md5) = self.tally.finish();
        (self.inner, bytes, md5)
    }
}

impl<W: Write> Write for TallyWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.tally.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
