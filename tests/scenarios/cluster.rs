use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::api::{Api, ListParams};
use serde_json::json;
use throughline_tests::cluster::programs::{self, Program};
use throughline_tests::cluster::{Cluster, Error, Options, User};
use throughline_tests::shop::{PodKind, Shop, pause_for, weight};

#[tokio::test]
async fn a_canary_goes_through_its_steps() -> Result<(), Error> {
    let shop = Shop::new(&Cluster::shared()?.namespace("canary").await?);
    let steps = [weight(34), pause_for(1), weight(67), pause_for(1)];
    let mut cart = shop.rollout("cart").app("shop").version("1.0.0").canary(steps).apply().await?;
    let first = cart.healthy_at("1.0.0").await?;
    cart.apply_version("2.0.0").await?;
    cart.paused_at(1).await?;
    let second = cart.healthy_at("2.0.0").await?;

    assert_eq!((first.revision(), second.revision()), (Some(1), Some(2)));
    assert_ne!(first.stable(), second.stable());
    assert_eq!(second.step(), Some(4));
    Ok(())
}

#[tokio::test]
async fn pods_do_what_their_annotation_says() -> Result<(), Error> {
    let shop = Shop::new(&Cluster::shared()?.namespace("pods").await?);
    let make = |name, kind| shop.rollout(name).replicas(1).pods(kind).apply();
    let (slow, crash, oom, unschedulable, pull, bad) = tokio::try_join!(
        make("slow", PodKind::Slow(1500)),
        make("crash", PodKind::CrashLoop),
        make("oom", PodKind::OutOfMemory),
        make("nowhere", PodKind::Unschedulable),
        make("pull", PodKind::ImagePull),
        shop.rollout("cart").replicas(1).image("example/bad").apply(),
    )?;

    let pod = slow.pod_until("starting", |pod| waiting(pod) == "ContainerCreating").await?;
    assert!(!is_ready(&pod));
    let pod = slow.pod_until("ready", is_ready).await?;
    let status = pod.status.clone().unwrap_or_default();
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert!(status.pod_ip.is_some());

    for (rollout, exit_code, reason) in [(crash, 1, "Error"), (oom, 137, "OOMKilled")] {
        let pod =
            rollout.pod_until("in back-off", |pod| waiting(pod) == "CrashLoopBackOff").await?;
        let status = container(&pod);
        assert!(status.restart_count >= 1);
        let last = status.last_state.and_then(|state| state.terminated).unwrap();
        assert_eq!((last.exit_code, last.reason.as_deref()), (exit_code, Some(reason)));
        assert!(!is_ready(&pod));
    }

    for rollout in [pull, bad] {
        let pod =
            rollout.pod_until("in back-off", |pod| waiting(pod) == "ImagePullBackOff").await?;
        let message = state(&pod).waiting.and_then(|waiting| waiting.message).unwrap();
        assert!(message.starts_with("Back-off pulling image \"example/"), "{message}");
        assert!(message.contains("not found"), "{message}");
    }

    let pod = unschedulable.pod_until("unschedulable", is_unschedulable).await?;
    assert!(pod.spec.unwrap().node_name.is_none());
    Ok(())
}

#[tokio::test]
async fn pods_that_say_nothing_become_ready() -> Result<(), Error> {
    let shop = Shop::new(&Cluster::shared()?.namespace("soon").await?);
    let cart = shop.rollout("cart").replicas(1).apply().await?;
    cart.pod_until("ready", is_ready).await?;
    Ok(())
}

#[tokio::test]
async fn spans_come_back_from_jaeger() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::shared()?;
    let (trace, linked) = ("5b8aa5a2d2c872e8321cf37308d69df2", "0af7651916cd43dd8448eb211c80319c");
    let span = |id: &str, parent: &str, name: &str, links: serde_json::Value| {
        json!({
            "traceId": trace, "spanId": id, "parentSpanId": parent, "name": name, "kind": 1,
            "startTimeUnixNano": "1795240920000000000", "endTimeUnixNano": "1795240921000000000",
            "attributes": [{ "key": "step", "value": { "intValue": "2" } }], "links": links,
        })
    };
    let links = json!([{ "traceId": linked, "spanId": "b7ad6b7169203331" }]);
    let spans = [
        span("051581bf3cb55c13", "", "rollout cart", links),
        span("5fb397be34d26b51", "051581bf3cb55c13", "step", json!([])),
    ];
    let service = json!({ "key": "service.name", "value": { "stringValue": "post" } });
    let body = json!({ "resourceSpans": [{
        "resource": { "attributes": [service] }, "scopeSpans": [{ "spans": spans }],
    }] });
    let url = format!("http://{}/v1/traces", cluster.otlp_http());
    reqwest::Client::new().post(url).json(&body).send().await?.error_for_status()?;

    let within = Duration::from_secs(10);
    let is = |trace: &throughline_tests::jaeger::Trace| trace.spans.len() == 2;
    let found = cluster.jaeger().await_trace(trace, within, "of two spans", is).await?;
    let root = found.span("rollout cart").unwrap();
    assert_eq!(root.service, "post");
    assert_eq!(root.tags["step"], json!(2));
    assert_eq!(root.duration, 1_000_000);
    let links: Vec<_> = root.links().map(|link| (&*link.trace_id, &*link.span_id)).collect();
    assert_eq!(links, [(linked, "b7ad6b7169203331")]);
    let children: Vec<_> = found.children(root).map(|span| &*span.operation).collect();
    assert_eq!(children, ["step"]);
    assert_eq!(found.roots().count(), 1);
    assert!(cluster.jaeger().services().await?.contains(&"post".to_owned()));
    Ok(())
}

#[tokio::test]
async fn requests_are_counted_by_user() -> Result<(), Error> {
    let options = Options {
        argo: false,
        jaeger: false,
        audit: true,
        users: vec![User::new("reader", "token-of-reader")],
        ..Options::default()
    };
    let cluster = Cluster::start(options)?;
    for (user, allowed) in [("admin", true), ("throughline", false), ("reader", false)] {
        let pods: Api<Pod> = Api::all(cluster.client_as(user).await?);
        assert_eq!(pods.list(&ListParams::default()).await.is_ok(), allowed, "{user}");
    }
    assert!(cluster.kubeconfig_as("nobody").is_err());

    let list = ("list".to_owned(), "pods".to_owned());
    let audit = cluster.audit()?;
    assert_eq!(audit.of("reader")?.get(&list), Some(&1));
    let account = "system:serviceaccount:throughline-system:throughline";
    assert_eq!(audit.of(account)?.get(&list), Some(&1));

    assert!(cluster.kubectl(&["get", "rollouts"]).await.is_err());
    cluster.install_argo().await?;
    let shop = Shop::new(&cluster.namespace("later").await?);
    shop.rollout("cart").apply().await?.healthy().await?;

    cluster.stop(Program::RolloutsController)?;
    let pay = shop.rollout("pay").apply().await?;
    cluster.restart(Program::RolloutsController)?;
    pay.healthy().await?;
    Ok(())
}

#[test]
fn a_failed_start_shows_the_log() {
    let flags = vec!["--no-such-flag".to_owned()];
    let options = Options { api_server_flags: flags, ..Options::default() };
    let error = Cluster::start(options).unwrap_err();
    let Error::Ended { program, log, tail, .. } = error else { panic!("{error}") };
    assert_eq!(program, "kube-apiserver");
    assert!(tail.contains("unknown flag: --no-such-flag"), "{tail}");
    assert!(log.exists());
    std::fs::remove_dir_all(log.parent().and_then(Path::parent).unwrap()).unwrap();
}

const FACTS: &str = "THROUGHLINE_TEST_FACTS";

#[test]
fn nothing_outlives_a_killed_parent() {
    // From nothing that takes minutes, for which the parent is not waited.
    programs::build(&Program::ALL).unwrap();
    let facts = std::env::temp_dir().join(format!("throughline-facts-{}", std::process::id()));
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::parent"])
        .env(FACTS, &facts)
        .env_remove("THROUGHLINE_KEEP")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let read = || std::fs::read_to_string(&facts).ok().filter(|text| text.ends_with("end\n"));
    eventually("the cluster of the parent has started", || {
        assert!(parent.try_wait().unwrap().is_none(), "the parent has ended");
        read().is_some()
    });
    let text = read().unwrap();
    std::fs::remove_file(&facts).unwrap();
    let mut lines = text.lines();
    let dir = PathBuf::from(lines.next().unwrap());
    let ids: Vec<&str> = lines.filter(|line| *line != "end").collect();
    assert!(ids.len() >= 6, "{text}");
    assert!(dir.join("logs/etcd.log").exists());
    assert!(ids.iter().all(|id| runs(id)));

    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the processes and the folder are gone", || {
        !ids.iter().any(|id| runs(id)) && !dir.exists()
    });
}

// Does something only in the process that the test before it starts.
#[test]
fn parent() {
    let Some(facts) = std::env::var_os(FACTS) else {
        return;
    };
    let options = Options { argo: false, jaeger: false, ..Options::default() };
    let cluster = Cluster::start(options).unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    let sleep = cluster.spawn("sleep", sleep).unwrap();
    let mut text = format!("{}\n{}\n", cluster.dir().display(), sleep.id());
    for (_, id) in cluster.processes() {
        writeln!(text, "{id}").unwrap();
    }
    std::fs::write(facts, text + "end\n").unwrap();
    sleep.wait().unwrap();
}

// Without an init that reaps, those whose parent was killed stay as zombies.
fn runs(id: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(id).join("stat"));
    status.is_ok_and(|text| text.rsplit(')').next().is_some_and(|rest| !rest.starts_with(" Z")))
}

fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < Duration::from_secs(90), "not in time: {what}");
        // Processes of others and files: nothing signals a change, so the condition is polled.
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn container(pod: &Pod) -> ContainerStatus {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone());
    statuses.into_iter().flatten().next().unwrap_or_default()
}

fn state(pod: &Pod) -> ContainerState {
    container(pod).state.unwrap_or_default()
}

fn waiting(pod: &Pod) -> String {
    state(pod).waiting.and_then(|waiting| waiting.reason).unwrap_or_default()
}

fn has(pod: &Pod, condition: &str, status: &str, reason: Option<&str>) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref());
    conditions.unwrap_or_default().iter().any(|it| {
        it.type_ == condition
            && it.status == status
            && (reason.is_none() || it.reason.as_deref() == reason)
    })
}

fn is_ready(pod: &Pod) -> bool {
    has(pod, "Ready", "True", None) && container(pod).ready
}

fn is_unschedulable(pod: &Pod) -> bool {
    has(pod, "PodScheduled", "False", Some("Unschedulable"))
}
