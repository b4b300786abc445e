//! What a statement asks of rows, as conditions that raw logs ask of their lines.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use floodmark_ingest::{Column, Condition, LineSchema, ValueSet};

/// The condition that is met by the very rows for which the expression is true; `None` if there is none.
///
/// These are comparisons of one column with literals of its own type, joined by `AND`, `OR` and `NOT`: for a row that has a value
/// they are true or false, and for NULL they are NULL, which is not true and does not become so by any of the three.
pub(crate) fn condition(expr: &Expr, schema: &LineSchema) -> Option<Condition> {
    let columns = expr.column_refs();
    let [name] = columns
        .iter()
        .map(|column| &column.name)
        .collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let column = schema
        .columns()
        .iter()
        .find(|column| column.name == *name)?;
    Condition::new(column.clone(), values(expr, column)?)
}

fn values(expr: &Expr, column: &Column) -> Option<ValueSet> {
    match expr {
        Expr::Not(inner) => Some(values(inner, column)?.complement()),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            match (left.as_ref(), op, right.as_ref()) {
                (left, Operator::And, right) => {
                    values(left, column)?.intersection(values(right, column)?)
                }
                (left, Operator::Or, right) => values(left, column)?.union(values(right, column)?),
                (Expr::Column(_), op, Expr::Literal(literal, _)) => compared(*op, literal, column),
                (Expr::Literal(literal, _), op, Expr::Column(_)) => {
                    compared(op.swap()?, literal, column)
                }
                _ => None,
            }
        }
        Expr::Between(Between {
            expr,
            negated,
            low,
            high,
        }) => {
            let (Expr::Column(_), Expr::Literal(low, _), Expr::Literal(high, _)) =
                (expr.as_ref(), low.as_ref(), high.as_ref())
            else {
                return None;
            };
            let from = compared(Operator::GtEq, low, column)?;
            let between = from.intersection(compared(Operator::LtEq, high, column)?)?;
            Some(unless(*negated, between))
        }
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) if matches!(expr.as_ref(), Expr::Column(_)) => {
            let mut listed = list.iter().map(|item| match item {
                Expr::Literal(literal, _) => compared(Operator::Eq, literal, column),
                _ => None,
            });
            let first = listed.next()??;
            let listed = listed.try_fold(first, |listed, item| listed.union(item?))?;
            Some(unless(*negated, listed))
        }
        _ => None,
    }
}

fn unless(negated: bool, values: ValueSet) -> ValueSet {
    match negated {
        true => values.complement(),
        false => values,
    }
}

/// The values that compare so with a literal.
fn compared(op: Operator, literal: &ScalarValue, column: &Column) -> Option<ValueSet> {
    if literal.data_type() != column.column_type.arrow() {
        return None;
    }
    let number = match literal {
        ScalarValue::Utf8View(Some(text)) => {
            return match op {
                Operator::Eq => Some(ValueSet::text(text)),
                Operator::NotEq => Some(ValueSet::text(text).complement()),
                _ => None,
            };
        }
        ScalarValue::Int16(number) => i64::from((*number)?),
        ScalarValue::Int32(number) => i64::from((*number)?),
        ScalarValue::Int64(number) | ScalarValue::TimestampMicrosecond(number, _) => (*number)?,
        _ => return None,
    };
    match op {
        Operator::Eq => Some(ValueSet::numbers(number..=number)),
        Operator::NotEq => Some(ValueSet::numbers(number..=number).complement()),
        Operator::GtEq => Some(ValueSet::numbers(number..=i64::MAX)),
        Operator::Lt => Some(ValueSet::numbers(number..=i64::MAX).complement()),
        Operator::LtEq => Some(ValueSet::numbers(i64::MIN..=number)),
        Operator::Gt => Some(ValueSet::numbers(i64::MIN..=number).complement()),
        _ => None,
    }
}
