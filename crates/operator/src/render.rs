//! Data as JSON or YAML.

use std::io;

use serde::Serialize;

/// A program reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
}

/// A document that ends with a line break.
pub(crate) fn document(data: &impl Serialize, format: Format) -> io::Result<String> {
    match format {
        Format::Json => {
            let mut text = serde_json::to_string_pretty(data)?;
            text.push('\n');
            Ok(text)
        }
        Format::Yaml => serde_norway::to_string(data).map_err(io::Error::other),
    }
}
