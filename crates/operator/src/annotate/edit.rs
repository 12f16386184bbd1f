//! Adds lines to a document in block style, and changes none but those of our own keys.
//!
//! It reads no YAML: whether the lines mean what was wanted is found out after it by parsing both.

use super::{Facts, Place};

/// The document with the annotations; none if there is no place for a line.
pub(super) fn insert(document: &str, facts: &Facts, place: Place) -> Option<String> {
    let mut lines: Vec<String> = document.split_inclusive('\n').map(str::to_owned).collect();
    let ending = if lines.first()?.ends_with("\r\n") { "\r\n" } else { "\n" };
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
        last.push_str(ending);
    }
    let path: &[&str] = match place {
        Place::Rollout => &["metadata", "annotations"],
        Place::PodTemplate => &["spec", "template", "metadata", "annotations"],
    };
    let begin = lines.iter().position(|line| is_content(line) && !line.starts_with("---"))?;
    let mut block = Block { begin, end: lines.len(), indent: indent(&lines[begin]) };
    for key in path {
        block = match block.find(&lines, key) {
            Some(at) => block.below(&mut lines, at, key)?,
            None => block.add(&mut lines, key, ending),
        };
    }
    // From the last to the first, each at the top: they stand in order then.
    for (key, value) in facts.iter().rev() {
        // A text of JSON is one of YAML.
        let value = serde_json::to_string(value).ok()?;
        let line = format!("{}{key}: {value}{ending}", " ".repeat(block.indent));
        if let Some(at) = block.find(&lines, key) {
            // A value of several lines is not ours to cut.
            let next = lines.get(at + 1).filter(|_| at + 1 < block.end);
            if next.is_some_and(|next| is_content(next) && indent(next) > block.indent) {
                return None;
            }
            lines[at] = line;
        } else {
            lines.insert(block.begin, line);
            block.end += 1;
        }
    }
    Some(lines.concat())
}

/// The lines of a mapping, and how far its keys are indented.
struct Block {
    begin: usize,
    end: usize,
    indent: usize,
}

impl Block {
    /// The line of a key.
    fn find(&self, lines: &[String], key: &str) -> Option<usize> {
        (self.begin..self.end).find(|at| {
            let line = &lines[*at];
            is_content(line) && indent(line) == self.indent && value(line, key).is_some()
        })
    }

    /// The mapping that is the value of the key in this line.
    fn below(&self, lines: &mut [String], at: usize, key: &str) -> Option<Self> {
        let line = lines[at].clone();
        let rest = value(&line, key)?.trim();
        if rest == "{}" || rest == "null" || rest == "~" {
            // An empty one gets lines in place of the braces.
            lines[at] = line.replacen(rest, "", 1).trim_end().to_owned() + ending(&line);
        } else if !rest.is_empty() && !rest.starts_with('#') {
            return None;
        }
        let begin = at + 1;
        let ends = |line: &String| is_content(line) && indent(line) <= self.indent;
        let length = lines[begin..self.end].iter().position(ends);
        let end = length.map_or(self.end, |length| begin + length);
        let first = lines[begin..end].iter().find(|line| is_content(line));
        let indent = first.map_or(self.indent + 2, |line| indent(line));
        Some(Self { begin, end, indent })
    }

    /// A mapping under a new key, before all others: after them a line could belong to a text.
    fn add(&self, lines: &mut Vec<String>, key: &str, ending: &str) -> Self {
        lines.insert(self.begin, format!("{}{key}:{ending}", " ".repeat(self.indent)));
        Self { begin: self.begin + 1, end: self.begin + 1, indent: self.indent + 2 }
    }
}

/// What stands behind a key; none if the line has another one.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let line = line.trim_start();
    let rest = line
        .strip_prefix(key)
        .or_else(|| line.strip_prefix('"')?.strip_prefix(key)?.strip_prefix('"'))
        .or_else(|| line.strip_prefix('\'')?.strip_prefix(key)?.strip_prefix('\''))?;
    let rest = rest.trim_start().strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])).then_some(rest)
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn ending(line: &str) -> &'static str {
    if line.ends_with("\r\n") { "\r\n" } else { "\n" }
}
