//! The operator killed, late, or short of a permission.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use api::RolloutTrace;
use api::keptn::{KeptnAppContext, KeptnAppVersion};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use throughline_tests::chain::{Chains, lines};
use throughline_tests::cluster::{Cluster, Options, User};
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings, install};
use throughline_tests::shop::Shop;

use super::{Outcome, Story, timed, waiting};

#[tokio::test]
async fn killed_at_five_points_of_a_rollout_it_shows_the_same_chain() -> Outcome {
    let story = Story::begin("killed").await?;
    let mut cart = story.first(story.rollout("cart").canary(waiting())).await?;
    let operator = &story.operator;

    // Before the revision, and while Keptn makes its trace.
    operator.kill();
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    operator.resume()?;
    story.chains.written_ahead("cart", "2.0.0").await?;
    // In the pause, with everything written.
    operator.kill();
    operator.resume()?;
    // At the promotion.
    operator.kill();
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    operator.resume()?;
    story.promoted(&cart, "2.0.0").await?;
    // As soon as the next revision is there.
    cart.apply_version("3.0.0").await?;
    operator.kill();
    operator.resume()?;
    cart.paused().await?;
    story.chains.written_ahead("cart", "3.0.0").await?;
    // At an abort; the operator is back only when it is over.
    operator.kill();
    cart.abort().await?;
    cart.aborted().await?;
    operator.resume()?;
    let aborted =
        |trace: &RolloutTrace| lines(trace).iter().any(|line| line.starts_with("3 3.0.0 Aborted"));
    story.chains.trace_until("cart", "of an abort", aborted).await?;
    story.chains.context_until("shop", "with two links", |links| links.len() == 2).await?;
    cart.apply_version("4.0.0").await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("4.0.0").await?;
    story.promoted(&cart, "4.0.0").await?;
    let expected = [
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
        "3 3.0.0 Aborted [Successor 2] shop-3.0.0-4e074085 Applied",
        // Which generation Keptn had reached depends on whether the abort made an old pod.
        "4 4.0.0 Promoted [Successor 2, After 3] shop-4.0.0-",
    ];
    let whole = |trace: &RolloutTrace| {
        let lines = lines(trace);
        lines.len() == 4
            && lines.iter().zip(expected).all(|(line, expected)| line.starts_with(expected))
            && lines[3].ends_with("Applied")
    };
    let trace = story.chains.trace_until("cart", "of four attempts", whole).await?;
    story.chains.jaeger_agrees(&trace, &[]).await?;
    story.chains.context_until("shop", "with one link", |links| links.len() == 1).await?;
    Ok(())
}

/// A cluster of its own, for what no neighbour may see.
fn cluster(options: Options) -> Result<&'static Cluster, Box<dyn std::error::Error>> {
    Ok(Box::leak(Box::new(Cluster::start(options)?)))
}

#[tokio::test]
async fn keptn_and_argo_may_come_after_the_operator_and_every_permission_is_used() -> Outcome {
    let cluster = cluster(Options { argo: false, audit: true, ..Options::default() })?;
    install(cluster).await?;
    let operator = Operator::start(cluster, "throughline", Settings::default()).await?;
    // Without Rollouts there is nothing to do, and it says what mends that.
    let install = "rollouts.argoproj.io is not installed: kubectl apply -n argo-rollouts";
    let rest = "keptnappversions.lifecycle.keptn.sh is not installed; the rest goes on";
    operator.not_ready(&[install, rest]).await?;
    let _keptn = Keptn::from_env()?.start(cluster).await?;
    cluster.install_argo().await?;

    let namespace = cluster.namespace("late").await?;
    let shop = Shop::new(&namespace);
    let chains = Chains::of(&namespace, cluster.jaeger());
    let first = shop.rollout("cart").app("shop").version("1.0.0").canary(timed());
    let mut cart = first.apply().await?;
    cart.healthy_at("1.0.0").await?;
    chains.written_ahead("cart", "1.0.0").await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let chain = [
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
    ];
    let trace = chains.reads("cart", &chain).await?;
    chains.context_links("shop", &["shop-2.0.0-d4735e3a"]).await?;
    chains.jaeger_agrees(&trace, &[]).await?;
    assert_eq!(operator.ready().await?, "everything is watched\n");

    // A KeptnAppContext that held nothing but links goes with what they were for.
    let pay = shop.rollout("pay").app("till").version("1.0.0").canary(timed()).apply().await?;
    pay.healthy_at("1.0.0").await?;
    chains.written_ahead("pay", "1.0.0").await?;
    pay.delete().await?;
    chains.context_gone("till").await?;

    // To be kept is to lose the owner; that is a patch of the RolloutTrace itself.
    let keep = Patch::Merge(json!({ "spec": { "keepAfterDelete": true } }));
    namespace.api::<RolloutTrace>().patch("cart", &PatchParams::default(), &keep).await?;
    // A conflict is what `get` is for: while the operator stands still, a trace appears and a
    // person edits a lot, so that it decides before it has read all of the edits.
    let granted = granted(cluster).await?;
    let contexts: Api<KeptnAppContext> = namespace.api();
    let account = "system:serviceaccount:throughline-system:throughline";
    for version in 3..20 {
        let used: BTreeSet<_> = cluster.audit()?.of(account)?.into_keys().collect();
        let beyond: Vec<_> = used.difference(&granted).collect();
        assert!(beyond.is_empty(), "asked for beyond config/rbac: {beyond:?}");
        // Events are read only while an attempt is stalled and nothing else says why. Where the API
        // server streams a list, it is a watch.
        let is_streamed = |resource: &String| used.contains(&("watch".into(), resource.clone()));
        let mut unused = granted.difference(&used);
        if unused.all(|(verb, it)| verb == "list" && (it == "events" || is_streamed(it))) {
            return Ok(());
        }
        operator.freeze()?;
        cart.apply_version(&format!("{version}.0.0")).await?;
        let traced = async || {
            let versions: Api<KeptnAppVersion> = namespace.api();
            let listed = versions.list(&ListParams::default()).await?;
            let count = |version: &&KeptnAppVersion| {
                let phases = version.status.as_ref().and_then(|it| it.phase_trace_ids.as_ref());
                phases.is_some_and(|phases| phases.contains_key("AppDeploy"))
            };
            Ok::<_, kube::Error>(listed.iter().filter(count).count())
        };
        let since = Instant::now();
        while traced().await? < version {
            assert!(since.elapsed() < Duration::from_mins(1), "no trace of {version}.0.0");
            // Polls the condition in the API server, for a minute at most.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for edit in 0..50 {
            let edit = json!({ "metadata": { "annotations": { "edit": edit.to_string() } } });
            contexts.patch("shop", &PatchParams::default(), &Patch::Merge(edit)).await?;
        }
        operator.thaw()?;
        cart.healthy().await?;
        chains.written_ahead("cart", &format!("{version}.0.0")).await?;
    }
    let used: BTreeSet<_> = cluster.audit()?.of(account)?.into_keys().collect();
    let unused: Vec<_> = granted.difference(&used).collect();
    Err(format!("granted and not used: {unused:?}").into())
}

/// What config/rbac grants to the operator: verb and resource.
async fn granted(
    cluster: &Cluster,
) -> Result<BTreeSet<(String, String)>, Box<dyn std::error::Error>> {
    let mut granted = BTreeSet::new();
    for role in ["throughline", "throughline-link"] {
        let role = cluster.kubectl(&["get", "clusterrole", role, "-o", "json"]).await?;
        let role: Value = serde_json::from_str(&role)?;
        for rule in role["rules"].as_array().into_iter().flatten() {
            for resource in rule["resources"].as_array().into_iter().flatten() {
                for verb in rule["verbs"].as_array().into_iter().flatten() {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    granted.insert((text(verb), text(resource)));
                }
            }
        }
    }
    Ok(granted)
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_and_the_rest_works() -> Outcome {
    let user = User::new("narrow", "token-of-narrow");
    let options = Options { users: vec![user], ..Options::default() };
    let cluster = cluster(options)?;
    install(cluster).await?;
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "narrow" },
        "rules": [
            { "apiGroups": ["argoproj.io"], "resources": ["rollouts"], "verbs": ["list", "watch"] },
            { "apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list", "watch"] },
            { "apiGroups": ["lifecycle.keptn.sh"], "resources": ["keptnappversions"],
              "verbs": ["list", "watch"] },
            { "apiGroups": ["lifecycle.keptn.sh"], "resources": ["keptnappcontexts"],
              "verbs": ["list", "watch", "get", "create", "patch"] },
            { "apiGroups": ["throughline.dev"], "resources": ["rollouttraces", "rollouttraces/status"],
              "verbs": ["list", "watch", "create", "patch"] },
            { "apiGroups": ["throughline.dev"], "resources": ["rolloutattempts"],
              "verbs": ["list", "watch", "create", "update"] },
            { "apiGroups": ["argoproj.io"], "resources": ["analysisruns", "experiments"],
              "verbs": ["list", "watch"] },
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "narrow" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "narrow" },
        "subjects": [{ "kind": "User", "name": "narrow" }],
    });
    cluster.apply(&format!("{role}\n---\n{binding}")).await?;
    let _keptn = Keptn::from_env()?.start(cluster).await?;
    let settings = Settings { user: "narrow".into(), ..Settings::default() };
    let operator = Operator::start(cluster, "throughline", settings).await?;
    let text = operator.ready().await?;
    let expected = "no permission to list keptnworkloadversions.lifecycle.keptn.sh: \
                    kubectl apply --server-side -k config/rbac; the rest goes on";
    assert!(text.contains(expected), "{text}");

    let namespace = cluster.namespace("narrow").await?;
    let shop = Shop::new(&namespace);
    let chains = Chains::of(&namespace, cluster.jaeger());
    let first = shop.rollout("cart").app("shop").version("1.0.0").canary(timed());
    let mut cart = first.apply().await?;
    cart.healthy_at("1.0.0").await?;
    chains.written_ahead("cart", "1.0.0").await?;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let chain = [
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
    ];
    let trace = chains.reads("cart", &chain).await?;
    chains.jaeger_agrees(&trace, &[]).await?;
    let conditions = trace.status.unwrap_or_default().conditions;
    let observed = &conditions[0];
    assert_eq!((&*observed.status, &*observed.reason), ("False", "Forbidden"));
    assert!(observed.message.contains("list keptnworkloadversions"), "{}", observed.message);
    Ok(())
}
