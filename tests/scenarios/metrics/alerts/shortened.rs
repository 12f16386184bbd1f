//! The shipped rules with shorter waits: the same but for the seconds until they fire.

use serde_json::{Value, json};

use super::super::{list, read, words, yaml};

const RULES: &str = "config/components/alerts/rules.yaml";

/// Each alert waits so long.
const WAIT: &str = "1s";

/// Seconds that something may be behind, as shipped and here.
const BEHIND: [(&str, &str, &str); 2] =
    [("ThroughlineExportBehind", " > 300", " > 5"), ("ThroughlineJournalBehind", " > 60", " > 5")];

/// The rules, shortened.
pub(super) fn rules() -> Value {
    let mut file = yaml(&read(RULES));
    let mut replaced = 0;
    for group in file["groups"].as_array_mut().into_iter().flatten() {
        for rule in group["rules"].as_array_mut().into_iter().flatten() {
            let name = words(rule, "/alert").to_owned();
            if name.is_empty() {
                continue;
            }
            rule["for"] = json!(WAIT);
            for (_, shipped, short) in BEHIND.iter().filter(|(alert, ..)| *alert == name) {
                let expr = words(rule, "/expr").to_owned();
                assert_eq!(expr.matches(shipped).count(), 1, "{name}: {expr}");
                rule["expr"] = json!(expr.replace(shipped, short));
                replaced += 1;
            }
        }
    }
    assert_eq!(replaced, BEHIND.len());
    file
}

#[test]
fn only_the_times_that_they_wait_differ_from_the_shipped_rules() {
    let (mut shipped, short) = (yaml(&read(RULES)), rules());
    let all = |file: &Value| -> Vec<Value> {
        list(file, "/groups").iter().flat_map(|group| list(group, "/rules").to_vec()).collect()
    };
    let pairs = all(&shipped).into_iter().zip(all(&short));
    let differing = pairs.filter(|(shipped, short)| shipped["expr"] != short["expr"]);
    let names: Vec<_> =
        differing.map(|(shipped, _)| words(&shipped, "/alert").to_owned()).collect();
    assert_eq!(names, BEHIND.map(|(name, ..)| name));
    assert_eq!(all(&short).iter().filter(|rule| rule["for"] == WAIT).count(), 9);
    // With the times of the one the other is the same.
    for (group, short) in
        shipped["groups"].as_array_mut().unwrap().iter_mut().zip(list(&short, "/groups"))
    {
        for (rule, short) in
            group["rules"].as_array_mut().unwrap().iter_mut().zip(list(short, "/rules"))
        {
            if rule.get("alert").is_some() {
                rule["for"] = short["for"].clone();
                rule["expr"] = short["expr"].clone();
            }
        }
    }
    assert_eq!(shipped, short);
}
