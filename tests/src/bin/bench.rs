//! Measures `throughline`, alone and on a cluster, and prints a table with the goals.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, ValueEnum as _};
use jiff::Timestamp;
use throughline_tests::bench::{Error, Part, Shape, Sizes, run, weigh};

/// That of `throughline`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what `throughline` gets done and what it costs: events, spans, memory and writes of its
/// core alone (`--only core`, no cluster, three minutes); link latency, writes, idle requests,
/// memory and cold start on a cluster.
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
    /// Says how many bytes so many idle Rollouts take in this very process.
    #[arg(long, hide = true, requires = "rollouts")]
    weigh: Option<Shape>,
    #[arg(long, hide = true)]
    rollouts: Option<usize>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    if let (Some(shape), Some(rollouts)) = (options.weigh, options.rollouts) {
        return match weigh(shape, rollouts) {
            Ok(bytes) => print(&format!("{bytes}\n")),
            Err(error) => fail(&error),
        };
    }
    let sizes = if options.quick { Sizes::quick() } else { Sizes::full() };
    let parts = if options.only.is_empty() { Part::value_variants() } else { &options.only };
    let report = match run(parts, &sizes, now()).await {
        Ok(report) => report,
        Err(error) => return fail(&error),
    };
    print(&if options.markdown { report.markdown() } else { report.text() })
}

fn print(words: &str) -> ExitCode {
    match std::io::stdout().write_all(words.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[expect(clippy::print_stderr, reason = "the command's own word")]
fn fail(error: &Error) -> ExitCode {
    eprintln!("bench: {error}");
    ExitCode::FAILURE
}

#[expect(clippy::disallowed_methods, reason = "the one clock of the bench")]
fn now() -> Timestamp {
    Timestamp::now()
}
