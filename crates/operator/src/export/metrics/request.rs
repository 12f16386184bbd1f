//! Cuts metrics into requests that a collector takes.

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1 as otlp;
use prost::Message as _;

use super::Request;
use super::point::{self, Period};
use super::text::{self, Line, Sample, TextError, Unreadable};
use crate::export::encode::{SCOPE, key_value, nanoseconds};

/// What a collector has for a batch, usually.
const POINTS_LIMIT: u64 = 8_000;
/// Well below OTLP's limit of a message; the resource and the last point come on top.
const BYTES_LIMIT: usize = 3 << 20;
/// What a point or a metric costs beside its own bytes: tags and lengths.
const FRAME: usize = 16;

/// Which process counts, and since when.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// When it started: counts are cumulative since then.
    pub started: Timestamp,
}

/// The requests that OpenMetrics text makes, one at a time.
#[derive(Debug)]
pub struct Requests {
    text: String,
    /// Up to where it is read.
    read: usize,
    resource: Vec<(String, String)>,
    period: Period,
    metric: About,
    histogram: point::Histogram,
}

/// What is said of a metric before its samples.
#[derive(Debug, Default)]
struct About {
    name: String,
    help: String,
    unit: String,
    kind: Kind,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Histogram,
    #[default]
    Gauge,
}

/// A request that is being filled.
#[derive(Default)]
struct Filling {
    metrics: Vec<Metric>,
    /// Of which metric the last one is.
    of: Option<String>,
    points: u64,
    bytes: usize,
}

enum Point {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
}

impl Requests {
    /// What a process with this resource has counted until `now`.
    pub fn new(text: String, resource: Resource, now: Timestamp) -> Self {
        let period = Period { start: nanoseconds(resource.started), now: nanoseconds(now) };
        Self {
            text,
            read: 0,
            resource: resource.attributes,
            period,
            metric: About::default(),
            histogram: point::Histogram::default(),
        }
    }

    fn request(&self, filling: Filling) -> Request {
        let attributes = self.resource.iter();
        let attributes =
            attributes.map(|(key, value)| key_value(key, Any::StringValue(value.clone())));
        let resource =
            otlp::Resource { attributes: attributes.collect(), ..otlp::Resource::default() };
        let scope = InstrumentationScope {
            name: SCOPE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_metrics = ScopeMetrics {
            scope: Some(scope),
            metrics: filling.metrics,
            schema_url: String::new(),
        };
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![scope_metrics],
                schema_url: String::new(),
            }],
        };
        Request { message: request.encode_to_vec(), points: filling.points }
    }
}

impl Iterator for Requests {
    type Item = Result<Request, TextError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut filling = Filling::default();
        while let Some(line) = self.text[self.read..].lines().next() {
            self.read = (self.read + line.len() + 1).min(self.text.len());
            let point = match text::line(line) {
                Ok(Line::Sample(sample)) => {
                    point(&self.metric, &mut self.histogram, sample, self.period)
                }
                Ok(about) => {
                    self.metric.learn(&about);
                    Ok(None)
                }
                Err(unreadable) => Err(unreadable),
            };
            match point {
                Ok(None) => {}
                Ok(Some(point)) => filling.add(&self.metric, point),
                Err(Unreadable) => {
                    let error = TextError { line: line.to_owned() };
                    // What follows may belong to what cannot be read.
                    self.read = self.text.len();
                    return Some(Err(error));
                }
            }
            if filling.points == POINTS_LIMIT || filling.bytes >= BYTES_LIMIT {
                break;
            }
        }
        (filling.points > 0).then(|| Ok(self.request(filling)))
    }
}

/// The point that is whole with this sample, if there is one.
fn point(
    metric: &About,
    histogram: &mut point::Histogram,
    sample: Sample<'_>,
    period: Period,
) -> Result<Option<Point>, Unreadable> {
    let suffix = sample.name.strip_prefix(metric.name.as_str()).ok_or(Unreadable)?;
    match (metric.kind, suffix) {
        (Kind::Counter, "_total") => Ok(Some(Point::Number(point::counter(sample, period)?))),
        (Kind::Gauge, "") => Ok(Some(Point::Number(point::gauge(sample, period)?))),
        (Kind::Histogram, suffix) => {
            Ok(histogram.take(suffix, sample, period)?.map(Point::Histogram))
        }
        _ => Err(Unreadable),
    }
}

impl About {
    fn learn(&mut self, line: &Line<'_>) {
        match line {
            Line::Help { name, help } => {
                *self =
                    Self { name: (*name).to_owned(), help: (*help).to_owned(), ..Self::default() };
            }
            Line::Type("counter") => self.kind = Kind::Counter,
            Line::Type("histogram") => self.kind = Kind::Histogram,
            Line::Type(_) => self.kind = Kind::Gauge,
            Line::Unit(unit) => (*unit).clone_into(&mut self.unit),
            Line::Sample(_) | Line::Other => {}
        }
    }

    fn empty(&self) -> Metric {
        let aggregation_temporality = AggregationTemporality::Cumulative.into();
        let data_points = Vec::new();
        Metric {
            name: point::name(&self.name, &self.unit),
            description: self.help.clone(),
            unit: point::unit(&self.unit).to_owned(),
            data: Some(match self.kind {
                Kind::Counter => {
                    Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
                }
                Kind::Gauge => Data::Gauge(Gauge { data_points }),
                Kind::Histogram => {
                    Data::Histogram(Histogram { data_points: Vec::new(), aggregation_temporality })
                }
            }),
            ..Metric::default()
        }
    }
}

impl Filling {
    fn add(&mut self, metric: &About, point: Point) {
        if self.of.as_ref() != Some(&metric.name) {
            let empty = metric.empty();
            self.bytes += empty.encoded_len() + FRAME;
            self.metrics.push(empty);
            self.of = Some(metric.name.clone());
        }
        self.points += 1;
        let data = self.metrics.last_mut().and_then(|metric| metric.data.as_mut());
        match (data, point) {
            (
                Some(Data::Sum(Sum { data_points, .. }) | Data::Gauge(Gauge { data_points })),
                Point::Number(point),
            ) => {
                self.bytes += point.encoded_len() + FRAME;
                data_points.push(point);
            }
            (Some(Data::Histogram(Histogram { data_points, .. })), Point::Histogram(point)) => {
                self.bytes += point.encoded_len() + FRAME;
                data_points.push(point);
            }
            // A metric is made for the points that it has.
            _ => {}
        }
    }
}
