//! The stand-in for Keptn against recordings of the real one: the same actions must give the same
//! story.

mod oddities;
mod replayed;
mod sources;
mod story;

use std::error::Error;

use serde_json::json;
use throughline_tests::cluster::Cluster;
use throughline_tests::keptn::Keptn;
use throughline_tests::shop::{Manifest, Shop, Step, pause, pause_for, weight};

use sources::{Watched, recorded};

type Outcome = Result<(), Box<dyn Error>>;

/// A scenario that is being played again.
struct Stage {
    shop: Shop,
    watched: Watched,
}

impl Stage {
    async fn set(prefix: &str) -> Result<Self, Box<dyn Error>> {
        let cluster = Cluster::shared()?;
        Keptn::shared().await?;
        let namespace = cluster.namespace(prefix).await?;
        Ok(Self { watched: Watched::new(&namespace), shop: Shop::new(&namespace) })
    }

    fn rollout(&self, name: &str) -> Manifest {
        self.shop.rollout(name).app("shop").version("1.0.0").canary(timed())
    }

    async fn link_to(&self, app: &str, version: &str) -> Outcome {
        let link = self.watched.app_deploy(version).ok_or("no AppDeploy yet")?;
        let context = json!({
            "apiVersion": "lifecycle.keptn.sh/v1",
            "kind": "KeptnAppContext",
            "metadata": {"name": app},
            "spec": {"spanLinks": [link]},
        });
        self.shop.namespace().apply(&context.to_string()).await?;
        let link = json!([link]);
        let what = format!("the context {app} links to {version}");
        self.watched
            .until(&what, |seen| {
                let contexts = seen.states.get("keptnappcontexts");
                contexts.and_then(|it| it.last()).is_some_and(|it| it["spec"]["spanLinks"] == link)
            })
            .await
    }

    /// Compares with the recording.
    async fn compare(self, recording: &str) -> Outcome {
        let recorded = recorded(recording)?;
        let jaeger = Cluster::shared()?.jaeger();
        let seen = self.watched.with_traces(&jaeger, recorded.span_count()).await?;
        same(recording, &recorded.story(), &seen.story())
    }
}

fn same(recording: &str, expected: &str, story: &str) -> Outcome {
    if expected == story {
        return Ok(());
    }
    let changes = changes(expected, story);
    Err(format!("{recording}: - Keptn, + stand-in\n{changes}").into())
}

// Lines that only one of the two has.
fn changes(expected: &str, story: &str) -> String {
    let without = |text: &str, other: &str, sign: &str| {
        let lines = text.lines().filter(|line| !other.lines().any(|it| it == *line));
        lines.map(|line| format!("{sign} {line}\n")).collect::<Vec<_>>().concat()
    };
    let changes = without(expected, story, "-") + &without(story, expected, "+");
    if changes.is_empty() {
        format!("the same lines in another order or number:\n{story}")
    } else {
        changes
    }
}

fn timed() -> [Step; 4] {
    [weight(34), pause_for(1), weight(67), pause_for(1)]
}

fn waiting() -> [Step; 3] {
    [weight(34), pause(), weight(100)]
}
