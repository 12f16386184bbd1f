//! Links by admission: each KeptnAppVersion that Keptn makes, whatever made it do so, has the links of
//! its own attempt and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use api::keptn::{KeptnAppContext, KeptnAppVersion};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use throughline_tests::admission::Webhook;
use throughline_tests::chain::{Chains, ids, lines};
use throughline_tests::cluster::Cluster;
use throughline_tests::keptn::Keptn;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::shop::{Rollout, Shop};

use super::{Outcome, Story, waiting};

const PATIENCE: Duration = Duration::from_mins(1);

/// A story whose operator the API server asks; `flags` are further ones of the operator's.
async fn begin(name: &str, flags: &[&str]) -> Result<(Story, Webhook), Box<dyn std::error::Error>> {
    let cluster = Cluster::shared()?;
    Keptn::shared().await?;
    let namespace = cluster.namespace(name).await?;
    let webhook = Webhook::register(cluster, namespace.name()).await?;
    let flags = webhook.flags().into_iter().chain(flags.iter().map(|it| (*it).to_owned()));
    let settings = Settings { flags: flags.collect(), ..Settings::default() };
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;
    webhook.asked(&namespace, &operator).await?;
    let story = Story {
        shop: Shop::new(&namespace),
        chains: Chains::of(&namespace, cluster.jaeger()),
        operator,
        namespace,
    };
    Ok((story, webhook))
}

impl Story {
    /// All KeptnAppVersions by name, once there is one with this beginning and as many others as
    /// there have to be.
    async fn app_versions(
        &self,
        begins: &str,
        count: usize,
    ) -> Result<BTreeMap<String, KeptnAppVersion>, Box<dyn std::error::Error>> {
        let api: Api<KeptnAppVersion> = self.namespace.api();
        let since = Instant::now();
        loop {
            let listed = api.list(&ListParams::default()).await?;
            let all: BTreeMap<_, _> = listed.into_iter().map(|it| (it.name_any(), it)).collect();
            if all.keys().filter(|name| name.starts_with(begins)).count() >= count {
                return Ok(all);
            }
            let names: Vec<_> = all.keys().collect();
            let late = format!("no {count} of {begins} after a minute, but {names:?}");
            if since.elapsed() > PATIENCE {
                return Err(late.into());
            }
            // Polls the condition in the API server, for a minute at most.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What each KeptnAppVersion links to, by the versions of the KeptnAppVersions whose AppDeploy
    /// spans these are; in the order in which they were made.
    async fn links(&self) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let all = self.app_versions("", 1).await?;
        let mut all: Vec<_> = all.into_values().collect();
        all.sort_by_key(|it| (it.creation_timestamp(), generation(&it.name_any())));
        let of_link: BTreeMap<String, String> =
            all.iter().filter_map(|it| Some((app_deploy(it)?, it.name_any()))).collect();
        let line = |it: &KeptnAppVersion| {
            let linked = links(it);
            let names: BTreeSet<&str> = linked
                .iter()
                .map(|link| of_link.get(link).map_or(link.as_str(), String::as_str))
                .collect();
            format!("{}: {}", it.name_any(), names.into_iter().collect::<Vec<_>>().join(" "))
        };
        Ok(all.iter().map(line).collect())
    }

    /// Each root span of a KeptnAppVersion in Jaeger follows from what its spec says, and no other.
    async fn jaeger_shows_what_was_decided(&self) -> Outcome {
        for (name, version) in self.app_versions("", 1).await? {
            let Some(trace) = app_deploy(&version) else { continue };
            let expected: BTreeSet<_> = links(&version).iter().filter_map(|it| ids(it)).collect();
            let (id, _) = ids(&trace).unwrap();
            let cluster = Cluster::shared()?;
            let condition = format!("with a root {name} that follows from {expected:?}");
            let is = |trace: &throughline_tests::jaeger::Trace| {
                trace.span(&name).is_some_and(|root| {
                    let links = root.links().map(|it| (it.trace_id.clone(), it.span_id.clone()));
                    root.parent().is_none() && links.collect::<BTreeSet<_>>() == expected
                })
            };
            cluster.jaeger().await_trace(&id, PATIENCE, &condition, is).await?;
        }
        Ok(())
    }
}

fn links(version: &KeptnAppVersion) -> Vec<String> {
    version.spec.as_ref().and_then(|spec| spec.span_links.clone()).unwrap_or_default()
}

fn app_deploy(version: &KeptnAppVersion) -> Option<String> {
    let phases = version.status.as_ref()?.phase_trace_ids.as_ref()?;
    phases.get("AppDeploy")?.get("traceparent").cloned()
}

fn generation(name: &str) -> Option<u32> {
    timeline::keptn::generation::of_name(name)
}

/// A pod of a version dies, and its ReplicaSet makes another.
async fn pod_dies(cart: &Rollout, version: &str) -> Outcome {
    for pod in cart.pods().await? {
        let label = |key: &str| pod.labels().get(key).map(String::as_str);
        if label("app.kubernetes.io/version") == Some(version) {
            let name = pod.name_any();
            cart.namespace().kubectl(&["delete", "pod", &name, "--wait=false"]).await?;
            return Ok(());
        }
    }
    Err(format!("no pod of {version}").into())
}

#[tokio::test]
async fn each_version_that_keptn_makes_follows_what_it_really_followed() -> Outcome {
    let (story, _) = begin("admitted", &[]).await?;
    let manifest = story.shop.rollout("cart").version("1.0.0").canary(waiting());
    let mut cart = story.first(manifest).await?;
    cart.apply_version("2.0.0").await?;
    cart.paused().await?;
    story.chains.written_ahead("cart", "2.0.0").await?;

    // An old pod dies in mid-canary: Keptn makes 1.0.0 again, which follows nothing.
    pod_dies(&cart, "1.0.0").await?;
    story.app_versions("cart-1.0.0-", 2).await?;
    // And 2.0.0 again with its next pod, which follows 1.0.0 as before.
    pod_dies(&cart, "2.0.0").await?;
    story.app_versions("cart-2.0.0-", 2).await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    story.promoted(&cart, "2.0.0").await?;

    // A revision that is aborted, and an old pod after that.
    cart.apply_version("3.0.0").await?;
    cart.paused().await?;
    story.chains.written_ahead("cart", "3.0.0").await?;
    cart.abort().await?;
    cart.aborted().await?;
    pod_dies(&cart, "2.0.0").await?;
    story.app_versions("cart-2.0.0-", 3).await?;
    // A retry, which is an attempt of its own. Keptn makes another version of it only if the abort
    // has made an old pod.
    cart.retry().await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("3.0.0").await?;
    story.promoted(&cart, "3.0.0").await?;

    // Back to 2.0.0: a rollback has a trace of its own and follows 3.0.0.
    cart.undo_to(2).await?;
    cart.paused().await?;
    cart.promote().await?;
    cart.healthy_at("2.0.0").await?;
    story.promoted(&cart, "2.0.0").await?;
    let all = story.links().await?;
    let first = |version: &str| {
        let begins = format!("cart-{version}-");
        let line = all.iter().find(|line| line.starts_with(&begins)).unwrap();
        line.split_once(':').unwrap().0.to_owned()
    };
    let (one, two, three) = (first("1.0.0"), first("2.0.0"), first("3.0.0"));
    let last = all.len() - 1;
    for (index, line) in all.iter().enumerate() {
        let (name, links) = line.split_once(": ").unwrap();
        let links: Vec<&str> = links.split(' ').filter(|it| !it.is_empty()).collect();
        let version = name.trim_start_matches("cart-").split('-').next().unwrap();
        let right = match version {
            "1.0.0" => links.is_empty(),
            // The rollback came last; whatever followed 3.0.0's own trace or its retry's.
            "2.0.0" if index == last => links.len() == 1 && links[0].starts_with("cart-3.0.0-"),
            "2.0.0" => links == [&one],
            "3.0.0" if name == three => links == [&two],
            // The retry follows what is live and the try before it.
            _ => links == [&two, &three] || links == [&two],
        };
        assert!(right, "{line}\n{}", all.join("\n"));
    }
    assert!(all.len() >= 7, "{}", all.join("\n"));
    story.jaeger_shows_what_was_decided().await
}

#[tokio::test]
async fn with_admission_alone_nothing_is_written_into_a_context() -> Outcome {
    let (story, webhook) = begin("admitted-alone", &["--links", "admission"]).await?;
    let mut cart =
        story.shop.rollout("cart").version("1.0.0").canary(super::timed()).apply().await?;
    cart.healthy_at("1.0.0").await?;
    story.promoted(&cart, "1.0.0").await?;
    story.update(&mut cart, "2.0.0").await?;
    // A process that was killed left its authority behind; the next one has another.
    story.operator.kill();
    story.operator.resume()?;
    story.operator.ready().await?;
    webhook.asked(&story.namespace, &story.operator).await?;
    story.update(&mut cart, "3.0.0").await?;
    let chain = [
        "1 1.0.0 Promoted [] cart-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] cart-2.0.0-d4735e3a Applied",
        "3 3.0.0 Promoted [Successor 2] cart-3.0.0-4e074085 Applied",
    ];
    let trace = story.chains.reads("cart", &chain).await?;
    story.chains.jaeger_agrees(&trace, &[]).await?;
    let contexts: Api<KeptnAppContext> = story.namespace.api();
    assert_eq!(contexts.list(&ListParams::default()).await?.items.len(), 0);
    let cluster = Cluster::shared()?;
    assert_eq!(webhook.bundle(cluster).await?.matches("BEGIN").count(), 2);
    story.operator.terminate().await?;
    let left = webhook.bundle(cluster).await?;
    assert_eq!(left.matches("BEGIN").count(), 1, "its own authority goes with it: {left}");
    Ok(())
}

#[tokio::test]
async fn where_nobody_answers_what_was_written_ahead_serves() -> Outcome {
    let cluster = Cluster::shared()?;
    // It takes connections and says nothing, as a node does that hangs.
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let story = Story::begin("unanswered").await?;
    let namespace = story.namespace.name();
    let port = silent.local_addr()?.port();
    let webhook = Webhook::register_at(cluster, namespace, port).await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.update(&mut cart, "2.0.0").await?;
    story
        .shows(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
            ],
            &["shop-2.0.0-d4735e3a"],
        )
        .await?;
    silent.set_nonblocking(true)?;
    assert!(silent.accept().is_ok(), "the API server has asked");
    assert!(webhook.unanswered(cluster).await? >= 2, "once for each version");
    Ok(())
}

#[tokio::test]
async fn of_two_rollouts_in_an_app_only_what_changes_is_linked() -> Outcome {
    let (story, _) = begin("admitted-two", &[]).await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    let _pay = story.first(story.rollout("pay")).await?;
    story.update(&mut cart, "2.0.0").await?;
    let all = story.links().await?;
    assert_eq!(all.len(), 3, "{all:?}");
    let name = |index: usize| all[index].split_once(':').unwrap().0;
    // The second is pay's first, and cart's is not new in it; in the third pay's is not.
    assert_eq!(all[0], format!("{}: ", name(0)));
    assert_eq!(all[1], format!("{}: ", name(1)));
    assert_eq!(all[2], format!("{}: {}", name(2), name(0)));
    story.jaeger_shows_what_was_decided().await
}

#[tokio::test]
async fn a_rollout_that_is_made_again_follows_nothing() -> Outcome {
    let (story, _) = begin("admitted-again", &[]).await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.update(&mut cart, "2.0.0").await?;
    cart.delete().await?;
    cart.gone().await?;
    let mut cart = story.rollout("cart").version("3.0.0").apply().await?;
    cart.healthy_at("3.0.0").await?;
    story.promoted(&cart, "3.0.0").await?;
    story.update(&mut cart, "4.0.0").await?;
    let chain = [
        "1 3.0.0 Promoted [] shop-3.0.0-4e074085 None",
        "2 4.0.0 Promoted [Successor 1] shop-4.0.0-4b227777 Applied",
    ];
    let trace = story.chains.reads("cart", &chain).await?;
    assert_eq!(lines(&trace).len(), 2);
    assert_eq!(
        story.links().await?,
        [
            "shop-1.0.0-6b86b273: ",
            "shop-2.0.0-d4735e3a: shop-1.0.0-6b86b273",
            "shop-3.0.0-4e074085: ",
            "shop-4.0.0-4b227777: shop-3.0.0-4e074085",
        ]
    );
    Ok(())
}
