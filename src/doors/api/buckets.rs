//! Buckets: one verb behind each address.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use http::StatusCode;
use serde::Deserialize;

use super::{
    Shared,
    error::Problem,
    extract::{self, Body},
    route::Route,
    types::{Bucket, BucketChange, Buckets, NewBucket, VersioningChange},
};
use crate::{
    domain::{
        Error,
        caller::Caller,
        nouns::{self, HistoryPolicy, ListBuckets, Versioning},
    },
    model::{condition::Conditions, limits},
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/buckets", list),
        Route::post("/api/v1/buckets", create),
        Route::get("/api/v1/buckets/{name}/twins", twins),
        Route::get("/api/v1/buckets/{name}", show),
        Route::patch("/api/v1/buckets/{name}", change),
        Route::delete("/api/v1/buckets/{name}", remove),
    ]
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
}

async fn list(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
) -> Result<Json<Buckets>, Problem> {
    let which = ListBuckets { prefix: page.prefix, after: page.after, limit: limits::LIST_PAGE };
    let buckets = holdall.list_buckets(&caller, which).await?;
    let next = if buckets.len() < limits::LIST_PAGE {
        None
    } else {
        buckets.last().map(|last| last.name.to_string())
    };
    Ok(Json(Buckets { buckets: buckets.into_iter().map(Bucket::from).collect(), next }))
}

async fn create(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewBucket>,
) -> Result<(StatusCode, Json<Bucket>), Problem> {
    let owner = new.owner.as_deref().map(extract::account).transpose()?;
    let name = extract::bucket(&new.name)?;
    let options =
        nouns::BucketOptions { history: history(new.history_days), owner, ..nouns::BucketOptions::default() };
    let bucket = holdall.create_bucket(&caller, &name, options).await?;
    Ok((StatusCode::CREATED, Json(bucket.into())))
}

async fn show(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Bucket>, Problem> {
    let name = extract::bucket(&name)?;
    let mut bucket = Bucket::from(holdall.show_bucket(&caller, &name).await?);
    bucket.usage = Some(holdall.bucket_usage(&caller, &name).await?.into());
    bucket.store = match holdall.space(&caller).await {
        Err(Error::Denied(_)) => None,
        counted => Some(counted?.into()),
    };
    Ok(Json(bucket))
}

async fn change(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(change): Body<BucketChange>,
) -> Result<Json<Bucket>, Problem> {
    let change = nouns::BucketChange {
        versioning: change.versioning.map(|to| match to {
            VersioningChange::Enabled => Versioning::Enabled,
            VersioningChange::Suspended => Versioning::Suspended,
        }),
        history: change.history_days.map(history),
        quota: change.quota,
    };
    Ok(Json(holdall.change_bucket(&caller, &extract::bucket(&name)?, change).await?.into()))
}

async fn remove(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    holdall.remove_bucket(&caller, &extract::bucket(&name)?, Conditions::default()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keys of files that WebDAV hides behind a folder of the same name; a page of them.
async fn twins(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<String>>, Problem> {
    let name = extract::bucket(&name)?;
    Ok(Json(holdall.twins(&caller, &name, page.after, limits::LIST_PAGE).await?))
}

fn history(days: u32) -> HistoryPolicy {
    if days == 0 { HistoryPolicy::Off } else { HistoryPolicy::Days(days) }
}
