//! A driver's looks at what its hosts use: see [`crate::connectors::vitals`].

use super::*;
use crate::connectors::registry::Observed;
use crate::connectors::vitals::{Look, Thresholds};

impl Driver {
    pub(super) async fn look(&mut self) {
        let settings = Arc::clone(&self.settings);
        let thresholds = Thresholds {
            cpu_warning: settings.cpu_warning,
            cpu_warning_after: settings.cpu_warning_after,
            idle_memory: settings.idle_memory_limit,
        };
        let hosts = self
            .hosts
            .iter()
            .map(|(generation, live)| (*generation, live.host.vitals()));
        let look = self.watch.look(Instant::now(), hosts, &thresholds);
        let app_id = &self.entry.app_id;
        self.surroundings.shared.metrics.hosts_seen(
            app_id,
            look.cpu,
            look.resident_bytes,
            look.ignored_finishes,
        );
        let warning = look.hot.then(|| busy(&look, &thresholds));
        if let Some(text) = warning.as_deref().filter(|_| look.warn) {
            tracing::warn!(%app_id, resident_bytes = look.resident_bytes, in_flight = look.in_flight, "{text}");
        }
        self.entry.observed.store(Some(Arc::new(Observed {
            cpu_percent: look.cpu_percent,
            warning,
        })));
        if let Some((generation, bytes)) = look.bloated {
            let size = |bytes| bytesize::ByteSize(bytes).display().iec();
            let reason = format!(
                "it is idle and holds {} of memory, over connectors.idle_memory_limit of {}; a fresh host takes over",
                size(bytes),
                size(thresholds.idle_memory.unwrap_or_default()),
            );
            self.step(Event::Outdated { generation, reason }).await;
        }
    }
}

fn busy(look: &Look, thresholds: &Thresholds) -> String {
    format!(
        "the connector has used {} % of a core over the last {} s, more than its cpu_warning of {} %, calls in \
         flight: {}; if that is more than it has to do, a call of it may be caught in a loop",
        look.cpu_percent.unwrap_or_default(),
        thresholds.cpu_warning_after.as_secs(),
        thresholds.cpu_warning,
        look.in_flight,
    )
}
