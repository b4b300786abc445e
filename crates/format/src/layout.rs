//! A format in its parts, whoever writes it.

use crate::escape::Escape;
use crate::step::Missing;
use crate::template::{Piece, Template};
use crate::time_pattern::TimePattern;
use crate::variable::Variable;

/// What stands in a line, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) escape: Escape,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    Field(Field),
}

/// A variable where it stands in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) variable: Variable,
    /// How it is written, if it is a time that has a pattern.
    pub(crate) time: Option<TimePattern>,
    /// How it is logged when there is none, where its writer differs from Nginx.
    pub(crate) missing: Option<Missing>,
}

impl Layout {
    /// Whether no variable is in it.
    pub(crate) fn is_empty(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, Part::Field(_)))
    }
}

impl From<Variable> for Field {
    fn from(variable: Variable) -> Self {
        Self {
            variable,
            time: None,
            missing: None,
        }
    }
}

impl From<&Template> for Layout {
    fn from(template: &Template) -> Self {
        let part = |piece: &Piece| match piece {
            Piece::Literal(literal) => Part::Literal(literal.clone()),
            Piece::Variable(name) => Part::Field(Variable::named(name).into()),
        };
        Self {
            escape: template.escape,
            parts: template.pieces.iter().map(part).collect(),
        }
    }
}
