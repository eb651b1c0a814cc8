//! Scrubbing: how it stands, and a run whose answer comes when it has ended. And what is known to
//! be damaged, page by page.

use axum::{
    Extension, Json,
    extract::{Query, State},
};
use http::StatusCode;
use serde::Deserialize;

use super::{
    Shared,
    damaged::{part, place},
    error::Problem,
    extract::Body,
    route::Route,
    types::{Damage, DamagedFile, DamagedFiles, Damages, ScrubRun, Scrubbed, Scrubbing},
};
use crate::{
    domain::{HitCursor, Portion, caller::Caller},
    model::limits::SCRUB_PARTS,
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/scrub", state),
        Route::post("/api/v1/scrub", run),
        Route::get("/api/v1/damage", damage),
        Route::get("/api/v1/damage/files", files),
    ]
}

/// Where a page begins.
#[derive(Debug, Deserialize)]
struct Page {
    after: Option<String>,
}

impl Page {
    fn after<T>(self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(text) = self.after else { return Ok(None) };
        let none = || Problem::new(StatusCode::BAD_REQUEST, "bad_cursor", "after is not a place in the list");
        parse(&text).ok_or_else(none).map(Some)
    }
}

async fn state(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Scrubbing>, Problem> {
    Ok(Json(holdall.scrubbing(&caller)?.into()))
}

async fn run(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(what): Body<ScrubRun>,
) -> Result<Json<Scrubbed>, Problem> {
    let portion = what.part.map_or(Some(Portion::ALL), |text| Portion::parse(&text));
    let portion = portion.ok_or_else(|| {
        let what = format!("part is a fraction such as 2/7, from 1/7 to 7/7, of {SCRUB_PARTS} parts at most");
        Problem::new(StatusCode::BAD_REQUEST, "bad_part", what)
    })?;
    Ok(Json(holdall.scrub(&caller, portion).await?.into()))
}

async fn damage(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
) -> Result<Json<Damages>, Problem> {
    let (damage, next) = holdall.damage(&caller, page.after(part)?).await?;
    let damage = damage.into_iter().map(Damage::from).collect();
    Ok(Json(Damages { damage, next: next.map(place) }))
}

async fn files(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
) -> Result<Json<DamagedFiles>, Problem> {
    let hits = holdall.damaged_files(&caller, page.after(HitCursor::parse)?).await?;
    let files = hits.hits.into_iter().map(DamagedFile::from).collect();
    Ok(Json(DamagedFiles { files, next: hits.next.map(|next| next.to_string()) }))
}
