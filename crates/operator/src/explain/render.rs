//! A journal as a page of text.

use api::RolloutTrace;
use api::rollout_trace::ChainEntry;
use jiff::{SignedDuration, Timestamp};
use timeline::base::Moment;
use timeline::journal::Journal;

use super::tree::{Node, tree};
use crate::journal::{moment, outcome, short};

/// No line is wider than this.
pub const WIDTH: usize = 100;
/// The widest that the column of offsets gets: an inferred time with hours in both bounds.
const OFFSET: usize = 24;
const LABEL: usize = 10;

/// The story of an attempt: what it was, what happened when and who says so, and where it links to.
pub fn render(journal: &Journal, trace: Option<&RolloutTrace>, now: Timestamp) -> String {
    let mut page = Page::default();
    let identity = &journal.identity;
    let attempt = match identity.number {
        1 => String::new(),
        n => format!(", attempt {n}"),
    };
    page.wrapped(
        "",
        "",
        &format!(
            "{}, revision {}{attempt}: {}",
            identity.rollout,
            identity.revision,
            outcome(journal)
        ),
    );
    page.blank();
    head(&mut page, journal, trace, now);
    page.blank();
    timeline(&mut page, journal);
    page.blank();
    let legend = "Times count from the start. No mark: seen as it happened; =: by an object's own \
                  timestamp; ^: by an Event; ~: recorded by nobody, after the first and not later \
                  than the last time.";
    page.wrapped("", "", legend);
    page.text
}

fn head(page: &mut Page, journal: &Journal, trace: Option<&RolloutTrace>, now: Timestamp) {
    let facts = &journal.facts;
    let known = |label: &str, value: &Option<String>| value.as_ref().map(|v| format!("{label}{v}"));
    let deployed = [
        known("", &facts.service),
        known("", &facts.version),
        known("in ", &facts.environment),
        facts.upgrade.then(|| "(made by a controller's upgrade: nothing changed)".to_owned()),
        facts.adopted.then(|| "(was there when the Rollout was created)".to_owned()),
    ];
    page.field("deploys", deployed);
    page.field("images", facts.images.iter().cloned().map(Some));
    let commit = [
        known("", &facts.commit),
        known("by ", &facts.author),
        facts.commit_time.map(|time| format!("at {time}")),
        known("of ", &facts.repository),
    ];
    page.field("commit", commit);
    let hash = Some(format!("pod-template-hash {}", journal.identity.hash));
    page.field("pods", [known("ReplicaSet ", &facts.replica_set), hash]);
    let ago = ago(now.duration_since(journal.started.at));
    page.field("started", [Some(format!("{}{ago}", journal.started))]);
    page.field("ended", [journal.ended.map(|ended| ended.to_string())]);
    let exposed = match (journal.exposed, journal.max_weight()) {
        (false, _) if journal.open() => "no user could meet it yet".to_owned(),
        (false, _) => "no user could meet it".to_owned(),
        (true, Some(weight)) => format!("users could meet it, at most {weight}% of the traffic"),
        (true, None) => "users could meet it".to_owned(),
    };
    page.field("exposed", [Some(exposed)]);
    let place = journal.placed.map(|placed| match placed.parent {
        Some(_) => format!("{}, inside the one that Keptn made", placed.trace),
        None => format!("{}, its own", placed.trace),
    });
    page.field("trace", [Some(place.unwrap_or_else(|| "not decided yet".to_owned()))]);
    for link in &journal.links {
        page.field("link", [Some(format!("{:?} {}", link.kind, link.traceparent))]);
    }
    page.field("Keptn", [linked(journal, trace)]);
    let refused = match journal.exported.refused {
        0 => String::new(),
        n => {
            let words = journal.exported.refusal.as_deref().unwrap_or("no reason given");
            format!(", {n} refused for good: {words}")
        }
    };
    let exported = format!("{} of {} spans{refused}", journal.exported.until, journal.closed);
    page.field("exported", [Some(exported)]);
    let cut = (journal.cut > 0).then(|| format!("{} entries for want of room", journal.cut));
    page.field("left out", [cut]);
}

/// What the RolloutTrace says of the attempt.
pub(super) fn entry_of<'a>(
    journal: &Journal,
    trace: Option<&'a RolloutTrace>,
) -> Option<&'a ChainEntry> {
    let status = trace?.status.as_ref()?;
    let identity = &journal.identity;
    if status.rollout_uid.as_ref() != Some(&identity.rollout_uid.to_string()) {
        return None;
    }
    status.chain.iter().find(|entry| {
        entry.hash == identity.hash
            && entry.revision == identity.revision
            && i64::from(entry.attempt) == i64::from(identity.number)
    })
}

/// What became of the link between Keptn's own spans.
fn linked(journal: &Journal, trace: Option<&RolloutTrace>) -> Option<String> {
    let entry = entry_of(journal, trace)?;
    let follows: Vec<String> = entry
        .follows
        .iter()
        .map(|follow| {
            let version = follow.version.as_deref().unwrap_or(&follow.hash);
            format!("{version} (revision {}, {:?})", follow.revision, follow.relation)
        })
        .collect();
    let follows = match follows.as_slice() {
        [] => "follows nothing".to_owned(),
        some => format!("follows {}", some.join(" and ")),
    };
    Some(format!("{follows}; link {:?}: {}", entry.linked.state, entry.linked.reason))
}

fn timeline(page: &mut Page, journal: &Journal) {
    let nodes = tree(journal);
    let start = journal.started.at;
    let mut rows = Rows { start, is_one_day: is_one_day(&nodes, start), all: Vec::new() };
    rows.add_all(&nodes, "");
    let rows = rows.all;
    let offset = widest(rows.iter().map(|row| row.offset.as_str())).min(OFFSET);
    let time = widest(rows.iter().map(|row| row.time.as_str()));
    let length = widest(rows.iter().map(|row| row.length.as_str()));
    for row in &rows {
        let cells =
            format!("{:<offset$}  {:<time$}  {:>length$}  ", row.offset, row.time, row.length);
        let empty = " ".repeat(offset + time + length + 6);
        page.wrapped(&format!("{cells}{}", row.branch), &format!("{empty}{}", row.trunk), row.text);
    }
}

fn widest<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

struct Row<'a> {
    offset: String,
    time: String,
    length: String,
    branch: String,
    trunk: String,
    text: &'a str,
}

struct Rows<'a> {
    start: Timestamp,
    is_one_day: bool,
    all: Vec<Row<'a>>,
}

impl<'a> Rows<'a> {
    fn add_all(&mut self, nodes: &'a [Node], before: &str) {
        for (n, node) in nodes.iter().enumerate() {
            self.add(node, before, n + 1 == nodes.len());
        }
    }

    fn add(&mut self, node: &'a Node, before: &str, is_last: bool) {
        let (fork, trunk) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let down = if node.below.is_empty() { "" } else { "│  " };
        let length = node.ended.zip(node.started);
        let length = length.map(|(ended, started)| ended.at.duration_since(started.at));
        let length = length.filter(|length| *length > SignedDuration::ZERO);
        let started = node.started.as_ref();
        let trunk = format!("{before}{trunk}");
        self.all.push(Row {
            offset: started.map(|started| moment(started, self.start)).unwrap_or_default(),
            time: started.map(|started| clock(started, self.is_one_day)).unwrap_or_default(),
            length: length.map(short).unwrap_or_default(),
            branch: format!("{before}{fork}"),
            trunk: format!("{trunk}{down}"),
            text: &node.text,
        });
        self.add_all(&node.below, &trunk);
    }
}

/// ` (2d ago)`; nothing if it is yet to come.
fn ago(length: SignedDuration) -> String {
    match length.as_hours() {
        _ if length.is_negative() => String::new(),
        hours @ 48.. => format!(" ({}d ago)", hours / 24),
        _ => format!(" ({} ago)", short(length)),
    }
}

/// To the second: the offset says it more exactly. The day stands in the head, and beside each time
/// only if there are several.
fn clock(moment: &Moment, is_one_day: bool) -> String {
    let second = Timestamp::from_second(moment.at.as_second()).unwrap_or(moment.at).to_string();
    match second.split_once('T') {
        Some((_, time)) if is_one_day => time.to_owned(),
        _ => second,
    }
}

fn is_one_day(nodes: &[Node], start: Timestamp) -> bool {
    nodes.iter().all(|node| {
        let same = node.started.is_none_or(|at| day(at.at) == day(start));
        same && is_one_day(&node.below, start)
    })
}

fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A label and what is known; nothing if nothing is.
    fn field(&mut self, label: &str, parts: impl IntoIterator<Item = Option<String>>) {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            let label = format!("  {label:<LABEL$}");
            let below = " ".repeat(label.len());
            self.wrapped(&label, &below, &parts.join(" "));
        }
    }

    /// A text with `first` before its first line and `next` before any other.
    fn wrapped(&mut self, first: &str, next: &str, text: &str) {
        let mut line = first.to_owned();
        let mut used = line.chars().count();
        let begin = next.chars().count();
        // What is before the text can be wide; the text still gets some room.
        let width = WIDTH.max(used.max(begin) + 20);
        let mut is_empty = true;
        for word in text.split_whitespace() {
            let mut word = word;
            loop {
                let length = word.chars().count() + usize::from(!is_empty);
                if used + length <= width {
                    break;
                }
                if is_empty {
                    // Longer than a line: it is cut where the line ends.
                    let end = word.char_indices().nth(width - used).map_or(word.len(), |(n, _)| n);
                    line.push_str(&word[..end]);
                    word = &word[end..];
                }
                self.end(&line);
                next.clone_into(&mut line);
                used = begin;
                is_empty = true;
            }
            if word.is_empty() {
                continue;
            }
            if !is_empty {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += word.chars().count();
            is_empty = false;
        }
        if !is_empty || text.trim().is_empty() {
            self.end(&line);
        }
    }

    fn end(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}
