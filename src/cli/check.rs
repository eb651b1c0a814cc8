//! `holdall check`: recounts all references both ways, on data that no server has open.

use super::{Context, failure::Failure, reach::Reach};

/// Runs: exit code 0 if all is clean, 1 if something is damaged, 2 if it could not finish.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    if Reach::find(&context.settings).await?.is_server() {
        return Err(Failure::Usage("the server is running; stop it and check again".into()));
    }
    Err(Failure::Usage("the recount is not there yet; nothing was checked".into()))
}
