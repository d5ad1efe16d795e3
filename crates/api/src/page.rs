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
    if let Some(file) = Files::get(path) {
        let hashed = path.starts_with("assets/");
        return answer(path, file.data, if hashed { "public, max-age=31536000, immutable" } else { "no-store" });
    }
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let of_the_page =
        path.is_empty() || (!path.starts_with("v1/") && path != "v1" && !path.starts_with("assets/") && accepts.contains("text/html"));
    match Files::get("index.html") {
        Some(file) if of_the_page => answer("index.html", file.data, "no-store"),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
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
