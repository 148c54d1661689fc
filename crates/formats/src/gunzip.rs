//! Streaming gzip of several members, appended to a buffer in small steps.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use crate::FileError;

/// Decodes a gzip file that is pushed in pieces.
///
/// One step appends at most about 32 KiB to the buffer however well the data is packed, so that the caller can take
/// rows out between steps and memory stays bounded.
pub(crate) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self { decoder: MultiGzDecoder::new(Vec::new()) }
    }

    /// The decoded bytes that the caller has not taken out yet.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.decoder.get_mut()
    }

    /// Takes some of the input, at least one byte, and returns what is left of it.
    pub(crate) fn step<'i>(&mut self, input: &'i [u8], file: &str) -> Result<&'i [u8], FileError> {
        let taken = self.decoder.write(input).map_err(|error| gzip_error(file, &error))?;
        if taken == 0 && !input.is_empty() {
            return Err(FileError::Gzip {
                file: file.to_owned(),
                reason: "the decoder takes no more input".to_owned(),
            });
        }
        Ok(input.get(taken..).unwrap_or_default())
    }

    /// Ends the input and returns the last decoded bytes together with those not taken out yet.
    pub(crate) fn finish(mut self, file: &str) -> Result<Vec<u8>, FileError> {
        let ended = self.decoder.try_finish();
        match ended {
            Ok(()) => Ok(std::mem::take(self.decoder.get_mut())),
            Err(error) => Err(gzip_error(file, &error)),
        }
    }
}

fn gzip_error(file: &str, error: &io::Error) -> FileError {
    FileError::Gzip { file: file.to_owned(), reason: error.to_string() }
}
