//! Any bytes as a traceparent and as its two ids.

use timeline::Traceparent;
use timeline::base::{SpanId, TraceId};

/// The target.
///
/// # Panics
/// If something does not hold that must.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = text.parse::<Traceparent>() {
        assert_eq!(read.to_string(), text, "what is read is written back");
        assert_ne!(read.trace_id().to_bytes(), [0; 16]);
        assert_ne!(read.span_id().to_bytes(), [0; 8]);
        assert!(read.flags() <= 2, "flags of version 00");
    }
    if let Ok(read) = text.parse::<TraceId>() {
        assert_eq!(read.to_string(), text);
        assert_eq!(TraceId::new(read.to_bytes()), Some(read));
    }
    if let Ok(read) = text.parse::<SpanId>() {
        assert_eq!(read.to_string(), text);
        assert_eq!(SpanId::new(read.to_bytes()), Some(read));
    }
}
