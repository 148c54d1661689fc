//! The delta encodings, written out as plain values within bounds.
//!
//! Encodings.md of apache/parquet-format: DELTA_BINARY_PACKED (5), DELTA_LENGTH_BYTE_ARRAY (6), DELTA_BYTE_ARRAY (7).

use parquet::{
    basic::{Encoding, Type},
    schema::types::ColumnDescriptor,
};

/// One of the delta encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Numbers,
    Lengths,
    Prefixes,
}

impl Form {
    pub(super) const fn of(encoding: Encoding) -> Option<Self> {
        match encoding {
            Encoding::DELTA_BINARY_PACKED => Some(Self::Numbers),
            Encoding::DELTA_LENGTH_BYTE_ARRAY => Some(Self::Lengths),
            Encoding::DELTA_BYTE_ARRAY => Some(Self::Prefixes),
            _ => None,
        }
    }
}

/// What of a column decides how its pages look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    kind: Type,
    /// Whether pages have repetition levels, and definition levels.
    levels: [bool; 2],
}

impl Shape {
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        let levels = [column.max_rep_level() > 0, column.max_def_level() > 0];
        Self { kind: column.physical_type(), levels }
    }

    /// Whether there are repetition levels: where not, each row has one value or none.
    pub(super) const fn is_repeated(self) -> bool {
        self.levels[0]
    }

    /// Whether levels of these encodings can be read, those of repetition first. Writers name any encoding for levels that a page
    /// does not have.
    pub(super) fn reads_levels(self, encodings: [Encoding; 2]) -> bool {
        self.levels.iter().zip(encodings).all(|(there, encoding)| !there || encoding == Encoding::RLE)
    }

    /// Where the values of a page of the first version begin: behind its levels, each section of them with its length in front.
    pub(super) fn values_at(self, page: &[u8]) -> Option<usize> {
        let mut at = 0_usize;
        for _ in self.levels.iter().filter(|there| **there) {
            let length = page.get(at..)?.first_chunk::<4>()?;
            at = at.checked_add(4)?.checked_add(u32::from_le_bytes(*length) as usize)?;
        }
        (at <= page.len()).then_some(at)
    }
}

/// Appends the values to `out` as plain ones: at most `count` of them, and `limit` bytes.
pub(super) fn plain(
    form: Form,
    shape: Shape,
    bytes: &[u8],
    count: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    if bytes.is_empty() {
        // A page of nulls.
        return Some(());
    }
    match (form, shape.kind) {
        (Form::Numbers, Type::INT32 | Type::INT64) => {
            let width = if shape.kind == Type::INT32 { 4 } else { 8 };
            let (values, _) = numbers(bytes, count)?;
            values.iter().for_each(|value| out.extend(value.to_le_bytes().iter().take(width)));
            Some(())
        }
        (Form::Lengths, Type::BYTE_ARRAY) => {
            let (lengths, rest) = numbers(bytes, count)?;
            texts(&lengths, &lengths, rest, false, limit, out)
        }
        (Form::Prefixes, Type::BYTE_ARRAY) => {
            let (prefixes, rest) = numbers(bytes, count)?;
            let (suffixes, rest) = numbers(rest, count)?;
            (prefixes.len() == suffixes.len()).then_some(())?;
            texts(&prefixes, &suffixes, rest, true, limit, out)
        }
        _ => None,
    }
}

/// Texts of given lengths, each behind a prefix of the one before where those are shared.
fn texts(
    prefixes: &[i64],
    lengths: &[i64],
    mut rest: &[u8],
    shared: bool,
    limit: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut before: (usize, usize) = (0, 0);
    for (prefix, length) in prefixes.iter().zip(lengths) {
        let prefix = if shared { usize::try_from(*prefix).ok()? } else { 0 };
        let (text, behind) = rest.split_at_checked(usize::try_from(*length).ok()?)?;
        rest = behind;
        let size = prefix.checked_add(text.len())?;
        (prefix <= before.1 && out.len().checked_add(size)? <= limit).then_some(())?;
        out.extend(u32::try_from(size).ok()?.to_le_bytes());
        let start = out.len();
        out.extend_from_within(before.0..before.0 + prefix);
        out.extend_from_slice(text);
        before = (start, size);
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[allow(clippy::cast_possible_wrap, reason = "zigzag")]
fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let value = varint(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Numbers of DELTA_BINARY_PACKED, at most `limit` of them, and what follows them.
fn numbers(mut bytes: &[u8], limit: usize) -> Option<(Vec<i64>, &[u8])> {
    let block = usize::try_from(varint(&mut bytes)?).ok()?;
    let miniblocks = usize::try_from(varint(&mut bytes)?).ok()?;
    let total = usize::try_from(varint(&mut bytes)?).ok()?;
    let mut value = zigzag(&mut bytes)?;
    let per = block.checked_div(miniblocks)?;
    let sound = per > 0 && per.is_multiple_of(32) && per <= 1 << 20 && miniblocks <= 1 << 16 && total <= limit;
    sound.then_some(())?;
    let mut values = Vec::with_capacity(total);
    if total > 0 {
        values.push(value);
    }
    while values.len() < total {
        let least = zigzag(&mut bytes)?;
        let (widths, rest) = bytes.split_at_checked(miniblocks)?;
        bytes = rest;
        for width in widths {
            if values.len() == total {
                break;
            }
            let (packed, rest) = bytes.split_at_checked(usize::from(*width) * per / 8)?;
            bytes = rest;
            for number in 0..per.min(total - values.len()) {
                value = value.wrapping_add(least).wrapping_add(unpack(packed, *width, number)?);
                values.push(value);
            }
        }
    }
    Some((values, bytes))
}

/// The number at a place of numbers that are packed in so many bits each, low bits first.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "bits")]
fn unpack(packed: &[u8], width: u8, number: usize) -> Option<i64> {
    if width == 0 {
        return Some(0);
    }
    let width = u32::from(width);
    (width <= 64).then_some(())?;
    let bit = number * width as usize;
    let mut window = [0; 16];
    let from = packed.get(bit / 8..)?;
    let taken = from.len().min(16);
    window.get_mut(..taken)?.copy_from_slice(from.get(..taken)?);
    let value = u128::from_le_bytes(window) >> (bit % 8);
    Some((value as u64 & (u64::MAX >> (64 - width))) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const TEXT: Shape = Shape { kind: Type::BYTE_ARRAY, levels: [false, false] };
    const WIDE: Shape = Shape { kind: Type::INT64, levels: [false, false] };

    /// The second example of Encodings.md: 7, 5, 3, 1, 2, 3, 4, 5, of which the deltas above the least, -2, take two bits each.
    #[test]
    fn numbers_are_those_of_the_formats_example() {
        let mut bytes = vec![0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 0x02, 0x00, 0x00, 0x00];
        bytes.extend([0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0]);
        bytes.push(0x77);
        let (values, rest) = numbers(&bytes, 8).unwrap();
        assert_eq!((values, rest), (vec![7, 5, 3, 1, 2, 3, 4, 5], [0x77].as_slice()));
        assert_eq!(numbers(&bytes, 7), None, "more than the page has");
    }

    #[rstest]
    #[case::count_that_is_a_lie(Form::Numbers, WIDE, &[0x80, 0x01, 0x04, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00])]
    #[case::no_miniblocks(Form::Numbers, WIDE, &[0x80, 0x01, 0x00, 0x08, 0x0e])]
    #[case::numbers_of_text(Form::Numbers, TEXT, &[0x80, 0x01, 0x04, 0x01, 0x0e])]
    #[case::text_behind_the_end(Form::Lengths, TEXT, &[0x80, 0x01, 0x04, 0x01, 0x0e, b'a'])]
    #[case::prefix_of_nothing(Form::Prefixes, TEXT, &[0x80, 0x01, 0x04, 0x01, 0x02, 0x80, 0x01, 0x04, 0x01, 0x02, b'a'])]
    fn what_contradicts_itself_is_refused(#[case] form: Form, #[case] shape: Shape, #[case] bytes: &[u8]) {
        assert_eq!(plain(form, shape, bytes, 100, 1000, &mut Vec::new()), None);
    }

    #[test]
    fn texts_are_written_out_to_the_limit() {
        // One value, of length 3.
        let bytes = [0x80, 0x01, 0x04, 0x01, 0x06, b'a', b'b', b'c'];
        let mut out = Vec::new();
        assert_eq!(plain(Form::Lengths, TEXT, &bytes, 1, 100, &mut out), Some(()));
        assert_eq!(out, [3, 0, 0, 0, b'a', b'b', b'c']);
        assert_eq!(plain(Form::Lengths, TEXT, &bytes, 1, 2, &mut Vec::new()), None);
        assert_eq!(plain(Form::Prefixes, TEXT, &[], 1, 2, &mut Vec::new()), Some(()), "a page of nulls");
    }

    proptest! {
        #[test]
        fn any_bytes_are_written_out_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0..1000_usize) {
            for (form, shape) in [(Form::Numbers, WIDE), (Form::Lengths, TEXT), (Form::Prefixes, TEXT)] {
                let mut out = Vec::new();
                if plain(form, shape, &bytes, count, 10_000, &mut out).is_some() {
                    prop_assert!(out.len() <= 10_000 + 8 * count);
                }
            }
        }
    }
}
