//! Each panel says what it shows, in which unit and under which name, and asks for what there is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use throughline_tests::prometheus::promtool;

use super::{files, list, promql, series, tempfile, words};

/// The units of Grafana that are used.
const UNITS: [&str; 4] = ["none", "percentunit", "s", "cps"];

/// A query of a panel.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) panel: String,
    pub(super) expr: String,
}

fn dashboards() -> Vec<Value> {
    let files = files("config/components/dashboards");
    let files = files.iter().filter(|file| file.extension().is_some_and(|it| it == "json"));
    let read = |file| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let dashboards: Vec<_> = files.map(read).collect();
    assert_eq!(dashboards.len(), 3);
    dashboards
}

/// Panels that show data, with the names of their dashboards.
fn panels(dashboards: &[Value]) -> Vec<(String, &Value)> {
    let mut panels = Vec::new();
    for dashboard in dashboards {
        for panel in list(dashboard, "/panels").iter().filter(|it| words(it, "/type") != "row") {
            let name = format!("{}: {}", words(dashboard, "/title"), words(panel, "/title"));
            panels.push((name, panel));
        }
    }
    panels
}

/// The queries of all panels, as Grafana asks them for one Rollout.
pub(super) fn queries(team: &str, namespace: &str, rollout: &str) -> Vec<Query> {
    let dashboards = dashboards();
    let fill = |expr: &str| {
        expr.replace("$team", team)
            .replace("$namespace", namespace)
            .replace("$rollout", rollout)
            .replace("$window", "30d")
            .replace("$__rate_interval", "1m")
            .replace("$__range", "1h")
    };
    let panels = panels(&dashboards).into_iter();
    panels
        .flat_map(|(panel, content)| {
            let targets = list(content, "/targets").iter();
            targets.map(move |target| (panel.clone(), words(target, "/expr").to_owned()))
        })
        .map(|(panel, expr)| Query { panel, expr: fill(&expr) })
        .collect()
}

#[test]
fn each_panel_says_what_it_shows() {
    let dashboards = dashboards();
    for (name, panel) in panels(&dashboards) {
        assert!(words(panel, "/description").ends_with('.'), "{name}: no description");
        let unit = words(panel, "/fieldConfig/defaults/unit");
        assert!(UNITS.contains(&unit), "{name}: unit {unit:?}");
        let targets = list(panel, "/targets");
        assert!(!targets.is_empty(), "{name}: asks for nothing");
        for target in targets {
            let legend = words(target, "/legendFormat");
            assert!(!legend.is_empty() && legend != "__auto", "{name}: no legend");
            assert_eq!(words(target, "/datasource/uid"), "${datasource}", "{name}");
        }
    }
}

#[test]
fn no_two_panels_lie_in_the_same_place() {
    for dashboard in dashboards() {
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard, "/panels") {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
            assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
            for (x, y) in (at("x")..at("x") + at("w"))
                .flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                assert!(taken.insert((x, y)), "{} lies over another one", panel["title"]);
            }
        }
    }
}

#[test]
fn each_query_asks_for_what_there_is() {
    let series = series();
    for Query { panel, expr } in queries("checkout", "shop", "cart") {
        assert_eq!(promql::unknown(&expr, &series), BTreeSet::new(), "{panel}: {expr}");
        assert!(!expr.contains('$'), "{panel}: a variable without value: {expr}");
    }
    for dashboard in dashboards() {
        for variable in list(&dashboard, "/templating/list") {
            let asked = words(variable, "/definition");
            let inside = asked.strip_prefix("label_values(").map(|it| it.trim_end_matches(')'));
            let Some(inside) = inside else { continue };
            assert_eq!(promql::unknown(inside, &series), BTreeSet::new(), "{asked}");
        }
    }
}

#[test]
fn each_figure_of_dora_can_be_had_by_team_namespace_and_rollout() {
    let dashboards = dashboards();
    let dora = dashboards.iter().find(|it| words(it, "/uid") == "throughline-dora").unwrap();
    let variables = list(dora, "/templating/list").iter().map(|it| words(it, "/name"));
    let variables: Vec<_> = variables.collect();
    assert_eq!(variables, ["datasource", "window", "team", "namespace", "rollout"]);
    for panel in list(dora, "/panels") {
        for target in list(panel, "/targets") {
            let expr = words(target, "/expr");
            let figures = expr.matches("throughline_dora_").count();
            let chosen = expr.matches("throughline_rollout_info{team=~\"$team\"}").count();
            assert_eq!(figures, chosen, "{expr}");
            for variable in ["namespace=~\"$namespace\"", "rollout=~\"$rollout\""] {
                assert!(expr.matches(variable).count() >= figures, "{expr}");
            }
        }
    }
}

#[test]
fn each_query_parses() {
    let mut rules = "groups: [{name: all, rules: [\n".to_owned();
    for (number, Query { expr, .. }) in queries("checkout", "shop", "cart").into_iter().enumerate()
    {
        let expr = serde_json::to_string(&expr).unwrap();
        writeln!(rules, "  {{record: \"query:{number}\", expr: {expr}}},").unwrap();
    }
    rules.push_str("]}]\n");
    let folder = tempfile("queries");
    std::fs::write(folder.join("rules.yaml"), &rules).unwrap();
    let checked = promtool(&folder, &["check", "rules", "rules.yaml"]);
    std::fs::remove_dir_all(&folder).unwrap();
    checked.unwrap_or_else(|error| panic!("{error}\n{rules}"));
}

#[test]
fn what_shows_attempts_leads_to_their_traces() {
    let dashboards = dashboards();
    let panels = panels(&dashboards);
    let of_attempts = panels.iter().filter(|(name, panel)| {
        let expr = list(panel, "/targets").iter().map(|target| words(target, "/expr"));
        name.starts_with("Throughline / Rollout")
            && expr.into_iter().any(|expr| expr.contains("throughline_attempt"))
    });
    let mut exemplars = 0;
    for (name, panel) in of_attempts {
        let links = list(panel, "/fieldConfig/defaults/links");
        let to = |what: &str| {
            links.iter().any(|link| {
                words(link, "/url").starts_with("/explore?") && words(link, "/url").contains(what)
            })
        };
        assert!(to("${tempo}") && to("${jaeger}"), "{name}");
        exemplars += list(panel, "/targets").iter().filter(|it| it["exemplar"] == true).count();
    }
    assert!(exemplars >= 2, "{exemplars}");
}
