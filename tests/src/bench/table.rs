//! Results against goals.

use std::time::Duration;

use super::distribution::{Distribution, ms};
use super::links::Links;
use super::revisions::Revisions;
use super::scale::Scale;
use super::{Report, Results, Sizes, machine, megabytes};

const P50: Duration = Duration::from_millis(10);
const P99: Duration = Duration::from_millis(40);
const LINK_WRITES: f64 = 2.0;
const IDLE: f64 = 0.25;
/// kube's watcher asks anew after so many seconds.
const WATCH: f64 = 290.0;

pub(super) fn of(results: &Results, sizes: &Sizes) -> Report {
    let mut report = Report::default();
    facts(&mut report, results);
    if let Some(it) = &results.links {
        links(&mut report, it, sizes);
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
        ("operator", machine::operator(&results.program)),
        ("cluster", machine::programs()),
    ];
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
    let mut notes = vec![
        "etcd (without fsync), API server (with an audit log), bench and operator share the cores: \
         times are those of a busy small machine."
            .to_owned(),
    ];
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
