/// What a caller of this crate can get wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A range of minutes has a hole, or is out of order.
    #[error("expected minute {} after minute {after}, found {found}\nhint: give every minute of the range, ascending; one without requests has zero counts", after + 1)]
    MinutesNotDense {
        /// The minute before the fault, in minutes since the epoch.
        after: i64,
        /// What followed it.
        found: i64,
    },
    /// A text is no address range.
    #[error("expected an address range such as `192.0.2.0/24` or `2001:db8::/32`, found `{found}`")]
    NotACidr {
        /// The text.
        found: String,
    },
    /// Bytes that are none of the sketches this crate writes.
    #[error(
        "expected a {kind} as Floodmark writes it, found {found}\nhint: give a column of `minutes`, or what a function that merges such columns gave"
    )]
    NotASketch {
        /// The sketch expected.
        kind: &'static str,
        /// What is wrong with the bytes.
        found: &'static str,
    },
    /// Minutes so far apart that those between them cannot all be judged.
    #[error("expected minutes of at most {} days, found {} days\nhint: group them by week, or leave out the ones far away", minutes_max / 1440, minutes / 1440)]
    RangeTooLong {
        /// From the first to the last.
        minutes: u64,
        /// The bound.
        minutes_max: u64,
    },
}
