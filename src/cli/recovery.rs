//! `holdall recovery-key`.

use std::io::{IsTerminal as _, Write as _};

use http::Method;

use super::{Context, arguments::RecoveryKeyCommand, failure::Failure, reach::Reach, user::read_secret};
use crate::{
    doors::api::types::{RecoveryKey, ShownRecoveryKey},
    model::secret::Secret,
};

const ADDRESS: &str = "/api/v1/recovery-key";

pub(super) async fn run(context: &Context, command: RecoveryKeyCommand) -> Result<(), Failure> {
    let RecoveryKeyCommand::Confirm = command;
    let reach = Reach::find(&context.settings).await?;
    let shown = ShownRecoveryKey { key: Some(asked()?) };
    reach.tell::<RecoveryKey>(Method::POST, ADDRESS, &shown).await?;
    context.printer.done("the recovery key is confirmed")
}

/// The recovery key, asked for at a terminal or read from standard input.
pub(super) fn asked() -> Result<Secret, Failure> {
    if std::io::stdin().is_terminal() {
        let mut out = std::io::stderr().lock();
        // Who reads standard input from a terminal without another sees no question, and no harm.
        let _ = out.write_all(b"recovery key: ").and_then(|()| out.flush());
    }
    read_secret("recovery key")
}

/// Whether it was confirmed.
pub(super) async fn confirmed(reach: &Reach) -> Result<bool, Failure> {
    Ok(reach.ask::<RecoveryKey>(Method::GET, ADDRESS).await?.confirmed)
}
