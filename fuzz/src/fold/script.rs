//! A history as text: words of a letter and a digit, with white space between them and comments
//! from `#` to the end of the line. `World::perform` says what the letters mean. Any byte is a
//! letter or a digit, so every text is a history, and one that is kept can be read.

pub(crate) fn words(data: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut line: &[u8] = &[];
    std::iter::from_fn(move || {
        loop {
            line = line.trim_ascii_start();
            match line {
                [b'#', ..] | [] => line = lines.next()?,
                [letter, digit, rest @ ..] => {
                    line = rest;
                    return Some((*letter, digit.wrapping_sub(b'0')));
                }
                [letter] => {
                    line = &[];
                    return Some((*letter, 0));
                }
            }
        }
    })
}
