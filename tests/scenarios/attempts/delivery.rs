//! How the timeline of an attempt gets out whatever happens to the operator and to the collector.

use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::watcher;
use throughline_tests::attempt::{differences, lines};
use throughline_tests::cluster::Cluster;
use throughline_tests::operator::Settings;
use throughline_tests::relay::Relay;
use throughline_tests::shop::{Gauge, Rollout, State, analysis, pause_for, weight};
use timeline::attempt::Source;
use timeline::journal::Journal;
use timeline::moment::Moment;
use tokio::sync::mpsc;

use super::{FIRST, Outcome, SECOND, Story};

/// Each step that a Rollout was at, and when that was seen.
fn steps_of(cart: &Rollout) -> mpsc::UnboundedReceiver<(u64, Timestamp)> {
    let (api, name) = (cart.api(), cart.name().to_owned());
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut versions = Box::pin(watcher::watch_object(api, &name));
        while let Some(version) = versions.next().await {
            let Ok(Some(object)) = version else { continue };
            let state = State(object);
            if state.revision() != Some(2) || state.current() == state.stable() {
                continue;
            }
            if state.step().is_some_and(|step| tell.send((step, Timestamp::now())).is_err()) {
                return;
            }
        }
    });
    told
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
async fn killed_ten_times_in_a_rollout_it_leaves_the_same_trace() -> Outcome {
    let story = Story::begin("killed").await?;
    let gauge = Gauge::show(0.99).await?;
    story.shop.analysis_template("rate", &gauge.metric().every(1)).await?;
    let steps = [weight(50), pause_for(4), weight(75), pause_for(4), analysis("rate"), weight(100)];
    let mut cart = story.first(story.rollout("cart").canary(steps)).await?;
    let mut seen = steps_of(&cart);
    cart.apply_version("2.0.0").await?;
    // One after the other, each as soon as the last one was up, and at the end of the rollout.
    for _ in 0..9 {
        story.operator.kill();
        story.operator.resume()?;
        story.operator.ready().await?;
    }
    let healthy = cart.healthy_at("2.0.0").await;
    story.operator.kill();
    story.operator.resume()?;
    healthy?;
    let attempt = story.attempts.delivered("cart", SECOND).await?;
    let journal = &attempt.journal;

    // What nobody saw is said to be so, and everything else is as without the kills.
    let sure = |line: &String| {
        line.trim_end_matches('?').replace("Unobserved", "Completed").replace("Unknown", "Timer")
    };
    let expected = [
        "0 setWeight 50 Completed",
        "1 pause 4s Completed",
        "  pause Timed planned=4 Timer",
        "2 setWeight 75 Completed",
        "3 pause 4s Completed",
        "  pause Timed planned=4 Timer",
        "4 analysis rate Completed",
        "  analysis Step Successful",
        "    success-rate \"0.99\" Successful",
        "    success-rate \"0.99\" Successful",
        "5 setWeight 100 Completed",
        "Promoted, exposed",
    ];
    let said: Vec<_> = lines(journal).iter().map(sure).collect();
    assert_eq!(said, expected, "{}", lines(journal).join("\n"));
    let mut begun = Vec::new();
    while let Ok((step, at)) = seen.try_recv() {
        if begun.last().is_none_or(|(last, _)| *last != step) {
            begun.push((step, at));
        }
    }
    for step in &journal.steps {
        // One that was over at once may have been seen by nobody.
        if let Some((_, at)) = begun.iter().find(|(index, _)| *index == u64::from(step.index)) {
            assert!(is_at(step.started, *at), "{step:?} began at {at}");
        }
    }

    let (trace, _) = attempt.root().unwrap();
    let complete =
        |trace: &throughline_tests::jaeger::Trace| differences(journal, trace).is_empty();
    let within = Duration::from_secs(10);
    let jaeger = Cluster::shared()?.jaeger();
    jaeger.await_trace(&trace, within, "as the journal says", complete).await?;
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
        .tells(
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
    println!("{table}");
    let mut rows = table.lines();
    let header: Vec<_> = rows.next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(header.first(), Some(&"NAME"), "{table}");
    for attempt in [first, aborted] {
        let (trace, _) = attempt.root().unwrap();
        let row = table.lines().find(|row| row.starts_with(&attempt.name));
        let row = row.unwrap_or_else(|| panic!("no {} in\n{table}", attempt.name));
        assert!(row.contains(&trace), "{row}");
    }
    Ok(())
}
