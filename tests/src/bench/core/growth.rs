//! Whether an event costs more where there is more of everything else.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use timeline::Kind;

use super::model::{Model, read};
use super::{REPEATS, Samples, at_rest, process, shift, story};
use crate::bench::{Error, Sizes};

/// Few Rollouts, all of which are rolled out.
pub(in crate::bench) const FEW: usize = 100;
/// KeptnAppVersions in an app that has few.
pub(in crate::bench) const FEW_VERSIONS: usize = 10;
/// Rollouts, each in an app of its own, whose apps have many KeptnAppVersions.
const APPS: usize = 40;

/// Seconds of CPU time for an event: where there are few, and where there are many.
#[derive(Debug, Default)]
pub(in crate::bench) struct Growth {
    pub(in crate::bench) rollouts: [Samples; 2],
    pub(in crate::bench) app_versions: [Samples; 2],
}

/// Both sizes in turns, so that what else the machine does hits both.
pub(super) fn measure(sizes: &Sizes) -> Result<Growth, Error> {
    let mut growth = Growth::default();
    let mut models = [at_rest(FEW, false)?, at_rest(sizes.many, false)?];
    turns(&mut models, false, [FEW, sizes.many], FEW, &mut growth.rollouts)?;
    drop(models);
    let mut models = [at_rest(APPS, true)?, at_rest(APPS, true)?];
    for (model, versions) in models.iter_mut().zip([FEW_VERSIONS, sizes.versions_of_app]) {
        play_others(model, versions)?;
    }
    turns(&mut models, true, [APPS; 2], APPS, &mut growth.app_versions)?;
    Ok(growth)
}

/// Rolls out revision after revision, `moving` Rollouts at a time of so many.
fn turns(
    models: &mut [Model; 2],
    keptn: bool,
    of: [usize; 2],
    moving: usize,
    samples: &mut [Samples; 2],
) -> Result<(), Error> {
    for (revision, repeat) in (2..).zip(0..=REPEATS) {
        let story = story::revision(revision, keptn);
        for ((model, of), samples) in models.iter_mut().zip(of).zip(samples.iter_mut()) {
            let spent = turn(model, &story, of, moving)?;
            // The first time warms up.
            if repeat > 0 {
                samples.add(spent);
            }
        }
    }
    Ok(())
}

/// Seconds for an event.
fn turn(model: &mut Model, story: &[story::Event], of: usize, moving: usize) -> Result<f64, Error> {
    let mut observations = Vec::with_capacity(story.len() * moving);
    for n in 0..moving {
        // Spread over all of them.
        let number = n * of / moving;
        for event in story {
            let read = read(event.kind, &event.of(number));
            let read = read.ok_or(Error::Sample { kind: event.kind.resource() })?;
            observations.push((event.at + shift(n), read));
        }
    }
    observations.sort_by_key(|(at, _)| *at);
    let Some((last, _)) = observations.last() else { return Ok(0.0) };
    let (over, count) = (*last + SignedDuration::from_mins(3), observations.len());
    let before = process::on_cpu()?;
    for (at, observation) in observations {
        model.observe(observation, at);
    }
    let spent = process::on_cpu()?.saturating_sub(before);
    model.wait(over);
    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
    Ok(spent.as_secs_f64() / count as f64)
}

/// Other workloads of each app are changed so often: each time Keptn makes a KeptnAppVersion that
/// lists the first one too, as it is.
fn play_others(model: &mut Model, versions: usize) -> Result<(), Error> {
    let wrong = || Error::Sample { kind: Kind::AppVersion.resource() };
    let story = story::revision(1, true);
    let over = story.iter().rfind(|event| event.kind == Kind::AppVersion).ok_or_else(wrong)?;
    for n in 1..versions {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let at = model.now() + SignedDuration::from_millis(100);
        for number in 0..APPS {
            let mut object: Value = serde_json::from_str(&over.of(number)).map_err(|_| wrong())?;
            another(&mut object, n, at);
            let read = read(Kind::AppVersion, &object.to_string()).ok_or_else(wrong)?;
            model.observe(read, at);
        }
    }
    Ok(())
}

fn another(object: &mut Value, n: i64, at: Timestamp) {
    let time = json!(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    object["metadata"]["name"] = json!(format!("{name}-{n}"));
    object["metadata"]["creationTimestamp"] = time.clone();
    object["status"]["endTime"] = time;
    let other = json!({ "name": "other", "version": format!("{n}.0.0") });
    if let Some(workloads) = object["spec"]["workloads"].as_array_mut() {
        workloads.push(other);
    }
    // A trace of its own.
    let traces = object["status"]["phaseTraceIDs"].as_object_mut();
    for (span, trace) in traces.into_iter().flatten().map(|(_, it)| it).enumerate() {
        let trace_id = format!("{:0>12}{n:020}", span_of(trace));
        trace["traceparent"] = json!(format!("00-{trace_id}-00f067aa{span:08}-01"));
    }
}

/// Digits of the Rollout in a trace.
fn span_of(trace: &Value) -> String {
    let traceparent = trace["traceparent"].as_str().unwrap_or_default();
    traceparent.chars().skip(30).take(5).collect()
}
