//! `holdall key` and `holdall app-password`.

use http::Method;

use super::{
    Context,
    arguments::{AppPasswordCommand, KeyCommand},
    escaped,
    failure::Failure,
    reach::Reach,
    user::{address, read_secret},
};
use crate::{
    doors::api::types::{AppPassword, Key, NewAppPassword, NewKey},
    model::secret::Secret,
};

pub(super) async fn keys(context: &Context, command: KeyCommand) -> Result<(), Failure> {
    let reach = Reach::find(&context.settings).await?;
    match command {
        KeyCommand::Add { name, access_key, secret_key } => {
            let secret_key = match secret_key.as_deref() {
                Some("-") => Some(read_secret("secret key")?),
                given => given.map(Secret::new),
            };
            let new = NewKey { access_key, secret_key };
            let key: Key = reach.tell(Method::POST, &format!("{}/keys", address(&name)), &new).await?;
            context.printer.one(&key, || {
                let secret = key.secret_key.as_ref().map_or("", Secret::reveal);
                format!("access key  {}\nsecret key  {secret}   (shown only once)", key.access_key)
            })
        }
        KeyCommand::List { name } => {
            let keys: Vec<Key> = reach.ask(Method::GET, &format!("{}/keys", address(&name))).await?;
            context.printer.many(&keys, &["access_key", "created"])
        }
        KeyCommand::Remove { id } => {
            reach.ask::<()>(Method::DELETE, &format!("/api/v1/keys/{}", escaped(&id))).await?;
            context.printer.done(&format!("access key {id} is removed"))
        }
    }
}

pub(super) async fn app_passwords(context: &Context, command: AppPasswordCommand) -> Result<(), Failure> {
    let reach = Reach::find(&context.settings).await?;
    match command {
        AppPasswordCommand::Add { name, label, scope, expires } => {
            let (read, buckets): (Vec<_>, Vec<_>) = scope.into_iter().partition(|word| word == "read");
            let new = NewAppPassword { label, buckets, read_only: !read.is_empty(), expires };
            let path = format!("{}/app-passwords", address(&name));
            let made: AppPassword = reach.tell(Method::POST, &path, &new).await?;
            context.printer.one(&made, || {
                let password = made.password.as_ref().map_or("", Secret::reveal);
                format!("id            {}\napp password  {password}   (shown only once)", made.id)
            })
        }
        AppPasswordCommand::List { name } => {
            let made: Vec<AppPassword> =
                reach.ask(Method::GET, &format!("{}/app-passwords", address(&name))).await?;
            let columns = ["id", "label", "buckets", "read_only", "created", "expires"];
            if context.printer.json {
                return context.printer.many(&made, &columns);
            }
            let rows: Vec<_> = made.into_iter().map(for_people).collect();
            context.printer.many(&rows, &columns)
        }
        AppPasswordCommand::Remove { name, id } => {
            let path = format!("{}/app-passwords/{}", address(&name), escaped(&id));
            reach.ask::<()>(Method::DELETE, &path).await?;
            context.printer.done(&format!("app password {id} is removed"))
        }
    }
}

/// No bucket in the list means that none is left out, which people would not guess.
fn for_people(mut made: AppPassword) -> AppPassword {
    if made.buckets.is_empty() {
        made.buckets.push("all".to_owned());
    }
    made
}
