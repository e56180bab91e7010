//! Points in time, where the API has a type for them. Most of its times are plain texts, which the app words.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::Offset;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A date and a time of day, with its distance from UTC or without, to the microsecond.
///
/// It is read in the forms of ISO 8601 that callers use, and keeps the offset that it came with: `2026-01-15T10:30:00Z`,
/// `2026-01-15 10:30+0100`, `2026-01-15`. Digits after the sixth of a second are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    local: civil::DateTime,
    offset_minutes: Option<i16>,
}

/// A text that is no [`DateTime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTimeError;

impl DateTime {
    /// The point in time; without an offset it is taken as UTC.
    ///
    /// # Errors
    /// If it lies outside the years that a [`Timestamp`] has, which are those from -9999 to 9999.
    pub fn timestamp(self) -> Result<Timestamp, jiff::Error> {
        let seconds = i32::from(self.offset_minutes.unwrap_or(0)) * 60;
        Offset::from_seconds(seconds)?.to_timestamp(self.local)
    }

    /// Minutes that the local time is ahead of UTC; nothing if that is not known.
    #[must_use]
    pub const fn offset_minutes(self) -> Option<i16> {
        self.offset_minutes
    }
}

impl From<Timestamp> for DateTime {
    /// In UTC; nanoseconds are dropped.
    fn from(timestamp: Timestamp) -> Self {
        let local = Offset::UTC.to_datetime(timestamp);
        let whole_microseconds = local.subsec_nanosecond() / 1_000 * 1_000;
        let local = local.with().subsec_nanosecond(whole_microseconds).build();
        Self {
            local: local.unwrap_or_default(),
            offset_minutes: Some(0),
        }
    }
}

impl fmt::Display for DateTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date and time as in 2026-01-15T10:30:00Z")
    }
}

impl std::error::Error for DateTimeError {}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.local.date(), self.local.time());
        let (year, month, day) = (date.year(), date.month(), date.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        let microseconds = time.subsec_nanosecond() / 1_000;
        if microseconds != 0 {
            write!(f, ".{microseconds:06}")?;
        }
        match self.offset_minutes {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                let offset = offset.unsigned_abs();
                write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
            }
        }
    }
}

impl FromStr for DateTime {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        Reader(text).date_time().ok_or(DateTimeError)
    }
}

/// What is left to read of a text.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn date_time(mut self) -> Option<DateTime> {
        let (year, month, day) = (self.year()?, self.after("-")?, self.after("-")?);
        let date = civil::Date::new(year, month, day).ok()?;
        if self.0.is_empty() {
            return Some(DateTime {
                local: date.to_datetime(civil::Time::midnight()),
                offset_minutes: None,
            });
        }
        self.any_of(&["T", "t", " ", "_"])?;
        let time = self.time()?;
        let offset_minutes = self.offset()?;
        self.0.is_empty().then_some(DateTime {
            local: date.to_datetime(time),
            offset_minutes,
        })
    }

    fn time(&mut self) -> Option<civil::Time> {
        let (hour, minute) = (self.two()?, self.after(":")?);
        if !self.0.starts_with(':') {
            return civil::Time::new(hour, minute, 0, 0).ok();
        }
        let second = self.after(":")?;
        // jiff takes a leap second for the one before it.
        if second > 59 {
            return None;
        }
        let nanoseconds = self.microseconds()? * 1_000;
        civil::Time::new(hour, minute, second, nanoseconds).ok()
    }

    fn microseconds(&mut self) -> Option<i32> {
        if self.any_of(&[".", ","]).is_none() {
            return Some(0);
        }
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        format!("{digits:0<6}")[..6].parse().ok()
    }

    /// The inner nothing is a time without an offset.
    fn offset(&mut self) -> Option<Option<i16>> {
        if self.0.is_empty() {
            return Some(None);
        }
        if self.any_of(&["Z", "z"]).is_some() {
            return Some(Some(0));
        }
        // The third is the minus sign of typesetters.
        let sign = if self.any_of(&["+"]).is_some() {
            1
        } else {
            self.any_of(&["-", "\u{2212}"])?;
            -1
        };
        let hours = self.two()?;
        self.any_of(&[":"]);
        let minutes = self.two()?;
        let valid = hours < 24 && minutes < 60;
        valid.then(|| Some(sign * (i16::from(hours) * 60 + i16::from(minutes))))
    }

    /// The API knows no year 0.
    fn year(&mut self) -> Option<i16> {
        let year = i16::from(self.two()?) * 100 + i16::from(self.two()?);
        (year > 0).then_some(year)
    }

    fn after(&mut self, separator: &str) -> Option<i8> {
        self.any_of(&[separator])?;
        self.two()
    }

    fn two(&mut self) -> Option<i8> {
        let digits = self.0.get(..2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = &self.0[2..];
        digits.parse().ok()
    }

    fn any_of(&mut self, tokens: &[&str]) -> Option<()> {
        self.0 = tokens.iter().find_map(|token| self.0.strip_prefix(token))?;
        Some(())
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for DateTime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DateTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_in_one_form_with_the_offset_that_it_came_with() {
        for (text, written) in [
            ("2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z"),
            ("2026-01-15 10:30", "2026-01-15T10:30:00"),
            ("2026-01-15", "2026-01-15T00:00:00"),
            ("2026-01-15t10:30:00,5z", "2026-01-15T10:30:00.500000Z"),
            (
                "2026-01-15T10:30:00.123456789-0830",
                "2026-01-15T10:30:00.123456-08:30",
            ),
            ("2026-01-15T10:30\u{2212}05:00", "2026-01-15T10:30:00-05:00"),
            ("0001-01-01T00:00:00-00:00", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(text.parse::<DateTime>().unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "soon",
            "2026-02-30T00:00:00Z",
            "2026-01-15T24:00:00Z",
            "2026-01-15T10:30:60Z",
            "2026-01-15T10:30:00+05",
            "2026-01-15T10:30:00+24:00",
            "2026-01-15T10:30:00. Z",
            " 2026-01-15T10:30Z",
            "2026-01-15T10:30Z ",
            "0000-01-01T00:00:00Z",
            "20é6-01-15",
            "+026-01-15",
        ] {
            assert_eq!(text.parse::<DateTime>(), Err(DateTimeError), "{text}");
        }
    }

    #[test]
    fn it_is_a_point_in_time() {
        let time: DateTime = "2026-01-15T10:30:00.25+01:30".parse().unwrap();
        let timestamp: Timestamp = "2026-01-15T09:00:00.25Z".parse().unwrap();
        assert_eq!(time.timestamp().unwrap(), timestamp);
        assert_eq!(
            DateTime::from(timestamp).to_string(),
            "2026-01-15T09:00:00.250000Z"
        );
        assert_eq!(time.offset_minutes(), Some(90));
    }
}
