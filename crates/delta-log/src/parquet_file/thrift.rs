//! As much of Thrift's compact protocol as it takes to read page headers, and to look footers through.
//!
//! Apache Thrift, doc/specs/thrift-compact-protocol.md; parquet.thrift of apache/parquet-format.

/// Elements of one list, above which a footer is refused: checkpoints have thousands of columns at most, and few row groups.
const LIST_LIMIT: u64 = 1 << 18;
/// Structs within structs.
const DEPTH_LIMIT: u32 = 24;

/// Reads from the beginning of some bytes.
#[derive(Clone, Copy)]
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

/// A field of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) id: i16,
    pub(super) kind: u8,
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

    pub(super) const fn is_list(self) -> bool {
        self.kind == 9
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
            // Flags as elements: the crate `parquet` passes over them without taking their bytes, so that it would find other values
            // behind them than were looked at here, lists of any length among them. Nothing of a file's metadata has any.
            1 | 2 => None,
            3 => self.skip_bytes(1),
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
        let (count, kind) = self.list()?;
        (0..count).try_for_each(|_| self.skip_value(kind, depth + 1))
    }

    /// The beginning of a list: how many elements it has, and of which kind.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        self.check_count(count)?;
        Some((count, head & 0x0f))
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
