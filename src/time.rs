//! Instants and durations as data. There is no clock here: an instant comes with each input.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Behind every instant that can be reached.
    pub const NEVER: Self = Self(u64::MAX);

    /// The last one that data may name: 9999-12-30T22:00:00Z, the last whole second that RFC 3339 can write in every time
    /// zone.
    pub const LAST: Self = Self(253_402_207_200_000);

    /// So much later; saturates.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time from `earlier` to here; 0 where a clock stepped back between the two.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// In so many years the calendar repeats itself.
const CYCLE: u64 = 400;
/// The same in milliseconds.
const CYCLE_MS: u64 = 146_097 * 24 * 60 * 60 * 1_000;
/// The last that is written with four digits.
const YEAR_MAX: u64 = 9_999;

/// As RFC 3339 in UTC with milliseconds, `2026-11-23T21:00:58.120Z`; behind the year 9999, which only a wait can reach, with a
/// sign and six digits at least, as ISO 8601 has it: `+017016-01-17T00:00:00.000Z`.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The same day of the years from 1970 to 2369, which every calendar has.
        let alike = i64::try_from(self.0 % CYCLE_MS).unwrap_or_default();
        let alike = format!("{:.3}", jiff::Timestamp::from_millisecond(alike).unwrap_or_default());
        let (year, rest) = alike.split_once('-').unwrap_or_default();
        let year = year.parse::<u64>().unwrap_or_default() + self.0 / CYCLE_MS * CYCLE;
        if year > YEAR_MAX { write!(f, "+{year:06}-{rest}") } else { write!(f, "{year:04}-{rest}") }
    }
}

/// What is shown is read, and whatever else RFC 3339 allows.
impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let dated = text.strip_prefix('+').unwrap_or(text).split_once('-');
        let dated = dated.and_then(|(year, rest)| Some((year.parse::<u64>().ok()?, rest)));
        // As it is shown, by the same day of the years from 2000 to 2399.
        let Some((year, rest)) = dated.filter(|(year, _)| *year >= 6 * CYCLE) else {
            let instant: jiff::Timestamp = text.parse()?;
            return Ok(Self(u64::try_from(instant.as_millisecond()).unwrap_or_default()));
        };
        let Self(alike) = format!("{:04}-{rest}", 5 * CYCLE + year % CYCLE).parse()?;
        Ok(Self((year / CYCLE - 5).saturating_mul(CYCLE_MS).saturating_add(alike)))
    }
}

/// Whole milliseconds; saturates.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_of_any_year_are_shown_and_read() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_120, "2000-02-29T00:00:00.120Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (474_807_225_600_000, "+017016-01-17T00:00:00.000Z"),
            (u64::MAX, "+584556019-04-03T14:25:51.615Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), shown);
            assert_eq!(shown.parse::<Timestamp>().unwrap(), Timestamp(millis));
        }
        assert_eq!("2026-01-01T01:00:00+01:00".parse::<Timestamp>().unwrap(), Timestamp(1_767_225_600_000));
        for wrong in ["+010000", "+010000-13-01T00:00:00Z", "+x-01-01T00:00:00Z", "474807225600000"] {
            assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
        }
    }
}
