//! Values that nobody would write, in objects that anybody may write.

use super::{Outcome, SECOND, Story, version};

impl Story {
    /// Merges a patch over an object of the namespace, as anybody may who can write it.
    async fn patches(&self, object: &str, subresource: &str, patch: &str) -> Outcome {
        let mut args = vec!["patch", object, "--type=merge", "-p", patch];
        if !subresource.is_empty() {
            args.extend(["--subresource", subresource]);
        }
        self.namespace.kubectl(&args).await?;
        Ok(())
    }
}

/// jiff ends at 9999-12-30T22:00:00Z: nothing can be later, and nothing has to be.
#[tokio::test]
async fn an_app_version_that_ends_when_time_ends_harms_nobody() -> Outcome {
    let story = Story::with_keptn("time-ends").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    let listed = story.namespace.kubectl(&["get", "keptnappversions", "-o", "name"]).await?;
    let first = listed.lines().next().ok_or("no KeptnAppVersion")?;
    for end in ["9999-12-30T22:00:00Z", "9999-12-30T21:59:59Z", "0001-01-01T00:00:00Z"] {
        let patch = format!(r#"{{"status":{{"endTime":"{end}"}}}}"#);
        story.patches(first, "status", &patch).await?;
    }
    let mut pay = story.first(story.rollout("pay")).await?;
    story.ships(&mut cart, SECOND, version("2.0.0")).await?;
    // What is stored is read anew.
    story.operator.kill();
    story.operator.resume()?;
    story.operator.ready().await?;
    story.ships(&mut pay, SECOND, version("2.0.0")).await?;
    for rollout in ["cart", "pay"] {
        let lines =
            ["1.1 Promoted Initial, exposed = nothing", "2.1 Promoted, exposed = deployment"];
        story.reports(rollout, &lines).await?;
    }
    Ok(())
}

/// A RolloutAttempt that counts more entries than there can be is left alone.
#[tokio::test]
async fn a_stored_attempt_with_an_absurd_count_harms_nobody_else() -> Outcome {
    let story = Story::begin("absurd").await?;
    let mut cart = story.first(story.rollout("cart")).await?;
    let mut pay = story.first(story.rollout("pay")).await?;
    story.begins(&mut cart, version("2.0.0")).await?;
    cart.paused_at(1).await?;
    let stored = |journal: &timeline::journal::Journal| journal.closed > 0;
    let attempt = story.attempts.until("cart", SECOND, "stored", stored).await?;
    story.operator.kill();
    let name = format!("rolloutattempt/{}", attempt.name);
    let absurd = r#"{"status":{"closed":4294967295,"exported":{"until":4294967295}}}"#;
    story.patches(&name, "", absurd).await?;
    story.operator.resume()?;
    story.operator.ready().await?;
    cart.promote().await?;
    cart.healthy().await?;
    story.begins(&mut pay, version("2.0.0")).await?;
    pay.paused_at(1).await?;
    pay.promote().await?;
    pay.healthy().await?;
    story.counts("pay", "deployments 1; exposed 0 of 1; lead N 0; recovery N 0").await?;
    // It is as it was, for a person to mend.
    let kept = ["get", &name, "-o", "jsonpath={.status.closed}"];
    assert_eq!(story.namespace.kubectl(&kept).await?, "4294967295");
    Ok(())
}
