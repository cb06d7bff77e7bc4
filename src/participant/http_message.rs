//! Messages over HTTP: CloudEvents in binary mode, so `ce_id` is `ce-id` and a value that is not printable ASCII is
//! percent-encoded. A participant that treats ids as opaque text never has to decode one.

use std::sync::Arc;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::wire::{Message, header};

/// What CloudEvents wants encoded besides what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The message's headers.
pub(super) fn to_headers(message: &Message) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(message.headers.len());
    for (name, value) in message.headers.iter() {
        let name = name.replace('_', "-");
        let value = if is_ours(&name) { utf8_percent_encode(value, ENCODED).to_string() } else { value.to_string() };
        // A header of somebody else's that HTTP cannot carry is left out: none of ours is such.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The headers that we read, and the body, as a message.
pub(super) fn from_headers(headers: &HeaderMap, body: &[u8]) -> Message {
    let mut message = Message { payload: Box::from(body), ..Message::default() };
    for known in header::ALL {
        let Some(value) = headers.get(known.replace('_', "-")) else { continue };
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = if is_ours(known) { percent_decode_str(&value).decode_utf8_lossy() } else { value };
        message.push(known, value.as_ref());
    }
    message.key = Arc::from(message.header(header::INSTANCE).unwrap_or_default());
    message
}

/// Headers of HTTP itself and of W3C are as they are.
fn is_ours(name: &str) -> bool {
    name.starts_with("saga-") || name.starts_with("ce-") || name.starts_with("ce_")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was(values in proptest::collection::vec(any::<String>(), header::ALL.len())) {
            let mut sent = Message { payload: Box::from(&b"{}"[..]), ..Message::default() };
            for (name, value) in header::ALL.into_iter().zip(&values).filter(|(name, _)| is_ours(name)) {
                sent.push(name, value);
            }
            sent.key = Arc::from(sent.header(header::INSTANCE).unwrap());
            let headers = to_headers(&sent);
            prop_assert!(headers.values().all(|value| value.to_str().is_ok()), "only printable ASCII travels");
            prop_assert_eq!(sent, from_headers(&headers, b"{}"));
        }
    }
}
