//! Reads OpenMetrics text as our registry writes it: a metric's metadata, then its samples, those of
//! a histogram together.

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a line of the metrics cannot be read: {line:?}")]
pub struct TextError {
    /// The line.
    pub line: String,
}

/// A sample is malformed, or does not go with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

pub(super) type Labels = Vec<(String, String)>;

/// What a line says; a name stands without its suffix.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line<'a> {
    Help {
        name: &'a str,
        help: &'a str,
    },
    Type(&'a str),
    Unit(&'a str),
    Sample(Sample<'a>),
    /// Nothing that is of use.
    Other,
}

/// A value and what it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Labels,
    pub(super) value: &'a str,
    pub(super) exemplar: Option<Exemplar>,
}

/// What stands behind a count.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exemplar {
    pub(super) labels: Labels,
    pub(super) value: f64,
    /// Seconds since 1970.
    pub(super) at: Option<f64>,
}

pub(super) fn line(line: &str) -> Result<Line<'_>, Unreadable> {
    let Some(metadata) = line.strip_prefix("# ") else {
        return sample(line).map(Line::Sample).ok_or(Unreadable);
    };
    let words: Vec<_> = metadata.splitn(3, ' ').collect();
    Ok(match words[..] {
        ["HELP", name, help] => Line::Help { name, help },
        ["TYPE", _, kind] => Line::Type(kind),
        ["UNIT", _, unit] => Line::Unit(unit),
        _ => Line::Other,
    })
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, rest) = if rest.starts_with('{') { labels(rest)? } else { (Vec::new(), rest) };
    let rest = rest.strip_prefix(' ')?;
    let (value, exemplar) = match rest.split_once(" # ") {
        None => (rest, None),
        Some((value, rest)) => (value, Some(exemplar(rest)?)),
    };
    Some(Sample { name, labels, value, exemplar })
}

fn exemplar(text: &str) -> Option<Exemplar> {
    let (labels, rest) = labels(text)?;
    let mut numbers = rest.strip_prefix(' ')?.split(' ').map(|number| number.parse().ok());
    let value = numbers.next()??;
    let at = numbers.next().map_or(Some(None), |at| at.map(Some))?;
    Some(Exemplar { labels, value, at })
}

/// Labels in braces, and what comes after them.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let mut rest = text.strip_prefix('{')?;
    let mut labels = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((name.to_owned(), value));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
}

/// A value up to its closing quotation mark, and what comes after that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}
