//! MD5, the digest that S3 uses in all manifests of this crate, and a writer that counts and digests.

use std::io::{self, Write};

use md5::{Digest, Md5};

/// The MD5 of the bytes in lower-case hexadecimal, as `manifest.checksum` and the manifests hold it.
pub fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// Whether the text is an MD5 in hexadecimal, in capital or small letters.
pub(crate) fn is_md5_hex(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Counts and digests what passes through.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    md5: Md5,
    bytes: u64,
}

impl Tally {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// The number of bytes and their MD5 in hexadecimal.
    pub(crate) fn finish(self) -> (u64, String) {
        (self.bytes, hex::encode(self.md5.finalize()))
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
