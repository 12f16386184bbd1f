//! Others who edit the same KeptnAppContext, and settings of a person.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use api::RolloutTrace;
use api::keptn::{KeptnAppContext, OURS};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use throughline_tests::chain::newest;
use throughline_tests::shop::weight;
use tokio::sync::watch;

use super::{Outcome, Story};

const THEIRS: &str = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-aaaaaaaaaaaaaaaa-01";
const OTHER: &str = "00-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-bbbbbbbbbbbbbbbb-01";

/// The KeptnAppContext whole, fields that Throughline never reads included.
fn contexts(story: &Story) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("lifecycle.keptn.sh", "v1", "KeptnAppContext");
    let resource = ApiResource::from_gvk(&kind);
    Api::namespaced_with(story.namespace.client(), story.namespace.name(), &resource)
}

/// What is not ours in it: foreign links in order, and every other field of a person's.
fn foreign(context: &DynamicObject) -> (Vec<String>, Value) {
    let annotations = context.metadata.annotations.clone().unwrap_or_default();
    let ours = annotations.get(OURS).and_then(|ours| serde_json::from_str(ours).ok());
    let ours: Vec<String> = ours.unwrap_or_default();
    let mut spec = context.data["spec"].clone();
    let links: Vec<String> = serde_json::from_value(spec["spanLinks"].take()).unwrap_or_default();
    let theirs = annotations.into_iter().filter(|(key, _)| key != OURS).collect::<Vec<_>>();
    let rest = json!({ "spec": spec, "labels": context.metadata.labels, "annotations": theirs });
    (links.into_iter().filter(|link| !ours.contains(link)).collect(), rest)
}

#[tokio::test]
async fn a_context_that_a_person_owns_and_edits_keeps_all_that_is_theirs() -> Outcome {
    let story = Story::begin("user-owned").await?;
    let contexts = contexts(&story);
    let mine = serde_json::from_value(json!({
        "apiVersion": "lifecycle.keptn.sh/v1",
        "kind": "KeptnAppContext",
        "metadata": { "name": "shop", "labels": { "team": "a" }, "annotations": { "note": "b" } },
        "spec": {
            "metadata": { "commit": "c0ffee", "count": "0" },
            "spanLinks": [THEIRS, "not a traceparent", OTHER],
            "postDeploymentTasks": ["report"],
        },
    }))?;
    contexts.create(&PostParams::default(), &mine).await?;

    // A person edits all the time, as kubectl edit does: what was read is written back changed.
    let stop = Arc::new(AtomicBool::new(false));
    let (made, mut edits) = watch::channel(0_usize);
    let person = tokio::spawn({
        let (contexts, stop) = (contexts.clone(), stop.clone());
        async move {
            let mut last = None;
            while !stop.load(Ordering::Relaxed) {
                let mut context = contexts.get("shop").await?;
                if let Some(last) = &last {
                    assert_eq!(foreign(&context), *last, "something of a person's has changed");
                }
                let edit = *made.borrow() + 1;
                context.data["spec"]["metadata"]["count"] = json!(edit.to_string());
                if let Some(links) = context.data["spec"]["spanLinks"].as_array_mut() {
                    // Foreign entries are swapped around those of the operator.
                    let theirs = |link: &Value| link == THEIRS || link == OTHER;
                    let places: Vec<_> =
                        (0..links.len()).filter(|place| theirs(&links[*place])).collect();
                    links.swap(places[0], places[1]);
                }
                match contexts.replace("shop", &PostParams::default(), &context).await {
                    Ok(stored) => {
                        last = Some(foreign(&stored));
                        made.send_replace(edit);
                    }
                    Err(kube::Error::Api(status)) if status.is_conflict() => {}
                    Err(error) => return Err(error),
                }
                // The pace of the one who edits: nothing is waited for.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok::<_, kube::Error>(last)
        }
    });

    let mut cart = story.first(story.rollout("cart")).await?;
    story.update(&mut cart, "2.0.0").await?;
    story.update(&mut cart, "3.0.0").await?;
    story
        .chains
        .reads(
            "cart",
            &[
                "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
                "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
                "3 3.0.0 Promoted [Successor 2] shop-3.0.0-4e074085 Applied",
            ],
        )
        .await?;
    let own =
        story.chains.written_ahead("cart", "3.0.0").await?.keptn.unwrap().traceparent.unwrap();
    story
        .chains
        .context_until("shop", "with one link of ours", |links| {
            links.len() == 4 && links.contains(&own)
        })
        .await?;
    // The person was busy all the while, however slow the machine is.
    let busy = tokio::time::timeout(Duration::from_mins(1), edits.wait_for(|edits| *edits > 50));
    // If the person has ended, why is said below.
    busy.await?.ok();
    stop.store(true, Ordering::Relaxed);
    let last = person.await??;
    assert_eq!(Some(foreign(&contexts.get("shop").await?)), last);
    Ok(())
}

#[tokio::test]
async fn a_list_that_a_gitops_tool_keeps_resetting_is_left_alone_and_that_is_said() -> Outcome {
    let story = Story::begin("contended").await?;
    let contexts: Api<KeptnAppContext> = story.namespace.api();
    let (stop, resets) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let git = tokio::spawn({
        let (contexts, stop, resets) = (contexts.clone(), stop.clone(), resets.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                if let Some(context) = contexts.get_opt("shop").await?
                    && context.spec.clone().unwrap_or_default().span_links.as_deref()
                        != Some(&[THEIRS.to_owned()])
                {
                    let patch = Patch::Merge(json!({ "spec": { "spanLinks": [THEIRS] } }));
                    contexts.patch("shop", &PatchParams::default(), &patch).await?;
                    resets.fetch_add(1, Ordering::Relaxed);
                }
                // How often the tool looks: nothing is waited for.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok::<_, kube::Error>(())
        }
    });
    let cart = story.rollout("cart").apply().await?;
    cart.healthy_at("1.0.0").await?;
    let contended = |trace: &RolloutTrace| linked(trace) == ("False", "Contended");
    let trace = story.chains.trace_until("cart", "Linked=False, Contended", contended).await?;
    let conditions = trace.status.unwrap_or_default().conditions;
    assert!(conditions[1].message.contains("exempt that field in your GitOps tool"));
    let before = contexts.get("shop").await?.metadata.resource_version;
    // Nothing new is written about the links of the next revision, and the list stays git's.
    let mut cart = cart;
    cart.apply_version("2.0.0").await?;
    cart.healthy_at("2.0.0").await?;
    let lost = |trace: &RolloutTrace| {
        newest(trace).is_some_and(|entry| entry.linked.reason.contains("before the link to 1.0.0"))
    };
    story.chains.trace_until("cart", "with a lost link", lost).await?;
    assert_eq!(contexts.get("shop").await?.metadata.resource_version, before);
    assert_eq!(resets.load(Ordering::Relaxed), 5);
    stop.store(true, Ordering::Relaxed);
    Ok(git.await??)
}

#[tokio::test]
async fn a_trace_set_to_observe_has_no_link_written_and_says_so() -> Outcome {
    let story = Story::begin("observe-only").await?;
    let settings = json!({
        "apiVersion": "throughline.dev/v1alpha1",
        "kind": "RolloutTrace",
        "metadata": { "name": "cart" },
        "spec": { "mode": "Observe", "history": 2, "keepAfterDelete": true },
    });
    story.namespace.apply(&settings.to_string()).await?;
    let mut cart = story.rollout("cart").canary([weight(50)]).apply().await?;
    cart.healthy_at("1.0.0").await?;
    let observing = |trace: &RolloutTrace| {
        linked(trace) == ("False", "ObserveOnly")
            && newest(trace)
                .is_some_and(|entry| entry.keptn.as_ref().unwrap().traceparent.is_some())
    };
    story.chains.trace_until("cart", "Linked=False, ObserveOnly", observing).await?;
    for version in ["2.0.0", "3.0.0"] {
        cart.apply_version(version).await?;
        cart.healthy_at(version).await?;
        story.promoted(&cart, version).await?;
    }
    let trace = story
        .chains
        .reads(
            "cart",
            &[
                "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Lost",
                "3 3.0.0 Promoted [Successor 2] shop-3.0.0-4e074085 Lost",
            ],
        )
        .await?;
    assert_eq!(trace.metadata.owner_references, None, "it is kept when the Rollout goes");
    let contexts: Api<KeptnAppContext> = story.namespace.api();
    assert!(contexts.get_opt("shop").await?.is_none());
    assert!(story.operator.metric("throughline_app_context_writes_total", "").await < 1.0);

    // Set back to Link, the links are written at once.
    let patch = Patch::Merge(json!({ "spec": { "mode": "Link" } }));
    let traces: Api<RolloutTrace> = story.namespace.api();
    traces.patch("cart", &PatchParams::default(), &patch).await?;
    story.chains.context_links("shop", &["shop-3.0.0-4e074085"]).await?;

    // To observe again is to take them out, and the KeptnAppContext with them, which held nothing else.
    let patch = Patch::Merge(json!({ "spec": { "mode": "Observe" } }));
    traces.patch("cart", &PatchParams::default(), &patch).await?;
    Ok(story.chains.context_gone("shop").await?)
}

#[tokio::test]
async fn a_trace_that_was_deleted_by_mistake_is_made_again() -> Outcome {
    let story = Story::begin("deleted-trace").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.update(&mut cart, "2.0.0").await?;
    let chain = [
        "1 1.0.0 Promoted [] shop-1.0.0-6b86b273 None",
        "2 2.0.0 Promoted [Successor 1] shop-2.0.0-d4735e3a Applied",
    ];
    let before = story.chains.reads("cart", &chain).await?;
    let traces: Api<RolloutTrace> = story.namespace.api();
    traces.delete("cart", &kube::api::DeleteParams::default()).await?;
    let other =
        |trace: &RolloutTrace| trace.metadata.uid != before.metadata.uid && trace.status.is_some();
    let after = story.chains.trace_until("cart", "another", other).await?;
    assert_eq!(throughline_tests::chain::lines(&after), chain);
    Ok(())
}

#[tokio::test]
async fn settings_out_of_bounds_are_refused_and_the_refusal_says_what_is_allowed() -> Outcome {
    let story = Story::begin("refused").await?;
    for (spec, expected) in [
        (json!({ "history": 0 }), "spec.history is a number of attempts from 1 to 50"),
        (json!({ "history": 51 }), "should be less than or equal to 50"),
        (
            json!({ "dora": { "failureWindowHours": -1 } }),
            "spec.dora.failureWindowHours is a number of hours from 0 to 720",
        ),
        (json!({ "dora": { "failureWindowHours": 721 } }), "should be less than or equal to 720"),
        (json!({ "mode": "Sometimes" }), "supported values: \"Link\", \"Observe\""),
        (json!({ "keepAfterDelete": "yes" }), "expected boolean"),
    ] {
        let trace = json!({
            "apiVersion": "throughline.dev/v1alpha1",
            "kind": "RolloutTrace",
            "metadata": { "name": "cart" },
            "spec": spec,
        });
        let refused = story.namespace.apply(&trace.to_string()).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn kubectl_get_is_worth_reading_and_fits_the_screen() -> Outcome {
    let story = Story::begin("kubectl").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    story.update(&mut cart, "2.0.0").await?;
    let trace = story.chains.trace_until("cart", "there", |_| true).await?;
    let id = trace.status.and_then(|status| status.head).unwrap().trace_id;
    let table = story.namespace.kubectl(&["get", "rtr"]).await?;
    let mut lines = table.lines();
    let columns: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["NAME", "REV", "VERSION", "PHASE", "FOLLOWS", "LINKED", "TRACE", "AGE"]);
    let row: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["cart", "2", "2.0.0", "Promoted", "1.0.0", "Applied"]);
    assert_eq!(row[6], id);
    assert!(table.lines().all(|line| line.len() <= 100), "{table}");
    Ok(())
}

/// Status, reason and message of a condition; empty if there is none.
pub(super) fn condition<'a>(trace: &'a RolloutTrace, kind: &str) -> (&'a str, &'a str, &'a str) {
    let conditions = trace.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|condition| condition.type_ == kind);
    found.next().map_or(("", "", ""), |found| (&found.status, &found.reason, &found.message))
}

/// Status and reason of the condition Linked.
fn linked(trace: &RolloutTrace) -> (&str, &str) {
    let (status, reason, _) = condition(trace, "Linked");
    (status, reason)
}
