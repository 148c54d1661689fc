//! Decompression into as many bytes as a page says, and never more.
//!
//! Compression.md of apache/parquet-format. The codecs are Rust alone.

use std::io::Read;

use parquet::{
    basic::CompressionCodec,
    errors::{ParquetError, Result},
};

/// Decompresses a page, or a part of one, that has to have `size` bytes.
pub(super) fn decompress(codec: CompressionCodec, input: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut output = vec![0; size];
    let whole = match codec {
        CompressionCodec::UNCOMPRESSED => exactly(&mut { input }, &mut output),
        CompressionCodec::SNAPPY => {
            snap::raw::Decoder::new().decompress(input, &mut output).is_ok_and(|got| got == size)
        }
        CompressionCodec::GZIP => exactly(&mut flate2::bufread::MultiGzDecoder::new(input), &mut output),
        CompressionCodec::ZSTD => zstd(input, &mut output),
        CompressionCodec::BROTLI => exactly(&mut brotli_decompressor::Decompressor::new(input, 4096), &mut output),
        CompressionCodec::LZ4_RAW => raw_lz4(input, &mut output),
        CompressionCodec::LZ4 => hadoop_lz4(input, &mut output).is_some() || raw_lz4(input, &mut output),
        CompressionCodec::LZO => return Err(ParquetError::NYI("pages compressed with LZO".into())),
    };
    if whole { Ok(output) } else { Err(ParquetError::General(format!("a page is no {codec:?} of {size} bytes"))) }
}

/// Fills the output from a stream that ends there.
fn exactly(stream: &mut dyn Read, output: &mut [u8]) -> bool {
    stream.read_exact(output).is_ok() && matches!(stream.read(&mut [0]), Ok(0))
}

/// Frames one behind another, and none with a window that is larger than the output by much.
fn zstd(input: &[u8], output: &mut [u8]) -> bool {
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    decoder.set_max_window_size((output.len() as u64).max(8 << 20));
    decoder.decode_all(input, output).is_ok_and(|got| got == output.len())
}

fn raw_lz4(input: &[u8], output: &mut [u8]) -> bool {
    lz4_flex::block::decompress_into(input, output).is_ok_and(|got| got == output.len())
}

/// Hadoop's framing: the sizes of output and input in four bytes each, big end first, before each block.
fn hadoop_lz4(mut input: &[u8], output: &mut [u8]) -> Option<()> {
    let mut filled = 0;
    while !input.is_empty() {
        let (to, rest) = input.split_first_chunk::<4>()?;
        let (from, rest) = rest.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*from) as usize)?;
        let end = filled + u32::from_be_bytes(*to) as usize;
        raw_lz4(block, output.get_mut(filled..end)?).then_some(())?;
        (filled, input) = (end, rest);
    }
    (filled == output.len()).then_some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::io::Write;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn lz4(data: &[u8]) -> Vec<u8> {
        lz4_flex::block::compress(data)
    }

    fn hadoop(data: &[u8]) -> Vec<u8> {
        let (first, second) = data.split_at(data.len() / 2);
        let mut framed = Vec::new();
        for half in [first, second] {
            let block = lz4(half);
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

    fn zstd(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn snappy(data: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(data).unwrap()
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
    #[case(CompressionCodec::SNAPPY, snappy)]
    #[case(CompressionCodec::GZIP, gzip)]
    #[case(CompressionCodec::ZSTD, zstd)]
    #[case(CompressionCodec::BROTLI, brotli)]
    #[case(CompressionCodec::LZ4_RAW, lz4)]
    #[case(CompressionCodec::LZ4, lz4)]
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
