//! A format, compiled once.

use crate::alb;
use crate::apache;
use crate::detect::{self, Detected};
use crate::error::{FormatError, LineError};
use crate::escape::Escape;
use crate::hit::Hit;
use crate::keys::{Keys, Syntax};
use crate::layout::Layout;
use crate::preset;
use crate::request::{AbsoluteUri, RequestParts, split_target};
use crate::step::Plan;
use crate::template::Template;
use crate::tomcat;
use crate::variable::Variable;

/// A log format, ready to parse lines. Cheap to share between threads, costs some microseconds to make.
#[derive(Debug, Clone)]
pub struct CompiledFormat {
    name: &'static str,
    text: String,
    escape: Escape,
    layer: Layer,
    variables: Vec<Variable>,
    reader: Reader,
    request: RequestSlots,
}

/// Which side of a site writes logs of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// A load balancer in front: `alb`.
    Balancer,
    /// The web server that clients reach, as far as the format tells.
    Edge,
    /// The application behind it: Tomcat's formats.
    App,
}

impl Layer {
    /// The name in the `layer` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Balancer => "balancer",
            Self::Edge => "edge",
            Self::App => "app",
        }
    }
}

#[derive(Debug, Clone)]
enum Reader {
    Plan(Plan),
    Keys(Keys),
}

/// The name of a format that is no preset.
const CUSTOM: &str = "custom";

impl CompiledFormat {
    /// The preset of this name.
    pub fn preset(name: &str) -> Option<Self> {
        // What the nginx.conf of the ingress controller calls it.
        let name = if name == "upstreaminfo" {
            "ingress"
        } else {
            name
        };
        let name = preset::NAMES.iter().find(|known| **known == name)?;
        let texts = preset::TEXTS.iter().find(|(known, _)| known == name);
        let families = preset::OF_FAMILIES.iter().find(|(known, ..)| known == name);
        let compiled = match (texts, families) {
            (Some((_, text)), _) => Self::of_nginx(text),
            (None, Some((_, family, text))) => Self::of_family(family, text)?,
            (None, None) => Self::of_family(name, "")?,
        };
        let mut format = compiled.expect("a preset compiles");
        format.name = name;
        if families.is_some() {
            (*name).clone_into(&mut format.text);
        }
        if name.starts_with("tomcat") {
            format.layer = Layer::App;
            // Its JSON valve too takes each byte for a character.
            format.escape = Escape::Tomcat;
        }
        Some(format)
    }

    /// The names of all presets.
    pub fn preset_names() -> &'static [&'static str] {
        preset::NAMES
    }

    /// Compiles the text of a format. That is one of
    ///
    /// - what stands in `log_format`: literals and `$variables`, with `escape=json ` or `escape=none ` before them
    ///   where Nginx has it, plain or in the quoted pieces of an nginx.conf;
    /// - `apache ` and what stands in `LogFormat`, or the whole `LogFormat "…" name` of an httpd.conf;
    /// - `tomcat ` and the `pattern` of an `AccessLogValve`, `common` and `combined` included, or `pattern="…"` as
    ///   server.xml has it; `tomcat9 ` up to version 9, where `%D` is milliseconds;
    /// - `json ` or `ltsv ` and where variables are found that have no usual name: `status=resp.code`, and for a
    ///   duration in milliseconds `request_time=latency_ms/1000`;
    /// - the name of a preset that is none of these, such as `alb`.
    ///
    /// # Errors
    ///
    /// A text without variables, with a `$` or `%` that no name follows, an unknown `escape` or directive, a map
    /// that is none, or two variables that nothing separates.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        let plain = text.trim_start();
        let (family, rest) = plain
            .split_once(|character: char| character.is_ascii_whitespace())
            .unwrap_or((plain, ""));
        if let Some(format) = Self::of_family(family, rest) {
            return format;
        }
        if text.contains('$') {
            return Self::of_nginx(text);
        }
        if let Some(format) = Self::preset(plain.trim_end()) {
            return Ok(format);
        }
        match Self::without_family(plain) {
            Some(format) => format,
            None => Self::of_nginx(text),
        }
    }

    /// The format of this family with this text; `None` if there is no such family, or it needs a text.
    fn of_family(family: &str, text: &str) -> Option<Result<Self, FormatError>> {
        let has_directives = text.contains('%') || text.contains("pattern=");
        match family {
            // A `log_format` may begin with any word.
            "json" | "ltsv" if text.contains('$') && !text.contains('=') => None,
            "json" => Some(Self::of_keys(Syntax::Json, text)),
            "ltsv" => Some(Self::of_keys(Syntax::Ltsv, text)),
            preset::ALB if text.trim().is_empty() => Some(alb::plan().map(Self::of_balancer)),
            "apache" if text.contains('%') => {
                Some(Self::of_directives(family, text, apache::layout(text)))
            }
            "tomcat" | "tomcat9"
                if has_directives || matches!(text.trim(), "common" | "combined") =>
            {
                let version = if family == "tomcat" {
                    tomcat::Version::Ten
                } else {
                    tomcat::Version::Nine
                };
                let layout = tomcat::layout(text, version);
                let format = Self::of_directives(family, text, layout).map(|format| Self {
                    layer: Layer::App,
                    ..format
                });
                Some(format)
            }
            _ => None,
        }
    }

    /// A text with `%` whose writer it does not name: told by the directive that it stands in, else refused.
    fn without_family(text: &str) -> Option<Result<Self, FormatError>> {
        let has_word = |word: &str| {
            text.get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        if !text.contains('%') {
            return None;
        }
        if has_word("LogFormat ") || has_word("CustomLog ") {
            return Self::of_family("apache", text);
        }
        if text.contains("pattern=\"") {
            return Self::of_family("tomcat", text);
        }
        Some(Err(FormatError::WhosePercent {
            text: text.trim_end().to_owned(),
        }))
    }

    fn of_nginx(text: &str) -> Result<Self, FormatError> {
        let template = Template::read(text)?;
        let text = template.text();
        let layout = Layout::from(&template);
        if layout.is_empty() {
            return Err(FormatError::NoVariable { text });
        }
        let known = preset::TEXTS.iter().find(|(_, known)| *known == text);
        let name = known.map_or(CUSTOM, |(name, _)| name);
        Ok(Self::of_plan(
            name,
            text,
            template.escape,
            Plan::new(&layout)?,
        ))
    }

    fn of_directives(
        family: &str,
        text: &str,
        layout: Result<Layout, FormatError>,
    ) -> Result<Self, FormatError> {
        let layout = layout?;
        let text = text.trim();
        if layout.is_empty() {
            return Err(FormatError::NoDirective {
                text: text.to_owned(),
            });
        }
        let plan = Plan::new(&layout)?;
        let text = format!("{family} {text}");
        Ok(Self::of_plan(CUSTOM, text, layout.escape, plan))
    }

    fn of_balancer(plan: Plan) -> Self {
        let text = preset::ALB.to_owned();
        let mut format = Self::of_plan(preset::ALB, text, Escape::Default, plan);
        format.layer = Layer::Balancer;
        format.request.absolute = AbsoluteSlots::of(&format.variables);
        format
    }

    fn of_plan(name: &'static str, text: String, escape: Escape, plan: Plan) -> Self {
        Self {
            name,
            text,
            escape,
            layer: Layer::Edge,
            request: RequestSlots::of(&plan.variables),
            variables: plan.variables.clone(),
            reader: Reader::Plan(plan),
        }
    }

    fn of_keys(syntax: Syntax, map: &str) -> Result<Self, FormatError> {
        Keys::read(syntax, map).map(Self::with_keys)
    }

    pub(crate) fn with_keys(keys: Keys) -> Self {
        Self {
            name: keys.syntax.word(),
            text: keys.text(),
            escape: match keys.syntax {
                Syntax::Json => Escape::Json,
                Syntax::Ltsv => Escape::Default,
            },
            layer: Layer::Edge,
            request: RequestSlots::of(&keys.variables),
            variables: keys.variables.clone(),
            reader: Reader::Keys(keys),
        }
    }

    /// A preset by its name, or a format by its text.
    ///
    /// # Errors
    ///
    /// As [`CompiledFormat::compile`]; a text without variables that is no preset's name.
    pub fn named(name_or_text: &str) -> Result<Self, FormatError> {
        if let Some(format) = Self::preset(name_or_text) {
            return Ok(format);
        }
        match Self::compile(name_or_text) {
            Err(FormatError::NoVariable { .. }) => Err(FormatError::UnknownName {
                name: name_or_text.to_owned(),
                suggestion: preset::nearest(name_or_text).map(str::to_owned),
            }),
            compiled => compiled,
        }
    }

    /// The format that reads most lines of `sample`, some whole lines of a log: a preset, one of them and fields after
    /// it, or any fields between spaces, tabs and the like that have a time, a status and a request among them. Fields
    /// are told by their labels and values; what nothing tells is named `extra_1`, `extra_2`, …. Keys of JSON and LTSV
    /// that have no usual name are told by their values, or are variables of their own. `None` if no line is read.
    pub fn detect(sample: &[u8]) -> Option<Detected> {
        detect::detect(sample)
    }

    /// The formats that read `sample` together, [`FORMATS_MAX`](crate::FORMATS_MAX) at most: the one that reads
    /// most lines comes first. A line is counted once: for the format of `known` that reads most lines of all, then for
    /// the other ones of `known`, then for what has to be detected. A further format is detected only by some lines, and if it reads most of those that
    /// are left. Empty if no line is read.
    pub fn detect_all(sample: &[u8], known: &[Self]) -> Vec<Detected> {
        detect::detect_all(sample, known)
    }

    /// The formats that [`CompiledFormat::detect`] knows of and that read lines of `sample`, the best first. Each is
    /// counted by itself. One that has no name is among them only if it reads more lines than any that has.
    pub fn rank(sample: &[u8]) -> Vec<Detected> {
        detect::rank(sample)
    }

    /// How many lines of `sample` one of these formats reads, of how many that are not blank.
    pub fn lines_read(formats: &[Self], sample: &[u8]) -> (usize, usize) {
        detect::lines_read(formats, sample)
    }

    /// The preset's name, or `custom`.
    pub fn name(&self) -> &str {
        self.name
    }

    pub(crate) fn is_custom(&self) -> bool {
        self.name == CUSTOM
    }

    /// The format's text, from which [`CompiledFormat::compile`] makes the same format again.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How values are escaped.
    pub fn escape(&self) -> Escape {
        self.escape
    }

    /// Which side of a site writes such logs.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// The variables in order of their first appearance; a variable's index is its slot in [`Hit::values`].
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variables whose value a client can make look like the fields after it, by slot: text of theirs that no quotes
    /// enclose, before other such text. Empty for formats of keys, and for all presets.
    pub fn open_variables(&self) -> Vec<&Variable> {
        let Reader::Plan(plan) = &self.reader else {
            return Vec::new();
        };
        let open = |slot: usize| {
            let mut steps = plan.steps.iter();
            steps.any(|step| usize::from(step.slot) == slot && step.is_open())
        };
        let variables = self.variables.iter().enumerate();
        variables
            .filter(|(slot, variable)| variable.is_from_client() && open(*slot))
            .map(|(_, variable)| variable)
            .collect()
    }

    /// Parses one line, without its newline, into `hit`, whose values it replaces. Allocates nothing if `hit` has
    /// been used with this format before. A carriage return at the end, and a byte order mark or NULs at the
    /// start, are left off.
    ///
    /// # Errors
    ///
    /// The first field that does not fit, with its place in `line`; `hit` then holds some of the values.
    pub fn parse_into<'line>(
        &self,
        line: &'line [u8],
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        self.read(line, hit)?;
        self.take_apart(hit);
        Ok(())
    }

    /// As [`CompiledFormat::parse_into`], but for the parts of the request, which [`Hit::request`] does not have: for who asks only for
    /// values.
    ///
    /// # Errors
    ///
    /// As [`CompiledFormat::parse_into`]: the same lines are read.
    pub fn parse_values_into<'line>(
        &self,
        line: &'line [u8],
        hit: &mut Hit<'line>,
    ) -> Result<(), LineError> {
        self.read(line, hit)?;
        if self.request.absolute.is_some() {
            self.take_apart(hit);
        }
        hit.request = RequestParts::default();
        Ok(())
    }

    fn read<'line>(&self, line: &'line [u8], hit: &mut Hit<'line>) -> Result<(), LineError> {
        if hit.values.len() != self.variables.len() {
            hit.values.clear();
            hit.values.resize(self.variables.len(), None);
        }
        hit.time_us = None;
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let (text, mark_bytes) = match text {
            [0xEF, 0xBB, 0xBF, rest @ ..] => (rest, 3),
            // The hole that truncation leaves under a server that writes on at its old offset.
            [0, ..] => {
                let hole = text.iter().take_while(|byte| **byte == 0).count();
                (&text[hole..], u32::try_from(hole).unwrap_or(u32::MAX))
            }
            _ => (text, 0),
        };
        let parsed = match &self.reader {
            Reader::Plan(plan) => plan.parse_into(text, hit),
            Reader::Keys(keys) => keys.parse_into(text, hit),
        };
        if let Err(mut error) = parsed {
            error.offset = error.offset.saturating_add(mark_bytes);
            return Err(error);
        }
        Ok(())
    }

    /// Takes the request apart, and an absolute URI in it: its parts may be values.
    fn take_apart(&self, hit: &mut Hit<'_>) {
        hit.request = self.request.parts(&hit.values);
        if let Some(slots) = &self.request.absolute {
            slots.take_apart(hit);
        }
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
            Reader::Keys(_) => b"\"",
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
    /// Where the parts of the target go, if it always is an absolute URI.
    absolute: Option<AbsoluteSlots>,
}

/// The slots of an absolute URI's parts.
#[derive(Debug, Clone)]
struct AbsoluteSlots {
    scheme: usize,
    host: usize,
    server_port: usize,
}

impl AbsoluteSlots {
    fn of(variables: &[Variable]) -> Option<Self> {
        let slot = |name: &str| variables.iter().position(|variable| variable.name == name);
        Some(Self {
            scheme: slot("scheme")?,
            host: slot("host")?,
            server_port: slot("server_port")?,
        })
    }

    /// Leaves the path in the request; `/` if the URI has none.
    fn take_apart(&self, hit: &mut Hit<'_>) {
        let Some(uri) = hit.request.path.and_then(AbsoluteUri::split) else {
            return;
        };
        hit.values[self.scheme] = Some(uri.scheme);
        hit.values[self.host] = Some(uri.host).filter(|host| !matches!(*host, b"" | b"-"));
        hit.values[self.server_port] = uri.port;
        hit.request.path = Some(uri.path.unwrap_or(b"/"));
    }
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
            absolute: None,
        }
    }

    /// The parts of `$request`; those that it does not have from the variables that log them one by one.
    fn parts<'line>(&self, values: &[Option<&'line [u8]>]) -> RequestParts<'line> {
        let value = |slot: Option<usize>| values[slot?].filter(|value| !value.is_empty());
        // One that was logged, but empty, is known to be so.
        let request = self.request.and_then(|slot| values[slot]);
        let mut parts = request.map(RequestParts::split).unwrap_or_default();
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
