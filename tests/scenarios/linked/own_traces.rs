//! Traces of the operator itself, as Jaeger has them.

use std::time::Duration;

use throughline_tests::admission::Webhook;
use throughline_tests::chain::{Chains, ids};
use throughline_tests::cluster::Cluster;
use throughline_tests::jaeger::{Span, Trace};
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::shop::Shop;

use super::{Outcome, Story, waiting};

const PATIENCE: Duration = Duration::from_secs(30);

/// A story whose operator calls itself by the name of its namespace; and that name.
async fn begin(name: &str, flags: &[&str]) -> Result<(Story, String), Box<dyn std::error::Error>> {
    let cluster = Cluster::shared()?;
    Keptn::shared().await?;
    let namespace = cluster.namespace(name).await?;
    let webhook = Webhook::register(cluster, namespace.name()).await?;
    let service = format!("operator-of-{}", namespace.name());
    let flags = webhook.flags().into_iter().chain(flags.iter().map(|it| (*it).to_owned()));
    let settings = Settings {
        flags: flags.collect(),
        variables: vec![("OTEL_SERVICE_NAME".into(), service.clone())],
        ..Settings::default()
    };
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;
    webhook.asked(&namespace, &operator).await?;
    let story = Story {
        shop: Shop::new(&namespace),
        chains: Chains::of(&namespace, cluster.jaeger()),
        operator,
        namespace,
    };
    Ok((story, service))
}

/// The spans of a trace below one of them, by name.
fn below<'a>(trace: &'a Trace, span: &'a Span, name: &str) -> Vec<&'a Span> {
    trace.children(span).filter(|child| child.operation == name).collect()
}

fn ends(span: &Span) -> u64 {
    span.start + span.duration
}

#[tokio::test]
async fn own_traces_lead_from_the_trace_that_is_seen_to_the_link_that_is_written() -> Outcome {
    let (story, service) = begin("own-traces", &["--otlp-own-traces"]).await?;
    let cart = story.rollout("cart").canary(waiting()).apply().await?;
    cart.healthy_at("1.0.0").await?;
    let first = story.chains.written_ahead("cart", "1.0.0").await?;
    let keptn = first.keptn.and_then(|keptn| keptn.traceparent).ok_or("no trace of Keptn's")?;
    let (keptn, _) = ids(&keptn).ok_or("no traceparent")?;

    let jaeger = Cluster::shared()?.jaeger();
    let link = |traces: &[Trace]| {
        let mut written = traces.iter().filter_map(|trace| {
            let root = trace.roots().find(|root| root.operation.starts_with("keptn"))?;
            let write = below(trace, root, "write keptnappcontexts").first().copied()?;
            Some((trace.clone(), root.clone(), write.clone()))
        });
        written.find(|(_, root, _)| root.links().any(|link| link.trace_id == keptn))
    };
    let condition = "with a trace from what was seen to the KeptnAppContext";
    let traces = jaeger.await_traces(&service, PATIENCE, condition, |all| link(all).is_some());
    let (trace, root, write) = link(&traces.await?).ok_or("it is gone")?;
    assert_eq!(root.tag("k8s.namespace.name"), Some(story.namespace.name()));
    assert!(root.start <= write.start && ends(&write) <= ends(&root), "{root:?} {write:?}");
    let request = trace.children(&write).next().ok_or("no request below it")?;
    assert!(
        ["POST keptnappcontexts", "PATCH keptnappcontexts"].contains(&&*request.operation),
        "{request:?}"
    );
    assert_eq!(request.tag("span.kind"), Some("client"));
    assert!(request.tags["http.response.status_code"].as_u64().is_some_and(|it| it < 300));
    assert!(write.start <= request.start && ends(request) <= ends(&write));

    // What the API server asked, and the other objects that were written.
    let has = |traces: &[Trace], effect: &str, request: &str| {
        traces.iter().any(|trace| {
            let spans = trace.spans.iter().filter(|span| span.operation == effect);
            spans.into_iter().any(|span| !below(trace, span, request).is_empty())
        })
    };
    let traces = jaeger
        .await_traces(&service, PATIENCE, "with each kind of write", |all| {
            has(all, "write rollouttraces", "PATCH rollouttraces/status")
                && has(all, "write rolloutattempts", "POST rolloutattempts")
                && all.iter().any(|trace| {
                    // The Event follows from the answer to the write.
                    let stored = trace.span("write rolloutattempts").is_some();
                    stored && trace.span("write events").is_some()
                })
                && all.iter().any(|trace| {
                    trace.span("admit keptnappversions").is_some_and(|admission| {
                        // It follows nothing.
                        admission.tag("throughline.admission.answer") == Some("unchanged")
                            && admission.tag("span.kind") == Some("server")
                    })
                })
        })
        .await?;
    // The spans of the attempt are another service's, and none of them is an own one.
    for span in traces.iter().flat_map(|trace| &trace.spans) {
        assert!(span.service == service && !span.operation.starts_with("rollout "), "{span:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_who_does_not_ask_for_own_traces_has_any() -> Outcome {
    let (story, service) = begin("no-own-traces", &[]).await?;
    let cart = story.first(story.rollout("cart").canary(waiting())).await?;
    // Whatever there was would have left by the end of the process.
    story.operator.terminate().await?;
    let services = Cluster::shared()?.jaeger().services().await?;
    assert!(!services.contains(&service), "{services:?}");
    assert!(!services.iter().any(|it| it == "throughline"), "{services:?}");
    drop(cart);
    Ok(())
}
