//! A chain at rest takes little room and is the same when it is needed again.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use timeline::Traceparent;
use timeline::base::{Phase, Source};
use timeline::chain::{Attempt, Chain, Follow, LinkState, Linked, PackedChain, Relation, Trace};
use timeline::seen::Workload;

fn time() -> impl Strategy<Value = Timestamp> {
    let milliseconds =
        (0i64..9_000_000_000_000).prop_map(|at| Timestamp::from_millisecond(at).unwrap());
    let any =
        (0i64..9_000_000_000, 0i32..1_000_000_000).prop_map(|(s, n)| Timestamp::new(s, n).unwrap());
    prop_oneof![8 => milliseconds, 1 => any, 1 => select(vec![Timestamp::MIN, Timestamp::MAX])]
}

fn trace() -> impl Strategy<Value = Traceparent> {
    (1u8..6, 0u8..3)
        .prop_map(|(n, flags)| format!("00-{n:032x}-{n:016x}-{flags:02x}").parse().unwrap())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["shop-[0-9]\\.[0-9]\\.0-[0-9a-f]{8}", "\\PC{0,40}", "cart"]
}

fn follow() -> impl Strategy<Value = Follow> {
    use Relation as R;
    let relations = vec![R::Successor, R::Rollback, R::RetryAfter, R::Supersedes, R::After];
    (text(), any::<i64>(), any::<u32>(), option::of(text()), select(relations), option::of(trace()))
        .prop_map(|(hash, revision, number, version, relation, trace)| Follow {
            hash: hash.into(),
            revision,
            number,
            version: version.map(Into::into),
            relation,
            trace,
        })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    use Phase as P;
    let phases = vec![
        P::Progressing,
        P::Promoted,
        P::Aborted,
        P::Superseded,
        P::Reverted,
        P::Deleted,
        P::Unknown,
    ];
    let sources = vec![Source::Observed, Source::Status, Source::Inferred];
    let states = vec![LinkState::None, LinkState::Requested, LinkState::Applied, LinkState::Lost];
    let id = (any::<i64>(), text(), 1u32..5, option::of(text()));
    let workload = option::of((text(), text(), text(), any::<bool>()));
    let times = (time(), option::of(time()), select(sources), select(phases));
    let words = (option::of(text()), select(states), text());
    let traces =
        (option::of((trace(), option::of(text()), option::of(text()))), vec(follow(), 0..3));
    (id, workload, times, words, traces).prop_map(|(id, workload, times, words, traces)| Attempt {
        revision: id.0,
        hash: id.1.into(),
        number: id.2,
        replica_set: id.3.map(Into::into),
        workload: workload.map(|(app, name, version, hashed)| Workload {
            app: app.into(),
            name: name.into(),
            version: version.into(),
            hashed,
        }),
        follows: traces.1.into(),
        phase: times.3,
        started: times.0,
        started_source: times.2,
        ended: times.1,
        reason: words.0.map(Into::into),
        trace: traces.0.map(|(traceparent, app_version, workload_version)| Trace {
            traceparent,
            app_version: app_version.map(Into::into),
            workload_version: workload_version.map(Into::into),
        }),
        linked: Linked { state: words.1, reason: words.2.into() },
    })
}

proptest! {
    #[test]
    fn any_chain_is_the_same_after_it_was_packed(attempts in vec(attempt(), 0..12)) {
        let chain = Chain::restored(attempts.into_iter().map(Arc::new).collect());
        prop_assert_eq!(PackedChain::of(&chain).chain(), Some(chain));
    }
}

#[test]
fn a_revision_that_is_over_takes_about_a_hundred_bytes() {
    let trace = |n: i64| -> Traceparent {
        let n =
            u128::try_from(n + 1).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        format!("00-{n:032x}-{:016x}-01", n >> 64).parse().unwrap()
    };
    let hash = |n: i64| format!("{:010x}", n.wrapping_mul(0x9e37_79b9_7f4a) & 0xff_ffff_ffff);
    let version = |n: i64| format!("2.{n}.0");
    let attempt = |n: i64| Attempt {
        revision: n,
        hash: hash(n).into(),
        number: 1,
        replica_set: Some(format!("cart-{}", hash(n)).into()),
        workload: Some(Workload {
            app: "shop".into(),
            name: "shop-cart".into(),
            version: version(n).into(),
            hashed: false,
        }),
        follows: [Follow {
            hash: hash(n - 1).into(),
            revision: n - 1,
            number: 1,
            version: Some(version(n - 1).into()),
            relation: Relation::Successor,
            trace: Some(trace(n - 1)),
        }]
        .into(),
        phase: Phase::Promoted,
        started: Timestamp::from_second(1_800_000_000 + n * 3_600).unwrap(),
        started_source: Source::Status,
        ended: Some(Timestamp::from_second(1_800_000_600 + n * 3_600).unwrap()),
        reason: None,
        trace: Some(Trace {
            traceparent: trace(n),
            app_version: Some(format!("shop-{}-{:08x}", version(n), n * 2_654_435_761).into()),
            workload_version: Some(format!("shop-cart-{}", version(n)).into()),
        }),
        linked: Linked {
            state: LinkState::Applied,
            reason: format!(
                "KeptnAppVersion shop-{}-{:08x} carries it",
                version(n),
                n * 2_654_435_761
            )
            .into(),
        },
    };
    let chain = Chain::restored((1..=10).rev().map(|n| Arc::new(attempt(n))).collect());
    let packed = PackedChain::of(&chain);
    assert_eq!(packed.chain().as_ref(), Some(&chain));
    assert!(packed.size() <= 1_100, "{} bytes", packed.size());
}
