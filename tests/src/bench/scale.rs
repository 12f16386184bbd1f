//! Memory and cold start, beside as many Rollouts as a large cluster has.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use tokio::time::sleep;

use super::distribution::Distribution;
use super::objects::App;
use super::process::{self, Memory};
use super::stage::Stage;
use super::{Error, Sizes, say};
use crate::operator::Operator;

/// More at once halve what the API server gets done.
const AT_ONCE: usize = 16;
/// Reports are stored two seconds after what they describe.
const REST: Duration = Duration::from_secs(4);

/// What was measured beside a number of Rollouts.
#[derive(Debug)]
pub(super) struct Scale {
    /// With no Rollout.
    pub(super) empty: Memory,
    /// With all of them, after a restart.
    pub(super) full: Memory,
    /// Program started to ready, restarts with everything in place.
    pub(super) cold: Distribution,
    /// CPU time of the operator for that.
    pub(super) cold_cpu: Distribution,
    /// Program started to everything linked and stored, at the first sight of all Rollouts.
    pub(super) first_sight: Duration,
}

/// Measures with none, makes all, and measures again.
pub(super) async fn measure(
    operator: &Operator,
    stage: &Stage,
    sizes: &Sizes,
) -> Result<Scale, Error> {
    at_rest(operator).await?;
    let empty = process::memory(process::running(operator)?)?;
    operator.kill();

    seed(stage, sizes).await?;
    say("first sight of them, then restarts");
    let since = Instant::now();
    operator.resume()?;
    ready(operator).await?;
    let first_sight = at_rest(operator).await?.duration_since(since);
    let found = stage.linked().await?;
    if found != sizes.rollouts {
        let wanted = sizes.rollouts;
        return Err(Error::Unlinked { found, wanted });
    }
    let (mut cold, mut cold_cpu) = (Vec::new(), Vec::new());
    for _ in 0..sizes.restarts {
        operator.kill();
        let since = Instant::now();
        operator.resume()?;
        ready(operator).await?;
        cold.push(since.elapsed());
        cold_cpu.push(process::cpu(process::running(operator)?)?);
        at_rest(operator).await?;
    }
    Ok(Scale {
        empty,
        full: process::memory(process::running(operator)?)?,
        cold: cold.into_iter().collect(),
        cold_cpu: cold_cpu.into_iter().collect(),
        first_sight,
    })
}

// Asked more often than `Operator::ready` does: the answer is a measurement.
async fn ready(operator: &Operator) -> Result<(), Error> {
    let since = Instant::now();
    while since.elapsed() < Duration::from_mins(1) {
        if let Some((true, _)) = operator.get("readyz").await {
            return Ok(());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(operator.ready().await.map(drop)?)
}

/// Waits until it does nothing any more, and says since when.
pub(super) async fn at_rest(operator: &Operator) -> Result<Instant, Error> {
    const PATIENCE: Duration = Duration::from_secs(90);
    let began = Instant::now();
    let (mut last, mut since) = (f64::NAN, began);
    while since.elapsed() < REST {
        // What it has seen and what it has written, all in one sum.
        let done = operator.metric("throughline_", "").await;
        if done.to_bits() != last.to_bits() {
            (last, since) = (done, Instant::now());
        }
        if began.elapsed() > PATIENCE {
            let seconds = PATIENCE.as_secs();
            return Err(Error::Restless { seconds });
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(since)
}

async fn seed(stage: &Stage, sizes: &Sizes) -> Result<(), Error> {
    let namespaces: Vec<_> = (0..10).map(|n| format!("bench-scale-{n}")).collect();
    stage.namespaces(&namespaces).await?;
    let what = format!("{} Rollouts with {} revisions each", sizes.rollouts, sizes.revisions);
    say(&format!("making {what}"));
    let mut printed = Instant::now();
    let mut made = stream::iter(0..sizes.rollouts)
        .map(|n| {
            let app = App {
                namespace: namespaces[n % namespaces.len()].clone(),
                name: format!("service-{n}"),
            };
            async move { history(stage, &app, sizes.revisions).await }
        })
        .buffer_unordered(AT_ONCE)
        .enumerate();
    while let Some((index, result)) = made.next().await {
        result?;
        if printed.elapsed() > Duration::from_secs(10) {
            printed = Instant::now();
            say(&format!("making {what}: {}", index + 1));
        }
    }
    Ok(())
}

// All revisions one after another; only the last promotion is seen, for the operator is not there.
async fn history(stage: &Stage, app: &App, revisions: u32) -> Result<(), Error> {
    for number in 1..=revisions {
        let revision = app.revision(number);
        let begun = stage.begin(revision).await?;
        stage.admit(revision).await?;
        stage.deploy(revision, true).await?;
        stage.name(revision, &begun).await?;
    }
    Ok(stage.promote(app.revision(revisions)).await?)
}
