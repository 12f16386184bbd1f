//! Figures of the Rollouts of one team.

use serde_json::{Value, json};
use throughline_tests::attempt::Attempts;
use throughline_tests::chain::Chains;
use throughline_tests::cluster::Cluster;
use throughline_tests::operator::{Operator, Settings};
use throughline_tests::shop::Shop;

use super::{Outcome, Story};

/// A person who may do what people get of it, in one namespace.
const PERSON: &str = "tenant";

fn role_binding(role: &str) -> String {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": role },
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": PERSON }],
    })
    .to_string()
}

impl Story {
    /// The Rollouts that the metrics show, with their teams.
    async fn teams(&self) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let (_, text) = self.operator.get("metrics").await.ok_or("no metrics")?;
        let lines = text.lines().filter_map(|line| line.strip_prefix("throughline_rollout_info{"));
        let of = format!("namespace=\"{}\",", self.namespace.name());
        let mut teams: Vec<_> = lines.map(|line| line.replace(&of, "")).collect();
        teams.sort();
        Ok(teams)
    }

    /// The Rollouts with some labels that the person sees: their names.
    async fn selects(&self, selector: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let of = ["dora", "-n", self.namespace.name(), "-l", selector, "-o", "json"];
        let printed: Value = serde_json::from_str(&self.operator.command_as(PERSON, &of).await?)?;
        let rollouts = printed["rollouts"].as_array().ok_or("no Rollouts")?;
        let names = rollouts.iter().map(|it| it["rollout"].as_str().unwrap_or_default().to_owned());
        Ok(names.collect())
    }

    /// Why the person sees nothing.
    async fn refuses(&self, args: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
        let args = [&["dora", "-n", self.namespace.name()], args].concat();
        match self.operator.command_as(PERSON, &args).await {
            Err(error) => Ok(error.to_string()),
            Ok(printed) => Err(format!("not refused: {printed}").into()),
        }
    }
}

#[tokio::test]
async fn figures_are_those_of_the_rollouts_that_a_label_says_are_a_teams() -> Outcome {
    let cluster = Cluster::shared()?;
    let namespace = cluster.namespace_without_keptn("teams").await?;
    let flags = vec!["--team-label".to_owned(), "example.com/owner".to_owned()];
    let settings = Settings { flags, ..Settings::default() };
    let operator = Operator::in_namespace_with(cluster, namespace.name(), settings).await?;
    operator.ready().await?;
    let story = Story {
        shop: Shop::new(&namespace),
        attempts: Attempts::of(&namespace, cluster.jaeger()),
        chains: Chains::of(&namespace, cluster.jaeger()),
        operator,
        namespace,
    };
    let owned = async |name: &str, team: &str| {
        let manifest = story.shop.rollout(name).unnamed().label("example.com/owner", team);
        let rollout = manifest.replicas(1).canary([]).apply().await?;
        rollout.healthy().await?;
        story.attempts.delivered(name, (1, 1)).await
    };
    owned("cart", "checkout").await?;
    owned("web", "front").await?;
    story.trace("cart", 1).await?;
    story.trace("web", 1).await?;
    let of_teams = ["rollout=\"cart\",team=\"checkout\"} 1", "rollout=\"web\",team=\"front\"} 1"];
    assert_eq!(story.teams().await?, of_teams);

    // Nothing is granted, then what people had, then what they have.
    let refused = story.refuses(&[]).await?;
    assert!(
        refused.contains("no permission to list rollouttraces.throughline.dev in namespace"),
        "{refused}"
    );
    let refused = story.refuses(&["-l", "example.com/owner=checkout"]).await?;
    assert!(refused.contains("no permission to list rollouts in namespace"), "{refused}");
    assert!(refused.contains("apply config/rbac"), "{refused}");
    story.namespace.apply(&role_binding("throughline-rollouttraces-view")).await?;
    assert_eq!(story.selects("example.com/owner=checkout").await?, ["cart"]);
    assert_eq!(story.selects("example.com/owner=front").await?, ["web"]);
    assert_eq!(story.selects("example.com/owner in (front, checkout)").await?, ["cart", "web"]);
    assert_eq!(story.selects("example.com/owner!=front").await?, ["cart"]);

    let refused = story.refuses(&["-l", "example.com/owner=back"]).await?;
    assert!(refused.contains("has the labels \"example.com/owner=back\""), "{refused}");
    assert!(refused.contains("--show-labels"), "{refused}");
    let refused = story.refuses(&["-l", "a b"]).await?;
    assert!(refused.contains("write it as for kubectl"), "{refused}");

    // A team hands a Rollout over.
    story
        .namespace
        .kubectl(&["label", "rollout", "web", "example.com/owner=checkout", "--overwrite"])
        .await?;
    assert_eq!(story.selects("example.com/owner=checkout").await?, ["cart", "web"]);
    let handed_over = async {
        loop {
            let teams = story.teams().await?;
            if teams[1] != of_teams[1] {
                return Ok::<_, Box<dyn std::error::Error>>(teams);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let teams = tokio::time::timeout(std::time::Duration::from_secs(30), handed_over).await??;
    assert_eq!(teams, [of_teams[0], "rollout=\"web\",team=\"checkout\"} 1"]);
    Ok(())
}
