//! The pages of a column, decompressed one by one and within bounds.
//!
//! The crate `parquet` believes the sizes in page headers. Here they are held against what the file can have before anything is
//! allocated; decoding is left to the crate.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parquet::{
    basic::{CompressionCodec, Encoding},
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result},
    file::metadata::ColumnChunkMetaData,
};

use super::{
    codec::decompress,
    delta,
    thrift::{Field, Thrift},
};

/// The largest page, decompressed.
const PAGE_LIMIT: u64 = 64 << 20;

/// What may still be decompressed of a file, shared by its columns.
pub(super) type Budget = Arc<AtomicU64>;

fn broken(why: &str) -> ParquetError {
    ParquetError::General(why.to_owned())
}

/// A page header of parquet.thrift.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    kind: i64,
    size: i64,
    compressed: i64,
    values: i64,
    encoding: i64,
    def_encoding: i64,
    rep_encoding: i64,
    rows: i64,
    nulls: i64,
    def_bytes: i64,
    rep_bytes: i64,
    plain: bool,
}

impl Header {
    fn read(thrift: &mut Thrift<'_>) -> Option<Self> {
        let mut header = Self::default();
        let mut last = 0;
        while let Some(field) = thrift.field(&mut last)? {
            match field.id {
                1 => header.kind = thrift.number()?,
                2 => header.size = thrift.number()?,
                3 => header.compressed = thrift.number()?,
                5 | 7 | 8 if field.is_struct() => header.read_inner(field.id, thrift)?,
                _ => thrift.skip(field)?,
            }
        }
        Some(header)
    }

    fn read_inner(&mut self, of: i16, thrift: &mut Thrift<'_>) -> Option<()> {
        let mut last = 0;
        while let Some(field) = thrift.field(&mut last)? {
            match self.slot(of, field) {
                Some(slot) => *slot = thrift.number()?,
                None => {
                    self.plain |= of == 8 && field.id == 7 && field.flag() == Some(false);
                    thrift.skip(field)?;
                }
            }
        }
        Some(())
    }

    const fn slot(&mut self, of: i16, field: Field) -> Option<&mut i64> {
        match (of, field.id) {
            (_, 1) => Some(&mut self.values),
            (5 | 7, 2) | (8, 4) => Some(&mut self.encoding),
            (5, 3) => Some(&mut self.def_encoding),
            (5, 4) => Some(&mut self.rep_encoding),
            (8, 2) => Some(&mut self.nulls),
            (8, 3) => Some(&mut self.rows),
            (8, 5) => Some(&mut self.def_bytes),
            (8, 6) => Some(&mut self.rep_bytes),
            _ => None,
        }
    }
}

/// Encodings by their numbers in parquet.thrift.
fn encoding(number: i64) -> Result<Encoding> {
    #[allow(deprecated, reason = "old files have it")]
    Ok(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return Err(broken("a page has an encoding that is not known")),
    })
}

fn whole(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| broken("a page header has a negative or too great a number"))
}

/// The pages of one column chunk.
pub(super) struct Pages {
    bytes: Bytes,
    codec: CompressionCodec,
    shape: delta::Shape,
    values_left: i64,
    budget: Budget,
    next: VecDeque<(Header, Bytes)>,
    /// The first value that is wanted: what is before it was taken from the budget by who reads that.
    from: u64,
    /// Values in front of the next page.
    at: u64,
}

impl Pages {
    pub(super) fn new(file: &Bytes, chunk: &ColumnChunkMetaData, budget: Budget) -> Result<Self> {
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let range = usize::try_from(start).ok().zip(usize::try_from(chunk.compressed_size()).ok());
        let range = range.and_then(|(start, size)| Some(start..start.checked_add(size)?));
        let range =
            range.filter(|range| range.end <= file.len()).ok_or_else(|| broken("a column is outside of the file"))?;
        Ok(Self {
            bytes: file.slice(range),
            codec: chunk.compression_codec(),
            shape: delta::Shape::of(chunk.column_descr()),
            values_left: chunk.num_values(),
            budget,
            next: VecDeque::new(),
            from: 0,
            at: 0,
        })
    }

    /// These pages, for a reader of the rows from this one on; another one reads those before.
    pub(super) const fn starting_at(mut self, row: usize) -> Self {
        self.from = row as u64;
        self
    }

    /// Whether the next page is this reader's to account for, however many readers share it.
    const fn is_mine(&self, header: Header) -> bool {
        if header.kind == 2 { self.from == 0 } else { self.at >= self.from }
    }

    /// Reads ahead to the next header that is of a page of data or a dictionary.
    fn peek(&mut self) -> Result<Option<Header>> {
        while self.next.is_empty() {
            if self.values_left <= 0 || self.bytes.is_empty() {
                return Ok(None);
            }
            let mut thrift = Thrift::new(&self.bytes);
            let header = Header::read(&mut thrift).ok_or_else(|| broken("a page header cannot be read"))?;
            let start = self.bytes.len() - thrift.left();
            let size = whole(header.compressed)? as usize;
            let end = start.checked_add(size).filter(|end| *end <= self.bytes.len());
            let end = end.ok_or_else(|| broken("a page ends behind its column"))?;
            let page = self.bytes.slice(start..end);
            self.bytes = self.bytes.slice(end..);
            match header.kind {
                0 | 3 => {
                    self.values_left -= i64::from(whole(header.values)?);
                    self.next.push_back((header, page));
                }
                2 => self.next.push_back((header, page)),
                1 => {}
                _ => return Err(broken("a page is of a kind that is not known")),
            }
        }
        Ok(self.next.front().map(|(header, _)| *header))
    }

    /// Takes a page's size from what may be decompressed.
    fn spend(&self, header: Header) -> Result<usize> {
        let size = u64::from(whole(header.size)?);
        let spent = if self.is_mine(header) { size } else { 0 };
        let spent = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(spent));
        if size > PAGE_LIMIT || spent.is_err() {
            return Err(broken("its pages are too large for a file of its size"));
        }
        usize::try_from(size).map_err(|_| broken("a page is too large"))
    }

    fn pass(&mut self, header: Header) -> Result<()> {
        if header.kind != 2 {
            self.at += u64::from(whole(header.values)?);
        }
        Ok(())
    }

    fn page(&self, header: Header, bytes: &Bytes) -> Result<Page> {
        let size = self.spend(header)?;
        match header.kind {
            2 => self.dictionary(header, bytes, size),
            0 => self.first_version(header, bytes, size),
            _ => self.second_version(header, bytes, size),
        }
    }

    fn unpack(&self, bytes: &Bytes, size: usize) -> Result<Bytes> {
        if self.codec == CompressionCodec::UNCOMPRESSED && bytes.len() == size {
            return Ok(bytes.clone());
        }
        Ok(decompress(self.codec, bytes, size)?.into())
    }

    fn dictionary(&self, header: Header, bytes: &Bytes, size: usize) -> Result<Page> {
        let num_values = whole(header.values)?;
        // A value takes four bytes at least: it is a number, or text with its length.
        if num_values as usize > size / 4 {
            return Err(broken("a dictionary has fewer bytes than its values take"));
        }
        let buf = self.unpack(bytes, size)?;
        Ok(Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, is_sorted: false })
    }

    fn first_version(&self, header: Header, bytes: &Bytes, size: usize) -> Result<Page> {
        let levels = [encoding(header.rep_encoding)?, encoding(header.def_encoding)?];
        if !self.shape.reads_levels(levels) {
            return Err(broken("a page has levels that are not run-length encoded"));
        }
        let buf = self.unpack(bytes, size)?;
        let values_at = self.shape.values_at(&buf).ok_or_else(|| broken("a page ends in its levels"))?;
        let (buf, encoding) = self.as_plain(encoding(header.encoding)?, buf, values_at, header)?;
        Ok(Page::DataPage {
            buf,
            num_values: whole(header.values)?,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })
    }

    fn second_version(&self, header: Header, bytes: &Bytes, size: usize) -> Result<Page> {
        let (rep_bytes, def_bytes) = (whole(header.rep_bytes)?, whole(header.def_bytes)?);
        let levels = rep_bytes as usize + def_bytes as usize;
        let packed = bytes.get(levels..).ok_or_else(|| broken("a page ends in its levels"))?;
        let rest = size.checked_sub(levels).ok_or_else(|| broken("a page is smaller than its levels"))?;
        let mut buf = bytes.slice(..levels).to_vec();
        if header.plain || packed.is_empty() {
            buf.extend_from_slice(packed);
        } else {
            buf.append(&mut decompress(self.codec, packed, rest)?);
        }
        let (buf, encoding) = self.as_plain(encoding(header.encoding)?, buf.into(), levels, header)?;
        Ok(Page::DataPageV2 {
            buf,
            num_values: whole(header.values)?,
            encoding,
            num_nulls: whole(header.nulls)?,
            num_rows: whole(header.rows)?,
            def_levels_byte_len: def_bytes,
            rep_levels_byte_len: rep_bytes,
            is_compressed: false,
            statistics: None,
        })
    }

    /// Values in one of the delta encodings as plain ones: a few bytes of those can stand for any number of values, which the
    /// crate would allocate at once.
    fn as_plain(&self, encoding: Encoding, buf: Bytes, values_at: usize, header: Header) -> Result<(Bytes, Encoding)> {
        let Some(form) = delta::Form::of(encoding) else { return Ok((buf, encoding)) };
        let (levels, values) = buf.split_at_checked(values_at).ok_or_else(|| broken("a page ends in its levels"))?;
        let limit = self.budget.load(Ordering::Relaxed).min(PAGE_LIMIT);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut plain = levels.to_vec();
        delta::plain(form, self.shape, values, whole(header.values)? as usize, limit, &mut plain)
            .ok_or_else(|| broken("a page of delta encoding is broken or too large"))?;
        let grown = if self.is_mine(header) { plain.len().saturating_sub(buf.len()) as u64 } else { 0 };
        let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(grown)));
        Ok((plain.into(), Encoding::PLAIN))
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.peek()?;
        let Some((header, bytes)) = self.next.pop_front() else { return Ok(None) };
        let page = self.page(header, &bytes)?;
        self.pass(header)?;
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let Some(header) = self.peek()? else { return Ok(None) };
        let values = whole(header.values)? as usize;
        Ok(Some(PageMetadata {
            // Where nothing is repeated, values are rows, whatever a header says.
            num_rows: if header.kind == 3 && self.shape.is_repeated() {
                Some(whole(header.rows)? as usize)
            } else {
                None
            },
            num_levels: (header.kind != 2).then_some(values),
            is_dict: header.kind == 2,
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.peek()?;
        match self.next.pop_front() {
            Some((header, _)) => self.pass(header),
            None => Ok(()),
        }
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
