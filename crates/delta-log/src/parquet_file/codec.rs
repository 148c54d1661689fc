//! Decompression into as many bytes as a page says, and never more.
//!
//! Compression.md of apache/parquet-format. The codecs are Rust alone.

use std::io::Read;

use parquet::{
    basic::CompressionCodec,
    errors::{ParquetError, Result},
};

/// The most that a byte of LZ4 stands for, about: a length of 255 in each further byte.
const LZ4_EXPANSION: usize = 256;
/// What is allocated before anything has come out of a stream.
const FIRST: usize = 1 << 20;

/// Decompresses a page, or a part of one, that has to have `size` bytes.
pub(super) fn decompress(codec: CompressionCodec, input: &[u8], size: usize) -> Result<Vec<u8>> {
    let output = match codec {
        CompressionCodec::UNCOMPRESSED => Some(input.to_vec()),
        CompressionCodec::SNAPPY => snappy(input, size),
        CompressionCodec::GZIP => stream(flate2::bufread::MultiGzDecoder::new(input), size),
        CompressionCodec::ZSTD => zstd(input, size),
        CompressionCodec::BROTLI => stream(brotli_decompressor::Decompressor::new(input, 4096), size),
        CompressionCodec::LZ4_RAW => lz4(input, size),
        CompressionCodec::LZ4 => hadoop_lz4(input, size).or_else(|| lz4(input, size)),
        CompressionCodec::LZO => return Err(ParquetError::NYI("pages compressed with LZO".into())),
    };
    let whole = output.filter(|output| output.len() == size);
    whole.ok_or_else(|| ParquetError::General(format!("a page is no {codec:?} of {size} bytes")))
}

/// What comes out of a stream, one byte more than it should be at most. Memory grows with what has come.
fn stream(stream: impl Read, size: usize) -> Option<Vec<u8>> {
    let mut output = Vec::with_capacity(size.min(FIRST));
    stream.take(size as u64 + 1).read_to_end(&mut output).ok()?;
    Some(output)
}

fn snappy(input: &[u8], size: usize) -> Option<Vec<u8>> {
    // The length is in front; that so few bytes stand for so many is for the decoder to say.
    (snap::raw::decompress_len(input).ok()? == size && size / LZ4_EXPANSION <= input.len()).then_some(())?;
    snap::raw::Decoder::new().decompress_vec(input).ok()
}

/// Frames one behind another, and none with a window that is larger than the output by much.
fn zstd(mut input: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    while !input.is_empty() {
        let left = (size + 1).checked_sub(output.len())?;
        let window = (size as u64).max(8 << 20);
        let mut frame = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(&mut input, window).ok()?;
        Read::by_ref(&mut frame).take(left as u64).read_to_end(&mut output).ok()?;
        frame.into_frame_decoder().is_finished().then_some(())?;
    }
    Some(output)
}

fn lz4(input: &[u8], size: usize) -> Option<Vec<u8>> {
    (size / LZ4_EXPANSION <= input.len()).then_some(())?;
    let mut output = vec![0; size];
    let got = lz4_flex::block::decompress_into(input, &mut output).ok()?;
    (got == size).then_some(output)
}

/// Hadoop's framing: the sizes of output and input in four bytes each, big end first, before each block.
fn hadoop_lz4(mut input: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    while !input.is_empty() {
        let (to, rest) = input.split_first_chunk::<4>()?;
        let (from, rest) = rest.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*from) as usize)?;
        let to = u32::from_be_bytes(*to) as usize;
        (to <= size.checked_sub(output.len())?).then_some(())?;
        output.append(&mut lz4(block, to)?);
        input = rest;
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::io::Write;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn raw_lz4(data: &[u8]) -> Vec<u8> {
        lz4_flex::block::compress(data)
    }

    fn hadoop(data: &[u8]) -> Vec<u8> {
        let (first, second) = data.split_at(data.len() / 2);
        let mut framed = Vec::new();
        for half in [first, second] {
            let block = raw_lz4(half);
            framed.extend(u32::try_from(half.len()).unwrap().to_be_bytes());
            framed.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
            framed.extend(block);
        }
        framed
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_frame(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn zstd_frames(data: &[u8]) -> Vec<u8> {
        let (first, second) = data.split_at(data.len() / 3);
        [zstd_frame(first), zstd_frame(second)].concat()
    }

    fn snap(data: &[u8]) -> Vec<u8> {
        ::snap::raw::Encoder::new().compress_vec(data).unwrap()
    }

    /// Three blocks that are not compressed, as RFC 7932, 9.2 has them.
    fn brotli(data: &[u8]) -> Vec<u8> {
        // WBITS 16 is a zero bit; a meta-block: not the last, 4 nibbles of length, length - 1, not compressed.
        let mut out = Vec::new();
        for (number, piece) in data.chunks(60_000).enumerate() {
            let length = u32::try_from(piece.len() - 1).unwrap();
            let bits = length << 3 | 1 << 19;
            // The first one has the bit of WBITS in front of it.
            let bits = if number == 0 { bits << 1 } else { bits };
            out.extend(&bits.to_le_bytes()[..3]);
            out.extend(piece);
        }
        out.push(if data.is_empty() { 0b110 } else { 0b11 });
        out
    }

    #[rstest]
    #[case(CompressionCodec::SNAPPY, snap)]
    #[case(CompressionCodec::GZIP, gzip)]
    #[case(CompressionCodec::ZSTD, zstd_frame)]
    #[case(CompressionCodec::ZSTD, zstd_frames)]
    #[case(CompressionCodec::BROTLI, brotli)]
    #[case(CompressionCodec::LZ4_RAW, raw_lz4)]
    #[case(CompressionCodec::LZ4, raw_lz4)]
    #[case(CompressionCodec::LZ4, hadoop)]
    #[case(CompressionCodec::UNCOMPRESSED, <[u8]>::to_vec)]
    fn pages_come_back_and_only_in_their_size(#[case] codec: CompressionCodec, #[case] compress: fn(&[u8]) -> Vec<u8>) {
        let data: Vec<u8> = (0..100_000_u32).map(|number| (number / 7 % 251) as u8).collect();
        let compressed = compress(&data);
        assert_eq!(decompress(codec, &compressed, data.len()).unwrap(), data);
        assert!(decompress(codec, &compressed, data.len() - 1).is_err(), "more than it says");
        assert!(decompress(codec, &compressed, data.len() + 1).is_err(), "less than it says");
        assert!(decompress(codec, &compressed[..compressed.len() / 2], data.len()).is_err(), "cut");
    }

    proptest! {
        #[test]
        fn any_bytes_are_decompressed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), codec in 0..7_usize, size in 0..2000_usize) {
            use CompressionCodec::{BROTLI, GZIP, LZ4, LZ4_RAW, LZO, SNAPPY, ZSTD};
            let codec = [BROTLI, GZIP, LZ4, LZ4_RAW, LZO, SNAPPY, ZSTD][codec];
            if let Ok(output) = decompress(codec, &bytes, size) {
                prop_assert_eq!(output.len(), size);
            }
        }
    }
}
