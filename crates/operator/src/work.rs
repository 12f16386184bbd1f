//! Effects under way, each in a task of its own, and what each of them was.

use std::collections::HashMap;
use std::future::Future;

use smol_str::SmolStr;
use timeline::Key;
use timeline::engine::{Effect, ReportWritten};
use timeline::keptn::app_context::{ContextWritten, WriteProblem};
use timeline::outbox::{AttemptWritten, NotStored, Recalled, Sent, Wait};
use tokio::task::{Id, JoinSet};

use crate::own_traces::Cause;
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
    /// Nothing waits for its answer; what it does.
    Courtesy(&'static str),
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
            Effect::Prune(..) => Self::Courtesy("delete rolloutattempts"),
            Effect::ReadEvents(..) => Self::Courtesy("list events"),
            Effect::WatchPods(..) | Effect::LeavePods(_) => Self::Courtesy("watch pods"),
        }
    }

    /// What it does, and to which object, for its span.
    pub(crate) fn words(&self) -> (&'static str, Option<&Key>) {
        match self {
            Self::Context(app) => ("write keptnappcontexts", Some(app)),
            Self::Report(key) => ("write rollouttraces", Some(key)),
            Self::Attempt(key) => ("write rolloutattempts", Some(key)),
            Self::Send(key, _) => ("send spans", Some(key)),
            Self::Recall(_) => ("list rolloutattempts", None),
            Self::Read(key, _) => ("read rolloutattempts", Some(key)),
            Self::Courtesy(what) => (what, None),
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
            Self::Courtesy(_) => Answer::Nothing,
        }
    }
}

/// The effects under way, and why. All are ended when it is dropped.
#[derive(Default)]
pub(crate) struct Work {
    tasks: JoinSet<Answer>,
    asked: HashMap<Id, (Asked, Cause)>,
}

impl Work {
    /// Begins one.
    pub(crate) fn begin(
        &mut self,
        asked: Asked,
        cause: &Cause,
        effect: impl Future<Output = Answer> + Send + 'static,
    ) {
        let task = self.tasks.spawn(cause.of(&asked, effect));
        self.asked.insert(task.id(), (asked, cause.clone()));
    }

    /// The next answer, and why it was asked for; none if nothing is under way. One that panics is
    /// answered as failed.
    pub(crate) async fn next(&mut self) -> Option<(Answer, Cause)> {
        match self.tasks.join_next_with_id().await? {
            Ok((id, answer)) => {
                let cause = self.asked.remove(&id).map(|(_, cause)| cause);
                Some((answer, cause.unwrap_or_default()))
            }
            Err(error) => {
                let asked = self.asked.remove(&error.id());
                let (asked, cause) = asked.unwrap_or((Asked::Courtesy(""), Cause::default()));
                tracing::error!(%error, ?asked, "a task failed: this is a defect");
                Some((asked.failed(), cause))
            }
        }
    }

    /// Whether anything is being stored.
    pub(crate) fn stores(&self) -> bool {
        self.asked.values().any(|(asked, _)| asked.stores())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_answered_as_failed_for_its_object() {
        let cart = Key::new("shop", "cart");
        let mut work = Work::default();
        work.begin(Asked::Attempt(cart.clone()), &Cause::default(), async { panic!("a defect") });
        assert!(work.stores());
        let answer = work.next().await;
        let failed = matches!(
            answer,
            Some((Answer::Attempt(key, AttemptWritten::Failed), _)) if key == cart
        );
        assert!(failed && !work.stores());

        work.begin(Asked::Send(cart.clone(), 3), &Cause::default(), async { panic!("a defect") });
        let answer = work.next().await;
        assert!(matches!(answer, Some((Answer::Sent(key, Sent::Later(_), 3), _)) if key == cart));
        assert!(work.next().await.is_none());
    }
}
