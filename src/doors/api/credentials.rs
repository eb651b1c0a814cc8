//! Access keys and app passwords: one verb behind each address.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use http::StatusCode;

use super::{
    Shared,
    error::Problem,
    extract::{self, Body},
    route::Route,
    types::{AppPassword, Key, NewAppPassword, NewKey},
};
use crate::{
    domain::{
        caller::{Caller, Scope},
        error::Error,
    },
    model::time::Timestamp,
};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/accounts/{name}/keys", list_keys),
        Route::post("/api/v1/accounts/{name}/keys", add_key),
        Route::delete("/api/v1/keys/{id}", remove_key),
        Route::get("/api/v1/accounts/{name}/app-passwords", list_app_passwords),
        Route::post("/api/v1/accounts/{name}/app-passwords", add_app_password),
        Route::delete("/api/v1/accounts/{name}/app-passwords/{id}", remove_app_password),
    ]
}

async fn list_keys(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Vec<Key>>, Problem> {
    let keys = holdall.list_keys_of(&caller, &extract::account(&name)?).await?;
    Ok(Json(keys.into_iter().map(Key::from).collect()))
}

async fn add_key(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<Key>), Problem> {
    let preset = match (new.access_key, new.secret_key) {
        (Some(id), Some(secret)) => Some((id, secret)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(
                Error::Invalid("access_key and secret_key are given together or not at all".into()).into()
            );
        }
    };
    let (key, secret) = holdall.add_key(&caller, &extract::account(&name)?, preset).await?;
    Ok((StatusCode::CREATED, Json(Key { secret_key: Some(secret), ..key.into() })))
}

async fn remove_key(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    holdall.remove_key(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_app_passwords(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Vec<AppPassword>>, Problem> {
    let made = holdall.list_app_passwords(&caller, &extract::account(&name)?).await?;
    Ok(Json(made.into_iter().map(AppPassword::from).collect()))
}

async fn add_app_password(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(new): Body<NewAppPassword>,
) -> Result<(StatusCode, Json<AppPassword>), Problem> {
    let buckets = new.buckets.iter().map(|name| extract::bucket(name)).collect::<Result<_, _>>()?;
    let scope = Scope { buckets, read_only: new.read_only };
    let expires = new.expires.as_deref().map(time).transpose()?;
    let name = extract::account(&name)?;
    let (made, password) = holdall.add_app_password(&caller, &name, &new.label, scope, expires).await?;
    Ok((StatusCode::CREATED, Json(AppPassword { password: Some(password), ..made.into() })))
}

async fn remove_app_password(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    holdall.remove_app_password(&caller, &extract::account(&name)?, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn time(text: &str) -> Result<Timestamp, Error> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| Error::Invalid(format!("{text:?} is no time such as 2030-01-31T00:00:00Z")))
}
