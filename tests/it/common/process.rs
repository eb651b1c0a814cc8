//! The `holdall` command as a process of its own.

use std::{
    io::Write as _,
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Not there among the tests of the library, which run no process.
const BINARY: Option<&str> = option_env!("CARGO_BIN_EXE_holdall");

fn binary() -> &'static str {
    BINARY.expect("the tests of tests/it have a binary")
}

fn holdall(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--data").arg(data).current_dir(data.parent().unwrap()).env_clear();
    command
}

/// Runs a command on a data directory.
pub(crate) fn run(data: &Path, arguments: &[&str]) -> Output {
    holdall(data, arguments).output().unwrap()
}

/// The same with variables in the environment.
pub(crate) fn run_with(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    holdall(data, arguments).envs(variables.iter().copied()).output().unwrap()
}

/// The same with something on standard input.
pub(crate) fn run_typing(data: &Path, arguments: &[&str], text: &str) -> Output {
    let mut command = holdall(data, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A server in a process of its own, killed when it is dropped.
pub(crate) struct Served(Child);

impl Served {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Starts a server on a data directory, at a free port.
pub(crate) fn serve(data: &Path) -> Served {
    serve_with(data, &[], [Stdio::null(), Stdio::null()])
}

/// The same with variables in the environment, and somewhere for what it tells and logs.
pub(crate) fn serve_with(data: &Path, variables: &[(&str, &str)], output: [Stdio; 2]) -> Served {
    serve_at(data, "127.0.0.1:0", variables, output)
}

/// The same at a given address.
pub(crate) fn serve_at(
    data: &Path,
    listen: &str,
    variables: &[(&str, &str)],
    [told, log]: [Stdio; 2],
) -> Served {
    let mut command = holdall(data, &["serve", "--listen", listen]);
    command.envs(variables.iter().copied()).stdout(told).stderr(log);
    start(command, data)
}

/// A server in a shell's place, which was told something first.
pub(crate) fn serve_below(data: &Path, first: &str) -> Served {
    let mut command = Command::new("/bin/sh");
    let line = format!("{first} && exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\"");
    command.args(["-c", &line, binary()]).arg(data);
    command.env_clear().current_dir(data.parent().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    start(command, data)
}

/// Starts it and waits until it answers.
fn start(mut command: Command, data: &Path) -> Served {
    let served = Served(command.spawn().unwrap());
    let since = Instant::now();
    // One that was killed leaves its socket behind; nobody answers there.
    while UnixStream::connect(data.join("admin.sock")).is_err() {
        assert!(since.elapsed() < PATIENCE, "the server starts");
        std::thread::sleep(Duration::from_millis(20));
    }
    served
}
