//! What was stored of a Rollout, read back from every place and put side by side.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use api::{RolloutAttempt, RolloutTrace};
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use throughline_tests::attempt::Which;
use throughline_tests::cluster;
use throughline_tests::jaeger::Trace;
use tokio::time::sleep;

use super::{Outcome, Story};

const PATIENCE: Duration = Duration::from_secs(20);

impl Story {
    /// All attempts of a Rollout, oldest first, a line each: RolloutAttempt, ledger line and
    /// `throughline dora` in one, which must agree.
    ///
    /// ```text
    /// 2.1 Aborted, exposed: ManualAbort by Manual = failed, exposed
    /// 3.1 Promoted Hotfix, exposed = deployment, makes good 2.1
    /// ```
    pub(super) async fn reports(&self, rollout: &str, expected: &[&str]) -> Outcome {
        for line in expected {
            self.attempts.delivered(rollout, which(line).ok_or("not an attempt")?).await?;
        }
        let since = Instant::now();
        loop {
            // What is not stored yet cannot be printed.
            let said = self.read(rollout).await.unwrap_or_else(|error| vec![error.to_string()]);
            if said == expected {
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                let condition = format!("of these attempts:\n  {}\n", expected.join("\n  "));
                return Err(late(rollout, condition, &said.join("\n")));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn read(&self, rollout: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let trace = self.namespace.api::<RolloutTrace>().get_opt(rollout).await?;
        let ledger = trace.and_then(|trace| trace.status).unwrap_or_default().ledger;
        let mut booked: BTreeMap<String, Booked> = BTreeMap::new();
        for line in &ledger {
            let booked_line = Booked::read(line).ok_or_else(|| format!("not a line: {line}"))?;
            booked.insert(booked_line.id.clone(), booked_line);
        }
        let mut lines = Vec::new();
        let counted = self.counted(rollout).await?;
        for attempt in self.stored(rollout).await? {
            let id = format!("{}.{}", attempt.spec.revision, attempt.spec.attempt);
            let status = attempt.status.unwrap_or_default();
            let failure = status.failure.as_ref();
            let line = booked.remove(&id);
            let kind = line.as_ref().map(|line| &*line.kind).unwrap_or_default();
            let mut text = format!("{id} {:?}{kind}", status.phase);
            if status.exposed {
                text.push_str(", exposed");
            }
            if let Some(failure) = failure {
                text.extend([": ", &failure.class]);
                if let Some(cause) = &failure.cause {
                    text.extend([" by ", cause]);
                }
            }
            text.extend([" = ", counted.get(&id).map_or("not counted", |it| it)]);
            let seen = Booked {
                id,
                outcome: format!("{:?}", status.phase),
                kind: kind.to_owned(),
                exposed: status.exposed,
                class: failure.map(|failure| failure.class.clone()),
            };
            // One record: what the ledger says of it is what the RolloutAttempt says.
            if line.as_ref() != Some(&seen) {
                text.extend([" but in the ledger ", &format!("{line:?}")]);
            }
            lines.push(text);
        }
        lines.extend(booked.into_values().map(|line| format!("only in the ledger: {line:?}")));
        Ok(lines)
    }

    /// What each attempt counts as, and what it makes good.
    async fn counted(&self, rollout: &str) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
        let printed = self.prints().await?;
        let all = printed["rollouts"].as_array().map_or(&[][..], Vec::as_slice);
        let of = all.iter().filter(|it| it["rollout"] == rollout);
        let lines = of.flat_map(|it| it["lines"].as_array().into_iter().flatten());
        let counts = |line: &Value| {
            let id = line["line"].as_str()?.split('@').next()?.to_owned();
            let mut counts = line["countsAs"].as_str()?.to_owned();
            let notes = line["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for note in notes.filter(|note| note.starts_with("makes good")) {
                counts.extend([", ", note]);
            }
            Some((id, counts))
        };
        Ok(lines.filter_map(counts).collect())
    }

    /// The figures of a Rollout, once they read like this; what is 0 is left out of the counts.
    ///
    /// ```text
    /// deployments 3, failedExposed 1, fixes 1; exposed 1 of 4; lead N 0; recovery N 1
    /// ```
    pub(super) async fn counts(&self, rollout: &str, expected: &str) -> Outcome {
        let since = Instant::now();
        loop {
            let printed = self.prints().await;
            let said = printed.map_or_else(|error| error.to_string(), |it| figures(rollout, &it));
            if said == expected {
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                let condition = format!("with these figures:\n  {expected}\n");
                return Err(late(rollout, condition, &said));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// What `throughline dora` prints of the namespace as JSON.
    pub(super) async fn prints(&self) -> Result<Value, Box<dyn Error>> {
        let namespace = self.namespace.name();
        let args =
            ["dora", "--namespace", namespace, "--since", "7d", "--output", "json", "--audit"];
        Ok(serde_json::from_str(&self.operator.command(&args).await?)?)
    }

    /// The RolloutAttempts of a Rollout, oldest first.
    pub(super) async fn stored(&self, rollout: &str) -> Result<Vec<RolloutAttempt>, kube::Error> {
        let attempts: Api<RolloutAttempt> = self.namespace.api();
        let mut all = attempts.list(&ListParams::default()).await?.items;
        all.retain(|attempt| attempt.spec.rollout == rollout);
        all.sort_by_key(|attempt| (attempt.spec.revision, attempt.spec.attempt));
        Ok(all)
    }

    /// One RolloutAttempt.
    pub(super) async fn attempt(
        &self,
        rollout: &str,
        (revision, number): Which,
    ) -> Result<RolloutAttempt, Box<dyn Error>> {
        let all = self.stored(rollout).await?;
        let is = |it: &RolloutAttempt| {
            it.spec.revision == revision && it.spec.attempt == i64::from(number)
        };
        let found = all.into_iter().find(is);
        Ok(found.ok_or_else(|| format!("no attempt {revision}.{number} of {rollout}"))?)
    }

    /// A RolloutAttempt, once its failure shows in what `kubectl get rat` prints of it: soon, since
    /// people look for it.
    pub(super) async fn shows(
        &self,
        rollout: &str,
        of: Which,
        class: &str,
    ) -> Result<RolloutAttempt, Box<dyn Error>> {
        self.shows_within(PATIENCE, rollout, of, class).await
    }

    pub(super) async fn shows_within(
        &self,
        patience: Duration,
        rollout: &str,
        of: Which,
        class: &str,
    ) -> Result<RolloutAttempt, Box<dyn Error>> {
        let since = Instant::now();
        loop {
            let attempt = self.attempt(rollout, of).await;
            let shown = attempt.as_ref().ok().and_then(|it| it.status.as_ref()?.failure.as_ref());
            match attempt {
                Ok(attempt) if shown.is_some_and(|it| it.class == class) => return Ok(attempt),
                attempt if since.elapsed() > patience => {
                    let state = match attempt {
                        Ok(attempt) => serde_norway::to_string(&attempt.status)?,
                        Err(error) => error.to_string(),
                    };
                    return Err(late(rollout, format!("{of:?} with the failure {class}"), &state));
                }
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// What the root span of an attempt links to: `PreviousRevision 1.1`.
    pub(super) async fn links(
        &self,
        rollout: &str,
        of: Which,
    ) -> Result<Vec<String>, Box<dyn Error>> {
        let mut names = BTreeMap::new();
        for attempt in self.stored(rollout).await? {
            let id = format!("{}.{}", attempt.spec.revision, attempt.spec.attempt);
            let trace = attempt.status.and_then(|status| status.trace);
            let Some(trace) = trace else { continue };
            if let Some(parent) = &trace.parent {
                names.insert(format!("00-{}-{parent}-01", trace.id), id.clone());
            }
            names.insert(trace.traceparent, id);
        }
        let links = self.attempt(rollout, of).await?.status.unwrap_or_default().links;
        let words = links.iter().map(|link| {
            let to = names.get(&link.traceparent).unwrap_or(&link.traceparent);
            format!("{} {to}", link.kind)
        });
        Ok(words.collect())
    }

    /// The trace of an attempt that is over, and the id of its root span in it.
    pub(super) async fn spans(
        &self,
        rollout: &str,
        of: Which,
    ) -> Result<(Trace, String), Box<dyn Error>> {
        let attempt = self.attempts.delivered(rollout, of).await?;
        let (trace, root) = attempt.root().ok_or("no root")?;
        Ok((self.left(&trace, &root).await?, root))
    }

    /// A trace, once a span of it has left for Jaeger.
    pub(super) async fn left(&self, trace: &str, span: &str) -> Result<Trace, Box<dyn Error>> {
        let is = |trace: &Trace| trace.spans.iter().any(|it| it.span_id == span);
        Ok(self.jaeger.await_trace(trace, Duration::from_secs(30), "with its root", is).await?)
    }

    /// The ledger line of an attempt, word by word.
    pub(super) async fn line(&self, rollout: &str, id: &str) -> Result<String, Box<dyn Error>> {
        let since = Instant::now();
        loop {
            let trace = self.namespace.api::<RolloutTrace>().get_opt(rollout).await?;
            let ledger = trace.and_then(|trace| trace.status).unwrap_or_default().ledger;
            let line = ledger.iter().find(|line| line.split('@').next() == Some(id));
            if let Some(line) = line {
                return Ok(line.clone());
            }
            if since.elapsed() > PATIENCE {
                return Err(late(rollout, format!("with a line {id}"), &ledger.join("\n")));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The first paragraph that `throughline explain` prints of a revision.
    pub(super) async fn explains(
        &self,
        rollout: &str,
        revision: i64,
    ) -> Result<(String, String), Box<dyn Error>> {
        let key = format!("{}/{rollout}", self.namespace.name());
        let page =
            self.operator.command(&["explain", &key, "--revision", &revision.to_string()]).await?;
        let head = page.split("\n\n").next().unwrap_or_default();
        Ok((head.split_whitespace().collect::<Vec<_>>().join(" "), page))
    }
}

/// A ledger line, as far as a RolloutAttempt says the same.
#[derive(Debug, PartialEq, Eq)]
struct Booked {
    id: String,
    outcome: String,
    /// With a space before it; empty for a change.
    kind: String,
    exposed: bool,
    class: Option<String>,
}

impl Booked {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let id = words.next()?.split('@').next()?.to_owned();
        let outcome = words.next()?.to_owned();
        let third = words.next()?;
        let is_kind = third.starts_with(|first: char| first.is_alphabetic());
        let kind = if is_kind { format!(" {third}") } else { String::new() };
        let (mut exposed, mut class) = (false, None);
        for word in words {
            if let Some(when) = word.strip_prefix("exposed=") {
                exposed = when != "unknown";
            }
            if let Some(word) = word.strip_prefix("class=") {
                class = Some(word.to_owned());
            }
        }
        Some(Self { id, outcome, kind, exposed, class })
    }
}

/// `2.1 Aborted` is of the second revision, first try.
fn which(line: &str) -> Option<Which> {
    let (revision, number) = line.split(' ').next()?.split_once('.')?;
    Some((revision.parse().ok()?, number.parse().ok()?))
}

fn figures(rollout: &str, printed: &Value) -> String {
    let all = printed["rollouts"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(of) = all.iter().find(|it| it["rollout"] == rollout) else {
        return "no such Rollout".into();
    };
    let figures = &of["figures"];
    let counts = [
        "deployments",
        "failedLive",
        "failedExposed",
        "failedBlocked",
        "failedUnclear",
        "rollbacks",
        "superseded",
        "fixes",
    ];
    let counts = counts.into_iter().filter(|name| figures["counts"][name] != 0);
    let counts: Vec<_> = counts.map(|name| format!("{name} {}", figures["counts"][name])).collect();
    let exposed = &figures["changeFailRateExposed"];
    let times = |name: &str| {
        let times = &figures[name];
        let mut text = format!("N {}", times["n"]);
        if times["refused"] != 0 {
            let _ = write!(text, " ({} refused)", times["refused"]);
        }
        text
    };
    format!(
        "{}; exposed {} of {}; lead {}; recovery {}",
        counts.join(", "),
        exposed["part"],
        exposed["n"],
        times("changeLeadTime"),
        times("recoveryTime"),
    )
}

fn late(rollout: &str, condition: String, state: &str) -> Box<dyn Error> {
    Box::new(cluster::Error::Waited {
        object: format!("Rollout {rollout}"),
        condition,
        seconds: PATIENCE.as_secs(),
        state: state.to_owned(),
    })
}
