//! Each alert fires where it should and is silent where it should not, and says what to do.

use std::collections::BTreeSet;

use serde_json::Value;
use throughline_tests::prometheus::promtool;

use super::{files, list, promql, read, root, series, words, yaml};

const RULES: &str = "config/components/alerts/rules.yaml";
const TESTS: &str = "tests/scenarios/metrics/rules.test.yaml";

fn rules() -> Vec<Value> {
    let file = yaml(&read(RULES));
    list(&file, "/groups").iter().flat_map(|group| list(group, "/rules").to_vec()).collect()
}

fn alerts() -> Vec<Value> {
    rules().into_iter().filter(|rule| rule.get("alert").is_some()).collect()
}

#[test]
fn both_files_have_the_same_rules() {
    let plain = yaml(&read(RULES));
    let object = yaml(&read("config/components/alerts/prometheus-rule.yaml"));
    assert!(!list(&plain, "/groups").is_empty());
    assert_eq!(plain["groups"], object["spec"]["groups"]);
}

#[test]
fn promtool_finds_no_fault_and_each_alert_does_as_its_test_says() {
    let ran = |args: &[&str]| {
        promtool(root(), args).unwrap_or_else(|error| panic!("{error}"));
    };
    ran(&["check", "rules", RULES]);
    ran(&["test", "rules", TESTS]);
}

#[test]
fn each_alert_is_tested_both_ways() {
    let tests = yaml(&read(TESTS));
    let cases: Vec<_> = list(&tests, "/tests")
        .iter()
        .flat_map(|test| list(test, "/alert_rule_test"))
        .map(|case| (words(case, "/alertname"), list(case, "/exp_alerts").is_empty()))
        .collect();
    for alert in alerts() {
        let name = words(&alert, "/alert");
        assert!(cases.contains(&(name, true)), "{name} is never silent");
        assert!(cases.contains(&(name, false)), "{name} never fires");
    }
}

#[test]
fn each_rule_asks_for_what_there_is() {
    let mut series = series();
    for rule in rules() {
        let expr = words(&rule, "/expr");
        assert_eq!(promql::unknown(expr, &series), BTreeSet::new(), "{expr}");
        if let Some(name) = rule["record"].as_str() {
            let (level, rest) = name.split_once(':').unwrap();
            assert_eq!(rest.matches(':').count(), 1, "{name} is not LEVEL:METRIC:OPERATIONS");
            series.insert(name.to_owned(), level.split('_').map(str::to_owned).collect());
        }
    }
}

#[test]
fn each_alert_has_a_page_that_says_what_to_do() {
    let overview = read("docs/metrics.md");
    let mut pages = BTreeSet::new();
    for alert in alerts() {
        let name = words(&alert, "/alert");
        for annotation in ["summary", "description"] {
            assert!(!words(&alert["annotations"], &format!("/{annotation}")).is_empty(), "{name}");
        }
        let severity = words(&alert, "/labels/severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let path = format!("docs/runbooks/{name}.md");
        assert!(words(&alert, "/annotations/runbook_url").ends_with(&format!("/{path}")), "{name}");
        let page = read(&path);
        assert!(page.starts_with(&format!("# {name}\n")), "{path}");
        let sections = ["What it means", "What to look at", "What to do"];
        let mut rest = page.as_str();
        for section in sections {
            let (_, after) = rest.split_once(&format!("\n## {section}\n")).expect(section);
            rest = after;
        }
        let commands = page.split("```sh\n").skip(1).filter_map(|it| it.split("```").next());
        let known = ["kubectl ", "throughline ", "curl "];
        let commands: Vec<_> = commands.flat_map(str::lines).collect();
        assert!(!commands.is_empty(), "{path} says nothing to type");
        for command in commands {
            assert!(known.iter().any(|known| command.starts_with(known)), "{path}: {command}");
        }
        assert!(overview.contains(&format!("| {name} |")), "docs/metrics.md lacks {name}");
        pages.insert(root().join(path));
    }
    assert_eq!(files("docs/runbooks"), pages);
}
