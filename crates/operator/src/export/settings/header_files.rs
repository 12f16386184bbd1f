//! Headers in files: a Secret that is mounted changes while the process runs.

use std::io::Read as _;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::{File, SettingsError, headers, list};

/// No server takes as much; a file that is larger is another one.
const FILE_LIMIT: u64 = 64 << 10;

/// Files of headers, as they are named.
#[derive(Debug, Default)]
pub(in crate::export) struct HeaderFiles {
    /// Headers, one in each line, or several with a comma.
    pub(super) list: Option<File>,
    /// A token.
    pub(super) token: Option<File>,
}

impl HeaderFiles {
    /// Whether there is nothing to be read.
    pub(in crate::export) fn is_empty(&self) -> bool {
        self.list.is_none() && self.token.is_none()
    }

    /// Adds what stands in the files now; it wins over what is there. Blocks.
    pub(in crate::export) fn add_to(&self, headers: &mut HeaderMap) -> Result<(), SettingsError> {
        if let Some(file) = &self.list {
            let text = text(file)?;
            for (number, entry) in text.lines().flat_map(list::entries).enumerate() {
                headers::add(headers, &file.name, number + 1, entry)?;
            }
        }
        if let Some(file) = &self.token {
            let text = text(file)?;
            let token = text.trim();
            if token.is_empty() {
                return Err(file.unusable(&"there is no token in it"));
            }
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| file.unusable(&"it takes one token in one line"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(())
    }
}

/// What stands in a file. No error repeats any of it.
fn text(file: &File) -> Result<String, SettingsError> {
    let mut bytes = Vec::new();
    std::fs::File::open(&file.path)
        .and_then(|open| open.take(FILE_LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|error| file.unusable(&error))?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(file.unusable(&"it is larger than 64 KiB"));
    }
    String::from_utf8(bytes).map_err(|_| file.unusable(&"it is not UTF-8"))
}
