//! What an error of the API server means: the one place that reads its status.

use api::FENCED;
use jiff::SignedDuration;
use kube::core::Status;
use timeline::outbox::{AttemptWritten, NotStored};

use crate::words;

/// Why a request was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The namespace is being deleted, or is gone: nothing can be made in it.
    NamespaceGone,
    /// Another writer was faster.
    Conflict,
    /// The object is not there, or its kind is not served.
    NotFound,
    /// The operator lacks a permission.
    Forbidden,
    /// A ResourceQuota is used up.
    Quota,
    /// This object will not be taken: it is too large, does not fit the schema, or an admission
    /// webhook or policy refuses it.
    Refused,
    /// A later leader has written the object.
    Fenced,
    /// A watch or a list is too old to go on.
    Expired,
    /// Too many requests.
    Throttled,
    /// The API server failed.
    ServerError,
    /// The answer cannot be read.
    Unreadable,
    /// The connection failed.
    NoAnswer,
    /// A status that has no meaning here.
    Other,
}

impl Rejection {
    /// What an error of the client means.
    pub(crate) fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(status),
            kube::Error::SerdeError(_) => Self::Unreadable,
            _ => Self::NoAnswer,
        }
    }

    /// What a status means.
    pub(crate) fn of_status(status: &Status) -> Self {
        let details = status.details.as_ref();
        let terminating = details.is_some_and(|details| {
            details.causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
        });
        match status.code {
            403 if terminating => Self::NamespaceGone,
            403 if status.message.contains("exceeded quota: ") => Self::Quota,
            403 if is_of_admission(&status.message) => Self::Refused,
            401 | 403 => Self::Forbidden,
            404 if details.is_some_and(|details| details.kind == "namespaces") => {
                Self::NamespaceGone
            }
            404 => Self::NotFound,
            409 => Self::Conflict,
            422 if status.message.contains(FENCED) => Self::Fenced,
            400 | 413 | 415 | 422 => Self::Refused,
            410 => Self::Expired,
            429 => Self::Throttled,
            500.. => Self::ServerError,
            _ => Self::Other,
        }
    }

    /// The word for it in `throughline_errors_total`.
    pub(crate) const fn error_type(self) -> &'static str {
        match self {
            Self::NamespaceGone => "namespace_gone",
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Quota => "quota",
            Self::Refused => "invalid",
            Self::Fenced => "fenced",
            Self::Expired => "expired",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Unreadable => "unreadable",
            Self::NoAnswer => "no_answer",
            Self::Other => "other",
        }
    }
}

/// Refused by what looks at each object, and not for want of a permission.
fn is_of_admission(message: &str) -> bool {
    ["denied the request", "denied request", "admission webhook"]
        .iter()
        .any(|words| message.contains(words))
}

/// Why an object was not stored; none if it never can be, because its namespace goes.
pub(crate) fn not_stored(error: &kube::Error) -> Option<NotStored> {
    Some(match Rejection::of(error) {
        Rejection::NamespaceGone => return None,
        Rejection::Forbidden => NotStored::Forbidden,
        Rejection::Refused => NotStored::Refused(words(error)),
        _ => asked(error).map_or(NotStored::Failed, NotStored::Later),
    })
}

/// How long the API server asks to wait, as it says in the body of an answer with Retry-After.
pub(crate) fn asked(error: &kube::Error) -> Option<SignedDuration> {
    let kube::Error::Api(status) = error else { return None };
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| SignedDuration::from_secs(i64::from(seconds)))
}

/// What became of the write of a RolloutAttempt that failed so.
pub(crate) fn attempt_written(error: &kube::Error) -> AttemptWritten {
    match not_stored(error) {
        None => AttemptWritten::NamespaceGone,
        Some(NotStored::Failed) => AttemptWritten::Failed,
        Some(NotStored::Later(asked)) => AttemptWritten::Later(asked),
        Some(NotStored::Forbidden) => AttemptWritten::Forbidden,
        Some(NotStored::Refused(why)) => AttemptWritten::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Rejection {
        let status: Status = serde_json::from_str(body).unwrap();
        Rejection::of(&kube::Error::Api(status.boxed()))
    }

    #[test]
    fn an_answer_of_the_api_server_means_what_it_says_and_not_only_its_number() {
        for (meaning, body) in [
            (
                Rejection::NamespaceGone,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"rolloutattempts.throughline.dev \"cart-2-1-0f3a9\" is forbidden: unable to create new content in namespace preview-7 because it is being terminated","reason":"Forbidden","details":{"name":"cart-2-1-0f3a9","group":"throughline.dev","kind":"rolloutattempts","causes":[{"reason":"NamespaceTerminating","message":"namespace preview-7 is being terminated","field":"metadata.namespace"}]},"code":403}"#,
            ),
            (
                Rejection::NamespaceGone,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"namespaces \"preview-7\" not found","reason":"NotFound","details":{"name":"preview-7","kind":"namespaces"},"code":404}"#,
            ),
            (
                Rejection::NotFound,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"rolloutattempts.throughline.dev \"cart-2-1-0f3a9\" not found","reason":"NotFound","details":{"name":"cart-2-1-0f3a9","group":"throughline.dev","kind":"rolloutattempts"},"code":404}"#,
            ),
            (
                Rejection::NotFound,
                r#"{"status":"Failure","message":"404 page not found\n","reason":"Failed to parse error data","code":404}"#,
            ),
            (
                Rejection::Forbidden,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"rolloutattempts.throughline.dev is forbidden: User \"system:serviceaccount:throughline-system:throughline\" cannot create resource \"rolloutattempts\" in API group \"throughline.dev\" in the namespace \"shop\"","reason":"Forbidden","details":{"group":"throughline.dev","kind":"rolloutattempts"},"code":403}"#,
            ),
            (
                Rejection::Forbidden,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#,
            ),
            (
                Rejection::Quota,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"rolloutattempts.throughline.dev \"cart-2-1-0f3a9\" is forbidden: exceeded quota: objects, requested: count/rolloutattempts.throughline.dev=1, used: count/rolloutattempts.throughline.dev=20, limited: count/rolloutattempts.throughline.dev=20","reason":"Forbidden","details":{"name":"cart-2-1-0f3a9","group":"throughline.dev","kind":"rolloutattempts"},"code":403}"#,
            ),
            (
                Rejection::Refused,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"admission webhook \"validation.gatekeeper.sh\" denied the request: [labels] you must provide labels: {\"owner\"}","reason":"Forbidden","code":403}"#,
            ),
            (
                Rejection::Refused,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"rolloutattempts.throughline.dev \"cart-2-1-0f3a9\" is forbidden: ValidatingAdmissionPolicy 'labels' with binding 'all' denied request: failed expression: has(object.metadata.labels.owner)","reason":"Forbidden","details":{"name":"cart-2-1-0f3a9"},"code":403}"#,
            ),
            (
                Rejection::Refused,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"RolloutAttempt.throughline.dev \"cart-2-1-0f3a9\" is invalid: status.steps: Too many: 300: must have at most 256 items","reason":"Invalid","details":{"name":"cart-2-1-0f3a9","group":"throughline.dev","kind":"RolloutAttempt","causes":[{"reason":"FieldValueTooMany","message":"Too many: 300: must have at most 256 items","field":"status.steps"}]},"code":422}"#,
            ),
            (
                Rejection::Refused,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Request entity too large: limit is 3145728","reason":"RequestEntityTooLarge","code":413}"#,
            ),
            (
                Rejection::Conflict,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"object is being deleted: rolloutattempts.throughline.dev \"cart-2-1-0f3a9\" already exists","reason":"AlreadyExists","details":{"name":"cart-2-1-0f3a9","group":"throughline.dev","kind":"rolloutattempts"},"code":409}"#,
            ),
            (
                Rejection::Throttled,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too many requests, please try again later","reason":"TooManyRequests","details":{"retryAfterSeconds":1},"code":429}"#,
            ),
            (
                Rejection::ServerError,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"etcdserver: request timed out","code":500}"#,
            ),
            (
                Rejection::ServerError,
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred: failed calling webhook \"validate.kyverno.svc\": Post \"https://kyverno.svc\": context deadline exceeded","reason":"InternalError","code":500}"#,
            ),
        ] {
            assert_eq!(of(body), meaning, "{body}");
        }
    }

    #[test]
    fn only_what_may_come_through_another_time_is_tried_again_soon() {
        let written = |code: u16| {
            attempt_written(&kube::Error::Api(
                Status::failure("words", "Reason").with_code(code).boxed(),
            ))
        };
        for (codes, meaning) in [
            (&[404, 409, 410, 429, 500, 503, 504][..], AttemptWritten::Failed),
            (&[401, 403], AttemptWritten::Forbidden),
            (&[400, 413, 422], AttemptWritten::Refused("words".to_owned())),
        ] {
            for code in codes {
                assert_eq!(written(*code), meaning, "{code}");
            }
        }
    }
}
