//! What to do with a demo that stays.

use std::fmt::Write as _;
use std::path::Path;

use super::error::Error;
use super::outcome::{Outcome, title};
use super::stage::Stage;
use super::style::{Style, Tone};
use crate::cluster::Cluster;
use crate::cluster::programs::Program;

/// How to look around, what to try, how it ends.
pub(crate) fn ways_on(
    outcome: &Outcome,
    stage: &Stage,
    cluster: &Cluster,
    logs: &Path,
    style: Style,
) -> Result<String, Error> {
    let mut text = String::new();
    let namespace = stage.namespace.name();
    let jaeger = cluster.jaeger();
    let trace = outcome.newest_trace().unwrap_or_else(|| "TRACE".into());
    let programs = Program::Kubectl.path()?;
    let programs = programs.parent().unwrap_or(Path::new(".")).display();
    title(&mut text, style, "Look around, in another terminal");
    let comment = |text: &str| style.paint(Tone::Dim, &format!("  # {text}\n"));
    let _ = write!(
        text,
        "
{with}  export KUBECONFIG={kubeconfig}
  export PATH={programs}:$PATH
  kubectl get rtr -n {namespace} --watch
  kubectl describe rtr cart -n {namespace}
  kubectl argo rollouts get rollout cart -n {namespace}
{api}  curl -s {base}/api/traces/{trace}
",
        with = comment("kubectl and the plugin of Argo Rollouts as they were built for the demo"),
        kubeconfig = cluster.kubeconfig().display(),
        api = comment("Jaeger's API is complete; the web UI is not part of its Go module"),
        base = jaeger.base(),
    );
    title(&mut text, style, "Try next");
    let _ = write!(
        text,
        "
{back}  kubectl argo rollouts undo cart -n {namespace} --to-revision=3
{bad}  kubectl patch rollout pay -n {namespace} --type=merge -p '{{\"spec\":{{\"template\":{{\"metadata\":{{
    \"labels\":{{\"app.kubernetes.io/version\":\"6.0.0\"}},
    \"annotations\":{{\"test.throughline.dev/pod\":\"image-pull\"}}}}}}}}}}'
  kubectl argo rollouts abort pay -n {namespace}
{over}  kubectl argo rollouts undo pay -n {namespace} --to-revision=3
",
        back = comment("back to 3.0.0: revision 6, with a trace of its own that follows 5.0.0"),
        bad = comment("a 6.0.0 whose image cannot be pulled; abort it some seconds later"),
        over = comment("then back to 3.0.0: it follows 5.0.0 and the aborted 6.0.0"),
    );
    let _ = writeln!(text, "\nThe logs are in {}", logs.display());
    let _ = writeln!(text, "Everything stays up until Ctrl-C.");
    Ok(text)
}
