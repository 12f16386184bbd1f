//! One replica: stands by with warm watches until it leads, and acts while it does. Both ways
//! it answers admission.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use timeline::Observation;
use timeline::engine::Options;

use crate::admission::Published;
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::own_traces::Causes;
use crate::owner::Owner;
use crate::pods::PodWatches;
use crate::readiness::Readiness;
use crate::shadow::Shadow;
use crate::standby::Standby;
use crate::stop::Stop;
use crate::watch::{self, Watches};
use crate::writer::Writer;

/// Who leads is shown in `/readyz` within so long.
const LOOK: Duration = Duration::from_secs(1);
/// While something is due it is looked at no faster than this.
const SHORT: Duration = Duration::from_millis(10);

/// What it acts with.
pub(crate) struct Replica {
    pub(crate) options: Options,
    pub(crate) watches: Watches,
    pub(crate) writer: Writer,
    pub(crate) leadership: Leadership,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    /// What admission answers from.
    pub(crate) published: Published,
    pub(crate) causes: Causes,
    pub(crate) clock: fn() -> Timestamp,
}

impl Replica {
    /// Runs until asked to stop. Each time that it comes to lead it begins like a new process: it knows
    /// what is in the cluster, and nothing that a leader before it decided and did not store.
    pub(crate) async fn run(self, stop: &Stop) {
        loop {
            let mut others = watch::others(&self.watches);
            let Some(seen) = self.stand_by(&mut others, stop).await else { return };
            self.metrics.leads(true);
            self.readiness.stands_by(None);
            let owner = Owner::new(
                self.options,
                self.writer.clone(),
                PodWatches::new(self.watches.clone()),
                self.metrics.clone(),
                self.readiness.clone(),
                self.published.clone(),
                self.causes.clone(),
            );
            let live = stream::select(others, watch::listed_anew(&self.watches));
            let observations = stream::iter(seen.replay()).chain(live);
            owner.run(observations, self.clock, stop, &self.leadership).await;
            self.metrics.leads(false);
            if stop.has_begun() {
                return;
            }
            self.metrics.acts_no_more();
        }
    }

    /// Watches until this process leads; none if it has to stop before.
    async fn stand_by(
        &self,
        others: &mut BoxStream<'static, Observation>,
        stop: &Stop,
    ) -> Option<Standby> {
        let mut seen = Standby::default();
        if self.leadership.holds() {
            return Some(seen);
        }
        let mut shadow = Shadow::new(self.options, self.published.clone());
        // Its own look at what a leader lists again.
        let mut ours = match shadow {
            Some(_) => watch::listed_anew(&self.watches),
            None => stream::pending().boxed(),
        };
        loop {
            let idle = shadow.as_mut().map_or(LOOK, |shadow| shadow.turn((self.clock)()));
            self.readiness.stands_by(self.leadership.stands_by());
            if self.readiness.update(seen.missing()) {
                self.metrics.missing(seen.missing());
            }
            tokio::select! {
                () = stop.begun() => return None,
                () = self.leadership.gained() => return Some(seen),
                Some(observation) = others.next() => {
                    if let Some(shadow) = &mut shadow {
                        shadow.observe(observation.clone(), (self.clock)());
                    }
                    seen.observe(observation);
                }
                Some(observation) = ours.next() => {
                    if let Some(shadow) = &mut shadow {
                        shadow.observe(observation, (self.clock)());
                    }
                }
                () = tokio::time::sleep(idle.clamp(SHORT, LOOK)) => {}
            }
        }
    }
}
