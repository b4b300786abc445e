//! Times of which a minute has one: what may be asked of `time` and of `minute` alike.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, ColumnarValue, Expr, Operator, binary_expr, lit};

use super::{MINUTE, TIME, column, value};
use crate::functions::time_type;

const MINUTE_US: i64 = 60_000_000;
const MINUTE_NS: i64 = 1_000 * MINUTE_US;

/// Of what all zones have since 1972, whose clocks differ by whole minutes.
const OF_ZONES: &[&str] = &["local_date", "local_hour", "iso_week", "week_start"];

/// Units of `date_trunc` and `date_part` that are no shorter than a minute.
const UNITS: &[&str] = &[
    "minute", "hour", "day", "dow", "doy", "isodow", "week", "month", "quarter", "year", "isoyear",
];

/// The same of minutes; `None` where seconds matter. An expression without times stays as it is.
pub(super) fn of_minutes(expr: &Expr) -> Result<Option<Expr>> {
    let mut has_seconds = false;
    let expr = expr.clone().transform_down(|expr| {
        if is_of_minutes(&expr)? {
            let expr = with_minutes(expr)?;
            return Ok(Transformed::new(expr, true, TreeNodeRecursion::Jump));
        }
        has_seconds |= is_time(&expr);
        Ok(Transformed::no(expr))
    })?;
    Ok((!has_seconds).then_some(expr.data))
}

fn is_time(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == TIME)
}

/// Whether it is the time to the microsecond, in whatever zone.
fn is_exact_time(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => {
            let unit = match cast.field.data_type() {
                DataType::Timestamp(unit, _) => *unit,
                _ => return false,
            };
            matches!(unit, TimeUnit::Microsecond | TimeUnit::Nanosecond)
                && is_exact_time(&cast.expr)
        }
        expr => is_time(expr),
    }
}

fn with_minutes(expr: Expr) -> Result<Expr> {
    let expr = expr.transform_up(|expr| {
        Ok(match is_time(&expr) {
            true => Transformed::yes(column(MINUTE)),
            false => Transformed::no(expr),
        })
    })?;
    Ok(expr.data)
}

/// Whether all times of a minute have the same in it.
fn is_of_minutes(expr: &Expr) -> Result<bool> {
    Ok(match expr {
        Expr::Cast(cast) => {
            cast.field.data_type() == &DataType::Date32 && is_exact_time(&cast.expr)
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice())
        {
            ("date_trunc" | "date_part", [unit, time]) => {
                is_exact_time(time) && text(unit).is_some_and(|unit| UNITS.contains(&&*unit))
            }
            ("date_bin", [width, time, origin @ ..]) => {
                let origin = origin.first().map_or(Ok(Some(0)), fixed_us)?;
                let is_whole = origin.is_some_and(|us| us % MINUTE_US == 0);
                is_whole && is_whole_width(width) && is_exact_time(time)
            }
            (name, [time, others @ ..]) => {
                OF_ZONES.contains(&name)
                    && is_exact_time(time)
                    && !others.iter().any(Expr::any_column_refs)
            }
            _ => false,
        },
        _ => false,
    })
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => Some(value.try_as_str()??.to_lowercase()),
        _ => None,
    }
}

fn is_whole_width(width: &Expr) -> bool {
    match width {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(width)), _) => {
            width.nanoseconds % MINUTE_NS == 0
        }
        _ => false,
    }
}

/// The same bounds of minutes; `None` where this compares no times, or cuts a minute.
pub(super) fn bounds_of_minutes(condition: &Expr) -> Result<Option<Expr>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if is_exact_time(left) {
                return bound(*op, right);
            }
            let swapped = op.swap().filter(|_| is_exact_time(right));
            swapped.map_or(Ok(None), |op| bound(op, left))
        }
        Expr::Between(between) if !between.negated && is_exact_time(&between.expr) => {
            let low = bound(Operator::GtEq, &between.low)?;
            let high = bound(Operator::LtEq, &between.high)?;
            Ok(low.zip(high).map(|(low, high)| low.and(high)))
        }
        _ => Ok(None),
    }
}

/// Of a time and what it is compared with.
fn bound(op: Operator, with: &Expr) -> Result<Option<Expr>> {
    let Some(us) = fixed_us(with)? else {
        return Ok(None);
    };
    // In whole microseconds, so that each bound is one that is in on the left, or one that is out on the right.
    let (op, us) = match op {
        Operator::GtEq | Operator::Lt => (op, Some(us)),
        Operator::Gt => (Operator::GtEq, us.checked_add(1)),
        Operator::LtEq => (Operator::Lt, us.checked_add(1)),
        _ => return Ok(None),
    };
    let Some(us) = us.filter(|us| us % MINUTE_US == 0) else {
        return Ok(None);
    };
    let minute = column(MINUTE);
    let bound = lit(ScalarValue::Int64(Some(us)).cast_to(&time_type())?);
    Ok(Some(binary_expr(minute, op, bound)))
}

/// The time that an expression without columns stands for, microseconds since the epoch; `None` for one between two of them.
fn fixed_us(expr: &Expr) -> Result<Option<i64>> {
    if expr.any_column_refs() {
        return Ok(None);
    }
    let no_columns = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let Some(ColumnarValue::Scalar(value)) = value(expr, &no_columns) else {
        return Ok(None);
    };
    if !matches!(value.data_type(), DataType::Timestamp(..)) {
        return Ok(None);
    }
    let rounded = value.cast_to(&time_type())?;
    match rounded {
        ScalarValue::TimestampMicrosecond(us, _) => {
            let is_exact = rounded.cast_to(&value.data_type())? == value;
            Ok(us.filter(|_| is_exact))
        }
        _ => Ok(None),
    }
}
