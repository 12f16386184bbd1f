//! Measures `throughline` on a cluster and prints a table with the goals.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, ValueEnum as _};
use jiff::Timestamp;
use throughline_tests::bench::{Part, Sizes, run};

/// Measures link latency, writes, idle requests, memory and cold start of `throughline`.
///
/// A missed goal is no failure: the table says so.
#[derive(Debug, Parser)]
struct Options {
    /// Only these parts, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Small sizes: shows that everything works, in a minute.
    #[arg(long)]
    quick: bool,
    /// The table as Markdown, for a document.
    #[arg(long)]
    markdown: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let sizes = if options.quick { Sizes::quick() } else { Sizes::full() };
    let parts = if options.only.is_empty() { Part::value_variants() } else { &options.only };
    let report = match run(parts, &sizes, now()).await {
        Ok(report) => report,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the command's own word")]
            {
                eprintln!("bench: {error}");
            }
            return ExitCode::FAILURE;
        }
    };
    let shown = if options.markdown { report.markdown() } else { report.text() };
    match std::io::stdout().write_all(shown.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[expect(clippy::disallowed_methods, reason = "the one clock of the bench")]
fn now() -> Timestamp {
    Timestamp::now()
}
