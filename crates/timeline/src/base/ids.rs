//! Ids that follow from what they name: a re-export after a crash says the same bytes.

use sha2::{Digest, Sha256};

use super::{AttemptId, SpanId, TraceId};

/// Changes whenever the same journal would make other spans than before.
const DOMAIN: &str = "throughline.dev/span/1";

impl AttemptId {
    /// The trace of an attempt that Keptn made none for.
    pub fn own_trace(&self) -> TraceId {
        let digest = self.begin("trace").finalize().into();
        // Only a digest of sixteen zeros has no trace id, and that never occurs.
        TraceId::new(first(&digest)).unwrap_or(TraceId::ONES)
    }

    /// The span at a path below this attempt, e.g. `["step", "3"]`; the root's path is empty.
    pub fn span(&self, path: &[&str]) -> SpanId {
        self.spans().at(path)
    }

    /// The spans below this attempt.
    pub(crate) fn spans(&self) -> SpanIds {
        SpanIds(self.begin("span"))
    }

    fn begin(&self, what: &str) -> Sha256 {
        let (revision, number) = (self.revision.to_string(), self.number.to_string());
        let mut hash = Sha256::new();
        add(&mut hash, &[DOMAIN, what, &self.rollout_uid, &self.hash, &revision, &number]);
        hash
    }
}

/// The ids of the spans of one attempt: the digest of what they have in common.
pub(crate) struct SpanIds(Sha256);

impl SpanIds {
    /// The span at a path, as [`AttemptId::span`].
    pub(crate) fn at(&self, path: &[&str]) -> SpanId {
        let mut hash = self.0.clone();
        add(&mut hash, path);
        SpanId::new(first(&hash.finalize().into())).unwrap_or(SpanId::ONES)
    }
}

/// Each part goes with its length, so that `("ab", "c")` is not `("a", "bc")`.
fn add(hash: &mut Sha256, parts: &[&str]) {
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
}

fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&digest[..N]);
    bytes
}
