//! Samples as points of OTLP.

use std::str::FromStr;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, HistogramDataPoint, NumberDataPoint, exemplar,
};
use timeline::base::TraceId;

use super::text::{self, Labels, Sample, Unreadable};
use crate::export::encode::key_value;

/// From when to when counts are, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start: u64,
    pub(super) now: u64,
}

/// Our names are `throughline_` and a name within it, and end with the unit. OpenTelemetry has a dot
/// for the namespace and the unit in a field of its own; Prometheus makes the same name of it again.
pub(super) fn name(metric: &str, unit: &str) -> String {
    let bare = metric.strip_suffix(unit).and_then(|name| name.strip_suffix('_'));
    let bare = bare.filter(|_| !unit.is_empty()).unwrap_or(metric);
    bare.replacen('_', ".", 1)
}

/// A unit as UCUM writes it.
pub(super) fn unit(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        other => other,
    }
}

/// A gauge's point has no start.
pub(super) fn gauge(sample: Sample<'_>, period: Period) -> Result<NumberDataPoint, Unreadable> {
    Ok(NumberDataPoint { start_time_unix_nano: 0, ..counter(sample, period)? })
}

pub(super) fn counter(sample: Sample<'_>, period: Period) -> Result<NumberDataPoint, Unreadable> {
    let integer = sample.value.parse().map(Value::AsInt);
    let value = integer.or_else(|_| parsed(sample.value).map(Value::AsDouble))?;
    Ok(NumberDataPoint {
        start_time_unix_nano: period.start,
        time_unix_nano: period.now,
        value: Some(value),
        exemplars: sample.exemplar.into_iter().map(|it| exemplar(it, period)).collect(),
        attributes: attributes(sample.labels),
        ..NumberDataPoint::default()
    })
}

fn parsed<T: FromStr>(text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| Unreadable)
}

/// A histogram of which samples have come, and others not.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    labels: Option<Labels>,
    point: HistogramDataPoint,
    /// In all buckets so far.
    counted: u64,
}

impl Histogram {
    /// Takes a sample of this histogram; gives the point when it was the last one.
    pub(super) fn take(
        &mut self,
        suffix: &str,
        sample: Sample<'_>,
        period: Period,
    ) -> Result<Option<HistogramDataPoint>, Unreadable> {
        let (le, labels): (Vec<_>, Labels) =
            sample.labels.into_iter().partition(|(name, _)| name == "le");
        if *self.labels.get_or_insert_with(|| labels.clone()) != labels {
            return Err(Unreadable);
        }
        match (suffix, &le[..]) {
            ("_sum", []) => self.point.sum = Some(parsed(sample.value)?),
            ("_count", []) => self.point.count = parsed(sample.value)?,
            ("_bucket", [(_, bound)]) => {
                let cumulative: u64 = parsed(sample.value)?;
                let count = cumulative.checked_sub(self.counted).ok_or(Unreadable)?;
                self.point.bucket_counts.push(count);
                self.counted = cumulative;
                self.point.exemplars.extend(sample.exemplar.map(|it| exemplar(it, period)));
                if bound == "+Inf" {
                    return Ok(Some(self.whole(period)));
                }
                self.point.explicit_bounds.push(parsed(bound)?);
            }
            _ => return Err(Unreadable),
        }
        Ok(None)
    }

    fn whole(&mut self, period: Period) -> HistogramDataPoint {
        let Self { labels, mut point, .. } = std::mem::take(self);
        point.start_time_unix_nano = period.start;
        point.time_unix_nano = period.now;
        point.attributes = attributes(labels.unwrap_or_default());
        point
    }
}

/// The label `trace_id` has a field of its own, the others are attributes.
fn exemplar(exemplar: text::Exemplar, period: Period) -> Exemplar {
    let mut trace_id = Vec::new();
    let mut others = exemplar.labels;
    others.retain(|(name, value)| match value.parse::<TraceId>() {
        Ok(trace) if name == "trace_id" => {
            trace_id = trace.to_bytes().to_vec();
            false
        }
        _ => true,
    });
    Exemplar {
        filtered_attributes: attributes(others),
        time_unix_nano: exemplar.at.map_or(period.now, nanoseconds),
        trace_id,
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
        ..Exemplar::default()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn nanoseconds(seconds: f64) -> u64 {
    // To the millisecond, as the clock of the process has them: a fraction in binary is not exact.
    (seconds * 1e3).round() as u64 * 1_000_000
}

fn attributes(labels: Labels) -> Vec<KeyValue> {
    labels.into_iter().map(|(name, value)| key_value(name, Any::StringValue(value))).collect()
}
