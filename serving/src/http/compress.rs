//! Compresses whole answers, if the caller takes that and it is worth it. Not for streams.

use super::answer::ApiResponse;
use crate::config::Config;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use axum::http::{HeaderMap, HeaderValue};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// The effort of brotli: it takes about as long as gzip at its fastest.
const BROTLI_QUALITY: u32 = 1;
const BROTLI_WINDOW_BITS: u32 = 20;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// `gzip`
    Gzip,
    /// `br`
    Brotli,
}

impl ContentCoding {
    const fn name(self) -> &'static str {
        match self {
            ContentCoding::Gzip => "gzip",
            ContentCoding::Brotli => "br",
        }
    }

    fn apply(self, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let smaller = Vec::with_capacity(body.len() / 4);
        match self {
            ContentCoding::Gzip => {
                let mut encoder = GzEncoder::new(smaller, Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()
            }
            ContentCoding::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(smaller, 4096, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
                encoder.write_all(body)?;
                encoder.flush()?;
                Ok(encoder.into_inner())
            }
        }
    }
}

/// The coding that the caller likes best, if any.
pub fn wanted(headers: &HeaderMap) -> Option<ContentCoding> {
    let given = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut best: Option<(u32, ContentCoding)> = None;
    for one in given.flat_map(|value| value.split(',')) {
        let mut parts = one.split(';').map(str::trim);
        let coding = match parts.next() {
            Some("br") => ContentCoding::Brotli,
            Some("gzip" | "x-gzip" | "*") => ContentCoding::Gzip,
            Some(_) | None => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse::<f32>().ok());
        let weight = (weight.unwrap_or(0.0) * 1_000.0) as u32;
        let is_better = best.is_none_or(|(most, _)| weight > most || weight == most && coding == ContentCoding::Brotli);
        if weight > 0 && is_better {
            best = Some((weight, coding));
        }
    }
    best.map(|(_, coding)| coding)
}

/// The answer in a coding, if it is large enough. What would hold up other requests is done beside them.
pub async fn compressed(config: &Config, mut answer: ApiResponse, coding: Option<ContentCoding>) -> ApiResponse {
    if answer.body().len() < config.compress_bytes_min {
        return answer;
    }
    answer.header(VARY, HeaderValue::from_static("accept-encoding"));
    let Some(coding) = coding else { return answer };
    let smaller = if answer.body().len() < config.compress_bytes_at_once {
        coding.apply(answer.body())
    } else {
        let body = answer.body().to_vec();
        let beside = tokio::task::spawn_blocking(move || coding.apply(&body)).await;
        beside.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    };
    // Writing to memory does not fail; if it did, the answer would leave as it is.
    if let Ok(smaller) = smaller {
        answer.header(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        answer.replace_body(smaller);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<ContentCoding> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
        wanted(&headers)
    }

    #[test]
    fn the_caller_says_what_it_takes() {
        assert_eq!(wanted(&HeaderMap::new()), None);
        assert_eq!(of("gzip, deflate, br"), Some(ContentCoding::Brotli));
        assert_eq!(of("gzip;q=1.0, br;q=0.5"), Some(ContentCoding::Gzip));
        assert_eq!(of("gzip;q=0, br; q=0"), None);
        assert_eq!(of("identity"), None);
        assert_eq!(of("*"), Some(ContentCoding::Gzip));
    }

    #[test]
    fn what_was_compressed_is_the_same_again() {
        use std::io::Read;
        let body = b"{\"a\":[1,2,3]}".repeat(1_000);
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(&ContentCoding::Gzip.apply(&body).unwrap()[..]).read_to_end(&mut read).unwrap();
        assert_eq!(read, body);
        read.clear();
        brotli::Decompressor::new(&ContentCoding::Brotli.apply(&body).unwrap()[..], 4096)
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, body);
    }
}
