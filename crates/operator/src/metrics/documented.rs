//! `docs/metrics.md` and the registry say the same.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use timeline::base::{AttemptId, Moment};
use timeline::failure::{Failure, FailureClass};
use timeline::journal::{Journal, Pause, Step, StepResult};
use timeline::keptn::app_context::{ContextWritten, WriteProblem};
use timeline::outbox::AttemptWritten;
use timeline::seen::PauseKind;

use super::*;
use crate::export::metrics::{Requests, Resource};
use timeline::base::Phase;

const PAGE: &str = include_str!("../../../../docs/metrics.md");
const DORA: &str = include_str!("../../../../docs/dora.md");

#[derive(Debug, Default, PartialEq, Eq)]
struct Described {
    kind: String,
    unit: String,
    labels: BTreeSet<String>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn journal() -> Journal {
    let identity = AttemptId {
        rollout: Key::new("shop", "cart"),
        rollout_uid: "uid".into(),
        hash: "abc".into(),
        revision: 2,
        number: 1,
    };
    let (start, end) = (Moment::observed(at(0)), Moment::observed(at(90)));
    let mut journal = Journal::begin(identity, start);
    journal.phase = Phase::Aborted;
    journal.ended = Some(end);
    journal.steps = vec![Step {
        index: 0,
        kind: "pause".to_owned(),
        setting: String::new(),
        started: start,
        ended: Some(end),
        result: StepResult::Completed,
        closed: Some(1),
    }];
    journal.pauses = vec![Pause {
        kind: PauseKind::Manual,
        step: Some(0),
        planned: None,
        started: start,
        ended: Some(end),
        resumed_by: None,
        closed: Some(2),
        below: None,
    }];
    journal.failure = Some(Failure {
        class: FailureClass::AnalysisFailed,
        cause: None,
        reason: String::new(),
        message: String::new(),
        pod: None,
        container: None,
        image: None,
        at: end,
    });
    journal
}

/// Each series of the registry, once something of everything has happened.
fn text() -> String {
    let metrics = Metrics::new(|| at(0), &crate::dora::WINDOWS);
    let gone = Observation::Gone(Kind::Rollout, Key::new("shop", "old"));
    metrics.observed(&gone, at(0));
    metrics.owned(&Key::new("shop", "cart"), "checkout");
    metrics.announced(&Announcement {
        journal: journal(),
        milestone: timeline::outbox::Milestone::Ended,
        lead: None,
        recoveries: Vec::new(),
    });
    metrics.linked(&ContextWritten::Failed(WriteProblem::Forbidden("patch")));
    metrics.recorded(&ReportWritten::Stored);
    metrics.stored(&AttemptWritten::Missing);
    metrics.sent(&Sent::Acknowledged, 3);
    metrics.failed("list", Kind::Rollout.resource(), "forbidden");
    metrics.failed("send", "metrics", "timeout");
    metrics.text_at(at(100)).unwrap()
}

fn encoded() -> BTreeMap<String, Described> {
    let mut all: BTreeMap<String, Described> = BTreeMap::new();
    let mut name = String::new();
    for line in text().lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", named, help] => {
                let capital = help.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
                assert!(capital && help.ends_with('.'), "{line}");
                named.clone_into(&mut name);
            }
            ["#", "TYPE", named, kind] => {
                named.clone_into(&mut name);
                kind.clone_into(&mut all.entry(name.clone()).or_default().kind);
            }
            ["#", "UNIT", named, unit] => {
                unit.clone_into(&mut all.entry(named.to_owned()).or_default().unit);
            }
            ["#", ..] => {}
            _ => {
                let labels = line.split(" # ").next().unwrap();
                let Some((_, labels)) = labels.split_once('{') else { continue };
                let (labels, _) = labels.rsplit_once('}').unwrap();
                let keys = labels.split("\",").map(|pair| pair.split_once('=').unwrap().0);
                let keys = keys.filter(|key| *key != "le").map(str::to_owned);
                all.entry(name.clone()).or_default().labels.extend(keys);
            }
        }
    }
    // What a counter is called where it is asked for.
    let full = |(name, described): (String, Described)| {
        let name = if described.kind == "counter" { name + "_total" } else { name };
        (name, described)
    };
    all.into_iter().map(full).collect()
}

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `throughline_"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
}

fn documented() -> BTreeMap<String, Described> {
    let mut all = BTreeMap::new();
    for row in rows() {
        let [name, kind, unit, labels, series, meaning] = row[..] else {
            panic!("{row:?} has not six cells");
        };
        assert!(!series.is_empty() && !meaning.is_empty(), "{name} is not explained");
        let labels = labels.split(", ").filter(|label| *label != "none");
        let described = Described {
            kind: kind.to_owned(),
            unit: if unit == "seconds" { unit.to_owned() } else { String::new() },
            labels: labels.map(|label| label.trim_matches('`').to_owned()).collect(),
        };
        let twice = all.insert(name.trim_matches('`').to_owned(), described);
        assert_eq!(twice, None, "{name} is documented twice");
    }
    all
}

#[test]
fn every_metric_is_documented_as_it_is_and_no_other_is() {
    let documented = documented();
    let encoded: BTreeMap<_, _> = encoded()
        .into_iter()
        .filter(|(name, _)| !DORA.contains(&format!("| `{name}` |")))
        .collect();
    let names = |all: &BTreeMap<String, Described>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&documented), names(&encoded));
    for (name, described) in documented {
        assert_eq!(Some(&described), encoded.get(&name), "{name}");
    }
}

/// What Prometheus calls a metric that it gets by OTLP, by its translation UnderscoreEscapingWithSuffixes:
/// what no name may have becomes `_`, then come the unit, unless the name has it, and `_total`.
fn translated(metric: &Metric) -> String {
    let mut words: Vec<_> =
        metric.name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let unit = match metric.unit.as_str() {
        "s" => Some("seconds"),
        "" => None,
        other => panic!("{other} is no unit that is known here"),
    };
    words.extend(unit.filter(|unit| !words.contains(unit)));
    if matches!(metric.data, Some(Data::Sum(_))) {
        words.retain(|word| *word != "total");
        words.push("total");
    }
    words.join("_")
}

#[test]
fn every_metric_has_the_same_name_in_a_prometheus_that_gets_it_by_otlp() {
    let resource = Resource { attributes: Vec::new(), started: at(0) };
    let mut pushed: BTreeMap<String, String> = BTreeMap::new();
    for request in Requests::new(text(), resource, at(100)) {
        let request = ExportMetricsServiceRequest::decode(&*request.unwrap().message).unwrap();
        for metric in &request.resource_metrics[0].scope_metrics[0].metrics {
            assert!(metric.name.starts_with("throughline."), "{}", metric.name);
            let kind = match metric.data.as_ref().unwrap() {
                Data::Sum(_) => "counter",
                Data::Gauge(_) => "gauge",
                Data::Histogram(_) => "histogram",
                other => panic!("{} is {other:?}", metric.name),
            };
            pushed.insert(translated(metric), kind.to_owned());
        }
    }
    let served: BTreeMap<_, _> =
        encoded().into_iter().map(|(name, described)| (name, described.kind)).collect();
    for (name, kind) in &served {
        // What has no series yet is not pushed.
        let has_series = text().lines().any(|line| line.starts_with(name));
        assert_eq!(pushed.get(name), has_series.then_some(kind), "{name}");
    }
    assert_eq!(pushed.keys().filter(|name| !served.contains_key(*name)).count(), 0);
    assert!(documented().keys().all(|name| pushed.contains_key(name)), "{pushed:?}");
}

#[test]
fn no_label_can_hold_what_has_no_bound() {
    for (name, described) in encoded() {
        for label in described.labels {
            let unbounded = ["revision", "hash", "version", "commit", "message", "reason", "uid"];
            assert!(!unbounded.contains(&label.as_str()), "{name} has a label {label}");
        }
    }
}

#[test]
fn every_value_of_a_label_is_documented() {
    let listed = |label: &str| {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{label}` |"))).unwrap();
        row.to_owned()
    };
    for kind in Kind::ALL {
        assert!(listed("resource").contains(kind.resource()), "{}", kind.resource());
    }
    let text = text();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let labels = line.split(" # ").next().unwrap();
        let Some((_, labels)) = labels.split_once('{') else { continue };
        for pair in labels.rsplit_once('}').unwrap().0.split("\",") {
            let (label, value) = pair.split_once('=').unwrap();
            let value = value.trim_matches('"');
            if !["le", "namespace", "rollout", "team"].contains(&label) && !value.is_empty() {
                assert!(listed(label).contains(&format!("`{value}`")), "{label}={value}");
            }
        }
    }
}

#[test]
fn lags_grow_until_what_is_behind_has_come_through() {
    let metrics = Metrics::new(|| at(0), &crate::dora::WINDOWS);
    let lag = |now| {
        let text = metrics.text_at(at(now)).unwrap();
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
        };
        (of("throughline_journal_lag_seconds "), of("throughline_export_lag_seconds "))
    };
    assert_eq!(lag(0), (0.0, 0.0));
    metrics.behind(Behind { journal: Some(at(10)), export: Some(at(-20)) });
    assert_eq!(lag(40), (30.0, 60.0));
    // A clock that was set back.
    assert_eq!(lag(0), (0.0, 20.0));
    metrics.behind(Behind::default());
    assert_eq!(lag(90), (0.0, 0.0));
}

#[test]
fn a_link_counts_once_and_not_again_after_a_restart() {
    use timeline::base::Source;
    use timeline::chain::{Attempt, LinkState, Linked};
    let attempt = |second, state| {
        Arc::new(Attempt {
            revision: second,
            hash: "abc".into(),
            number: 1,
            replica_set: None,
            workload: None,
            follows: Box::default(),
            phase: Phase::Progressing,
            started: at(second),
            started_source: Source::Observed,
            ended: None,
            reason: None,
            trace: None,
            linked: Linked { state, reason: "".into() },
        })
    };
    let cart = Key::new("shop", "cart");
    let metrics = Metrics::new(|| at(0), &crate::dora::WINDOWS);
    let count = |result: &str| {
        let text = metrics.text_at(at(0)).unwrap();
        let name = format!("throughline_links_total{{result=\"{result}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().to_owned()
    };
    let (requested, applied, lost) = (LinkState::Requested, LinkState::Applied, LinkState::Lost);
    metrics.health.links_found(&cart, &[attempt(1, applied)]);
    metrics.health.links_stored(&cart, &[attempt(2, requested), attempt(1, applied)], true);
    assert_eq!((count("applied"), count("lost")), ("0".into(), "0".into()));
    for _ in 0..2 {
        metrics.health.links_stored(&cart, &[attempt(2, lost), attempt(1, applied)], true);
        assert_eq!((count("applied"), count("lost")), ("0".into(), "1".into()));
    }
    metrics.health.links_stored(&cart, &[attempt(3, applied), attempt(2, lost)], true);
    assert_eq!((count("applied"), count("lost")), ("1".into(), "1".into()));
    // One that nobody wanted, and then somebody wants links again.
    for wanted in [false, true] {
        metrics.health.links_stored(&cart, &[attempt(4, lost), attempt(3, applied)], wanted);
        assert_eq!((count("applied"), count("lost")), ("1".into(), "1".into()));
    }
}

#[test]
fn a_rollout_that_is_gone_has_no_series_left() {
    let metrics = Metrics::new(|| at(0), &crate::dora::WINDOWS);
    let (cart, pay) = (Key::new("shop", "cart"), Key::new("shop", "pay"));
    metrics.ended.follow(&cart);
    metrics.ended.follow(&pay);
    metrics.owned(&cart, "checkout");
    metrics.owned(&pay, "");
    let counted = |rollout: &str| {
        let text = metrics.text_at(at(0)).unwrap();
        let name = format!("attempt_failures_total{{namespace=\"shop\",rollout=\"{rollout}\"}} 0");
        let owned = format!("rollout_info{{namespace=\"shop\",rollout=\"{rollout}\",team=");
        assert_eq!(text.contains(&name), text.contains(&owned), "{text}");
        text.contains(&name)
    };
    assert!(counted("cart") && counted("pay"));
    metrics.observed(&Observation::Gone(Kind::Rollout, cart), at(0));
    assert!(!counted("cart") && counted("pay"));
    metrics.observed(&Observation::Listed(Kind::Rollout, BTreeSet::new()), at(0));
    assert!(!counted("pay"));
}
