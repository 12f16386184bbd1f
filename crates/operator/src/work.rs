//! Effects under way, each in a task of its own, and what each of them was.

use std::collections::HashMap;
use std::future::Future;

use smol_str::SmolStr;
use timeline::Key;
use timeline::engine::{Effect, ReportWritten};
use timeline::keptn::app_context::{ContextWritten, WriteProblem};
use timeline::outbox::{AttemptWritten, NotStored, Recalled, Sent, Wait};
use tokio::task::{Id, JoinSet};

use crate::writer::Answer;

/// What was asked for, as far as an answer needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Context(Key),
    Report(Key),
    Attempt(Key),
    Send(Key, u64),
    Recall(Option<String>),
    Read(Key, SmolStr),
    /// Nobody waits for an answer.
    Courtesy,
}

impl Asked {
    /// What an effect asks for.
    pub(crate) fn by(effect: &Effect) -> Self {
        match effect {
            Effect::WriteContext(app, _) => Self::Context(app.clone()),
            Effect::WriteReport(key, _) => Self::Report(key.clone()),
            Effect::WriteAttempt(key, _) => Self::Attempt(key.clone()),
            Effect::Send(key, batch) => Self::Send(key.clone(), batch.spans.len() as u64),
            Effect::Recall(_, page) => Self::Recall(page.clone()),
            Effect::ReadAttempts(key, uid) => Self::Read(key.clone(), uid.clone()),
            Effect::Prune(..)
            | Effect::ReadEvents(..)
            | Effect::WatchPods(..)
            | Effect::LeavePods(_) => Self::Courtesy,
        }
    }

    /// Whether it stores something, or reads what that waits for.
    pub(crate) fn stores(&self) -> bool {
        matches!(self, Self::Context(_) | Self::Report(_) | Self::Attempt(_) | Self::Read(..))
    }

    /// The answer of a task that ended without one.
    fn failed(self) -> Answer {
        let failed = "the task that wrote it ended badly; see the log";
        match self {
            Self::Context(app) => {
                let problem = WriteProblem::Failed(failed.to_owned());
                Answer::Context(app, ContextWritten::Failed(problem))
            }
            Self::Report(key) => Answer::Report(key, ReportWritten::NotStored(NotStored::Failed)),
            Self::Attempt(key) => Answer::Attempt(key, AttemptWritten::Failed),
            Self::Send(key, spans) => Answer::Sent(key, Sent::Later(Wait::default()), spans),
            Self::Recall(page) => Answer::Recalled(Vec::new(), page, Recalled::Failed(None)),
            Self::Read(key, uid) => Answer::Read(key, uid.to_string(), None),
            Self::Courtesy => Answer::Nothing,
        }
    }
}

/// The effects under way. All are ended when it is dropped.
#[derive(Default)]
pub(crate) struct Work {
    tasks: JoinSet<Answer>,
    asked: HashMap<Id, Asked>,
}

impl Work {
    /// Begins one.
    pub(crate) fn begin(
        &mut self,
        asked: Asked,
        effect: impl Future<Output = Answer> + Send + 'static,
    ) {
        let task = self.tasks.spawn(effect);
        self.asked.insert(task.id(), asked);
    }

    /// The next answer; none if nothing is under way. One that panics is answered as failed.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        match self.tasks.join_next_with_id().await? {
            Ok((id, answer)) => {
                self.asked.remove(&id);
                Some(answer)
            }
            Err(error) => {
                let asked = self.asked.remove(&error.id()).unwrap_or(Asked::Courtesy);
                tracing::error!(%error, ?asked, "a task ended badly: this is a defect");
                Some(asked.failed())
            }
        }
    }

    /// Whether anything is being stored.
    pub(crate) fn stores(&self) -> bool {
        self.asked.values().any(Asked::stores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_answered_as_failed_for_its_object() {
        let cart = Key::new("shop", "cart");
        let mut work = Work::default();
        work.begin(Asked::Attempt(cart.clone()), async { panic!("a defect") });
        assert!(work.stores());
        let answer = work.next().await;
        let failed =
            matches!(answer, Some(Answer::Attempt(key, AttemptWritten::Failed)) if key == cart);
        assert!(failed && !work.stores());

        work.begin(Asked::Send(cart.clone(), 3), async { panic!("a defect") });
        let answer = work.next().await;
        assert!(matches!(answer, Some(Answer::Sent(key, Sent::Later(_), 3)) if key == cart));
        assert!(work.next().await.is_none());
    }
}
