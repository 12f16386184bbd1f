//! What is decided from what was published, and how long that is waited for.

use std::collections::HashMap;
use std::future::{pending, ready};

use timeline::Key;
use timeline::keptn::admission::Asked;

use super::{known, shop, trace};
use crate::admission::published::{Answer, Published};

/// What is decided about version 2 of `shop`.
async fn decided(published: &Published, patience: impl Future<Output = ()>) -> Answer {
    let asked = Asked {
        name: "shop-2-d4735e3a",
        app: "shop",
        workloads: &[("cart".into(), "2".into())],
        span_links: &[],
    };
    published.decide(&Key::new("ns", "shop"), &asked, patience).await
}

fn at_once(decided: impl Future<Output = Answer>) -> Option<Answer> {
    futures::FutureExt::now_or_never(decided)
}

#[test]
fn what_is_known_and_what_is_not_ours_is_answered_at_once() {
    let published = Published::default();
    published.replace(HashMap::new());
    assert_eq!(at_once(decided(&published, pending())), Some(Answer::NotOurs));
    published.change(shop(true).into_iter().map(|(app, known)| (app, Some(known))));
    let links = Answer::Links(vec![trace(1).to_string()]);
    assert_eq!(at_once(decided(&published, pending())), Some(links));
}

#[test]
fn who_asks_while_another_owner_takes_over_is_answered_by_the_one_or_the_other() {
    let published = Published::default();
    published.replace(shop(true));
    std::thread::scope(|threads| {
        let owners = threads.spawn(|| {
            for _ in 0..2000 {
                published.replace(shop(true));
            }
        });
        while !owners.is_finished() {
            assert_ne!(at_once(decided(&published, pending())), Some(Answer::NotOurs));
        }
    });
}

#[tokio::test]
async fn an_attempt_that_comes_while_patience_lasts_is_waited_for() {
    let published = Published::default();
    published.replace(shop(false));
    assert_eq!(at_once(decided(&published, pending())), None);
    let (decided, ()) = tokio::join!(decided(&published, pending()), async {
        published.change([(Key::new("ns", "shop"), Some(known(true)))]);
    });
    assert_eq!(decided, Answer::Links(vec![trace(1).to_string()]));
}

#[tokio::test]
async fn one_that_does_not_come_delays_keptn_by_no_more_than_that() {
    let published = Published::default();
    published.replace(shop(false));
    let (over, patience) = tokio::sync::oneshot::channel();
    let patience = async { patience.await.unwrap() };
    let (answer, ()) = tokio::join!(decided(&published, patience), async {
        // What is published of other apps meanwhile makes it no longer.
        for other in 0..9 {
            let other = Key::new("ns", format!("other{other}"));
            published.change([(other, Some(known(true)))]);
            tokio::task::yield_now().await;
        }
        over.send(()).unwrap();
    });
    assert_eq!(answer, Answer::NotKnown);
}

#[tokio::test]
async fn before_everything_was_seen_nothing_is_decided() {
    let published = Published::default();
    assert_eq!(at_once(decided(&published, pending())), None);
    assert_eq!(decided(&published, ready(())).await, Answer::NotKnown);
}
