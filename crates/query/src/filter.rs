//! A condition on rows that do not come from a table.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::SessionContext;

use crate::{Error, functions};

/// What may stand after `WHERE`, for batches of one schema: the same columns, functions and rules as in SQL.
///
/// A row is kept where the condition is true; where it is NULL, it is not.
#[derive(Debug, Clone)]
pub struct RowFilter {
    condition: Arc<dyn PhysicalExpr>,
}

impl RowFilter {
    /// Reads a condition on the columns of `schema`.
    ///
    /// # Errors
    ///
    /// It cannot be read, names what is not there, or is not true or false.
    pub fn new(condition: &str, schema: &SchemaRef) -> Result<Self, Error> {
        let context = SessionContext::new();
        functions::register(&context, &Arc::default());
        let planned = || -> Result<_, DataFusionError> {
            let columns = DFSchema::try_from(Arc::clone(schema))?;
            let read = context.parse_sql_expr(condition, &columns)?;
            let condition = context.create_physical_expr(read, &columns)?;
            let data_type = condition.data_type(schema)?;
            Ok((condition, data_type))
        };
        match planned() {
            Ok((condition, DataType::Boolean)) => Ok(Self { condition }),
            Ok((_, found)) => Err(Error::NotACondition {
                condition: condition.to_owned(),
                found: found.to_string(),
            }),
            Err(error) => Err(Error::of_statement(error, condition, &[])),
        }
    }

    /// The rows for which the condition is true.
    ///
    /// # Errors
    ///
    /// It cannot be worked out for a row, such as a division by zero.
    pub fn keep(&self, rows: &RecordBatch) -> Result<RecordBatch, Error> {
        let holds = self.condition.evaluate(rows)?;
        let holds = holds.into_array(rows.num_rows())?;
        Ok(filter_record_batch(rows, holds.as_boolean()).map_err(DataFusionError::from)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int16Array, StringViewArray};

    use super::*;

    fn rows() -> RecordBatch {
        let status = Int16Array::from(vec![Some(200), Some(404), None]);
        let paths = StringViewArray::from(vec![Some("/a"), Some("/b"), Some("/a")]);
        let clients = StringViewArray::from(vec![Some("192.0.2.1"), Some("203.0.113.9"), None]);
        let columns: [(&str, ArrayRef); 3] = [
            ("status", Arc::new(status)),
            ("path", Arc::new(paths)),
            ("client", Arc::new(clients)),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[track_caller]
    fn check(condition: &str, kept: usize) {
        let rows = rows();
        let filter = RowFilter::new(condition, &rows.schema()).unwrap();
        assert_eq!(filter.keep(&rows).unwrap().num_rows(), kept);
    }

    #[track_caller]
    fn refuses(condition: &str, expected: &str) {
        let error = RowFilter::new(condition, &rows().schema()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn rows_for_which_it_is_true_are_kept() {
        check("status = 404", 1);
        check("path = '/a'", 2);
        check("path = '/a' AND status < 300", 1);
        check("ip_in(client, '192.0.2.0/24')", 1);
        check("true", 3);
        check("status IS NULL OR path LIKE '%b'", 2);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        refuses("stauts = 404", "no column `stauts`");
        refuses("status", "expected a condition");
        refuses("status = ", "cannot read the statement");
    }
}
