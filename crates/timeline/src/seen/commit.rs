//! What annotations and labels say about the commit behind a revision, and which key says it.
//!
//! | fact | keys, the first that stands with a usable value decides |
//! |---|---|
//! | commit | `throughline.dev/commit`, `resource.opentelemetry.io/vcs.ref.head.revision`, `org.opencontainers.image.revision`, `io.openshift.build.commit.id` |
//! | time | `throughline.dev/commit-time`, `io.openshift.build.commit.date` |
//! | author | `throughline.dev/author`, `io.openshift.build.commit.author`, `org.opencontainers.image.authors` |
//! | repository | `throughline.dev/repository`, `resource.opentelemetry.io/vcs.repository.url.full`, `org.opencontainers.image.source`, `io.openshift.build.source-location` |
//! | traceparent | `throughline.dev/traceparent`, `tekton.dev/deliveryTraceparent`, `tekton.dev/pipelinerunSpanContext` |
//!
//! - `org.opencontainers.image.created` is when an image was built (opencontainers/image-spec,
//!   annotations.md), which is no time of a commit: it is not read.
//! - OpenShift's builds label their images with the commit and its date, which Pelorus reads
//!   (dora-metrics/pelorus, exporters/committime/collector_image.py).
//! - Flux writes no commit on what it applies. Its form of a revision, `main@sha1:<commit>`
//!   (fluxcd/flux2, rfcs/0005-artifact-revision-and-digest), stands in OCI annotations where a
//!   pipeline pushes with `flux push artifact --revision`: the commit is read out of it.
//! - Argo CD writes none either. It gives `ARGOCD_APP_REVISION` to the build of manifests (argo-cd,
//!   docs/user-guide/build-environment.md), which a team may put under a key of ours. It is the
//!   commit of the repository that Argo CD syncs, which may only be one of configuration.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::fmt::strtime;
use serde::{Deserialize, Serialize};

use crate::base::Traceparent;
use crate::base::text::bounded;

/// Where a fact about a commit is from: the convention that its key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// Keys of this project.
    Throughline,
    /// `resource.opentelemetry.io/`
    OpenTelemetry,
    /// `org.opencontainers.image.`
    Oci,
    /// `io.openshift.build.`
    OpenShift,
    /// `tekton.dev/`
    Tekton,
}

/// A fact and where it is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// The keys, the first one first.
    pub keys: &'static [(&'static str, Source)],
    /// Most bytes that are kept of the value.
    pub limit: usize,
}

/// Commit of the source.
pub const COMMIT: Keys = Keys {
    keys: &[
        ("throughline.dev/commit", Source::Throughline),
        ("resource.opentelemetry.io/vcs.ref.head.revision", Source::OpenTelemetry),
        ("org.opencontainers.image.revision", Source::Oci),
        ("io.openshift.build.commit.id", Source::OpenShift),
    ],
    limit: 128,
};
/// When it was made.
pub const COMMIT_TIME: Keys = Keys {
    keys: &[
        ("throughline.dev/commit-time", Source::Throughline),
        ("io.openshift.build.commit.date", Source::OpenShift),
    ],
    limit: 64,
};
/// Who made it.
pub const AUTHOR: Keys = Keys {
    keys: &[
        ("throughline.dev/author", Source::Throughline),
        ("io.openshift.build.commit.author", Source::OpenShift),
        ("org.opencontainers.image.authors", Source::Oci),
    ],
    limit: 128,
};
/// Where it is.
pub const REPOSITORY: Keys = Keys {
    keys: &[
        ("throughline.dev/repository", Source::Throughline),
        ("resource.opentelemetry.io/vcs.repository.url.full", Source::OpenTelemetry),
        ("org.opencontainers.image.source", Source::Oci),
        ("io.openshift.build.source-location", Source::OpenShift),
    ],
    limit: 256,
};
/// The run that delivered it. Tekton's are those of konflux-ci/architecture ADR 59.
pub const TRACEPARENT: Keys = Keys {
    keys: &[
        ("throughline.dev/traceparent", Source::Throughline),
        ("tekton.dev/deliveryTraceparent", Source::Tekton),
        ("tekton.dev/pipelinerunSpanContext", Source::Tekton),
    ],
    limit: 512,
};

/// The revision is a hotfix: it mends what it replaces. Its value is `true`.
pub const HOTFIX: &str = "throughline.dev/hotfix";

/// A commit before this is a build tool's idea of no time: 2000-01-01.
pub const FIRST_COMMIT: Timestamp = Timestamp::constant(946_684_800, 0);

/// A fact and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The fact.
    pub value: T,
    /// Where it is from.
    pub source: Source,
}

/// When a commit was made, as far as that is known.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum CommitTime {
    /// Not known.
    #[default]
    Unknown,
    /// The value cannot be right, or measures nothing.
    Refused(Refusal),
    /// Then.
    At(Timestamp, Source),
}

/// Why a time of a commit was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refusal {
    /// It is no time.
    NotATime,
    /// It lies before the repository, or any, existed.
    BeforeRepository,
    /// It lay in the future when it was read.
    Future,
    /// It lies after the deployment.
    Negative,
    /// The commit was live already: what was deployed is no new commit.
    Redeployed,
}

/// What is known of the commit behind a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its digits, or a name.
    pub commit: Option<Sourced<String>>,
    /// When it was made.
    pub time: CommitTime,
    /// Who made it.
    pub author: Option<Sourced<String>>,
    /// URL of the repository.
    pub repository: Option<Sourced<String>>,
    /// Traceparent of the run that delivered it.
    pub traceparent: Option<Sourced<Traceparent>>,
    /// It is declared to mend what it replaces.
    pub hotfix: bool,
}

impl Commit {
    /// What `places` say: annotations and labels, of one key the first place that has a usable
    /// value. `now` is the time of reading; a caller without a clock passes
    /// [`Timestamp::MAX`], and calls [`CommitTime::as_of`] later.
    pub fn of(places: &[&BTreeMap<String, String>], now: Timestamp) -> Self {
        let text = |keys| look_up(places, keys, |text| Some(text.to_owned()));
        Self {
            commit: look_up(places, COMMIT, |text| Some(digits(text).to_owned())),
            time: time(places, now),
            author: text(AUTHOR),
            repository: text(REPOSITORY),
            traceparent: look_up(places, TRACEPARENT, traceparent),
            hotfix: places.iter().any(|place| {
                place.get(HOTFIX).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
            }),
        }
    }
}

impl CommitTime {
    /// The same, refused if it lies in the future of `now`.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        match self {
            Self::At(at, _) if at > now => Self::Refused(Refusal::Future),
            time => time,
        }
    }

    /// What a text says that was read at `now`: RFC 3339, or what git writes with `%ci` or by
    /// default.
    pub fn read(text: &str, source: Source, now: Timestamp) -> Self {
        match parse(text) {
            None => Self::Refused(Refusal::NotATime),
            Some(at) if at < FIRST_COMMIT => Self::Refused(Refusal::BeforeRepository),
            Some(at) if at > now => Self::Refused(Refusal::Future),
            Some(at) => Self::At(at, source),
        }
    }
}

/// The first time that can be right; if there is none, why the first of them was refused.
fn time(places: &[&BTreeMap<String, String>], now: Timestamp) -> CommitTime {
    let mut found = CommitTime::Unknown;
    for (value, source) in values(places, COMMIT_TIME) {
        let read = CommitTime::read(&bounded(value, COMMIT_TIME.limit), source, now);
        if matches!(read, CommitTime::At(..)) {
            return read;
        }
        if found == CommitTime::Unknown {
            found = read;
        }
    }
    found
}

fn parse(text: &str) -> Option<Timestamp> {
    let of_git = |format| strtime::parse(format, text).ok()?.to_timestamp().ok();
    text.parse()
        .ok()
        .or_else(|| of_git("%Y-%m-%d %H:%M:%S %z"))
        .or_else(|| of_git("%a %b %d %H:%M:%S %Y %z"))
}

fn values<'a>(
    places: &[&'a BTreeMap<String, String>],
    of: Keys,
) -> impl Iterator<Item = (&'a str, Source)> {
    of.keys.iter().flat_map(move |(key, source)| {
        places
            .iter()
            .filter_map(|place| Some((place.get(*key)?.trim(), *source)))
            .filter(|(value, _)| !value.is_empty())
    })
}

fn look_up<T>(
    places: &[&BTreeMap<String, String>],
    of: Keys,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Sourced<T>> {
    values(places, of).find_map(|(value, source)| {
        let value = bounded(value, of.limit);
        read(&value).map(|value| Sourced { value, source })
    })
}

/// The commit in Flux's `<branch>@sha1:<commit>`, or else the text itself.
pub fn digits(text: &str) -> &str {
    let after = text.rsplit_once("sha1:").or_else(|| text.rsplit_once("sha256:"));
    match after {
        Some((_, digits)) if is_digest(digits) => digits,
        _ => text,
    }
}

/// Whether it is git's whole name of a commit.
pub(crate) fn is_digest(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A traceparent, or Tekton's JSON around one.
fn traceparent(text: &str) -> Option<Traceparent> {
    let inner = || {
        let carrier: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        carrier.get("traceparent")?.parse().ok()
    };
    text.parse().ok().or_else(inner)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
