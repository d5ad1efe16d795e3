//! What is taken out of and put into headers on the way through.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};

/// Headers of one connection only (RFC 9110, 7.6.1), with those that old software still sends.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What clients like to say about themselves; ours replaces it or nothing does.
const CLAIMS: [HeaderName; 7] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-real-ip"),
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Why a request is not passed on: status and sentence.
pub(crate) type Refused = (u16, &'static str);

/// Checks that the request means the same to everyone who reads it.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Refused> {
    let headers = request.headers();
    if request.method() == Method::CONNECT {
        return Err((501, "CONNECT is not supported here."));
    }
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next() {
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Err((400, "A request must not have both Content-Length and Transfer-Encoding."));
        }
        if encodings.next().is_some() || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err((501, "The only supported Transfer-Encoding is chunked, once."));
        }
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err((400, "A request must have one Host header.")),
        (None, None) if request.version() == Version::HTTP_11 => return Err((400, "A request must have a Host header.")),
        (Some(host), None) if host.is_empty() => return Err((400, "The Host header must not be empty.")),
        _ => {}
    }
    Ok(())
}

/// Whether the client asks for a WebSocket. Anything else it may want to upgrade to, h2c above all, would carry
/// requests past us uncounted.
pub(crate) fn wants_websocket<B>(request: &Request<B>) -> bool {
    let named = |name: HeaderName, token: &str| {
        request
            .headers()
            .get_all(name)
            .iter()
            .any(|value| value.to_str().is_ok_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))))
    };
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && named(header::CONNECTION, "upgrade")
        && named(header::UPGRADE, "websocket")
}

/// Removes what belongs to the connection, also what `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            // A client must not be able to have these taken away before the backend sees them.
            .filter(|name| !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::AUTHORIZATION | header::COOKIE))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// `X_Forwarded_For` becomes the same variable as `X-Forwarded-For` in a CGI or WSGI backend.
fn strip_underscored_claims(headers: &mut HeaderMap) {
    let underscored: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| CLAIMS.iter().any(|claim| name.as_str().replace('_', "-") == claim.as_str()))
        .cloned()
        .collect();
    for name in underscored {
        headers.remove(name);
    }
}

/// Turns what the client sent into what the backend gets.
pub(crate) fn to_backend(head: &mut http::request::Parts, client: IpAddr, websocket: bool, backend: &str) {
    strip_hop_by_hop(&mut head.headers);
    // We answer 100 ourselves, when the backend begins to take the body.
    head.headers.remove(header::EXPECT);
    for name in CLAIMS {
        head.headers.remove(name);
    }
    strip_underscored_claims(&mut head.headers);
    if let Some(authority) = head.uri.authority() {
        // Absolute form: the target's authority overrides Host (RFC 9112, 3.2.2).
        if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
            head.headers.insert(header::HOST, host);
        }
        let path = head.uri.path_and_query().cloned();
        head.uri = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    }
    if !head.headers.contains_key(header::HOST)
        && let Ok(host) = HeaderValue::from_str(backend)
    {
        head.headers.insert(header::HOST, host);
    } else if let Some(host) = head.headers.get(header::HOST).cloned() {
        head.headers.insert(FORWARDED_HOST, host);
    }
    if let Ok(value) = HeaderValue::from_str(&client.to_string()) {
        head.headers.insert(FORWARDED_FOR, value);
    }
    head.headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    if websocket {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    head.version = Version::HTTP_11;
}

/// Turns what the backend sent into what the client gets.
pub(crate) fn to_client(head: &mut http::response::Parts) {
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        // It was chunked, whatever length it also claims.
        head.headers.remove(header::CONTENT_LENGTH);
    }
    strip_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
}

/// Whether the request may be sent again after it may have reached a backend (RFC 9110, 9.2.2).
pub(crate) fn is_repeatable(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, headers: &[(&str, &str)]) -> http::request::Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn claims_are_replaced_and_connection_headers_removed() {
        let mut head = parts(
            "http://other.example/a?b=1",
            &[
                ("host", "shop.example"),
                ("x-forwarded-for", "6.6.6.6"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=6.6.6.6"),
                ("x-real-ip", "6.6.6.6"),
                ("x_forwarded-for", "6.6.6.6"),
                ("connection", "close, x-secret, authorization"),
                ("x-secret", "1"),
                ("authorization", "Bearer t"),
                ("keep-alive", "timeout=5"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("expect", "100-continue"),
                ("accept", "*/*"),
            ],
        );
        to_backend(&mut head, IpAddr::from([10, 0, 0, 7]), false, "127.0.0.1:1");
        let mut left: Vec<String> = head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        left.sort();
        assert_eq!(
            left,
            [
                "accept: */*",
                "authorization: Bearer t",
                "host: other.example",
                "x-forwarded-for: 10.0.0.7",
                "x-forwarded-host: other.example",
                "x-forwarded-proto: http",
            ]
        );
        assert_eq!(head.uri, "/a?b=1");
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        for (headers, status) in [
            (vec![("host", "a")], None),
            (vec![("host", "a"), ("transfer-encoding", "chunked")], None),
            (vec![("host", "a"), ("transfer-encoding", "chunked"), ("content-length", "1")], Some(400)),
            (vec![("host", "a"), ("transfer-encoding", "gzip, chunked")], Some(501)),
            (vec![("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], Some(501)),
            (vec![("host", "a"), ("host", "a")], Some(400)),
            (vec![], Some(400)),
        ] {
            let request = Request::from_parts(parts("/", &headers), ());
            assert_eq!(check(&request).err().map(|(status, _)| status), status, "{headers:?}");
        }
    }

    #[test]
    fn only_websockets_are_upgraded() {
        for (headers, wanted) in [
            (vec![("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")], true),
            (vec![("connection", "upgrade"), ("upgrade", "h2c")], false),
            (vec![("upgrade", "websocket")], false),
        ] {
            assert_eq!(wants_websocket(&Request::from_parts(parts("/", &headers), ())), wanted, "{headers:?}");
        }
    }
}
