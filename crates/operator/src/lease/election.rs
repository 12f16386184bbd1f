//! Takes the Lease, renews it, and gives it back.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::candidate::{Candidate, Look, Name, Term};
use super::epoch::highest;
use super::leadership::Leadership;
use crate::rejection::Rejection;
use crate::{FIELD_MANAGER, words};

/// Takes part in the election until it is asked to give the Lease back.
pub(crate) struct Election {
    client: Client,
    leases: Api<Lease>,
    name: String,
    /// Where objects are written; all namespaces if none is named.
    namespace: Option<String>,
    candidate: Candidate,
    lasts: Duration,
    leadership: Leadership,
    clock: fn() -> Timestamp,
}

impl Election {
    /// Of a process of this name: a pod's, to which some letters are added, for a pod may come again.
    pub(crate) fn new(
        client: Client,
        name: &Name,
        namespace: Option<String>,
        process: &str,
        lasts: Duration,
        clock: fn() -> Timestamp,
    ) -> (Self, Leadership) {
        let at = name.namespace.as_deref().unwrap_or(client.default_namespace());
        let leases = Api::namespaced(client.clone(), at);
        let leadership = Leadership::candidate();
        let candidate = Candidate::new(format!("{process}_{:08x}", random() >> 32), lasts);
        let name = name.name.clone();
        let shared = leadership.clone();
        (Self { client, leases, name, namespace, candidate, lasts, leadership, clock }, shared)
    }

    /// Takes part until asked to give the Lease back, and then does so.
    pub(crate) async fn run(mut self, give_back: CancellationToken) {
        loop {
            let Some(mut held) = give_back.run_until_cancelled(self.take()).await else { return };
            tracing::info!(
                lease = self.name,
                holder = self.candidate.me(),
                epoch = held.epoch(),
                "leads now"
            );
            let why = tokio::select! {
                () = give_back.cancelled() => return self.give_back(held).await,
                () = self.leadership.lost() => None,
                why = self.keep(&mut held) => Some(why),
            };
            if let Some(why) = why {
                tracing::warn!(lease = self.name, why, "leads no more");
                self.leadership.waits(why);
            }
        }
    }

    /// Waits for the Lease to be free and takes it.
    async fn take(&mut self) -> Term {
        // Only to look sooner: what it says may be old.
        let events = watch_object(self.leases.clone(), &self.name).default_backoff();
        let mut events = std::pin::pin!(events);
        let mut recount = self.leadership.was_refused();
        loop {
            let mut look_at = Instant::now() + spread(self.lasts / 3);
            match timeout(self.lasts / 3, self.try_to_take(&mut recount)).await {
                Ok(Ok(Taken::Held(held))) => return *held,
                Ok(Ok(Taken::By(other, until))) => {
                    self.leadership.waits(format!("{other} leads"));
                    look_at = look_at.min(until);
                }
                Ok(Ok(Taken::Again)) => continue,
                Ok(Err(error)) => {
                    let error = words(&error);
                    self.leadership
                        .waits(format!("the lease {} cannot be used: {error}", self.name));
                }
                Err(_) => {
                    let name = &self.name;
                    self.leadership.waits(format!("the lease {name}: no answer in time"));
                }
            }
            tokio::select! {
                Some(Ok(_)) = events.next() => {}
                () = tokio::time::sleep_until(look_at) => {}
            }
        }
    }

    async fn try_to_take(&mut self, recount: &mut bool) -> Result<Taken, kube::Error> {
        let found = self.leases.get_opt(&self.name).await?;
        let look = self.candidate.look(found.as_ref(), Instant::now());
        if let Look::HeldBy(other, until) = look {
            return Ok(Taken::By(other, until));
        }
        let exists = found.is_some();
        *recount |= !exists;
        let stored =
            if *recount { highest(&self.client, self.namespace.as_deref()).await? } else { 0 };
        if let Look::Missing(until) = look
            && self.candidate.was_led(stored)
        {
            return Ok(Taken::By(DELETED.to_owned(), until));
        }
        let (acquired, sent) = ((self.clock)(), Instant::now());
        let (mut lease, epoch) = self.candidate.takes(found, stored, acquired);
        lease.metadata.name = Some(self.name.clone());
        let params = params();
        let written = if exists {
            self.leases.replace(&self.name, &params, &lease).await
        } else {
            self.leases.create(&params, &lease).await
        };
        match written {
            Ok(lease) => {
                let term = self.candidate.took(lease, epoch, acquired, sent);
                self.leadership.renewed(epoch, term.until());
                Ok(Taken::Held(Box::new(term)))
            }
            Err(error) if Rejection::of(&error) == Rejection::Conflict => Ok(Taken::Again),
            Err(error) => Err(error),
        }
    }

    /// Renews the Lease until that fails for too long, or another process has it; says why.
    async fn keep(&self, held: &mut Term) -> String {
        loop {
            sleep(spread(self.lasts / 3)).await;
            loop {
                let sent = Instant::now();
                // This process may have stood still.
                if sent >= held.until() {
                    return "the lease was not renewed in time".to_owned();
                }
                match timeout_at(held.until(), self.renew(held)).await {
                    Ok(Ok(lease)) => {
                        self.candidate.renewed(held, lease, sent);
                        self.leadership.renewed(held.epoch(), held.until());
                        break;
                    }
                    Ok(Err(error)) => match Rejection::of(&error) {
                        Rejection::Conflict => match self.leases.get(&self.name).await {
                            Ok(lease) => {
                                if let Some(other) = self.candidate.rewritten(held, lease) {
                                    return format!("{other} leads");
                                }
                            }
                            Err(_) => sleep(self.lasts / 15).await,
                        },
                        Rejection::NotFound => return "the lease was deleted".to_owned(),
                        _ => {
                            tracing::warn!(
                                error = words(&error),
                                "lease not renewed; trying again"
                            );
                            sleep(self.lasts / 15).await;
                        }
                    },
                    Err(_) => return "the lease was not renewed in time".to_owned(),
                }
            }
        }
    }

    async fn renew(&self, held: &Term) -> Result<Lease, kube::Error> {
        self.replace(self.candidate.renews(held, (self.clock)())).await
    }

    async fn replace(&self, lease: Lease) -> Result<Lease, kube::Error> {
        self.leases.replace(&self.name, &params(), &lease).await
    }

    /// It has no holder from now on: another process may take it at once.
    async fn give_back(&self, held: Term) {
        self.leadership.waits("the lease was given back".to_owned());
        match self.replace(self.candidate.gives_back(&held, (self.clock)())).await {
            Ok(_) => tracing::info!(lease = self.name, "lease given back"),
            Err(error) => {
                tracing::warn!(error = words(&error), "lease not given back: it expires");
            }
        }
    }
}

/// Who leads where the Lease was deleted.
const DELETED: &str = "whoever held the lease before it was deleted";

enum Taken {
    Held(Box<Term>),
    /// By another, at least until then.
    By(String, Instant),
    /// Another process was faster: to be looked at again.
    Again,
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false }
}

/// Up to a quarter less: replicas that were started together do not ask together.
fn spread(wait: Duration) -> Duration {
    let thousandths = u32::try_from(random() % 250).unwrap_or(0);
    wait * (1000 - thousandths) / 1000
}

/// Differs between processes and calls; nothing secret depends on it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
