use std::path::PathBuf;
use std::process::ExitStatus;

/// What can go wrong with the test cluster and the things on it.
#[derive(thiserror::Error)]
pub enum Error {
    /// The Go toolchain is not there.
    #[error(
        "`go` does not run ({source}): install Go {version} or newer (https://go.dev/dl) and put it on PATH; it builds the programs of the test cluster"
    )]
    GoMissing {
        /// The version the module asks for.
        version: String,
        /// What the attempt to run it said.
        source: std::io::Error,
    },
    /// A program of the cluster could not be built.
    #[error(
        "building {program} in {folder} failed: look at the lines that follow, then run `go build {package}` there\n{tail}",
        folder = folder.display()
    )]
    Build {
        /// The program's file name.
        program: String,
        /// Its Go package.
        package: String,
        /// The folder of the go.mod.
        folder: PathBuf,
        /// The last lines of the compiler.
        tail: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        /// The verb: read, write, create, lock.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program could not be started at all.
    #[error("cannot start {program}: {source}; check that the file exists and may be executed")]
    Start {
        /// The program.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program ended although it should run.
    #[error("{program} ended ({status}); its log {log} ends with\n{tail}", log = log.display())]
    Ended {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A program runs and did not become ready in time.
    #[error(
        "{program} is not ready after {seconds} s ({reason}); its log {log} ends with\n{tail}",
        log = log.display()
    )]
    NotReady {
        /// The program.
        program: String,
        /// How long was waited.
        seconds: u64,
        /// The last answer to the question whether it is ready.
        reason: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A command that should succeed did not.
    #[error("`{command}` failed ({status}): {said}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote.
        said: String,
    },
    /// The API server refused a request.
    #[error("cannot {what}: {source}")]
    Api {
        /// Verb and object.
        what: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// A configuration for the API server could not be made.
    #[error("the kubeconfig {path} is of no use: {reason}", path = path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A manifest is not what it should be.
    #[error("the manifest is of no use: {reason}\n{manifest}")]
    Manifest {
        /// Why.
        reason: String,
        /// Its beginning.
        manifest: String,
    },
    /// The certificate of the API server could not be made.
    #[error("cannot make a certificate for the API server: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A condition did not come true in time.
    #[error("{object} did not become {condition} within {seconds} s; last seen:\n{state}")]
    Waited {
        /// Kind, namespace and name.
        object: String,
        /// What was waited for.
        condition: String,
        /// How long.
        seconds: u64,
        /// The object's state when the time was up.
        state: String,
    },
    /// The trace backend did not answer.
    #[error("Jaeger does not answer {url}: {source}; its log is logs/jaeger.log of the cluster")]
    Jaeger {
        /// What was asked.
        url: String,
        /// What came back.
        source: Box<reqwest::Error>,
    },
    /// The metrics backend did not answer.
    #[error("Prometheus does not answer {url}: {source}; its log is logs/{log}.log of the cluster")]
    Prometheus {
        /// What was asked.
        url: String,
        /// The name it was started under.
        log: String,
        /// What came back.
        source: Box<reqwest::Error>,
    },
    /// The metrics backend refuses a question.
    #[error("Prometheus refuses {query}: {reason}; correct the query")]
    Query {
        /// What was asked.
        query: String,
        /// Prometheus' words.
        reason: String,
    },
    /// A user of whom the cluster knows nothing.
    #[error("the cluster has no user {name}: name one of {known}, or add it to the options")]
    UnknownUser {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A program that was left out of this cluster, or is not one of its programs.
    #[error("{program} is no program of this cluster: {hint}")]
    Absent {
        /// The program.
        program: String,
        /// What to do.
        hint: &'static str,
    },
    /// A line of the audit log is not a record.
    #[error("line {line} of the audit log is no record: {source}")]
    Audit {
        /// Its number, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The cluster that the tests of a process share did not start.
    #[error("the shared cluster did not start: {0}")]
    Shared(#[from] &'static Error),
}

// A test that ends with an error shows its Debug form, and that is to be read as well.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Another process took a port between its choice and its use: a new start helps.
    pub(crate) fn is_taken_port(&self) -> bool {
        matches!(self, Self::Ended { tail, .. } | Self::NotReady { tail, .. }
            if tail.contains("address already in use"))
    }

    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api { what, source: Box::new(source) }
    }

    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
