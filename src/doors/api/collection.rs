//! Collecting: how it stands, and a run whose answer comes when it has ended.

use axum::{Extension, Json, extract::State};

use super::{
    Shared,
    error::Problem,
    extract::Body,
    route::Route,
    types::{Collected, Collection, CollectionRun},
};
use crate::domain::caller::Caller;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/api/v1/collection", state), Route::post("/api/v1/collection", run)]
}

async fn state(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Collection>, Problem> {
    Ok(Json(holdall.collection(&caller)?.into()))
}

async fn run(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(what): Body<CollectionRun>,
) -> Result<Json<Collected>, Problem> {
    if what.dry_run {
        return Ok(Json(holdall.forecast_collection(&caller).await?.into()));
    }
    Ok(Json(holdall.collect(&caller, what.compact).await?.into()))
}
