//! The table, as text and as Markdown.

use std::fmt::Write as _;

/// The widest line.
const WIDTH: usize = 100;
const MEASURE: usize = 51;
const VALUE: usize = 26;

/// What was measured, and with what.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Date, machine, versions.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) rows: Vec<Row>,
    /// What has to be known to judge the numbers.
    pub(super) notes: Vec<String>,
}

/// A line of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    measure: String,
    value: String,
    goal: Option<(String, bool)>,
}

impl Report {
    pub(super) fn row(&mut self, measure: impl Into<String>, value: impl Into<String>) {
        self.add(measure, value, None);
    }

    /// A line with a goal, and whether it is met.
    pub(super) fn goal(
        &mut self,
        measure: impl Into<String>,
        value: impl Into<String>,
        goal: impl Into<String>,
        met: bool,
    ) {
        self.add(measure, value, Some((goal.into(), met)));
    }

    fn add(
        &mut self,
        measure: impl Into<String>,
        value: impl Into<String>,
        goal: Option<(String, bool)>,
    ) {
        self.rows.push(Row { measure: measure.into(), value: value.into(), goal });
    }

    /// For a terminal of 100 columns.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail, here and below.
        for (name, fact) in &self.facts {
            let _ = writeln!(text, "{}", wrap(&format!("{name:<9}"), fact));
        }
        let mut line = |measure: &str, value: &str, goal: &str, met: &str| {
            let line = format!("{measure:<MEASURE$}  {value:>VALUE$}  {goal:>10}  {met}");
            let _ = write!(text, "\n{}", line.trim_end());
        };
        line("measure", "value", "goal", "met");
        for row in &self.rows {
            let (goal, met) = row.words();
            line(&row.measure, &row.value, goal, met);
        }
        text.push_str("\n\n");
        for note in &self.notes {
            let _ = writeln!(text, "{}", wrap("- ", note));
        }
        text
    }

    /// For a document.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (name, fact) in &self.facts {
            let _ = writeln!(text, "- **{name}**: {fact}");
        }
        text.push_str("\n| measure | value | goal | met |\n|---|---:|---:|---|\n");
        for row in &self.rows {
            let (goal, met) = row.words();
            let _ = writeln!(text, "| {} | {} | {goal} | {met} |", row.measure, row.value);
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}

impl Row {
    fn words(&self) -> (&str, &str) {
        match &self.goal {
            Some((goal, true)) => (goal, "yes"),
            Some((goal, false)) => (goal, "NO"),
            None => ("", ""),
        }
    }
}

fn wrap(lead: &str, words: &str) -> String {
    let mut text = lead.to_owned();
    let mut column = lead.len();
    for (index, word) in words.split(' ').enumerate() {
        if index > 0 && column + 1 + word.len() > WIDTH {
            let _ = write!(text, "\n{:1$}", "", lead.len());
            column = lead.len();
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_is_missed_is_said_and_nothing_is_wider_than_the_terminal() {
        let mut report = Report::default();
        report.facts.push(("machine", "core ".repeat(40)));
        report.goal("link latency, p50", "11.0 ms", "<= 10 ms", false);
        report.row("x".repeat(MEASURE), "y".repeat(VALUE));
        report.notes.push("word ".repeat(40));
        let text = report.text();
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.contains("11.0 ms    <= 10 ms  NO"), "{text}");
        let markdown = report.markdown();
        assert!(markdown.contains("| link latency, p50 | 11.0 ms | <= 10 ms | NO |"), "{markdown}");
    }
}
