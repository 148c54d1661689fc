//! Streaming gzip of several members (RFC 1952), decoded in small steps.
//!
//! The frame is read here and the deflate data by [`flate2`]: its own gzip decoder spends a fifth of its time on the CRC, and
//! copies what it decodes once more.

use flate2::{Decompress, FlushDecompress, Status};

use crate::FileError;

/// Room for decoded bytes that a step finds at least. The decoder is slower with less, and more would not stay in the cache.
const ROOM: usize = 256 * 1024;
/// What mostly waits to be taken, a row that is not whole, fits in here: then the room never has to grow.
const ROW: usize = 16 * 1024;
/// The members of a header that has no further ones.
const FIXED_HEADER: usize = 10;
/// CRC-32 and length of the decoded bytes.
const TRAILER: usize = 8;
/// A name or a comment in a header may be this long: so that a file that never ends one takes no memory.
const LONGEST_HEADER: usize = 64 * 1024;

/// Decodes a gzip file that is pushed in pieces.
///
/// One step decodes at most about [`ROOM`] bytes however well the data is packed, so that the caller can take rows out between
/// steps and memory stays bounded.
pub(crate) struct Gunzip {
    inflate: Decompress,
    state: State,
    /// Bytes of a header or a trailer that is not whole yet.
    frame: Vec<u8>,
    crc: crc_fast::Digest,
    /// Decoded bytes of this member, modulo 2^32 (ISIZE).
    length: u32,
    /// The decoded bytes that the caller has not taken out yet, and room for more.
    out: Vec<u8>,
    filled: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first member.
    Start,
    /// In a header.
    Header,
    Body,
    Trailer,
    /// After a member: the end of the file, or another one.
    Between,
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self {
            inflate: Decompress::new(false),
            state: State::Start,
            frame: Vec::new(),
            crc: crc(),
            length: 0,
            out: Vec::with_capacity(ROOM + ROW),
            filled: 0,
        }
    }

    /// The decoded bytes that the caller has not taken out yet.
    pub(crate) fn decoded(&self) -> &[u8] {
        self.out.get(..self.filled).unwrap_or_default()
    }

    /// Takes the first decoded bytes out.
    pub(crate) fn take_out(&mut self, bytes: usize) {
        let bytes = bytes.min(self.filled);
        self.out.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }

    /// Takes some of the input, at least one byte, and returns what is left of it.
    pub(crate) fn step<'i>(&mut self, input: &'i [u8], file: &str) -> Result<&'i [u8], FileError> {
        match self.state {
            State::Start | State::Between | State::Header => self.header(input, file),
            State::Body => self.body(input, file),
            State::Trailer => self.trailer(input, file),
        }
    }

    /// Decodes what is left without further input. False when there is nothing more.
    pub(crate) fn drain(&mut self, file: &str) -> Result<bool, FileError> {
        if self.state != State::Body {
            return Ok(false);
        }
        let before = self.filled;
        self.body(&[], file)?;
        Ok(self.filled > before)
    }

    /// Ends the input: the last member must be whole.
    pub(crate) fn finish(&self, file: &str) -> Result<(), FileError> {
        match self.state {
            State::Between => Ok(()),
            State::Start => Err(broken(file, "it is empty, which no gzip file is")),
            _ => Err(broken(file, "it ends in the middle of the compressed data")),
        }
    }

    fn header<'i>(&mut self, input: &'i [u8], file: &str) -> Result<&'i [u8], FileError> {
        self.state = State::Header;
        let before = self.frame.len();
        self.frame.extend_from_slice(input);
        match header_length(&self.frame) {
            Header::Broken => Err(broken(file, "it is not gzip, or has bytes after its end")),
            Header::Incomplete if self.frame.len() > LONGEST_HEADER => Err(broken(file, "its header does not end")),
            Header::Incomplete => Ok(&[]),
            Header::Whole(length) => {
                self.frame.clear();
                self.inflate.reset(false);
                (self.crc, self.length, self.state) = (crc(), 0, State::Body);
                Ok(input.get(length.saturating_sub(before)..).unwrap_or_default())
            }
        }
    }

    fn body<'i>(&mut self, input: &'i [u8], file: &str) -> Result<&'i [u8], FileError> {
        if self.out.len() < self.filled.saturating_add(ROOM) {
            self.out.resize(self.filled.saturating_add(ROOM), 0);
        }
        let room = self.out.get_mut(self.filled..).unwrap_or_default();
        let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, room, FlushDecompress::None);
        let status = status.map_err(|error| broken(file, &error.to_string()))?;
        let taken = usize::try_from(self.inflate.total_in() - taken).unwrap_or(usize::MAX);
        let made = usize::try_from(self.inflate.total_out() - made).unwrap_or(usize::MAX);
        self.crc.update(room.get(..made).unwrap_or_default());
        self.length = self.length.wrapping_add(u32::try_from(made).unwrap_or(u32::MAX));
        self.filled += made;
        if status == Status::StreamEnd {
            self.state = State::Trailer;
        } else if taken == 0 && made == 0 && !input.is_empty() {
            return Err(broken(file, "the decoder takes no more input"));
        }
        Ok(input.get(taken..).unwrap_or_default())
    }

    fn trailer<'i>(&mut self, input: &'i [u8], file: &str) -> Result<&'i [u8], FileError> {
        let (first, rest) = input.split_at(input.len().min(TRAILER - self.frame.len().min(TRAILER)));
        self.frame.extend_from_slice(first);
        if let Some((crc, length)) =
            self.frame.first_chunk::<4>().zip(self.frame.get(4..).and_then(<[u8]>::first_chunk))
        {
            let same = u64::from(u32::from_le_bytes(*crc)) == self.crc.finalize();
            if !same || u32::from_le_bytes(*length) != self.length {
                return Err(broken(file, "its checksum or length is not that of the data"));
            }
            self.frame.clear();
            self.state = State::Between;
        }
        Ok(rest)
    }
}

fn crc() -> crc_fast::Digest {
    crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc)
}

enum Header {
    Broken,
    Incomplete,
    /// It has this many bytes.
    Whole(usize),
}

/// How long the header at the beginning of the bytes is (RFC 1952, section 2.3).
fn header_length(bytes: &[u8]) -> Header {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const CRC: u8 = 2;
    const RESERVED: u8 = 0xe0;
    if [0x1f, 0x8b, 8].iter().zip(bytes).any(|(magic, byte)| magic != byte) {
        return Header::Broken;
    }
    let Some(&flags) = bytes.get(3) else { return Header::Incomplete };
    if flags & RESERVED != 0 {
        return Header::Broken;
    }
    let mut length = FIXED_HEADER;
    if flags & EXTRA != 0 {
        let Some(size) = bytes.get(length..).and_then(<[u8]>::first_chunk) else { return Header::Incomplete };
        length += 2 + usize::from(u16::from_le_bytes(*size));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let end = bytes.get(length..).and_then(|rest| memchr::memchr(0, rest));
            let Some(end) = end else { return Header::Incomplete };
            length += end + 1;
        }
    }
    if flags & CRC != 0 {
        length += 2;
    }
    if length <= bytes.len() { Header::Whole(length) } else { Header::Incomplete }
}

fn broken(file: &str, reason: &str) -> FileError {
    FileError::Gzip { file: file.to_owned(), reason: reason.to_owned() }
}
