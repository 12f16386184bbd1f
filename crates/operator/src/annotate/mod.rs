//! `throughline annotate`: a pipeline writes down which commit a manifest delivers, and by which run.
//!
//! `facts` finds and judges what is to be said, `document` finds the Rollouts of a manifest, and
//! `edit` writes into them line by line, so that comments and order stay.

mod document;
mod edit;
mod facts;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

pub use document::{Annotated, annotate};
pub use facts::{Fact, Facts, Git, Given};

use crate::terminal;

/// Manifests of a whole environment are a few MiB.
const LIMIT: u64 = 32 << 20;

/// The flags of `throughline annotate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Annotate {
    /// The manifest: YAML, of any number of documents. Without it, or with `-`, stdin is read.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Commit of the source, 7 to 64 hexadecimal digits [default: HEAD of the git checkout].
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    /// When it was made, RFC 3339 or as git writes it [default: as git says of the commit].
    #[arg(long, value_name = "TIME")]
    commit_time: Option<String>,
    /// Who made it [default: as git says of the commit].
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// URL of the repository [default: git's remote `origin`].
    #[arg(long, value_name = "URL")]
    repository: Option<String>,
    /// W3C traceparent of the run that delivers it: it becomes a link in the attempt's trace.
    #[arg(long, value_name = "TRACEPARENT", env = "TRACEPARENT")]
    traceparent: Option<String>,
    /// It mends what it replaces, which counts as failed then.
    #[arg(long)]
    hotfix: bool,
    /// Do not ask git.
    #[arg(long)]
    no_git: bool,
    /// Annotate the pod template instead of the Rollout. Each commit is a new revision then, also
    /// where it changes nothing else.
    #[arg(long)]
    pod_template: bool,
}

/// Where in a Rollout the annotations stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `metadata.annotations`, which Argo copies to the ReplicaSet. No revision comes of it.
    Rollout,
    /// `spec.template.metadata.annotations`.
    PodTemplate,
}

/// Why nothing was annotated; each says what to do next.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AnnotateError {
    /// The manifest cannot be read.
    #[error("cannot read {from}: {reason}; name the manifest by --file, or pipe it in")]
    Read {
        /// The file, or `stdin`.
        from: String,
        /// Words of the system.
        reason: String,
    },
    /// A document is no YAML.
    #[error(
        "the document that begins in line {line} is no YAML ({reason}): correct it, or render \
         templates first, e.g. by `helm template` or `kubectl kustomize`"
    )]
    NotYaml {
        /// Its first line, from 1.
        line: usize,
        /// Words of the parser.
        reason: String,
    },
    /// What a Rollout has is not what one must have.
    #[error(
        "Rollout {rollout}, in the document that begins in line {line}: {path} is no mapping; \
         correct it, or annotate {other}"
    )]
    Shape {
        /// Namespace and name, as far as the document says.
        rollout: String,
        /// The first line of its document, from 1.
        line: usize,
        /// What is not a mapping.
        path: &'static str,
        /// The other place.
        other: &'static str,
    },
    /// A value would not be believed.
    #[error("{name} {value:?} {problem}")]
    Value {
        /// The flag or variable.
        name: &'static str,
        /// What was given, shortened.
        value: String,
        /// What is wrong with it and what to give.
        problem: String,
    },
    /// There is nothing to say.
    #[error(
        "no commit is known: give --commit SHA and --commit-time TIME, or run it in the checkout \
         of the source ({0})"
    )]
    NoCommit(String),
    /// It cannot be written.
    #[error("cannot write: {0}")]
    Write(String),
}

/// Reads the manifest, annotates it and writes it to stdout; what a person should know to stderr.
pub(crate) fn run(wanted: Annotate, now: Timestamp) -> Result<(), AnnotateError> {
    let manifest = manifest(wanted.file.as_ref())?;
    let place = if wanted.pod_template { Place::PodTemplate } else { Place::Rollout };
    let git = if wanted.no_git {
        Err("git was not asked".to_owned())
    } else {
        Git::ask(wanted.commit.as_deref())
    };
    let given = Given {
        commit: wanted.commit,
        commit_time: wanted.commit_time,
        author: wanted.author,
        repository: wanted.repository,
        traceparent: wanted.traceparent,
        hotfix: wanted.hotfix,
    };
    let facts = Facts::find(given, git, now)?;
    let annotated = annotate(&manifest, &facts, place)?;
    let written = terminal::print(&annotated.text);
    written.map_err(|error| AnnotateError::Write(error.to_string()))?;
    let mut notes = String::new();
    if !facts.tells_the_time() {
        notes.push_str(
            "throughline: no time of the commit is known, so there will be no lead time: give \
             --commit-time, or run it in the checkout of the source\n",
        );
    }
    if annotated.rollouts.is_empty() {
        notes.push_str("throughline: no Rollout is in the manifest; it is passed on as it was\n");
    }
    for rollout in &annotated.rewritten {
        // Writing to a String cannot fail.
        let _ = writeln!(
            notes,
            "throughline: the document of Rollout {rollout} was written anew, without its \
             comments: its annotations stand where no line can be added (a flow mapping, an anchor)"
        );
    }
    let written = std::io::stderr().write_all(notes.as_bytes());
    written.map_err(|error| AnnotateError::Write(error.to_string()))
}

fn manifest(file: Option<&PathBuf>) -> Result<String, AnnotateError> {
    let file = file.filter(|file| file.as_os_str() != "-");
    let from = file.map_or_else(|| "stdin".to_owned(), |file| file.display().to_string());
    let failed = |reason: String| AnnotateError::Read { from: from.clone(), reason };
    let mut text = String::new();
    let read = match file {
        Some(file) => std::fs::File::open(file)
            .and_then(|file| file.take(LIMIT + 1).read_to_string(&mut text)),
        None => std::io::stdin().take(LIMIT + 1).read_to_string(&mut text),
    };
    read.map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > LIMIT {
        return Err(failed(format!("it has more than {LIMIT} bytes")));
    }
    Ok(text)
}
