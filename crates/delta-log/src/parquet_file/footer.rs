//! What a footer has to be before a parser that trusts it gets it: `FileMetaData` of parquet.thrift (apache/parquet-format).
//!
//! The crate `parquet` takes a field that it knows for what it should be, whatever kind the bytes say it is, and passes over all
//! others by their kind. A footer that was looked through by kinds alone would be read at other places there than it was looked at here,
//! and there lists of any length may be claimed.

use super::thrift::{Field, Thrift};

/// Groups within groups of a schema, above which a footer is refused: the crate `parquet` goes down into them by recursion, and a
/// stack that is used up ends the process.
const SCHEMA_DEPTH_LIMIT: usize = 256;

/// What a field has to be.
enum Shape {
    /// A value of this kind without parts.
    Plain(u8),
    /// True or false.
    Flag,
    /// A list of these.
    List(&'static Shape),
    /// A struct or a union in which these fields are known by their numbers.
    Struct(&'static [(i16, Shape)]),
}

use Shape::{Flag, List, Plain, Struct};

const I8: Shape = Plain(3);
const I16: Shape = Plain(4);
const I32: Shape = Plain(5);
const I64: Shape = Plain(6);
const DOUBLE: Shape = Plain(7);
const BINARY: Shape = Plain(8);
const EMPTY: Shape = Struct(&[]);

const FILE_META_DATA: &[(i16, Shape)] = &[
    (1, I32),
    (2, List(&Struct(SCHEMA_ELEMENT))),
    (3, I64),
    (4, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(KEY_VALUE))),
    (6, BINARY),
    (7, List(&Struct(COLUMN_ORDER))),
];
const KEY_VALUE: &[(i16, Shape)] = &[(1, BINARY), (2, BINARY)];
const COLUMN_ORDER: &[(i16, Shape)] = &[(1, EMPTY), (2, EMPTY), (3, EMPTY)];
const SCHEMA_ELEMENT: &[(i16, Shape)] = &[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, BINARY),
    (5, I32),
    (6, I32),
    (7, I32),
    (8, I32),
    (9, I32),
    (10, Struct(LOGICAL_TYPE)),
];
const LOGICAL_TYPE: &[(i16, Shape)] = &[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, I32), (2, I32)])),
    (6, EMPTY),
    (7, Struct(TIME)),
    (8, Struct(TIME)),
    (10, Struct(&[(1, I8), (2, Flag)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, I8)])),
    (17, Struct(&[(1, BINARY)])),
    (18, Struct(&[(1, BINARY), (2, I32)])),
    (19, EMPTY),
];
const TIME: &[(i16, Shape)] = &[(1, Flag), (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))];
const ROW_GROUP: &[(i16, Shape)] = &[
    (1, List(&Struct(COLUMN_CHUNK))),
    (2, I64),
    (3, I64),
    (4, List(&Struct(&[(1, I32), (2, Flag), (3, Flag)]))),
    (5, I64),
    (6, I64),
    (7, I16),
];
const COLUMN_CHUNK: &[(i16, Shape)] =
    &[(1, BINARY), (2, I64), (3, Struct(COLUMN_META_DATA)), (4, I64), (5, I32), (6, I64), (7, I32)];
const COLUMN_META_DATA: &[(i16, Shape)] = &[
    (1, I32),
    (2, List(&I32)),
    (3, List(&BINARY)),
    (4, I32),
    (5, I64),
    (6, I64),
    (7, I64),
    (8, List(&Struct(KEY_VALUE))),
    (9, I64),
    (10, I64),
    (11, I64),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, I32), (2, I32), (3, I32)]))),
    (14, I64),
    (15, I32),
    (16, Struct(&[(1, I64), (2, List(&I64)), (3, List(&I64))])),
    (17, Struct(&[(1, Struct(BOUNDING_BOX)), (2, List(&I32))])),
];
const STATISTICS: &[(i16, Shape)] =
    &[(1, BINARY), (2, BINARY), (3, I64), (4, I64), (5, BINARY), (6, BINARY), (7, Flag), (8, Flag), (9, I64)];
const BOUNDING_BOX: &[(i16, Shape)] =
    &[(1, DOUBLE), (2, DOUBLE), (3, DOUBLE), (4, DOUBLE), (5, DOUBLE), (6, DOUBLE), (7, DOUBLE), (8, DOUBLE)];

/// Whether some bytes begin with the metadata of a file in which all sizes hold and all fields are what they should be, with a schema that
/// is not too deep.
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    check(&mut Thrift::new(bytes), FILE_META_DATA).is_some() && check_schema(&mut Thrift::new(bytes)).is_some()
}

fn check(thrift: &mut Thrift<'_>, known: &[(i16, Shape)]) -> Option<()> {
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        match known.iter().find(|(id, _)| *id == field.id) {
            Some((_, shape)) => check_value(thrift, field, shape)?,
            None => thrift.skip(field)?,
        }
    }
    Some(())
}

fn check_value(thrift: &mut Thrift<'_>, field: Field, shape: &Shape) -> Option<()> {
    match shape {
        Flag => field.flag().map(|_| ()),
        Plain(kind) if field.kind == *kind => thrift.skip(field),
        List(shape) if field.is_list() => {
            let (count, kind) = thrift.list()?;
            (0..count).try_for_each(|_| check_value(thrift, Field { kind, ..field }, shape))
        }
        Struct(known) if field.is_struct() => check(thrift, known),
        _ => None,
    }
}

/// Looks at the field `schema`: elements in depth-first order, of which groups say how many follow in them.
fn check_schema(thrift: &mut Thrift<'_>) -> Option<()> {
    let mut last = 0;
    while let Some(field) = thrift.field(&mut last)? {
        if field.id == 2 && field.is_list() {
            check_elements(thrift)?;
        } else {
            thrift.skip(field)?;
        }
    }
    Some(())
}

fn check_elements(thrift: &mut Thrift<'_>) -> Option<()> {
    let (count, _) = thrift.list()?;
    // How many are still to come in each of the groups around.
    let mut groups: Vec<i64> = Vec::new();
    for _ in 0..count {
        while groups.pop_if(|left| *left == 0).is_some() {}
        if let Some(left) = groups.last_mut() {
            *left -= 1;
        }
        let (mut last, mut children) = (0, 0);
        while let Some(field) = thrift.field(&mut last)? {
            match field.id {
                5 => children = thrift.number()?,
                _ => thrift.skip(field)?,
            }
        }
        groups.extend((children > 0).then_some(children));
        if groups.len() > SCHEMA_DEPTH_LIMIT {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::empty(&[0], true)]
    #[case::number(&[0xf5, 0x02, 0], true)]
    #[case::flag(&[0xf1, 0], true)]
    #[case::text(&[0xf8, 0x02, b'a', b'b', 0], true)]
    #[case::list(&[0xf9, 0x25, 0x02, 0x04, 0], true)]
    #[case::text_longer_than_the_bytes(&[0xf8, 0x7f, b'a', 0], false)]
    #[case::list_longer_than_the_bytes(&[0xf9, 0xf5, 0xff, 0xff, 0x7f, 0x02, 0], false)]
    #[case::no_end(&[0xf5, 0x02], false)]
    #[case::unknown_kind(&[0xfe, 0], false)]
    #[case::list_of_flags(&[0xf9, 0x21, 0x01, 0x02, 0], false)]
    #[case::map_of_flags(&[0xfb, 0x01, 0x15, 0x02, 0x01, 0], false)]
    #[case::version_that_is_one(&[0x15, 0x02, 0], true)]
    #[case::version_that_is_a_text(&[0x18, 0x02, b'a', b'b', 0], false)]
    #[case::schema_that_is_a_set(&[0x2a, 0x1c, 0x00, 0], false)]
    #[case::schema_of_numbers(&[0x29, 0x15, 0x02, 0], false)]
    #[case::name_that_is_a_number(&[0x29, 0x1c, 0x45, 0x02, 0, 0], false)]
    fn sizes_are_held_against_the_bytes(#[case] bytes: &[u8], #[case] sound: bool) {
        assert_eq!(is_sound(bytes), sound);
    }

    #[test]
    fn deep_structs_are_refused() {
        let mut bytes = vec![0xfc; 1000];
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
        wide.extend([0x48, 0x01, b'a', 0x15, 0x80, 0x10, 0x00]);
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
