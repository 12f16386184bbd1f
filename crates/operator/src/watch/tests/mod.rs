//! What an API server can do to a watch, each of it done by a scripted server.

mod followed;

use std::time::{Duration, Instant};

use followed::Followed;
use serde_json::json;

use super::Limits;
use super::server::{Asked, Reply, Then, line, page, quiet, rollout, status};

/// Waits are a hundredth of the real ones; what a busy machine may delay has room.
const QUICK: Limits = Limits {
    first_wait: Duration::from_millis(5),
    absent_wait: Duration::from_millis(450),
    longest_wait: Duration::from_millis(200),
    page: Duration::from_secs(3),
    start: Duration::from_secs(3),
    watch: Duration::from_secs(1),
    slack: Duration::from_secs(2),
    steady: Duration::from_millis(100),
};
const PATIENCE: Duration = Duration::from_secs(20);
const ROLLOUTS: &str = "rollouts";

/// How often something that fails is tried in a time, at most.
fn most_in(time: Duration) -> usize {
    let shortest = QUICK.longest_wait.as_millis() * 3 / 4;
    1 + usize::try_from(time.as_millis() / shortest).unwrap()
}

/// Pages `a b`, `c d`, `e`; what `of_page` says of one goes instead of it.
fn paged(
    mut of_page: impl FnMut(&str) -> Option<Reply> + Send,
) -> impl FnMut(&Asked) -> Reply + Send {
    move |asked| {
        if asked.watches() {
            return quiet(asked);
        }
        let token = asked.get("continue").unwrap_or("1");
        if let Some(reply) = of_page(token) {
            return reply;
        }
        match token {
            "1" => page(&[rollout("a", "1"), rollout("b", "2")], "2"),
            "2" => page(&[rollout("c", "3"), rollout("d", "4")], "3"),
            _ => page(&[rollout("e", "5")], ""),
        }
    }
}

#[tokio::test]
async fn kinds_that_are_absent_or_forbidden_cost_a_request_every_four_seconds_all_together() {
    for code in [404, 403] {
        let followed = Followed::all(move |_| status(code, "no")).await;
        // Each has waited as long as it ever does.
        let longest = |it: &Followed| it.server.asked("experiments").len() >= 9;
        followed.until(longest).await;
        let (before, since) = (followed.server.count(), Instant::now());
        tokio::time::sleep(QUICK.absent_wait * 5).await;
        let requests = u32::try_from(followed.server.count() - before).unwrap();
        // A hundred times as fast as the real ones.
        let rate = f64::from(requests) / since.elapsed().as_secs_f64() / 100.0;
        assert!(rate <= 0.25, "{rate} requests a second");
        assert!(requests > 0, "it is never asked for again");
    }
}

#[tokio::test]
async fn a_kind_that_appears_is_found_within_the_longest_wait() {
    let followed = Followed::rollouts(|_| status(404, "page not found")).await;
    followed.until(|it| it.server.asked(ROLLOUTS).len() >= 9).await;
    followed.until_said("NotInstalled").await;
    assert_eq!(followed.broken(), None, "there is nothing to watch");
    let since = Instant::now();
    followed.server.now(paged(|_| None));
    followed.until_said("listed a b c d e").await;
    assert!(since.elapsed() < QUICK.absent_wait * 10, "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_is_left_alone() {
    let mut tries = 0;
    let followed = Followed::rollouts(move |asked| {
        if asked.watches() {
            return quiet(asked);
        }
        tries += 1;
        match tries {
            1 => Reply::Whole(429, Some(1), "Too many requests".to_owned()),
            _ => page(&[rollout("a", "1")], ""),
        }
    })
    .await;
    followed.until_said("listed a").await;
    let lists: Vec<_> =
        followed.server.asked(ROLLOUTS).into_iter().filter(|it| !it.watches()).collect();
    let waited = lists[1].at - lists[0].at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    assert_eq!(followed.errors("throttled"), 1);
    assert_eq!(followed.said()[0], "failed: Too many requests");
}

#[tokio::test]
async fn a_page_that_fails_is_asked_for_again_and_no_other() {
    let mut left = 3;
    let followed = Followed::rollouts(paged(move |token| {
        left -= i32::from(token == "2" && left >= 0);
        (token == "2" && left >= 0).then(|| status(500, "etcdserver: request timed out"))
    }))
    .await;
    followed.until_said("listed a b c d e").await;
    assert_eq!(followed.begun().0, 1);
    let failed = "failed: etcdserver: request timed out";
    let said = followed.said();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    let expected = ["listing", "a", "b", failed, failed, failed, "c", "d", "e", "listed a b c d e"];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_list_that_is_too_old_to_go_on_begins_anew_and_not_ever_faster() {
    let followed =
        Followed::rollouts(paged(|token| (token == "3").then(|| status(410, "expired")))).await;
    followed.until(|it| it.begun().0 >= 8).await;
    let (before, since) = (followed.begun().0, Instant::now());
    tokio::time::sleep(QUICK.longest_wait * 5).await;
    let begun = followed.begun().0 - before;
    let most = most_in(since.elapsed());
    assert!(begun <= most, "{begun} lists, {most} allowed");
    followed.server.now(paged(|_| None));
    followed.until_said("listed a b c d e").await;
}

#[tokio::test]
async fn a_list_that_is_never_answered_has_an_end_and_is_reported() {
    let followed =
        Followed::rollouts(|asked| if asked.watches() { quiet(asked) } else { Reply::Never }).await;
    followed.until_said("failed: the API server does not answer a list").await;
    assert!(followed.errors("timeout") >= 1);
    assert_eq!(followed.broken().unwrap().1, "the API server does not answer a list");
    followed.server.now(paged(|_| None));
    followed.until_said("listed a b c d e").await;
    followed.until(|it| it.broken().is_none()).await;
}

#[tokio::test]
async fn a_watch_that_falls_silent_goes_on_at_its_version() {
    let mut watches = 0;
    let followed = Followed::rollouts(move |asked| {
        if !asked.watches() || asked.streams() {
            return paged(|_| None)(asked);
        }
        watches += 1;
        let (name, then) = if watches == 1 { ("f", Then::Silence) } else { ("g", Then::Silence) };
        Reply::Lines(vec![line("ADDED", &rollout(name, &format!("2{watches}")))], then)
    })
    .await;
    followed.until_said("g").await;
    let watches: Vec<_> = followed
        .server
        .asked(ROLLOUTS)
        .into_iter()
        .filter(|it| it.watches() && !it.streams())
        .collect();
    assert_eq!(watches[0].get("timeoutSeconds"), Some("1"));
    assert_eq!(watches[1].get("resourceVersion"), Some("21"));
    let waited = watches[1].at - watches[0].at;
    assert!(waited >= QUICK.watch + QUICK.slack, "{waited:?}");
    assert_eq!(followed.errors("timeout"), 1);
    assert_eq!(followed.begun().0, 1, "it was listed once");
}

#[tokio::test]
async fn a_watch_whose_connection_is_lost_goes_on_at_its_version() {
    let mut watches = 0;
    let followed = Followed::rollouts(move |asked| {
        if !asked.watches() || asked.streams() {
            return paged(|_| None)(asked);
        }
        watches += 1;
        let (name, then) = if watches == 1 { ("f", Then::Lost) } else { ("g", Then::Silence) };
        Reply::Lines(vec![line("MODIFIED", &rollout(name, &format!("2{watches}")))], then)
    })
    .await;
    followed.until_said("g").await;
    let said = followed.said();
    assert_eq!(said[said.len() - 2..], ["f", "g"]);
    assert_eq!(followed.begun(), (1, 2));
    followed.until(|it| it.broken().is_none()).await;
}

#[tokio::test]
async fn a_watch_that_ends_as_soon_as_it_is_begun_is_begun_ever_more_slowly() {
    let followed = Followed::rollouts(|asked| {
        if asked.watches() && !asked.streams() {
            Reply::Lines(Vec::new(), Then::End)
        } else {
            quiet(asked)
        }
    })
    .await;
    followed.until(|it| it.begun().1 >= 8).await;
    let (before, since) = (followed.begun().1, Instant::now());
    tokio::time::sleep(QUICK.longest_wait * 5).await;
    let begun = followed.begun().1 - before;
    let most = most_in(since.elapsed());
    assert!(begun <= most, "{begun} watches, {most} allowed");
    assert_eq!(followed.begun().0, 1);
}

#[tokio::test]
async fn a_watch_that_cannot_be_begun_is_reported_until_it_runs_again() {
    let followed = Followed::rollouts(|asked| {
        if asked.watches() && !asked.streams() {
            status(503, "apiserver is shutting down")
        } else {
            quiet(asked)
        }
    })
    .await;
    followed.until(|it| it.begun().1 >= 4).await;
    let (since, why) = followed.broken().unwrap();
    assert!(since > Duration::ZERO);
    assert_eq!(why, "apiserver is shutting down");
    followed.server.now(quiet);
    followed.until(|it| it.broken().is_none()).await;
    assert_eq!(followed.said(), ["listing", "listed"], "what is known stays known");
}

#[tokio::test]
async fn a_watch_that_was_forbidden_is_taken_up_with_a_list() {
    let followed = Followed::rollouts(|asked| {
        if asked.watches() && !asked.streams() {
            status(403, "cannot watch")
        } else {
            paged(|_| None)(asked)
        }
    })
    .await;
    followed.until_said("Forbidden(\"watch\")").await;
    followed
        .server
        .now(|asked| if asked.watches() { quiet(asked) } else { page(&[rollout("z", "30")], "") });
    followed.until_said("listed z").await;
    followed.until(|it| it.broken().is_none()).await;
}

#[tokio::test]
async fn a_kind_that_goes_away_is_listed_anew_when_it_comes_back() {
    let mut watches = 0;
    let followed = Followed::rollouts(move |asked| {
        if !asked.watches() || asked.streams() {
            return paged(|_| None)(asked);
        }
        watches += 1;
        match watches {
            1 => Reply::Lines(vec![line("DELETED", &rollout("a", "20"))], Then::Lost),
            2 => status(404, "page not found"),
            _ => quiet(asked),
        }
    })
    .await;
    followed.until(|it| it.begun().0 >= 2).await;
    followed.until(|it| it.broken().is_none()).await;
    let said = followed.said();
    assert_eq!(said[7..10], ["a gone", "NotInstalled", "listing"]);
}

#[tokio::test]
async fn a_list_comes_as_a_stream_where_the_api_server_has_that() {
    let end = json!({ "metadata": {
        "resourceVersion": "40", "annotations": { "k8s.io/initial-events-end": "true" },
    } });
    let lines = vec![
        line("ADDED", &rollout("a", "1")),
        line("ADDED", &rollout("b", "2")),
        line("BOOKMARK", &end),
        line("MODIFIED", &rollout("a", "41")),
    ];
    let mut streams = 0;
    let followed = Followed::rollouts(move |asked| {
        streams += usize::from(asked.streams());
        if asked.streams() && streams == 1 {
            Reply::Lines(lines.clone(), Then::Lost)
        } else {
            quiet(asked)
        }
    })
    .await;
    followed.until(|it| it.begun().1 >= 1).await;
    assert_eq!(followed.said(), ["listing", "a", "b", "listed a b", "a"]);
    let asked = followed.server.asked(ROLLOUTS);
    assert_eq!(asked[0].get("resourceVersionMatch"), Some("NotOlderThan"));
    assert_eq!(asked[1].get("resourceVersion"), Some("41"));
    assert_eq!(followed.begun(), (0, 1));
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_end_is_no_list_and_pages_take_its_place() {
    let followed = Followed::rollouts(|asked| {
        if asked.streams() {
            Reply::Lines(vec![line("ADDED", &rollout("a", "1"))], Then::Lost)
        } else {
            paged(|_| None)(asked)
        }
    })
    .await;
    followed.until_said("listed a b c d e").await;
    assert!(!followed.said().contains(&"listed a".to_owned()));
    assert_eq!(followed.begun().0, 1);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_harms_no_other() {
    let mut bad = rollout("bad", "7");
    bad["spec"] = json!("not a spec");
    let followed = Followed::rollouts(move |asked| {
        if asked.watches() { quiet(asked) } else { page(&[bad.clone(), rollout("good", "8")], "") }
    })
    .await;
    followed.until_said("listed bad good").await;
    assert!(followed.said()[1].starts_with("Invalid(Rollout"), "{:?}", followed.said());
    assert_eq!(followed.said()[2], "good");
}
