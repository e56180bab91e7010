//! Single values: how a time span, a size, an address or a level is written. The checks that carry positions
//! ([`super::check`]) and the conversion into the model both call these, so that they cannot disagree.

use std::net::SocketAddr;
use std::time::Duration;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::model::LogLevel;

/// `30s`, `5m`, `1h 30m`, `90d`; bare numbers are seconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text).ok()
}

/// `16MiB`, `512 kB`; bare numbers are bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64())
}

/// The levels of the guide, without regard to case; `WARN` is understood.
pub(crate) fn level(text: &str) -> Option<LogLevel> {
    Some(match text.to_ascii_uppercase().as_str() {
        "DEBUG" => LogLevel::Debug,
        "INFO" => LogLevel::Info,
        "WARNING" | "WARN" => LogLevel::Warning,
        "ERROR" => LogLevel::Error,
        "CRITICAL" => LogLevel::Critical,
        _ => return None,
    })
}

/// `ADDRESS:PORT` with an IP address.
pub(crate) fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

/// Takes a number or a text and gives both to `parse` as text.
struct NumberOrText<T>(fn(&str) -> Option<T>, &'static str);

impl<T> Visitor<'_> for NumberOrText<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        (self.0)(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        (self.0)(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// For `deserialize_with`.
pub(super) mod de {
    use super::{Deserializer, Duration, LogLevel, NumberOrText};

    pub(in crate::config) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_any(NumberOrText(super::duration, "a duration"))
    }

    pub(in crate::config) fn some_duration<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration(from).map(Some)
    }

    pub(in crate::config) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        from.deserialize_any(NumberOrText(super::size, "a size"))
    }

    pub(in crate::config) fn some_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        size(from).map(Some)
    }

    pub(in crate::config) fn level<'de, D: Deserializer<'de>>(from: D) -> Result<LogLevel, D::Error> {
        from.deserialize_any(NumberOrText(super::level, "a log level"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1h 30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("90d"), Some(Duration::from_secs(90 * 86_400)));
        for bad in ["", "soon", "-5", "5 parsecs", "-5s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("1048576"), Some(1 << 20));
        assert_eq!(size("16MiB"), Some(16 << 20));
        assert_eq!(size("512 KiB"), Some(512 << 10));
        for bad in ["", "big", "-1", "16 XB", "-16MiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
