//! Arithmetic on times that others may have set: it saturates and never panics.

use jiff::{SignedDuration, Timestamp};

/// This long after a time; the last of all times if there is none so late.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    let limit = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    at.checked_add(by).unwrap_or(limit)
}

/// This long before a time; the first of all times if there is none so early.
pub fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    let limit = if by.is_negative() { Timestamp::MAX } else { Timestamp::MIN };
    at.checked_sub(by).unwrap_or(limit)
}

/// How long a time is after another; negative if it is before.
pub fn since(earlier: Timestamp, at: Timestamp) -> SignedDuration {
    // All times lie within 20,000 years, which a SignedDuration holds many times over.
    at.duration_since(earlier)
}

/// So many times a duration, at most the longest.
pub fn times(duration: SignedDuration, factor: i32) -> SignedDuration {
    duration.checked_mul(factor).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_of_all_times_are_no_end_of_the_program() {
        let day = SignedDuration::from_hours(24);
        assert_eq!(later(Timestamp::MAX, day), Timestamp::MAX);
        assert_eq!(later(Timestamp::MIN, -day), Timestamp::MIN);
        assert_eq!(earlier(Timestamp::MIN, day), Timestamp::MIN);
        assert_eq!(earlier(Timestamp::MAX, -day), Timestamp::MAX);
        assert_eq!(later(Timestamp::UNIX_EPOCH, SignedDuration::MAX), Timestamp::MAX);
        assert_eq!(later(Timestamp::UNIX_EPOCH, SignedDuration::MIN), Timestamp::MIN);
        assert_eq!(later(earlier(Timestamp::UNIX_EPOCH, day), day), Timestamp::UNIX_EPOCH);
        assert!(since(Timestamp::MIN, Timestamp::MAX).is_positive());
        assert_eq!(times(SignedDuration::MAX, 2), SignedDuration::MAX);
    }
}
