//! `aws-chunked` bodies: how SDKs send checksums behind a body, and signatures of its chunks.

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{self, HeaderName},
};
use s3s::{S3Error, S3Result, s3_error};

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

/// Decodes an `aws-chunked` body and moves its trailers to the headers; leaves other bodies as they are.
pub(super) fn decode(headers: &mut HeaderMap, body: Bytes) -> S3Result<Bytes> {
    let streaming = headers.remove(CONTENT_SHA256).is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
    let chunked = take_aws_chunked(headers);
    let stated = headers.remove(DECODED_LENGTH);
    headers.remove(TRAILER);
    if !streaming && !chunked {
        return Ok(body);
    }
    let decoded = decode_chunks(body, headers)?;
    let stated = stated.and_then(|value| value.to_str().ok().and_then(|text| text.parse::<usize>().ok()));
    match stated {
        Some(length) if length == decoded.len() => Ok(decoded),
        Some(_) => Err(incomplete()),
        None => Err(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header.")),
    }
}

/// Takes `aws-chunked` off `Content-Encoding`, which the object does not keep.
fn take_aws_chunked(headers: &mut HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok()) else { return false };
    let encodings: Vec<&str> = value.split(',').map(str::trim).collect();
    if !encodings.iter().any(|encoding| encoding.eq_ignore_ascii_case("aws-chunked")) {
        return false;
    }
    let rest: Vec<&str> =
        encodings.into_iter().filter(|encoding| !encoding.eq_ignore_ascii_case("aws-chunked")).collect();
    match HeaderValue::from_str(&rest.join(",")) {
        Ok(rest) if !rest.is_empty() => headers.insert(header::CONTENT_ENCODING, rest),
        _ => headers.remove(header::CONTENT_ENCODING),
    };
    true
}

fn decode_chunks(mut body: Bytes, headers: &mut HeaderMap) -> S3Result<Bytes> {
    let mut decoded = BytesMut::new();
    let mut single = None;
    loop {
        let line = take_line(&mut body)?;
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let size = size.ok_or_else(incomplete)?;
        if size == 0 {
            break;
        }
        if body.len() < size {
            return Err(incomplete());
        }
        let chunk = body.split_to(size);
        if !take_line(&mut body)?.is_empty() {
            return Err(incomplete());
        }
        // A body of one chunk, the usual case, is not copied.
        match single.take() {
            None if decoded.is_empty() => single = Some(chunk),
            None => decoded.extend_from_slice(&chunk),
            Some(first) => {
                decoded.extend_from_slice(&first);
                decoded.extend_from_slice(&chunk);
            }
        }
    }
    while !body.is_empty() {
        let line = take_line(&mut body)?;
        if let Some((name, value)) = std::str::from_utf8(&line).ok().and_then(|line| line.split_once(':')) {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| malformed_trailer())?;
            if name != HeaderName::from_static("x-amz-trailer-signature") {
                let value = HeaderValue::from_str(value.trim()).map_err(|_| malformed_trailer())?;
                headers.insert(name, value);
            }
        } else if !line.is_empty() {
            return Err(malformed_trailer());
        }
    }
    Ok(single.unwrap_or_else(|| decoded.freeze()))
}

/// The bytes up to CRLF (a bare LF is taken too), without it.
fn take_line(body: &mut Bytes) -> S3Result<Bytes> {
    let end = body.iter().position(|byte| *byte == b'\n').ok_or_else(incomplete)?;
    let mut line = body.split_to(end + 1);
    line.truncate(end);
    if line.last() == Some(&b'\r') {
        line.truncate(end.saturating_sub(1));
    }
    Ok(line)
}

fn incomplete() -> S3Error {
    s3_error!(IncompleteBody, "The request body terminated unexpectedly")
}

fn malformed_trailer() -> S3Error {
    s3_error!(InvalidRequest, "The request contained trailing data that was not well-formed")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use http::HeaderMap;

    use super::decode;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn chunks_are_joined_and_trailers_become_headers() {
        let mut headers = headers(&[
            ("content-encoding", "gzip, aws-chunked"),
            ("x-amz-decoded-content-length", "7"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ]);
        let body =
            Bytes::from_static(b"3;chunk-signature=ab\r\nabc\r\n4\r\nd\r\ne\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n");
        assert_eq!(decode(&mut headers, body).unwrap(), Bytes::from_static(b"abcd\r\ne"));
        assert_eq!(headers.get("x-amz-checksum-crc32").unwrap(), "AAAA");
        assert_eq!(headers.get("content-encoding").unwrap(), "gzip");
    }

    #[test]
    fn a_cut_body_is_refused() {
        for body in [&b"3\r\nab"[..], b"3\r\nabc\r\n", b"zz\r\n", b"2\r\nab\r\n0\r\n\r\n"] {
            let mut headers = headers(&[("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "3")]);
            assert!(decode(&mut headers, Bytes::from_static(body)).is_err(), "{body:?}");
        }
    }
}
