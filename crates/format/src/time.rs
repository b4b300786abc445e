//! The three ways Nginx logs a time, each to microseconds since the epoch, UTC.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::{char, one_of};
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// `$time_local` always has this width.
pub(crate) const TIME_LOCAL_BYTES: usize = 26;

/// `2024-06-10T06:13:21+00:00`, as Nginx writes `$time_iso8601`.
pub(crate) const ISO8601_BYTES: usize = 25;

/// `2024-06-10T06:13:21Z`.
pub(crate) const ISO8601_UTC_BYTES: usize = 20;

/// How much of `text` `$time_iso8601` takes at most.
pub(crate) fn iso8601_bytes(text: &[u8]) -> usize {
    if text.get(ISO8601_UTC_BYTES - 1) == Some(&b'Z') {
        ISO8601_UTC_BYTES
    } else {
        ISO8601_BYTES
    }
}

pub(crate) const SECOND_US: i64 = 1_000_000;

/// The years 0000 to 9999 in UTC. A zone can take a time beyond them, where a date has no four digits.
pub(crate) const SECONDS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// `10/Jun/2024:06:13:21 +0330`, exactly [`TIME_LOCAL_BYTES`] long.
pub(crate) fn time_local(text: &[u8]) -> Option<i64> {
    let text: &[u8; TIME_LOCAL_BYTES] = text.try_into().ok()?;
    let separators = [text[2], text[6], text[11], text[14], text[17], text[20]];
    if separators != *b"//::: " {
        return None;
    }
    let date = (
        i64::from(four(text, 7)?),
        month(&text[3..6])?,
        two(text, 0)?,
    );
    let zone = match text[21] {
        b'+' => zone_s(two(text, 22)?, two(text, 24)?)?,
        b'-' => -zone_s(two(text, 22)?, two(text, 24)?)?,
        _ => return None,
    };
    Some(seconds_at(date, (two(text, 12)?, two(text, 15)?, two(text, 18)?), zone)? * SECOND_US)
}

/// `2024-06-10T06:13:21+00:00`, `…Z`, with or without a fraction of a second.
pub(crate) fn time_iso8601(text: &[u8]) -> Option<i64> {
    let (length, time_us) = time_iso8601_at(text)?;
    (length == text.len()).then_some(time_us)
}

/// The length of the time that `text` begins with, and the time: what follows may look like more of it.
pub(crate) fn time_iso8601_at(text: &[u8]) -> Option<(usize, i64)> {
    let (rest, time_us) = iso8601(text).ok()?;
    Some((text.len() - rest.len(), time_us?))
}

fn iso8601(input: &[u8]) -> IResult<&[u8], Option<i64>> {
    let (input, year) = digits(4).parse(input)?;
    let (input, month) = preceded(char('-'), digits(2)).parse(input)?;
    let (input, day) = preceded(char('-'), digits(2)).parse(input)?;
    let (input, hour) = preceded(one_of("T "), digits(2)).parse(input)?;
    let (input, minute) = preceded(char(':'), digits(2)).parse(input)?;
    let (input, second) = preceded(char(':'), digits(2)).parse(input)?;
    let (input, fraction) = opt(preceded(
        one_of(".,"),
        take_while1(|byte: u8| byte.is_ascii_digit()),
    ))
    .parse(input)?;
    let (input, zone) = alt((zone_letter, zone_offset)).parse(input)?;
    let date = (i64::from(year), month, day);
    let time_us = zone
        .and_then(|zone| seconds_at(date, (hour, minute, second), zone))
        .map(|seconds| seconds * SECOND_US + fraction.map_or(0, micros));
    Ok((input, time_us))
}

fn zone_letter(input: &[u8]) -> IResult<&[u8], Option<i64>> {
    tag("Z").map(|_| Some(0)).parse(input)
}

fn zone_offset(input: &[u8]) -> IResult<&[u8], Option<i64>> {
    let (input, sign) = one_of("+-").parse(input)?;
    let (input, hours) = digits(2).parse(input)?;
    let (input, minutes) = preceded(opt(char(':')), digits(2)).parse(input)?;
    let zone = zone_s(hours, minutes);
    Ok((
        input,
        if sign == '-' {
            zone.map(|zone| -zone)
        } else {
            zone
        },
    ))
}

fn digits<'text>(
    count: usize,
) -> impl Parser<&'text [u8], Output = u32, Error = nom::error::Error<&'text [u8]>> {
    take_while_m_n(count, count, |byte: u8| byte.is_ascii_digit()).map(|text: &[u8]| {
        text.iter()
            .fold(0, |number, byte| number * 10 + u32::from(byte - b'0'))
    })
}

/// `$msec`: seconds since the epoch with three decimals.
pub(crate) fn msec(text: &[u8]) -> Option<i64> {
    let point = text
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(text.len());
    let seconds = crate::number::integer(&text[..point])?;
    let fraction = match text.get(point + 1..) {
        None => 0,
        Some(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            micros(digits)
        }
        Some(_) => return None,
    };
    SECONDS
        .contains(&seconds)
        .then(|| seconds * SECOND_US + fraction)
}

/// Any of the three, in brackets or not, and whole milliseconds, microseconds or nanoseconds since the epoch, which
/// other writers put into JSON: told apart by their digits, which is right from 2001 to 2286.
pub(crate) fn any(text: &[u8]) -> Option<i64> {
    let text = match text {
        [b'[', inner @ .., b']'] => inner,
        _ => text,
    };
    match text {
        [_, _, b'/', ..] => time_local(text),
        [_, _, _, _, b'-', ..] => time_iso8601(text),
        _ if text.len() == 13 && !text.contains(&b'.') => {
            crate::number::integer(text).map(|ms| ms * 1_000)
        }
        _ if text.len() == 16 && !text.contains(&b'.') => crate::number::integer(text),
        _ if text.len() == 19 && !text.contains(&b'.') => {
            crate::number::integer(text).map(|ns| ns / 1_000)
        }
        _ => msec(text),
    }
}

/// The first six digits of a fraction as microseconds.
pub(crate) fn micros(digits: &[u8]) -> i64 {
    let padded = digits
        .iter()
        .copied()
        .chain(std::iter::repeat(b'0'))
        .take(6);
    padded.fold(0, |number, byte| number * 10 + i64::from(byte - b'0'))
}

/// Seconds since the epoch, `None` where a part is out of range.
pub(crate) fn seconds_at(
    (year, month, day): (i64, u32, u32),
    (hour, minute, second): (u32, u32, u32),
    zone_s: i64,
) -> Option<i64> {
    // Second 60 is a leap second; it counts as the next minute's first.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_at(year, month, day)?;
    let seconds = days * 86_400 + i64::from(hour * 3_600 + minute * 60 + second) - zone_s;
    SECONDS.contains(&seconds).then_some(seconds)
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days_at(year: i64, month: u32, day: u32) -> Option<i64> {
    const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const DAYS_IN: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in = DAYS_IN.get(index)? + u32::from(leap && month == 2);
    if day == 0 || day > days_in {
        return None;
    }
    // Leap days up to the end of the year before.
    let earlier = year - 1;
    let leap_days = earlier.div_euclid(4) - earlier.div_euclid(100) + earlier.div_euclid(400);
    const LEAP_DAYS_1969: i64 = 1969 / 4 - 1969 / 100 + 1969 / 400;
    let day_of_year = DAYS_BEFORE[index] + u32::from(leap && month > 2) + day - 1;
    Some((year - 1970) * 365 + leap_days - LEAP_DAYS_1969 + i64::from(day_of_year))
}

pub(crate) fn zone_s(hours: u32, minutes: u32) -> Option<i64> {
    (hours <= 23 && minutes <= 59).then(|| i64::from(hours * 3_600 + minutes * 60))
}

pub(crate) fn month(name: &[u8]) -> Option<u32> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

pub(crate) fn two(text: &[u8; TIME_LOCAL_BYTES], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

fn four(text: &[u8; TIME_LOCAL_BYTES], at: usize) -> Option<u32> {
    Some(two(text, at)? * 100 + two(text, at + 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts days one by one: the slow twin of `days_at`.
    fn days_counted(until: (i64, u32, u32)) -> i64 {
        let (mut date, mut days) = ((1970, 1, 1), 0);
        while date != until {
            days += 1;
            let (year, month, day) = date;
            date = if days_at(year, month, day + 1).is_some() {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
        days
    }

    #[test]
    fn days_agree_with_counting() {
        for date in [
            (1970, 1, 1),
            (1972, 2, 29),
            (2000, 2, 29),
            (2000, 3, 1),
            (2024, 12, 31),
            (2100, 3, 1),
        ] {
            let (year, month, day) = date;
            assert_eq!(
                days_at(year, month, day),
                Some(days_counted(date)),
                "{date:?}"
            );
        }
    }

    #[test]
    fn the_zone_is_honoured() {
        assert_eq!(
            time_local(b"10/Jun/2024:06:13:21 +0000"),
            Some(1_718_000_001_000_000)
        );
        assert_eq!(
            time_local(b"10/Jun/2024:09:43:21 +0330"),
            Some(1_718_000_001_000_000)
        );
        assert_eq!(
            time_local(b"09/Jun/2024:23:13:21 -0700"),
            Some(1_718_000_001_000_000)
        );
        assert_eq!(time_local(b"01/Jan/1970:00:00:00 +0000"), Some(0));
        assert_eq!(time_local(b"31/Dec/1969:23:59:59 +0000"), Some(-1_000_000));
    }

    #[test]
    fn a_leap_second_is_the_next_minute() {
        assert_eq!(
            time_local(b"31/Dec/2016:23:59:60 +0000"),
            time_local(b"01/Jan/2017:00:00:00 +0000")
        );
    }

    #[test]
    fn parts_out_of_range_are_no_time() {
        for bad in [
            "32/Jan/2024:00:00:00 +0000",
            "00/Jan/2024:00:00:00 +0000",
            "29/Feb/2023:00:00:00 +0000",
            "01/jan/2024:00:00:00 +0000",
            "01/Jan/2024:24:00:00 +0000",
            "01/Jan/2024:00:60:00 +0000",
            "01/Jan/2024:00:00:61 +0000",
            "01/Jan/2024:00:00:00 +2400",
            "01/Jan/2024:00:00:00 +0060",
            "01/Jan/2024:00:00:00 00000",
            "01/Jan/2024 00:00:00 +0000",
            "0x/Jan/2024:00:00:00 +0000",
            "01/Jan/2024:00:00:00 +000",
        ] {
            assert_eq!(time_local(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn iso8601_with_zones_and_fractions() {
        for text in [
            "2024-06-10T06:13:21+00:00",
            "2024-06-10T06:13:21Z",
            "2024-06-10T09:43:21+03:30",
            "2024-06-09 23:13:21-0700",
        ] {
            assert_eq!(
                time_iso8601(text.as_bytes()),
                Some(1_718_000_001_000_000),
                "{text}"
            );
        }
        assert_eq!(
            time_iso8601(b"2024-06-10T06:13:21.25Z"),
            Some(1_718_000_001_250_000)
        );
        assert_eq!(
            time_iso8601(b"2024-06-10T06:13:21.123456789Z"),
            Some(1_718_000_001_123_456)
        );
        for bad in [
            "2024-06-10T06:13:21",
            "2024-13-10T06:13:21Z",
            "2024-06-10T06:13:21.Z",
            "2024-06-10T06:13:21Zx",
        ] {
            assert_eq!(time_iso8601(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn msec_keeps_its_milliseconds() {
        assert_eq!(msec(b"1718000001.250"), Some(1_718_000_001_250_000));
        assert_eq!(msec(b"1718000001"), Some(1_718_000_001_000_000));
        for bad in [
            "",
            "-",
            "1718000001.",
            ".5",
            "1718000001.2x",
            "99999999999999999",
        ] {
            assert_eq!(msec(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn any_shape_is_told_apart() {
        for text in [
            "10/Jun/2024:06:13:21 +0000",
            "2024-06-10T06:13:21Z",
            "1718000001",
            "1718000001000",
            "1718000001000000",
            "1718000001000000000",
            "[10/Jun/2024:06:13:21 +0000]",
        ] {
            assert_eq!(any(text.as_bytes()), Some(1_718_000_001_000_000), "{text}");
        }
        assert_eq!(any(b""), None);
    }
}
