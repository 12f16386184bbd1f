use clap::Parser;
use hyper::header::AUTHORIZATION;

use super::*;

mod metrics;
mod own_traces;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    otlp: OtlpArgs,
}

fn resolved(flags: &[&str], variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let command = Command::parse_from([&["throughline"], flags].concat());
    Settings::resolve(&command.otlp, |name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn target(flags: &[&str], variables: &[(&str, &str)]) -> Arc<Target> {
    resolved(flags, variables).unwrap().target.unwrap()
}

/// With an endpoint, so that the rest matters.
fn with(variables: &[(&str, &str)]) -> Arc<Target> {
    target(&["--otlp-endpoint=http://collector:4318"], variables)
}

fn problem(variables: &[(&str, &str)]) -> String {
    resolved(&["--otlp-endpoint=http://collector:4318"], variables).unwrap_err().to_string()
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

#[test]
fn export_is_off_without_an_endpoint_or_where_it_is_said_so() {
    let off = |flags: &[&str], variables: &[(&str, &str)]| {
        resolved(flags, variables).unwrap().target.is_none()
    };
    let endpoint = ["--otlp-endpoint=http://c:4318"];
    assert!(off(&[], &[]));
    assert!(off(&[], &[(ENDPOINT, " ")]));
    assert!(off(&endpoint, &[("OTEL_TRACES_EXPORTER", "none")]));
    assert!(off(&endpoint, &[("OTEL_SDK_DISABLED", "TRUE")]));
    // What is off needs no right settings.
    assert!(off(&endpoint, &[("OTEL_SDK_DISABLED", "true"), (PROTOCOL, "pigeon")]));
    assert!(!off(&endpoint, &[("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_SDK_DISABLED", "false")]));
}

#[test]
fn the_endpoint_of_all_signals_gets_the_path_of_traces_and_that_of_traces_is_taken_as_it_is() {
    let cases = [
        (ENDPOINT, "http://c:4318", "http://c:4318/v1/traces"),
        (ENDPOINT, "http://c:4318/", "http://c:4318/v1/traces"),
        (ENDPOINT, "https://c/base//", "https://c/base/v1/traces"),
        (ENDPOINT, "https://c/base?key=1", "https://c/base/v1/traces?key=1"),
        (ENDPOINT, "http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        (TRACES_ENDPOINT, "http://c:4318", "http://c:4318/"),
        (TRACES_ENDPOINT, "http://c:4318/in?key=1", "http://c:4318/in?key=1"),
    ];
    for (variable, value, expected) in cases {
        assert_eq!(target(&[], &[(variable, value)]).uri, *expected, "{variable}={value}");
    }
    let both = [(ENDPOINT, "http://all:1"), (TRACES_ENDPOINT, "http://traces:2/x")];
    assert_eq!(target(&[], &both).uri, *"http://traces:2/x");
    let flag = target(&["--otlp-endpoint=http://flag:3/base"], &both);
    assert_eq!(flag.uri, *"http://flag:3/base/v1/traces");
}

#[test]
fn over_grpc_the_path_is_the_methods_and_a_scheme_may_be_left_out() {
    let uri = |endpoint, insecure| {
        let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", insecure);
        target(&[], &[(ENDPOINT, endpoint), (PROTOCOL, "grpc"), insecure]).uri.to_string()
    };
    let method = grpc_method();
    assert_eq!(uri("http://c:4317/ignored?x", ""), format!("http://c:4317{method}"));
    assert_eq!(uri("c:4317", ""), format!("https://c:4317{method}"));
    assert_eq!(uri("c:4317", "false"), format!("https://c:4317{method}"));
    assert_eq!(uri("c:4317", "true"), format!("http://c:4317{method}"));
    // The scheme wins over the switch.
    assert_eq!(uri("https://c:4317", "true"), format!("https://c:4317{method}"));
}

fn grpc_method() -> &'static str {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
}

#[test]
fn what_is_not_understood_is_named_with_what_is_allowed() {
    let name = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{suffix}");
    let cases = [
        (
            name("PROTOCOL"),
            "http/json",
            "\"http/json\" is not understood: it takes grpc or http/protobuf",
        ),
        (
            name("TRACES_PROTOCOL"),
            "GRPC",
            "\"GRPC\" is not understood: it takes grpc or http/protobuf",
        ),
        (name("COMPRESSION"), "zstd", "\"zstd\" is not understood: it takes gzip or none"),
        (
            name("TIMEOUT"),
            "10s",
            "\"10s\" is not understood: it takes milliseconds, from 1 to 600000",
        ),
        (name("TIMEOUT"), "0", "\"0\" is not understood: it takes milliseconds, from 1 to 600000"),
        (
            name("TIMEOUT"),
            "600001",
            "\"600001\" is not understood: it takes milliseconds, from 1 to 600000",
        ),
        (name("TRACES_INSECURE"), "yes", "\"yes\" is not understood: it takes true or false"),
        ("OTEL_SDK_DISABLED".to_owned(), "1", "\"1\" is not understood: it takes true or false"),
        (
            "OTEL_TRACES_EXPORTER".to_owned(),
            "zipkin",
            "\"zipkin\" is not understood: it takes otlp or none",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES".to_owned(),
            "a",
            "\"a\" is not understood: it takes key=value,key2=value2 with values percent-encoded",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES".to_owned(),
            "a=%ff",
            "\"a=%ff\" is not understood: it takes key=value,key2=value2 with values percent-encoded",
        ),
    ];
    for (name, value, expected) in cases {
        assert_eq!(problem(&[(&name, value)]), format!("{name}={expected}"));
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_named_without_what_may_be_secret_in_it() {
    let problem = |value| resolved(&[], &[(ENDPOINT, value)]).unwrap_err().to_string();
    let takes =
        "is not understood: it takes http://HOST:PORT or https://HOST:PORT, with or without a path";
    for value in ["collector:4318", "ftp://c", "http://", "http:///v1", "http://a b/", "unix://x"] {
        assert_eq!(problem(value), format!("{ENDPOINT}={value:?} {takes}"));
    }
    assert_eq!(problem("ftp://c?key=hidden"), format!("{ENDPOINT}=\"ftp://c\" {takes}"));
    let credentials = problem("http://me:hidden@c/");
    assert!(!credentials.contains("hidden") && credentials.contains(ENDPOINT), "{credentials}");
    assert_eq!(target(&[], &[(ENDPOINT, "http://c/?key=hidden")]).shown, "http://c/v1/traces");
}

#[test]
fn headers_are_percent_decoded_and_those_of_traces_replace_the_others() {
    let generic = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20YTpi%3D , x-tenant= a=b ,");
    let found = with(&[generic]);
    assert_eq!(found.headers["authorization"], "Basic YTpi=");
    assert_eq!(found.headers["x-tenant"], "a=b");
    let found = with(&[generic, ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-other=1")]);
    assert!(!found.headers.contains_key("authorization"));
    assert_eq!(found.headers["x-other"], "1");
    assert!(found.headers["user-agent"].to_str().unwrap().starts_with("throughline/"));
}

#[test]
fn headers_of_flags_come_to_those_of_the_variable_and_win() {
    let flags =
        ["--otlp-endpoint=http://c", "--otlp-header=X-Tenant=a,b=c%20", "--otlp-header=y=2"];
    let found = target(&flags, &[("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=v,z=3")]);
    let header = |name: &str| found.headers[name].to_str().unwrap();
    assert_eq!((header("x-tenant"), header("y"), header("z")), ("a,b=c%20", "2", "3"));
}

#[test]
fn a_header_that_is_not_understood_is_named_without_its_value() {
    let cases = [
        ("hidden", "entry 1 is not understood: it takes key=value,key2=value2"),
        ("a=1,=hidden", "entry 2 is not understood: it takes key=value,key2=value2"),
        (
            "a b=hidden",
            "entry 1 is not understood: what stands before the = is no name of a header",
        ),
        (
            "a=hidden%0a",
            "entry 1 is not understood: the value of a has characters no header may have",
        ),
        ("Content-Type=hidden", "entry 1 is not understood: the protocol itself sets content-type"),
        ("grpc-timeout=hidden", "entry 1 is not understood: the protocol itself sets grpc-timeout"),
    ];
    let name = "OTEL_EXPORTER_OTLP_HEADERS";
    for (value, expected) in cases {
        assert_eq!(problem(&[(name, value)]), format!("{name}: {expected}"));
    }
}

#[test]
fn no_secret_is_shown_when_settings_are_printed() {
    let flags = ["throughline", "--otlp-endpoint=http://c", "--otlp-header=authorization=hidden"];
    let command = Command::parse_from(flags);
    let env =
        |name: &str| (name == "OTEL_EXPORTER_OTLP_HEADERS").then(|| "token=hidden".to_owned());
    let settings = Settings::resolve(&command.otlp, env).unwrap();
    let found = settings.target.clone().unwrap();
    assert_eq!(found.headers[AUTHORIZATION], "hidden");
    let exporter = crate::export::Exporter::new(&settings).unwrap().unwrap();
    let shown = format!("{command:?} {settings:?} {exporter:?} {exporter}");
    assert!(!shown.contains("hidden"), "{shown}");
}

#[test]
fn timeouts_are_milliseconds_in_variables_and_have_a_unit_in_the_flag() {
    let of = |flags: &[&str], variables: &[(&str, &str)]| {
        target(&[&["--otlp-endpoint=http://c"], flags].concat(), variables).timeout
    };
    let variables = [("OTEL_EXPORTER_OTLP_TIMEOUT", "1500")];
    assert_eq!(of(&[], &[]), Duration::from_secs(10));
    assert_eq!(of(&[], &variables), Duration::from_millis(1500));
    assert_eq!(of(&["--otlp-timeout=2s"], &variables), Duration::from_secs(2));
    for wrong in ["2", "-2s", "0s", "11min", "soon"] {
        let flags = ["--otlp-endpoint=http://c", &format!("--otlp-timeout={wrong}")];
        let message = resolved(&flags, &[]).unwrap_err().to_string();
        assert!(message.starts_with(&format!("--otlp-timeout={wrong:?}")), "{message}");
    }
}

#[test]
fn the_flag_wins_over_the_variable_for_traces_and_that_over_the_one_for_all_signals() {
    let generic = (PROTOCOL, "grpc");
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
    let of = |flags: &[&str], variables: &[(&str, &str)]| {
        target(&[&["--otlp-endpoint=http://c"], flags].concat(), variables).protocol
    };
    assert_eq!(of(&[], &[]), Protocol::HttpProtobuf);
    assert_eq!(of(&[], &[generic]), Protocol::Grpc);
    assert_eq!(of(&[], &[generic, traces]), Protocol::HttpProtobuf);
    assert_eq!(of(&["--otlp-protocol=grpc"], &[traces]), Protocol::Grpc);
}

#[test]
fn a_client_certificate_goes_with_its_key() {
    let certificate = ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/tls/tls.crt");
    let key = ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/tls/tls.key");
    assert!(with(&[certificate, key]).certificates.identity.is_some());
    assert_eq!(
        problem(&[certificate]),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE is given without OTEL_EXPORTER_OTLP_CLIENT_KEY: a \
         client certificate goes with its key"
    );
    assert_eq!(
        problem(&[key]),
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY is given without \
         OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: a client certificate goes with its key"
    );
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_named_at_the_start() {
    let flags = ["--otlp-endpoint=https://c", "--otlp-ca-file=/does/not/exist"];
    let settings = resolved(&flags, &[]).unwrap();
    let message = crate::export::Exporter::new(&settings).unwrap_err().to_string();
    assert!(message.starts_with("--otlp-ca-file: cannot use /does/not/exist: "), "{message}");
    // Over http no file is looked at.
    let flags = ["--otlp-endpoint=http://c", "--otlp-ca-file=/does/not/exist"];
    assert!(crate::export::Exporter::new(&resolved(&flags, &[]).unwrap()).unwrap().is_some());
}

#[test]
fn resource_attributes_are_sorted_and_what_describes_this_process_is_left_out() {
    let attributes = "z=1,deployment.environment.name=pr%C3%B6d,k8s.cluster.name=a,z=2,\
                      k8s.pod.name=throughline-0,service.name=throughline,service.version=1,\
                      host.name=h";
    let flags = ["--otlp-endpoint=http://c"];
    let settings = resolved(&flags, &[("OTEL_RESOURCE_ATTRIBUTES", attributes)]).unwrap();
    let kept = settings.target.unwrap().resource.clone();
    let kept: Vec<_> = kept.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expected = [("deployment.environment.name", "pröd"), ("k8s.cluster.name", "a"), ("z", "2")];
    assert_eq!(kept, expected);
    let left_out = ["host.name", "k8s.pod.name", "service.name", "service.version"];
    assert_eq!(settings.left_out, left_out);
}
