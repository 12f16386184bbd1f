//! The pure core alone, on one core and without a cluster: events, spans, memory, writes.
//!
//! Time is CPU time of the measuring thread, so that a busy neighbour costs cache and clock rate
//! but not the turns that it takes.

pub(super) mod growth;
pub(super) mod ledgers;
pub(super) mod memory;
mod model;
mod story;

use std::hint::black_box;
use std::time::Duration;

use jiff::SignedDuration;
use kube::api::DynamicObject;
use timeline::journal::Journal;
use timeline::spans;

use super::distribution::Samples;
use super::{Error, Sizes, process, say};
use model::{Model, Writes, observed, read};

/// Each figure is measured so often.
const REPEATS: usize = 5;
/// Spans are made for so long, each time.
const LONG_ENOUGH: Duration = Duration::from_millis(500);
/// Rollouts whose writes are counted: each begins at another fraction of a second.
const COUNTED: usize = 100;

/// What was measured.
#[derive(Debug)]
pub(super) struct Core {
    /// Events of one revision.
    pub(super) events: usize,
    /// Bytes of an event as the API server sends it, on average.
    pub(super) event_bytes: usize,
    /// Events folded in a second of CPU time.
    pub(super) folded: Samples,
    /// The same, and read from JSON before.
    pub(super) decoded: Samples,
    /// For comparison: the same read as a client reads them that knows nothing of their kinds, and
    /// thrown away.
    pub(super) generic: Samples,
    /// What an event costs beside few and many others.
    pub(super) growth: growth::Growth,
    /// Spans of one revision.
    pub(super) spans: usize,
    /// Bytes of a span as it is sent, with its share of the resource.
    pub(super) span_bytes: usize,
    /// Spans made and encoded in a second of CPU time.
    pub(super) encoded: Samples,
    /// Bytes of an idle Rollout with nothing but its live revision.
    pub(super) rollout: Samples,
    /// Bytes more for each closed revision in its chain.
    pub(super) revision: Samples,
    /// Bytes more for each ReplicaSet that Argo keeps.
    pub(super) replica_set: Samples,
    /// Bytes more for what Keptn keeps of each revision.
    pub(super) keptn: Samples,
    /// What DORA's figures cost.
    pub(super) ledgers: ledgers::Ledgers,
    /// Writes for a canary of six steps, without Keptn and with it.
    pub(super) writes: [Counts; 2],
}

/// Writes for one revision.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) attempts: Samples,
    pub(super) reports: Samples,
    pub(super) contexts: Samples,
}

/// Measures all of it, in about two minutes.
pub(super) fn measure(sizes: &Sizes) -> Result<Core, Error> {
    say(&format!("core: {} canaries of six steps at a time", sizes.in_flight));
    let texts = texts(sizes.in_flight, false);
    let bytes: usize = texts.iter().map(|(_, _, text)| text.len()).sum();
    let mut folded = Samples::default();
    let mut decoded = Samples::default();
    let mut generic = Samples::default();
    // The first time warms up.
    for repeat in 0..=REPEATS {
        let rates =
            (fold(sizes.in_flight, &texts)?, decode(sizes.in_flight, &texts)?, read_alone(&texts)?);
        if repeat > 0 {
            folded.add(rates.0);
            decoded.add(rates.1);
            generic.add(rates.2);
        }
    }
    let event_bytes = bytes / texts.len().max(1);
    let events = texts.len() / sizes.in_flight.max(1);
    drop(texts);
    say(&format!("core: events beside {} Rollouts", sizes.many));
    let growth = growth::measure(sizes)?;
    say("core: spans");
    let (spans, span_bytes, encoded) = encode()?;
    say(&format!("core: figures of {} Rollouts", ledgers::ROLLOUTS));
    let ledgers = ledgers::measure()?;
    say(&format!("core: memory of {} idle Rollouts", sizes.idle));
    let [rollout, revision, replica_set, keptn] = weights(sizes.idle)?;
    Ok(Core {
        events,
        event_bytes,
        folded,
        decoded,
        generic,
        growth,
        spans,
        span_bytes,
        encoded,
        rollout,
        revision,
        replica_set,
        keptn,
        ledgers,
        writes: [writes(false)?, writes(true)?],
    })
}

type Text = (jiff::Timestamp, timeline::Kind, String);

/// How much later Rollout `number` begins.
fn shift(number: usize) -> SignedDuration {
    SignedDuration::from_micros(i64::try_from(number).unwrap_or(0) * 1_999 % 1_000_000)
}

/// The second revisions of so many Rollouts, all on their way together.
fn texts(rollouts: usize, keptn: bool) -> Vec<Text> {
    let story = story::revision(2, keptn);
    let mut texts: Vec<_> = (0..rollouts)
        .flat_map(|n| story.iter().map(move |event| (event.at + shift(n), event.kind, event.of(n))))
        .collect();
    texts.sort_by_key(|(at, ..)| *at);
    texts
}

/// An operator that follows so many Rollouts, each at its first revision.
fn at_rest(rollouts: usize, keptn: bool) -> Result<Model, Error> {
    let story = story::revision(1, keptn);
    let first = story.first().ok_or(Error::Sample { kind: "rollouts" })?;
    let mut model = Model::new(keptn, first.at);
    let mut last = first.at;
    for event in &story {
        for number in 0..rollouts {
            let observation = read(event.kind, &event.of(number));
            let observation = observation.ok_or(Error::Sample { kind: event.kind.resource() })?;
            model.observe(observation, event.at);
        }
        last = event.at;
    }
    model.wait(last + SignedDuration::from_mins(3));
    Ok(model)
}

/// Events a second, as they are once they are read.
fn fold(rollouts: usize, texts: &[Text]) -> Result<f64, Error> {
    let mut model = at_rest(rollouts, false)?;
    let mut observations = Vec::with_capacity(texts.len());
    for (at, kind, text) in texts {
        let read = read(*kind, text).ok_or(Error::Sample { kind: kind.resource() })?;
        observations.push((*at, read));
    }
    rate(observations.len(), || {
        for (at, observation) in observations {
            model.observe(observation, at);
        }
    })
}

/// Events a second, from the text that the API server sends.
fn decode(rollouts: usize, texts: &[Text]) -> Result<f64, Error> {
    let mut model = at_rest(rollouts, false)?;
    rate(texts.len(), || {
        for (at, kind, text) in texts {
            if let Some(observation) = read(*kind, text) {
                model.observe(observation, *at);
            }
        }
    })
}

/// Objects a second that are read as kube's `DynamicObject`: a tree of values.
fn read_alone(texts: &[Text]) -> Result<f64, Error> {
    rate(texts.len(), || {
        for (_, _, text) in texts {
            black_box(serde_json::from_str::<DynamicObject>(text).ok());
        }
    })
}

/// Spans of one revision, bytes of each, and how many are made and encoded in a second.
fn encode() -> Result<(usize, usize, Samples), Error> {
    let journals = journals(COUNTED)?;
    let once = || {
        let batches = journals.iter().filter_map(|journal| spans::of(journal, 0, journal.closed));
        batches.fold((0, 0), |(spans, bytes), batch| {
            (spans + batch.spans.len(), bytes + operator::export::encoded(&batch).len())
        })
    };
    let (each, bytes) = once();
    let mut samples = Samples::default();
    for repeat in 0..=REPEATS {
        let before = process::on_cpu()?;
        let mut made = 0;
        let spent = loop {
            made += once().0;
            let spent = process::on_cpu()?.saturating_sub(before);
            if spent >= LONG_ENOUGH {
                break spent;
            }
        };
        if repeat > 0 {
            samples.add(per_second(made, spent));
        }
    }
    Ok((each / journals.len().max(1), bytes / each.max(1), samples))
}

/// The journals of as many canaries that are over.
fn journals(count: usize) -> Result<Vec<Journal>, Error> {
    let mut model = at_rest(count, true)?.keeping();
    for (at, kind, text) in texts(count, true) {
        let read = read(kind, &text).ok_or(Error::Sample { kind: kind.resource() })?;
        model.observe(read, at);
        model.wait(at);
    }
    let over = model.now() + SignedDuration::from_mins(5);
    model.wait(over);
    let journals = model.journals.unwrap_or_default().into_values();
    Ok(journals.filter(|journal| journal.root_closed.is_some()).collect())
}

/// Bytes of a Rollout, and of what comes to it.
fn weights(rollouts: usize) -> Result<[Samples; 4], Error> {
    use memory::{REVISIONS, Shape, measure};
    let mut samples: [Samples; 4] = Default::default();
    for _ in 0..REPEATS {
        let of = |shape| Ok::<_, Error>(ratio(measure(shape, rollouts)?, rollouts));
        let live = of(Shape::Live)?;
        let chain = of(Shape::Chain)?;
        let sets = of(Shape::ReplicaSets)?;
        let keptn = of(Shape::Keptn)?;
        let more = f64::from(REVISIONS - 1);
        samples[0].add(live);
        samples[1].add((chain - live) / more);
        samples[2].add((sets - chain) / more);
        samples[3].add((keptn - sets) / (more + 1.0));
    }
    Ok(samples)
}

/// Writes for the second revision, of Rollouts that begin at other fractions of a second.
fn writes(keptn: bool) -> Result<Counts, Error> {
    let story = story::revision(2, keptn);
    let mut counts = Counts::default();
    for number in 0..COUNTED {
        let mut model = at_rest(1, keptn)?;
        let before = model.writes;
        let shift = SignedDuration::from_millis(i64::try_from(number).unwrap_or(0) * 10);
        let mut last = None;
        for (at, observation) in observed(&story, 0) {
            model.observe(observation, at + shift);
            last = Some(at + shift);
        }
        if let Some(last) = last {
            model.wait(last + SignedDuration::from_mins(5));
        }
        let Writes { attempts, reports, contexts } = model.writes;
        counts.attempts.add(f64::from(attempts - before.attempts));
        counts.reports.add(f64::from(reports - before.reports));
        counts.contexts.add(f64::from(contexts - before.contexts));
    }
    Ok(counts)
}

fn rate(count: usize, work: impl FnOnce()) -> Result<f64, Error> {
    let before = process::on_cpu()?;
    work();
    Ok(per_second(count, process::on_cpu()?.saturating_sub(before)))
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
fn per_second(count: usize, spent: Duration) -> f64 {
    count as f64 / spent.as_secs_f64().max(1e-9)
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many bytes")]
fn ratio(bytes: u64, of: usize) -> f64 {
    bytes as f64 / of.max(1) as f64
}
