//! `make demo`.

use std::process::ExitCode;

use clap::Parser;
use clap::builder::FalseyValueParser;
use throughline_tests::demo;

/// Rolls a shop out on a cluster of its own and shows the linked chain of its revisions.
///
/// Everything runs on loopback and ends with this program. The exit status is 0 only if the chain
/// that Jaeger holds is whole.
#[derive(Debug, Parser)]
#[command(name = "demo", max_term_width = 100)]
struct Options {
    /// End when everything was shown, and do not wait for Ctrl-C.
    #[arg(long, env = "DEMO_EXIT", value_parser = FalseyValueParser::new())]
    exit: bool,
}

fn main() -> ExitCode {
    let Options { exit } = Options::parse();
    demo::run(demo::Settings { exit })
}
