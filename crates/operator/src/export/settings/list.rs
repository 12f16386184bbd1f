//! Lists in variables, `key=value,key2=value2`: W3C Baggage's form without properties, values
//! percent-encoded.

use percent_encoding::percent_decode_str;

/// The entries of a list, decoded; none for one that has no `=` or no key. Empty ones are passed
/// over, as a comma at the end makes one.
pub(super) fn entries(list: &str) -> impl Iterator<Item = Option<(&str, Vec<u8>)>> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(|entry| {
        let (key, value) = entry.split_once('=')?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key, percent_decode_str(value.trim()).collect()))
    })
}
