//! The table of contents: every route, by room.

use crate::routes::{
    account, audit, blobs, board, build, compatibility, environments, events, governance, health, releases, runs, scanning, validation,
    worker,
};
use crate::state::Api;
use crate::{Settings, guard, page};
use utoipa::openapi::{Info, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

fn all() -> OpenApiRouter<Api> {
    let about = OpenApiBuilder::new().info(Info::new("Holdpoint", "1")).build();
    OpenApiRouter::with_openapi(about)
        // account: who is who
        .routes(routes!(account::setup))
        .routes(routes!(account::sign_in, account::sign_out))
        .routes(routes!(account::me))
        .routes(routes!(account::people))
        .routes(routes!(account::invite))
        .routes(routes!(account::make_token, account::tokens))
        .routes(routes!(account::revoke_token))
        .routes(routes!(account::make_pool_key))
        // environments: what is declared
        .routes(routes!(environments::apply))
        .routes(routes!(environments::environments))
        .routes(routes!(environments::services))
        // build and validation: evidence
        .routes(routes!(build::start))
        .routes(routes!(build::show))
        .routes(routes!(validation::add, validation::list))
        .routes(routes!(validation::show))
        .routes(routes!(validation::revoke))
        .routes(routes!(scanning::deliver, scanning::deliveries))
        .routes(routes!(scanning::grant, scanning::waivers))
        .routes(routes!(scanning::withdraw))
        .routes(routes!(scanning::weaknesses))
        .routes(routes!(compatibility::show))
        // orchestration: releases and runs
        .routes(routes!(board::board))
        .routes(routes!(releases::create, releases::list))
        .routes(routes!(releases::show, releases::amend))
        .routes(routes!(releases::diff))
        .routes(routes!(releases::withdraw))
        .routes(routes!(releases::promote))
        .routes(routes!(releases::deploy))
        .routes(routes!(releases::check))
        .routes(routes!(releases::report))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::rollback))
        .routes(routes!(runs::resolve))
        .routes(routes!(runs::resume))
        .routes(routes!(runs::log))
        .routes(routes!(runs::canary))
        // governance: gates, votes, freezes
        .routes(routes!(governance::gates))
        .routes(routes!(governance::approve))
        .routes(routes!(governance::reject))
        .routes(routes!(governance::withdraw_vote))
        .routes(routes!(governance::declare_freeze, governance::freezes))
        .routes(routes!(governance::lift_freeze))
        // review: the ledger
        .routes(routes!(audit::ledger))
        .routes(routes!(audit::checkpoint))
        .routes(routes!(audit::export))
        .routes(routes!(audit::scrub))
        .routes(routes!(audit::proof))
        .routes(routes!(audit::consistency))
        .routes(routes!(audit::keys))
        .routes(routes!(audit::dossier))
        // bytes, events, workers
        .routes(routes!(blobs::put, blobs::get))
        .routes(routes!(events::events))
        .routes(routes!(worker::lease))
        .routes(routes!(worker::reclaim))
        .routes(routes!(worker::heartbeat))
        .routes(routes!(worker::output))
        .routes(routes!(worker::outcome))
        // the server itself
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(health::description))
}

pub fn openapi() -> OpenApi {
    all().into_openapi()
}

pub fn build(settings: Settings) -> axum::Router {
    let api = Api::new(settings);
    let (routes, _) = all().split_for_parts();
    routes.fallback(page::serve).layer(axum::middleware::from_fn_with_state(api.clone(), guard::around)).with_state(api)
}
