//! What a command says: its result on stdout, all else on stderr.

use std::io::{self, Write as _};

/// Prints a result. A reader that has seen enough, as `head` has, is no error.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Shows a person one line that is no result.
pub fn note(text: &str) {
    // That stderr is closed cannot be shown on stderr.
    let _ = writeln!(io::stderr().lock(), "throughline: {text}");
}
