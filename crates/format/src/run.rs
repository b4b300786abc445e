//! Variables with nothing between them: `$host$request_uri`, `$uri$is_args$args`.
//!
//! Where the shapes of values decide, they divide the text: a status has three digits, a time a fixed width, seconds
//! three decimals, a target begins with `/`, `$is_args` is `?`. Text next to text has no such mark; it goes to the
//! first variable, and those after it have no value, so that such a log can be read at all. A number next to what may
//! hold its digits is refused when the format is compiled: a wrong number is worse than none.

use crate::error::{FormatError, LineError, LineErrorKind};
use crate::hit::Hit;
use crate::step::{Missing, Plan, Shape, Special, Step};
use crate::time;
use crate::variable::{Kind, Unit, Variable};

/// Values with nothing between them.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) steps: Box<[Step]>,
    /// How many of them do not show by themselves, seen from the end, where they begin.
    open: usize,
}

impl Plan {
    /// Makes one step of each run of variables that nothing parts.
    pub(crate) fn fold_runs(&mut self) -> Result<(), FormatError> {
        let mut steps = std::mem::take(&mut self.steps).into_iter().peekable();
        while let Some(step) = steps.next() {
            let mut run = vec![step];
            while run.last().is_some_and(|last| last.after.is_empty())
                && let Some(next) = steps.next()
            {
                run.push(next);
            }
            self.push_run(run)?;
        }
        Ok(())
    }

    fn push_run(&mut self, mut run: Vec<Step>) -> Result<(), FormatError> {
        // What ends by itself needs no dividing.
        while run.len() > 1 && run[0].is_exact(self.variable(&run[0])) {
            let mut step = run.remove(0);
            if step.special.is_none() {
                step.special = Some(Box::new(Special::Tight));
            }
            self.steps.push(step);
        }
        if run.len() == 1 {
            self.steps.append(&mut run);
            return Ok(());
        }
        let exact = run.iter().rev();
        let exact = exact.take_while(|step| step.shape.is_exact_from_the_end(step.missing));
        let open = run.len() - exact.count();
        if let Some(place) = self.undecided(&run[..open]) {
            let name = |step: &Step| self.variable(step).name.clone();
            return Err(FormatError::NotSeparated {
                left: name(&run[place]),
                right: name(&run[place + 1]),
            });
        }
        let holds_spaces = |step: &Step| {
            step.shape.is_text() || matches!(step.shape, Shape::List | Shape::TimeLocal)
        };
        let (first, last) = (&run[0], &run[run.len() - 1]);
        self.steps.push(Step {
            slot: first.slot,
            is_first: false,
            is_clock: false,
            shape: if run.iter().any(holds_spaces) {
                Shape::Text
            } else {
                Shape::Word
            },
            missing: Missing::Never,
            end: first.end,
            after: last.after.clone(),
            special: Some(Box::new(Special::Run(Run {
                steps: run.into(),
                open,
            }))),
        });
        Ok(())
    }

    fn variable(&self, step: &Step) -> &Variable {
        &self.variables[usize::from(step.slot)]
    }

    /// The first place in a run where nothing says how to divide a number from what is beside it.
    fn undecided(&self, open: &[Step]) -> Option<usize> {
        if open.len() < 2 {
            return None;
        }
        let is_number = |step: &Step| {
            let kind = self.variable(step).kind;
            step.shape.is_time()
                || matches!(
                    kind,
                    Kind::Integer
                        | Kind::Port
                        | Kind::Status
                        | Kind::StatusList
                        | Kind::Seconds
                        | Kind::Decimal
                        | Kind::SecondsList
                        | Kind::IntegerList
                )
        };
        (0..open.len() - 1).find(|&place| {
            let right = &open[place + 1];
            let is_marked = self.mark_of(&open[place], right).is_some();
            (is_number(&open[place]) && !is_marked) || is_number(right)
        })
    }

    /// The byte that `right` begins with and `left` cannot hold.
    fn mark_of(&self, left: &Step, right: &Step) -> Option<u8> {
        mark_of(self.variable(left), &self.variable(right).name)
    }

    /// Fills the values of a run from its text, which is `line[at..end]`.
    #[inline(never)]
    pub(crate) fn divide<'line>(
        &self,
        run: &Run,
        line: &'line [u8],
        (at, mut end): (usize, usize),
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        let (open, exact) = run.steps.split_at(run.open);
        for step in exact.iter().rev() {
            let start = step
                .shape
                .start_from_the_end(&line[at..end])
                .map(|start| at + start)
                .ok_or_else(|| LineError::at(step.shape.kind(), step.slot, at))?;
            step.put(line, (start, end), hit)?;
            end = start;
        }
        let Some((mut owner, others)) = open.split_first() else {
            return Ok(());
        };
        let mut start = at;
        // Variables that no mark shows, after the owner of the text.
        let mut unseen = 0;
        let mut others = others.iter();
        while let Some(step) = others.next() {
            let mark = self.mark_of(owner, step);
            let found = mark.and_then(|mark| memchr::memchr(mark, &line[start..end]));
            let Some(length) = found else {
                if mark.is_some() {
                    end = step.put_missing(line, (start, end), hit)?;
                } else {
                    unseen += usize::from(step.missing != Missing::Empty);
                    step.put_nothing(hit);
                }
                continue;
            };
            owner.put(line, (start, start + length), hit)?;
            (owner, start, unseen) = (step, start + length, 0);
            if step.shape == Shape::Mark
                && let Some(next) = others.next()
            {
                step.put(line, (start, start + 1), hit)?;
                (owner, start) = (next, start + 1);
            }
        }
        // A hyphen at the end is how a value that is missing is logged.
        while unseen > 0 && end > start + 1 && line[end - 1] == b'-' {
            (end, unseen) = (end - 1, unseen - 1);
        }
        owner.put(line, (start, end), hit)
    }
}

/// The byte that values of the variable `right` begin with and those of `left` cannot hold: a host has no slash, and
/// the first `?` of a target begins its arguments.
fn mark_of(left: &Variable, right: &str) -> Option<u8> {
    let is_host = matches!(
        left.kind,
        Kind::Word | Kind::Address | Kind::Port | Kind::Integer | Kind::Mark
    ) || left.name == "http_host";
    let is_target = matches!(left.name.as_str(), "request_uri" | "uri" | "document_uri");
    match right {
        "request_uri" | "uri" | "document_uri" => is_host.then_some(b'/'),
        "is_args" => (is_target || is_host).then_some(b'?'),
        _ => None,
    }
}

impl Step {
    /// Whether its values show by themselves where they end, whatever follows.
    fn is_exact(&self, variable: &Variable) -> bool {
        match self.shape {
            Shape::Decimal => variable.kind == Kind::Seconds && variable.unit == Unit::Seconds,
            Shape::Mark => true,
            shape => shape.is_time() || shape == Shape::Status,
        }
    }

    /// The length of a value that something else may follow at once.
    pub(crate) fn tight(&self, rest: &[u8]) -> Option<usize> {
        let longest = match self.shape {
            Shape::TimeIso8601 => time::iso8601_bytes(rest),
            Shape::Msec | Shape::Decimal => {
                let point = rest.iter().position(|byte| *byte == b'.');
                point.map_or(rest.len(), |point| point + 4)
            }
            _ => rest.len(),
        };
        self.shape
            .munch(&rest[..longest.min(rest.len())], self.missing)
    }

    fn put<'line>(
        &self,
        line: &'line [u8],
        (start, end): (usize, usize),
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        let raw = &line[start..end];
        let misfit = || LineError::at(self.shape.kind(), self.slot, start);
        if self.shape.is_time() {
            let (length, time_us) = self.time(raw).ok_or_else(misfit)?;
            if length != raw.len() {
                return Err(misfit());
            }
            if self.is_clock {
                hit.time_us = Some(time_us);
            }
        } else if self.munch(raw) != Some(raw.len()) {
            return Err(misfit());
        }
        if self.is_first {
            hit.values[usize::from(self.slot)] = self.value(raw);
        }
        Ok(())
    }

    /// A value whose mark is not there is logged as missing, at the end of the text. The end of what is before it.
    fn put_missing<'line>(
        &self,
        line: &'line [u8],
        (start, end): (usize, usize),
        hit: &mut Hit<'line>,
    ) -> Result<usize, LineError> {
        let length = match self.missing {
            Missing::Empty | Missing::Either => 0,
            _ if line[start..end].ends_with(b"-") => 1,
            _ => return Err(LineError::at(self.shape.kind(), self.slot, end)),
        };
        if self.is_first {
            hit.values[usize::from(self.slot)] = self.value(&line[end - length..end]);
        }
        Ok(end - length)
    }

    fn put_nothing(&self, hit: &mut Hit<'_>) {
        if self.is_first {
            hit.values[usize::from(self.slot)] = None;
        }
    }
}

impl Shape {
    /// Whether the place where a value begins shows from its end alone.
    fn is_exact_from_the_end(self, missing: Missing) -> bool {
        match self {
            Self::Status | Self::TimeLocal | Self::TimeIso8601 => true,
            Self::Mark => missing == Missing::Never,
            _ => false,
        }
    }

    /// Where the value at the end of `text` begins.
    fn start_from_the_end(self, text: &[u8]) -> Option<usize> {
        let length = match (self, text.last()?) {
            (Self::Status, b'-') | (Self::Mark, _) => 1,
            (Self::Status, _) => 3,
            (Self::TimeIso8601, b'Z') => time::ISO8601_UTC_BYTES,
            (Self::TimeIso8601, _) => time::ISO8601_BYTES,
            _ => time::TIME_LOCAL_BYTES,
        };
        text.len().checked_sub(length)
    }

    /// What is wrong where a value of this shape should be.
    pub(crate) fn kind(self) -> LineErrorKind {
        match self {
            Self::TimeLocal | Self::TimeIso8601 | Self::Msec | Self::Pattern => {
                LineErrorKind::BadTime
            }
            Self::Status => LineErrorKind::BadStatus,
            Self::Digits | Self::Decimal => LineErrorKind::BadNumber,
            Self::Address => LineErrorKind::NotAnAddress,
            Self::Mark | Self::List | Self::Protocol | Self::Word | Self::Target | Self::Text => {
                LineErrorKind::MissingLiteral
            }
        }
    }
}
