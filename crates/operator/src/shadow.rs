//! What a standby answers admission from: an engine of its own, that sees what the leader sees and
//! decides as it does. Nothing of it leaves the process: whatever it wants stored counts as stored.

use std::time::Duration;

use jiff::Timestamp;
use timeline::engine::{Effect, Options, ReportWritten, Ways};
use timeline::outbox::{AttemptWritten, Recalled};
use timeline::{Engine, Observation};

use crate::admission::Published;

/// With nothing due, it looks around this often.
const IDLE: Duration = Duration::from_mins(1);
/// Effects that follow from each other in one turn, at most: the rest comes with the next one.
const ROUNDS: usize = 16;

/// Decides for admission while another process leads.
pub(crate) struct Shadow {
    engine: Engine,
    published: Published,
    begun: bool,
}

impl Shadow {
    /// One that has seen nothing; none if links are not asked about.
    pub(crate) fn new(options: Options, published: Published) -> Option<Self> {
        let asked = options.links != Ways::Context && !options.observe_only;
        let options = Options { links: Ways::Admission, export: false, ..options };
        asked.then(|| Self { engine: Engine::new(options), published, begun: false })
    }

    /// Takes in one observation.
    pub(crate) fn observe(&mut self, observation: Observation, now: Timestamp) {
        self.engine.observe(observation, now);
    }

    /// Decides what follows, and publishes it. Says how long it has nothing to do.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Duration {
        for _ in 0..ROUNDS {
            let effects = self.engine.effects(now);
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.pretend(effect, now);
            }
        }
        // A Rollout rests once its ledger was asked for.
        drop(self.engine.ledgers_changed());
        self.published.take_from(&mut self.engine, &mut self.begun);
        let due = self.engine.due().map(|due| due.duration_since(now));
        due.map_or(IDLE, |wait| Duration::try_from(wait).unwrap_or(Duration::ZERO)).min(IDLE)
    }

    /// Answers as if all went well.
    fn pretend(&mut self, effect: Effect, now: Timestamp) {
        match effect {
            Effect::WriteReport(key, _) => self.engine.reported(&key, ReportWritten::Stored, now),
            Effect::WriteAttempt(key, _) => {
                drop(self.engine.attempt_written(&key, AttemptWritten::Stored(String::new()), now));
            }
            Effect::ReadAttempts(key, uid) => {
                self.engine.attempts_read(&key, &uid, Some(Vec::new()), now);
            }
            Effect::Recall(_, page) => {
                self.engine.recalled(page, Recalled::Page(None), now);
            }
            Effect::WriteContext(..)
            | Effect::Send(..)
            | Effect::Prune(..)
            | Effect::WatchPods(..)
            | Effect::ReadEvents(..)
            | Effect::LeavePods(_) => {}
        }
    }
}
