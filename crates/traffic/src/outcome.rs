//! Good, bad, shed or neutral: what one answer says of the site.

/// `$request_time` from which a 499 is the site's fault: the client gave up after this many seconds.
pub const GIVEN_UP_S: f64 = 10.0;

/// `$upstream_status` of the last try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// The format does not log it.
    NotLogged,
    /// It is logged and there was none (`-`): Nginx answered by itself.
    Absent,
    /// The upstream's own status.
    Status(i16),
}

impl Upstream {
    /// The last answer of a list as Nginx logs it (`502, 200 : 404`), which is the one that was passed on; `None` is one that is
    /// not logged.
    #[must_use]
    pub fn last_of(list: Option<&str>) -> Self {
        let Some(list) = list else {
            return Self::NotLogged;
        };
        // Tries are joined with `, ` and groups with ` : `.
        let last = list.rsplit([',', ':']).next().unwrap_or(list).trim();
        last.parse().map_or(Self::Absent, Self::Status)
    }
}

/// What one answer says of the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The site did its work, be it a 404.
    Good,
    /// The site failed.
    Bad,
    /// Nginx turned it away by itself (`limit_req`, `limit_conn`, `return 503`): neutral in a minute that has good ones, else bad.
    Shed,
    /// Says nothing of the site: the client's own fault, or nothing answered.
    Neutral,
}

impl Outcome {
    /// The outcome in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Shed => "shed",
            Self::Neutral => "neutral",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Good, Self::Bad, Self::Shed, Self::Neutral];
        all.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// Judges one answer.
///
/// - shed: 503 or 429 without an upstream, where `$upstream_status` is logged;
/// - bad: 500, 502–504, 506–599, and 499 after [`GIVEN_UP_S`] seconds or more;
/// - neutral: 400, 408, 444, 501, 505, 000 and no status at all;
/// - good: the rest.
///
/// `request_time_s` is `$request_time` in seconds; `None` (not logged) makes a 499 good.
#[must_use]
pub fn outcome(
    status: Option<i16>,
    request_time_s: Option<f64>,
    upstream_status: Upstream,
) -> Outcome {
    outcome_by(status, request_time_s, || upstream_status)
}

/// As [`outcome`]; the upstream is asked for only where it decides.
#[must_use]
pub fn outcome_by(
    status: Option<i16>,
    request_time_s: Option<f64>,
    upstream_status: impl Fn() -> Upstream,
) -> Outcome {
    match status {
        None | Some(0 | 400 | 408 | 444 | 501 | 505) => Outcome::Neutral,
        Some(429 | 503) if upstream_status() == Upstream::Absent => Outcome::Shed,
        Some(500..=599) => Outcome::Bad,
        Some(499) if request_time_s.is_some_and(|seconds| seconds >= GIVEN_UP_S) => Outcome::Bad,
        Some(_) => Outcome::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::*;
    use Upstream::{Absent, NotLogged, Status};

    #[test]
    fn the_last_try_counts() {
        assert_eq!(Upstream::last_of(None), NotLogged);
        assert_eq!(Upstream::last_of(Some("-")), Absent);
        assert_eq!(Upstream::last_of(Some("502, 200 : 404")), Status(404));
        assert_eq!(Upstream::last_of(Some("502, -")), Absent);
    }

    #[test]
    fn every_row_of_the_definition_holds() {
        let cases = [
            (Some(200), None, NotLogged, Good),
            (Some(101), None, NotLogged, Good),
            (Some(404), None, NotLogged, Good),
            (Some(429), None, NotLogged, Good),
            (Some(429), None, Absent, Shed),
            (Some(429), None, Status(429), Good),
            (Some(500), None, Absent, Bad),
            (Some(502), None, Status(502), Bad),
            (Some(503), None, NotLogged, Bad),
            (Some(503), None, Absent, Shed),
            (Some(503), None, Status(503), Bad),
            (Some(504), None, Status(504), Bad),
            (Some(599), None, NotLogged, Bad),
            (Some(501), None, NotLogged, Neutral),
            (Some(505), None, NotLogged, Neutral),
            (Some(400), None, NotLogged, Neutral),
            (Some(408), None, NotLogged, Neutral),
            (Some(444), None, NotLogged, Neutral),
            (Some(0), None, NotLogged, Neutral),
            (None, None, NotLogged, Neutral),
            (Some(499), Some(9.999), NotLogged, Good),
            (Some(499), Some(10.0), NotLogged, Bad),
            (Some(499), None, NotLogged, Good),
            (Some(499), Some(f64::NAN), NotLogged, Good),
            (Some(600), None, NotLogged, Good),
        ];
        for (status, seconds, upstream, expected) in cases {
            assert_eq!(
                outcome(status, seconds, upstream),
                expected,
                "{status:?} {seconds:?} {upstream:?}"
            );
        }
    }
}
