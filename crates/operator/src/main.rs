//! The `throughline` command.

use std::process::ExitCode;

use clap::Parser as _;
use operator::cli::Cli;
use operator::exit::Exit;

/// What rests is small and lives long among much that does not: glibc's allocator leaves as much
/// memory free between it as it takes (`make bench`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// One thread: the owner is one task, and wake-ups across threads on the way to it and back cost more
// than a second thread gains. With several, `make bench` shows a fifth more CPU time and later links.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match operator::runtime::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not have started.
            operator::terminal::note(&error.to_string());
            ExitCode::from(Exit::from(&error) as u8)
        }
    }
}
