//! Whether the operator's own traces are sent, where to, and how many.

use super::*;

fn own(flags: &[&str], variables: &[(&str, &str)]) -> Result<OwnTracesSettings, SettingsError> {
    let command = Command::parse_from([&["throughline"], flags].concat());
    OwnTracesSettings::resolve(&command.otlp, |name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

const FLAG: &str = "--otlp-own-traces";

#[test]
fn own_traces_are_sent_only_if_they_are_asked_for() {
    let sent = |flags: &[&str], variables: &[(&str, &str)]| {
        let variables = [variables, &[(ENDPOINT, "http://c:4318")]].concat();
        own(flags, &variables).unwrap().target.is_some()
    };
    assert!(!sent(&[], &[]));
    assert!(!sent(&["--otlp-metrics"], &[]));
    assert!(sent(&[FLAG], &[]));
    assert!(!sent(&[FLAG], &[("OTEL_SDK_DISABLED", "true")]));
    assert!(!sent(&[FLAG], &[("OTEL_TRACES_EXPORTER", "none")]));
}

#[test]
fn own_traces_that_are_asked_for_need_somewhere_to_go() {
    let problem = own(&[FLAG], &[]).unwrap_err().to_string();
    let expected = "asks for own traces by OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT to where they go";
    assert_eq!(problem, format!("{FLAG} {expected}"));
}

#[test]
fn own_traces_go_where_the_spans_of_attempts_go_and_say_that_they_are_of_this_process() {
    let endpoint = (TRACES_ENDPOINT, "http://t:1/in");
    let found = own(&[FLAG], &[endpoint, ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=p")]).unwrap();
    let target = found.target.unwrap();
    assert_eq!(target.uri.to_string(), "http://t:1/in");
    let value = |key: &str| {
        let found = target.resource.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(value("service.name"), Some("throughline"));
    assert_eq!(value("k8s.pod.name"), Some("p"));
}

#[test]
fn the_sampler_is_named_as_the_specification_names_it() {
    let sampler = |variables: &[(&str, &str)]| {
        let variables = [variables, &[(ENDPOINT, "http://c")]].concat();
        let found = own(&[FLAG], &variables).map(|found| format!("{:?}", found.sampler));
        found.map_err(|problem| problem.to_string())
    };
    let named = |name| ("OTEL_TRACES_SAMPLER", name);
    let ratio = |ratio| ("OTEL_TRACES_SAMPLER_ARG", ratio);
    assert_eq!(sampler(&[]).unwrap(), "ParentBased(AlwaysOn)");
    assert_eq!(sampler(&[named("always_off")]).unwrap(), "AlwaysOff");
    let tenth = sampler(&[named("parentbased_traceidratio"), ratio("0.1")]);
    assert_eq!(tenth.unwrap(), "ParentBased(TraceIdRatioBased(0.1))");
    let problem = sampler(&[named("sometimes")]).unwrap_err();
    assert!(problem.starts_with("OTEL_TRACES_SAMPLER=\"sometimes\" is not"), "{problem}");
    for wrong in ["2", "-0.1", "half", "NaN"] {
        let problem = sampler(&[named("traceidratio"), ratio(wrong)]).unwrap_err();
        assert!(problem.contains("a number from 0 to 1"), "{problem}");
    }
}
