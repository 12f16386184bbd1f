//! Any bytes as what a collector answers: a first line `grpc 200` or `http 429`, a line for each
//! header, an empty line, and the body.

use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use operator::export::{Delivered, answered};

const SPANS: u64 = 7;

/// The target.
///
/// # Panics
/// If something does not hold that must.
pub fn run(data: &[u8]) {
    let once = judged(data);
    assert_eq!(judged(data), once, "the same answer means the same");
    let (message, limit) = match &once {
        None | Some(Delivered::Acknowledged) => return,
        Some(Delivered::Partly { refused, message }) => {
            assert!((1..=SPANS).contains(refused), "{refused} of {SPANS}");
            (message, 256)
        }
        Some(Delivered::Refused { message } | Delivered::Doubtful { message, .. }) => {
            (message, 512)
        }
        Some(Delivered::Later { after, message, .. }) => {
            assert!(after.is_none_or(|after| after <= Duration::from_hours(1)), "{after:?}");
            (message, 512)
        }
    };
    assert!(message.len() <= limit, "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// What an answer means; none of bytes that HTTP does not let pass.
fn judged(data: &[u8]) -> Option<Delivered> {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (protocol, status) = first.split_once(' ')?;
    let mut answer = Response::builder().status(status);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        answer = answer.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    let answer = answer.body(Bytes::copy_from_slice(body)).ok()?;
    Some(answered(protocol == "grpc", answer, SPANS))
}
