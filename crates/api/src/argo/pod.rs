//! A pod, as far as it shows why it is not ready.

use jiff::Timestamp;
use serde::Deserialize;

use super::Condition;
use crate::foreign::foreign;

foreign!(
    /// A v1 Pod: its status, and the images of its containers.
    Pod { "", "v1", "pods" } PodPlan, PodStatus
);

/// `spec` of a pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodPlan {
    /// `initContainers`
    pub init_containers: Option<Vec<NamedContainer>>,
    /// `containers`
    pub containers: Option<Vec<NamedContainer>>,
    /// Conditions that others set and that have to be True before the pod is ready.
    pub readiness_gates: Option<Vec<ReadinessGate>>,
    /// What keeps the pod from being scheduled until it is removed.
    pub scheduling_gates: Option<Vec<SchedulingGate>>,
}

/// A readiness gate of a pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessGate {
    /// Type of the condition that has to be True.
    pub condition_type: Option<String>,
}

/// A scheduling gate of a pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SchedulingGate {
    /// `name`
    pub name: Option<String>,
}

/// A container's name and image, and whether it is a sidecar.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamedContainer {
    /// `name`
    pub name: Option<String>,
    /// `image`
    pub image: Option<String>,
    /// `Always` makes an init container a sidecar.
    pub restart_policy: Option<String>,
}

/// `status` of a pod.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Pending, Running, Succeeded, Failed, Unknown.
    pub phase: Option<String>,
    /// Of a pod that failed as a whole, e.g. Evicted.
    pub reason: Option<String>,
    /// Words to that.
    pub message: Option<String>,
    /// PodScheduled and Ready among them.
    pub conditions: Option<Vec<Condition>>,
    /// `initContainerStatuses`
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
    /// `containerStatuses`
    pub container_statuses: Option<Vec<ContainerStatus>>,
}

/// How a container stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Its name.
    pub name: Option<String>,
    /// It is ready.
    pub ready: Option<bool>,
    /// Its startup probe has passed, or it has none.
    pub started: Option<bool>,
    /// How often it was started again.
    pub restart_count: Option<i32>,
    /// Now.
    pub state: Option<ContainerState>,
    /// Before that.
    pub last_state: Option<ContainerState>,
}

/// One of three.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// It is not started.
    pub waiting: Option<WaitingState>,
    /// It runs.
    pub running: Option<RunningState>,
    /// It ended.
    pub terminated: Option<TerminatedState>,
}

/// Since when a container runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunningState {
    /// `startedAt`
    pub started_at: Option<Timestamp>,
}

/// Why a container is not started.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct WaitingState {
    /// E.g. ImagePullBackOff, CrashLoopBackOff.
    pub reason: Option<String>,
    /// The kubelet's words.
    pub message: Option<String>,
}

/// How a container ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TerminatedState {
    /// `exitCode`
    pub exit_code: Option<i32>,
    /// E.g. OOMKilled, Error.
    pub reason: Option<String>,
    /// The end of its log, or what it left behind.
    pub message: Option<String>,
    /// `startedAt`
    pub started_at: Option<Timestamp>,
    /// `finishedAt`
    pub finished_at: Option<Timestamp>,
}
