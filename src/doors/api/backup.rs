//! Backups, whose answer comes when one is made, and snapshots of the metadata.

use std::path::Path;

use axum::{Extension, Json, extract::State};

use super::{
    Shared,
    error::Problem,
    extract::Body,
    route::Route,
    types::{BackedUp, Backup, BackupRun, Snapshot},
};
use crate::domain::caller::Caller;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/backup", state),
        Route::post("/api/v1/backup", run),
        Route::get("/api/v1/snapshots", snapshots),
    ]
}

async fn state(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Backup>, Problem> {
    Ok(Json(holdall.backup_state(&caller)?.into()))
}

async fn run(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(what): Body<BackupRun>,
) -> Result<Json<BackedUp>, Problem> {
    let keep = what.keep.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX));
    Ok(Json(holdall.back_up(&caller, Path::new(&what.folder), keep).await?.into()))
}

async fn snapshots(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Snapshot>>, Problem> {
    let kept = holdall.snapshots(&caller).await?;
    Ok(Json(kept.into_iter().map(Snapshot::from).collect()))
}
