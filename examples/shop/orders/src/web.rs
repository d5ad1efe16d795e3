//! The service over HTTP. Handlers translate; what is decided is decided in `price`, `pay` and `store`.

use crate::pay::{self, Card};
use crate::price::{self, NoPrice};
use crate::store::{NewOrder, Store, StoreError};
use crate::{catalogue, clock};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// Every address of the service.
pub fn router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/catalogue", get(list))
        .route("/quote", get(quote))
        .route("/orders", post(place).get(orders_of))
        .route("/orders/{id}", get(order))
        .route("/stats", get(stats))
        .with_state(store)
}

/// A refusal or failure: status and one sentence.
pub struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::KeyTaken => StatusCode::CONFLICT,
            StoreError::Schema(_) => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem(status, error.to_string())
    }
}

impl From<NoPrice> for Problem {
    fn from(none: NoPrice) -> Self {
        let status = match none {
            NoPrice::UnknownArticle(_) => StatusCode::NOT_FOUND,
            NoPrice::Pieces(_) => StatusCode::UNPROCESSABLE_ENTITY,
            NoPrice::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem(status, none.to_string())
    }
}

async fn health() -> Response {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

async fn list() -> Response {
    Json(catalogue::ARTICLES).into_response()
}

#[derive(Deserialize)]
struct Wanted {
    sku: String,
    qty: Option<u32>,
}

async fn quote(Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let quote = price::quote(&wanted.sku, wanted.qty.unwrap_or(1))?;
    Ok(Json(quote).into_response())
}

/// What a customer sends. Unknown fields are let through: a newer storefront may send more.
#[derive(Deserialize)]
struct Placing {
    key: String,
    customer: String,
    sku: String,
    qty: u32,
    card: Card,
}

async fn place(State(store): State<Arc<Store>>, body: Result<Json<Placing>, JsonRejection>) -> Result<Response, Problem> {
    let Json(placing) = body.map_err(|rejection| Problem(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text()))?;
    check_names(&placing)?;
    let quote = price::quote(&placing.sku, placing.qty)?;
    let authorisation = pay::authorise(&placing.card, quote.total_cents, clock::year_month(clock::now_ms()))
        .map_err(|refused| Problem(StatusCode::PAYMENT_REQUIRED, refused.to_string()))?;
    let new = NewOrder {
        key: placing.key,
        customer: placing.customer,
        sku: quote.sku,
        qty: quote.qty,
        total_cents: quote.total_cents,
        authorisation,
    };
    let placed = off_thread(move || store.place(&new)).await?;
    let status = if placed.replayed { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(placed.order)).into_response())
}

fn check_names(placing: &Placing) -> Result<(), Problem> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte));
    if !(8..=80).contains(&placing.key.len()) || !plain(&placing.key) {
        return Err(Problem(StatusCode::UNPROCESSABLE_ENTITY, "a key has 8 to 80 letters, digits or -._@".to_owned()));
    }
    if !(1..=60).contains(&placing.customer.len()) || !plain(&placing.customer) {
        return Err(Problem(StatusCode::UNPROCESSABLE_ENTITY, "a customer has 1 to 60 letters, digits or -._@".to_owned()));
    }
    Ok(())
}

async fn order(State(store): State<Arc<Store>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let asked = id.clone();
    match off_thread(move || store.order(&asked)).await? {
        Some(order) => Ok(Json(order).into_response()),
        None => Err(Problem(StatusCode::NOT_FOUND, format!("there is no order {id:?}"))),
    }
}

#[derive(Deserialize)]
struct Of {
    customer: String,
}

async fn orders_of(State(store): State<Arc<Store>>, Query(of): Query<Of>) -> Result<Response, Problem> {
    answer(move || store.orders_of(&of.customer)).await
}

async fn stats(State(store): State<Arc<Store>>) -> Result<Response, Problem> {
    answer(move || store.stats()).await
}

async fn answer<T: Serialize + Send + 'static>(
    query: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<Response, Problem> {
    Ok(Json(off_thread(query).await?).into_response())
}

/// SQLite waits for the disk, so it must not hold a thread that serves others.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Problem::from),
        Err(_) => Err(Problem(StatusCode::INTERNAL_SERVER_ERROR, "the request was dropped".to_owned())),
    }
}
