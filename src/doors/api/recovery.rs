//! The recovery key: whether it was confirmed, and the confirmation.

use axum::{Extension, Json, extract::State};

use super::{
    Shared,
    error::Problem,
    extract::Body,
    route::Route,
    types::{RecoveryKey, ShownRecoveryKey},
};
use crate::{domain::caller::Caller, model::secret::Secret};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/api/v1/recovery-key", state), Route::post("/api/v1/recovery-key", confirm)]
}

async fn state(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<RecoveryKey>, Problem> {
    let confirmed = holdall.recovery_key_confirmed(&caller).await?;
    Ok(Json(RecoveryKey { confirmed }))
}

async fn confirm(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(shown): Body<ShownRecoveryKey>,
) -> Result<Json<RecoveryKey>, Problem> {
    let key = shown.key.unwrap_or_else(|| Secret::new(""));
    holdall.confirm_recovery_key(&caller, &key).await?;
    Ok(Json(RecoveryKey { confirmed: true }))
}
