//! The objects around a Rollout: AnalysisRuns, and the traces that Keptn makes.

use timeline::failure::AbortCause;
use timeline::seen::{
    AnalysisKind, AnalysisPhase, AnalysisRunSeen, AppVersionSeen, EvidenceOwner, MeasurementSeen,
    MetricSeen, WorkloadVersionSeen,
};
use timeline::{Key, Observation, Traceparent};

use super::{Argo, NAMESPACE, Plan, whole};

impl Argo {
    /// The analysis of the step at hand fails, and Argo aborts for it.
    pub(crate) fn fails_analysis(&mut self) -> &mut Self {
        self.steps_to_analysis();
        let step = self.rollout.progress.step.map(|step| step as usize);
        let plan = step.and_then(|step| self.plan.get(step));
        if !self.moves() || plan != Some(&Plan::Analysis) {
            return self;
        }
        self.pods_get_ready();
        self.analyses(AnalysisKind::Step, AnalysisPhase::Failed);
        let why = ": Step-based analysis phase error/failed: Metric \"rate\" assessed Failed";
        self.aborts(AbortCause::StepAnalysis, why)
    }

    /// An AnalysisRun is made, measures twice, and ends.
    pub(super) fn analyses(&mut self, kind: AnalysisKind, outcome: AnalysisPhase) {
        let (hash, revision) = (self.current(), self.rollout.revision.unwrap_or_default());
        let step = self.rollout.progress.step.filter(|_| kind == AnalysisKind::Step);
        let name = format!("{}-{hash}-{revision}-{}", self.rollout.key.name, self.runs.len());
        let mut run = AnalysisRunSeen {
            key: Key::new(NAMESPACE, &name),
            uid: format!("{}-{name}", self.rollout.uid),
            owner: EvidenceOwner::Rollout(
                self.rollout.key.name.to_string(),
                self.rollout.uid.to_string(),
            ),
            revision: Some(revision),
            hash: Some(hash.into()),
            kind,
            step,
            phase: AnalysisPhase::Pending,
            message: String::new(),
            created: Some(whole(self.now)),
            started: None,
            completed: None,
            metrics: Vec::new(),
            metric_count: 0,
        };
        self.put_run(&run);
        self.rollout.progress.step_run = kind == AnalysisKind::Step;
        self.write();
        (run.phase, run.started) = (AnalysisPhase::Running, Some(whole(self.now)));
        for n in 0..2 {
            self.wait(2);
            let failed = n == 1 && outcome == AnalysisPhase::Failed;
            let phase = if failed { AnalysisPhase::Failed } else { AnalysisPhase::Successful };
            let before = run.metrics.pop().map(|metric| metric.measurements).unwrap_or_default();
            let measurement = MeasurementSeen {
                phase,
                value: format!("0.{n}"),
                message: String::new(),
                started: Some(whole(self.now)),
                finished: Some(whole(self.now)),
            };
            let over = n == 1;
            run.metrics = vec![MetricSeen {
                name: "rate".to_owned(),
                phase: if over { phase } else { AnalysisPhase::Running },
                message: String::new(),
                dry_run: false,
                count: n + 1,
                failed: u32::from(failed),
                measurements: before.into_iter().chain([measurement]).collect(),
            }];
            run.metric_count = 1;
            if over {
                (run.phase, run.completed) = (outcome, Some(whole(self.now)));
            }
            self.put_run(&run);
        }
    }

    pub(super) fn put_run(&mut self, run: &AnalysisRunSeen) {
        self.runs.insert(run.key.clone(), run.clone());
        self.put(Observation::AnalysisRun(Box::new(run.clone())));
        self.shortly();
    }

    /// Keptn has made a trace for the current revision, and says so in its two objects.
    pub(crate) fn keptn(&mut self, n: u8) -> &mut Self {
        let hash = self.current();
        let Some(set) = self.sets.get(&hash).filter(|_| self.exists) else {
            return self;
        };
        let trace: Traceparent =
            format!("00-{:032x}-{:016x}-01", 1000 + u32::from(n), 5).parse().unwrap();
        let (uid, name) = (set.uid.clone(), self.rollout.key.name.clone());
        let version = format!("version-{hash}");
        self.put(Observation::AppVersion(AppVersionSeen {
            key: Key::new(NAMESPACE, format!("shop-{name}-{hash}-{n}")),
            app: "shop".into(),
            workloads: vec![(name.clone(), version.clone().into())],
            span_links: Vec::new(),
            created: Some(whole(self.now)),
            ended: None,
            deprecated: false,
            held: false,
            before_deploy: None,
            app_deploy: Some(trace),
            broken: None,
        }));
        self.shortly();
        self.put(Observation::WorkloadVersion(WorkloadVersionSeen {
            key: Key::new(NAMESPACE, format!("shop-{name}-{version}")),
            app: "shop".into(),
            workload: format!("shop-{name}").into(),
            version: version.into(),
            replica_set_uid: Some(uid),
            trace: Some(trace),
        }));
        self.shortly();
        self
    }

    /// An analysis beside the steps is begun, which only Argo ends.
    pub(crate) fn watches_in_background(&mut self) -> &mut Self {
        if !self.moves() {
            return self;
        }
        self.analyses(AnalysisKind::Background, AnalysisPhase::Running);
        self
    }

    /// Argo terminates the runs that are not needed any more.
    pub(super) fn stop_runs(&mut self) {
        let running: Vec<_> = self
            .runs
            .values()
            .filter(|run| matches!(run.phase, AnalysisPhase::Pending | AnalysisPhase::Running))
            .cloned()
            .collect();
        for mut run in running {
            (run.phase, run.completed) = (AnalysisPhase::Cancelled, Some(whole(self.now)));
            self.put_run(&run);
        }
    }
}
