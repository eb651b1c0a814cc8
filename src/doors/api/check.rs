//! The check, whose answer comes when it has ended.

use axum::{Extension, Json, Router, extract::State, routing::get};

use super::{Shared, error::Problem, types::Check};
use crate::domain::caller::Caller;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/api/v1/check", get(check))
}

async fn check(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Check>, Problem> {
    Ok(Json(holdall.check(&caller).await?.into()))
}
