//! `holdall scrub`: has everything stored read again, by the server that runs or on the data
//! itself.

use http::Method;

use super::{
    Context, arguments::Scrub, failure::Failure, print::many_of, progress::while_telling, reach::Reach,
};
use crate::{
    doors::api::types::{ScrubRun, Scrubbed, Scrubbing},
    model::size::shown as amount,
};

const ADDRESS: &str = "/api/v1/scrub";

/// Runs: exit code 0 if all is whole, 1 if something is damaged, 2 if it could not finish.
pub(super) async fn run(context: &Context, scrub: &Scrub) -> Result<(), Failure> {
    let scrubbed = ask(context, scrub.part.clone()).await?;
    context.printer.one(&scrubbed, || as_text(&scrubbed))?;
    if scrubbed.damaged == 0 { Ok(()) } else { Err(Failure::Said(1)) }
}

/// Has it read again, or a part of it, and waits for what was found.
pub(super) async fn ask(context: &Context, part: Option<String>) -> Result<Scrubbed, Failure> {
    let asked = async {
        let reach = Reach::find(&context.settings).await?;
        let what = ScrubRun { part };
        let asked = reach.tell::<Scrubbed>(Method::POST, ADDRESS, &what);
        while_telling(asked, async || so_far(&reach).await).await
    };
    asked.await.map_err(|failure| {
        let why = failure.message().unwrap_or_default();
        Failure::Usage(format!("not everything was read: {why}"))
    })
}

/// How far it is.
async fn so_far(reach: &Reach) -> Option<String> {
    let now = reach.ask::<Scrubbing>(Method::GET, ADDRESS).await.ok()?.now?;
    let (percent, read, damaged) = (now.percent, amount(now.bytes), now.damaged);
    Some(format!("scrubbing: {percent:.0} %, {read} read, {damaged} damaged"))
}

fn as_text(scrubbed: &Scrubbed) -> String {
    let (chunks, read) = (many_of(scrubbed.chunks, "chunk"), amount(scrubbed.bytes));
    let what = if scrubbed.part == "1/1" { String::new() } else { format!(" of part {}", scrubbed.part) };
    let found = match scrubbed.damaged {
        0 => "all of it is whole".to_owned(),
        1 => "1 is damaged; `holdall check` lists files that need it".to_owned(),
        damaged => format!("{damaged} are damaged; `holdall check` lists files that need them"),
    };
    format!("{chunks}{what} ({read}) read again: {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrub_is_told_in_words() {
        let mut done = Scrubbed {
            begun: String::new(),
            ended: None,
            part: "1/1".into(),
            percent: 100.0,
            chunks: 3,
            bytes: 1536,
            damaged: 0,
        };
        assert_eq!(as_text(&done), "3 chunks (1.5 KiB) read again: all of it is whole");
        (done.damaged, done.part, done.chunks) = (2, "2/7".into(), 1);
        let text = as_text(&done);
        assert!(text.starts_with("1 chunk of part 2/7 (1.5 KiB) read again: 2 are damaged;"), "{text}");
    }
}
