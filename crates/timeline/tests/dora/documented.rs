//! What docs/dora.md says is what the code does.

use timeline::dora::Bounds;
use timeline::ledger::{Day, Line};
use timeline::seen::commit::{AUTHOR, COMMIT, COMMIT_TIME, HOTFIX, REPOSITORY, TRACEPARENT};

const PAGE: &str = include_str!("../../../../docs/dora.md");

#[test]
fn the_page_names_every_key_in_its_order() {
    for (fact, keys) in [
        ("commit", COMMIT),
        ("time", COMMIT_TIME),
        ("author", AUTHOR),
        ("repository", REPOSITORY),
        ("traceparent", TRACEPARENT),
    ] {
        let keys: Vec<_> = keys.keys.iter().map(|(key, _)| format!("`{key}`")).collect();
        let row = format!("| {fact} | {}", keys.join(", "));
        assert!(PAGE.contains(&row), "{row}");
    }
    assert!(PAGE.contains(HOTFIX));
}

#[test]
fn the_pages_examples_can_be_read_and_are_written_the_same() {
    let blocks: Vec<_> = PAGE.split("```").skip(1).step_by(2).collect();
    let [.., line, day] = blocks[..] else { panic!("{} examples", blocks.len()) };
    let [line, day] = [line, day].map(|block| block.trim_start_matches("text").trim());
    assert_eq!(line.parse::<Line>().unwrap().to_string(), line);
    assert_eq!(day.parse::<Day>().unwrap().to_string(), day);
}

#[test]
fn the_page_says_how_much_a_ledger_holds() {
    let Bounds { lines, durations, bytes } = Bounds::default();
    assert!(PAGE.contains(&format!("Beyond {lines} lines")));
    assert!(PAGE.contains(&format!("{} kB of text", bytes / 1000)));
    assert!(PAGE.contains(&format!("beyond {durations} those of the oldest days")));
}
