//! Compressed answers, for callers that ask for them.
//!
//! An answer is whole when it leaves (the connector's syntax check needs all of it), so it is compressed in one go rather
//! than as a stream; large ones leave the async threads for it.

use std::io::Write;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, VARY};

/// Below this, compressing costs more than it saves.
const WORTHWHILE: usize = 1024;
/// Above this, compressing would keep an async thread for too long (about 1 ms).
const ELSEWHERE: usize = 128 * 1024;

/// Puts `body` into `response`, compressed if `wanted` and of use.
pub(crate) async fn fill(mut response: Response, body: Bytes, wanted: bool) -> Response {
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept-encoding"));
    if !wanted || body.len() < WORTHWHILE {
        *response.body_mut() = Body::from(body);
        return response;
    }
    let packed = if body.len() > ELSEWHERE {
        let original = body.clone();
        tokio::task::spawn_blocking(move || pack(&original)).await.ok()
    } else {
        Some(pack(&body))
    };
    let Some(packed) = packed else {
        *response.body_mut() = Body::from(body);
        return response;
    };
    response
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(packed);
    response
}

fn pack(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).expect("writing to a Vec does not fail");
    encoder.finish().expect("writing to a Vec does not fail").into()
}
