//! How object keys are written in inventories, manifests, reports and events.
//!
//! Two encodings are in use and they differ in the meaning of `+`, so that the codec belongs to a file, not to a key:
//!
//! | file | codec |
//! |---|---|
//! | inventory data files, S3 event notifications | [`KeyCodec::Form`] |
//! | Batch Operations CSV manifests of Levee | [`KeyCodec::Percent`] |
//! | completion reports | the codec of the manifest that the job read, whose bytes are echoed |
//!
//! What [`KeyCodec::Percent`] writes holds no `+`, so both codecs read it alike.

mod reader;

use std::borrow::Cow;

pub(crate) use reader::KeyReader;

/// An encoding of object keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyCodec {
    /// `application/x-www-form-urlencoded` with bare slashes: `+` is a space, `%XX` a byte.
    ///
    /// Encoding leaves `A-Za-z0-9`, `.`, `-`, `*`, `_` and `/` as they are, as S3 Inventory does.
    Form,
    /// Percent encoding (RFC 3986): `%XX` is a byte and `+` stands for itself.
    ///
    /// Encoding leaves `A-Za-z0-9`, `-`, `.`, `_`, `~` and `/` as they are.
    Percent,
}

/// A key whose encoding is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the % at byte {offset} of the encoded key is not followed by two hexadecimal digits")]
pub struct KeyError {
    /// Where the `%` stands in the encoded key, from 0.
    pub offset: usize,
}

impl KeyCodec {
    /// Decodes a key. The result may not be UTF-8; it borrows when there is nothing to decode.
    ///
    /// Hexadecimal digits may be capital or small. Bytes that an encoder would have escaped are taken as they are.
    pub fn decode(self, encoded: &[u8]) -> Result<Cow<'_, [u8]>, KeyError> {
        let (decoded, error) = self.decode_leniently(encoded);
        error.map_or(Ok(decoded), Err)
    }

    /// Decodes a key of which an escape may be broken: such a `%` is kept as it is, and the first one is returned.
    ///
    /// Only for showing a row to a person: what comes out with an error is not the key of an object.
    pub fn decode_leniently(self, encoded: &[u8]) -> (Cow<'_, [u8]>, Option<KeyError>) {
        let mut decoded = Vec::new();
        match self.decode_into(encoded, &mut decoded) {
            None => (Cow::Borrowed(encoded), None),
            Some(error) => (Cow::Owned(decoded), error),
        }
    }

    /// Replaces `decoded` with the key, and returns the first broken escape; none of both where there is nothing to decode.
    pub(crate) fn decode_into(self, encoded: &[u8], decoded: &mut Vec<u8>) -> Option<Option<KeyError>> {
        let mut escape = Some(self.escape(encoded)?);
        decoded.clear();
        let (mut rest, mut error) = (encoded, None);
        while let Some(at) = escape {
            let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            decoded.extend_from_slice(plain);
            rest = match from {
                [b'+', after @ ..] => {
                    decoded.push(b' ');
                    after
                }
                [b'%', high, low, after @ ..] if let Some(value) = hex_pair(*high, *low) => {
                    decoded.push(value);
                    after
                }
                [_, after @ ..] => {
                    error = error.or(Some(KeyError { offset: encoded.len() - after.len() - 1 }));
                    decoded.push(b'%');
                    after
                }
                [] => from,
            };
            escape = self.escape(rest);
        }
        decoded.extend_from_slice(rest);
        Some(error)
    }

    /// Where the first escape is.
    fn escape(self, encoded: &[u8]) -> Option<usize> {
        match self {
            Self::Form => memchr::memchr2(b'%', b'+', encoded),
            Self::Percent => memchr::memchr(b'%', encoded),
        }
    }

    /// [`Self::decode_leniently`] of bytes that may be owned.
    pub(crate) fn decode_shared<'a>(self, encoded: &Cow<'a, [u8]>) -> (Cow<'a, [u8]>, Option<KeyError>) {
        match encoded {
            Cow::Borrowed(encoded) => self.decode_leniently(encoded),
            Cow::Owned(encoded) => {
                let (key, error) = self.decode_leniently(encoded);
                (Cow::Owned(key.into_owned()), error)
            }
        }
    }

    /// Encodes a key; escapes have capital digits. `decode(encode(key)) == key` for any bytes.
    pub fn encode(self, key: &[u8]) -> String {
        let mut encoded = Vec::with_capacity(key.len() + key.len() / 8);
        self.encode_into(key, &mut encoded);
        // Only ASCII was pushed, so nothing is lost here.
        String::from_utf8_lossy(&encoded).into_owned()
    }

    /// Appends the encoded key, which is ASCII without quotes, commas, spaces and line ends, to `out`.
    pub fn encode_into(self, key: &[u8], out: &mut Vec<u8>) {
        let mut rest = key;
        while let Some(end) = rest.iter().position(|byte| !PLAIN.get(usize::from(*byte)).is_some_and(|plain| *plain)) {
            let (plain, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            out.extend_from_slice(plain);
            let Some((&byte, after)) = after.split_first() else { return };
            match (self, byte) {
                (Self::Form, b'*') | (Self::Percent, b'~') => out.push(byte),
                (Self::Form, b' ') => out.push(b'+'),
                _ => out.extend([b'%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]),
            }
            rest = after;
        }
        out.extend_from_slice(rest);
    }
}

/// The bytes that both encodings leave as they are.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    loop {
        if let Some(place) = plain.split_at_mut(byte as usize).1.first_mut() {
            *place = matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/');
        }
        if byte == u8::MAX {
            break plain;
        }
        byte += 1;
    }
};

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'A' + value - 10,
    }
}
