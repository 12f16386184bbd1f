//! A line: words with one space between them. A text that could be taken for something else stands
//! between single quotes, a quote in it is written twice.

mod reader;
mod writer;

pub(super) use reader::{Reader, named};
pub(super) use writer::Writer;

/// What stands where there is nothing.
const NOTHING: &str = "-";
/// What stands for the time at which the entry before ended.
const THEN: &str = "<";
/// What stands for the beginning of the names of Argo's objects.
const PREFIX: &str = "*";

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It ends too early.
    #[error("it ends where {0} should follow")]
    Missing(&'static str),
    /// A word is none of those that may stand there.
    #[error("{word:?} is no {expected}")]
    Unknown {
        /// What was expected.
        expected: &'static str,
        /// What stands there, cut to 64 bytes.
        word: String,
    },
    /// A quote has no end.
    #[error("a quote has no end")]
    Quote,
    /// There is more than belongs there.
    #[error("{0:?} is too much")]
    TooMuch(String),
    /// A metric without its analysis.
    #[error("a metric stands before the first analysis")]
    NoAnalysis,
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_text_stands_in_quotes_only_where_it_could_be_taken_for_something_else() {
        for (text, expected) in [
            ("cart", "cart"),
            ("example/cart:2@x", "example/cart:2@x"),
            ("", "''"),
            ("-", "'-'"),
            ("#3", "'#3'"),
            ("two words", "'two words'"),
            ("it's", "'it''s'"),
            ("né", "né"),
        ] {
            assert_eq!(Writer::new(START).text(text).end(), expected);
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let read = |line: &'static str| Reader::new(line, START);
        let missing = read("").text("kind").unwrap_err();
        assert_eq!(missing.to_string(), "it ends where kind should follow");
        let unknown = read("+5").number::<u32>("index", "").unwrap_err();
        assert_eq!(unknown.to_string(), r#""+5" is no index"#);
        assert_eq!(read("'open").text("kind"), Err(LineError::Quote));
        let line = read("more");
        assert_eq!(line.end(()).unwrap_err().to_string(), r#""more" is too much"#);
    }

    proptest! {
        #[test]
        fn any_texts_are_read_back(texts in prop::collection::vec(any::<String>(), 0..6)) {
            let line = texts.iter().fold(Writer::new(START), |line, text| line.text(text)).end();
            let mut reader = Reader::new(&line, START);
            for text in &texts {
                prop_assert_eq!(&reader.text("text").unwrap(), text);
            }
            prop_assert_eq!(reader.end(()), Ok(()));
        }

        #[test]
        fn any_line_is_read_or_refused(line in "[ '#|a-z0-9+-]{0,30}") {
            let mut reader = Reader::new(&line, START);
            while reader.text("text").is_ok() {
                reader.closed();
                let _ = reader.message();
            }
        }
    }
}
