use clap::Parser;
use hyper::HeaderMap;
use jiff::Timestamp;
use kube::Api;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use timeline::keptn::app_context::{ContextWritten, WriteProblem};
use timeline::seen::WorkloadVersionSeen;
use timeline::{Key, Observation};
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::export::collector::{Collector, Log, Mood};
use crate::export::{OtlpArgs, OwnTracesSettings};
use crate::metrics::Metrics;
use crate::watch::server::{ApiServer, Reply};
use crate::work::{Asked, Work};
use crate::writer::Answer;

const KEPTN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    otlp: OtlpArgs,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// Own traces that go to a collector, and what is logged meanwhile.
struct Stage {
    own: OwnTraces,
    log: Log,
}

impl Stage {
    fn to(url: &str, variables: &[(&str, &str)]) -> Self {
        let flags = ["throughline", "--otlp-own-traces", &format!("--otlp-endpoint={url}")];
        let command = Command::parse_from(flags);
        let env = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let settings = OwnTracesSettings::resolve(&command.otlp, env).unwrap();
        let metrics = Metrics::new(|| at(100), &[]);
        let exporter = OwnTracesExporter::new(&settings, metrics).unwrap().unwrap();
        Self { own: OwnTraces::start(exporter), log: Log::default() }
    }

    /// Own traces and the log, as the process has them.
    fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        let writer = self.log.clone();
        let log = tracing_subscriber::fmt::layer().with_ansi(false);
        let log = log.with_writer(move || writer.clone());
        let log = logged(log, EnvFilter::new("info"));
        tracing_subscriber::registry().with(self.own.layer()).with(log)
    }

    /// What follows from a trace of Keptn's that is seen: an effect that makes a request, and answers.
    async fn link(&self, client: kube::Client, answer: ContextWritten) {
        let seen = Observation::WorkloadVersion(WorkloadVersionSeen {
            key: Key::new("shop", "shop-cart-1.0.0"),
            app: "shop".into(),
            workload: "shop-cart".into(),
            version: "1.0.0".into(),
            replica_set_uid: None,
            trace: Some(KEPTN.parse().unwrap()),
        });
        let app = Key::new("shop", "shop");
        let follows = async {
            let cause = Causes::new(Some(&self.own)).seen(&seen, at(0));
            let mut work = Work::default();
            let asked = Asked::Context(app.clone());
            work.begin(
                asked,
                &cause,
                async {
                    let contexts: Api<api::keptn::KeptnAppContext> =
                        Api::namespaced(client, "shop");
                    contexts.get("shop").await.ok();
                    tracing::info!("links written");
                    Answer::Context(app, answer)
                }
                .with_current_subscriber(),
            );
            drop(cause);
            work.next().await.unwrap();
        };
        follows.with_subscriber(self.subscriber()).await;
    }

    async fn stop(&self) {
        self.own.clone().stop(Instant::now() + Duration::from_mins(1)).await;
    }
}

/// A client of an API server that answers 404.
async fn client() -> (ApiServer, kube::Client) {
    let nothing = r#"{"kind":"Status","code":404,"reason":"NotFound","message":"none"}"#;
    let server = ApiServer::start(move |_| Reply::Whole(404, None, nothing.to_owned())).await;
    let config = kube::Config::new(format!("http://{}", server.address).parse().unwrap());
    let client = traced(crate::connection::connect(config).unwrap());
    (server, client)
}

fn spans(collector: &Collector) -> Vec<Span> {
    let requests = collector.took().into_iter();
    let requests = requests.map(|bytes| ExportTraceServiceRequest::decode(bytes).unwrap());
    let resources = requests.flat_map(|request| request.resource_spans);
    resources.flat_map(|it| it.scope_spans).flat_map(|it| it.spans).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|it| it.key == key)?.value.as_ref()?.value.as_ref()
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    match attribute(attributes, key) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{key} is {other:?}"),
    }
}

fn failed() -> ContextWritten {
    ContextWritten::Failed(WriteProblem::Failed("no".to_owned()))
}

#[tokio::test]
async fn what_is_seen_its_effects_and_their_requests_are_one_trace_of_this_process() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let (_server, client) = client().await;
    let stage = Stage::to(&url, &[("HOSTNAME", "throughline-7d9c")]);
    assert_eq!(stage.subscriber().max_level_hint(), Some(LevelFilter::INFO));
    stage.link(client, failed()).await;
    stage.stop().await;

    let all = spans(&collector);
    assert_eq!(all.len(), 3, "{all:?}");
    let root = named(&all, "keptnworkloadversions.lifecycle.keptn.sh seen");
    let effect = named(&all, "write keptnappcontexts");
    let request = named(&all, "GET keptnappcontexts");
    assert_eq!((&root.parent_span_id, &effect.parent_span_id), (&Vec::new(), &root.span_id));
    assert_eq!(request.parent_span_id, effect.span_id);
    // From when it was seen until the last effect is done.
    assert_eq!(root.start_time_unix_nano, 1_700_000_000_000_000_000);
    assert!(root.end_time_unix_nano >= effect.end_time_unix_nano);
    assert_eq!(text(&root.attributes, "k8s.namespace.name"), "shop");
    assert_eq!(text(&root.attributes, "throughline.object.name"), "shop-cart-1.0.0");
    let keptn = u128::from_str_radix(&KEPTN[3..35], 16).unwrap().to_be_bytes();
    assert_eq!(root.links[0].trace_id, keptn);
    assert_eq!(text(&effect.attributes, "error.type"), "not_written");
    assert_eq!(
        attribute(&request.attributes, "http.response.status_code"),
        Some(&Value::IntValue(404))
    );

    let request = ExportTraceServiceRequest::decode(collector.took().remove(0)).unwrap();
    let resource = request.resource_spans[0].resource.clone().unwrap().attributes;
    assert_eq!(text(&resource, "service.name"), "throughline");
    assert_eq!(text(&resource, "service.instance.id"), "throughline-7d9c");
    // Neither is the log in the spans, nor they in the log.
    assert!(all.iter().all(|span| span.events.is_empty()));
    let logged = stage.log.text();
    assert!(logged.ends_with("links written\n"), "{logged}");
    assert!(!logged.contains("effect") && !logged.contains("request"), "{logged}");
}

#[tokio::test]
async fn the_api_server_gets_the_trace_with_each_request_of_an_effect_and_with_no_other() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let (server, client) = client().await;
    let stage = Stage::to(&url, &[]);
    stage.link(client.clone(), failed()).await;
    let contexts: Api<api::keptn::KeptnAppContext> = Api::namespaced(client, "shop");
    let other = async { contexts.get("shop").await.ok() };
    other.with_subscriber(stage.subscriber()).await;
    stage.stop().await;
    let asked = server.asked("keptnappcontexts");
    let [of_effect, other] = &asked[..] else { panic!("not two requests: {asked:?}") };
    let all = spans(&collector);
    let request = named(&all, "GET keptnappcontexts");
    let trace = u128::from_be_bytes(request.trace_id.clone().try_into().unwrap());
    let span = u64::from_be_bytes(request.span_id.clone().try_into().unwrap());
    let traceparent = format!("00-{trace:032x}-{span:016x}-01");
    assert_eq!(of_effect.traceparent.as_deref(), Some(&*traceparent));
    assert_eq!(other.traceparent, None);
}

#[tokio::test]
async fn what_brings_nothing_about_has_no_trace() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let stage = Stage::to(&url, &[]);
    let causes = Causes::new(Some(&stage.own));
    drop(causes.due(at(0)));
    stage.stop().await;
    assert_eq!(collector.asked(), 0);
}

#[tokio::test]
async fn an_admission_is_a_part_of_the_trace_of_who_asks() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let stage = Stage::to(&url, &[]);
    let asks = |traceparent: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", traceparent.parse().unwrap());
        tracing::subscriber::with_default(stage.subscriber(), || {
            admission(&headers).in_scope(|| admitted(Some("shop"), "shop-1.0.0", "decided"));
        });
    };
    asks(KEPTN);
    // Who asks does not want this one to be recorded.
    asks(&format!("{}00", &KEPTN[..53]));
    stage.stop().await;
    let all = spans(&collector);
    let [span] = &all[..] else { panic!("not one span: {all:?}") };
    assert_eq!((&*span.name, span.kind), ("admit keptnappversions", 2));
    let keptn = u128::from_str_radix(&KEPTN[3..35], 16).unwrap().to_be_bytes();
    assert_eq!(span.trace_id, keptn);
    assert_eq!(text(&span.attributes, "throughline.admission.answer"), "decided");
    assert_eq!(text(&span.attributes, "throughline.object.name"), "shop-1.0.0");
}

#[tokio::test]
async fn of_what_is_not_sampled_nothing_is_sent() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let (_server, client) = client().await;
    for sampler in ["always_off", "parentbased_always_off", "parentbased_traceidratio"] {
        let none = ("OTEL_TRACES_SAMPLER_ARG", "0");
        let stage = Stage::to(&url, &[("OTEL_TRACES_SAMPLER", sampler), none]);
        stage.link(client.clone(), failed()).await;
        stage.stop().await;
    }
    assert_eq!(collector.asked(), 0);
}

/// Ends many effects at once, of which each has a span.
fn many(stage: &Stage, count: usize) {
    tracing::subscriber::with_default(stage.subscriber(), || {
        for _ in 0..count {
            drop(admission(&HeaderMap::new()));
        }
    });
}

#[tokio::test]
async fn what_a_collector_does_not_take_in_time_is_dropped_and_holds_nothing_up() {
    let (collector, url) = Collector::start(Mood::Hangs).await;
    let stage = Stage::to(&url, &[]);
    many(&stage, BATCH);
    // One batch is on the way for ever, the queue is filled, and the rest finds no place in it.
    collector.arrival().await;
    many(&stage, 3 * QUEUE);
    // The stop waits no longer than the last spans have.
    tokio::time::timeout(Duration::from_secs(30), stage.stop()).await.unwrap();
    assert!(spans(&collector).is_empty());
}

#[tokio::test]
async fn the_queue_has_an_end() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let stage = Stage::to(&url, &[]);
    // The thread that sends needs this one, which is busy.
    many(&stage, 5 * QUEUE);
    stage.stop().await;
    let sent = spans(&collector).len();
    assert!((QUEUE..=QUEUE + BATCH).contains(&sent), "{sent}");
}

#[tokio::test]
async fn a_token_that_was_replaced_goes_with_the_next_spans() {
    let (collector, url) = Collector::start(Mood::Takes).await;
    let folder = std::env::temp_dir().join(format!("throughline-own-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let token = folder.join("token");
    std::fs::write(&token, "old").unwrap();
    let file = ("OTEL_EXPORTER_OTLP_BEARER_TOKEN_FILE", token.to_str().unwrap());
    let stage = Stage::to(&url, &[file]);
    for value in ["old", "new"] {
        std::fs::write(&token, value).unwrap();
        many(&stage, 1);
        let provider = stage.own.provider.clone();
        spawn_blocking(move || provider.force_flush()).await.unwrap().unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(collector.authorized(), ["Bearer old", "Bearer new"]);
}
