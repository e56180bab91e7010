//! Prometheus metrics: every number is defined here, so that names and labels stay consistent.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::AppId;

/// All metrics of the agent. Cheap to clone. Labels never hold what a caller chose freely: an app_id is one of an
/// installed connector, an outcome one of a fixed list.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<AppLabels, Histogram, fn() -> Histogram>,
    queue_seconds: Family<AppLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<AppLabels, Gauge>,
    host_starts: Family<AppLabels, Counter>,
    host_exits: Family<ExitLabels, Counter>,
    refused_requests: Family<ReasonLabels, Counter>,
    log_lines_dropped: Family<AppLabels, Counter>,
    buffered_bytes: Gauge,
    connections: Gauge,
    conditions: Family<ConditionLabels, Gauge>,
    hosts: HostMetrics,
}

/// What the hosts of each connector use.
#[derive(Default)]
struct HostMetrics {
    cpu_seconds: Family<AppLabels, Counter<f64, AtomicU64>>,
    resident_bytes: Family<AppLabels, Gauge>,
    ignored_finishes: Family<AppLabels, Counter>,
}

impl HostMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = HostMetrics::default();
        registry.register_with_unit(
            "connector_cpu",
            "Processor time of a connector's host processes",
            Unit::Seconds,
            metrics.cpu_seconds.clone(),
        );
        registry.register_with_unit(
            "connector_resident_memory",
            "Resident memory of a connector's host processes",
            Unit::Bytes,
            metrics.resident_bytes.clone(),
        );
        registry.register(
            "connector_ignored_finishes",
            "Calls of finish that were late, double or unknown",
            metrics.ignored_finishes.clone(),
        );
        metrics
    }

    fn forget(&self, labels: &AppLabels) {
        self.cpu_seconds.remove(labels);
        self.resident_bytes.remove(labels);
        self.ignored_finishes.remove(labels);
    }
}

/// See [`Metrics::calls_of`].
pub struct CallMetrics {
    app_id: String,
    calls: Family<CallLabels, Counter>,
    answered: Counter,
    call_seconds: Histogram,
    queue_seconds: Histogram,
    in_flight: Gauge,
}

/// The outcome of a call that the connector answered.
pub const ANSWERED: &str = "ok";

impl CallMetrics {
    /// A call has been taken.
    pub fn begun(&self) {
        self.in_flight.inc();
    }

    /// That call ended: `outcome` is [`ANSWERED`] or the error_code that the agent answered.
    pub fn ended(&self, outcome: &'static str, queued: Duration, served: Duration) {
        self.in_flight.dec();
        self.queue_seconds.observe(queued.as_secs_f64());
        self.call_seconds.observe(served.as_secs_f64());
        if outcome == ANSWERED {
            self.answered.inc();
            return;
        }
        let app_id = self.app_id.clone();
        self.calls.get_or_create(&CallLabels { app_id, outcome }).inc();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AppLabels {
    app_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    app_id: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExitLabels {
    app_id: String,
    expected: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    name: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

fn seconds_histogram() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        300.0,
    ])
}

impl Metrics {
    /// Fresh metrics, all zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("lumos_agent");
        let calls = Family::default();
        registry.register("calls", "Calls of connectors, by outcome", calls.clone());
        let call_seconds = Family::new_with_constructor(seconds_histogram as fn() -> Histogram);
        registry.register_with_unit(
            "call_duration",
            "Time in the connector",
            Unit::Seconds,
            call_seconds.clone(),
        );
        let queue_seconds = Family::new_with_constructor(seconds_histogram as fn() -> Histogram);
        registry.register_with_unit(
            "queue_duration",
            "Time waiting for a slot",
            Unit::Seconds,
            queue_seconds.clone(),
        );
        let in_flight = Family::default();
        registry.register("calls_in_flight", "Calls that have not ended", in_flight.clone());
        let host_starts = Family::default();
        registry.register("host_starts", "Host processes started", host_starts.clone());
        let host_exits = Family::default();
        registry.register("host_exits", "Host processes ended", host_exits.clone());
        let refused_requests = Family::default();
        registry.register(
            "refused_requests",
            "Requests refused before they reached a connector",
            refused_requests.clone(),
        );
        let log_lines_dropped = Family::default();
        registry.register(
            "connector_log_lines_dropped",
            "Lines dropped from connector logs",
            log_lines_dropped.clone(),
        );
        let buffered_bytes = Gauge::default();
        registry.register_with_unit(
            "request_buffer",
            "Request bytes held in memory",
            Unit::Bytes,
            buffered_bytes.clone(),
        );
        let connections = Gauge::default();
        registry.register(
            "connections",
            "Open connections of the dispatch listener",
            connections.clone(),
        );
        let conditions = Family::default();
        registry.register(
            "condition",
            "1 while something is wrong, by name",
            conditions.clone(),
        );
        let hosts = HostMetrics::register(&mut registry);
        let build: Family<BuildLabels, Gauge<u64, AtomicU64>> = Family::default();
        registry.register("build", "Constant 1, labelled with the version", build.clone());
        build
            .get_or_create(&BuildLabels {
                version: env!("CARGO_PKG_VERSION"),
            })
            .set(1);
        Metrics(Arc::new(Inner {
            registry,
            calls,
            call_seconds,
            queue_seconds,
            in_flight,
            host_starts,
            host_exits,
            refused_requests,
            log_lines_dropped,
            buffered_bytes,
            connections,
            conditions,
            hosts,
        }))
    }

    /// The numbers of calls of one connector. Looked up once, for they change with every call.
    #[must_use]
    pub fn calls_of(&self, app_id: &AppId) -> CallMetrics {
        let labels = app(app_id);
        CallMetrics {
            app_id: labels.app_id.clone(),
            calls: self.0.calls.clone(),
            answered: self.0.calls.get_or_create_owned(&CallLabels {
                app_id: labels.app_id.clone(),
                outcome: ANSWERED,
            }),
            call_seconds: self.0.call_seconds.get_or_create_owned(&labels),
            queue_seconds: self.0.queue_seconds.get_or_create_owned(&labels),
            in_flight: self.0.in_flight.get_or_create_owned(&labels),
        }
    }

    /// A host process was started.
    pub fn host_started(&self, app_id: &AppId) {
        self.0.host_starts.get_or_create(&app(app_id)).inc();
    }

    /// A host process ended.
    pub fn host_exited(&self, app_id: &AppId, expected: bool) {
        let expected = if expected { "true" } else { "false" };
        self.0
            .host_exits
            .get_or_create(&ExitLabels {
                app_id: app_id.to_string(),
                expected,
            })
            .inc();
    }

    /// The hosts of `app_id` were looked at: what they have used and done since the look before, and hold now.
    pub fn hosts_seen(&self, app_id: &AppId, cpu: Duration, resident_bytes: u64, ignored_finishes: u64) {
        let (labels, hosts) = (app(app_id), &self.0.hosts);
        hosts.cpu_seconds.get_or_create(&labels).inc_by(cpu.as_secs_f64());
        hosts
            .resident_bytes
            .get_or_create(&labels)
            .set(i64::try_from(resident_bytes).unwrap_or(i64::MAX));
        hosts
            .ignored_finishes
            .get_or_create(&labels)
            .inc_by(ignored_finishes);
    }

    /// A request was refused; `reason` is its error_code.
    pub fn request_refused(&self, reason: &'static str) {
        self.0
            .refused_requests
            .get_or_create(&ReasonLabels { reason })
            .inc();
    }

    /// Lines of a connector's log were dropped.
    pub fn log_lines_dropped(&self, app_id: &AppId, count: u64) {
        self.0.log_lines_dropped.get_or_create(&app(app_id)).inc_by(count);
    }

    /// Request bytes held now.
    pub fn set_buffered_bytes(&self, bytes: u64) {
        self.0
            .buffered_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A connection was opened (+1) or closed (-1).
    pub fn connections_changed(&self, by: i64) {
        self.0.connections.inc_by(by);
    }

    /// Whether a condition holds.
    pub fn set_condition(&self, name: &'static str, holds: bool) {
        let labels = ConditionLabels { name };
        self.0.conditions.get_or_create(&labels).set(i64::from(holds));
    }

    /// Forgets the series of a connector that was removed.
    pub fn forget(&self, app_id: &AppId) {
        let labels = app(app_id);
        self.0.in_flight.remove(&labels);
        self.0.call_seconds.remove(&labels);
        self.0.queue_seconds.remove(&labels);
        self.0.hosts.forget(&labels);
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("writing to a String does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

fn app(app_id: &AppId) -> AppLabels {
    AppLabels {
        app_id: app_id.to_string(),
    }
}
