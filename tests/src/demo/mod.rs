//! `make demo`: a shop is rolled out on a cluster of its own, and the chain of its revisions shown
//! as Throughline reports it and as Jaeger holds it.

mod error;
#[cfg(test)]
mod fixture;
mod graph;
mod next;
mod outcome;
mod readback;
mod stage;
mod steps;
mod story;
mod style;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cluster::Cluster;
use error::Error;
use outcome::Outcome;
use stage::Stage;
use steps::Steps;
use style::{Style, Tone, wrap};

// Of an error.
const LINES: usize = 12;
const COLUMNS: usize = 100;

/// How the demo is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// End when everything was shown, and do not wait for Ctrl-C.
    pub exit: bool,
}

/// Runs the demo: success if the chain that Jaeger holds is whole.
pub fn run(settings: Settings) -> ExitCode {
    let steps = Steps::on_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime.map_err(Error::Runtime) {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    let code = match runtime.block_on(all(settings, &steps)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => refuse(&error),
    };
    // The start of a cluster cannot be broken off. Its processes end when this one does.
    runtime.shutdown_background();
    code
}

async fn all(settings: Settings, steps: &Steps) -> Result<bool, Error> {
    let mut interrupts = Interrupts::listen()?;
    let (stage, whole) = tokio::select! {
        played = play(settings, steps) => played?,
        () = steps.animate() => return Err(Error::Interrupted),
        () = interrupts.next() => return Err(Error::Interrupted),
    };
    if !settings.exit {
        interrupts.next().await;
        write("\n");
    }
    // Until here: with it Keptn and Throughline end.
    drop(stage);
    Ok(whole)
}

async fn play(settings: Settings, steps: &Steps) -> Result<(Stage, bool), Error> {
    let cluster = stage::cluster(steps).await?;
    match play_on(cluster, settings, steps).await {
        Err(error) => {
            // Without them there is the error still.
            for complaint in outcome::complaints(cluster).await.unwrap_or_default() {
                steps.note("", &format!("RolloutTrace {complaint}"));
            }
            let kept = stage::keep_logs(cluster)?;
            steps.note("", &format!("The logs are in {}", kept.display()));
            Err(error)
        }
        played => played,
    }
}

async fn play_on(
    cluster: &'static Cluster,
    settings: Settings,
    steps: &Steps,
) -> Result<(Stage, bool), Error> {
    let stage = Stage::set(cluster, steps).await?;
    story::play(&stage.namespace, &cluster.jaeger(), steps).await?;
    let step = steps.begin("jaeger", "waiting until it has every span");
    let outcome = Outcome::read(&stage, cluster).await?;
    if outcome.is_whole() {
        step.done("has every span; the chains are whole");
    } else {
        step.failed("a chain is not whole");
    }
    let style = Style::of(std::io::stdout().is_terminal());
    write(&outcome.shown(&stage, cluster, style).await?);
    let logs = if outcome.is_whole() {
        cluster.logs()
    } else {
        let kept = stage::keep_logs(cluster)?;
        write(&outcome.faults(&kept, style));
        kept
    };
    if !settings.exit {
        write(&next::ways_on(&outcome, &stage, cluster, &logs, style)?);
    }
    Ok((stage, outcome.is_whole()))
}

// That stdout is closed cannot be shown on it.
fn write(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

fn refuse(error: &Error) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    let style = Style::of(stderr.is_terminal());
    let text = format!("demo: {error}");
    // What was seen last may be a whole object.
    for line in text.lines().take(LINES) {
        for part in wrap(line, COLUMNS) {
            // As above.
            let _ = writeln!(stderr, "{}", style.paint(Tone::Bad, &part));
        }
    }
    match error {
        Error::Interrupted => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}

/// Ctrl-C, and what `kill` sends.
struct Interrupts {
    typed: Signal,
    sent: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self, Error> {
        Ok(Self {
            typed: signal(SignalKind::interrupt()).map_err(Error::Signals)?,
            sent: signal(SignalKind::terminate()).map_err(Error::Signals)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.typed.recv() => {}
            _ = self.sent.recv() => {}
        }
    }
}
