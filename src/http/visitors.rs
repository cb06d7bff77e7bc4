//! Keeps web pages away. A browser beside the server lets any page send requests there, and the server knows no users:
//! the browser's word about the page is all that tells such a request from an operator's.
//!
//! - An `Origin` is a page's. One that this server did not serve has no business here.
//! - A page whose name is made to point at this machine (DNS rebinding) counts as ours by its `Origin`; but the name
//!   stands in `Host`, and a server on a loopback address is called by a loopback name alone.
//! - A page can send a body without asking first, but not as JSON.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::{ApiError, Fault};
use super::routes::WATCHED;

/// Lets a request through that is no foreign page's; `listens` is where the server does.
pub(super) async fn keep_out(State(listens): State<IpAddr>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let admitted = is_of_ours(headers).and_then(|()| {
        // Whoever watches from a container calls this machine by other names, and is told of no instance.
        let is_watched = WATCHED.contains(&request.uri().path());
        if is_watched || !listens.to_canonical().is_loopback() { Ok(()) } else { is_for_loopback(headers) }
    });
    match admitted {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    // One that is no text is none of ours.
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// The page comes from where the request goes. The scheme is not compared: something in front of us may end TLS.
fn is_of_ours(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = text(headers, &header::ORIGIN) else { return Ok(()) };
    let page = origin.split_once("://").map(|(_, page)| page);
    if page.is_some_and(|page| text(headers, &header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(page))) {
        return Ok(());
    }
    let message = format!("the request comes from a web page of `{}`, which is not this server", origin.escape_debug());
    let hint = "pages of others may not use the API: call it from a program, or let something in front of it that knows its \
                users take the header `Origin` away";
    Err(ApiError::new(Fault::Foreign, "foreign_origin", message).hint(hint))
}

fn is_for_loopback(headers: &HeaderMap) -> Result<(), ApiError> {
    // No browser leaves it out.
    let Some(host) = text(headers, &header::HOST) else { return Ok(()) };
    if is_loopback(host) {
        return Ok(());
    }
    let message =
        format!("the request is for `{}`, and this server is on a loopback address alone", host.escape_debug());
    let hint =
        "call it by `127.0.0.1`, `[::1]` or `localhost`; something in front of it has to send one of them as `Host`";
    Err(ApiError::new(Fault::Foreign, "foreign_host", message).hint(hint))
}

fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// A body is said to be JSON.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let said = text(headers, &header::CONTENT_TYPE);
    let essence = said.and_then(|said| said.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = |kind: &str| kind == "json" || kind.ends_with("+json");
    if essence.strip_prefix("application/").is_some_and(is_json) {
        return Ok(());
    }
    let message = match said {
        Some(said) => format!("the body is said to be `{}`, and JSON is wanted", said.escape_debug()),
        None => "the body is not said to be JSON".to_owned(),
    };
    Err(ApiError::new(Fault::Media, "not_json", message).hint("send the header `content-type: application/json`"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn one(name: &header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))])
    }

    #[test]
    fn names_of_this_machine() {
        for host in
            ["127.0.0.1:7117", "127.3.2.1", "[::1]:7117", "[::1]", "LocalHost:7117", "localhost.", "a.localhost"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evil.example:7117", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example", "[::2]:1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn pages_of_this_server() {
        for (origin, is_ours) in [
            ("http://127.0.0.1:7117", true),
            ("https://127.0.0.1:7117", true),
            ("http://127.0.0.1:3000", false),
            ("http://evil.example", false),
            ("null", false),
        ] {
            let mut headers = one(&header::HOST, "127.0.0.1:7117");
            headers.extend(one(&header::ORIGIN, origin));
            assert_eq!(is_of_ours(&headers).is_ok(), is_ours, "{origin}");
        }
    }

    #[test]
    fn kinds_of_json() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"] {
            assert!(is_json(&one(&header::CONTENT_TYPE, kind)).is_ok(), "{kind}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "text/plain; a=application/json", ""] {
            assert!(is_json(&one(&header::CONTENT_TYPE, kind)).is_err(), "{kind}");
        }
    }
}
