//! `holdall check`: recounts all references both ways, on data that no server has open.

use serde_json::json;

use super::{
    Context,
    failure::Failure,
    reach::{Reach, must_be_ours, open, with_reason},
};
use crate::domain::{Checked, Error, caller::Caller};

/// Runs: exit code 0 if all is clean, 1 if something is damaged, 2 if it could not finish.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    if Reach::socket(&context.settings).await.is_ok() {
        return Err(Failure::Usage("the server is running; stop it and check again".into()));
    }
    must_be_ours(&context.settings.data)?;
    let holdall = open(&context.settings, false)?;
    let checked = match holdall.check(&Caller::Operator).await {
        Ok(checked) => checked,
        Err(error @ Error::Damaged { .. }) => return Err(Failure::Refused(with_reason(&error))),
        Err(error) => return Err(Failure::Usage(format!("not finished: {}", with_reason(&error)))),
    };
    holdall.close().map_err(|error| Failure::Refused(with_reason(&error)))?;
    context.printer.one(&as_json(&checked), || as_text(&checked))?;
    if checked.faults == 0 { Ok(()) } else { Err(Failure::Said(1)) }
}

fn as_json(checked: &Checked) -> serde_json::Value {
    json!({
        "clean": checked.faults == 0,
        "references": checked.references,
        "manifests": checked.manifests,
        "chunks": checked.chunks,
        "needed": checked.needed,
        "queued": checked.queued,
        "unreferenced": checked.unreferenced,
        "faults": checked.faults,
        "findings": checked.findings,
    })
}

fn as_text(checked: &Checked) -> String {
    let mut lines = vec![format!(
        "{} versions and parts, {} chunks: {} needed, {} given to the collector, {} left by cut-off uploads",
        checked.references, checked.chunks, checked.needed, checked.queued, checked.unreferenced
    )];
    lines.extend(checked.findings.iter().map(|finding| format!("damaged: {finding}")));
    lines.push(match checked.faults {
        0 => "clean".to_owned(),
        faults => format!("{faults} faults; keep a copy of the data directory before anything else"),
    });
    lines.join("\n")
}
