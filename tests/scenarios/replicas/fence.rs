//! The API server refuses what an earlier leader writes.

use api::{FENCED, RolloutTrace};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Outcome, Pair};

#[tokio::test]
async fn an_epoch_never_goes_back() -> Outcome {
    let pair = Pair::begin("fenced").await?;
    pair.shop.rollout("cart").version("1.0.0").apply().await?.healthy_at("1.0.0").await?;
    let written = |trace: &RolloutTrace| {
        trace.status.as_ref().is_some_and(|status| status.writer_epoch == Some(1))
    };
    pair.chains.trace_until("cart", "written by the first leader", written).await?;
    let traces: Api<RolloutTrace> = pair.namespace.api();
    let params = PatchParams::default();
    for wrong in [json!({ "status": { "writerEpoch": 0 } }), json!({ "status": null })] {
        let refused = traces.patch_status("cart", &params, &Patch::Merge(&wrong)).await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(FENCED), "{wrong}: {error}");
    }
    // A person may still change the spec.
    let spec = json!({ "spec": { "history": 3 } });
    traces.patch("cart", &params, &Patch::Merge(&spec)).await?;

    // A later leader that this one knows nothing of: it leads no more, and then as the latest.
    let later = json!({ "status": { "writerEpoch": 7 } });
    traces.patch_status("cart", &params, &Patch::Merge(&later)).await?;
    let history = json!({ "spec": { "history": 4 } });
    traces.patch("cart", &params, &Patch::Merge(&history)).await?;
    let mut cart = pair.shop.rollout("cart").version("1.0.0").apply().await?;
    cart.apply_version("2.0.0").await?;
    let latest = |trace: &RolloutTrace| {
        trace.status.as_ref().is_some_and(|status| status.writer_epoch > Some(7))
    };
    pair.chains.trace_until("cart", "written by a leader after that one", latest).await?;
    Ok(())
}
