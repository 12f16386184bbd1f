//! The `throughline` command.

use std::process::ExitCode;

use clap::Parser as _;
use operator::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match operator::runtime::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the log may not have started")]
            {
                eprintln!("throughline: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
