//! The `holdall` command: the allocator and the exit code, nothing else.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Pages of metadata and pieces of content are taken and given back by many threads. The system's
/// allocator keeps what they gave back in pieces, which doubles the memory of a busy server.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    holdall::cli::main()
}
