//! What is said on stderr about things that take long.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Says nothing for two seconds. Then one line that is updated, on a terminal; elsewhere a line
/// now and then.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    since: Instant,
    next: Duration,
    terminal: bool,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(what: String) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { what, since: Instant::now(), next: Duration::from_secs(2), terminal, shown: false }
    }

    /// Shows what goes on, if it is time for that.
    pub(crate) fn show(&mut self) {
        let elapsed = self.since.elapsed();
        if elapsed < self.next {
            return;
        }
        self.next = elapsed + Duration::from_secs(if self.terminal { 1 } else { 15 });
        self.shown = true;
        self.write(&format!("test cluster: {}, {} s", self.what, elapsed.as_secs()));
    }

    /// Says how long it took, if anything was said before.
    pub(crate) fn end(mut self) {
        if self.shown {
            let seconds = self.since.elapsed().as_secs();
            self.write(&format!("test cluster: {}: done after {seconds} s", self.what));
            if self.terminal {
                self.terminal = false;
                self.write("");
            }
        }
    }

    fn write(&self, line: &str) {
        let mut stderr = std::io::stderr().lock();
        // That stderr is closed cannot be shown on it.
        let _ = if self.terminal {
            write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        };
    }
}
