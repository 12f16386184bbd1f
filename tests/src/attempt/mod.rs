//! Attempts, read back from the two places where they stand: RolloutAttempts and Jaeger.

mod agreement;
mod lines;

use std::time::{Duration, Instant};

use api::RolloutAttempt;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use timeline::journal::Journal;
use tokio::time::sleep;

pub use agreement::differences;
pub use lines::lines;

use crate::cluster::{Error, Namespace};
use crate::jaeger::{Jaeger, Span, Trace};

/// A RolloutAttempt as it is stored.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its name.
    pub name: String,
    /// What it stores.
    pub journal: Journal,
}

/// Which attempt of a Rollout: the revision, and the number of the try.
pub type Which = (i64, u32);

/// Reads attempts of one namespace.
#[derive(Debug, Clone)]
pub struct Attempts {
    namespace: Namespace,
    jaeger: Jaeger,
    within: Duration,
}

impl Attempt {
    fn is(&self, rollout: &str, which: Which) -> bool {
        let identity = &self.journal.identity;
        identity.rollout.name == rollout && (identity.revision, identity.number) == which
    }

    /// Trace id and span id of its root, once it is decided where that is.
    pub fn root(&self) -> Option<(String, String)> {
        let root = self.journal.root_context()?;
        Some((root.trace_id().to_string(), root.span_id().to_string()))
    }
}

impl Attempts {
    /// The attempts of a namespace, and the traces that they became.
    pub fn of(namespace: &Namespace, jaeger: Jaeger) -> Self {
        Self { namespace: namespace.clone(), jaeger, within: Duration::from_secs(90) }
    }

    /// All that are stored.
    pub async fn all(&self) -> Result<Vec<Attempt>, Error> {
        let attempts: Api<RolloutAttempt> = self.namespace.api();
        let listed = attempts.list(&ListParams::default()).await;
        let listed = listed.map_err(Error::api("list RolloutAttempts"))?;
        let read = |object: RolloutAttempt| {
            let name = object.name_any();
            let journal = operator::journal::read(&object).map_err(|error| Error::Manifest {
                reason: error.to_string(),
                manifest: name.clone(),
            })?;
            Ok(Attempt { name, journal })
        };
        let mut attempts = listed.into_iter().map(read).collect::<Result<Vec<_>, Error>>()?;
        attempts.sort_by_key(|it| (it.journal.identity.revision, it.journal.identity.number));
        Ok(attempts)
    }

    /// An attempt, once its journal is stored as it should be.
    pub async fn until(
        &self,
        rollout: &str,
        which: Which,
        condition: &str,
        is: impl Fn(&Journal) -> bool,
    ) -> Result<Attempt, Error> {
        let since = Instant::now();
        loop {
            let all = self.all().await?;
            let found = all.iter().find(|attempt| attempt.is(rollout, which));
            match found {
                Some(attempt) if is(&attempt.journal) => return Ok(attempt.clone()),
                found if since.elapsed() > self.within => {
                    let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
                    let others = || format!("there are {}", names.join(", "));
                    let state = found.map_or_else(others, |attempt| show(&attempt.journal));
                    let (revision, number) = which;
                    let object = format!("attempt {number} of revision {revision} of {rollout}");
                    return Err(self.late(&object, condition, state));
                }
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// An attempt, once it is over and a collector has acknowledged all of it.
    pub async fn delivered(&self, rollout: &str, which: Which) -> Result<Attempt, Error> {
        self.until(rollout, which, "delivered", Journal::delivered).await
    }

    /// An attempt that is delivered, whose journal must read like this, see [`lines`].
    pub async fn reads(
        &self,
        rollout: &str,
        which: Which,
        expected: &[&str],
    ) -> Result<Attempt, Error> {
        let attempt = self.delivered(rollout, which).await?;
        let said = lines(&attempt.journal);
        if said == expected {
            return Ok(attempt);
        }
        let condition = format!("of these lines:\n  {}\n", expected.join("\n  "));
        Err(self.late(&format!("journal {}", attempt.name), &condition, show(&attempt.journal)))
    }

    /// The trace of an attempt that is delivered: it must have each span that the journal says, with
    /// the same bytes, and no other, and must read like this, see [`Trace::lines`]. The namespace is
    /// left out of the lines.
    pub async fn traced(&self, attempt: &Attempt, expected: &[&str]) -> Result<Trace, Error> {
        let journal = &attempt.journal;
        let (trace_id, root_id) = attempt.root().unwrap_or_default();
        // A collector acknowledges what its storage shows a moment later.
        let same = |trace: &Trace| differences(journal, trace).is_empty();
        let agreed = self
            .jaeger
            .await_trace(&trace_id, Duration::from_secs(10), "as the journal says", same)
            .await;
        let trace = match agreed {
            Ok(trace) => trace,
            Err(error) => {
                let trace = self.jaeger.trace(&trace_id).await?.ok_or(error)?;
                let state = differences(journal, &trace).join("\n");
                return Err(self.late(&format!("trace {trace_id}"), "as the journal says", state));
            }
        };
        let said = self.tree(&trace, &root_id);
        if said == expected {
            return Ok(trace);
        }
        let condition = format!("of these spans:\n  {}\n", expected.join("\n  "));
        Err(self.late(&format!("trace {trace_id}"), &condition, said.join("\n")))
    }

    /// A span and what is below it, as lines without the name of the namespace.
    pub fn tree(&self, trace: &Trace, root: &str) -> Vec<String> {
        let root: Option<&Span> = trace.spans.iter().find(|span| span.span_id == root);
        let lines = root.map(|root| trace.lines(root)).unwrap_or_default();
        let namespace = format!("{}/", self.namespace.name());
        lines.into_iter().map(|line| line.replace(&namespace, "")).collect()
    }

    fn late(&self, object: &str, condition: &str, state: String) -> Error {
        Error::Waited {
            object: format!("{object} in {}", self.namespace.name()),
            condition: condition.into(),
            seconds: self.within.as_secs(),
            state,
        }
    }
}

fn show(journal: &Journal) -> String {
    format!("{}\n{journal:?}", lines(journal).join("\n"))
}
