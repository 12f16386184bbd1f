//! Results against goals.

use std::time::Duration;

use super::core::growth::{FEW, FEW_VERSIONS, Growth};
use super::core::ledgers::{Ledgers, ROLLOUTS};
use super::core::{Core, Counts};
use super::distribution::{Distribution, Samples, ms};
use super::links::Links;
use super::replicas::{LEASE, Replicas};
use super::revisions::Revisions;
use super::scale::Scale;
use super::{Report, Results, Sizes, machine, megabytes};

const FOLDED: f64 = 50_000.0;
/// Equal, but for the noise and the caches of a machine that others use too.
const EQUAL: f64 = 1.2;
const ENCODED: f64 = 100_000.0;
const REVISION: f64 = 160.0;
const ROLLOUT: f64 = 1024.0;
const ROLLOUTS_MEMORY: f64 = 40e6;
const LEDGER: f64 = 8192.0;
const WRITES: f64 = 4.0;
/// Bytes of a RolloutTrace with so many lines.
const OBJECT: usize = 40_000;
const FULL: usize = 200;
/// Seconds for the figures of ten thousand Rollouts.
const FIGURES: f64 = 1.0;
const P50: Duration = Duration::from_millis(10);
const P99: Duration = Duration::from_millis(40);
/// From the signal; after SIGKILL the Lease of 15 s and one second.
const HANDED_OVER: Duration = Duration::from_millis(500);
const LINK_WRITES: f64 = 2.0;
const IDLE: f64 = 0.25;
/// kube's watcher asks anew after so many seconds.
const WATCH: f64 = 290.0;

pub(super) fn of(results: &Results, sizes: &Sizes) -> Report {
    let mut report = Report::default();
    facts(&mut report, results);
    if let Some(it) = &results.core {
        core(&mut report, it, sizes);
    }
    if let Some(it) = &results.links {
        links(&mut report, it, sizes);
    }
    if let Some(it) = &results.replicas {
        replicas(&mut report, it, sizes);
    }
    if let Some(it) = &results.revisions {
        revisions(&mut report, it, sizes);
    }
    if let Some(it) = &results.scale {
        scale(&mut report, it, sizes);
    }
    notes(&mut report, results, sizes);
    report
}

fn facts(report: &mut Report, results: &Results) {
    let seconds = results.took.as_secs();
    report.facts = vec![
        ("date", format!("{}, took {seconds} s", results.began.strftime("%Y-%m-%d %H:%M UTC"))),
        ("machine", format!("{}; load {} at the start", machine::machine(), results.load)),
    ];
    if results.program.as_os_str().is_empty() {
        report.facts.push(("commit", machine::commit()));
    } else {
        report.facts.push(("operator", machine::operator(&results.program)));
        report.facts.push(("cluster", machine::programs()));
    }
}

fn core(report: &mut Report, it: &Core, sizes: &Sizes) {
    let per_second = |samples: &Samples| samples_of(samples, thousands);
    let met = it.folded.median() >= FOLDED;
    report.goal("events folded per second and core", per_second(&it.folded), ">= 50,000", met);
    report.row("  read from JSON and folded", per_second(&it.decoded));
    report.row("  read alone, as a DynamicObject of kube", per_second(&it.generic));
    growth(report, &it.growth, sizes);
    let met = it.encoded.median() >= ENCODED;
    let measure = "spans made and encoded per second and core";
    report.goal(measure, per_second(&it.encoded), ">= 100,000", met);
    let bytes = |samples: &Samples| samples_of(samples, |bytes| format!("{bytes:.0} B"));
    let met = it.revision.median() <= REVISION;
    report.goal("memory per closed revision", bytes(&it.revision), "<= 160 B", met);
    report.row("  more with its ReplicaSet", bytes(&it.replica_set));
    report.row("  more with Keptn's objects", bytes(&it.keptn));
    let measure = "memory per idle Rollout, its live revision included";
    report.goal(measure, bytes(&it.rollout), "<= 1,024 B", it.rollout.median() <= ROLLOUT);
    let more = it.revision.median() + it.replica_set.median();
    let all = 10_000.0 * 9.0f64.mul_add(more, it.rollout.median());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
    let words = megabytes(all.max(0.0) as u64);
    report.goal(
        "  10,000 with ten revisions and ReplicaSets",
        words,
        "<= 40 MB",
        all <= ROLLOUTS_MEMORY,
    );
    for (counts, keptn) in it.writes.iter().zip(["no Keptn", "Keptn"]) {
        writes(report, counts, keptn);
    }
    ledgers(report, &it.ledgers);
}

fn growth(report: &mut Report, it: &Growth, sizes: &Sizes) {
    let parts = [
        ("an event", FEW, sizes.many, "Rollouts", &it.rollouts),
        (
            "  with Keptn",
            FEW_VERSIONS,
            sizes.versions_of_app,
            "AppVersions in an app",
            &it.app_versions,
        ),
    ];
    let words = |samples: &Samples| samples_of(samples, |spent| format!("{:.1} us", spent * 1e6));
    for (what, few, many, of, [beside_few, beside_many]) in parts {
        report.row(format!("{what}, {few} {of}"), words(beside_few));
        let met = beside_many.median() <= EQUAL * beside_few.median();
        report.goal(format!("{what}, {many} {of}"), words(beside_many), "equal", met);
    }
}

fn ledgers(report: &mut Report, it: &Ledgers) {
    let met = it.figures.median() <= FIGURES;
    let measure = format!("DORA's figures of {ROLLOUTS} Rollouts with full ledgers, 3 windows");
    let seconds = |of: &Samples| samples_of(of, |seconds| format!("{seconds:.2} s"));
    report.goal(measure, seconds(&it.figures), "<= 1 s", met);
    let (bytes, series) = it.scraped;
    let [first, again] = &it.scrapes;
    report.row("  a scrape of them, the first of a day", seconds(first));
    report.row("  each one after it", seconds(again));
    let size = format!("{series}; {}", megabytes(bytes as u64));
    report.row("  its series; its size", size);
    let memory = samples_of(&it.memory, |bytes| format!("{bytes:.0} B"));
    report.goal("  memory of each ledger", memory, "<= 8,192 B", it.memory.median() <= LEDGER);
    for size in &it.sizes {
        let ((lines, of_lines), (days, of_days)) = (size.lines, size.days);
        let often = size.a_day;
        let measure =
            format!("RolloutTrace at {often} a day: {lines} lines, {days} days summed up");
        let object = format!("{} B", size.object);
        if lines == FULL {
            report.goal(measure, object, "< 40,000 B", size.object < OBJECT);
        } else {
            report.row(measure, object);
        }
        report.row("  of these lines; sums", format!("{of_lines} B; {of_days} B"));
    }
}

fn writes(report: &mut Report, it: &Counts, keptn: &str) {
    let count = |samples: &Samples| samples_of(samples, |count| format!("{count:.0}"));
    let met = it.attempts.most() <= WRITES;
    let measure = format!("journal writes per canary of six steps, {keptn}");
    report.goal(measure, count(&it.attempts), "<= 4", met);
    report.row("  RolloutTrace writes beside", count(&it.reports));
    if it.contexts.most() > 0.0 {
        report.row("  KeptnAppContext writes beside", count(&it.contexts));
    }
}

/// `median (least-most)`
fn samples_of(samples: &Samples, words: impl Fn(f64) -> String) -> String {
    let [median, least, most] = [samples.median(), samples.least(), samples.most()].map(words);
    if least == most { median } else { format!("{median} ({least}-{most})") }
}

fn thousands(count: f64) -> String {
    format!("{:.1}k", count / 1000.0)
}

fn links(report: &mut Report, it: &Links, sizes: &Sizes) {
    let [created, patched] = &it.waves;
    let all = created.latency.with(&patched.latency);
    let missing = created.missing + patched.missing;
    for (percent, goal) in [(50, P50), (99, P99)] {
        let value = all.percentile(percent);
        let measure = format!("trace visible -> link written, p{percent}");
        let words = format!("<= {} ms", goal.as_millis());
        report.goal(measure, ms(value), words, value <= goal);
    }
    report.row("  p90; max", format!("{}; {}", ms(all.percentile(90)), ms(all.most())));
    let parts = [
        ("  of these KeptnAppContexts created, p50; p99", &created.latency),
        ("  and patched, p50; p99", &patched.latency),
    ];
    for (name, latency) in parts {
        report.row(name, both(latency));
    }
    let parts = [
        ("  from the scheduled instant, p50; p99", created.scheduled.with(&patched.scheduled)),
        ("  API server's clock: until asked, p50; p99", created.asked.with(&patched.asked)),
        ("  API server's clock: its own write, p50; p99", created.served.with(&patched.served)),
    ];
    for (name, distribution) in &parts {
        report.row(*name, both(distribution));
    }
    let linked = format!("{} of {}", all.len(), 2 * sizes.links);
    report.goal("links written within 10 s", linked, "all", missing == 0);
    let played = 2 * (sizes.links + sizes.warm_up);
    report.row("CPU time per revision, played", ms(each(it.cpu, played)));
}

fn replicas(report: &mut Report, it: &Replicas, sizes: &Sizes) {
    let linked = format!("{} of {}", it.linked, sizes.admitted);
    let met = it.linked == sizes.admitted;
    report.goal("versions created with their link, by admission", linked, "all", met);
    report.row("  create of a version with admission, p50; p99", both(&it.asked));
    report.row("  and without, p50; p99", both(&it.unasked));
    let value = it.terminated.most();
    let measure = format!("SIGTERM until the next one leads, most of {}", it.terminated.len());
    report.goal(measure, ms(value), "<= 0.5 s", value <= HANDED_OVER);
    report.row("  median", ms(it.terminated.percentile(50)));
    let value = it.killed.most();
    let measure = format!("SIGKILL until the next one leads, most of {}", it.killed.len());
    let words = format!("{:.1} s", value.as_secs_f64());
    report.goal(measure, words, "<= 16 s", value <= LEASE + Duration::from_secs(1));
}

fn revisions(report: &mut Report, it: &Revisions, sizes: &Sizes) {
    let per_revision = |count: usize| ratio(count, it.count);
    let links = per_revision(it.tally.writes("keptnappcontexts"));
    report.goal(
        format!("KeptnAppContext writes per revision, of {}", it.count),
        format!("{links:.2}"),
        "<= 2",
        links <= LINK_WRITES,
    );
    report.row("  in all", it.tally.words("keptnappcontexts"));
    let traces = per_revision(it.tally.writes("rollouttraces"));
    report.row("RolloutTrace writes per revision", format!("{traces:.2}"));
    report.row("  in all", it.tally.words("rollouttraces"));
    report.row("conflicts", it.tally.conflicts.to_string());
    report.row("CPU time per revision, with Argo", ms(each(it.cpu, it.count)));

    let seconds = sizes.rest.as_secs();
    let idle = ratio(it.idle.total(), usize::try_from(seconds).unwrap_or(1));
    let steady = ratio(it.watches, 1) / WATCH;
    let rate = idle.max(steady);
    let beside = sizes.real + sizes.resting;
    report.goal(
        format!("requests while idle, {beside} Rollouts, {seconds} s"),
        format!("{} = {idle:.3}/s", it.idle.total()),
        "<= 0.25/s",
        rate <= IDLE,
    );
    report.row(
        format!("  in the long run: {} watches, each per 290 s", it.watches),
        format!("{steady:.3}/s"),
    );
    report.row(format!("CPU time while idle, {seconds} s"), ms(it.idle_cpu));
}

fn scale(report: &mut Report, it: &Scale, sizes: &Sizes) {
    let revisions = sizes.rollouts * usize::try_from(sizes.revisions).unwrap_or(1);
    let size = format!("{} Rollouts, {revisions} revisions", sizes.rollouts);
    report.row("resident memory, no Rollout (peak)", memory(it.empty));
    report.row(format!("resident memory, {size} (peak)"), memory(it.full));
    let more = it.full.resident.saturating_sub(it.empty.resident);
    let bytes = more / u64::try_from(revisions.max(1)).unwrap_or(1);
    report.row("  more per revision that is tracked", format!("{bytes} B"));
    report.row(
        format!("cold start to ready, {} times, median", it.cold.len()),
        ms(it.cold.percentile(50)),
    );
    report.row("  fastest; slowest", format!("{}; {}", ms(it.cold.least()), ms(it.cold.most())));
    report.row("  CPU time of the operator for it, median", ms(it.cold_cpu.percentile(50)));
    report.row("first sight until all is linked and stored", {
        format!("{:.1} s", it.first_sight.as_secs_f64())
    });
}

fn notes(report: &mut Report, results: &Results, sizes: &Sizes) {
    let mut notes = Vec::new();
    if let Some(core) = &results.core {
        notes.push(format!(
            "Core: median (least-most) of {} runs, rates by CPU time of the one thread. {} Rollouts \
             at a time, {} events each, {} B of JSON an event; {} spans a revision, {} B a span. \
             Folded: observed, effects asked for and answered. An event beside others: the median \
             is at most a fifth above. Memory: what VmRSS of a process \
             grows by with {} Rollouts of 10 revisions, read as after a restart. Writes: of {} \
             canaries that begin at different fractions of a second.",
            core.folded.len(),
            sizes.in_flight,
            core.events,
            core.event_bytes,
            core.spans,
            core.span_bytes,
            sizes.idle,
            core.writes[0].attempts.len(),
        ));
        if cfg!(debug_assertions) {
            notes.push("The bench was built without optimisation: no rate means anything.".into());
        }
    }
    if results.program.as_os_str().is_empty() {
        report.notes = notes;
        return;
    }
    notes.push(
        "etcd (without fsync), API server (with an audit log), bench and operator share the cores: \
         times are those of a busy small machine."
            .to_owned(),
    );
    if let Some(links) = &results.links {
        let [created, patched] = &links.waves;
        let beside = results.scale.as_ref().map_or(0, |_| sizes.rollouts);
        notes.push(format!(
            "Link latency: KeptnAppVersion with AppDeploy seen to KeptnAppContext with the link \
             seen, by a raw watch of both in the bench; {} revisions per s on a fixed schedule, \
             beside {beside} Rollouts at rest; the first {} of each wave do not count. The bench \
             asked at most {} later than scheduled.",
            sizes.per_second,
            sizes.warm_up,
            ms(created.late.max(patched.late)),
        ));
        notes.push(format!("The cores meanwhile: {}.", links.busy));
        notes.push(
            "API server's clock: from its audit log; until asked = answer to Keptn's write to \
             arrival of ours."
                .into(),
        );
    }
    if results.revisions.is_some() {
        notes.push(
            "Writes and idle requests: from the audit log, by user, with the controller of Argo \
             Rollouts and the stand-in for Keptn."
                .into(),
        );
    }
    if results.scale.is_some() {
        notes.push(
            "Memory: VmRSS and VmHWM, with the allocator of this build; with Rollouts after a \
             restart, once everything was read. Cold start: program started to /readyz."
                .into(),
        );
    }
    report.notes = notes;
}

fn memory(memory: super::process::Memory) -> String {
    format!("{} ({})", megabytes(memory.resident), megabytes(memory.peak))
}

fn both(distribution: &Distribution) -> String {
    let (p50, p99) = (distribution.percentile(50), distribution.percentile(99));
    format!("{}; {}", ms(p50), ms(p99))
}

fn each(time: Duration, count: usize) -> Duration {
    time / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}
