//! The command line: reads what is asked for, has it done, prints the answer. Knows no rule about
//! accounts or files; those are verbs of the domain, asked for over the socket or directly.

mod arguments;
mod backup;
mod bucket;
mod check;
mod collect;
mod credentials;
mod doctor;
mod export;
mod failure;
mod files;
mod first;
mod hints;
mod import;
mod print;
mod progress;
mod reach;
mod rebuild;
mod recovery;
mod room;
mod scrub;
mod serve;
mod user;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser as _, error::ErrorKind};

use crate::{
    config::{Given, Settings},
    store::meta::tell_of_damage,
};
use arguments::{Arguments, Command, ConfigCommand};
use failure::Failure;
use print::Printer;

/// What every command works with.
#[derive(Debug)]
struct Context {
    settings: Settings,
    printer: Printer,
}

/// Runs the command line of this process: 0 is done, 1 refused or damaged, 2 usage or not
/// finished.
#[must_use]
pub fn main() -> ExitCode {
    tell_of_damage();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misread(&error),
    };
    let json = arguments.json;
    ended(run(arguments), json)
}

/// The exit code, after the last words.
fn ended(done: Result<(), Failure>, json: bool) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(json);
            ExitCode::from(failure.code())
        }
    }
}

fn version(printer: Printer) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    printer.one(&serde_json::json!({ "version": version }), || format!("holdall {version}"))
}

/// A command line that is none, or asks for help or the version.
fn misread(error: &clap::Error) -> ExitCode {
    // It was not understood, so the word itself must do.
    let json = std::env::args_os().any(|word| word == "--json");
    if error.kind() == ErrorKind::DisplayVersion && json {
        return ended(version(Printer { json }), json);
    }
    if error.use_stderr() && json {
        let text = error.to_string();
        let failure = Failure::Usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned());
        failure.tell(true);
        return ExitCode::from(failure.code());
    }
    // Nothing is left to tell if even this cannot be written.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let printer = Printer { json: arguments.json };
    if matches!(arguments.command, Command::Version) {
        return version(printer);
    }
    let settings = settings(&arguments)?;
    let context = Context { settings, printer };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("cannot start threads: {error}")))?;
    runtime.block_on(command(&context, arguments.command))
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let mut flags = Vec::new();
    if let Some(data) = &arguments.data {
        flags.push(("data", data.display().to_string()));
    }
    if let Command::Serve(serve) = &arguments.command
        && let Some(listen) = &serve.listen
    {
        flags.push(("listen", listen.clone()));
    }
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let given = Given {
        file: arguments.config.clone(),
        flags,
        environment: environment.collect(),
        folder: PathBuf::from("."),
    };
    Settings::load(given).map_err(|error| Failure::Usage(error.to_string()))
}

async fn command(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(_) => serve::serve(context).await,
        Command::User(command) => user::run(context, command).await,
        Command::Key(command) => credentials::keys(context, command).await,
        Command::AppPassword(command) => credentials::app_passwords(context, command).await,
        Command::Bucket(command) => bucket::run(context, command).await,
        Command::RecoveryKey(command) => recovery::run(context, command).await,
        Command::Check => check::run(context).await,
        Command::Scrub(what) => scrub::run(context, &what).await,
        Command::Gc(gc) => collect::gc(context, &gc).await,
        Command::Compact => collect::compact(context).await,
        Command::Rebuild(asked) => rebuild::run(context, &asked).await,
        Command::Export(export) => export::run(context, export).await,
        Command::Import(import) => import::run(context, import).await,
        Command::Backup(command) => backup::run(context, command).await,
        Command::Doctor(doctor) => doctor::run(context, &doctor).await,
        Command::MountHelp(help) => hints::run(context, &help).await,
        Command::Config(ConfigCommand::Show) => show_config(context),
        Command::Version => Ok(()),
    }
}

fn show_config(context: &Context) -> Result<(), Failure> {
    let shown = context.settings.shown();
    let rows = shown.iter().map(|(name, value, source)| {
        serde_json::json!({ "name": name, "value": value, "source": source.to_string() })
    });
    context.printer.many(&rows.collect::<Vec<_>>(), &["name", "value", "source"])
}

/// A text as one segment of an address.
fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
