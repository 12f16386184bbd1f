//! Traffic routers that are no more than an Ingress: real weights without a data plane.

use serde_json::{Value, json};

/// What sends a share of the traffic to a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Router {
    /// ingress-nginx: a second Ingress with `canary-weight`.
    Nginx,
    /// The controller of AWS: an annotation of the Ingress; also routes by headers.
    Alb,
}

impl Router {
    /// The Services and the Ingress of a Rollout.
    pub(super) fn objects(self, name: &str) -> Vec<Value> {
        let service = |suffix: &str| {
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": { "name": format!("{name}-{suffix}") },
                "spec": {
                    "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }],
                    "selector": { "app": name },
                },
            })
        };
        let (class, backend) = match self {
            Self::Nginx => {
                ("nginx", json!({ "name": format!("{name}-stable"), "port": { "number": 80 } }))
            }
            Self::Alb => (
                "alb",
                json!({ "name": format!("{name}-root"), "port": { "name": "use-annotation" } }),
            ),
        };
        let path = json!({
            "path": "/",
            "pathType": "ImplementationSpecific",
            "backend": { "service": backend },
        });
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": name, "annotations": { "kubernetes.io/ingress.class": class } },
            "spec": {
                "rules": [{ "host": format!("{name}.example.com"), "http": { "paths": [path] } }],
            },
        });
        vec![service("stable"), service("canary"), service("root"), ingress]
    }

    /// The fields of the canary strategy.
    pub(super) fn fields(self, name: &str) -> Value {
        let routing = match self {
            Self::Nginx => json!({ "nginx": { "stableIngress": name } }),
            Self::Alb => {
                let root = format!("{name}-root");
                json!({ "alb": { "ingress": name, "rootService": root, "servicePort": 80 } })
            }
        };
        json!({
            "stableService": format!("{name}-stable"),
            "canaryService": format!("{name}-canary"),
            "trafficRouting": routing,
        })
    }
}
