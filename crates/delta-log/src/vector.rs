//! Descriptors of deletion vectors.
//!
//! PROTOCOL.md of delta-io/delta, "Deletion Vector Descriptor Schema", "Deletion Vector File Storage Format".

use crate::{
    actions::Unusable,
    ids::{Id, Kind},
};

/// The alphabet of Z85: rfc.zeromq.org/spec/32.
const Z85: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// A descriptor, as the log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vector<'a> {
    /// `u`, `i` or `p`.
    pub(crate) storage: &'a str,
    /// `pathOrInlineDv`
    pub(crate) path: &'a str,
    pub(crate) offset: Option<i64>,
    pub(crate) size_in_bytes: i64,
    pub(crate) cardinality: i64,
}

/// Where a vector is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored<'a> {
    /// In the log.
    Inline,
    /// In a file below the table's root, which has at least so many bytes.
    File { path: String, end: u64 },
    /// In a file at an absolute path.
    Absolute(&'a str),
}

impl<'a> Vector<'a> {
    /// `DeletionVectorDescriptor.uniqueId` as a hash.
    pub(crate) fn unique_id(&self) -> Id {
        let offset = self.offset.map_or(String::new(), |offset| format!("@{offset}"));
        let mut text = Vec::with_capacity(self.storage.len() + self.path.len() + offset.len());
        for piece in [self.storage, self.path, &offset] {
            text.extend_from_slice(piece.as_bytes());
        }
        Id::of(Kind::Vector, &text)
    }

    /// Where the vector is. A vector in a file takes 4 bytes for its size, its bytes, and 4 for a check sum, from its offset on.
    pub(crate) fn stored(&self) -> Result<Stored<'a>, Unusable> {
        let broken =
            || Unusable::new(format!("a deletion vector ({}{}) is not as it should be", self.storage, self.path));
        match self.storage {
            "i" => Ok(Stored::Inline),
            "p" => Ok(Stored::Absolute(self.path)),
            "u" => {
                let at = self.path.len().checked_sub(20).ok_or_else(broken)?;
                let (prefix, uuid) = self.path.split_at_checked(at).ok_or_else(broken)?;
                let uuid = uuid::Uuid::from_bytes(z85_uuid(uuid).ok_or_else(broken)?);
                let slash = if prefix.is_empty() { "" } else { "/" };
                let offset = u64::try_from(self.offset.unwrap_or(0)).map_err(|_| broken())?;
                let size = u64::try_from(self.size_in_bytes).map_err(|_| broken())?;
                Ok(Stored::File {
                    path: format!("{prefix}{slash}deletion_vector_{uuid}.bin"),
                    end: offset.saturating_add(size).saturating_add(8),
                })
            }
            _ => Err(broken()),
        }
    }

    /// Rows that it takes away.
    pub(crate) fn rows(&self) -> Option<u64> {
        u64::try_from(self.cardinality).ok()
    }
}

/// The 16 bytes of 20 characters of Z85.
fn z85_uuid(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 20 {
        return None;
    }
    for (four, five) in bytes.chunks_exact_mut(4).zip(text.as_bytes().chunks_exact(5)) {
        let mut value = 0_u64;
        for character in five {
            let digit = memchr::memchr(*character, Z85)?;
            value = value * 85 + digit as u64;
        }
        four.copy_from_slice(&u32::try_from(value).ok()?.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn vector<'a>(storage: &'a str, path: &'a str) -> Vector<'a> {
        Vector { storage, path, offset: Some(4), size_in_bytes: 40, cardinality: 6 }
    }

    // The examples of PROTOCOL.md, "JSON Example 1 — On Disk with Relative Path (with Random Prefix)" to 3.
    #[rstest]
    #[case("u", "ab^-aqEH.-t@S}K{vb[*k^", Stored::File {
        path: "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin".into(), end: 52 })]
    #[case("u", "^-aqEH.-t@S}K{vb[*k^", Stored::File {
        path: "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin".into(), end: 52 })]
    #[case("i", "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", Stored::Inline)]
    #[case(
        "p",
        "s3://mytable/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin",
        Stored::Absolute("s3://mytable/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin")
    )]
    fn descriptors_lead_to_files(#[case] storage: &str, #[case] path: &str, #[case] expected: Stored<'_>) {
        assert_eq!(vector(storage, path).stored(), Ok(expected));
    }

    #[rstest]
    #[case::unknown_storage(vector("x", "^-aqEH.-t@S}K{vb[*k^"))]
    #[case::short(vector("u", "^-aqEH.-t@S}K{vb[*k"))]
    #[case::not_z85(vector("u", "^-aqEH.-t@S}K{vb[*k\""))]
    #[case::too_great(vector("u", "####################"))]
    #[case::cut_in_a_character(vector("u", "\u{e4}-aqEH.-t@S}K{vb[*k"))]
    #[case::negative_size(Vector { size_in_bytes: -1, ..vector("u", "^-aqEH.-t@S}K{vb[*k^") })]
    #[case::negative_offset(Vector { offset: Some(-1), ..vector("u", "^-aqEH.-t@S}K{vb[*k^") })]
    fn descriptors_that_are_not_understood_are_refused(#[case] vector: Vector<'_>) {
        assert!(vector.stored().is_err());
    }

    #[test]
    fn ids_tell_vectors_of_one_file_apart() {
        let first = vector("u", "^-aqEH.-t@S}K{vb[*k^");
        assert_ne!(first.unique_id(), Vector { offset: Some(5), ..first }.unique_id());
        assert_ne!(first.unique_id(), Vector { offset: None, ..first }.unique_id());
        assert_eq!(first.unique_id(), Vector { cardinality: 7, ..first }.unique_id());
    }

    proptest! {
        #[test]
        fn any_uuid_comes_back(bytes in any::<[u8; 16]>()) {
            let mut text = String::new();
            for four in bytes.chunks_exact(4) {
                let value = u32::from_be_bytes(four.try_into().unwrap());
                text.extend((0..5).rev().map(|power| char::from(Z85[(value / 85_u32.pow(power) % 85) as usize])));
            }
            prop_assert_eq!(z85_uuid(&text), Some(bytes));
        }

        #[test]
        fn any_descriptor_is_read_or_refused(storage in "[uipx]", path in "\\PC{0,30}", offset in any::<i64>(), size in any::<i64>()) {
            let _ = Vector { storage: &storage, path: &path, offset: Some(offset), size_in_bytes: size, cardinality: 0 }.stored();
        }
    }
}
