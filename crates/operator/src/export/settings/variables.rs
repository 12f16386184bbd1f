//! One setting: the flag, else the variable for the signal, else the one for all signals.

use std::time::Duration;

use hyper::http::uri::{PathAndQuery, Uri};
use jiff::SignedDuration;

use super::{Certificates, File, OtlpArgs, Protocol, SettingsError};
use crate::export::signal::Signal;

/// A delivery has to end: 0, the specification's word for no limit, is not taken.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(10);
/// As much of a wrong value as is shown, in characters.
const SHOWN_LIMIT: usize = 128;

/// The environment as it holds for a signal, with empty variables left out.
pub(super) struct Variables<'a> {
    pub(super) signal: Signal,
    env: &'a dyn Fn(&str) -> Option<String>,
}

/// A value and where it comes from.
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    from: From,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Flag,
    /// A variable for this signal alone.
    Signal,
    /// A variable for all signals.
    Generic,
}

impl<'a> Variables<'a> {
    pub(super) fn new(signal: Signal, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { signal, env }
    }

    pub(super) fn get(&self, name: &str) -> Option<Setting> {
        let value = (self.env)(name)?.trim().to_owned();
        if value.is_empty() {
            return None;
        }
        Some(Setting { name: name.to_owned(), value, from: From::Generic })
    }

    /// The flag, else the variable for the signal, else the one for all signals.
    pub(super) fn find(&self, suffix: &str, flag: &str, given: Option<&String>) -> Option<Setting> {
        if let Some(value) = given {
            let (name, value) = (flag.to_owned(), value.clone());
            return Some(Setting { name, value, from: From::Flag });
        }
        let own = self.get(&format!("OTEL_EXPORTER_OTLP_{}_{suffix}", self.signal.name()));
        own.map(|setting| Setting { from: From::Signal, ..setting })
            .or_else(|| self.get(&format!("OTEL_EXPORTER_OTLP_{suffix}")))
    }

    pub(super) fn switch(&self, name: &str) -> Result<bool, SettingsError> {
        self.get(name).map_or(Ok(false), |setting| setting.switch())
    }

    pub(super) fn insecure(&self) -> Result<bool, SettingsError> {
        self.find("INSECURE", "", None).map_or(Ok(false), |setting| setting.switch())
    }

    /// Whether spans are wanted.
    pub(super) fn wanted(&self) -> Result<bool, SettingsError> {
        let Some(setting) = self.get("OTEL_TRACES_EXPORTER") else { return Ok(true) };
        match setting.value.as_str() {
            "otlp" => Ok(true),
            "none" => Ok(false),
            _ => Err(setting.wrong("otlp or none")),
        }
    }

    pub(super) fn file(&self, suffix: &str, flag: &str, given: Option<&String>) -> Option<File> {
        let Setting { name, value, .. } = self.find(suffix, flag, given)?;
        Some(File { name, path: value.into() })
    }

    pub(super) fn certificates(&self, args: &OtlpArgs) -> Result<Certificates, SettingsError> {
        let certificate = self.file(
            "CLIENT_CERTIFICATE",
            "--otlp-client-certificate-file",
            args.otlp_client_certificate_file.as_ref(),
        );
        let key =
            self.file("CLIENT_KEY", "--otlp-client-key-file", args.otlp_client_key_file.as_ref());
        let identity = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(certificate), None) => {
                let missing = "OTEL_EXPORTER_OTLP_CLIENT_KEY";
                return Err(SettingsError::HalfIdentity { given: certificate.name, missing });
            }
            (None, Some(key)) => {
                let missing = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
                return Err(SettingsError::HalfIdentity { given: key.name, missing });
            }
        };
        let authority = self.file("CERTIFICATE", "--otlp-ca-file", args.otlp_ca_file.as_ref());
        Ok(Certificates { authority, identity })
    }
}

impl Setting {
    pub(super) fn wrong(&self, allowed: &'static str) -> SettingsError {
        let value = self.value.chars().take(SHOWN_LIMIT).collect();
        SettingsError::Value { name: self.name.clone(), value, allowed }
    }

    pub(super) fn switch(&self) -> Result<bool, SettingsError> {
        match self.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong("true or false")),
        }
    }

    pub(super) fn protocol(&self) -> Result<Protocol, SettingsError> {
        match self.value.as_str() {
            "grpc" => Ok(Protocol::Grpc),
            "http/protobuf" => Ok(Protocol::HttpProtobuf),
            _ => Err(self.wrong("grpc or http/protobuf")),
        }
    }

    pub(super) fn gzip(&self) -> Result<bool, SettingsError> {
        match self.value.as_str() {
            "gzip" => Ok(true),
            "none" => Ok(false),
            _ => Err(self.wrong("gzip or none")),
        }
    }

    /// The variables are in milliseconds; a flag names its unit.
    pub(super) fn duration(&self) -> Result<Duration, SettingsError> {
        let (duration, allowed) = if self.from == From::Flag {
            let duration = self.value.parse::<SignedDuration>().ok();
            let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
            (duration, "a duration from 1ms to 10min, e.g. 500ms or 10s")
        } else {
            let duration = self.value.parse().ok().map(Duration::from_millis);
            (duration, "milliseconds, from 1 to 600000")
        };
        duration
            .filter(|duration| (Duration::from_millis(1)..=LONGEST_TIMEOUT).contains(duration))
            .ok_or_else(|| self.wrong(allowed))
    }

    /// What requests ask for, and the same for people.
    ///
    /// Over HTTP the endpoint for the signal is taken as it is, the one for all signals gets the path
    /// of the signal appended. Over gRPC the path is the method's.
    pub(super) fn uri(
        &self,
        signal: Signal,
        protocol: Protocol,
        insecure: bool,
    ) -> Result<(Uri, String), SettingsError> {
        let allowed = match protocol {
            Protocol::Grpc => "http://HOST:PORT, https://HOST:PORT or HOST:PORT",
            Protocol::HttpProtobuf => {
                "http://HOST:PORT or https://HOST:PORT, with or without a path"
            }
        };
        // A query may hold a key.
        let shown = self.value.split(['?', '#']).next().unwrap_or_default();
        let unquestioned =
            Self { name: self.name.clone(), value: shown.to_owned(), from: self.from };
        let wrong = || unquestioned.wrong(allowed);
        let (scheme, rest) = match self.value.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            None if protocol == Protocol::HttpProtobuf => return Err(wrong()),
            None if insecure => ("http", self.value.as_str()),
            None => ("https", self.value.as_str()),
        };
        if rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
            return Err(SettingsError::Credentials { name: self.name.clone() });
        }
        if !matches!(scheme, "http" | "https") {
            return Err(wrong());
        }
        let given: Uri = format!("{scheme}://{rest}").parse().map_err(|_| wrong())?;
        let Some(authority) = given.authority() else { return Err(wrong()) };
        if authority.host().is_empty() {
            return Err(wrong());
        }
        let path = match (protocol, self.from) {
            (Protocol::Grpc, _) => PathAndQuery::from_static(signal.method()),
            (Protocol::HttpProtobuf, From::Signal) => {
                given.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"))
            }
            (Protocol::HttpProtobuf, From::Flag | From::Generic) => {
                let query = given.query().map(|query| format!("?{query}")).unwrap_or_default();
                let base = given.path().trim_end_matches('/');
                let path = format!("{base}{}{query}", signal.path());
                path.parse().map_err(|_| wrong())?
            }
        };
        let mut shown = format!("{scheme}://{authority}");
        if protocol == Protocol::HttpProtobuf {
            shown.push_str(path.path());
        }
        let uri = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query(path);
        Ok((uri.build().map_err(|_| wrong())?, shown))
    }
}
