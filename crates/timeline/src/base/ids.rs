//! Ids that follow from what they name: a re-export after a crash says the same bytes.

use sha2::{Digest, Sha256};

use super::{AttemptId, SpanId, TraceId};

/// Changes whenever the same journal would make other spans than before.
const DOMAIN: &str = "throughline.dev/span/1";

impl AttemptId {
    /// The trace of an attempt that Keptn made none for.
    pub fn own_trace(&self) -> TraceId {
        let digest = self.digest("trace", &[]);
        // Only a digest of sixteen zeros has no trace id, and that never occurs.
        TraceId::new(first(&digest)).unwrap_or(TraceId::ONES)
    }

    /// The span at a path below this attempt, e.g. `["step", "3"]`; the root's path is empty.
    pub fn span(&self, path: &[&str]) -> SpanId {
        let digest = self.digest("span", path);
        SpanId::new(first(&digest)).unwrap_or(SpanId::ONES)
    }

    /// Each part goes with its length, so that `("ab", "c")` is not `("a", "bc")`.
    fn digest(&self, what: &str, path: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new();
        let (revision, number) = (self.revision.to_string(), self.number.to_string());
        let identity = [DOMAIN, what, &self.rollout_uid, &self.hash, &revision, &number];
        for part in identity.iter().chain(path) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&digest[..N]);
    bytes
}
