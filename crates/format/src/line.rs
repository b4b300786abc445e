//! Parses a line by the plan of its format.

use crate::error::{LineError, LineErrorKind};
use crate::hit::Hit;
use crate::step::{End, Missing, Plan, Shape, Step, starts_with};
use crate::time::TIME_LOCAL_BYTES;

impl Plan {
    /// Fills `hit.values` and `hit.time_us`.
    pub(crate) fn parse_into<'line>(
        &self,
        line: &'line [u8],
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        if !starts_with(line, &self.head) {
            let kind = if self.head.starts_with(line) {
                LineErrorKind::CutShort
            } else {
                LineErrorKind::MissingLiteral
            };
            return Err(LineError {
                kind,
                field: LineError::NO_FIELD,
                offset: 0,
            });
        }
        let mut at = self.head.len();
        if self.sum.is_some() {
            hit.values.fill(None);
        }
        for (index, step) in self.steps.iter().enumerate() {
            let following = &self.steps[index + 1..];
            let end = if step.end == End::Munch && step.shape.is_time() {
                let length = match step.next_time(&line[at..], hit) {
                    Some((length, time_us)) => {
                        if step.is_clock {
                            hit.time_us = Some(time_us);
                        }
                        length
                    }
                    None => self.other_time(step, line, at)?,
                };
                at + length
            } else {
                let end = match step.end {
                    End::Munch => step.munch(&line[at..]).map(|length| at + length),
                    End::Quote => step.quote(following, line, at),
                    End::Line => Some(line.len()),
                    End::Byte(_)
                    | End::BeforeQuote { .. }
                    | End::First { .. }
                    | End::Last { .. } => step.search(following, line, at),
                };
                match end {
                    Some(end) => end,
                    None => return Err(step.misfit(line, at, None)),
                }
            };
            if !starts_with(&line[end..], &step.after) {
                return self.end_early(index, line, (at, end), hit);
            }
            if step.is_first {
                hit.values[usize::from(step.slot)] = step.value(&line[at..end]);
            } else if let Some(run) = step.run() {
                self.divide(run, line, (at, end), hit)?;
            }
            at = end + step.after.len();
        }
        if at != line.len() {
            let field = self
                .steps
                .last()
                .map_or(LineError::NO_FIELD, |step| step.slot);
            return Err(LineError::at(LineErrorKind::TrailingBytes, field, at));
        }
        if self.sum.is_some() {
            self.add_up(line, hit);
        }
        Ok(())
    }

    /// A line that ends with the value of this step, as an older writer has fewer fields; else the step's misfit.
    #[cold]
    fn end_early<'line>(
        &self,
        index: usize,
        line: &'line [u8],
        (at, end): (usize, usize),
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        let step = &self.steps[index];
        if index + 1 < self.required || !is_cut_at(&line[end..], &step.after) {
            return Err(step.misfit(line, at, Some(end)));
        }
        hit.values[usize::from(step.slot)] = step.value(&line[at..end]);
        self.add_up(line, hit);
        Ok(())
    }

    /// The length of a time that is logged as missing, or that says no more than a part of one.
    #[cold]
    fn other_time(&self, step: &Step, line: &[u8], at: usize) -> Result<usize, LineError> {
        let length = if step.is_clock {
            None
        } else if step.pattern().is_some() {
            step.munch(&line[at..])
        } else {
            step.missing.length(&line[at..])
        };
        length.ok_or_else(|| step.misfit(line, at, None))
    }

    /// Gives the sum the text that its numbers stand in.
    fn add_up<'line>(&self, line: &'line [u8], hit: &mut Hit<'line>) {
        let Some(sum) = self.sum else {
            return;
        };
        let place = |value: &[u8]| {
            let start = value.as_ptr().addr() - line.as_ptr().addr();
            (start, start + value.len())
        };
        let between = (sum.first..=sum.last).all(|slot| hit.values[usize::from(slot)].is_some());
        let first = hit.values[usize::from(sum.first)].map(place);
        let last = hit.values[usize::from(sum.last)].map(place);
        if let (true, Some((start, _)), Some((_, end))) = (between, first, last) {
            hit.values[usize::from(sum.slot)] = line.get(start..end);
        }
    }
}

/// Whether a line may end here though `after` should follow: only the field's own closing quote may be left.
fn is_cut_at(rest: &[u8], after: &[u8]) -> bool {
    rest.is_empty() || (rest == b"\"" && after.first() == Some(&b'"'))
}

impl Step {
    /// As [`Step::time`], of line after line.
    #[inline]
    fn next_time(&self, rest: &[u8], hit: &mut Hit<'_>) -> Option<(usize, i64)> {
        if self.shape != Shape::TimeLocal || self.special.is_some() {
            return self.time(rest);
        }
        let text = rest.get(..TIME_LOCAL_BYTES)?;
        Some((text.len(), hit.hour.time_local(text)?))
    }

    #[inline]
    pub(crate) fn value<'line>(&self, raw: &'line [u8]) -> Option<&'line [u8]> {
        let is_missing = match raw {
            [b'-'] => !matches!(self.missing, Missing::Empty | Missing::Never),
            [] => {
                matches!(self.missing, Missing::Empty | Missing::Either)
                    && !(self.shape.is_text()
                        || matches!(self.shape, Shape::Word | Shape::Protocol))
            }
            [b'-', b'1'] => self.missing == Missing::MinusOne,
            _ => false,
        };
        (!is_missing).then_some(raw)
    }

    /// Why the value at `at` does not fit; `end` is where it ends without its literal.
    #[cold]
    fn misfit(&self, line: &[u8], at: usize, end: Option<usize>) -> LineError {
        let stop = end.unwrap_or(at);
        let shape_kind =
            Some(self.shape.kind()).filter(|kind| *kind != LineErrorKind::MissingLiteral);
        let is_cut = match self.end {
            End::Munch => {
                self.after.starts_with(&line[stop..]) && (end.is_some() || stop == line.len())
            }
            _ => !line[at..].contains(&b'"') && self.wants_quote(),
        };
        if is_cut {
            return LineError::at(LineErrorKind::CutShort, self.slot, line.len());
        }
        // A value that stops at its literal's first byte is whole; it is the literal that is wrong.
        let is_whole = end.is_some() && line.get(stop) == self.after.first();
        match shape_kind {
            Some(kind) if !is_whole => LineError::at(kind, self.slot, at),
            _ if end.is_some() && self.after.is_empty() => {
                LineError::at(LineErrorKind::TrailingBytes, self.slot, stop)
            }
            _ => LineError::at(LineErrorKind::MissingLiteral, self.slot, stop),
        }
    }

    fn wants_quote(&self) -> bool {
        matches!(
            self.end,
            End::Quote
                | End::BeforeQuote { .. }
                | End::First {
                    before_quote: true,
                    ..
                }
                | End::Last { before_quote: true }
        )
    }
}

impl LineError {
    /// The field of an error before the first one.
    pub(crate) const NO_FIELD: u16 = u16::MAX;

    pub(crate) fn at(kind: LineErrorKind, field: u16, offset: usize) -> Self {
        Self {
            kind,
            field,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::layout::Layout;
    use crate::preset;
    use crate::template::Template;

    /// Pieces that a user field is made of, and what follows it.
    const PIECES: &[&str] = &[
        "a",
        " ",
        " [",
        "] \"",
        "\"",
        "\\",
        "\\\"",
        "-",
        "[01/Jan/2024:00:00:00 +0000]",
        " [10/Jun/2024:06:13:21 +0000] \"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn counting_back_from_the_quote_agrees_with_searching(pieces in vec(select(PIECES), 0..8)) {
            let line = format!(
                "192.0.2.7 - {} [10/Jun/2024:06:13:21 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"",
                pieces.concat()
            );
            let template = Template::read(preset::text("combined")).expect("a preset");
            let counting = Plan::new(&Layout::from(&template)).expect("a preset");
            let mut searching = counting.clone();
            for step in &mut searching.steps {
                if let End::BeforeQuote { .. } = step.end {
                    step.end = End::Last { before_quote: true };
                }
            }
            let read = |plan: &Plan| {
                let mut hit = Hit { values: vec![None; plan.variables.len()], ..Hit::default() };
                plan.parse_into(line.as_bytes(), &mut hit).is_ok().then_some(hit)
            };
            let counts = counting.steps.iter().any(|step| matches!(step.end, End::BeforeQuote { .. }));
            prop_assert!(counts);
            prop_assert_eq!(read(&counting), read(&searching), "{}", line);
        }
    }
}
