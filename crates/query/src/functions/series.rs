//! The frame of a judgment over a whole series: a window function that sees its partition at once, in the order of `ORDER BY`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

/// Arguments over the partition in, a value for each of its rows out.
type Judge = fn(&[ArrayRef]) -> Result<ArrayRef>;

/// A window function of `count` arguments of any type. Its frame is always the whole partition.
pub(super) fn function(
    name: &'static str,
    count: usize,
    output: DataType,
    judge: Judge,
) -> WindowUDF {
    let signature = Signature::any(count, Volatility::Immutable);
    WindowUDF::from(SeriesFunction {
        name,
        signature,
        output,
        judge,
    })
}

struct SeriesFunction {
    name: &'static str,
    signature: Signature,
    output: DataType,
    judge: Judge,
}

impl fmt::Debug for SeriesFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for SeriesFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for SeriesFunction {}

impl Hash for SeriesFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl WindowUDFImpl for SeriesFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Whole { judge: self.judge }))
    }

    fn field(&self, field: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(
            field.name(),
            self.output.clone(),
            true,
        )))
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

#[derive(Debug)]
struct Whole {
    judge: Judge,
}

impl PartitionEvaluator for Whole {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        (self.judge)(values)
    }
}
