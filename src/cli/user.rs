//! `holdall user`.

use std::io::{BufRead as _, Read as _};

use http::Method;
use serde_json::json;

use super::{Context, arguments::UserCommand, failure::Failure, reach::Reach};
use crate::{
    domain::made_password,
    doors::api::types::{Account, AccountChange, NewAccount},
    model::{limits, secret::Secret},
    outside::random::SystemRandom,
};

pub(super) async fn run(context: &Context, command: UserCommand) -> Result<(), Failure> {
    let printer = context.printer;
    let reach = Reach::find(&context.settings).await?;
    match command {
        UserCommand::Add { name, email, display_name, admin, password_stdin } => {
            let (password, made) = password(password_stdin)?;
            let new = NewAccount { name, email, display_name, admin, password: Some(password) };
            let account: Account = reach.tell(Method::POST, "/api/v1/accounts", &new).await?;
            tell_password(context, &account, made.as_ref())
        }
        UserCommand::List => {
            let accounts: Vec<Account> = reach.ask(Method::GET, "/api/v1/accounts").await?;
            printer.many(&accounts, &["name", "display_name", "email", "admin", "disabled", "created", "id"])
        }
        UserCommand::Show { name } => {
            let account: Account = reach.ask(Method::GET, &address(&name)).await?;
            printer.members(&account)
        }
        UserCommand::Passwd { name, password_stdin } => {
            let (password, made) = password(password_stdin)?;
            let change = AccountChange { password: Some(password), ..AccountChange::default() };
            let account: Account = reach.tell(Method::PATCH, &address(&name), &change).await?;
            tell_password(context, &account, made.as_ref())
        }
        UserCommand::Disable { name } => disable(context, &reach, &name, true).await,
        UserCommand::Enable { name } => disable(context, &reach, &name, false).await,
        UserCommand::Remove { name } => {
            let removed = reach.ask::<()>(Method::DELETE, &address(&name)).await;
            removed.map_err(Failure::unless_empty)?;
            printer.done(&format!("account {name} is removed"))
        }
    }
}

async fn disable(context: &Context, reach: &Reach, name: &str, disabled: bool) -> Result<(), Failure> {
    let change = AccountChange { disabled: Some(disabled), ..AccountChange::default() };
    reach.tell::<Account>(Method::PATCH, &address(name), &change).await?;
    context.printer.done(&format!("account {name} is {}", if disabled { "disabled" } else { "enabled" }))
}

/// The account's address; a name that is none is refused by the server.
pub(super) fn address(name: &str) -> String {
    format!("/api/v1/accounts/{}", super::escaped(name))
}

/// The password to set, and once more if it was made here and must be shown.
fn password(from_stdin: bool) -> Result<(Secret, Option<Secret>), Failure> {
    if from_stdin {
        return Ok((read_secret("password")?, None));
    }
    let made = made_password(&SystemRandom);
    Ok((made.clone(), Some(made)))
}

/// The first line of standard input, which is this.
pub(super) fn read_secret(what: &str) -> Result<Secret, Failure> {
    let mut text = String::new();
    let most = u64::try_from(limits::PASSWORD_BYTES).unwrap_or(u64::MAX) + 2;
    // Up to the end of the line: who types it need not say that nothing follows.
    let read = std::io::BufReader::new(std::io::stdin().take(most)).read_line(&mut text);
    read.map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::Usage(format!("the {what} is read from standard input, and nothing is there")));
    }
    Ok(Secret::new(line))
}

fn tell_password(context: &Context, account: &Account, made: Option<&Secret>) -> Result<(), Failure> {
    let mut value = json!(account);
    if let (Some(members), Some(made)) = (value.as_object_mut(), made) {
        members.insert("password".into(), made.reveal().into());
    }
    context.printer.one(&value, || match made {
        Some(made) => format!("account   {}\npassword  {}   (shown only once)", account.name, made.reveal()),
        None => format!("account {} has the password given", account.name),
    })
}
