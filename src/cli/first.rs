//! The first start: what of it is shown once. On later starts, a word about presets that are no
//! longer what is stored.

use std::path::Path;

use serde_json::{Value, json};

use super::failure::Failure;
use crate::{
    config::{self, Settings},
    domain::{FirstAdmin, Holdall, Presented, Preset, Welcome},
    model::{name::AccountName, secret::Secret},
};

/// What stands for a secret that the operator gave.
const PRESET: &str = "(as preset)";

/// The presets. Where nothing was made yet they must be good before anything is; later they only
/// differ from what is stored.
pub(super) fn preset(settings: &Settings) -> Result<FirstAdmin, Failure> {
    let preset = &settings.admin;
    let name = AccountName::parse(&preset.user)
        .map_err(|why| Failure::Usage(format!("admin.user is {:?}: a name {why}", preset.user)))?;
    let first =
        FirstAdmin { name: Some(name), password: preset.password.clone(), access_key: preset.key.clone() };
    if !settings.data.join("FORMAT").exists() {
        check(&first)?;
    }
    Ok(first)
}

/// What may stand in a directory before its first start: ours, of a start that broke off, and what
/// people keep beside it.
const USUAL: [&str; 9] =
    ["FORMAT", "LOCK", "reserve", "meta", "segments", "keys", "admin.sock", "config.toml", "lost+found"];

/// Whoever starts on a folder of files may think that these will be served.
pub(super) fn warn_of_others(data: &Path) {
    let Ok(entries) = std::fs::read_dir(data) else { return };
    if data.join("FORMAT").exists() {
        return;
    }
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let others = names.filter(|name| !name.starts_with('.') && !USUAL.contains(&name.as_str())).count();
    if others > 0 {
        tracing::warn!(
            others,
            "the data directory is not empty: what was in it stays there and is not served; \
             send files through WebDAV or S3, and keep a directory for Holdall alone"
        );
    }
}

/// Names the setting that is wrong.
fn check(first: &FirstAdmin) -> Result<(), Failure> {
    first.check().map_err(|(part, why)| {
        let setting = match part {
            Preset::Password => "admin.password (HOLDALL_ADMIN_PASSWORD)",
            Preset::AccessKey => "admin.access_key (HOLDALL_ADMIN_ACCESS_KEY)",
            Preset::SecretKey => "admin.secret_key (HOLDALL_ADMIN_SECRET_KEY)",
        };
        Failure::Usage(format!("{setting} cannot be used: {why}"))
    })
}

/// Makes the first account if there is none; otherwise compares the presets with what is there.
pub(super) async fn start(
    settings: &Settings,
    first: FirstAdmin,
    holdall: &Holdall,
) -> Result<Option<Welcome>, Failure> {
    let welcome = match holdall.bootstrap(first.clone()).await {
        Ok(welcome) => welcome,
        Err(error) => {
            check(&first)?;
            return Err(Failure::Refused(error.to_string()));
        }
    };
    if welcome.is_none() {
        warn_about_differences(&settings.admin, holdall).await;
    }
    Ok(welcome)
}

/// Presets count on the first start only; who changes them later would wait in vain.
async fn warn_about_differences(preset: &config::FirstAdmin, holdall: &Holdall) {
    if let Some(password) = &preset.password {
        let presented = Presented::Password { user: &preset.user, password, from: None };
        if holdall.authenticate(presented).await.is_err() {
            tracing::warn!(
                account = preset.user,
                "admin.password is not the account's password; it counts on the first start only, use \
                 `holdall user passwd`"
            );
        }
    }
    if let Some((access_key, secret)) = &preset.key {
        let verify = |stored: &Secret| stored.matches(secret.reveal());
        let presented = Presented::Signature { access_key, verify: &verify };
        if holdall.authenticate(presented).await.is_err() {
            tracing::warn!(
                "admin.access_key and admin.secret_key are not stored; they count on the first start only, use \
                 `holdall key add`"
            );
        }
    }
}

/// For programs.
pub(super) fn as_json(made: &Welcome) -> Value {
    json!({
        "user": made.name.as_str(),
        "password": made.password.as_ref().map(Secret::reveal),
        "access_key": made.access_key,
        "secret_key": made.secret_key.as_ref().map(Secret::reveal),
        "recovery_key": made.recovery_key.reveal(),
    })
}

/// For people.
pub(super) fn as_text(made: &Welcome, data: &Path) -> String {
    let shown = |secret: &Option<Secret>| secret.as_ref().map_or(PRESET, Secret::reveal).to_owned();
    format!(
        "Holdall {} has made its data directory, {}.\nKeep this; it is shown only once:\n\n  \
         account       {}\n  password      {}\n  access key    {}\n  secret key    {}\n  recovery key  {}\n\n\
         Once it is in a safe place, run `holdall recovery-key confirm`.\n",
        env!("CARGO_PKG_VERSION"),
        data.display(),
        made.name,
        shown(&made.password),
        made.access_key,
        shown(&made.secret_key),
        made.recovery_key.reveal(),
    )
}
