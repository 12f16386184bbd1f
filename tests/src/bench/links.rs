//! Link latency: from a trace that becomes visible to its link in the KeptnAppContext.
//!
//! Open loop: each revision has its instants fixed beforehand, whatever became of the one before.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::distribution::Distribution;
use super::load::Load;
use super::objects::App;
use super::observer::Observer;
use super::stage::Stage;
use super::{Error, Sizes, audit, process, say};
use crate::cluster::Cluster;
use crate::operator::Operator;

/// From the instant of a revision to Keptn's objects for it, to its trace, and to its promotion.
const ADMITTED: Duration = Duration::from_millis(200);
const VISIBLE: Duration = Duration::from_millis(500);
const PROMOTED: Duration = Duration::from_millis(1500);
/// A link that did not come by then counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was measured.
#[derive(Debug)]
pub(super) struct Links {
    /// The first revision of each app, whose KeptnAppContext is created, and the second, for which
    /// it is patched.
    pub(super) waves: [Wave; 2],
    /// CPU time of the operator for all revisions of both.
    pub(super) cpu: Duration,
    /// What the cores did meanwhile.
    pub(super) busy: String,
}

/// What one wave of revisions showed.
#[derive(Debug, Default)]
pub(super) struct Wave {
    /// KeptnAppVersion seen to KeptnAppContext seen.
    pub(super) latency: Distribution,
    /// Instant at which the trace was to be written to KeptnAppContext seen.
    pub(super) scheduled: Distribution,
    /// By the clock of the API server: trace stored to write received.
    pub(super) asked: Distribution,
    /// By the same clock: write received to write answered.
    pub(super) served: Distribution,
    /// Links that did not come.
    pub(super) missing: usize,
    /// How much later than scheduled the bench itself asked for a write, at most.
    pub(super) late: Duration,
}

/// Plays both waves.
pub(super) async fn measure(
    cluster: &'static Cluster,
    operator: &Operator,
    stage: &Stage,
    sizes: &Sizes,
) -> Result<Links, Error> {
    let namespaces: Vec<_> = (0..4).map(|n| format!("bench-links-{n}")).collect();
    stage.namespaces(&namespaces).await?;
    let apps: Vec<_> = (0..sizes.warm_up + sizes.links)
        .map(|n| App {
            namespace: namespaces[n % namespaces.len()].clone(),
            name: format!("app-{n}"),
        })
        .collect();
    let observer = Observer::start(cluster).await?;
    let mut waves = [Wave::default(), Wave::default()];
    let id = process::running(operator)?;
    let (cpu, load) = (process::cpu(id)?, Load::now(cluster, id));
    for (number, wave) in (1..).zip(&mut waves) {
        say(&format!(
            "link latency: revision {number} of {} apps, {} per s",
            apps.len(),
            sizes.per_second
        ));
        let played = play(stage, &apps, number, sizes.per_second).await?;
        observer.check()?;
        await_links(&observer, &played).await;
        observed(wave, &observer, &played[sizes.warm_up..]);
        // The last ones are promoted, and their reports stored.
        sleep(PROMOTED + Duration::from_secs(2)).await;
    }
    let cpu = process::cpu(id)?.saturating_sub(cpu);
    let busy = Load::now(cluster, id).since(&load);
    let log = audit::read(cluster)?;
    for (number, wave) in (1..).zip(&mut waves) {
        let apps = &apps[sizes.warm_up..];
        let split = |app| audit::split(&log, app, number);
        let (asked, served): (Vec<_>, Vec<_>) = apps.iter().filter_map(split).unzip();
        wave.asked = asked.into_iter().collect();
        wave.served = served.into_iter().collect();
    }
    Ok(Links { waves, cpu, busy })
}

struct Played {
    traceparent: String,
    scheduled: Instant,
    late: Duration,
}

async fn play(
    stage: &Stage,
    apps: &[App],
    number: u32,
    per_second: u32,
) -> Result<Vec<Played>, Error> {
    let interval = Duration::from_secs(1) / per_second;
    let mut tasks = JoinSet::new();
    let mut at = Instant::now() + interval;
    for (index, app) in apps.iter().cloned().enumerate() {
        let stage = stage.clone();
        let slot = at;
        at += interval;
        tasks.spawn(async move {
            let revision = app.revision(number);
            sleep_until(slot.into()).await;
            let begun = stage.begin(revision).await?;
            sleep_until((slot + ADMITTED).into()).await;
            stage.admit(revision).await?;
            let scheduled = slot + VISIBLE;
            sleep_until(scheduled.into()).await;
            let late = scheduled.elapsed();
            stage.deploy(revision, false).await?;
            stage.name(revision, &begun).await?;
            sleep_until((slot + PROMOTED).into()).await;
            stage.promote(revision).await?;
            let traceparent = revision.traceparent("AppDeploy");
            Ok::<_, Error>((index, Played { traceparent, scheduled, late }))
        });
    }
    let mut played = Vec::with_capacity(apps.len());
    while let Some(ended) = tasks.join_next().await {
        played.push(ended??);
    }
    played.sort_by_key(|(index, _)| *index);
    Ok(played.into_iter().map(|(_, played)| played).collect())
}

async fn await_links(observer: &Observer, played: &[Played]) {
    let since = Instant::now();
    let linked = |it: &Played| observer.times(&it.traceparent).1.is_some();
    while since.elapsed() < PATIENCE && !played.iter().all(linked) {
        sleep(Duration::from_millis(50)).await;
    }
}

fn observed(wave: &mut Wave, observer: &Observer, played: &[Played]) {
    let mut latency = Vec::new();
    let mut scheduled = Vec::new();
    for revision in played {
        wave.late = wave.late.max(revision.late);
        match observer.times(&revision.traceparent) {
            (Some(visible), Some(linked)) => {
                latency.push(linked.saturating_duration_since(visible));
                scheduled.push(linked.saturating_duration_since(revision.scheduled));
            }
            _ => wave.missing += 1,
        }
    }
    wave.latency = latency.into_iter().collect();
    wave.scheduled = scheduled.into_iter().collect();
}
