//! What goes on, a line a step. On a terminal the steps under way are at the bottom and change in
//! place; elsewhere a line is written when a step is over.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::style::{Style, Tone, wrap};

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
// Of the text behind time and subject.
const WIDTH: usize = 74;
const FRAME: Duration = Duration::from_millis(120);

/// The steps of the demo.
#[derive(Clone)]
pub(crate) struct Steps(Arc<Mutex<Lines>>);

/// A step under way. Dropped before its end, it leaves no line.
pub(crate) struct Step {
    steps: Steps,
    id: u64,
}

impl Steps {
    /// Steps that are said on stderr; stdout is for what came of them.
    pub(crate) fn on_stderr() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = std::io::stderr().is_terminal() && !dumb;
        Self::on(Box::new(std::io::stderr()), terminal)
    }

    fn on(out: Box<dyn Write + Send>, terminal: bool) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            out,
            style: Style::of(terminal),
            terminal,
            began: Instant::now(),
            live: Vec::new(),
            drawn: 0,
            next: 0,
            frame: 0,
        })))
    }

    /// Keeps the steps under way moving, until the steps are dropped.
    pub(crate) async fn animate(&self) {
        let lines = Arc::downgrade(&self.0);
        if !self.lines().terminal {
            return std::future::pending().await;
        }
        while lines.upgrade().is_some() {
            tokio::time::sleep(FRAME).await;
            tick(&lines);
        }
    }

    /// A step begins: of what, and what it does.
    pub(crate) fn begin(&self, subject: &str, doing: &str) -> Step {
        let mut lines = self.lines();
        let id = lines.next;
        lines.next += 1;
        lines.live.push(Live { id, subject: subject.into(), doing: doing.into() });
        lines.redraw("");
        Step { steps: self.clone(), id }
    }

    /// What is no step: a line, or as many as it takes.
    pub(crate) fn note(&self, subject: &str, text: &str) {
        let mut lines = self.lines();
        let mut subject = subject;
        for part in wrap(text, WIDTH) {
            let line = lines.line(" ", subject, &part);
            lines.redraw(&line);
            subject = "";
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Without a text: what it did last.
    fn end(&self, id: u64, mark: Option<(Tone, &str, Option<&str>)>) {
        let mut lines = self.lines();
        let Some(index) = lines.live.iter().position(|live| live.id == id) else {
            return;
        };
        let over = lines.live.remove(index);
        let text = mark.map(|(tone, mark, said)| {
            let mark = lines.style.paint(tone, mark);
            let last = || format!("stopped at: {}", over.doing);
            let said = said.map_or_else(last, str::to_owned);
            lines.line(&mark, &over.subject, &said)
        });
        lines.redraw(&text.unwrap_or_default());
    }
}

impl Step {
    /// What it does now.
    pub(crate) fn now(&self, doing: &str) {
        let mut lines = self.steps.lines();
        if let Some(live) = lines.live.iter_mut().find(|live| live.id == self.id)
            && live.doing != doing
        {
            doing.clone_into(&mut live.doing);
            lines.redraw("");
        }
    }

    /// It is over, and what came of it.
    pub(crate) fn done(self, said: &str) {
        self.steps.end(self.id, Some((Tone::Good, "✓", Some(said))));
    }

    /// It is over, and it is not as it should be.
    pub(crate) fn failed(self, said: &str) {
        self.steps.end(self.id, Some((Tone::Bad, "✗", Some(said))));
    }

    /// It did not come to its end.
    pub(crate) fn stopped(self) {
        self.steps.end(self.id, Some((Tone::Bad, "✗", None)));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.steps.end(self.id, None);
    }
}

struct Live {
    id: u64,
    subject: String,
    doing: String,
}

struct Lines {
    out: Box<dyn Write + Send>,
    style: Style,
    terminal: bool,
    began: Instant,
    live: Vec<Live>,
    // How many lines of steps under way stand above the cursor.
    drawn: usize,
    next: u64,
    frame: usize,
}

impl Lines {
    fn line(&self, mark: &str, subject: &str, text: &str) -> String {
        let seconds = format!("{:>6.1} s", self.began.elapsed().as_secs_f64());
        let seconds = self.style.paint(Tone::Dim, &seconds);
        format!("{seconds}  {mark} {subject:<11}  {text}\n")
    }

    // In one write: a terminal shows what is between two of them.
    fn redraw(&mut self, above: &str) {
        let mut text = String::new();
        if self.drawn > 0 {
            // Writing to a String does not fail, here and below.
            let _ = write!(text, "\x1b[{}A\r\x1b[J", self.drawn);
        }
        text.push_str(above);
        self.drawn = 0;
        if self.terminal {
            let mark = self.style.paint(Tone::Busy, FRAMES[self.frame % FRAMES.len()]);
            for live in &self.live {
                // Without a line break a narrow terminal cuts the line: the count stays right.
                let line = self.line(&mark, &live.subject, &live.doing);
                let _ = writeln!(text, "\x1b[?7l{}\x1b[?7h", line.trim_end());
            }
            self.drawn = self.live.len();
        }
        // That stderr is closed cannot be shown on it.
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

fn tick(lines: &Weak<Mutex<Lines>>) {
    let Some(lines) = lines.upgrade() else { return };
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if !lines.live.is_empty() {
        lines.frame += 1;
        lines.redraw("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(terminal: bool) -> String {
        let sink = Sink::default();
        let steps = Steps::on(Box::new(sink.clone()), terminal);
        steps.lines().style = Style::plain();
        let cart = steps.begin("cart 1.0.0", "rolling out");
        let pay = steps.begin("pay 1.0.0", "rolling out");
        cart.now("paused");
        cart.done("promoted");
        pay.now("ending");
        pay.stopped();
        drop(steps.begin("pay 2.0.0", "rolling out"));
        steps.note("", "that is all");
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_pipe_gets_a_line_when_a_step_is_over() {
        let expected = "   0.0 s  ✓ cart 1.0.0   promoted
   0.0 s  ✗ pay 1.0.0    stopped at: ending
   0.0 s                 that is all
";
        assert_eq!(written(false), expected);
    }

    #[test]
    fn on_a_terminal_what_is_under_way_changes_in_place() {
        let text = written(true);
        assert!(
            text.contains("\x1b[2A\r\x1b[J   0.0 s  ✓ cart 1.0.0   promoted\n\x1b[?7l"),
            "{text:?}"
        );
        // Nothing is under way any more, and nothing of it stays.
        assert!(
            text.ends_with("\x1b[1A\r\x1b[J   0.0 s                 that is all\n")
                || text.ends_with("\x1b[J   0.0 s                 that is all\n"),
            "{text:?}"
        );
    }
}
