//! The head of a request as bytes, before HTTP reads it: where it ends, whether it is framed without doubt, and how long
//! the body after it is. Stricter than HTTP asks for: what two readers could read in two ways is refused.

use super::limits::WireLimits;
use crate::http::problem::{ApiErrorKind, Problem};
use axum::http::Uri;

/// The framing of what follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// The end of the head that the bytes begin with; `None` if it is not whole. `seen` bytes were looked at before.
pub fn end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Problem> {
    let mut from = seen;
    while let Some(found) = bytes[from..].iter().position(|byte| *byte == b'\n') {
        let at = from + found;
        if at == 0 || bytes[at - 1] != b'\r' {
            return Err(malformed("lines of a request's head end with CR and LF"));
        }
        if bytes[..=at].ends_with(b"\r\n\r\n") {
            return Ok(Some(at + 1));
        }
        from = at + 1;
    }
    Ok(None)
}

/// The framing of the body after a whole head, or why it is refused.
pub fn check(head: &[u8], limits: &WireLimits) -> Result<BodyFraming, Problem> {
    let mut fields = vec![httparse::EMPTY_HEADER; limits.fields_max];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(head);
    if let Some(problem) = target_too_long(head, limits) {
        return Err(problem);
    }
    match parsed {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("the head of the request is not whole")),
        Err(httparse::Error::TooManyHeaders) => return Err(too_large(limits)),
        Err(error) => {
            return Err(Problem::new(
                ApiErrorKind::Malformed,
                format!("the head of the request is not HTTP/1.1: {error}"),
            ));
        }
    }
    if Uri::try_from(request.path.unwrap_or_default()).is_err() {
        return Err(malformed("the target of the request is no path"));
    }
    if head.len() > limits.head_bytes_max {
        return Err(too_large(limits));
    }
    framing(request.headers, request.version == Some(0))
}

fn framing(fields: &[httparse::Header<'_>], is_http_1_0: bool) -> Result<BodyFraming, Problem> {
    let of = |name: &'static str| {
        let named = fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value.trim_ascii())
    };
    let mut hosts = of("host");
    if hosts.next().is_none_or(<[u8]>::is_empty) || hosts.next().is_some() {
        return Err(malformed("a request has the header Host exactly once"));
    }
    let (mut lengths, mut codings) = (of("content-length"), of("transfer-encoding"));
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(BodyFraming::Length(0)),
        (Some(_), Some(_)) => Err(malformed("a request has Content-Length or Transfer-Encoding, and not both")),
        (Some(length), None) => {
            let is_one = lengths.next().is_none() && length.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(length).ok().filter(|_| is_one).and_then(|text| text.parse().ok());
            length.map(BodyFraming::Length).ok_or_else(|| malformed("Content-Length is one whole number"))
        }
        (None, Some(coding)) => {
            let is_chunked = codings.next().is_none() && coding.eq_ignore_ascii_case(b"chunked") && !is_http_1_0;
            if is_chunked { Ok(BodyFraming::Chunked) } else { Err(malformed("the only Transfer-Encoding is chunked")) }
        }
    }
}

/// The reason for refusing a head that has grown beyond the limit without an end.
pub fn unfinished(head: &[u8], limits: &WireLimits) -> Problem {
    target_too_long(head, limits).unwrap_or_else(|| too_large(limits))
}

fn target_too_long(head: &[u8], limits: &WireLimits) -> Option<Problem> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let detail = || format!("the target of a request takes at most {} bytes", limits.target_bytes_max);
    (target.len() > limits.target_bytes_max).then(|| Problem::new(ApiErrorKind::UriTooLong, detail()))
}

fn too_large(limits: &WireLimits) -> Problem {
    let WireLimits { head_bytes_max, fields_max, .. } = limits;
    let detail = format!("the head of a request takes at most {head_bytes_max} bytes and {fields_max} fields");
    Problem::new(ApiErrorKind::HeadersTooLarge, detail)
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(ApiErrorKind::Malformed, detail)
}

/// A head that HTTP can read in place of one that is refused: its method, and the fields that are judged before what is
/// wrong with it.
pub fn stand_in(head: &[u8]) -> Vec<u8> {
    const JUDGED: [&[u8]; 3] = [b"host:", b"origin:", b"sec-fetch-site:"];
    let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
    let known: [&[u8]; 6] = [b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"GET"];
    let method = known.into_iter().find(|known| *known == method).unwrap_or(b"GET");
    let mut made = [method, b" / HTTP/1.1\r\n"].concat();
    let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').skip(1).collect();
    // The last one may be cut off.
    lines.pop();
    for line in lines {
        let is_judged =
            JUDGED.iter().any(|name| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name));
        let is_plain = line.iter().all(|byte| (b' '..0x7f).contains(byte) || *byte == b'\r');
        if is_judged && is_plain && line.ends_with(b"\r") && made.len() + line.len() < STAND_IN_BYTES_MAX {
            made.extend_from_slice(line);
            made.push(b'\n');
        }
    }
    made.extend_from_slice(b"\r\n");
    made
}

/// Far more than an honest `Host` and `Origin` take.
const STAND_IN_BYTES_MAX: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(head: &str) -> Result<BodyFraming, &'static str> {
        check(head.as_bytes(), &WireLimits::default()).map_err(|problem| problem.code)
    }

    #[test]
    fn a_head_ends_with_an_empty_line_and_has_no_bare_line_feed() {
        assert_eq!(end(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nrest", 0), Ok(Some(27)));
        assert_eq!(end(b"GET / HTTP/1.1\r\nhost: a\r\n\r", 0), Ok(None));
        assert_eq!(end(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", 26), Ok(Some(27)));
        for bare in [&b"GET / HTTP/1.1\nhost: a\r\n\r\n"[..], b"GET / HTTP/1.1\r\nhost: a\n\r\n", b"\n"] {
            assert_eq!(end(bare, 0).map_err(|problem| problem.code), Err("malformed"));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let good = "POST /a?b=c HTTP/1.1\r\nHost: a\r\n";
        assert_eq!(checked(&format!("{good}\r\n")), Ok(BodyFraming::Length(0)));
        assert_eq!(checked(&format!("{good}content-length: 12\r\n\r\n")), Ok(BodyFraming::Length(12)));
        assert_eq!(checked(&format!("{good}transfer-encoding: Chunked\r\n\r\n")), Ok(BodyFraming::Chunked));
        let bad = [
            "POST / HTTP/1.1\r\n\r\n".to_owned(),
            "POST / HTTP/1.1\r\nhost: \r\n\r\n".to_owned(),
            format!("{good}host: a\r\n\r\n"),
            format!("{good}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
            format!("{good}content-length: 1\r\ncontent-length: 1\r\n\r\n"),
            format!("{good}content-length: +1\r\n\r\n"),
            format!("{good}content-length: 1, 1\r\n\r\n"),
            format!("{good}content-length: 99999999999999999999\r\n\r\n"),
            format!("{good}transfer-encoding: gzip, chunked\r\n\r\n"),
            format!("{good}transfer-encoding : chunked\r\n\r\n"),
            format!("{good}x: 1\r\n folded\r\n\r\n"),
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            "POST / HTTP/2.0\r\nhost: a\r\n\r\n".to_owned(),
            "POST  / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        ];
        for head in bad {
            assert_eq!(checked(&head), Err("malformed"), "{head}");
        }
    }

    #[test]
    fn heads_and_targets_are_bounded() {
        let target = |bytes: usize| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(bytes - 1));
        assert_eq!(checked(&target(8 << 10)), Ok(BodyFraming::Length(0)));
        assert_eq!(checked(&target((8 << 10) + 1)), Err("uri_too_long"));
        let fields = |count: usize| format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(count - 1));
        assert_eq!(checked(&fields(100)), Ok(BodyFraming::Length(0)));
        assert_eq!(checked(&fields(101)), Err("headers_too_large"));
        let begun = [b"GET / HTTP/1.1\r\nhost: a\r\nx: ".to_vec(), vec![b'x'; 32 << 10]].concat();
        assert_eq!(unfinished(&begun, &WireLimits::default()).code, "headers_too_large");
        assert_eq!(unfinished(&target(33 << 10).into_bytes(), &WireLimits::default()).code, "uri_too_long");
    }

    #[test]
    fn a_stand_in_keeps_what_is_judged_first() {
        let head = b"POST /x HTTP/1.1\r\nHost: evil\r\nx: y\r\nOrigin: http://evil.example.com\r\nsec-fetch-site: cros";
        let made = stand_in(head);
        assert_eq!(made, b"POST / HTTP/1.1\r\nHost: evil\r\nOrigin: http://evil.example.com\r\n\r\n");
        assert_eq!(stand_in(b"\x16\x03\x01"), b"GET / HTTP/1.1\r\n\r\n");
    }
}
