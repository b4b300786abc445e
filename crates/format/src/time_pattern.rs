//! Times that a log writes by a pattern: `strftime` in Apache's `%{…}t`, Java's `SimpleDateFormat` in Tomcat's.

use crate::time;

/// A pattern, compiled. What it reads has no fixed width.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TimePattern {
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(u8),
    Year,
    /// Two digits: 69 to 99 are of the last century, as POSIX has it.
    ShortYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Hour,
    /// From 1 to 12.
    HalfHour,
    AmPm,
    Minute,
    Second,
    /// All digits that are there.
    Fraction,
    /// `+0100`, `+01:00` or `Z`.
    Offset,
    /// Letters that say nothing of use: the weekday's name, the zone's.
    Letters,
    EpochSeconds,
    EpochMilliseconds,
    EpochMicroseconds,
}

/// What has been read of a time so far.
#[derive(Debug, Clone, Copy)]
struct Parts {
    year: i64,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    hour: u32,
    is_afternoon: Option<bool>,
    minute: u32,
    second: u32,
    fraction_us: i64,
    offset_s: i64,
    epoch_us: Option<i64>,
}

impl TimePattern {
    /// Apache's: `sec`, `msec`, `usec`, `msec_frac`, `usec_frac`, or what `strftime` takes. `None` if a conversion
    /// is not known.
    pub(crate) fn apache(text: &str) -> Option<Self> {
        Self::special(text).or_else(|| Self::strftime(text))
    }

    /// Tomcat's: `sec`, `msec`, `msec_frac`, or what `SimpleDateFormat` takes.
    pub(crate) fn tomcat(text: &str) -> Option<Self> {
        Self::special(text).or_else(|| Self::java(text))
    }

    fn special(text: &str) -> Option<Self> {
        let item = match text {
            "sec" => Item::EpochSeconds,
            "msec" => Item::EpochMilliseconds,
            "usec" => Item::EpochMicroseconds,
            "msec_frac" | "usec_frac" => Item::Fraction,
            _ => return None,
        };
        Some(Self { items: vec![item] })
    }

    fn strftime(text: &str) -> Option<Self> {
        let mut pattern = Self::default();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                pattern.items.push(Item::Literal(byte));
                continue;
            }
            let mut letter = bytes.next()?;
            // Flags and the alternative forms change padding or digits, not the meaning.
            while matches!(letter, b'-' | b'_' | b'0' | b'^' | b'#' | b'E' | b'O') {
                letter = bytes.next()?;
            }
            let long = match letter {
                b'D' => Some("%m/%d/%y"),
                b'F' => Some("%Y-%m-%d"),
                b'R' => Some("%H:%M"),
                b'T' => Some("%H:%M:%S"),
                b'r' => Some("%I:%M:%S %p"),
                b'c' => Some("%a %b %e %H:%M:%S %Y"),
                _ => None,
            };
            match long {
                Some(long) => pattern.items.extend(Self::strftime(long)?.items),
                None => pattern.items.push(conversion(letter)?),
            }
        }
        Some(pattern)
    }

    /// Letters of one kind form a field; text stands between single quotes.
    fn java(text: &str) -> Option<Self> {
        let mut pattern = Self::default();
        let mut rest = text.as_bytes();
        while let Some(&byte) = rest.first() {
            if byte == b'\'' {
                rest = pattern.quoted(&rest[1..])?;
                continue;
            }
            let count = rest.iter().take_while(|other| **other == byte).count();
            if byte.is_ascii_alphabetic() {
                pattern.items.push(field(byte, count)?);
            } else {
                pattern
                    .items
                    .extend(std::iter::repeat_n(Item::Literal(byte), count));
            }
            rest = &rest[count..];
        }
        Some(pattern)
    }

    /// Takes what stands before the closing quote as it is; two quotes are one.
    fn quoted<'text>(&mut self, text: &'text [u8]) -> Option<&'text [u8]> {
        if let [b'\'', rest @ ..] = text {
            self.items.push(Item::Literal(b'\''));
            return Some(rest);
        }
        let end = text.iter().position(|byte| *byte == b'\'')?;
        self.items
            .extend(text[..end].iter().map(|byte| Item::Literal(*byte)));
        Some(&text[end + 1..])
    }

    /// Whether it says the day and the time of day, to the minute at least.
    pub(crate) fn is_whole(&self) -> bool {
        let has = |items: &[Item]| items.iter().any(|item| self.items.contains(item));
        let is_epoch = has(&[
            Item::EpochSeconds,
            Item::EpochMilliseconds,
            Item::EpochMicroseconds,
        ]);
        let day =
            has(&[Item::DayOfYear]) || (has(&[Item::Day]) && has(&[Item::Month, Item::MonthName]));
        let hour = has(&[Item::Hour]) || (has(&[Item::HalfHour]) && has(&[Item::AmPm]));
        is_epoch || (has(&[Item::Year, Item::ShortYear]) && day && hour && has(&[Item::Minute]))
    }

    /// Whether it says more than whole seconds.
    pub(crate) fn has_fraction(&self) -> bool {
        self.items.iter().any(|item| {
            matches!(
                item,
                Item::Fraction | Item::EpochMilliseconds | Item::EpochMicroseconds
            )
        })
    }

    /// This pattern, then a literal text, then another pattern.
    pub(crate) fn join(&mut self, literal: &[u8], next: &Self) {
        self.items
            .extend(literal.iter().map(|byte| Item::Literal(*byte)));
        self.items.extend(&next.items);
    }

    /// The length of the time at the start of `text`, and the time in microseconds since the epoch. A time without
    /// a zone is taken as UTC: nothing in the line says better.
    pub(crate) fn read(&self, text: &[u8]) -> Option<(usize, i64)> {
        let mut parts = Parts::default();
        let mut rest = text;
        for item in &self.items {
            rest = parts.take(*item, rest)?;
        }
        Some((text.len() - rest.len(), parts.time_us()?))
    }

    /// The length of what the pattern reads, be it a whole time or not.
    pub(crate) fn munch(&self, text: &[u8]) -> Option<usize> {
        let mut parts = Parts::default();
        let mut rest = text;
        for item in &self.items {
            rest = parts.take(*item, rest)?;
        }
        Some(text.len() - rest.len())
    }
}

/// The conversion of `strftime` with this letter.
fn conversion(letter: u8) -> Option<Item> {
    Some(match letter {
        b'%' => Item::Literal(b'%'),
        b'n' => Item::Literal(b'\n'),
        b't' => Item::Literal(b'\t'),
        b'Y' | b'G' => Item::Year,
        b'y' | b'g' => Item::ShortYear,
        b'm' => Item::Month,
        b'b' | b'h' | b'B' => Item::MonthName,
        b'd' | b'e' => Item::Day,
        b'j' => Item::DayOfYear,
        b'H' | b'k' => Item::Hour,
        b'I' | b'l' => Item::HalfHour,
        b'p' | b'P' => Item::AmPm,
        b'M' => Item::Minute,
        b'S' => Item::Second,
        b'f' => Item::Fraction,
        b'z' => Item::Offset,
        b'Z' | b'a' | b'A' => Item::Letters,
        b's' => Item::EpochSeconds,
        _ => return None,
    })
}

/// The field of `SimpleDateFormat` of so many of these letters.
fn field(letter: u8, count: usize) -> Option<Item> {
    Some(match (letter, count) {
        (b'y' | b'Y' | b'u', 2) => Item::ShortYear,
        (b'y' | b'Y', _) => Item::Year,
        (b'M' | b'L', 1 | 2) => Item::Month,
        (b'M' | b'L', _) => Item::MonthName,
        (b'd', _) => Item::Day,
        (b'D', _) => Item::DayOfYear,
        (b'H', _) => Item::Hour,
        (b'h', _) => Item::HalfHour,
        (b'a', _) => Item::AmPm,
        (b'm', _) => Item::Minute,
        (b's', _) => Item::Second,
        (b'S', _) => Item::Fraction,
        (b'Z' | b'X', _) => Item::Offset,
        (b'z' | b'E', _) => Item::Letters,
        _ => return None,
    })
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            is_afternoon: None,
            minute: 0,
            second: 0,
            fraction_us: 0,
            offset_s: 0,
            epoch_us: None,
        }
    }
}

impl Parts {
    /// Reads one item; what follows it.
    fn take<'text>(&mut self, item: Item, text: &'text [u8]) -> Option<&'text [u8]> {
        let (rest, number) = match item {
            Item::Literal(byte) => return text.strip_prefix(&[byte]),
            Item::MonthName => return self.take_month(text),
            Item::AmPm => return self.take_am_pm(text),
            Item::Offset => return self.take_offset(text),
            Item::Letters => {
                let length = text.iter().take_while(|byte| byte.is_ascii_alphabetic());
                return Some(&text[length.count()..]);
            }
            Item::Fraction => return self.take_fraction(text),
            Item::EpochSeconds | Item::EpochMilliseconds | Item::EpochMicroseconds => {
                return self.take_epoch(item, text);
            }
            Item::Year => digits(text, 4)?,
            Item::DayOfYear => digits(text, 3)?,
            _ => digits(text, 2)?,
        };
        match item {
            Item::Year => self.year = i64::from(number),
            Item::ShortYear => {
                self.year = i64::from(number) + if number < 69 { 2000 } else { 1900 };
            }
            Item::Month => self.month = number,
            Item::DayOfYear => self.day_of_year = Some(number),
            Item::Day => self.day = number,
            Item::Minute => self.minute = number,
            Item::Second => self.second = number,
            _ => self.hour = number,
        }
        Some(rest)
    }

    /// The first three letters tell; a long name's others are passed over.
    fn take_month<'text>(&mut self, text: &'text [u8]) -> Option<&'text [u8]> {
        self.month = time::month(text.get(..3)?)?;
        let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic());
        Some(&text[letters.count()..])
    }

    fn take_am_pm<'text>(&mut self, text: &'text [u8]) -> Option<&'text [u8]> {
        let [first, b'M' | b'm', rest @ ..] = text else {
            return None;
        };
        self.is_afternoon = Some(match first {
            b'A' | b'a' => false,
            b'P' | b'p' => true,
            _ => return None,
        });
        Some(rest)
    }

    fn take_offset<'text>(&mut self, text: &'text [u8]) -> Option<&'text [u8]> {
        if let [b'Z', rest @ ..] = text {
            return Some(rest);
        }
        let (sign, rest) = match text {
            [b'+', rest @ ..] => (1, rest),
            [b'-', rest @ ..] => (-1, rest),
            _ => return None,
        };
        let (rest, hours) = digits(rest, 2)?;
        let (rest, minutes) = digits(rest.strip_prefix(b":").unwrap_or(rest), 2)
            // Java's `X` has hours alone.
            .unwrap_or((rest, 0));
        self.offset_s = sign * time::zone_s(hours, minutes)?;
        Some(rest)
    }

    fn take_fraction<'text>(&mut self, text: &'text [u8]) -> Option<&'text [u8]> {
        let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.fraction_us = time::micros(&text[..length]);
        (length > 0).then(|| &text[length..])
    }

    fn take_epoch<'text>(&mut self, item: Item, text: &'text [u8]) -> Option<&'text [u8]> {
        let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = crate::number::integer(&text[..length])?;
        let unit_us = match item {
            Item::EpochSeconds => time::SECOND_US,
            Item::EpochMilliseconds => 1_000,
            _ => 1,
        };
        self.epoch_us = Some(number.checked_mul(unit_us)?);
        Some(&text[length..])
    }

    fn time_us(&self) -> Option<i64> {
        if let Some(epoch_us) = self.epoch_us {
            return epoch_us.checked_add(self.fraction_us);
        }
        let hour = match self.is_afternoon {
            None => self.hour,
            Some(_) if self.hour > 12 => return None,
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
        };
        let clock = (hour, self.minute, self.second);
        let seconds = match self.day_of_year {
            None => time::seconds_at((self.year, self.month, self.day), clock, self.offset_s)?,
            Some(day @ 1..=366) => {
                time::seconds_at((self.year, 1, 1), clock, self.offset_s)?
                    + i64::from(day - 1) * 86_400
            }
            Some(_) => return None,
        };
        Some(seconds * time::SECOND_US + self.fraction_us)
    }
}

/// A number of up to `width` digits, or two with a space before the last, as `%e` pads.
fn digits(text: &[u8], width: usize) -> Option<(&[u8], u32)> {
    let text = match text {
        [b' ', digit, ..] if digit.is_ascii_digit() && width == 2 => {
            return Some((&text[2..], u32::from(digit - b'0')));
        }
        _ => text,
    };
    let length = text
        .iter()
        .take(width)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let number = text[..length]
        .iter()
        .fold(0, |number, byte| number * 10 + u32::from(byte - b'0'));
    (length > 0).then(|| (&text[length..], number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: Option<TimePattern>, text: &str, expected_us: i64) {
        let pattern = pattern.expect("a pattern");
        assert!(pattern.is_whole(), "{pattern:?}");
        assert_eq!(
            pattern.read(text.as_bytes()),
            Some((text.len(), expected_us)),
            "{text}"
        );
    }

    const AT_US: i64 = 1_718_000_001_000_000;

    #[test]
    fn strftime_patterns() {
        for (pattern, text) in [
            ("%Y-%m-%dT%H:%M:%S%z", "2024-06-10T09:43:21+0330"),
            ("%d/%b/%Y:%T %z", "10/Jun/2024:06:13:21 +0000"),
            ("%F %T", "2024-06-10 06:13:21"),
            ("%c", "Mon Jun 10 06:13:21 2024"),
            ("%D %r", "06/10/24 06:13:21 AM"),
            (
                "%A, %e %B %Y %H:%M:%S %Z",
                "Monday, 10 June 2024 06:13:21 UTC",
            ),
            ("%Y.%j %T", "2024.162 06:13:21"),
            ("%s", "1718000001"),
        ] {
            check(TimePattern::apache(pattern), text, AT_US);
        }
        check(TimePattern::apache("usec"), "1718000001000000", AT_US);
        check(
            TimePattern::apache("msec"),
            "1718000001250",
            AT_US + 250_000,
        );
        assert_eq!(TimePattern::apache("%Q"), None);
    }

    #[test]
    fn java_patterns() {
        for (pattern, text) in [
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2024-06-10T06:13:21.000Z"),
            ("dd/MMM/yyyy:HH:mm:ss Z", "10/Jun/2024:09:43:21 +0330"),
            ("EEE d MMM yy hh:mm:ss a", "Mon 10 Jun 24 06:13:21 AM"),
            ("yyyy-MM-dd 'at' HH''mm:ss", "2024-06-10 at 06'13:21"),
        ] {
            check(TimePattern::tomcat(pattern), text, AT_US);
        }
        assert_eq!(TimePattern::tomcat("yyyy 'open"), None);
        assert_eq!(TimePattern::tomcat("Q"), None);
    }

    #[test]
    fn pieces_join() {
        let mut pattern = TimePattern::apache("%d/%b/%Y:%T").expect("a pattern");
        assert!(!pattern.has_fraction());
        pattern.join(b".", &TimePattern::apache("msec_frac").expect("a pattern"));
        pattern.join(b" ", &TimePattern::apache("%z").expect("a pattern"));
        assert!(pattern.has_fraction());
        check(
            Some(pattern),
            "10/Jun/2024:06:13:21.250 +0000",
            AT_US + 250_000,
        );
    }

    #[test]
    fn parts_out_of_range_are_no_time() {
        let pattern = TimePattern::apache("%F %T").expect("a pattern");
        for bad in [
            "2024-02-30 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01",
            "x",
        ] {
            assert_eq!(pattern.read(bad.as_bytes()), None, "{bad}");
        }
        let noon = TimePattern::apache("%F %I:%M %p").expect("a pattern");
        assert_eq!(noon.read(b"2024-06-10 13:00 PM"), None);
    }
}
