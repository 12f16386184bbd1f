//! Texts of few letters in fewer bytes, and texts of which one number differs.

/// Letters of Kubernetes' generated names, pod-template-hashes among them
/// (k8s.io/apimachinery/pkg/util/rand, `alphanums`).
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// So many of them are one number.
const TOGETHER: usize = 10;
/// Bytes of the number of so many letters: 27^n is at most 256^bytes.
const BYTES: [usize; TOGETHER + 1] = [0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6];

/// Pairs of lower-case hexadecimal digits as bytes; none if it is anything else.
pub(super) fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if text.len() < 2 || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'f' => char::from(byte).to_digit(16),
        _ => None,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::try_from((digit(pair[0])? << 4) | digit(pair[1])?).ok()).collect()
}

/// The text of such bytes.
pub(super) fn from_hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

/// Letters of generated names, ten in six bytes; none if it is anything else.
pub(super) fn generated(text: &str) -> Option<Vec<u8>> {
    if text.len() < 4 {
        return None;
    }
    let mut packed = Vec::with_capacity(generated_length(text.len())?);
    for letters in text.as_bytes().chunks(TOGETHER) {
        let mut number = 0u64;
        for letter in letters {
            let index = SAFE.iter().position(|safe| safe == letter)?;
            number = number.checked_mul(SAFE.len() as u64)?.checked_add(index as u64)?;
        }
        packed.extend_from_slice(number.to_le_bytes().get(..*BYTES.get(letters.len())?)?);
    }
    Some(packed)
}

/// Bytes of so many letters.
pub(super) fn generated_length(letters: usize) -> Option<usize> {
    let whole = (letters / TOGETHER).checked_mul(BYTES[TOGETHER])?;
    whole.checked_add(BYTES[letters % TOGETHER])
}

/// So many letters of such bytes.
pub(super) fn from_generated(bytes: &[u8], letters: usize) -> Option<String> {
    let mut text = Vec::with_capacity(letters.min(bytes.len().saturating_mul(2)));
    let mut left = letters;
    for chunk in bytes.chunks(BYTES[TOGETHER]) {
        let count = left.min(TOGETHER);
        left = left.saturating_sub(count);
        let mut whole = [0; 8];
        whole.get_mut(..chunk.len())?.copy_from_slice(chunk);
        let mut number = u64::from_le_bytes(whole);
        let first = text.len();
        for _ in 0..count {
            text.push(*SAFE.get(usize::try_from(number % 27).ok()?)?);
            number /= 27;
        }
        text.get_mut(first..)?.reverse();
    }
    String::from_utf8(text).ok()
}

/// Which of its numbers a text has otherwise than an earlier one, and by how much, if all else is
/// equal.
pub(super) fn counted(earlier: &str, text: &str) -> Option<(usize, i64)> {
    let (one, other) = (earlier.as_bytes(), text.as_bytes());
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let before = one.get(..same)?;
    // The number that differs begins where the digits before do.
    let start = same.saturating_sub(before.iter().rev().take_while(|it| is_digit(**it)).count());
    let (from, to) = (number_at(one, start)?, number_at(other, start)?);
    let place = runs(one.get(..start)?);
    let by = to.checked_sub(from)?;
    (count(earlier, place, by)? == text).then_some((place, by))
}

/// The text with one of its numbers changed by so much.
pub(super) fn count(earlier: &str, place: usize, by: i64) -> Option<String> {
    let bytes = earlier.as_bytes();
    let starts = bytes.iter().enumerate().filter(|(at, byte)| {
        is_digit(**byte) && !at.checked_sub(1).is_some_and(|before| is_digit(bytes[before]))
    });
    let start = starts.map(|(at, _)| at).nth(place)?;
    let number = number_at(bytes, start)?.checked_add(by).filter(|number| *number >= 0)?;
    let rest = earlier.get(start..)?.trim_start_matches(|letter: char| letter.is_ascii_digit());
    Some(format!("{}{number}{rest}", earlier.get(..start)?))
}

/// The number that begins here; none if it is written in another way than numbers are.
fn number_at(text: &[u8], start: usize) -> Option<i64> {
    let rest = text.get(start..)?;
    let digits = rest.get(..rest.iter().take_while(|it| is_digit(**it)).count())?;
    if digits.len() > 1 && digits.starts_with(b"0") {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// How many numbers there are.
fn runs(text: &[u8]) -> usize {
    text.chunk_by(|a, b| is_digit(*a) == is_digit(*b)).filter(|run| is_digit(run[0])).count()
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}
