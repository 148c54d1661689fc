//! Reads keys one after the other.

use super::KeyCodec;

/// Decodes keys of which many are in the folder of the one before, as those of inventories and reports are: what stands up to
/// the last slash is decoded and found to be UTF-8 once.
pub(crate) struct KeyReader {
    codec: KeyCodec,
    /// The encoded folder of the last key, with its slash.
    folder: Vec<u8>,
    /// The last key; it begins with the decoded folder.
    key: String,
    /// The length of the decoded folder.
    folder_length: usize,
    scratch: Vec<u8>,
}

impl KeyReader {
    pub(crate) fn new(codec: KeyCodec) -> Self {
        Self { codec, folder: Vec::new(), key: String::new(), folder_length: 0, scratch: Vec::new() }
    }

    /// Decodes a key, which [`Self::key`] then is. None where an escape is broken or the key is not UTF-8.
    #[inline]
    pub(crate) fn read(&mut self, encoded: &[u8]) -> Option<()> {
        let name = match encoded.strip_prefix(self.folder.as_slice()) {
            Some(name) if memchr::memchr(b'/', name).is_none() => name,
            _ => self.enter(encoded)?,
        };
        self.key.truncate(self.folder_length);
        self.push(name)
    }

    /// The last key that was read.
    #[inline]
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Decodes the folder of a key, and returns what follows it. No escape and no letter goes on beyond a slash, so that
    /// the parts of a key can be decoded by themselves.
    #[cold]
    fn enter<'a>(&mut self, encoded: &'a [u8]) -> Option<&'a [u8]> {
        let length = memchr::memrchr(b'/', encoded).map_or(0, |slash| slash + 1);
        let (folder, name) = encoded.split_at_checked(length)?;
        self.folder.clear();
        self.key.clear();
        self.folder_length = 0;
        self.push(folder)?;
        self.folder.extend_from_slice(folder);
        self.folder_length = self.key.len();
        Some(name)
    }

    /// Appends what a part of a key says.
    #[inline]
    fn push(&mut self, encoded: &[u8]) -> Option<()> {
        let decoded = match self.codec.decode_into(encoded, &mut self.scratch) {
            None => encoded,
            Some(None) => &self.scratch,
            Some(Some(_)) => return None,
        };
        self.key.push_str(str::from_utf8(decoded).ok()?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_decoded_alike_whatever_keys_were_before_them(
            keys in prop::collection::vec("(a|b|/|t/d%3D1/|%|%C3|%BC|%2F|\\+|ü|c){0,8}", 1..12),
            form in any::<bool>(),
        ) {
            let codec = if form { KeyCodec::Form } else { KeyCodec::Percent };
            let mut reader = KeyReader::new(codec);
            for key in keys {
                let alone = codec.decode(key.as_bytes()).ok().and_then(|key| String::from_utf8(key.into_owned()).ok());
                let read = reader.read(key.as_bytes()).map(|()| reader.key().to_owned());
                prop_assert_eq!(read, alone);
            }
        }
    }
}
