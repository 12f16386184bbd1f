//! The headers that go with each request.

use hyper::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use super::variables::Setting;
use super::{OtlpArgs, Secret, SettingsError, list};

/// The headers of the variable, over them those of the flags.
pub(super) fn all(args: &OtlpArgs, variable: Option<&Setting>) -> Result<HeaderMap, SettingsError> {
    let mut headers = HeaderMap::new();
    let agent = concat!("throughline/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if let Some(Setting { name, value, .. }) = variable {
        for (number, entry) in list::entries(value).enumerate() {
            add(&mut headers, name, number + 1, entry)?;
        }
    }
    for (number, Secret(header)) in args.otlp_header.iter().enumerate() {
        let entry = header.split_once('=');
        let entry = entry.map(|(key, value)| (key.trim(), value.trim().as_bytes().to_vec()));
        add(&mut headers, "--otlp-header", number + 1, entry)?;
    }
    Ok(headers)
}

/// Adds the entry of this number, or puts it in the place of one of the same key.
pub(super) fn add(
    headers: &mut HeaderMap,
    name: &str,
    number: usize,
    entry: Option<(&str, Vec<u8>)>,
) -> Result<(), SettingsError> {
    let wrong = |reason: String| SettingsError::Header { name: name.to_owned(), number, reason };
    let (key, value) = entry.ok_or_else(|| wrong("it takes key=value,key2=value2".to_owned()))?;
    let key: HeaderName = key
        .parse()
        .map_err(|_| wrong("what stands before the = is no name of a header".to_owned()))?;
    if reserved(&key) {
        return Err(wrong(format!("the protocol itself sets {key}")));
    }
    let mut value = HeaderValue::from_bytes(&value)
        .map_err(|_| wrong(format!("the value of {key} has characters no header may have")))?;
    value.set_sensitive(true);
    headers.insert(key, value);
    Ok(())
}

/// What a request has by being one of OTLP.
fn reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("grpc-")
        || matches!(
            name,
            "accept-encoding"
                | "connection"
                | "content-encoding"
                | "content-length"
                | "content-type"
                | "host"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        )
}
