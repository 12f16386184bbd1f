//! One life with everything in it.

use throughline_tests::shop::{PodKind, Rollout};

use super::{Outcome, Story, ago, is_rollback, ledger, summary};

const COMMIT: &str = "throughline.dev/commit";
const COMMIT_TIME: &str = "throughline.dev/commit-time";
const HOTFIX: &str = "throughline.dev/hotfix";

/// What happens, and what it counts as.
pub(super) const LIFE: [&str; 12] = [
    // Nothing.
    "1.1 Promoted Initial exposed",
    // A deployment, two hours after its commit.
    "2.1 Promoted Change exposed",
    // Aborted at 5 % of the traffic, with a pod that users could meet: a failure, exposed.
    "3.1 Aborted Change exposed",
    // Tried again: a deployment, which makes the failure before it good.
    "3.2 Promoted Change exposed",
    // An image that is not there: a failure, blocked.
    "4.1 Aborted Change",
    // A deployment, that the hotfix after it makes a failure.
    "5.1 Promoted Change exposed",
    // A deployment, and a fix.
    "6.1 Promoted Hotfix exposed",
    // A deployment, that is rolled back.
    "7.1 Promoted Change exposed",
    // A rollback, to revision 6.
    "8.1 Promoted Rollback exposed",
    // Superseded before it was decided.
    "9.1 Superseded Change exposed",
    // A deployment, and a fix: the first after the rollback.
    "10.1 Promoted Change exposed",
    // Taken back by applying what is live: a failure, exposed.
    "11.1 Reverted Change exposed",
];

impl Story {
    /// Lives it; the wait for each end makes the order of all that is stored one and the same.
    pub(super) async fn lives(&self) -> Result<Rollout, Box<dyn std::error::Error>> {
        let attempts = &self.attempts;
        let mut cart = self.first("cart").await?;
        let committed = ago(2);
        self.promotes(&mut cart, "2.0.0", (2, 1), |it| {
            it.pod_annotation(COMMIT, "2222").pod_annotation(COMMIT_TIME, &committed)
        })
        .await?;
        // From here on no commit time is one that can be right.
        cart.change(|it| {
            it.version("3.0.0").pod_annotation(COMMIT_TIME, "yesterday").pod_annotation(COMMIT, "3")
        })
        .await?;
        cart.paused_at(1).await?;
        cart.abort().await?;
        cart.aborted().await?;
        attempts.delivered("cart", (3, 1)).await?;
        cart.retry().await?;
        cart.paused_at(1).await?;
        cart.promote().await?;
        cart.healthy_at("3.0.0").await?;
        attempts.delivered("cart", (3, 2)).await?;
        cart.apply_version_with("4.0.0", PodKind::ImagePull).await?;
        cart.aborted().await?;
        attempts.delivered("cart", (4, 1)).await?;
        self.promotes(&mut cart, "5.0.0", (5, 1), |it| it).await?;
        self.promotes(&mut cart, "6.0.0", (6, 1), |it| it.pod_annotation(HOTFIX, "true")).await?;
        self.promotes(&mut cart, "7.0.0", (7, 1), |it| it.pod_annotation(HOTFIX, "false")).await?;
        cart.undo_to(6).await?;
        cart.at_revision(8).await?;
        cart.promote_full().await?;
        cart.healthy_at("6.0.0").await?;
        attempts.delivered("cart", (8, 1)).await?;
        cart.apply_version("9.0.0").await?;
        cart.paused_at(1).await?;
        self.promotes(&mut cart, "10.0.0", (10, 1), |it| it).await?;
        attempts.delivered("cart", (9, 1)).await?;
        cart.apply_version("11.0.0").await?;
        cart.paused_at(1).await?;
        cart.apply_version("10.0.0").await?;
        cart.healthy_at("10.0.0").await?;
        attempts.delivered("cart", (11, 1)).await?;
        Ok(cart)
    }

    /// By hand: 2, 3 (second try), 5, 6, 7 and 10 were deployed, 6 in 7 days. 5 and 7 failed later,
    /// 3 (first try) and 11 before, exposed: 4 of 8. With 4, which was blocked: 5 of 9. One was
    /// superseded, one a rollback, two fixes: 4 of 6 + 1 + 1. Only 2 has a time of its commit. After 3, 5,
    /// 7 and 11 traffic was back on what is good, and after all but 11 a good revision came.
    async fn tells_the_figures(&self) -> Outcome {
        let trace = self.trace("cart", LIFE.len()).await?;
        assert_eq!(summary(&trace), LIFE);
        assert!(ledger(&trace).iter().any(is_rollback));
        let status = trace.status.unwrap();
        assert_eq!((status.known_since, status.days.len()), (None, 0));
        let week = &status.dora.unwrap().figures[0];
        for part in [
            "7d: 6 deployments (0.86 a day, High); lead time 2h",
            "(90% 2h",
            "N 1, 5 refused, Elite)",
            "; change fail rate 50% (4 of 8, Low) exposed, 55.6% (5 of 9) all; recovery ",
            ", N 4, Elite), next good revision ",
            ", N 3, 1 unknown); rework 50% (4 of 8)",
        ] {
            assert!(week.contains(part), "{part} in {week}");
        }
        let of = ["rollout=\"cart\"", "window=\"7d\""];
        for (name, label, expected) in [
            ("dora_deployments", "", 6.0),
            ("dora_failures", "kind=\"live\"", 2.0),
            ("dora_failures", "kind=\"exposed\"", 2.0),
            ("dora_failures", "kind=\"blocked\"", 1.0),
            ("dora_failures", "kind=\"unclear\"", 0.0),
            ("dora_rework", "kind=\"superseded\"", 1.0),
            ("dora_rework", "kind=\"rollback\"", 1.0),
            ("dora_rework", "kind=\"fix\"", 2.0),
            ("dora_samples", "of=\"lead_time\"", 1.0),
            ("dora_samples", "of=\"recovery_traffic\"", 4.0),
            ("dora_samples", "of=\"recovery_revision\"", 3.0),
            ("dora_at_least", "", 0.0),
        ] {
            let gauge = self.gauge(name, &[of[0], of[1], label]).await;
            assert_eq!(gauge, Some(expected), "{name} {label}");
        }
        let printed = self.prints().await?;
        let all = &printed["figures"];
        assert_eq!(all["deploymentFrequency"]["n"], 6);
        assert_eq!(all["changeFailRateExposed"]["rate"], 0.5);
        assert_eq!(all["changeFailRateAll"]["part"], 5);
        assert_eq!(all["reworkRate"]["part"], 4);
        assert_eq!(printed["rollouts"][0]["lines"].as_array().map(Vec::len), Some(LIFE.len()));
        // Status, metric and command have the same to the second.
        for (figure, name, label) in [
            ("changeLeadTime", "dora_lead_time_seconds", ""),
            ("recoveryTime", "dora_recovery_time_seconds", "until=\"traffic\""),
            ("nextGoodRevisionTime", "dora_recovery_time_seconds", "until=\"revision\""),
        ] {
            let median = self.gauge(name, &[of[0], of[1], label, "percentile=\"50\""]).await;
            assert_eq!(all[figure]["medianSeconds"].as_f64(), median, "{figure}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_figures_of_a_life_are_those_worked_out_by_hand_also_after_a_kill() -> Outcome {
    let story = Story::begin("dora").await?;
    let cart = story.lives().await?;
    story.tells_the_figures().await?;
    // Each time was counted once, when it was stored: one lead time, four recoveries.
    let namespace = format!("namespace=\"{}\"", story.namespace.name());
    let counted = |name| story.operator.metric(name, &namespace);
    assert!((counted("throughline_lead_time_seconds_count").await - 1.0).abs() < 0.1);
    assert!((counted("throughline_recovery_seconds_count").await - 4.0).abs() < 0.1);
    let before = story.trace("cart", LIFE.len()).await?;
    story.operator.kill();
    story.operator.resume()?;
    story.operator.ready().await?;
    story.tells_the_figures().await?;
    // A process that has stored nothing counts nothing, and writes nothing anew.
    assert!(counted("throughline_lead_time_seconds_count").await < 0.1);
    assert!(counted("throughline_recovery_seconds_count").await < 0.1);
    let after = story.trace("cart", LIFE.len()).await?;
    assert_eq!(after.status, before.status);
    // With its Rollout go the RolloutTrace and all figures.
    cart.delete().await?;
    cart.gone().await?;
    let gone = async {
        while story.gauge("dora_deployments", &["rollout=\"cart\""]).await.is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone).await?;
    Ok(())
}
