//! How the timeline of an attempt gets out whatever happens to the operator and to the collector.

use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::watcher;
use throughline_tests::attempt::{differences, lines};
use throughline_tests::cluster::Cluster;
use throughline_tests::jaeger::Trace;
use throughline_tests::operator::Settings;
use throughline_tests::relay::Relay;
use throughline_tests::shop::{Gauge, Rollout, State, analysis, pause, pause_for, weight};
use timeline::base::{Moment, Source};
use timeline::journal::Journal;
use tokio::sync::mpsc;

use super::{FIRST, Outcome, SECOND, Story};

/// Each step that a Rollout was at, and when that was seen.
fn steps_of(cart: &Rollout) -> mpsc::UnboundedReceiver<(u64, Timestamp)> {
    let (api, name) = (cart.api(), cart.name().to_owned());
    let (seen, steps) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut versions = Box::pin(watcher::watch_object(api, &name));
        while let Some(version) = versions.next().await {
            let Ok(Some(object)) = version else { continue };
            let state = State(object);
            if state.revision() != Some(2) || state.current() == state.stable() {
                continue;
            }
            if state.step().is_some_and(|step| seen.send((step, Timestamp::now())).is_err()) {
                return;
            }
        }
    });
    steps
}

/// Waits until a Rollout is at a step, or past it.
async fn steps_until(
    steps: &mut mpsc::UnboundedReceiver<(u64, Timestamp)>,
    step: u64,
) -> Result<(u64, Timestamp), Box<dyn std::error::Error>> {
    let search = async {
        loop {
            match steps.recv().await {
                Some((at, time)) if at >= step => return Ok((at, time)),
                Some(_) => {}
                None => return Err("the watch has ended".into()),
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), search).await?
}

/// The moment is that time, give or take what two watches differ by.
fn is_at(moment: Moment, time: Timestamp) -> bool {
    let slack = SignedDuration::from_secs(3);
    let from = match moment.source {
        Source::Inferred => moment.after.unwrap_or(Timestamp::MIN),
        _ => moment.at,
    };
    from <= time + slack && time <= moment.at + slack
}

#[tokio::test]
async fn killed_whenever_a_step_begins_it_invents_nothing() -> Outcome {
    let story = Story::begin("killed").await?;
    let gauge = Gauge::show(0.99).await?;
    story.shop.analysis_template("rate", &gauge.metric().every(1)).await?;
    let waits = |percent| [weight(percent), pause_for(4)];
    let steps = [&waits(50)[..], &waits(60), &[analysis("rate")], &waits(75), &waits(90)].concat();
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    let mut steps = steps_of(&cart);
    cart.apply_version("2.0.0").await?;
    let (mut begun, mut stored) = (Vec::new(), Vec::new());
    // At the first sight of each of nine steps, whatever of it has been seen and stored by then.
    for step in 0..9 {
        let (_, at) = steps_until(&mut steps, step).await?;
        story.operator.kill();
        story.operator.resume()?;
        begun.push(at);
        let all = story.attempts.all().await?;
        stored.extend(all.into_iter().filter(|it| it.journal.identity.revision == 2));
    }
    cart.healthy_at("2.0.0").await?;
    story.operator.kill();
    story.operator.resume()?;
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let journal = &attempt.journal;

    // What nobody saw is said to be so, and everything else is as without the kills.
    let sure = |line: &String| {
        let line = line.trim_end_matches('?').replace("Unobserved", "Completed");
        (!line.starts_with("mark")).then(|| line.replace("Unknown", "Timer"))
    };
    let expected = [
        "0 setWeight 50 Completed",
        "1 pause 4s Completed",
        "  pause Timed planned=4 Timer",
        "2 setWeight 60 Completed",
        "3 pause 4s Completed",
        "  pause Timed planned=4 Timer",
        "4 analysis rate Completed",
        "  analysis Step Successful",
        "    success-rate 0.99 Successful",
        "    success-rate 0.99 Successful",
        "5 setWeight 75 Completed",
        "6 pause 4s Completed",
        "  pause Timed planned=4 Timer",
        "7 setWeight 90 Completed",
        "8 pause 4s Completed",
        "  pause Timed planned=4 Timer",
        "Promoted, exposed",
    ];
    let lines = lines(journal);
    assert_eq!(lines.iter().filter_map(sure).collect::<Vec<_>>(), expected);
    for (step, at) in journal.steps.iter().zip(begun) {
        assert!(is_at(step.started, at), "{step:?} began at {at}");
    }
    // What was stored once is there to stay.
    assert!(!stored.is_empty());
    for earlier in stored {
        assert!(journal.continues(&earlier.journal), "{earlier:?} became {journal:?}");
    }
    assert_eq!(story.attempts.all().await?.len(), 2);

    let (trace, _) = attempt.root().unwrap();
    let complete = |trace: &Trace| differences(journal, trace).is_empty();
    let within = Duration::from_secs(10);
    let jaeger = Cluster::shared()?.jaeger();
    jaeger.await_trace(&trace, within, "as the journal says", complete).await?;
    Ok(())
}

#[tokio::test]
async fn killed_ten_times_in_a_rollout_it_leaves_the_same_trace() -> Outcome {
    let story = Story::begin("killed-often").await?;
    let waits = |percent| [weight(percent), pause()];
    let steps = [waits(50), waits(60), waits(75), waits(90), waits(100)].concat();
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    let mut steps = steps_of(&cart);
    cart.apply_version("2.0.0").await?;
    // Twice in each pause, once what has happened is stored; each time another process goes on.
    let mut begun = Vec::new();
    for step in [1, 3, 5, 7, 9] {
        begun.push(steps_until(&mut steps, step).await?);
        cart.paused_at(step).await?;
        let held = |journal: &Journal| {
            let last = journal.pauses.last();
            last.is_some_and(|it| it.ended.is_none() && it.step.map(u64::from) == Some(step))
        };
        story.attempts.until("cart", SECOND, "held and stored", held).await?;
        for _ in 0..2 {
            story.operator.kill();
            story.operator.resume()?;
            story.operator.ready().await?;
        }
        cart.promote().await?;
    }
    cart.healthy_at("2.0.0").await?;
    let mut journal = Vec::new();
    let mut spans = vec!["rollout cart promoted".to_owned()];
    for (index, percent) in [50, 60, 75, 90, 100].into_iter().enumerate() {
        let (weight, pause) = (2 * index, 2 * index + 1);
        journal.push(format!("{weight} setWeight {percent} Completed"));
        journal.push(format!("{pause} pause Completed"));
        journal.push("  pause Manual Person".to_owned());
        spans.push(format!("  setWeight {percent} completed"));
        spans.push("  pause completed".to_owned());
        spans.push("    pause manual person".to_owned());
    }
    spans.push("  become healthy".to_owned());
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    // Nobody can know that nothing happened meanwhile; all else is as without the kills.
    let gap = |line: &String| line.starts_with("mark Gap");
    let said: Vec<_> = lines(&attempt.journal).into_iter().filter(|line| !gap(line)).collect();
    journal.push("Promoted, exposed".to_owned());
    assert_eq!(said, journal, "{:?}", attempt.journal);
    let spans: Vec<_> = spans.iter().map(String::as_str).collect();
    story.attempts.traced(&attempt, &spans).await?;
    for (step, at) in begun {
        let found = attempt.journal.steps.iter().find(|it| u64::from(it.index) == step).unwrap();
        assert_eq!(found.started.source, Source::Observed);
        assert!(is_at(found.started, at), "{found:?} began at {at}");
    }
    assert_eq!(story.attempts.all().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_down_for_a_whole_rollout_misses_nothing() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("outage").await?;
    let relay = Relay::to(cluster.otlp_grpc()).await?;
    let settings = Settings { collector: Some(relay.address()), ..Settings::default() };
    let story = Story::of(&namespace, settings).await?;
    let steps = [weight(50), pause_for(1), weight(75), pause_for(2)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    relay.close();
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let over = |journal: &Journal| journal.root_closed.is_some();
    let waiting = story.attempts.until("cart", SECOND, "over", over).await?;
    assert_eq!(waiting.journal.exported.until, 0);
    let (trace, _) = waiting.root().unwrap();
    assert_eq!(cluster.jaeger().trace(&trace).await?, None);
    // The journal is the queue: nothing has to be remembered.
    story.operator.kill();
    story.operator.resume()?;
    story.operator.ready().await?;
    relay.open();
    let (attempt, _) = story
        .shows(
            &cart,
            SECOND,
            &[
                "0 setWeight 50 Completed",
                "1 pause 1s Completed",
                "  pause Timed planned=1 Timer",
                "2 setWeight 75 Completed",
                "3 pause 2s Completed",
                "  pause Timed planned=2 Timer",
                "Promoted, exposed",
            ],
            &[
                "rollout cart promoted",
                "  setWeight 50 completed",
                "  pause 1s completed",
                "    pause timed 1 timer",
                "  setWeight 75 completed",
                "  pause 2s completed",
                "    pause timed 2 timer",
                "  become healthy",
            ],
        )
        .await?;
    // Ids and times are those of the time of the outage.
    let exported = attempt.journal.exported.clone();
    assert_eq!(Journal { exported, ..waiting.journal }, attempt.journal);
    Ok(())
}

#[tokio::test]
async fn people_read_attempts_in_a_table() -> Outcome {
    let story = Story::begin("table").await?;
    let gauge = Gauge::show(0.5).await?;
    story.shop.analysis_template("rate", &gauge.metric().count(1)).await?;
    let manifest = story.rollout("cart").canary([weight(50), analysis("rate")]);
    let mut cart = story.first(manifest).await?;
    cart.apply_version("2.0.0").await?;
    cart.aborted().await?;
    let aborted = story.attempts.delivered("cart", SECOND).await?;
    let first = story.attempts.delivered("cart", FIRST).await?;
    let table = story.shop.namespace().kubectl(&["get", "rat"]).await?;
    let words = |row: &str| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let rows: Vec<_> = table.lines().map(words).collect();
    let header = "NAME ROLLOUT REV VERSION OUTCOME REASON STARTED DURATION TRACE";
    assert_eq!(rows[0], header, "{table}");
    let expected =
        [(first, "cart 1 1.0.0 Promoted "), (aborted, "cart 2 2.0.0 Aborted AnalysisFailed ")];
    assert_eq!(rows.len(), 1 + expected.len(), "{table}");
    for (row, (attempt, words)) in rows[1..].iter().zip(expected) {
        let (trace, _) = attempt.root().unwrap();
        assert!(row.starts_with(&format!("{} {words}", attempt.name)), "{table}");
        assert!(row.ends_with(&trace), "{table}");
    }
    let wide = story.shop.namespace().kubectl(&["get", "rat", "-o", "wide"]).await?;
    assert!(wide.contains("AnalysisFailed: success-rate: 0.5 (step 2)"), "{wide}");
    Ok(())
}
