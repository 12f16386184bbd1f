//! `throughline completion`: what a shell needs to complete the command line.

use clap::{CommandFactory as _, ValueEnum};
use clap_complete::Shell as Generator;

use crate::cli::Cli;

/// A shell whose completion can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// source <(throughline completion bash)
    Bash,
    /// throughline completion zsh > "${fpath[1]}/_throughline"
    Zsh,
    /// throughline completion fish | source
    Fish,
}

/// The script of a shell.
pub(crate) fn script(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    // Into memory: a pipe that breaks would be a panic.
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut Cli::command(), "throughline", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
