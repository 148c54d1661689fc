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
