//! Any bytes as the message of Argo's condition RolloutAborted.

use timeline::failure::{AbortCause, abort_cause};

/// The target.
///
/// # Panics
/// If something does not hold that must.
pub fn run(data: &[u8]) {
    let message = String::from_utf8_lossy(data);
    let (cause, words) = abort_cause(&message);
    assert!(words.len() <= message.len(), "words are part of the message");
    assert_eq!(abort_cause(&format!(" {message}\n")), (cause, words), "white space around it");

    let words = message.trim();
    let (cause, shown) = abort_cause(&format!("Rollout aborted update to revision 7: {words}"));
    assert_ne!(cause, AbortCause::Manual, "an abort with words is nobody's hand");
    if cause == AbortCause::Unknown || cause == AbortCause::Deadline {
        assert_eq!(shown, words, "unknown words stay as they are");
    }
}
