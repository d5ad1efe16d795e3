//! The addresses of the storefront. Answers of the orders service pass through, its failures become 502 or 504.

use crate::upstream::{NoAnswer, Orders};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Write;

/// Every address of the storefront.
pub fn router(orders: Orders) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/", get(front))
        .route("/product/{sku}", get(product))
        .route("/checkout", post(checkout))
        .route("/order/{id}", get(order))
        .with_state(orders)
}

async fn health() -> Response {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

/// The catalogue: a page for browsers, JSON for everyone else.
async fn front(State(orders): State<Orders>, headers: HeaderMap) -> Response {
    let answer = orders.get("/catalogue").await;
    let html = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"));
    match answer {
        Ok((StatusCode::OK, body)) if html => page(&body),
        answer => pass(answer),
    }
}

fn page(catalogue: &Bytes) -> Response {
    let articles: Vec<Value> = serde_json::from_slice(catalogue).unwrap_or_default();
    let mut rows = String::new();
    for article in &articles {
        let text = |field: &str| escape(article[field].as_str().unwrap_or(""));
        let cents = article["cents"].as_i64().unwrap_or(0);
        let _ =
            write!(rows, "<tr><td><a href=\"/product/{}\">{}</a><td>{}.{:02} €</tr>", text("sku"), text("name"), cents / 100, cents % 100);
    }
    let html = format!("<!doctype html><html lang=en><meta charset=utf-8><title>Shop</title><h1>Shop</h1><table>{rows}</table></html>");
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[derive(Deserialize)]
struct Pieces {
    qty: Option<u32>,
}

async fn product(State(orders): State<Orders>, Path(sku): Path<String>, Query(pieces): Query<Pieces>) -> Response {
    if !is_name(&sku) {
        return problem(StatusCode::NOT_FOUND, format!("there is no article {sku:?}"));
    }
    pass(orders.get(&format!("/quote?sku={sku}&qty={}", pieces.qty.unwrap_or(1))).await)
}

async fn order(State(orders): State<Orders>, Path(id): Path<String>) -> Response {
    if !is_name(&id) {
        return problem(StatusCode::NOT_FOUND, format!("there is no order {id:?}"));
    }
    pass(orders.get(&format!("/orders/{id}")).await)
}

/// Names go into addresses of the orders service as they are.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A customer's basket: one article. `key` is made once per intention to buy, by the customer's side.
#[derive(Deserialize, Serialize)]
struct Basket {
    key: String,
    customer: String,
    sku: String,
    qty: u32,
    card: Card,
}

#[derive(Deserialize, Serialize)]
struct Card {
    number: String,
    expires: String,
}

async fn checkout(State(orders): State<Orders>, body: Result<Json<Basket>, JsonRejection>) -> Response {
    let basket = match body {
        Ok(Json(basket)) => basket,
        Err(rejection) => return problem(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text()),
    };
    match serde_json::to_vec(&basket) {
        Ok(json) => pass(orders.post("/orders", json).await),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn pass(answer: Result<(StatusCode, Bytes), NoAnswer>) -> Response {
    match answer {
        Ok((status, _)) if status.is_server_error() => problem(StatusCode::BAD_GATEWAY, format!("orders answered {}", status.as_u16())),
        Ok((status, body)) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(NoAnswer::Late) => problem(StatusCode::GATEWAY_TIMEOUT, NoAnswer::Late.to_string()),
        Err(unreachable) => problem(StatusCode::BAD_GATEWAY, unreachable.to_string()),
    }
}

fn problem(status: StatusCode, sentence: String) -> Response {
    (status, Json(json!({"error": sentence}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_change_the_address() {
        assert!(is_name("tea-assam"));
        for text in ["", "a/b", "a?b", "a&b", "a b", "%2e", "ä"] {
            assert!(!is_name(text), "{text:?}");
        }
    }

    #[test]
    fn markup_in_a_name_stays_text() {
        assert_eq!("&lt;b&gt; &amp; &quot;", escape("<b> & \""));
    }
}
