//! The board: what runs where, and what comes next.

use crate::doors::Reader;
use crate::problem::Answer;
use crate::show::board::{self, Ask};
use crate::state::Api;
use crate::strict::Params;
use axum::Json;
use axum::extract::State;
use serde_json::Value;

/// Services by environments.
#[utoipa::path(get, path = "/v1/board", tag = "orchestration", params(Ask), responses((status = 200, description = "a page of the board")))]
pub async fn board(_: Reader, State(api): State<Api>, Params(ask): Params<Ask>) -> Answer<Json<Value>> {
    board::view(&api, &ask).await.map(Json)
}
