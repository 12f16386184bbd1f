//! What `throughline dora` prints, and what a RolloutTrace holds of a ledger.

#![expect(clippy::unwrap_used, reason = "what a test itself makes is as it should be")]

use std::sync::Arc;

use api::RolloutTrace;
use jiff::{SignedDuration, Timestamp};
use operator::dora::{Book, Output, WIDTH, Wanted, book, ledger, render};
use operator::report::status;
use proptest::prelude::*;
use serde_json::{Value, json};
use timeline::base::{Phase, Source};
use timeline::chain::{Attempt, Follow, LinkState, Linked, Relation, Trace};
use timeline::dora::{Bounds, Settings};
use timeline::ledger::{Ledger, Line};
use timeline::seen::Workload;
use timeline::stored::{Condition, Report};

/// The story of docs/dora.md's table, in the order of ends. The figures are worked out beside the
/// tests of the pure core.
const CART: [&str; 9] = [
    "1.1@a Promoted Initial 2026-11-16T00:00:00Z ended=+3600 exposed=yes",
    "2.1@b Promoted 2026-11-16T10:00:00Z ended=+3600 settled=+3600 exposed=yes commit=c2@-3600 replaces=1.1",
    "3.1@c Aborted 2026-11-16T20:00:00Z ended=+1800 settled=+1860 exposed=+600 \
     class=AnalysisFailed commit=c3@-3600 replaces=2.1",
    "3.2@c Promoted 2026-11-16T21:00:00Z ended=+3600 settled=+3660 exposed=yes commit=c3@-21600 replaces=2.1",
    "4.1@d Aborted 2026-11-17T06:00:00Z ended=+3600 class=ImagePullFailed replaces=3.2",
    "5.1@e Promoted 2026-11-17T16:00:00Z ended=+3600 settled=+3600 exposed=+1200 \
     commit=c5@-7200/Oci replaces=3.2",
    "6.1@c Promoted Rollback 2026-11-17T19:00:00Z ended=+600 settled=+1200 exposed=yes \
     replaces=5.1",
    "7.1@f Promoted Hotfix 2026-11-17T21:00:00Z ended=+3600 settled=+3600 exposed=yes commit=c7@+0 replaces=6.1",
    "8.1@g Superseded 2026-11-18T12:00:00Z ended=+3600 replaces=7.1",
];

fn now() -> Timestamp {
    "2026-11-18T20:00:00Z".parse().unwrap()
}

fn of(lines: &[&str], known_since: Option<&str>) -> Ledger {
    let known_since = known_since.map(|since| since.parse().unwrap());
    Ledger::restored("uid", known_since, lines.iter().map(|line| line.parse().unwrap()), [], None)
}

fn named(rollout: &str, ledger: Ledger) -> Book {
    let (namespace, name) = rollout.split_once('/').unwrap();
    Book { rollout: timeline::Key::new(namespace, name), ledger, settings: Settings::default() }
}

fn books() -> Vec<Book> {
    let pay = [
        "11.1@x Promoted 2026-11-18T08:00:00Z ended=+60 settled=+60 exposed=yes \
         commit=@Future",
        "12.1@y Aborted 2026-11-18T09:00:00Z ended=+60 exposed=unknown",
    ];
    vec![
        named("shop/pay", of(&pay, Some("2026-11-18T07:00:00Z"))),
        named("shop/cart", of(&CART, None)),
        named("shop/idle", of(&[], None)),
    ]
}

fn page(output: Output, audit: bool) -> String {
    render(&books(), Wanted { days: 7, audit }, output, now()).unwrap()
}

#[test]
fn a_table_says_n_beside_each_figure_and_what_is_unknown() {
    assert_eq!(page(Output::Table, false), include_str!("table.txt"));
}

#[test]
fn an_audit_shows_the_lines_behind_the_figures() {
    let page = page(Output::Table, true);
    assert_eq!(page, include_str!("audit.txt"));
    for line in page.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
}

#[test]
fn the_same_as_markdown() {
    assert_eq!(page(Output::Markdown, false), include_str!("page.md"));
}

#[test]
fn a_row_for_each_rollout_and_one_for_all_as_csv() {
    assert_eq!(page(Output::Csv, false), include_str!("page.csv"));
    let lines = page(Output::Csv, true);
    assert_eq!(lines.lines().count(), 1 + 9 + 2);
    assert!(lines.contains("shop,cart,2026-11-17T07:00:00Z,\"failed, blocked\",,"), "{lines}");
}

#[test]
fn json_has_all_figures_and_null_where_there_is_none() {
    let page: Value = serde_json::from_str(&page(Output::Json, true)).unwrap();
    let all = &page["figures"];
    // Of both: revisions 2, 3, 5, 7 of cart and 11 of pay.
    assert_eq!(all["deploymentFrequency"]["n"], json!(5));
    assert_eq!(
        all["changeFailRateExposed"],
        json!({
            "rate": 2.0 / 6.0, "part": 2, "n": 6, "level": "Low",
        })
    );
    assert_eq!(all["changeFailRateAll"]["part"], json!(4));
    assert_eq!(all["changeLeadTime"]["refused"], json!(1));
    assert_eq!(all["atLeast"], json!(true));
    let idle = &page["rollouts"][1];
    assert_eq!(idle["rollout"], json!("idle"));
    assert_eq!(idle["figures"]["changeLeadTime"]["medianSeconds"], Value::Null);
    assert_eq!(idle["figures"]["deploymentFrequency"]["perDay"], Value::Null);
    assert_eq!(page["rollouts"][0]["lines"].as_array().unwrap().len(), 9);
}

#[test]
fn a_figure_of_all_is_no_mean_of_figures() {
    // Nine of ten fail at one, none of one at the other: 9 of 11 and not 45 %.
    let failing: Vec<String> = (2..12)
        .map(|n| {
            let outcome = if n == 11 { "Promoted" } else { "Aborted" };
            format!("{n}.1@h{n} {outcome} Change 2026-11-18T{n:02}:00:00Z ended=+60 exposed=yes")
        })
        .collect();
    let failing: Vec<&str> = failing.iter().map(String::as_str).collect();
    let fine = ["2.1@z Promoted 2026-11-18T08:00:00Z ended=+60 exposed=yes"];
    let books = [named("a/failing", of(&failing, None)), named("a/fine", of(&fine, None))];
    let page = render(&books, Wanted { days: 7, audit: false }, Output::Json, now()).unwrap();
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["figures"]["changeFailRateExposed"]["part"], json!(9));
    assert_eq!(page["figures"]["changeFailRateExposed"]["n"], json!(11));
}

fn condition() -> Condition {
    Condition {
        status: Some(true),
        reason: "Linked".to_owned(),
        message: "the next revision of shop will be linked to 2.0.0 and to 3.0.0".to_owned(),
        since: now(),
    }
}

fn report(attempts: Vec<Attempt>, ledger: Ledger) -> Report {
    Report {
        rollout_uid: "uid".into(),
        observed_generation: Some(3),
        attempts: attempts.into_iter().map(Arc::new).collect(),
        ledger: Some(Arc::new(ledger)),
        dora: Settings::default(),
        at: now(),
        observed: condition(),
        linked: condition(),
        exported: condition(),
    }
}

/// As the API server gives it back.
fn trace(report: &Report) -> RolloutTrace {
    let object = json!({
        "apiVersion": "throughline.dev/v1alpha1", "kind": "RolloutTrace",
        "metadata": { "name": "cart", "namespace": "shop" },
        "spec": {},
        "status": status(report),
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn what_a_rollout_trace_holds_is_the_ledger_again_and_the_figures_as_of_then() {
    let stored = trace(&report(Vec::new(), of(&CART, None)));
    assert_eq!(book(&stored).unwrap().ledger, of(&CART, None));
    let dora = stored.status.unwrap().dora.unwrap();
    assert_eq!(dora.as_of, now());
    // By hand: 4 deployments in 7 days; 1, 2, 3 and 7 h from the commit; 3.1 and 5.1 of 5 were
    // noticed, 4.1 was blocked; 21 and 180 min until traffic was back.
    assert_eq!(
        dora.figures[0],
        "7d: 4 deployments (0.57 a day, High); lead time 2h30m (90% 5h48m, N 4, Elite); change fail \
         rate 40% (2 of 5, Low) exposed, 50% (3 of 6) all; recovery 1h40m (90% 2h44m, N 2, High), \
         next good revision 3h45m (90% 5h17m, N 2); rework 50% (3 of 6)"
    );
    let none = trace(&report(Vec::new(), of(&[], None))).status.unwrap().dora.unwrap();
    assert_eq!(
        none.figures[2],
        "90d: 0 deployments; lead time - (N 0); change fail rate - (0 of 0) exposed, - (0 of 0) all; \
         recovery - (N 0), next good revision - (N 0); rework - (0 of 0)"
    );
}

#[test]
fn a_status_without_a_ledger_was_written_by_an_earlier_version() {
    let mut earlier = trace(&report(Vec::new(), of(&CART, None))).status.unwrap();
    earlier.dora = None;
    assert_eq!(ledger(&earlier), None);
}

#[test]
fn a_line_that_somebody_broke_is_left_out_and_said_to_be_unknown() {
    let mut status = trace(&report(Vec::new(), of(&CART, None))).status.unwrap();
    status.ledger[2] = "5.1@e Promoted, I think".to_owned();
    let read = ledger(&status).unwrap();
    assert_eq!(read.lines().len(), CART.len() - 1);
    assert_eq!(read.known_since(), Some(now()));
}

/// One that was stopped, whose predecessor was so, too.
fn attempt(n: i64, version: &str) -> Attempt {
    let traceparent = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01".parse().unwrap();
    let follow = |relation| Follow {
        hash: "6d5694bbbf".into(),
        revision: n - 1,
        number: 1,
        version: Some(version.into()),
        relation,
        trace: Some(traceparent),
    };
    Attempt {
        revision: n,
        hash: "57b9bb6bd9".into(),
        number: 1,
        replica_set: Some("checkout-57b9bb6bd9".into()),
        workload: Some(Workload {
            app: "shop".into(),
            name: "shop-checkout".into(),
            version: version.into(),
            hashed: false,
        }),
        follows: vec![follow(Relation::Successor), follow(Relation::After)].into(),
        phase: Phase::Aborted,
        started: now(),
        started_source: Source::Status,
        ended: Some(now()),
        reason: Some("ImagePullFailed: checkout: example/checkout:2: not found".into()),
        trace: Some(Trace {
            traceparent,
            app_version: Some(format!("shop-{version}-6b86b273").into()),
            workload_version: Some(format!("shop-checkout-{version}").into()),
        }),
        linked: Linked {
            state: LinkState::Applied,
            reason: format!("on the root span of shop-{version}-6b86b273").into(),
        },
    }
}

/// Attempts at so many minutes from each other for 95 days, one of seven stopped while exposed.
fn delivered(every: i64, version: impl Fn(i64) -> String) -> Ledger {
    let mut ledger = Ledger::new("uid", None);
    let count = 95 * 24 * 60 / every;
    for n in 0..count {
        let started = now() - SignedDuration::from_mins((count - n) * every);
        let hash = format!("6d569{:05x}", n * 7919 % 1_048_576);
        let (outcome, class) =
            if n % 7 == 0 { ("Aborted", "class=AnalysisFailed ") } else { ("Promoted", "") };
        let line = format!(
            "{n}.1@{hash} {outcome} {started} ended=+{} settled=+{} exposed=+{} {class}\
             version={} commit=6ec3dd4b{:04x}@-{} replaces={}.1",
            600 + n % 97,
            620 + n % 89,
            60 + n % 7,
            version(n),
            n % 65_536,
            7_200 + n * 31 % 9_000,
            n - 1,
        );
        ledger.take(line.parse::<Line>().unwrap());
        if n % 20 == 0 || n + 1 == count {
            ledger.compact(&Bounds::default(), &Settings::default(), now());
        }
    }
    ledger
}

/// Bytes of a RolloutTrace, once it was read back as the same.
fn stored(report: &Report) -> usize {
    let stored = trace(report);
    assert_eq!(book(&stored).unwrap().ledger, *report.ledger.clone().unwrap());
    serde_json::to_string(&stored).unwrap().len()
}

#[test]
fn a_rollout_trace_of_200_lines_stays_under_40_kilobytes() {
    // Three a day. Of the ten attempts of the chain one was stopped, as is usual.
    let promoted = |n| Attempt {
        follows: attempt(n, "2.14.1").follows.into_iter().take(1).collect(),
        phase: Phase::Promoted,
        reason: None,
        ..attempt(n, "2.14.1")
    };
    let chain = (1..=9).map(promoted).chain([attempt(10, "2.14.1")]).collect();
    let report = report(chain, delivered(8 * 60, |n| format!("2.{n}.1")));
    assert_eq!(report.ledger.as_ref().unwrap().lines().len(), 200);
    let size = stored(&report);
    assert!(size < 40_000, "{size} bytes");
}

#[test]
fn a_rollout_trace_of_long_names_stays_under_48_kilobytes() {
    // One an hour with a long version, and each attempt of the chain was stopped.
    let chain: Vec<_> =
        (1..=10).map(|n| attempt(n, "2026.11.21-1-feature-of-a-long-name")).collect();
    for every in [60, 6 * 60] {
        let ledger = delivered(every, |n| format!("2026.11.21-{n}-feature-of-a-long-name"));
        let report = report(chain.clone(), ledger);
        let size = stored(&report);
        let lines = report.ledger.as_ref().unwrap().lines().len();
        assert!(size < 48_000, "{size} bytes with {lines} lines");
        assert!(lines >= 100, "{lines} lines");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_of_a_table_is_too_wide_whatever_stands_in_a_ledger(
        namespace in "[a-z-]{1,63}",
        name in "[a-z-]{1,253}",
        version in "[^ \\t\\n]{1,60}",
        seconds in 0u32..400_000_000,
        days in 1u16..=90,
    ) {
        let line = format!("2.1@{name} Promoted 2026-11-18T08:00:00Z ended=+{} exposed=yes \
                            version={version} commit=@-{seconds}/OpenTelemetry", seconds % 3600);
        let lines: Vec<Line> = line.parse().into_iter().collect();
        let ledger = Ledger::restored("uid", Some(now()), lines, [], None);
        let books = [named(&format!("{namespace}/{name}"), ledger)];
        let page = render(&books, Wanted { days, audit: true }, Output::Table, now()).unwrap();
        for line in page.lines() {
            prop_assert!(line.chars().count() <= WIDTH, "{}", line);
            prop_assert_eq!(line.trim_end(), line);
        }
    }
}
