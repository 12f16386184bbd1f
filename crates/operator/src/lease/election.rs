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

use super::candidate::{Name, Watched, holder, spec, transitions};
use super::epoch::highest;
use super::leadership::Leadership;
use crate::rejection::Rejection;
use crate::{FIELD_MANAGER, words};

/// Takes part in the election until it is told to give the Lease back.
pub(crate) struct Election {
    client: Client,
    leases: Api<Lease>,
    name: String,
    /// Where objects are written; all namespaces if none is named.
    namespace: Option<String>,
    me: String,
    lasts: Duration,
    leadership: Leadership,
    clock: fn() -> Timestamp,
}

/// The Lease as this process wrote it last.
struct Held {
    lease: Lease,
    epoch: i64,
    acquired: Timestamp,
    until: Instant,
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
        let me = format!("{process}_{:08x}", random() >> 32);
        let name = name.name.clone();
        let shared = leadership.clone();
        (Self { client, leases, name, namespace, me, lasts, leadership, clock }, shared)
    }

    /// Takes part until told to give the Lease back, and then does so.
    pub(crate) async fn run(self, give_back: CancellationToken) {
        loop {
            let Some(mut held) = give_back.run_until_cancelled(self.take()).await else { return };
            tracing::info!(lease = self.name, holder = self.me, epoch = held.epoch, "leads now");
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
    async fn take(&self) -> Held {
        let mut watched = Watched::default();
        // Only to look sooner: what it says may be old.
        let events = watch_object(self.leases.clone(), &self.name).default_backoff();
        let mut events = std::pin::pin!(events);
        let mut recount = self.leadership.was_refused();
        loop {
            let mut look_at = Instant::now() + spread(self.lasts / 3);
            match timeout(self.lasts / 3, self.try_to_take(&mut watched, &mut recount)).await {
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

    async fn try_to_take(
        &self,
        watched: &mut Watched,
        recount: &mut bool,
    ) -> Result<Taken, kube::Error> {
        let found = self.leases.get_opt(&self.name).await?;
        if let Some(lease) = &found
            && let Some(until) = watched.held_until(lease, &self.me, Instant::now())
        {
            return Ok(Taken::By(holder(lease).to_owned(), until));
        }
        *recount |= found.is_none();
        let mut before = found.as_ref().map_or(0, transitions);
        if *recount {
            before = before.max(highest(&self.client, self.namespace.as_deref()).await?);
        }
        let (epoch, acquired) = (before.saturating_add(1), (self.clock)());
        let sent = Instant::now();
        let params = params();
        let spec = spec(&self.me, epoch, self.lasts, (acquired, acquired));
        let written = if let Some(mut lease) = found {
            lease.spec = Some(spec);
            self.leases.replace(&self.name, &params, &lease).await
        } else {
            let mut lease = Lease::default();
            lease.metadata.name = Some(self.name.clone());
            lease.spec = Some(spec);
            self.leases.create(&params, &lease).await
        };
        match written {
            Ok(lease) => {
                let until = sent + self.patience();
                self.leadership.renewed(epoch, until);
                Ok(Taken::Held(Box::new(Held { lease, epoch, acquired, until })))
            }
            Err(error) if Rejection::of(&error) == Rejection::Conflict => Ok(Taken::Again),
            Err(error) => Err(error),
        }
    }

    /// Renews the Lease until that fails for too long, or somebody else has it; says why.
    async fn keep(&self, held: &mut Held) -> String {
        loop {
            sleep(spread(self.lasts / 3)).await;
            loop {
                let sent = Instant::now();
                // This process may have stood still.
                if sent >= held.until {
                    return "the lease was not renewed in time".to_owned();
                }
                match timeout_at(held.until, self.renew(held, &self.me)).await {
                    Ok(Ok(lease)) => {
                        held.lease = lease;
                        held.until = sent + self.patience();
                        self.leadership.renewed(held.epoch, held.until);
                        break;
                    }
                    Ok(Err(error)) => match Rejection::of(&error) {
                        Rejection::Conflict => match self.leases.get(&self.name).await {
                            Ok(lease) if holder(&lease) == self.me => held.lease = lease,
                            Ok(lease) => return format!("{} leads", holder(&lease)),
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

    async fn renew(&self, held: &Held, holder: &str) -> Result<Lease, kube::Error> {
        let mut lease = held.lease.clone();
        let times = (held.acquired, (self.clock)());
        lease.spec = Some(spec(holder, held.epoch, self.lasts, times));
        self.leases.replace(&self.name, &params(), &lease).await
    }

    /// Nobody holds it from now on: another may take it at once.
    async fn give_back(&self, held: Held) {
        self.leadership.waits("the lease was given back".to_owned());
        match self.renew(&held, "").await {
            Ok(_) => tracing::info!(lease = self.name, "lease given back"),
            Err(error) => {
                tracing::warn!(error = words(&error), "lease not given back: it expires");
            }
        }
    }

    /// After so long without a renewal this process stops: well before another takes over.
    fn patience(&self) -> Duration {
        self.lasts * 2 / 3
    }
}

enum Taken {
    Held(Box<Held>),
    /// By another, at least until then.
    By(String, Instant),
    /// Somebody was faster: to be looked at again.
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
