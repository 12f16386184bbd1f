//! Attempts that wait in the cluster only: when they are read again, and how far that came.

use jiff::{SignedDuration, Timestamp};

use crate::base::backoff::{Backoff, Waits, jitter_of};

/// After a list that failed.
const RETRY: Waits = Waits::between(SignedDuration::from_secs(2), SignedDuration::from_mins(2));

/// What became of reading a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// Read; the API server's token for the next page, if there is one.
    Page(Option<String>),
    /// The token is too old: it has to begin again.
    Expired,
    /// Not read; how long the API server asks to wait.
    Failed(Option<SignedDuration>),
}

/// The API server's token for a page; none for the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page(pub(super) Option<String>);

/// What waits in the cluster only.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// Some were left there that the list under way may have passed already.
    waiting: bool,
    under_way: bool,
    /// Where the list goes on.
    next: Option<String>,
    backoff: Backoff,
    /// When the first entry ended of those.
    unsent: Option<Timestamp>,
}

impl Recall {
    /// One waits in the cluster only from now on.
    pub(super) fn left(&mut self, unsent: Option<Timestamp>) {
        self.waiting = true;
        self.unsent = [self.unsent, unsent].into_iter().flatten().min();
    }

    /// Whether any may be there.
    pub(super) fn has_any(&self) -> bool {
        self.waiting || self.next.is_some()
    }

    /// When the first entry ended of those that wait there.
    pub(super) fn unsent(&self) -> Option<Timestamp> {
        self.unsent
    }

    /// When the next page may be read, after one that failed.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.backoff.until().filter(|_| self.has_any() && !self.under_way)
    }

    /// The page to be read now, if one is.
    pub(super) fn ask(&mut self, now: Timestamp) -> Option<Page> {
        if !self.has_any() || self.under_way || !self.backoff.is_over(now) {
            return None;
        }
        self.under_way = true;
        let next = self.next.take();
        if next.is_none() {
            self.waiting = false;
        }
        Some(Page(next))
    }

    /// What became of the page that was asked for.
    pub(super) fn answered(&mut self, asked: Option<String>, answer: Recalled, now: Timestamp) {
        self.under_way = false;
        match answer {
            Recalled::Page(next) => {
                self.backoff = Backoff::default();
                self.next = next;
            }
            Recalled::Expired => self.waiting = true,
            Recalled::Failed(wait) => {
                self.backoff.failed(RETRY, wait, jitter_of("recall", now), now);
                self.waiting |= asked.is_none();
                self.next = asked;
            }
        }
        if !self.has_any() {
            self.unsent = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn page(token: &str) -> Recalled {
        Recalled::Page(Some(token.to_owned()))
    }

    #[test]
    fn each_page_is_read_once() {
        let mut recall = Recall::default();
        assert_eq!(recall.ask(at(0)), None);
        recall.left(None);
        assert_eq!(recall.ask(at(0)), Some(Page(None)));
        assert_eq!(recall.ask(at(0)), None, "it is under way");
        recall.answered(None, page("a"), at(1));
        assert_eq!(recall.ask(at(1)), Some(Page(Some("a".to_owned()))));
        recall.answered(Some("a".to_owned()), Recalled::Page(None), at(2));
        assert_eq!(recall.ask(at(2)), None);
        assert!(!recall.has_any());
    }

    #[test]
    fn what_is_left_there_while_a_list_is_read_is_looked_for_after_it() {
        let mut recall = Recall::default();
        recall.left(Some(at(7)));
        recall.ask(at(0));
        recall.left(Some(at(9)));
        recall.answered(None, page("a"), at(1));
        let token = recall.ask(at(1)).unwrap().0;
        recall.answered(token, Recalled::Page(None), at(2));
        assert_eq!(recall.ask(at(2)), Some(Page(None)));
        assert_eq!(recall.unsent(), Some(at(7)));
        recall.answered(None, Recalled::Page(None), at(3));
        assert_eq!((recall.ask(at(3)), recall.unsent()), (None, None));
    }

    #[test]
    fn a_page_that_cannot_be_read_is_asked_for_ever_less_often() {
        let mut recall = Recall::default();
        recall.left(None);
        let mut now = at(0);
        let mut asked = Vec::new();
        for _ in 0..8 {
            let page = recall.ask(now).unwrap().0;
            recall.answered(page, Recalled::Failed(None), now);
            assert_eq!(recall.ask(now), None);
            let due = recall.due().unwrap();
            asked.push(due.duration_since(now).as_secs());
            now = due;
        }
        assert!(asked[1..6].is_sorted() && asked[7] >= 60, "{asked:?}");
        let page = recall.ask(now).unwrap().0;
        recall.answered(page, Recalled::Failed(Some(SignedDuration::from_mins(5))), now);
        assert_eq!(recall.due().unwrap().duration_since(now).as_secs(), 300);
    }

    #[test]
    fn a_list_goes_on_where_it_failed_and_begins_anew_if_that_is_too_long_ago() {
        let mut recall = Recall::default();
        recall.left(None);
        recall.ask(at(0));
        recall.answered(None, page("a"), at(0));
        let token = recall.ask(at(0)).unwrap().0;
        recall.answered(token, Recalled::Failed(None), at(0));
        let token = recall.ask(at(60)).unwrap().0;
        assert_eq!(token.as_deref(), Some("a"));
        recall.answered(token, Recalled::Expired, at(60));
        assert_eq!(recall.ask(at(60)), Some(Page(None)));
    }
}
