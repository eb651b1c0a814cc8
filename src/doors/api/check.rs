//! The check, whose answer comes when it has ended.

use axum::{Extension, Json, extract::State};

use super::{Shared, error::Problem, route::Route, types::Check};
use crate::domain::caller::Caller;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/api/v1/check", check)]
}

async fn check(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Check>, Problem> {
    Ok(Json(holdall.check(&caller).await?.into()))
}
