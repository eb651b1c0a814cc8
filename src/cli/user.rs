//! `holdall user`.

use std::io::Read as _;

use http::Method;
use serde_json::json;

use super::{Context, arguments::UserCommand, failure::Failure, reach::Reach};
use crate::{
    doors::api::types::{Account, AccountChange, NewAccount},
    model::{limits, secret::Secret},
    outside::random::{Random, SystemRandom},
};

/// Letters of passwords that are made: none that looks like another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

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
            reach.ask::<()>(Method::DELETE, &address(&name)).await?;
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
        return Ok((read_secret()?, None));
    }
    let made = made_password(&SystemRandom);
    Ok((made.clone(), Some(made)))
}

/// The first line of standard input.
pub(super) fn read_secret() -> Result<Secret, Failure> {
    let mut text = String::new();
    let most = u64::try_from(limits::PASSWORD_BYTES).unwrap_or(u64::MAX) + 2;
    let read = std::io::stdin().take(most).read_to_string(&mut text);
    read.map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::Usage("there is nothing on standard input".into()));
    }
    Ok(Secret::new(line))
}

/// A password of 100 random bits.
pub(super) fn made_password(random: &dyn Random) -> Secret {
    let mut bytes = [0; 20];
    random.fill(&mut bytes);
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied().map_or('x', char::from);
    let groups: Vec<String> = bytes.chunks(5).map(|group| group.iter().map(letter).collect()).collect();
    Secret::new(groups.join("-"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::random::SeededRandom;

    #[test]
    fn a_made_password_is_long_and_easy_to_copy() {
        let made = made_password(&SeededRandom::new(1));
        assert_eq!(made.reveal().len(), 23);
        assert_ne!(made.reveal(), made_password(&SeededRandom::new(2)).reveal());
        assert!(made.reveal().bytes().all(|b| b == b'-' || LETTERS.contains(&b)));
    }
}
