//! Whether metrics are sent, where to and how often.

use super::*;

fn metrics(flags: &[&str], variables: &[(&str, &str)]) -> Result<MetricsSettings, SettingsError> {
    let command = Command::parse_from([&["throughline"], flags].concat());
    MetricsSettings::resolve(&command.otlp, |name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
const METRICS_EXPORTER: &str = "OTEL_METRICS_EXPORTER";

#[test]
fn metrics_are_sent_only_if_they_are_asked_for() {
    let sent = |flags: &[&str], variables: &[(&str, &str)]| {
        let variables = [variables, &[(ENDPOINT, "http://c:4318")]].concat();
        metrics(flags, &variables).unwrap().target.is_some()
    };
    let flag = ["--otlp-metrics"];
    let by = |exporters| (METRICS_EXPORTER, exporters);
    let endpoint = (METRICS_ENDPOINT, "http://m:1/in");
    assert!(!sent(&[], &[]));
    assert!(!sent(&["--otlp-endpoint=http://c:4318"], &[]));
    assert!(sent(&flag, &[]));
    assert!(sent(&[], &[by("otlp")]));
    assert!(sent(&[], &[by("prometheus, otlp,")]));
    assert!(sent(&[], &[endpoint]));
    // What is always served asks for nothing more.
    assert!(!sent(&[], &[by("prometheus")]));
    assert!(!sent(&[], &[by("prometheus"), endpoint]));
    assert!(sent(&flag, &[by("prometheus")]));
    for off in [by("none"), ("OTEL_SDK_DISABLED", "true")] {
        assert!(!sent(&flag, &[off, endpoint]), "{off:?}");
    }
    // Each signal is switched by itself.
    let traces_off = ("OTEL_TRACES_EXPORTER", "none");
    assert!(sent(&flag, &[traces_off]));
    assert!(resolved(&[], &[(ENDPOINT, "http://c"), by("none")]).unwrap().target.is_some());
}

#[test]
fn metrics_that_are_asked_for_need_somewhere_to_go() {
    for (flags, variables, asked) in [
        (&["--otlp-metrics"][..], &[][..], "--otlp-metrics"),
        (&[], &[(METRICS_EXPORTER, "otlp")], METRICS_EXPORTER),
    ] {
        let problem = metrics(flags, variables).unwrap_err().to_string();
        let expected = "asks for metrics by OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT to where they go";
        assert_eq!(problem, format!("{asked} {expected}"));
    }
}

#[test]
fn an_exporter_of_metrics_that_is_unknown_stops_the_start() {
    for value in ["console", "otlp,console", "none,otlp", "OTLP"] {
        let problem = metrics(&[], &[(METRICS_EXPORTER, value)]).unwrap_err().to_string();
        let takes = "is not understood: it takes otlp, prometheus, both with a comma, or none";
        assert_eq!(problem, format!("{METRICS_EXPORTER}={value:?} {takes}"));
    }
}

#[test]
fn metrics_have_their_own_path_and_variables_and_the_same_flags() {
    let own = |suffix: &str| format!("OTEL_EXPORTER_OTLP_METRICS_{suffix}");
    let target = |flags: &[&str], variables: &[(&str, &str)]| {
        metrics(flags, variables).unwrap().target.unwrap()
    };
    let asked = (METRICS_EXPORTER, "otlp");
    let endpoint = (ENDPOINT, "http://c:4318/base");
    let spans = (TRACES_ENDPOINT, "http://spans:1/in");
    let found = target(&[], &[asked, endpoint, spans]);
    assert_eq!(found.uri, *"http://c:4318/base/v1/metrics");
    let found = target(&[], &[endpoint, (METRICS_ENDPOINT, "http://m:2/api/v1/otlp/v1/metrics")]);
    assert_eq!(found.uri, *"http://m:2/api/v1/otlp/v1/metrics");
    let found = target(&["--otlp-endpoint=http://f:3"], &[asked, endpoint]);
    assert_eq!(found.uri, *"http://f:3/v1/metrics");
    let found = target(&["--otlp-protocol=grpc"], &[asked, endpoint]);
    let method = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    assert_eq!(found.uri, *format!("http://c:4318{method}"));

    let found = target(
        &["--otlp-header=x=1"],
        &[
            asked,
            endpoint,
            (&own("HEADERS"), "y=2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "z=3"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "w=4"),
            (&own("TIMEOUT"), "1500"),
            (&own("COMPRESSION"), "gzip"),
            (&own("CERTIFICATE"), "/tls/ca.crt"),
        ],
    );
    let has = |name: &str| found.headers.contains_key(name);
    assert!(has("x") && has("y") && !has("z") && !has("w"));
    assert_eq!((found.timeout, found.gzip), (Duration::from_millis(1500), true));
    assert!(found.certificates.authority.is_some());
    // And the other way round.
    let spans = resolved(&[], &[endpoint, (&own("TIMEOUT"), "1500")]).unwrap().target.unwrap();
    assert_eq!(spans.timeout, Duration::from_secs(10));
}

#[test]
fn metrics_go_each_minute_or_as_often_as_it_is_said() {
    let of = |variables: &[(&str, &str)]| {
        let found = metrics(&["--otlp-metrics", "--otlp-endpoint=http://c"], variables);
        found.map(|it| (it.interval, it.export_timeout, it.target.unwrap().timeout))
    };
    let seconds = Duration::from_secs;
    assert_eq!(of(&[]), Ok((seconds(60), seconds(30), seconds(10))));
    let interval = ("OTEL_METRIC_EXPORT_INTERVAL", "15000");
    let timeout = ("OTEL_METRIC_EXPORT_TIMEOUT", "5000");
    assert_eq!(of(&[interval, timeout]), Ok((seconds(15), seconds(5), seconds(5))));
    for (name, _) in [interval, timeout] {
        let problem = of(&[(name, "1m")]).unwrap_err().to_string();
        let takes = "is not understood: it takes milliseconds, from 1 to 600000";
        assert_eq!(problem, format!("{name}=\"1m\" {takes}"));
    }
}

#[test]
fn the_resource_of_metrics_is_this_process() {
    let of = |variables: &[(&str, &str)]| {
        let found = metrics(&["--otlp-metrics", "--otlp-endpoint=http://c"], variables);
        found.unwrap().target.unwrap().resource.clone()
    };
    let pairs = |expected: &[(&str, &str)]| {
        expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
    };
    let version = ("service.version", env!("CARGO_PKG_VERSION"));
    assert_eq!(of(&[]), pairs(&[("service.name", "throughline"), version]));
    let host = ("HOSTNAME", "throughline-7d9c");
    let found = of(&[host, ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=p,service.version=9")]);
    let instance = ("service.instance.id", "throughline-7d9c");
    let expected = [
        ("k8s.pod.name", "p"),
        instance,
        ("service.name", "throughline"),
        ("service.version", "9"),
    ];
    assert_eq!(found, pairs(&expected));
    let named = [("OTEL_SERVICE_NAME", "tl"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x")];
    assert_eq!(of(&named), pairs(&[("service.name", "tl"), version]));
}
