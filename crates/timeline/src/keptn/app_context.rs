//! One KeptnAppContext: when to write, and when to leave it alone.

use jiff::{SignedDuration, Timestamp};

use crate::base::backoff::{Backoff, Waits, jitter_of};
use crate::base::time::{earlier, later};
use crate::base::{Traceparent, is_older};
use crate::keptn::links::{SpanLinks, merge};
use crate::seen::AppContextSeen;

/// After so many of our writes were undone by another writer, we stop.
pub const TRIES: usize = 5;
/// Writes undone longer ago do not count.
const UNDONE_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How long it is left alone then.
const REST: SignedDuration = SignedDuration::from_mins(10);
const RETRY: Waits = Waits::between(SignedDuration::from_millis(500), SignedDuration::from_mins(1));

/// What is known of one KeptnAppContext and of our writes to it.
#[derive(Debug, Clone, Default)]
pub struct AppContext {
    present: Option<AppContextSeen>,
    /// The resourceVersion of our last write: what a watch brings from before it is stale.
    written: Option<String>,
    /// Entries that our last write left there and that are still there.
    holding: Vec<String>,
    undone: Vec<Timestamp>,
    under_way: Option<UnderWay>,
    /// After a failed write.
    backoff: Backoff,
    /// After too many resets.
    rests_until: Option<Timestamp>,
    problem: Option<WriteProblem>,
}

/// A write that was not answered yet.
#[derive(Debug, Clone)]
struct UnderWay {
    /// Our entries as it leaves them.
    ours: Vec<String>,
    /// The resourceVersion that it asks for.
    base: Option<String>,
    /// The watch was faster than the answer and has shown it.
    seen: bool,
    /// The object was reported gone meanwhile: whether before or after the write is not known.
    gone: bool,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextWrite {
    /// There is none: make one that holds nothing but our links.
    Create(SpanLinks),
    /// Replace the list, if the object is still at this resourceVersion.
    Patch {
        /// The resourceVersion that the list was read at.
        resource_version: String,
        /// The whole list and which entries are ours.
        links: SpanLinks,
    },
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextWritten {
    /// Stored; this is how it looks now.
    Stored(AppContextSeen),
    /// Deleted: we made it, and it held nothing but our links.
    Removed,
    /// Another writer was faster; this is how it looks now, if it is still there.
    Conflict(Option<AppContextSeen>),
    /// Refused or lost.
    Failed(WriteProblem),
}

/// Why a write failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WriteProblem {
    /// The namespace is being deleted, or is gone.
    NamespaceGone,
    /// The operator lacks this verb on the resource.
    Forbidden(&'static str),
    /// In the API server's words.
    Failed(String),
}

/// How things stand, for the condition `Linked`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The wanted links are there.
    Linked,
    /// A write is due or under way.
    Pending,
    /// Another writer keeps resetting the list.
    Contended,
    /// The last write failed.
    Failing(WriteProblem),
}

impl AppContext {
    /// A version of the object arrived.
    pub fn observed(&mut self, seen: AppContextSeen, now: Timestamp) {
        if self.is_stale(&seen.resource_version) {
            return;
        }
        let holds = |ours: &[String]| ours.iter().all(|ours| seen.span_links.contains(ours));
        let own = self.under_way.as_mut().filter(|write| !write.seen && write.ours == seen.ours);
        if let Some(own) = own.filter(|own| holds(&own.ours)) {
            own.seen = true;
            self.holding.clone_from(&seen.ours);
        } else if !holds(&self.holding) {
            self.holding.clear();
            self.undone.push(now);
        }
        self.present = Some(seen);
        self.note_contention(now);
    }

    /// The object is gone.
    pub fn gone(&mut self, now: Timestamp) {
        // A write that leaves nothing of ours may be what deleted it.
        let wanted = self.under_way.as_ref().is_none_or(|write| !write.ours.is_empty());
        if let Some(write) = &mut self.under_way {
            write.gone = true;
        }
        if self.present.take().is_some() && !self.holding.is_empty() {
            self.holding.clear();
            if wanted {
                self.undone.push(now);
                self.note_contention(now);
            }
        }
    }

    /// A write came back.
    pub fn written(&mut self, result: ContextWritten, now: Timestamp) {
        let Some(write) = self.under_way.take() else {
            return;
        };
        match result {
            ContextWritten::Stored(seen) => {
                self.backoff = Backoff::default();
                self.problem = None;
                self.written = Some(seen.resource_version.clone());
                // What the watch showed may have been an earlier write of ours, with the same text.
                if !write.seen {
                    self.holding.clone_from(&seen.ours);
                }
                self.answered(seen, write.gone, now);
            }
            ContextWritten::Removed => {
                self.backoff = Backoff::default();
                self.problem = None;
                self.holding.clear();
                self.forget(write.base.as_deref());
            }
            ContextWritten::Conflict(Some(seen)) => self.answered(seen, write.gone, now),
            ContextWritten::Conflict(None) => self.forget(write.base.as_deref()),
            ContextWritten::Failed(problem) => {
                let asked = match problem {
                    // A namespace that is being deleted never comes back as it was.
                    WriteProblem::NamespaceGone => Some(REST),
                    _ => None,
                };
                self.problem = Some(problem);
                self.backoff.failed(RETRY, asked, jitter_of(&write.ours, now), now);
            }
        }
    }

    /// It is gone as it was read, unless the watch has shown another since.
    fn forget(&mut self, base: Option<&str>) {
        self.present.take_if(|seen| Some(seen.resource_version.as_str()) == base);
    }

    /// How it looked when a write was answered. The watch may have been faster than the answer, and
    /// shows each version once.
    fn answered(&mut self, seen: AppContextSeen, gone: bool, now: Timestamp) {
        match &self.present {
            Some(later) if is_older(&seen.resource_version, &later.resource_version) => {
                self.observed(later.clone(), now);
            }
            None if gone => {}
            _ => self.observed(seen, now),
        }
    }

    /// The write that brings the object to `wanted`, if one is due. It is then under way until
    /// [`AppContext::written`] says otherwise.
    pub fn write(&mut self, wanted: &[Traceparent], now: Timestamp) -> Option<ContextWrite> {
        if self.under_way.is_some() || self.waits_until().is_some_and(|at| now < at) {
            return None;
        }
        let write = self.difference(wanted)?;
        let (ContextWrite::Create(links) | ContextWrite::Patch { links, .. }) = &write;
        self.under_way = Some(UnderWay {
            ours: links.ours.clone(),
            base: self.present.as_ref().map(|seen| seen.resource_version.clone()),
            seen: false,
            gone: false,
        });
        Some(write)
    }

    /// Whether a wait ended by now; said once.
    pub fn wakes(&mut self, now: Timestamp) -> bool {
        let ended = self.due().is_some_and(|at| at <= now);
        if ended {
            self.backoff.cut_short();
            self.rests_until = None;
        }
        ended
    }

    /// When to ask again, if nothing arrives before.
    pub fn due(&self) -> Option<Timestamp> {
        self.waits_until().filter(|_| self.under_way.is_none())
    }

    fn waits_until(&self) -> Option<Timestamp> {
        self.backoff.until().max(self.rests_until)
    }

    /// How things stand with these links.
    pub fn standing(&self, wanted: &[Traceparent], now: Timestamp) -> Standing {
        if self.difference(wanted).is_none() {
            Standing::Linked
        } else if self.contended(now) {
            Standing::Contended
        } else if let Some(problem) = &self.problem {
            Standing::Failing(problem.clone())
        } else {
            Standing::Pending
        }
    }

    /// Whether there is nothing to remember: it is absent, and no write is under way or waits.
    pub fn is_idle(&self) -> bool {
        self.present.is_none()
            && self.under_way.is_none()
            && self.waits_until().is_none()
            && self.undone.is_empty()
    }

    /// Whether it holds entries of ours.
    pub fn holds_ours(&self) -> bool {
        self.present.as_ref().is_some_and(|seen| !seen.ours.is_empty())
    }

    /// Entries of ours that Keptn may find there, once a write under way has come through or not.
    pub fn ours(&self) -> impl Iterator<Item = &String> {
        let present = self.present.iter().flat_map(|seen| &seen.ours);
        present.chain(self.under_way.iter().flat_map(|write| &write.ours))
    }

    /// Entries that others put there.
    pub fn foreign(&self) -> impl Iterator<Item = &String> {
        let seen = self.present.iter();
        seen.flat_map(|seen| seen.span_links.iter().filter(|entry| !seen.ours.contains(entry)))
    }

    fn difference(&self, wanted: &[Traceparent]) -> Option<ContextWrite> {
        let Some(seen) = &self.present else {
            return (!wanted.is_empty()).then(|| ContextWrite::Create(merge(&[], &[], wanted)));
        };
        let links = merge(&seen.span_links, &seen.ours, wanted);
        let same = links.all == seen.span_links && links.ours == seen.ours;
        (!same)
            .then(|| ContextWrite::Patch { resource_version: seen.resource_version.clone(), links })
    }

    fn contended(&self, now: Timestamp) -> bool {
        self.undone.iter().filter(|at| earlier(now, UNDONE_WINDOW) < **at).count() >= TRIES
    }

    fn note_contention(&mut self, now: Timestamp) {
        self.undone.retain(|at| earlier(now, UNDONE_WINDOW) < *at);
        if self.undone.len() >= TRIES {
            self.undone.drain(..self.undone.len().saturating_sub(TRIES));
            self.rests_until = Some(later(now, REST));
        }
    }

    fn is_stale(&self, resource_version: &str) -> bool {
        let present = self.present.as_ref().map(|seen| seen.resource_version.as_str());
        let mut known = [self.written.as_deref(), present].into_iter().flatten();
        known.any(|known| is_older(resource_version, known))
    }
}

#[cfg(test)]
mod tests;
