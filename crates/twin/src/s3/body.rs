//! The bytes of objects and parts: in memory, or in files that are read on demand.

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

    /// The files that have the bytes, each with the least length that it must have.
    pub(crate) fn files(&self) -> impl Iterator<Item = (u64, u64)> {
        self.segments.iter().filter_map(|segment| match &segment.source {
            Source::File(file) => Some((file.id(), segment.offset.saturating_add(segment.len))),
            Source::Memory(_) => None,
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

/// As the journal has it: the pieces of files.
impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pieces: Result<Vec<Piece>, S::Error> = self
            .segments
            .iter()
            .map(|segment| match &segment.source {
                Source::File(file) => Ok(Piece { file: file.id(), offset: segment.offset, length: segment.len }),
                Source::Memory(_) => Err(S::Error::custom("bytes in memory cannot be kept in a folder")),
            })
            .collect();
        serializer.collect_seq(pieces?)
    }
}

impl Segment {
    fn chunks(&self) -> Box<dyn Iterator<Item = io::Result<Bytes>> + '_> {
        match &self.source {
            Source::Memory(bytes) => {
                let bound = |bound: u64| position(bound).min(bytes.len());
                let slice = bytes.slice(bound(self.offset)..bound(self.offset + self.len));
                Box::new(std::iter::once(Ok(slice)))
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

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
