//! What a cluster gets of it by kustomize.

use serde_json::Value;

use super::{kustomized, list, words, yaml};

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| words(object, "/kind") == kind).collect()
}

#[test]
fn the_sidecar_finds_each_dashboard_by_its_label() {
    let objects = kustomized(&["dashboards"]);
    let maps = of_kind(&objects, "ConfigMap");
    assert_eq!(maps.len(), 3);
    for map in maps {
        assert_eq!(words(map, "/metadata/labels/grafana_dashboard"), "1");
        assert_eq!(words(map, "/metadata/namespace"), "throughline-system");
        for (_, text) in map["data"].as_object().unwrap() {
            let dashboard: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
            assert!(words(&dashboard, "/uid").starts_with("throughline-"));
        }
    }
}

#[test]
fn the_grafana_operator_finds_each_dashboard_where_it_is_said_to_be() {
    let objects = kustomized(&["grafana-operator"]);
    let dashboards = of_kind(&objects, "GrafanaDashboard");
    assert_eq!(dashboards.len(), 3);
    for dashboard in dashboards {
        let map = words(dashboard, "/spec/configMapRef/name");
        let maps = of_kind(&objects, "ConfigMap");
        let map = maps.into_iter().find(|it| words(it, "/metadata/name") == map).unwrap();
        let key = words(dashboard, "/spec/configMapRef/key");
        assert!(map["data"].get(key).is_some(), "{key}");
        assert_eq!(map["metadata"]["namespace"], dashboard["metadata"]["namespace"]);
    }
}

#[test]
fn the_prometheus_operator_gets_the_rules_and_finds_the_service() {
    let objects = kustomized(&["alerts", "service-monitor"]);
    let rules = of_kind(&objects, "PrometheusRule");
    let plain = yaml(&super::read("config/components/alerts/rules.yaml"));
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0]["spec"]["groups"], plain["groups"]);

    let monitor = of_kind(&objects, "ServiceMonitor")[0];
    let mut services = of_kind(&objects, "Service").into_iter();
    let service =
        services.find(|object| words(object, "/metadata/name") == "throughline-metrics").unwrap();
    for (label, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(service["metadata"]["labels"].get(label), Some(value));
    }
    let endpoint = &list(monitor, "/spec/endpoints")[0];
    assert_eq!(endpoint["port"], service["spec"]["ports"][0]["name"]);
    // Labels of ours win over those that the scrape adds, here and in what the page says.
    assert_eq!(endpoint["honorLabels"], true);
    assert!(super::read("docs/metrics.md").contains("\n    honor_labels: true\n"));
}
