//! W3C trace context: the one form in which a trace is named everywhere in this project.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The length of a version 00 traceparent, in bytes.
pub const TRACEPARENT_LENGTH: usize = 55;

/// A valid W3C `traceparent` of version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
///
/// Accepts what Keptn's OpenTelemetry accepts (go-otel 1.31, `propagation/trace_context.go`) and
/// nothing else, because Keptn turns a malformed entry into a link to the all-zero trace without
/// an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Traceparent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: u8,
}

/// The 16 bytes that name a trace; shown as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TraceId([u8; 16]);

/// The 8 bytes that name a span in its trace; shown as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SpanId([u8; 8]);

/// Why a text is no traceparent. Each says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceparentError {
    /// Not 55 bytes.
    #[error("a traceparent has {TRACEPARENT_LENGTH} characters, this has {0}")]
    Length(usize),
    /// Does not begin with `00-`.
    #[error("only version 00 of traceparent is known")]
    Version,
    /// A dash is missing or misplaced.
    #[error("a traceparent is 00-<trace id>-<span id>-<flags>")]
    Shape,
    /// An upper-case letter or another character outside of `0-9a-f`.
    #[error("a traceparent is written in lower-case hexadecimal digits")]
    Digit,
    /// The trace id is all zeros.
    #[error("the trace id is all zeros")]
    ZeroTraceId,
    /// The span id is all zeros.
    #[error("the span id is all zeros")]
    ZeroSpanId,
    /// Flags other than 00, 01 and 02.
    #[error("flags above 02 are refused for version 00")]
    Flags,
}

impl Traceparent {
    /// The context of a sampled span.
    pub fn sampled(trace_id: TraceId, span_id: SpanId) -> Self {
        Self { trace_id, span_id, flags: 1 }
    }

    /// The context of a span with these flags.
    pub(crate) fn with_flags(trace_id: TraceId, span_id: SpanId, flags: u8) -> Self {
        Self { trace_id, span_id, flags }
    }

    /// The trace that this context belongs to.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span that this context names.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The trace flags: 01 is sampled.
    pub fn flags(&self) -> u8 {
        self.flags
    }
}

impl FromStr for Traceparent {
    type Err = TraceparentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        if bytes.len() != TRACEPARENT_LENGTH {
            return Err(TraceparentError::Length(bytes.len()));
        }
        if bytes[2] != b'-' || bytes[35] != b'-' || bytes[52] != b'-' {
            return Err(TraceparentError::Shape);
        }
        if &bytes[..2] != b"00" {
            return Err(TraceparentError::Version);
        }
        let trace_id: [u8; 16] = decode(&bytes[3..35])?;
        let span_id: [u8; 8] = decode(&bytes[36..52])?;
        let [flags] = decode(&bytes[53..55])?;
        if trace_id == [0; 16] {
            return Err(TraceparentError::ZeroTraceId);
        }
        if span_id == [0; 8] {
            return Err(TraceparentError::ZeroSpanId);
        }
        if flags > 2 {
            return Err(TraceparentError::Flags);
        }
        Ok(Self { trace_id: TraceId(trace_id), span_id: SpanId(span_id), flags })
    }
}

impl TryFrom<String> for Traceparent {
    type Error = TraceparentError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Traceparent> for String {
    fn from(value: Traceparent) -> Self {
        value.to_string()
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! id {
    ($name:ident, $length:literal, $zero:ident) => {
        impl $name {
            /// All bits set: what stands in for the invalid id, all zeros.
            pub const ONES: Self = Self([0xff; $length]);

            /// The id of these bytes; none if all of them are zero.
            pub fn new(bytes: [u8; $length]) -> Option<Self> {
                (bytes != [0; $length]).then_some(Self(bytes))
            }

            /// The bytes, as OTLP writes them.
            pub fn to_bytes(self) -> [u8; $length] {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = TraceparentError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if text.len() != 2 * $length {
                    return Err(TraceparentError::Length(text.len()));
                }
                Self::new(decode(text.as_bytes())?).ok_or(TraceparentError::$zero)
            }
        }

        impl TryFrom<String> for $name {
            type Error = TraceparentError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
id!(TraceId, 16, ZeroTraceId);
id!(SpanId, 8, ZeroSpanId);

fn decode<const N: usize>(digits: &[u8]) -> Result<[u8; N], TraceparentError> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

fn digit(character: u8) -> Result<u8, TraceparentError> {
    match character {
        b'0'..=b'9' => Ok(character.saturating_sub(b'0')),
        b'a'..=b'f' => Ok(character.saturating_sub(b'a').saturating_add(10)),
        _ => Err(TraceparentError::Digit),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-28e7c919c887709c210854f40838e0d7-bf5933e028d3fc36-01";

    #[test]
    fn a_traceparent_of_keptn_is_read_and_written_back_unchanged() {
        let read: Traceparent = GOOD.parse().unwrap();
        assert_eq!(read.to_string(), GOOD);
        assert_eq!(read.trace_id().to_string(), "28e7c919c887709c210854f40838e0d7");
        assert_eq!(read.span_id().to_string(), "bf5933e028d3fc36");
    }

    #[test]
    fn what_keptn_would_turn_into_a_zero_link_is_refused_with_its_reason() {
        let cases = [
            (String::new(), TraceparentError::Length(0)),
            (GOOD[..54].to_owned(), TraceparentError::Length(54)),
            (format!("{GOOD}-extra"), TraceparentError::Length(61)),
            (format!(" {}", &GOOD[..54]), TraceparentError::Shape),
            (GOOD.replacen("00-", "01-", 1), TraceparentError::Version),
            (GOOD.replace('f', "F"), TraceparentError::Digit),
            (GOOD.replace("28e7", "28g7"), TraceparentError::Digit),
            (format!("00-{}-bf5933e028d3fc36-01", "0".repeat(32)), TraceparentError::ZeroTraceId),
            (
                format!("00-28e7c919c887709c210854f40838e0d7-{}-01", "0".repeat(16)),
                TraceparentError::ZeroSpanId,
            ),
            (GOOD.replace("-01", "-03"), TraceparentError::Flags),
            ("é".repeat(27) + "a", TraceparentError::Shape),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Traceparent>(), Err(expected), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_is_written_back(text in ".{0,80}") {
            if let Ok(read) = text.parse::<Traceparent>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }

        #[test]
        fn any_non_zero_ids_make_a_traceparent(trace in 1u128.., span in 1u64.., flags in 0u8..3) {
            let text = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            prop_assert_eq!(text.parse::<Traceparent>().unwrap().to_string(), text);
        }
    }
}
