//! Traffic routers that are no more than an Ingress: real weights without a data plane.

use serde_json::{Value, json};

/// What sends a share of the traffic to a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Router {
    /// ingress-nginx: a second Ingress with `canary-weight`.
    Nginx,
    /// The controller of AWS: an annotation of the Ingress; also routes by headers.
    Alb,
    /// Istio: a VirtualService; also mirrors. Its CRDs have to be there when Argo Rollouts starts, see
    /// [`ISTIO`].
    Istio,
}

/// The CRD of VirtualServices, as far as Argo Rollouts needs it.
pub const ISTIO: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: virtualservices.networking.istio.io}
spec:
  group: networking.istio.io
  scope: Namespaced
  names: {kind: VirtualService, listKind: VirtualServiceList, plural: virtualservices, singular: virtualservice}
  versions:
  - name: v1alpha3
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: destinationrules.networking.istio.io}
spec:
  group: networking.istio.io
  scope: Namespaced
  names: {kind: DestinationRule, listKind: DestinationRuleList, plural: destinationrules, singular: destinationrule}
  versions:
  - name: v1alpha3
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

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
        let services = vec![service("stable"), service("canary"), service("root")];
        let routes = match self {
            Self::Nginx => ingress(
                name,
                "nginx",
                &json!({ "name": format!("{name}-stable"), "port": { "number": 80 } }),
            ),
            Self::Alb => ingress(
                name,
                "alb",
                &json!({ "name": format!("{name}-root"), "port": { "name": "use-annotation" } }),
            ),
            Self::Istio => virtual_service(name),
        };
        [services, vec![routes]].concat()
    }

    /// The fields of the canary strategy.
    pub(super) fn fields(self, name: &str) -> Value {
        let routing = match self {
            Self::Nginx => json!({ "nginx": { "stableIngress": name } }),
            Self::Alb => {
                let root = format!("{name}-root");
                json!({ "alb": { "ingress": name, "rootService": root, "servicePort": 80 } })
            }
            Self::Istio => {
                json!({ "istio": { "virtualService": { "name": name, "routes": ["primary"] } } })
            }
        };
        json!({
            "stableService": format!("{name}-stable"),
            "canaryService": format!("{name}-canary"),
            "trafficRouting": routing,
        })
    }
}

fn ingress(name: &str, class: &str, backend: &Value) -> Value {
    let path = json!({
        "path": "/",
        "pathType": "ImplementationSpecific",
        "backend": { "service": backend },
    });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": name, "annotations": { "kubernetes.io/ingress.class": class } },
        "spec": {
            "rules": [{ "host": format!("{name}.example.com"), "http": { "paths": [path] } }],
        },
    })
}

fn virtual_service(name: &str) -> Value {
    let to = |suffix: &str, weight: u32| json!({ "destination": { "host": format!("{name}-{suffix}") }, "weight": weight });
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "VirtualService",
        "metadata": { "name": name },
        "spec": {
            "hosts": [name],
            "http": [{ "name": "primary", "route": [to("stable", 100), to("canary", 0)] }],
        },
    })
}
