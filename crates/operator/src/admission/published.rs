//! What the owner has published of each app, for every server that is asked about a KeptnAppVersion.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use timeline::keptn::admission::{AppKnown, Asked, Decision};
use timeline::{Engine, Key};
use tokio::sync::watch;

/// Snapshots of all apps; cheap to clone. They are read for a moment each, by their app.
#[derive(Clone)]
pub(crate) struct Published {
    apps: Arc<RwLock<HashMap<Key, Arc<AppKnown>>>>,
    /// Whether all was published once: an app that is not there is not ours. Changes with each that is
    /// published.
    complete: watch::Sender<bool>,
}

/// What is known about the links of one KeptnAppVersion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `spec.spanLinks` as they have to be.
    Links(Vec<String>),
    /// No Rollout that is followed is in this app.
    NotOurs,
    /// What it needs was not seen in time.
    NotKnown,
}

impl Default for Published {
    fn default() -> Self {
        Self { apps: Arc::default(), complete: watch::Sender::new(false) }
    }
}

impl Published {
    /// Takes over what an engine has published since it was asked last, once it knows all. Until then
    /// what another one published before it (`begun` is false) still stands.
    pub(crate) fn take_from(&self, engine: &mut Engine, begun: &mut bool) {
        if !engine.knows_all() {
            return;
        }
        let changes = engine.published();
        if std::mem::replace(begun, true) {
            self.change(changes);
        } else {
            let all = changes.into_iter().filter_map(|(app, known)| Some((app, known?)));
            self.replace(all.collect());
        }
    }

    /// All that is known, in place of what was: nobody sees a moment between the two.
    pub(super) fn replace(&self, all: HashMap<Key, Arc<AppKnown>>) {
        let before = std::mem::replace(&mut *self.write(), all);
        self.complete.send_replace(true);
        drop(before);
    }

    /// What is known of these apps from now on; none of one that is gone.
    pub(super) fn change(&self, changes: impl IntoIterator<Item = (Key, Option<Arc<AppKnown>>)>) {
        let mut news = false;
        for (app, known) in changes {
            match known {
                Some(known) => self.write().insert(app, known),
                None => self.write().remove(&app),
            };
            news = true;
        }
        self.complete.send_if_modified(|_| news);
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Key, Arc<AppKnown>>> {
        self.apps.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides the links of a KeptnAppVersion; what is about to be seen is waited for as long as
    /// `patience` lasts.
    pub(crate) async fn decide(
        &self,
        app: &Key,
        asked: &Asked<'_>,
        patience: impl Future<Output = ()>,
    ) -> Answer {
        let mut changes = self.complete.subscribe();
        let mut patience = pin!(patience);
        loop {
            let complete = *changes.borrow_and_update();
            let known = self.known(app);
            let late = match known.map(|known| known.decide(asked)) {
                Some(Decision::Links(links)) if complete => return Answer::Links(links),
                None if complete => return Answer::NotOurs,
                Some(Decision::NotYet(late)) => late,
                Some(Decision::Links(_)) | None => None,
            };
            let comes = tokio::select! {
                news = changes.changed() => news.is_ok(),
                () = &mut patience => false,
            };
            if !comes {
                return late.map_or(Answer::NotKnown, Answer::Links);
            }
        }
    }

    fn known(&self, app: &Key) -> Option<Arc<AppKnown>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).get(app).map(Arc::clone)
    }
}
