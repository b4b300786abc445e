//! The statuses that minutes tell apart.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int16Array, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, lit};
use floodmark_traffic::path::status_hundreds;

use super::{STATUS, column, value};

/// How many kinds of statuses minutes count; kinds follow [`COLUMNS`].
pub(super) const KINDS: usize = 9;

/// The column of each kind. The fourth is of all 4xx, also of those that have a column of their own.
const COLUMNS: [&str; KINDS] = [
    "status_1xx",
    "status_2xx",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "status_none",
    "status_429",
    "status_444",
    "status_499",
];

const OF_4XX: usize = 3;
const WITHOUT_CLASS: usize = 5;
/// 429, 444 and 499.
const APART: [usize; 3] = [6, 7, 8];

/// A set of kinds, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statuses(u16);

impl Statuses {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self((1 << KINDS) - 1);
    /// Those with a class.
    pub(super) const OF_CLASSES: Self = Self(Self::ALL.0 & !(1 << WITHOUT_CLASS));

    pub(super) fn of(is_in: impl Fn(usize) -> bool) -> Self {
        let kinds = (0..KINDS).filter(|&kind| is_in(kind));
        Self(kinds.fold(0, |bits, kind| bits | 1 << kind))
    }

    pub(super) fn has(self, kind: usize) -> bool {
        self.0 >> kind & 1 == 1
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many requests of a row of minutes have these.
    pub(super) fn count(self) -> Expr {
        if self == Self::ALL {
            return column("total");
        }
        let column = |kind: usize| column(COLUMNS[kind]);
        let mut plus: Vec<usize> = (0..KINDS).filter(|&kind| self.has(kind)).collect();
        let mut minus = Vec::new();
        if self.has(OF_4XX) {
            plus.retain(|kind| !APART.contains(kind));
            minus.extend(APART.into_iter().filter(|&kind| !self.has(kind)));
        }
        let sum = plus.into_iter().map(column).reduce(|sum, more| sum + more);
        let sum = sum.unwrap_or_else(|| lit(0_i64));
        minus.into_iter().fold(sum, |sum, kind| sum - column(kind))
    }
}

fn kind_of(status: Option<i16>) -> usize {
    match (status, status.and_then(status_hundreds)) {
        (Some(429), _) => APART[0],
        (Some(444), _) => APART[1],
        (Some(499), _) => APART[2],
        (_, Some(hundreds)) => usize::from(hundreds) - 1,
        (_, None) => WITHOUT_CLASS,
    }
}

/// What an expression of nothing but a status gives, by kind. `None` where statuses of a kind differ in it, or where it fails for one.
///
/// Only statuses of the kinds that are `met` are looked at; what is given of others is NULL.
pub(super) fn values(of: &Expr, met: Statuses) -> Result<Option<Vec<ScalarValue>>> {
    let all = std::iter::once(None).chain((i16::MIN..=i16::MAX).map(Some));
    let all: Vec<Option<i16>> = all.filter(|status| met.has(kind_of(*status))).collect();
    let kinds: Vec<usize> = all.iter().map(|status| kind_of(*status)).collect();
    let schema = Arc::new(Schema::new(vec![Field::new(STATUS, DataType::Int16, true)]));
    let statuses: ArrayRef = Arc::new(all.into_iter().collect::<Int16Array>());
    let rows = RecordBatch::try_new(schema, vec![statuses])?;
    let Some(found) = value(of, &rows) else {
        return Ok(None);
    };
    let found = found.into_array(rows.num_rows())?;
    let row_of = |kind: usize| kinds.iter().position(|&of_row| of_row == kind);
    let first: Vec<Option<u32>> = (0..KINDS)
        .map(|kind| u32::try_from(row_of(kind)?).ok())
        .collect();
    let like: UInt32Array = kinds.iter().map(|&kind| first[kind]).collect();
    if not_distinct(&found, &take(&found, &like, None)?)?.true_count() < found.len() {
        return Ok(None);
    }
    let by_kind = take(&found, &UInt32Array::from(first), None)?;
    let values = (0..KINDS).map(|kind| ScalarValue::try_from_array(&by_kind, kind));
    values.collect::<Result<_>>().map(Some)
}
