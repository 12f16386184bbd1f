//! What a Rollout says of its traffic and its health.

use super::*;

#[test]
fn a_weight_is_shown_in_percent_of_the_whole_and_a_small_one_is_not_none() {
    for (weight, whole, percent) in [
        (20, Value::Null, 20),
        (200, json!(1000), 20),
        (1, json!(1000), 1),
        (0, json!(1000), 0),
        (2000, json!(1000), 100),
        (5, json!(0), 5),
    ] {
        let routing = json!({ "maxTrafficWeight": whole });
        let spec = json!({ "strategy": { "canary": { "trafficRouting": routing } } });
        let canary = json!({ "weight": weight, "podTemplateHash": "new" });
        let progress =
            progress_of(&spec, &json!({ "canary": { "weights": { "canary": canary } } }));
        assert_eq!(progress.weight, Some(percent), "{weight} of {whole}");
        assert_eq!(progress.weight_hash.as_deref(), Some("new"));
        assert!(progress.routed);
    }
}

#[test]
fn a_header_route_that_matches_nothing_takes_the_route_away() {
    let exact = json!([{ "headerName": "x-beta", "headerValue": { "exact": "1" } }]);
    let steps = json!([
        { "setHeaderRoute": { "name": "beta", "match": exact } },
        { "setHeaderRoute": { "name": "beta", "match": [] } },
        { "setHeaderRoute": { "name": "beta" } },
    ]);
    let progress =
        progress_of(&json!({ "strategy": { "canary": { "steps": steps } } }), &json!({}));
    let matches: Vec<_> = progress.steps.iter().map(|step| step.matches).collect();
    assert_eq!(matches, [true, false, false]);
}

#[test]
fn that_a_rollout_was_healthy_is_known_while_it_is_not() {
    for (status, was_healthy) in [(None, false), (Some("False"), true), (Some("True"), true)] {
        let condition = status.map(|status| json!({ "type": "Healthy", "status": status }));
        let conditions: Vec<_> = condition.into_iter().collect();
        let progress = progress_of(&json!({}), &json!({ "conditions": conditions }));
        assert_eq!((progress.was_healthy, progress.healthy_since), (was_healthy, None));
    }
}
