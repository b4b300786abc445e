//! A format, compiled once.

use crate::detect::{self, Detected};
use crate::error::{FormatError, LineError};
use crate::escape::Escape;
use crate::hit::Hit;
use crate::json::JsonKeys;
use crate::layout::Layout;
use crate::preset;
use crate::request::{RequestParts, split_target};
use crate::step::Plan;
use crate::template::Template;
use crate::variable::Variable;

/// A log format, ready to parse lines. Cheap to share between threads, costs some microseconds to make.
#[derive(Debug, Clone)]
pub struct CompiledFormat {
    name: &'static str,
    text: String,
    escape: Escape,
    variables: Vec<Variable>,
    reader: Reader,
    request: RequestSlots,
}

#[derive(Debug, Clone)]
enum Reader {
    Plan(Plan),
    Json(JsonKeys),
}

/// The name of a format that is no preset.
const CUSTOM: &str = "custom";

impl CompiledFormat {
    /// The preset of this name.
    pub fn preset(name: &str) -> Option<Self> {
        if name == preset::JSON {
            return Some(Self::json());
        }
        let (name, text) = preset::TEXTS.iter().find(|(known, _)| *known == name)?;
        let mut format = Self::compile(text).expect("a preset compiles");
        format.name = name;
        Some(format)
    }

    /// The names of all presets.
    pub fn preset_names() -> &'static [&'static str] {
        preset::NAMES
    }

    /// Compiles what stands in `log_format`: literals and `$variables`, with `escape=json ` or `escape=none ` before
    /// them where Nginx has it, plain or in the quoted pieces of an nginx.conf.
    ///
    /// # Errors
    ///
    /// A text without variables, with a `$` that no name follows, an unknown `escape`, or two variables that
    /// nothing separates.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        let template = Template::read(text)?;
        let text = template.text();
        let layout = Layout::from(&template);
        if layout.is_empty() {
            return Err(FormatError::NoVariable { text });
        }
        let plan = Plan::new(&layout)?;
        let name = preset::TEXTS
            .iter()
            .find(|(_, known)| *known == text)
            .map_or(CUSTOM, |(name, _)| name);
        Ok(Self {
            name,
            text,
            escape: template.escape,
            request: RequestSlots::of(&plan.variables),
            variables: plan.variables.clone(),
            reader: Reader::Plan(plan),
        })
    }

    /// A preset by its name, or a format by its text.
    ///
    /// # Errors
    ///
    /// As [`CompiledFormat::compile`]; a text without a `$` that is no preset's name.
    pub fn named(name_or_text: &str) -> Result<Self, FormatError> {
        if let Some(format) = Self::preset(name_or_text) {
            return Ok(format);
        }
        if name_or_text.contains('$') {
            return Self::compile(name_or_text);
        }
        Err(FormatError::UnknownName {
            name: name_or_text.to_owned(),
            suggestion: preset::nearest(name_or_text).map(str::to_owned),
        })
    }

    /// The format that reads most lines of `sample`, some whole lines of a log: a preset, or one of `main`,
    /// `combined` and `common` with fields after it, which are named `extra_1`, `extra_2`, …. `None` if no line is
    /// read.
    pub fn detect(sample: &[u8]) -> Option<Detected> {
        detect::detect(sample)
    }

    fn json() -> Self {
        let keys = JsonKeys::new();
        let variables = keys.variables();
        Self {
            name: preset::JSON,
            text: JsonKeys::text(),
            escape: Escape::Json,
            request: RequestSlots::of(&variables),
            variables,
            reader: Reader::Json(keys),
        }
    }

    /// The preset's name, or `custom`.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The format's text, as [`CompiledFormat::compile`] takes it; of the `json` preset, which reads its keys in any
    /// order, the text of its usual form.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How values are escaped.
    pub fn escape(&self) -> Escape {
        self.escape
    }

    /// The variables in order of their first appearance; a variable's index is its slot in [`Hit::values`].
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Parses one line, without its newline, into `hit`, whose values it replaces. Allocates nothing if `hit` has
    /// been used with this format before. A carriage return at the end and a byte order mark at the start are
    /// left off.
    ///
    /// # Errors
    ///
    /// The first field that does not fit, with its place in `line`; `hit` then holds some of the values.
    pub fn parse_into<'line>(
        &self,
        line: &'line [u8],
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        if hit.values.len() != self.variables.len() {
            hit.values.clear();
            hit.values.resize(self.variables.len(), None);
        }
        hit.time_us = None;
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let (text, mark_bytes) = match text {
            [0xEF, 0xBB, 0xBF, rest @ ..] => (rest, 3),
            _ => (text, 0),
        };
        let parsed = match &self.reader {
            Reader::Plan(plan) => plan.parse_into(text, hit),
            Reader::Json(keys) => keys.parse_into(text, hit),
        };
        if let Err(mut error) = parsed {
            error.offset = error.offset.saturating_add(mark_bytes);
            return Err(error);
        }
        hit.request = self.request.parts(&hit.values);
        Ok(())
    }

    /// Parses one line, without its newline, into a new [`Hit`].
    ///
    /// # Errors
    ///
    /// As [`CompiledFormat::parse_into`].
    pub fn parse<'line>(&self, line: &'line [u8]) -> Result<Hit<'line>, LineError> {
        let mut hit = Hit::default();
        self.parse_into(line, &mut hit)?;
        Ok(hit)
    }

    /// The literal that ends the first value of this slot, or the one before all values.
    pub(crate) fn literal_after(&self, slot: u16) -> &[u8] {
        match &self.reader {
            Reader::Plan(plan) => plan
                .steps
                .iter()
                .find(|step| step.slot == slot)
                .map_or(&plan.head, |step| &step.after),
            Reader::Json(_) => b"\"",
        }
    }
}

/// The slots that say what was asked for.
#[derive(Debug, Clone, Default)]
struct RequestSlots {
    request: Option<usize>,
    request_method: Option<usize>,
    request_uri: Option<usize>,
    uri: Option<usize>,
    args: Option<usize>,
    server_protocol: Option<usize>,
}

impl RequestSlots {
    fn of(variables: &[Variable]) -> Self {
        let slot = |names: &[&str]| {
            variables
                .iter()
                .position(|variable| names.contains(&variable.name.as_str()))
        };
        Self {
            request: slot(&["request"]),
            request_method: slot(&["request_method"]),
            request_uri: slot(&["request_uri"]),
            uri: slot(&["uri", "document_uri"]),
            args: slot(&["args", "query_string"]),
            server_protocol: slot(&["server_protocol"]),
        }
    }

    /// The parts of `$request`; those that it does not have from the variables that log them one by one.
    fn parts<'line>(&self, values: &[Option<&'line [u8]>]) -> RequestParts<'line> {
        let value = |slot: Option<usize>| values[slot?].filter(|value| !value.is_empty());
        let mut parts = value(self.request)
            .map(RequestParts::split)
            .unwrap_or_default();
        parts.method = parts.method.or_else(|| value(self.request_method));
        parts.protocol = parts.protocol.or_else(|| value(self.server_protocol));
        if parts.path.is_none() {
            if let Some(target) = value(self.request_uri) {
                let (path, args) = split_target(target);
                parts.path = Some(path);
                parts.args = args;
            } else {
                parts.path = value(self.uri);
                parts.args = value(self.args);
            }
        }
        parts
    }
}
