//! The page, embedded. A path that is no file of it gets the page itself, which then shows what the path names.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

#[derive(rust_embed::Embed)]
#[folder = "../../web/dist"]
struct Files;

/// Serves a file of the page, or the page for an address of its own.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some(file) = Files::get(path) {
        let hashed = path.starts_with("assets/");
        let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-store" };
        let Some(packed) = Files::get(&format!("{path}.gz")) else { return answer(path, file.data, cache) };
        let packs = takes_gzip(text(header::ACCEPT_ENCODING));
        let mut response = answer(path, if packs { packed.data } else { file.data }, cache);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if packs {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        return response;
    }
    let accepts = text(header::ACCEPT);
    let of_the_page =
        path.is_empty() || (!path.starts_with("v1/") && path != "v1" && !path.starts_with("assets/") && accepts.contains("text/html"));
    match Files::get("index.html") {
        Some(file) if of_the_page => answer("index.html", file.data, "no-store"),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Whether a client says that it takes gzip (RFC 9110, section 12.5.3); `gzip;q=0` says that it does not.
fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f64>().ok());
        named && weight.is_some_and(|q| q > 0.0)
    })
}

fn answer(path: &str, bytes: std::borrow::Cow<'static, [u8]>, cache: &'static str) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    let mut response = bytes.into_owned().into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(path: &str, accepted: &str) -> Response {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(accepted).unwrap())]);
        serve(Method::GET, path.parse().unwrap(), headers).await
    }

    #[tokio::test]
    async fn scripts_are_packed_for_whoever_unpacks_them() {
        let script = Files::iter().find(|name| name.ends_with(".js")).expect("the page has a script");
        let size = async |accepted: &str| {
            let response = ask(&format!("/{script}"), accepted).await;
            let packed = response.headers().get(header::CONTENT_ENCODING).is_some_and(|one| one == "gzip");
            assert_eq!(response.headers()[header::VARY], "accept-encoding");
            assert!(response.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/javascript"));
            (packed, axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().len())
        };
        let plain = size("identity").await;
        for refused in ["", "br", "gzip;q=0", "gzip; q=0.0, br"] {
            assert_eq!(size(refused).await, plain, "{refused}");
        }
        let packed = size("deflate, GZIP;q=0.5").await;
        assert!(packed.0 && !plain.0 && packed.1 * 2 < plain.1, "{packed:?} {plain:?}");
    }
}
