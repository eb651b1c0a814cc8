//! Accounts: one verb behind each address.

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
    types::{Account, AccountChange, NewAccount},
};
use crate::domain::{caller::Caller, nouns};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/accounts", list),
        Route::post("/api/v1/accounts", add),
        Route::get("/api/v1/accounts/{name}", show),
        Route::patch("/api/v1/accounts/{name}", change),
        Route::delete("/api/v1/accounts/{name}", remove),
    ]
}

async fn list(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Account>>, Problem> {
    let accounts = holdall.list_accounts(&caller).await?;
    Ok(Json(accounts.into_iter().map(Account::from).collect()))
}

async fn add(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<Account>), Problem> {
    let new = nouns::NewAccount {
        name: extract::account(&new.name)?,
        display_name: new.display_name,
        email: new.email,
        admin: new.admin,
        password: new.password,
    };
    let account = holdall.add_account(&caller, new).await?;
    Ok((StatusCode::CREATED, Json(account.into())))
}

async fn show(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Account>, Problem> {
    let name = extract::account(&name)?;
    let mut account = Account::from(holdall.show_account(&caller, &name).await?);
    account.usage = Some(holdall.usage(&caller, &name).await?.into());
    Ok(Json(account))
}

async fn change(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(change): Body<AccountChange>,
) -> Result<Json<Account>, Problem> {
    let name = extract::account(&name)?;
    if let Some(password) = change.password {
        holdall.set_password(&caller, &name, password).await?;
    }
    if let Some(disabled) = change.disabled {
        holdall.set_disabled(&caller, &name, disabled).await?;
    }
    Ok(Json(holdall.show_account(&caller, &name).await?.into()))
}

async fn remove(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    holdall.remove_account(&caller, &extract::account(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
