//! As much of Thrift's compact protocol as it takes to read page headers, and to look a footer through before a parser that trusts
//! the sizes of lists gets it.
//!
//! Apache Thrift, doc/specs/thrift-compact-protocol.md; parquet.thrift of apache/parquet-format.

/// Elements of one list, above which a footer is refused: checkpoints have thousands of columns at most, and few row groups.
const LIST_LIMIT: u64 = 1 << 18;
/// Structs within structs.
const DEPTH_LIMIT: u32 = 24;

/// Groups within groups of a schema, above which a footer is refused: the crate `parquet` goes down into them by recursion, and a
/// stack that is used up ends the process.
const SCHEMA_DEPTH_LIMIT: usize = 256;

/// Reads from the beginning of some bytes.
#[derive(Clone, Copy)]
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

/// A field of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) id: i16,
    kind: u8,
}

impl Field {
    /// The value of a field that is true or false, which has no bytes of its own.
    pub(super) const fn flag(self) -> Option<bool> {
        match self.kind {
            1 => Some(true),
            2 => Some(false),
            _ => None,
        }
    }

    pub(super) const fn is_struct(self) -> bool {
        self.kind == 12
    }
}

impl<'a> Thrift<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn skip_bytes(&mut self, count: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A whole number of any width.
    #[allow(clippy::cast_possible_wrap, reason = "zigzag")]
    pub(super) fn number(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next field of a struct; none at its end.
    pub(super) fn field(&mut self, last: &mut i16) -> Option<Option<Field>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        let id = match head >> 4 {
            0 => i16::try_from(self.number()?).ok()?,
            step => last.checked_add(i16::from(step))?,
        };
        *last = id;
        Some(Some(Field { id, kind: head & 0x0f }))
    }

    /// Passes over the value of a field.
    pub(super) fn skip(&mut self, field: Field) -> Option<()> {
        if field.flag().is_some() { Some(()) } else { self.skip_value(field.kind, 0) }
    }

    fn skip_value(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        match kind {
            1..=3 => self.skip_bytes(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip_bytes(8),
            8 => {
                let count = self.varint()?;
                self.skip_bytes(count)
            }
            9 | 10 => self.skip_list(depth),
            11 => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                self.check_count(count)?;
                (0..count).try_for_each(|_| {
                    self.skip_value(kinds >> 4, depth + 1)?;
                    self.skip_value(kinds & 0x0f, depth + 1)
                })
            }
            12 => self.skip_struct(depth),
            _ => None,
        }
    }

    fn skip_list(&mut self, depth: u32) -> Option<()> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        self.check_count(count)?;
        (0..count).try_for_each(|_| self.skip_value(head & 0x0f, depth + 1))
    }

    fn skip_struct(&mut self, depth: u32) -> Option<()> {
        let mut last = 0;
        while let Some(field) = self.field(&mut last)? {
            if field.flag().is_none() {
                self.skip_value(field.kind, depth + 1)?;
            }
        }
        Some(())
    }

    /// Every element takes a byte at least, so that a greater count is a lie.
    fn check_count(&self, count: u64) -> Option<()> {
        (count <= LIST_LIMIT && count <= self.left() as u64).then_some(())
    }
}

/// Whether some bytes begin with a struct in which all sizes hold, and, as the metadata of a file, with a schema that is not too deep.
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    Thrift::new(bytes).skip_struct(0).is_some() && Thrift::new(bytes).check_schema().is_some()
}

impl Thrift<'_> {
    /// Looks at the field `schema` of `FileMetaData`: elements in depth-first order, of which groups say how many follow in them.
    fn check_schema(&mut self) -> Option<()> {
        let mut last = 0;
        while let Some(field) = self.field(&mut last)? {
            if (field.id, field.kind) == (2, 9) {
                self.check_elements()?;
            } else {
                self.skip(field)?;
            }
        }
        Some(())
    }

    fn check_elements(&mut self) -> Option<()> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        if head & 0x0f != 12 {
            return (0..count).try_for_each(|_| self.skip_value(head & 0x0f, 0));
        }
        // How many are still to come in each of the groups around.
        let mut groups: Vec<i64> = Vec::new();
        for _ in 0..count {
            while groups.pop_if(|left| *left == 0).is_some() {}
            if let Some(left) = groups.last_mut() {
                *left -= 1;
            }
            let (mut last, mut children) = (0, 0);
            while let Some(field) = self.field(&mut last)? {
                match field.id {
                    5 if field.kind == 5 => children = self.number()?,
                    _ => self.skip(field)?,
                }
            }
            groups.extend((children > 0).then_some(children));
            if groups.len() > SCHEMA_DEPTH_LIMIT {
                return None;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::empty(&[0], true)]
    #[case::number(&[0x15, 0x02, 0], true)]
    #[case::flag(&[0x11, 0], true)]
    #[case::text(&[0x18, 0x02, b'a', b'b', 0], true)]
    #[case::list(&[0x19, 0x25, 0x02, 0x04, 0], true)]
    #[case::text_longer_than_the_bytes(&[0x18, 0x7f, b'a', 0], false)]
    #[case::list_longer_than_the_bytes(&[0x19, 0xf5, 0xff, 0xff, 0x7f, 0x02, 0], false)]
    #[case::no_end(&[0x15, 0x02], false)]
    #[case::unknown_kind(&[0x1e, 0], false)]
    fn sizes_are_held_against_the_bytes(#[case] bytes: &[u8], #[case] sound: bool) {
        assert_eq!(is_sound(bytes), sound);
    }

    #[test]
    fn deep_structs_are_refused() {
        let mut bytes = vec![0x1c; 1000];
        bytes.extend([0; 1001]);
        assert!(!is_sound(&bytes));
    }

    /// The metadata of a file without rows, of so many groups in one another.
    fn nested(groups: usize) -> Vec<u8> {
        let mut bytes = vec![0x15, 0x02, 0x19, 0xfc];
        let mut count = groups + 1;
        while count > 0x7f {
            bytes.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
            count >>= 7;
        }
        bytes.push(u8::try_from(count).unwrap());
        for _ in 0..groups {
            bytes.extend([0x35, 0x02, 0x18, 0x01, b'a', 0x15, 0x02, 0x00]);
        }
        bytes.extend([0x15, 0x0c, 0x25, 0x02, 0x18, 0x01, b'a', 0x00]);
        bytes.extend([0x16, 0x00, 0x19, 0x0c, 0x00]);
        bytes
    }

    #[rstest]
    #[case(20, true)]
    #[case(SCHEMA_DEPTH_LIMIT, true)]
    #[case(SCHEMA_DEPTH_LIMIT + 1, false)]
    #[case(200_000, false)]
    fn deep_schemas_are_refused(#[case] groups: usize, #[case] sound: bool) {
        let footer = nested(groups);
        assert_eq!(is_sound(&footer), sound);
        if sound {
            let metadata = parquet::file::metadata::ParquetMetaDataReader::decode_metadata(&footer).unwrap();
            assert_eq!(metadata.file_metadata().schema_descr().column(0).path().parts().len(), groups);
        }
    }

    #[test]
    fn schemas_that_are_wide_are_not_deep() {
        let mut wide = vec![0x15, 0x02, 0x19, 0xfc, 0x81, 0x10];
        wide.extend([0x18, 0x01, b'a', 0x15, 0x80, 0x20, 0x00]);
        for _ in 0..1024 {
            wide.extend([0x35, 0x02, 0x18, 0x01, b'g', 0x15, 0x02, 0x00]);
            wide.extend([0x15, 0x0c, 0x25, 0x02, 0x18, 0x01, b'a', 0x00]);
        }
        wide.extend([0x16, 0x00, 0x19, 0x0c, 0x00]);
        assert!(is_sound(&wide));
    }

    proptest! {
        #[test]
        fn any_bytes_are_sound_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = is_sound(&bytes);
        }
    }
}
