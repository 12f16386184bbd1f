//! Figures as a page: a table, Markdown, CSV, JSON or YAML.

use clap::ValueEnum;
use jiff::Timestamp;
use timeline::dora::{Band, Figures, Rate, Times};

use super::select::{Book, Selection, Wanted};
use super::words::{duration, left_out, per_day, share};
use super::{DoraError, audit, csv, json};
use crate::render::{Format, document};

/// No line of a table is wider than this.
pub const WIDTH: usize = 100;
/// The widest that names of Rollouts get.
const NAME: usize = 30;

/// How figures are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For a person.
    #[default]
    Table,
    /// Everything, for a program.
    Json,
    /// The same as YAML.
    Yaml,
    /// A row for each Rollout and one for all.
    Csv,
    /// The table, to be pasted.
    Markdown,
}

/// The figures of all ledgers together and of each, newest window first.
pub fn render(
    books: &[Book],
    wanted: Wanted,
    output: Output,
    now: Timestamp,
) -> Result<String, DoraError> {
    let selection = Selection::of(books, wanted, now)?;
    Ok(match output {
        Output::Table => text(&selection, wanted, now, &plain),
        Output::Markdown => text(&selection, wanted, now, &markdown),
        Output::Csv if wanted.audit => csv::lines(&selection),
        Output::Csv => csv::figures(&selection),
        Output::Json => {
            document(&json::of(&selection, wanted, now), Format::Json).map_err(DoraError::Write)?
        }
        Output::Yaml => {
            document(&json::of(&selection, wanted, now), Format::Yaml).map_err(DoraError::Write)?
        }
    })
}

type Row = Vec<String>;
/// Makes a table of a heading and rows.
type Table = dyn Fn(&[&str], &[Row]) -> String;

fn text(selection: &Selection<'_>, wanted: Wanted, now: Timestamp, table: &Table) -> String {
    let count = selection.each.len();
    let rollouts = if count == 1 { "1 Rollout".to_owned() } else { format!("{count} Rollouts") };
    let until = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let first = selection.window.first();
    let mut page = format!("{rollouts}, {} days: {first} to {until} (UTC)\n\n", wanted.days);
    page.push_str(&table(
        &["METRIC", "FIGURE", "90%", "N", "LEVEL", "NOTE"],
        &metrics(&selection.total),
    ));
    page.push('\n');
    let rows: Vec<Row> = selection.each.iter().map(|(book, it)| of_rollout(book, it)).collect();
    let heading = [
        "ROLLOUT",
        "DEPLOYED",
        "LEAD TIME",
        "N",
        "FAILED",
        "OF",
        "ALL",
        "OF",
        "RECOVERY",
        "N",
        "REWORK",
        "OF",
    ];
    page.push_str(&table(&heading, &rows));
    if selection.total.at_least {
        page.push_str("\nCounts are at least these: not all of the window is known.\n");
    }
    for (book, since) in selection.unknown() {
        wrapped(&mut page, "", &format!("{}: unknown before {since}", book.rollout));
    }
    if wanted.audit {
        for (book, _) in &selection.each {
            audited(&mut page, book, selection);
        }
    }
    page
}

/// The metrics of all, a row each.
fn metrics(figures: &Figures) -> Vec<Row> {
    let bands = figures.bands.unwrap_or_default();
    let level = |band: Option<Band>| band.map(|band| band.to_string()).unwrap_or_default();
    let none = || "-".to_owned();
    let times = |name: &str, times: &Times, band| {
        vec![
            name.to_owned(),
            times.median.map_or_else(none, duration),
            times.p90.map_or_else(none, duration),
            times.n.to_string(),
            level(band),
            left_out(times).unwrap_or_default(),
        ]
    };
    let rate = |name: &str, rate: &Rate, band, detail: String| {
        let part = format!("{} of {}", rate.part, rate.n);
        let detail = if detail.is_empty() { part } else { format!("{part}: {detail}") };
        let share = share(rate).unwrap_or_else(none);
        vec![name.to_owned(), share, String::new(), rate.n.to_string(), level(band), detail]
    };
    let sum = &figures.sum;
    let exposed = format!("{} after promotion, {} before", sum.failed_live, sum.failed_exposed);
    let stopped = format!("{} blocked, {} unclear", sum.failed_blocked, sum.failed_unclear);
    let rework =
        format!("{} superseded, {} back, {} fixes", sum.superseded, sum.rollbacks, sum.fixes);
    let per_day = per_day(&figures.frequency).map_or_else(none, |it| format!("{it} a day"));
    let n = figures.frequency.n.to_string();
    vec![
        vec![
            "deployment frequency".to_owned(),
            per_day,
            String::new(),
            n,
            level(bands.frequency),
            String::new(),
        ],
        times("change lead time", &figures.lead, bands.lead),
        rate("change fail rate, exposed", &figures.failed_exposed, bands.fail_rate, exposed),
        rate("change fail rate, all", &figures.failed_all, None, stopped),
        times("recovery, traffic back", &figures.recovery, bands.recovery),
        times("recovery, next good revision", &figures.mend, None),
        rate("rework rate", &figures.rework, None, rework),
    ]
}

fn of_rollout(book: &Book, figures: &Figures) -> Row {
    let none = || "-".to_owned();
    let at_least = if figures.at_least { ">=" } else { "" };
    vec![
        short(&book.rollout.to_string(), NAME),
        format!("{at_least}{}", figures.frequency.n),
        figures.lead.median.map_or_else(none, duration),
        figures.lead.n.to_string(),
        share(&figures.failed_exposed).unwrap_or_else(none),
        figures.failed_exposed.n.to_string(),
        share(&figures.failed_all).unwrap_or_else(none),
        figures.failed_all.n.to_string(),
        figures.recovery.median.map_or_else(none, duration),
        figures.recovery.n.to_string(),
        share(&figures.rework).unwrap_or_else(none),
        figures.rework.n.to_string(),
    ]
}

/// What a long name ends with says more than what it begins with.
fn short(name: &str, most: usize) -> String {
    let count = name.chars().count();
    if count <= most {
        return name.to_owned();
    }
    let end: String = name.chars().skip(count + 1 - most).collect();
    format!("…{end}")
}

fn audited(page: &mut String, book: &Book, selection: &Selection<'_>) {
    let (lines, days) = (audit::lines(book, selection.window), audit::days(book, selection.window));
    page.push('\n');
    wrapped(page, "", &format!("{}:", book.rollout));
    if lines.is_empty() && days.is_empty() {
        page.push_str("  nothing ended in these days\n");
    }
    for line in lines {
        let words = std::iter::once(format!("counts as {}", line.counts)).chain(line.notes);
        wrapped(page, "  ", &words.collect::<Vec<_>>().join("; "));
        wrapped(page, "    ", &line.verdict.line.to_string());
    }
    for day in days {
        wrapped(page, "  ", "summed up");
        wrapped(page, "    ", &day);
    }
}

/// Words on lines that are no wider than a page; one that is wider itself is cut over lines.
fn wrapped(page: &mut String, indent: &str, text: &str) {
    let mut line = indent.to_owned();
    let mut is_empty = true;
    let end = |line: &mut String, page: &mut String| {
        page.push_str(line.trim_end());
        page.push('\n');
        *line = format!("{indent}  ");
    };
    for word in text.split_whitespace() {
        let mut word = word;
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            end(&mut line, page);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        while line.chars().count() + word.chars().count() > WIDTH {
            let room = WIDTH - line.chars().count();
            let cut = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
            line.push_str(&word[..cut]);
            word = &word[cut..];
            end(&mut line, page);
        }
        line.push_str(word);
        is_empty = false;
    }
    end(&mut line, page);
}

/// Columns with two spaces between them, numbers to the right but for the first and the last.
fn plain(heading: &[&str], rows: &[Row]) -> String {
    let heading: Row = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let all = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| {
        let cells = all().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let note = heading.last().is_some_and(|last| last == "NOTE");
    let mut text = String::new();
    for row in all() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let to_left = column == 0 || (note && column >= 4);
            let cell = if to_left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            if column > 0 {
                line.push_str("  ");
            }
            line.push_str(&cell);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn markdown(heading: &[&str], rows: &[Row]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let escaped = |cell: &String| cell.replace('|', "\\|");
    let mut text = line(heading.iter().map(|cell| (*cell).to_owned()).collect());
    text.push_str(&line(heading.iter().map(|_| "---".to_owned()).collect()));
    for row in rows {
        text.push_str(&line(row.iter().map(escaped).collect()));
    }
    text
}
