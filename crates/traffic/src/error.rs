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
}
