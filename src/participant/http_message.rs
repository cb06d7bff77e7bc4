//! Events over HTTP: CloudEvents in binary mode, so the attribute `id` is the header `ce-id`, the body is the data, and a value
//! that is not printable ASCII is percent-encoded. A participant that treats ids as opaque text never has to decode one.

use std::sync::Arc;

use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::wire::{CloudEvent, attribute};

/// What CloudEvents wants encoded besides what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// In front of an attribute's name.
const PREFIX: &str = "ce-";

/// The event's headers.
pub(super) fn to_headers(event: &CloudEvent<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(attribute::ALL.len() + 1);
    if event.data.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in event.iter() {
        let value =
            if name == attribute::TRACEPARENT { value.into() } else { utf8_percent_encode(value, ENCODED).to_string() };
        // None of ours is such that HTTP cannot carry it; a trace of a stranger's may be.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name_of(name)), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The body that goes with them.
pub(super) fn to_body(event: &CloudEvent<'_>) -> Vec<u8> {
    event.data.as_ref().map(|data| data.get().as_bytes().to_vec()).unwrap_or_default()
}

/// The event of which headers hold the attributes, without its data.
pub(super) fn from_headers(headers: &HeaderMap) -> CloudEvent<'static> {
    let mut event = CloudEvent::default();
    for known in attribute::ALL {
        let Some(value) = headers.get(name_of(known)) else { continue };
        let value = String::from_utf8_lossy(value.as_bytes());
        let is_ours = known != attribute::TRACEPARENT;
        let value = if is_ours { percent_decode_str(&value).decode_utf8_lossy() } else { value };
        event.set(known, value.into_owned());
    }
    event.key = Arc::from(event.get(attribute::INSTANCE).unwrap_or_default());
    event
}

/// W3C's header is as W3C has it.
fn name_of(attribute: &str) -> String {
    if attribute == attribute::TRACEPARENT { attribute.to_owned() } else { format!("{PREFIX}{attribute}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn attributes_come_back_as_they_were(values in proptest::collection::vec(any::<String>(), attribute::ALL.len())) {
            let mut sent = CloudEvent::default();
            for (name, value) in attribute::ALL.into_iter().zip(&values).filter(|(name, _)| *name != attribute::TRACEPARENT) {
                sent.set(name, value);
            }
            sent.key = Arc::from(sent.get(attribute::INSTANCE).unwrap_or_default());
            let headers = to_headers(&sent);
            prop_assert!(headers.values().all(|value| value.to_str().is_ok()), "only printable ASCII travels");
            prop_assert_eq!(sent, from_headers(&headers));
        }
    }
}
