//! A line of the ledger as text: words with one space between them. Attempt, outcome, what it was for
//! (unless that is a change) and start stand in their places, the others have a name and are left out
//! where nothing is known.
//!
//! ```text
//! 12.1@6d5694bbbf Aborted 2026-11-20T10:00:00Z ended=+95 settled=+97 exposed=+5 class=CrashLoop version=2.0.0 commit=6ec3dd4bd1ea@-7200 replaces=11.1
//! ```
//!
//! `+95` is so many seconds after the start, `-7200` before it; `~`: not later than that. Two hundred
//! of them have to fit into an object that is written often: what nearly all say, none says.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::line::{Exposed, Id, Kind, Line, Ref, Word, whole};
use crate::base::Phase;
use crate::base::text::bounded;
use crate::failure::FailureClass;
use crate::seen::commit::{CommitTime, Refusal, Source};

/// Most bytes of a line that is read.
const LINE: usize = 1024;
/// Most bytes of a word that an error shows.
const SHOWN: usize = 48;

/// Why a line of a ledger cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is longer than any that is written.
    #[error("it has {0} bytes, at most {most} are read", most = LINE)]
    TooLong(usize),
    /// It ends too early.
    #[error("it ends where {0} should follow")]
    Missing(&'static str),
    /// A word is not what stands there.
    #[error("{word:?} is no {expected}")]
    Unknown {
        /// What was expected.
        expected: &'static str,
        /// What stands there, cut to 48 bytes.
        word: String,
    },
}

impl TextError {
    pub(super) fn unknown(expected: &'static str, word: &str) -> Self {
        Self::Unknown { expected, word: bounded(word, SHOWN) }
    }
}

/// The words of a text that is not too long.
pub(super) fn words(text: &str, most: usize) -> Result<impl Iterator<Item = &str>, TextError> {
    if text.len() > most {
        return Err(TextError::TooLong(text.len()));
    }
    Ok(text.split_ascii_whitespace())
}

pub(super) const OUTCOMES: [Phase; 7] = [
    Phase::Progressing,
    Phase::Promoted,
    Phase::Aborted,
    Phase::Superseded,
    Phase::Reverted,
    Phase::Deleted,
    Phase::Unknown,
];
pub(super) const KINDS: [Kind; 6] =
    [Kind::Change, Kind::Hotfix, Kind::Rollback, Kind::Redeploy, Kind::Upgrade, Kind::Initial];
pub(super) const CLASSES: [FailureClass; 18] = [
    FailureClass::ImagePullFailed,
    FailureClass::OutOfMemory,
    FailureClass::CrashLoop,
    FailureClass::ContainerConfig,
    FailureClass::VolumeFailed,
    FailureClass::Unschedulable,
    FailureClass::QuotaExceeded,
    FailureClass::AdmissionRefused,
    FailureClass::ProbeFailed,
    FailureClass::AnalysisFailed,
    FailureClass::AnalysisError,
    FailureClass::AnalysisInconclusive,
    FailureClass::ExperimentFailed,
    FailureClass::PluginFailed,
    FailureClass::InvalidSpec,
    FailureClass::DeadlineExceeded,
    FailureClass::ManualAbort,
    FailureClass::Unknown,
];
pub(super) const SOURCES: [Source; 5] =
    [Source::Throughline, Source::OpenTelemetry, Source::Oci, Source::OpenShift, Source::Tekton];
pub(super) const REFUSALS: [Refusal; 5] = [
    Refusal::NotATime,
    Refusal::BeforeRepository,
    Refusal::Future,
    Refusal::Negative,
    Refusal::Redeployed,
];

fn one_of<T: Copy + fmt::Display>(
    all: &[T],
    word: &str,
    expected: &'static str,
) -> Result<T, TextError> {
    let found = all.iter().find(|one| one.to_string() == word);
    found.copied().ok_or_else(|| TextError::unknown(expected, word))
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}@{}", self.revision, self.number, self.hash)
    }
}

impl FromStr for Id {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let parts = || {
            let (numbers, hash) = text.split_once('@')?;
            let (revision, number) = numbers.split_once('.')?;
            let id = Self::new(revision.parse().ok()?, number.parse().ok()?, hash);
            (!hash.is_empty()).then_some(id)
        };
        parts().ok_or_else(|| TextError::unknown("attempt", text))
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.revision, self.number)
    }
}

impl FromStr for Ref {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let parts = || {
            let (revision, number) = text.split_once('.')?;
            Some(Self { revision: revision.parse().ok()?, number: number.parse().ok()? })
        };
        parts().ok_or_else(|| TextError::unknown("attempt", text))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = |at: Timestamp| at.as_second().saturating_sub(self.started.as_second());
        let after = |at| since(at).max(0);
        write!(f, "{} {}", self.id, self.outcome)?;
        if self.kind != Kind::Change {
            write!(f, " {}", self.kind)?;
        }
        write!(f, " {}", self.started)?;
        if let Some(ended) = self.ended {
            let mark = if self.inferred { "~" } else { "" };
            write!(f, " ended={mark}+{}", after(ended))?;
        }
        if let Some(settled) = self.settled {
            write!(f, " settled=+{}", after(settled))?;
        }
        match (self.exposed, self.exposed_at) {
            (Exposed::Yes, Some(at)) => write!(f, " exposed=+{}", after(at))?,
            (Exposed::Yes, None) => f.write_str(" exposed=yes")?,
            (Exposed::Unknown, _) => f.write_str(" exposed=unknown")?,
            (Exposed::No, _) => {}
        }
        if let Some(class) = self.class {
            write!(f, " class={class}")?;
        }
        if let Some(version) = &self.version {
            write!(f, " version={version}")?;
        }
        if self.commit.is_some() || self.commit_time != CommitTime::Unknown {
            write!(f, " commit={}", self.commit.as_ref().map_or("", Word::as_str))?;
        }
        match self.commit_time {
            // Its time follows after the last @ of a commit.
            CommitTime::Unknown
                if self.commit.as_ref().is_some_and(|it| it.as_str().contains('@')) =>
            {
                f.write_char('@')?;
            }
            CommitTime::Unknown => {}
            CommitTime::Refused(why) => write!(f, "@{why}")?,
            CommitTime::At(at, Source::Throughline) => write!(f, "@{:+}", since(at))?,
            CommitTime::At(at, source) => write!(f, "@{:+}/{source}", since(at))?,
        }
        if let Some(template) = self.template {
            write!(f, " template={template:08x}")?;
        }
        if let Some(replaces) = &self.replaces {
            write!(f, " replaces={replaces}")?;
        }
        if let Some(recovers) = &self.recovers {
            write!(f, " recovers={recovers}")?;
        }
        Ok(())
    }
}

impl FromStr for Line {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut words = words(text, LINE)?;
        let mut next = |what| words.next().ok_or(TextError::Missing(what));
        let id = next("attempt")?.parse()?;
        let outcome = one_of(&OUTCOMES, next("outcome")?, "outcome")?;
        let mut start = next("start")?;
        let kind = KINDS.into_iter().find(|kind| kind.to_string() == start);
        if kind.is_some() {
            start = next("start")?;
        }
        let (kind, started) = (kind.unwrap_or(Kind::Change), time(start)?);
        let mut line = Self { outcome, kind, ..Self::begin(id, started) };
        for word in words {
            let (name, value) =
                word.split_once('=').ok_or_else(|| TextError::unknown("name=value", word))?;
            line.set(name, value)?;
        }
        Ok(line)
    }
}

impl Line {
    fn set(&mut self, name: &str, value: &str) -> Result<(), TextError> {
        match name {
            "ended" => {
                self.inferred = value.starts_with('~');
                self.ended = Some(self.after(value.strip_prefix('~').unwrap_or(value))?);
            }
            "settled" => self.settled = Some(self.after(value)?),
            "exposed" => match value {
                "yes" => self.exposed = Exposed::Yes,
                "unknown" => self.exposed = Exposed::Unknown,
                _ => {
                    self.exposed = Exposed::Yes;
                    self.exposed_at = Some(self.after(value)?);
                }
            },
            "class" => self.class = Some(one_of(&CLASSES, value, "class of failures")?),
            "version" => self.version = Some(word(value)?),
            "commit" => {
                let (commit, time) = value.rsplit_once('@').unwrap_or((value, ""));
                if !commit.is_empty() || time.is_empty() {
                    self.commit = Some(word(commit)?);
                }
                if !time.is_empty() {
                    self.commit_time = self.committed(time)?;
                }
            }
            "template" => {
                let digits = u32::from_str_radix(value, 16).ok();
                self.template = Some(digits.ok_or_else(|| TextError::unknown("digest", value))?);
            }
            "replaces" => self.replaces = Some(value.parse()?),
            "recovers" => self.recovers = Some(value.parse()?),
            _ => return Err(TextError::unknown("name", name)),
        }
        Ok(())
    }

    fn after(&self, text: &str) -> Result<Timestamp, TextError> {
        text.strip_prefix('+')
            .filter(|digits| digits.starts_with(|digit: char| digit.is_ascii_digit()))
            .and_then(|digits| self.shifted(digits))
            .ok_or_else(|| TextError::unknown("number of seconds", text))
    }

    fn shifted(&self, seconds: &str) -> Option<Timestamp> {
        self.started.checked_add(SignedDuration::from_secs(seconds.parse().ok()?)).ok()
    }

    fn committed(&self, text: &str) -> Result<CommitTime, TextError> {
        if !text.starts_with(['+', '-']) {
            return one_of(&REFUSALS, text, "time of a commit").map(CommitTime::Refused);
        }
        let (seconds, source) = text.split_once('/').unwrap_or((text, "Throughline"));
        let at = self.shifted(seconds);
        let at = at.ok_or_else(|| TextError::unknown("number of seconds", seconds))?;
        Ok(CommitTime::At(at, one_of(&SOURCES, source, "source of a commit's time")?))
    }
}

fn word(text: &str) -> Result<Word, TextError> {
    Word::new(text, SHOWN).ok_or_else(|| TextError::unknown("word", text))
}

/// A time to the second.
pub(super) fn time(text: &str) -> Result<Timestamp, TextError> {
    text.parse().map(whole).map_err(|_| TextError::unknown("time", text))
}

/// Numbers in order, `60,300x4`: equal ones are counted.
pub(super) fn write_runs(f: &mut fmt::Formatter<'_>, values: &[u32]) -> fmt::Result {
    for (n, run) in values.chunk_by(|a, b| a == b).enumerate() {
        if n > 0 {
            f.write_char(',')?;
        }
        match run {
            [one] => write!(f, "{one}")?,
            more => write!(f, "{}x{}", more[0], more.len())?,
        }
    }
    Ok(())
}

/// The same, read; at most `most` numbers.
pub(super) fn read_runs(text: &str, most: usize) -> Result<Vec<u32>, TextError> {
    let mut values = Vec::new();
    for run in text.split(',') {
        let (value, count) = run.split_once('x').unwrap_or((run, "1"));
        let read = || Some((value.parse::<u32>().ok()?, count.parse::<usize>().ok()?));
        let fits =
            |(_, count): &(u32, usize)| (1..=most.saturating_sub(values.len())).contains(count);
        let (value, count) =
            read().filter(fits).ok_or_else(|| TextError::unknown("run of seconds", run))?;
        values.resize(values.len().saturating_add(count), value);
    }
    values.sort_unstable();
    Ok(values)
}
