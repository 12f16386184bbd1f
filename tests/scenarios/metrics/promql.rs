//! Which series and labels a query asks for. Whether it is well formed is for promtool to say.

use std::collections::{BTreeMap, BTreeSet};

const FUNCTIONS: [&str; 9] =
    ["sum", "max", "count", "rate", "increase", "histogram_quantile", "absent", "time", "scalar"];
const WORDS: [&str; 8] = ["by", "without", "and", "or", "unless", "on", "group_left", "offset"];

/// What is wrong with a query: series and labels that there are not.
pub(super) fn unknown(
    query: &str,
    series: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let labels: BTreeSet<_> = series.values().flatten().map(String::as_str).collect();
    let mut unknown = BTreeSet::new();
    let mut of = None;
    let mut within = 0;
    for token in tokens(query) {
        match token {
            Token::Open => within += 1,
            Token::Close => within -= 1,
            Token::Word(word) if within > 0 => {
                let known: Option<&BTreeSet<String>> = of.and_then(|name| series.get(name));
                if !known.is_some_and(|known| known.contains(word)) {
                    unknown.insert(format!("{}{{{word}}}", of.unwrap_or_default()));
                }
            }
            Token::Word(word) if series.contains_key(word) => of = Some(word),
            Token::Word(word) => {
                if !FUNCTIONS.contains(&word) && !WORDS.contains(&word) && !labels.contains(word) {
                    unknown.insert(word.to_owned());
                }
            }
        }
    }
    unknown
}

enum Token<'a> {
    /// Matchers begin.
    Open,
    Close,
    Word(&'a str),
}

/// Names outside of strings and ranges, and where matchers begin and end.
fn tokens(query: &str) -> Vec<Token<'_>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut tokens = Vec::new();
    let mut rest = query;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => 2 + rest[1..].find('"').unwrap(),
            '[' => 1 + rest.find(']').unwrap(),
            c if is_name(c) => {
                let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                if !c.is_ascii_digit() {
                    tokens.push(Token::Word(&rest[..length]));
                }
                length
            }
            '{' => {
                tokens.push(Token::Open);
                1
            }
            '}' => {
                tokens.push(Token::Close);
                1
            }
            c => c.len_utf8(),
        };
        rest = &rest[length..];
    }
    tokens
}

#[test]
fn what_there_is_not_is_found() {
    let labels = ["namespace", "kind"].map(str::to_owned).into();
    let series = [("a_total".to_owned(), labels)].into();
    let query = r#"sum by (kind) (rate(a_total{namespace="b_total",kind!="x"}[5m])) / 30 > 0.5"#;
    assert_eq!(unknown(query, &series), BTreeSet::new());
    let query = "a_total * on (namespace) group_left (kind) a_total";
    assert_eq!(unknown(query, &series), BTreeSet::new());
    let query = "a_total * on (namespace) group_left (team) a_total";
    assert_eq!(unknown(query, &series), ["team".to_owned()].into());
    let query = r#"sum by (pod) (irate(a_total{rollout="x"}[5m])) + b_total{kind="y"}"#;
    let expected = ["a_total{rollout}", "b_total", "irate", "pod"].map(str::to_owned).into();
    assert_eq!(unknown(query, &series), expected);
}
