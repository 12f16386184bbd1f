//! One KeptnAppContext: when to write, and when to leave it alone.

use jiff::{SignedDuration, Timestamp};

use crate::links::{SpanLinks, merge};
use crate::observation::AppContextSeen;
use crate::traceparent::Traceparent;

/// After so many of our writes were undone by somebody else, we stop.
pub const TRIES: usize = 5;
/// Writes undone longer ago do not count.
const UNDONE_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How long it is left alone then.
const REST: SignedDuration = SignedDuration::from_mins(10);
const FIRST_BACKOFF: SignedDuration = SignedDuration::from_millis(500);
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_mins(1);

/// What is known of one KeptnAppContext and of our writes to it.
#[derive(Debug, Clone, Default)]
pub struct AppContext {
    present: Option<AppContextSeen>,
    /// The resourceVersion of our last write: what a watch brings from before it is stale.
    written: Option<String>,
    /// Entries that our last write left there and nobody has removed since.
    holding: Vec<String>,
    undone: Vec<Timestamp>,
    under_way: Option<UnderWay>,
    /// After a failed write.
    not_before: Option<Timestamp>,
    /// After too many resets.
    rests_until: Option<Timestamp>,
    failures: u32,
    problem: Option<WriteProblem>,
}

/// A write that was not answered yet.
#[derive(Debug, Clone)]
struct UnderWay {
    /// Our entries as it leaves them.
    ours: Vec<String>,
    /// The resourceVersion that it asks for.
    base: Option<String>,
    /// The watch was faster than the answer and has told of it.
    told: bool,
    /// The object was told to be gone meanwhile: before or after it, nobody says.
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
    /// Somebody else was faster; this is how it looks now, if it is still there.
    Conflict(Option<AppContextSeen>),
    /// Refused or lost.
    Failed(WriteProblem),
}

/// Why a write failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WriteProblem {
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
    /// Somebody keeps resetting the list.
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
        let own = self.under_way.as_mut().filter(|write| !write.told && write.ours == seen.ours);
        if let Some(own) = own.filter(|own| holds(&own.ours)) {
            own.told = true;
            self.holding.clone_from(&seen.ours);
        } else if !holds(&self.holding) {
            self.holding.clear();
            self.undone.push(now);
        }
        self.present = Some(seen);
        self.tell_contention(now);
    }

    /// The object is gone.
    pub fn gone(&mut self, now: Timestamp) {
        if let Some(write) = &mut self.under_way {
            write.gone = true;
        }
        if self.present.take().is_some() && !self.holding.is_empty() {
            self.holding.clear();
            self.undone.push(now);
            self.tell_contention(now);
        }
    }

    /// A write came back.
    pub fn written(&mut self, result: ContextWritten, now: Timestamp) {
        let Some(write) = self.under_way.take() else {
            return;
        };
        match result {
            ContextWritten::Stored(seen) => {
                self.failures = 0;
                self.problem = None;
                self.not_before = None;
                self.written = Some(seen.resource_version.clone());
                // What the watch told may have been an earlier write of ours, of the same words.
                if !write.told {
                    self.holding.clone_from(&seen.ours);
                }
                self.answered(seen, write.gone, now);
            }
            ContextWritten::Conflict(Some(seen)) => self.answered(seen, write.gone, now),
            ContextWritten::Conflict(None) => {
                // Unless the watch has told of another since.
                let base = write.base.as_ref();
                self.present.take_if(|seen| Some(&seen.resource_version) == base);
            }
            ContextWritten::Failed(problem) => {
                self.problem = Some(problem);
                self.failures += 1;
                let wait = FIRST_BACKOFF * (1 << self.failures.min(8) >> 1);
                self.not_before = Some(now + wait.min(LONGEST_BACKOFF));
            }
        }
    }

    /// How it looked when a write was answered. The watch may have been faster than the answer, and
    /// tells of each version once.
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
            told: false,
            gone: false,
        });
        Some(write)
    }

    /// Whether a wait ended by now; said once.
    pub fn wakes(&mut self, now: Timestamp) -> bool {
        let ended = self.due().is_some_and(|at| at <= now);
        if ended {
            self.not_before = None;
            self.rests_until = None;
        }
        ended
    }

    /// When to ask again, if nothing arrives before.
    pub fn due(&self) -> Option<Timestamp> {
        self.waits_until().filter(|_| self.under_way.is_none())
    }

    fn waits_until(&self) -> Option<Timestamp> {
        self.not_before.max(self.rests_until)
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
        self.undone.iter().filter(|at| now - UNDONE_WINDOW < **at).count() >= TRIES
    }

    fn tell_contention(&mut self, now: Timestamp) {
        self.undone.retain(|at| now - UNDONE_WINDOW < *at);
        if self.undone.len() >= TRIES {
            self.undone.drain(..self.undone.len() - TRIES);
            self.rests_until = Some(now + REST);
        }
    }

    fn is_stale(&self, resource_version: &str) -> bool {
        let present = self.present.as_ref().map(|seen| seen.resource_version.as_str());
        let mut known = [self.written.as_deref(), present].into_iter().flatten();
        known.any(|known| is_older(resource_version, known))
    }
}

/// Kubernetes' resource versions are opaque but, in every API server that exists, numbers that
/// grow; where one is not, nothing counts as stale and a conflict tells.
fn is_older(this: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    number(this).zip(number(other)).is_some_and(|(this, other)| this < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

    fn seconds(at: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + at).unwrap()
    }

    fn seen(resource_version: u64, span_links: &[&str], ours: &[&str]) -> AppContextSeen {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        AppContextSeen {
            key: crate::observation::Key::new("ns", "shop"),
            resource_version: resource_version.to_string(),
            span_links: owned(span_links),
            ours: owned(ours),
        }
    }

    fn wanted() -> Vec<Traceparent> {
        vec![WANTED.parse().unwrap()]
    }

    #[test]
    fn it_is_made_if_absent_and_left_if_it_is_right() {
        let mut context = AppContext::default();
        assert!(matches!(context.write(&wanted(), seconds(0)), Some(ContextWrite::Create(_))));
        assert_eq!(context.write(&wanted(), seconds(0)), None, "one write at a time");
        context.written(ContextWritten::Stored(seen(5, &[WANTED], &[WANTED])), seconds(0));
        assert_eq!(context.write(&wanted(), seconds(1)), None);
        assert_eq!(context.standing(&wanted(), seconds(1)), Standing::Linked);
    }

    #[test]
    fn nothing_is_made_for_an_app_that_wants_nothing() {
        assert_eq!(AppContext::default().write(&[], seconds(0)), None);
    }

    #[test]
    fn a_version_from_before_our_write_is_not_taken_for_a_reset() {
        let mut context = AppContext::default();
        context.observed(seen(3, &[], &[]), seconds(0));
        context.write(&wanted(), seconds(0)).unwrap();
        context.written(ContextWritten::Stored(seen(7, &[WANTED], &[WANTED])), seconds(0));
        context.observed(seen(5, &["user"], &[]), seconds(0));
        assert_eq!(context.standing(&wanted(), seconds(0)), Standing::Linked);
    }

    #[test]
    fn after_five_resets_it_is_left_alone_and_tried_again_after_a_rest() {
        let mut context = AppContext::default();
        context.observed(seen(1, &["git"], &[]), seconds(0));
        let mut writes = 0;
        for round in 0..20 {
            let at = seconds(round);
            if context.write(&wanted(), at).is_some() {
                writes += 1;
                let version = 10 * (round.unsigned_abs() + 1);
                let ours = seen(version, &["git", WANTED], &[WANTED]);
                context.written(ContextWritten::Stored(ours), at);
                context.observed(seen(version + 1, &["git"], &[]), at);
            }
        }
        assert_eq!(writes, TRIES);
        assert_eq!(context.standing(&wanted(), seconds(20)), Standing::Contended);
        let later = context.due().unwrap();
        assert!(later > seconds(20));
        assert!(context.write(&wanted(), later).is_some());
    }

    #[test]
    fn a_reset_that_is_told_before_our_own_answer_is_seen_and_counted() {
        let mut context = AppContext::default();
        context.observed(seen(1, &["git"], &[]), seconds(0));
        for round in 1..=TRIES as u64 {
            context.write(&wanted(), seconds(0)).unwrap();
            context.observed(seen(10 * round + 1, &["git"], &[WANTED]), seconds(0));
            let ours = seen(10 * round, &["git", WANTED], &[WANTED]);
            context.written(ContextWritten::Stored(ours), seconds(0));
        }
        assert_eq!(context.standing(&wanted(), seconds(0)), Standing::Contended);
        assert_eq!(context.write(&wanted(), seconds(0)), None);
    }

    #[test]
    fn our_own_write_that_the_watch_tells_before_its_answer_is_no_reset() {
        let mut context = AppContext::default();
        let others: Vec<Traceparent> =
            (1..20_u32).map(|n| format!("00-{n:032x}-{n:016x}-01").parse().unwrap()).collect();
        for (version, wanted) in (1..).zip(&others) {
            let wanted = [*wanted];
            assert!(context.write(&wanted, seconds(0)).is_some(), "{version}");
            let text = wanted[0].to_string();
            context.observed(seen(version, &[&text], &[&text]), seconds(0));
            context.written(ContextWritten::Stored(seen(version, &[&text], &[&text])), seconds(0));
            assert_eq!(context.standing(&wanted, seconds(0)), Standing::Linked);
        }
    }

    #[test]
    fn a_reset_after_our_write_and_before_its_answer_counts_once() {
        let mut context = AppContext::default();
        let mut writes = 0;
        for round in 1..=20 {
            if context.write(&wanted(), seconds(0)).is_some() {
                writes += 1;
                let ours = seen(10 * round, &["git", WANTED], &[WANTED]);
                context.observed(ours.clone(), seconds(0));
                context.observed(seen(10 * round + 1, &["git"], &[WANTED]), seconds(0));
                context.written(ContextWritten::Stored(ours), seconds(0));
            }
        }
        assert_eq!(writes, TRIES);
    }

    #[test]
    fn an_answer_about_what_is_gone_by_now_brings_nothing_back() {
        let mut context = AppContext::default();
        context.write(&wanted(), seconds(0)).unwrap();
        context.gone(seconds(0));
        context.written(ContextWritten::Stored(seen(5, &[WANTED], &[WANTED])), seconds(0));
        assert!(matches!(context.write(&wanted(), seconds(0)), Some(ContextWrite::Create(_))));
    }

    #[test]
    fn an_answer_that_there_is_none_does_not_hide_one_made_since() {
        let mut context = AppContext::default();
        context.observed(seen(1, &[], &[]), seconds(0));
        context.write(&wanted(), seconds(0)).unwrap();
        context.gone(seconds(0));
        context.observed(seen(3, &[WANTED], &[WANTED]), seconds(0));
        context.written(ContextWritten::Conflict(None), seconds(0));
        assert!(context.holds_ours());
    }

    #[test]
    fn a_wait_ends_once_and_is_not_forgotten_before() {
        let mut context = AppContext::default();
        context.write(&wanted(), seconds(0)).unwrap();
        context.written(ContextWritten::Failed(WriteProblem::Failed(String::new())), seconds(0));
        assert!(!context.is_idle());
        let due = context.due().unwrap();
        assert!(!context.wakes(seconds(0)));
        assert!(context.wakes(due));
        assert_eq!(context.due(), None);
    }

    #[test]
    fn a_refused_write_is_tried_again_later_and_said() {
        let mut context = AppContext::default();
        context.write(&wanted(), seconds(0)).unwrap();
        let problem = WriteProblem::Forbidden("create");
        context.written(ContextWritten::Failed(problem.clone()), seconds(0));
        assert_eq!(context.standing(&wanted(), seconds(0)), Standing::Failing(problem));
        assert_eq!(context.write(&wanted(), seconds(0)), None);
        assert!(context.write(&wanted(), context.due().unwrap()).is_some());
    }
}
