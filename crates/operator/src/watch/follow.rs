//! One kind, listed and watched for as long as it is asked: what fails is tried again where it
//! failed, and waits.

use std::collections::{BTreeSet, VecDeque};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use timeline::seen::Unavailable;
use timeline::{Key, Kind, Observation};

use super::backoff::{Backoff, chance};
use super::connections::Connections;
use super::source::{Failure, Lines, Source};
use super::wire::{Event, INITIAL_END, Page, metadata, page_size};
use crate::metrics::Metrics;
use crate::observe::{Decoded, key, read};
use crate::rejection::Rejection;

/// Where one kind stands, and what is still to be passed on.
pub(super) struct Follow<K> {
    pub(super) source: Source,
    pub(super) metrics: Metrics,
    pub(super) team_label: String,
    /// Where it says whether it runs; pods of single attempts say it nowhere.
    pub(super) connections: Option<Connections>,
    at: At,
    out: VecDeque<Observation>,
    listed: BTreeSet<Key>,
    /// That it cannot be watched was said, and only a list takes it back.
    away: bool,
    /// Whether the next list is asked for as a stream: the API server need not hold it as a whole, and
    /// neither need we.
    streams: Streams,
    wait: Option<Duration>,
    pages: Backoff,
    starts: Backoff,
    kind: PhantomData<fn() -> K>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    Asked,
    /// One broke: pages go on where they fail.
    NotNow,
    /// The API server does not have them.
    Never,
}

enum At {
    /// Before a list, or before a page of it.
    List(Option<String>),
    /// In a list that comes as a stream.
    Stream(Lines),
    /// Everything is known up to a version.
    Start(String),
    Watch(String, Lines),
}

impl<K: Decoded> Follow<K> {
    pub(super) fn new(
        source: Source,
        metrics: Metrics,
        team_label: String,
        connections: Option<Connections>,
    ) -> Self {
        let first = source.limits.first_wait;
        if let Some(connections) = &connections {
            connections.broken(K::KIND, Instant::now(), "it was not begun yet".to_owned());
        }
        Self {
            source,
            metrics,
            team_label,
            connections,
            at: At::List(None),
            out: VecDeque::new(),
            listed: BTreeSet::new(),
            away: false,
            streams: Streams::Asked,
            wait: None,
            pages: Backoff::new(first),
            starts: Backoff::new(first),
            kind: PhantomData,
        }
    }

    /// What is observed next.
    pub(super) async fn next(&mut self) -> Observation {
        loop {
            // What is known is passed on before anything is waited for.
            if let Some(observation) = self.out.pop_front() {
                return observation;
            }
            if let Some(wait) = self.wait.take() {
                tokio::time::sleep(wait).await;
            }
            self.at = match std::mem::replace(&mut self.at, At::List(None)) {
                At::List(None) if self.streams == Streams::Asked => self.begin_stream().await,
                At::List(token) => self.list(token).await,
                At::Stream(lines) => self.stream(lines).await,
                At::Start(version) => self.start(version).await,
                At::Watch(version, lines) => self.watch(version, lines).await,
            };
        }
    }

    async fn list(&mut self, token: Option<String>) -> At {
        let page = self.source.page(page_size(K::KIND), token.as_deref()).await;
        let next = page.and_then(|page| self.take_page(&page, token.is_none()));
        match next {
            Ok(next) => {
                self.pages.reset();
                next
            }
            Err(failure) if failure.rejection == Rejection::Expired => {
                self.failed("list", &failure);
                self.wait_to_start(&failure);
                At::List(None)
            }
            Err(failure) => {
                self.list_failed(failure);
                At::List(token)
            }
        }
    }

    async fn begin_stream(&mut self) -> At {
        match self.source.list_and_watch().await {
            Ok(lines) => {
                self.begin_list();
                return At::Stream(lines);
            }
            Err(failure) if failure.rejection == Rejection::Refused => {
                self.streams = Streams::Never;
            }
            Err(failure) => self.list_failed(failure),
        }
        At::List(None)
    }

    async fn stream(&mut self, mut lines: Lines) -> At {
        let taken = match lines.next().await {
            Ok(Some(line)) => self.take_initial(&line),
            Ok(None) => Err(Failure::cut_short()),
            Err(failure) => Err(failure),
        };
        match taken {
            Ok(None) => At::Stream(lines),
            Ok(Some(version)) => {
                self.pages.reset();
                self.end_list();
                self.is_well();
                At::Watch(version, lines)
            }
            Err(failure) => {
                self.streams = Streams::NotNow;
                self.list_failed(failure);
                At::List(None)
            }
        }
    }

    /// Takes in a line of a list that comes as a stream; says its version at the end.
    fn take_initial(&mut self, line: &str) -> Result<Option<String>, Failure> {
        let event = Event::read(line)?;
        match event.r#type {
            "ADDED" | "MODIFIED" => {
                if let Some((key, _)) = self.take(event.object.get()) {
                    self.listed.insert(key);
                }
                Ok(None)
            }
            "BOOKMARK" => {
                let metadata = metadata(event.object.get())?;
                let ends = metadata.annotations.is_some_and(|it| it.contains_key(INITIAL_END));
                Ok(metadata.resource_version.filter(|_| ends))
            }
            _ => event.error(),
        }
    }

    fn begin_list(&mut self) {
        self.listed.clear();
        self.out.push_back(Observation::Listing(K::KIND));
    }

    fn end_list(&mut self) {
        self.away = false;
        if self.streams == Streams::NotNow {
            self.streams = Streams::Asked;
        }
        let listed = std::mem::take(&mut self.listed);
        self.out.push_back(Observation::Listed(K::KIND, listed));
    }

    fn list_failed(&mut self, failure: Failure) {
        self.failed("list", &failure);
        let longest = self.longest_wait(&failure);
        self.wait = Some(self.pages.next(longest, failure.after, chance()));
        self.broken(Instant::now(), &failure.problem);
        self.is_away(unavailable(failure, "list"));
    }

    /// Takes in the objects of a page; says what follows.
    fn take_page(&mut self, page: &[u8], first: bool) -> Result<At, Failure> {
        let page = Page::read(page)?;
        let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        let token = not_empty(page.metadata.r#continue);
        let version = not_empty(page.metadata.resource_version);
        if token.is_none() && version.is_none() {
            return Err(Failure::without_version());
        }
        if first {
            self.begin_list();
        }
        for object in page.items.into_iter().flatten() {
            if let Some((key, _)) = self.take(object.get()) {
                self.listed.insert(key);
            }
        }
        match (token, version) {
            (Some(token), _) => Ok(At::List(Some(token))),
            (None, version) => {
                self.end_list();
                Ok(At::Start(version.unwrap_or_default()))
            }
        }
    }

    async fn start(&mut self, version: String) -> At {
        match self.source.watch(&version).await {
            // It was said that it is away: a list says best what happened meanwhile.
            Ok(_) if self.away => At::List(None),
            Ok(lines) => {
                self.is_well();
                At::Watch(version, lines)
            }
            Err(failure) => self.watch_failed(version, Instant::now(), &failure),
        }
    }

    async fn watch(&mut self, version: String, mut lines: Lines) -> At {
        let lasted = |lines: &Lines, steady| lines.lasted() >= steady;
        match lines.next().await {
            Ok(Some(line)) => match self.take_line(&line) {
                Ok(newer) => At::Watch(newer.unwrap_or(version), lines),
                Err(failure) => self.watch_failed(version, Instant::now(), &failure),
            },
            Ok(None) if lasted(&lines, self.source.limits.steady) => {
                self.starts.reset();
                At::Start(version)
            }
            Ok(None) => self.watch_failed(version, Instant::now(), &Failure::cut_short()),
            Err(failure) => {
                if lasted(&lines, self.source.limits.steady) {
                    self.starts.reset();
                }
                self.watch_failed(version, lines.last(), &failure)
            }
        }
    }

    /// Takes in a line; says the version that it leads to, if it is another.
    fn take_line(&mut self, line: &str) -> Result<Option<String>, Failure> {
        let event = Event::read(line)?;
        let text = event.object.get();
        match event.r#type {
            "ADDED" | "MODIFIED" => Ok(self.take(text).map(|(_, version)| version)),
            "DELETED" => {
                let metadata = metadata(text)?;
                self.out.push_back(Observation::Gone(K::KIND, key(&metadata)));
                Ok(metadata.resource_version)
            }
            "BOOKMARK" => Ok(metadata(text)?.resource_version),
            _ => event.error(),
        }
    }

    /// Takes in an object; says its name and version if they can be read.
    fn take(&mut self, text: &str) -> Option<(Key, String)> {
        let mut named = None;
        let mut team = None;
        let seen = read::<K>(text, |metadata| {
            let version = metadata.resource_version.clone().unwrap_or_default();
            named = Some((key(metadata), version));
            let labels = metadata.labels.as_ref();
            team = labels.and_then(|labels| labels.get(&self.team_label)).cloned();
        });
        match seen {
            Ok(seen) => {
                if let (Kind::Rollout, Some((key, _))) = (K::KIND, &named) {
                    self.metrics.owned(key, team.as_deref().unwrap_or_default());
                }
                self.out.extend(seen);
            }
            // It has no name to report it by.
            Err(error) => {
                tracing::warn!(kind = K::KIND.resource(), %error, "an object cannot be read");
                self.metrics.failed("read", K::KIND.resource(), "unreadable");
            }
        }
        named.filter(|(_, version)| !version.is_empty())
    }

    /// A watch was not begun, or broke: it goes on where it was, if that is possible.
    fn watch_failed(&mut self, version: String, since: Instant, failure: &Failure) -> At {
        self.failed("watch", failure);
        self.wait_to_start(failure);
        self.broken(since, &failure.problem);
        match failure.rejection {
            Rejection::Expired | Rejection::Unreadable => At::List(None),
            Rejection::NotFound => {
                self.is_away(Unavailable::NotInstalled);
                At::List(None)
            }
            Rejection::Forbidden => {
                self.is_away(Unavailable::Forbidden("watch"));
                At::Start(version)
            }
            _ => At::Start(version),
        }
    }

    fn wait_to_start(&mut self, failure: &Failure) {
        let longest = self.longest_wait(failure);
        self.wait = Some(self.starts.next(longest, failure.after, chance()));
    }

    fn longest_wait(&self, failure: &Failure) -> Duration {
        let limits = &self.source.limits;
        match failure.rejection {
            Rejection::NotFound | Rejection::Forbidden => limits.absent_wait,
            _ => limits.longest_wait,
        }
    }

    fn failed(&self, operation: &'static str, failure: &Failure) {
        tracing::debug!(kind = K::KIND.resource(), operation, problem = failure.problem, "failed");
        self.metrics.failed(operation, K::KIND.resource(), failure.error_type);
    }

    fn is_well(&self) {
        if let Some(connections) = &self.connections {
            connections.well(K::KIND);
        }
    }

    fn broken(&self, since: Instant, problem: &str) {
        if let Some(connections) = &self.connections {
            connections.broken(K::KIND, since, problem.to_owned());
        }
    }

    fn is_away(&mut self, why: Unavailable) {
        // There is nothing to watch, and so nothing that is broken.
        if why == Unavailable::NotInstalled {
            self.is_well();
        }
        self.away = true;
        self.out.push_back(Observation::Unavailable(K::KIND, why));
    }
}

fn unavailable(failure: Failure, verb: &'static str) -> Unavailable {
    match failure.rejection {
        Rejection::NotFound => Unavailable::NotInstalled,
        Rejection::Forbidden => Unavailable::Forbidden(verb),
        _ => Unavailable::Failed(failure.problem),
    }
}
