use timeline::ledger::Line;

use super::*;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn scraped(books: &[(&str, &[&str])]) -> String {
    scraped_with(&WINDOWS, books)
}

fn scraped_with(windows: &[u16], books: &[(&str, &[&str])]) -> String {
    let gauges = Gauges::new(now, windows);
    for (name, lines) in books {
        let lines = lines.iter().map(|line| line.parse::<Line>().unwrap());
        let ledger = Ledger::restored("uid", None, lines, [], None);
        gauges.set(Key::new("shop", *name), &ledger, Settings::default());
    }
    let text = gauges.text().unwrap();
    // The second scrape takes what was kept, and says the same.
    assert_eq!(text, gauges.text().unwrap());
    text
}

#[test]
fn gauges_say_what_is_counted_by_hand() {
    let text = scraped(&[(
        "cart",
        &[
            // Live an hour after its commit, ten days ago.
            "2.1@b Promoted 2026-11-11T10:00:00Z ended=+600 settled=+600 exposed=yes \
             commit=@-3000",
            // Stopped yesterday after users could be hit for 60 s; 30 s until traffic was back.
            "3.1@c Aborted 2026-11-20T10:00:00Z ended=+90 settled=+120 exposed=+30",
            // Blocked.
            "4.1@d Aborted 2026-11-20T11:00:00Z ended=+90",
        ],
    )]);
    let has = |line: &str| {
        assert!(text.contains(&format!("throughline_dora_{line}\n")), "{line} in {text}");
    };
    let of = |window: &str| format!("namespace=\"shop\",rollout=\"cart\",window=\"{window}\"");
    has(&format!("deployments{{{}}} 0.0", of("7d")));
    has(&format!("deployments{{{}}} 1.0", of("30d")));
    has(&format!("failures{{{},kind=\"exposed\"}} 1.0", of("7d")));
    has(&format!("failures{{{},kind=\"blocked\"}} 1.0", of("90d")));
    has(&format!("lead_time_seconds{{{},percentile=\"50\"}} 3600.0", of("30d")));
    has(&format!("recovery_time_seconds{{{},until=\"traffic\",percentile=\"90\"}} 90.0", of("7d")));
    has(&format!("samples{{{},of=\"lead_time\"}} 0.0", of("7d")));
    has(&format!("at_least{{{}}} 0.0", of("7d")));
    // Nothing was deployed within a week, so that there is no lead time.
    assert!(!text.contains(&format!("lead_time_seconds{{{}", of("7d"))), "{text}");
    assert!(!text.contains("until=\"revision\""), "{text}");
}

#[test]
fn where_nothing_is_counted_there_is_no_series() {
    let text = scraped(&[("cart", &["1.1@a Promoted Initial 2026-11-20T10:00:00Z ended=+5"])]);
    assert!(!text.contains("rollout=\"cart\""), "{text}");
}

#[test]
fn a_window_that_is_left_out_has_no_series() {
    let books: [(&str, &[&str]); 1] =
        [("cart", &["2.1@b Promoted 2026-11-20T10:00:00Z ended=+600 settled=+600 exposed=yes"])];
    let windows = |text: &str| {
        let has = |days: &u16| text.contains(&format!("window=\"{days}d\""));
        WINDOWS.into_iter().filter(has).collect::<Vec<_>>()
    };
    assert_eq!(windows(&scraped(&books)), WINDOWS);
    assert_eq!(windows(&scraped_with(&[30], &books)), [30]);
    assert_eq!(windows(&scraped_with(&[90, 7], &books)), [7, 90]);
}

#[test]
fn the_page_names_each_metric() {
    let page = include_str!("../../../../../docs/dora.md");
    for (name, _, unit, _) in &METRICS {
        let unit = unit.as_ref().map(|unit| format!("_{}", unit.as_str())).unwrap_or_default();
        let row = format!("| `throughline_{name}{unit}` | gauge |");
        assert!(page.contains(&row), "{row}");
    }
    for name in ["lead_time", "recovery"] {
        let row = format!("| `throughline_{name}_seconds` | histogram |");
        assert!(page.contains(&row), "{row}");
    }
}
