//! Why an attempt failed, by the words of the kubelet, the scheduler, the API server and Argo.
//! Shapes: Kubernetes 1.34, containerd 1.7 and 2.x, CRI-O, dockerd, Argo Rollouts 1.10.

#![expect(clippy::unwrap_used, reason = "what a case does not have fails the test")]

mod always;
mod analysis;
mod argo;
mod decide;
mod ends;
mod images;
mod pods;
mod replica_set;
mod unready;

use jiff::Timestamp;
use timeline::Key;
use timeline::failure::FailureClass;
use timeline::seen::{ContainerSeen, PodSeen, Terminated};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

const CLASSES: [FailureClass; 18] = [
    FailureClass::ImagePullFailed,
    FailureClass::OutOfMemory,
    FailureClass::CrashLoop,
    FailureClass::ContainerConfig,
    FailureClass::VolumeFailed,
    FailureClass::Unschedulable,
    FailureClass::QuotaExceeded,
    FailureClass::AdmissionRefused,
    FailureClass::ProbeFailed,
    FailureClass::AnalysisFailed,
    FailureClass::AnalysisError,
    FailureClass::AnalysisInconclusive,
    FailureClass::ExperimentFailed,
    FailureClass::PluginFailed,
    FailureClass::InvalidSpec,
    FailureClass::DeadlineExceeded,
    FailureClass::ManualAbort,
    FailureClass::Unknown,
];

fn words(reason: &str, message: &str) -> (String, String) {
    (reason.to_owned(), message.to_owned())
}

fn pod(name: &str, containers: Vec<ContainerSeen>) -> PodSeen {
    PodSeen {
        key: Key::new("shop", name),
        replica_set_uid: "uid-b".into(),
        deleted: None,
        ready: false,
        unscheduled: None,
        failed: None,
        containers,
        ..PodSeen::default()
    }
}

fn container() -> ContainerSeen {
    ContainerSeen {
        name: "cart".to_owned(),
        image: "example/cart:4.0.0".to_owned(),
        ..ContainerSeen::default()
    }
}

fn waiting(reason: &str, message: &str) -> ContainerSeen {
    ContainerSeen { waiting: Some(words(reason, message)), ..container() }
}

fn ended(exit_code: i32, reason: &str, message: &str) -> Terminated {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    Terminated { exit_code, reason, message, ..Terminated::default() }
}

#[test]
fn a_class_is_shown_by_its_name_and_is_that_name_in_snake_case_as_an_error_type() {
    for class in CLASSES {
        let name = class.to_string();
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        assert_eq!(class.error_type(), snake);
    }
    assert!(CLASSES.is_sorted());
    assert_eq!(FailureClass::ImagePullFailed.to_string(), "ImagePullFailed");
}
