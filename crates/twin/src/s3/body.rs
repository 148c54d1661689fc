//! The bytes of objects and parts: in memory, in files that are read on demand, or sparse: a run of a pattern that is made up
//! when it is read, so that objects of many gigabytes cost neither memory nor time.
//!
//! A digest of a body with sparse bytes is not one of its bytes, which would take as long as reading them. It is one of a
//! description of them, that says which bytes are where and is the same however the bytes were cut and put together.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, sync::Arc};

use bytes::{Bytes, BytesMut};
use serde::{Serialize, Serializer, ser::Error as _};

use super::folder::{BodyFile, Piece};

/// The most bytes of a file that are read at a time.
const CHUNK: u64 = 1024 * 1024;

/// The bytes of an object or a part, as a row of segments. Copies, ranges and the joining of parts share segments, so that
/// none of them reads a byte.
#[derive(Clone, Default)]
pub(crate) struct Body {
    segments: Arc<[Segment]>,
    len: u64,
}

#[derive(Clone)]
struct Segment {
    source: Source,
    offset: u64,
    len: u64,
}

/// Where the bytes of a segment are.
#[derive(Clone)]
enum Source {
    Memory(Bytes),
    File(Arc<BodyFile>),
    /// Of the pattern: the little-endian number of each 8-byte word, so that bytes in a wrong place are noticed.
    Sparse,
}

impl Body {
    /// Bytes that stay in memory.
    pub(crate) fn in_memory(bytes: Bytes) -> Self {
        let len = bytes.len() as u64;
        Self::of([Segment { source: Source::Memory(bytes), offset: 0, len }])
    }

    /// The bytes `range` of `file`, which must have them.
    pub(crate) fn in_file(file: Arc<BodyFile>, range: Range<u64>) -> Self {
        let (offset, len) = (range.start, range.end.saturating_sub(range.start));
        Self::of([Segment { source: Source::File(file), offset, len }])
    }

    /// The bytes `range` of the pattern of sparse bodies.
    pub(crate) fn sparse(range: Range<u64>) -> Self {
        Self::of([Segment { source: Source::Sparse, offset: range.start, len: range.end.saturating_sub(range.start) }])
    }

    /// The bodies, one behind the other.
    pub(crate) fn join<'a>(bodies: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::of(bodies.into_iter().flat_map(|body| body.segments.iter().cloned()))
    }

    fn of(segments: impl IntoIterator<Item = Segment>) -> Self {
        let segments: Arc<[Segment]> = segments.into_iter().filter(|segment| segment.len > 0).collect();
        Self { len: segments.iter().map(|segment| segment.len).sum(), segments }
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether some of the bytes are sparse.
    pub(crate) fn is_sparse(&self) -> bool {
        self.segments.iter().any(Segment::is_sparse)
    }

    /// The files that have the bytes, each with the least length that it must have.
    pub(crate) fn files(&self) -> impl Iterator<Item = (u64, u64)> {
        self.segments.iter().filter_map(|segment| match &segment.source {
            Source::File(file) => Some((file.id(), segment.offset.saturating_add(segment.len))),
            Source::Memory(_) | Source::Sparse => None,
        })
    }

    /// The bytes `range`, as far as there are any.
    pub(crate) fn slice(&self, range: Range<u64>) -> Self {
        let mut start = 0;
        let parts = self.segments.iter().filter_map(|segment| {
            let (from, to) = (start, start + segment.len);
            start = to;
            let (first, end) = (range.start.max(from), range.end.min(to));
            (first < end).then(|| Segment {
                source: segment.source.clone(),
                offset: segment.offset + (first - from),
                len: end - first,
            })
        });
        Self::of(parts)
    }

    /// All bytes, in pieces that fit into memory whatever the length.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = io::Result<Bytes>> {
        self.segments.iter().flat_map(Segment::chunks)
    }

    /// Hands over what a digest is taken of, piece by piece: the bytes, or their description where some are sparse.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn digested(&self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let described = self.is_sparse();
        for run in self.segments.chunk_by(Segment::goes_on_in) {
            let len: u64 = run.iter().map(|segment| segment.len).sum();
            if let [Segment { source: Source::Sparse, offset, .. }, ..] = run {
                take(format!("{len} sparse bytes from {offset}\n").as_bytes());
                continue;
            }
            if described {
                take(format!("{len} bytes\n").as_bytes());
            }
            for chunk in run.iter().flat_map(Segment::chunks) {
                take(&chunk?);
            }
        }
        Ok(())
    }

    /// All bytes.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        if let [Segment { source: Source::Memory(_), .. }] = &*self.segments {
            return self.chunks().next().unwrap_or_else(|| Ok(Bytes::new()));
        }
        let mut bytes = BytesMut::with_capacity(position(self.len));
        for chunk in self.chunks() {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.freeze())
    }
}

/// As the journal has it: the pieces of files and of the pattern.
impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pieces: Result<Vec<Piece>, S::Error> = self
            .segments
            .iter()
            .map(|segment| match &segment.source {
                Source::File(file) => Ok(Piece { file: Some(file.id()), offset: segment.offset, length: segment.len }),
                Source::Sparse => Ok(Piece { file: None, offset: segment.offset, length: segment.len }),
                Source::Memory(_) => Err(S::Error::custom("bytes in memory cannot be kept in a folder")),
            })
            .collect();
        serializer.collect_seq(pieces?)
    }
}

impl Segment {
    fn is_sparse(&self) -> bool {
        matches!(self.source, Source::Sparse)
    }

    /// Whether a description tells the two as one.
    fn goes_on_in(&self, next: &Self) -> bool {
        match (self.is_sparse(), next.is_sparse()) {
            (true, true) => self.offset.checked_add(self.len) == Some(next.offset),
            (false, false) => true,
            _ => false,
        }
    }

    fn chunks(&self) -> Box<dyn Iterator<Item = io::Result<Bytes>> + '_> {
        match &self.source {
            Source::Memory(bytes) => {
                let bound = |bound: u64| position(bound).min(bytes.len());
                let slice = bytes.slice(bound(self.offset)..bound(self.offset + self.len));
                Box::new(std::iter::once(Ok(slice)))
            }
            Source::Sparse => {
                let starts = (0..self.len).step_by(position(CHUNK));
                Box::new(
                    starts.map(|start| {
                        Ok(pattern(self.offset.saturating_add(start), position(CHUNK.min(self.len - start))))
                    }),
                )
            }
            Source::File(file) => {
                let opened = File::open(file.path()).map_err(|error| file.unreadable(&error));
                let starts = (0..self.len).step_by(position(CHUNK));
                Box::new(starts.map(move |start| {
                    let mut chunk = vec![0; position(CHUNK.min(self.len - start))];
                    let opened = opened.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
                    let read = opened.read_exact_at(&mut chunk, self.offset + start);
                    read.map(|()| Bytes::from(chunk)).map_err(|error| file.unreadable(&error))
                }))
            }
        }
    }
}

/// The bytes of the pattern from `offset` on.
fn pattern(offset: u64, len: usize) -> Bytes {
    let within = position(offset % 8);
    let words = (offset / 8..).flat_map(u64::to_le_bytes);
    words.skip(within).take(len).collect()
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn digest(body: &Body) -> Vec<u8> {
        let mut taken = Vec::new();
        body.digested(|piece| taken.extend_from_slice(piece)).unwrap();
        taken
    }

    #[test]
    fn sparse_bytes_are_the_same_however_they_are_cut() {
        let whole = Body::sparse(3..3_000_000);
        let (first, second) = (whole.slice(0..1_500_001), whole.slice(1_500_001..whole.len()));
        let joined = Body::join([&first, &second]);
        assert_eq!(joined.read().unwrap(), whole.read().unwrap());
        assert_eq!(digest(&joined), digest(&whole));
        let swapped = Body::join([&second, &first]);
        assert_ne!(swapped.read().unwrap(), whole.read().unwrap());
        assert_ne!(digest(&swapped), digest(&whole));
        assert_eq!(whole.slice(13..29).read().unwrap(), whole.read().unwrap().slice(13..29));
        assert_eq!(Body::sparse(8..18).read().unwrap(), [1, 0, 0, 0, 0, 0, 0, 0, 2, 0].as_slice());
    }

    #[test]
    fn real_bytes_among_sparse_ones_count_however_they_are_cut() {
        let (sparse, real) = (Body::sparse(0..10), Body::in_memory(Bytes::from_static(b"abcd")));
        let (left, right) = (real.slice(0..1), real.slice(1..4));
        let whole = Body::join([&sparse, &real]);
        assert_eq!(digest(&Body::join([&sparse, &left, &right])), digest(&whole));
        assert_ne!(digest(&Body::join([&sparse, &right, &left])), digest(&whole));
        assert_ne!(digest(&Body::join([&real, &sparse])), digest(&whole));
        assert_eq!(digest(&real), b"abcd");
    }
}
