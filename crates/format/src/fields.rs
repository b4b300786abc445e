//! Makes up the text of a format for lines that no preset reads: their fields by what stands between, the variables by
//! labels and values.

use std::collections::HashMap;

use crate::format::CompiledFormat;
use crate::keys::{Keys, Syntax};
use crate::number::list_items;
use crate::tell::{
    Test, are_durations, are_upstreams, is_address, is_address_list, is_browser, is_cache_status,
    is_cipher, is_decimal, is_domain, is_duration, is_integer, is_method, is_pipe, is_protocol,
    is_request, is_request_id, is_status, is_target, is_time, is_tls, is_url, own_name,
};
use crate::time;
use crate::variable::{Kind, Variable};

/// More would be no log format.
const FIELDS_MAX: usize = 200;

/// What may stand between two fields.
const SEPARATORS: &[&str] = &["\t", " | ", "|", " ; ", ";", ", ", ",", " "];

/// Shapes of lines that are tried: where a target holds what parts fields, the commonest one has a field too many.
const SHAPES_MAX: usize = 3;

/// The format `base` with the fields after it that most lines have.
pub(crate) fn after(base: &str, lines: &[&[u8]]) -> Option<CompiledFormat> {
    let open = CompiledFormat::compile(&format!("{base} $rest")).ok()?;
    let rest_slot = open.variables().len() - 1;
    let status_slot = slot_of(&open, "status");
    let rows = lines.iter().filter_map(|line| {
        let hit = open.parse(line).ok()?;
        Some(Row {
            fields: split(hit.values[rest_slot].unwrap_or(b"-"), " ")?,
            status: hit.values[status_slot?],
        })
    });
    let columns = Columns::by_shape(rows.collect()).into_iter().next()?;
    let known = open.variables()[..rest_slot].iter();
    let known = known.map(|variable| &*variable.name).collect();
    columns.format(&format!("{base} "), known, lines)
}

/// The format of lines that begin like no preset; it has a time, a status and what was asked for.
pub(crate) fn all(lines: &[&[u8]]) -> Option<CompiledFormat> {
    let shapes = SEPARATORS.iter().flat_map(|separator| {
        let rows = lines.iter().filter_map(|line| {
            Some(Row {
                fields: split(line.strip_suffix(b"\r").unwrap_or(line), separator)?,
                status: None,
            })
        });
        let shapes = Columns::by_shape(rows.collect());
        shapes.into_iter().take(SHAPES_MAX)
    });
    let formats = shapes.filter_map(|columns| columns.format_of_all(lines));
    let is_access_log = |format: &CompiledFormat| {
        let has = |name: &str| slot_of(format, name).is_some();
        let mut variables = format.variables().iter();
        variables.any(|variable| variable.kind == Kind::Time)
            && has("status")
            && (has("request") || has("request_uri"))
    };
    // Of equal counts the first.
    formats
        .filter(is_access_log)
        .map(|format| (reads(&format, lines), format))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, format)| format)
}

fn slot_of(format: &CompiledFormat, name: &str) -> Option<usize> {
    let mut variables = format.variables().iter();
    variables.position(|variable| variable.name == name)
}

fn reads(format: &CompiledFormat, lines: &[&[u8]]) -> usize {
    let is_read = |line: &&&[u8]| format.parse(line).is_ok();
    lines.iter().filter(is_read).count()
}

/// The fields of a line, and its status where another part of the line has it.
struct Row<'line> {
    fields: Fields<'line>,
    status: Option<&'line [u8]>,
}

struct Fields<'line> {
    /// What stands before each value, and after the last.
    literals: Vec<String>,
    values: Vec<&'line [u8]>,
}

/// The fields of a text, in quotes, in brackets of two kinds or bare; a word before `=` is the field's label.
fn split<'line>(mut rest: &'line [u8], separator: &str) -> Option<Fields<'line>> {
    let (mut literals, mut values) = (Vec::new(), Vec::new());
    let mut literal = String::new();
    while values.len() < FIELDS_MAX {
        let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let label = rest.iter().take_while(|byte| is_label(byte)).count();
        if label > 0 && rest.get(label) == Some(&b'=') {
            literal.push_str(std::str::from_utf8(&rest[..=label]).ok()?);
            rest = &rest[label + 1..];
        }
        let closing = match rest.first() {
            Some(b'"') => Some('"'),
            Some(b'[') => Some(']'),
            Some(b'<') => Some('>'),
            _ => None,
        };
        let closed =
            closing.and_then(|closing| Some((closing, closed_at(&rest[1..], closing, separator)?)));
        let after = match closed {
            Some((closing, length)) => {
                literal.push(char::from(rest[0]));
                literals.push(std::mem::take(&mut literal));
                literal.push(closing);
                values.push(&rest[1..=length]);
                &rest[length + 2..]
            }
            None => {
                let length = bare(rest, separator);
                literals.push(std::mem::take(&mut literal));
                values.push(&rest[..length]);
                &rest[length..]
            }
        };
        if after.is_empty() {
            literals.push(literal);
            return Some(Fields { literals, values });
        }
        rest = after.strip_prefix(separator.as_bytes())?;
        literal.push_str(separator);
    }
    None
}

/// Where a value ends that `closing` and the separator follow.
fn closed_at(inside: &[u8], closing: char, separator: &str) -> Option<usize> {
    let closing = u8::try_from(closing).ok()?;
    memchr::memchr_iter(closing, inside).find(|at| {
        let after = &inside[at + 1..];
        let is_end = after.is_empty() || after.starts_with(separator.as_bytes());
        is_end && !(closing == b'"' && crate::step::is_escaped(&inside[..*at]))
    })
}

/// The length of a value that nothing encloses. A time may hold the separator.
fn bare(rest: &[u8], separator: &str) -> usize {
    let time = rest.get(..time::TIME_LOCAL_BYTES).unwrap_or_default();
    let from = if time::time_local(time).is_some() {
        time.len()
    } else {
        0
    };
    memchr::memmem::find(&rest[from..], separator.as_bytes())
        .map_or(rest.len(), |length| from + length)
}

/// The values of lines that have the same fields.
struct Columns<'line> {
    literals: Vec<String>,
    rows: Vec<Row<'line>>,
}

impl<'line> Columns<'line> {
    /// The rows of each shape, the commonest first; of equal counts the text decides, so that the same sample always
    /// gives the same format.
    fn by_shape(rows: Vec<Row<'line>>) -> Vec<Self> {
        let mut shapes: HashMap<Vec<String>, Vec<Row<'line>>> = HashMap::new();
        for mut row in rows {
            let literals = std::mem::take(&mut row.fields.literals);
            shapes.entry(literals).or_default().push(row);
        }
        let mut shapes: Vec<Self> = shapes
            .into_iter()
            .map(|(literals, rows)| Self { literals, rows })
            .collect();
        shapes.sort_by(|left, right| {
            let by_count = right.rows.len().cmp(&left.rows.len());
            by_count.then_with(|| left.literals.cmp(&right.literals))
        });
        shapes
    }

    /// The format of these fields, named by the values of all lines that it reads: they may have more than one shape.
    fn format_of_all(&self, lines: &[&'line [u8]]) -> Option<CompiledFormat> {
        let format = self.format("", Vec::new(), lines)?;
        let row = |line: &&'line [u8]| {
            let values = format.parse(line).ok()?.values.into_iter();
            Some(Row {
                fields: Fields {
                    literals: Vec::new(),
                    values: values.map(|value| value.unwrap_or(b"-")).collect(),
                },
                status: None,
            })
        };
        let all = Self {
            literals: self.literals.clone(),
            rows: lines.iter().filter_map(row).collect(),
        };
        all.format("", Vec::new(), lines)
    }

    /// The format of `base` and these fields; their numbers are their names if what
    /// they are told by would keep lines of this shape from being read.
    fn format(&self, base: &str, known: Vec<&str>, lines: &[&[u8]]) -> Option<CompiledFormat> {
        let escape = self.escape();
        let compile = |names: &[Option<String>]| {
            CompiledFormat::compile(&format!("{escape}{base}{}", self.text(names))).ok()
        };
        let named = compile(&self.names(known))?;
        // Of a hundred lines one or two may be torn.
        if reads(&named, lines) * 50 >= self.rows.len() * 49 {
            return Some(named);
        }
        compile(&vec![None; self.literals.len() - 1])
    }

    /// Only raw values show nothing at all where there is no value.
    fn escape(&self) -> &'static str {
        let values = || self.rows.iter().flat_map(|row| &row.fields.values);
        let empty = values().filter(|value| value.is_empty()).count();
        let hyphens = values().filter(|value| ***value == *b"-").count();
        if empty > 0 && hyphens * 10 < empty {
            "escape=none "
        } else {
            ""
        }
    }

    fn text(&self, names: &[Option<String>]) -> String {
        let mut text = String::new();
        for (index, literal) in self.literals.iter().enumerate() {
            text.push_str(literal);
            match names.get(index) {
                Some(Some(name)) => text.push_str(&format!("${{{name}}}")),
                Some(None) => text.push_str(&format!("${{extra_{}}}", index + 1)),
                None => {}
            }
        }
        text
    }

    fn names(&self, known: Vec<&str>) -> Vec<Option<String>> {
        let mut names = Names {
            columns: self,
            base: known.into_iter().map(str::to_owned).collect(),
            of: vec![None; self.literals.len() - 1],
        };
        names.by_label();
        names.by_value();
        names.by_place();
        names.of
    }

    /// The values of a field that are not missing.
    fn values(&self, field: usize) -> impl Iterator<Item = &'line [u8]> {
        let values = self.rows.iter().map(move |row| row.fields.values[field]);
        values.filter(|value| !matches!(*value, b"" | b"-"))
    }

    fn is_missing(&self, field: usize) -> bool {
        self.values(field).next().is_none()
    }

    fn is_missing_somewhere(&self, field: usize) -> bool {
        self.values(field).count() < self.rows.len()
    }

    /// Whether there are values and all are like this.
    fn are_all(&self, field: usize, test: Test) -> bool {
        !self.is_missing(field) && self.values(field).all(test)
    }

    /// How many of the values are like this, 0 to 1.
    fn share(&self, field: usize, test: Test) -> f64 {
        let (mut alike, mut all) = (0_u32, 0_u32);
        for value in self.values(field) {
            all += 1;
            alike += u32::from(test(value));
        }
        f64::from(alike) / f64::from(all.max(1))
    }

    fn label(&self, field: usize) -> Option<&str> {
        let literal = self.literals[field].trim_end_matches(['"', '[']);
        let word = literal.strip_suffix('=')?;
        let start = word.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        Some(&word[start.map_or(0, |at| at + 1)..])
    }
}

/// Labels that people put before Nginx's variables, and mean something else elsewhere.
const LABELS: &[(&str, &str)] = &[
    ("ua", "upstream_addr"),
    ("us", "upstream_status"),
    ("cs", "upstream_cache_status"),
    ("rid", "request_id"),
    ("xff", "http_x_forwarded_for"),
];

/// What the values of a variable are told by, the surest first. The first field is it.
const ALL_ALIKE: &[(&str, Test)] = &[
    ("request_id", is_request_id),
    ("remote_addr", is_address),
    ("ssl_protocol", is_tls),
    ("ssl_cipher", is_cipher),
    ("upstream_cache_status", is_cache_status),
    ("pipe", is_pipe),
    ("status", is_status),
];

const HALF: f64 = 0.5;
/// As much as a log of attacks leaves of what people and programs send.
const SOME: f64 = 0.1;

/// Nothing else has such values, so that some are enough: clients send anything.
const SOME_ALIKE: &[(&str, Test)] = &[
    ("request", is_request),
    ("server_protocol", is_protocol),
    ("http_user_agent", is_browser),
];

const MOST_ALIKE: &[(&str, Test)] = &[
    ("request_method", is_method),
    ("http_referer", is_url),
    ("request_uri", is_target),
];

/// The variable of each field, as far as it is known.
struct Names<'columns, 'line> {
    columns: &'columns Columns<'line>,
    /// Variables of the format that the fields follow.
    base: Vec<String>,
    of: Vec<Option<String>>,
}

impl Names<'_, '_> {
    fn has(&self, name: &str) -> bool {
        let mut all = self.base.iter().chain(self.of.iter().flatten());
        all.any(|known| known == name)
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.of.len()).filter(|field| self.of[*field].is_none())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.of
            .iter()
            .position(|known| known.as_deref() == Some(name))
    }

    fn give(&mut self, field: usize, name: &str) {
        if !self.has(name) {
            self.of[field] = Some(name.to_owned());
        }
    }

    fn give_first(&mut self, name: &str, is_it: impl Fn(&Self, usize) -> bool) {
        let first = self.open().find(|field| is_it(self, *field));
        if let Some(field) = first {
            self.give(field, name);
        }
    }

    /// A label is a usual name of a variable whose values look so, or a name of the log's own.
    fn by_label(&mut self) {
        let usual = Keys::new(Syntax::Json, Vec::new());
        for field in 0..self.of.len() {
            let Some(label) = self.columns.label(field) else {
                continue;
            };
            let short = LABELS.iter().filter(|(short, _)| *short == label);
            let usual_slot = usual.slot(label.as_bytes());
            let usual_name =
                usual_slot.map(|slot| usual.variables[usize::from(slot)].name.as_str());
            let mut names = short.map(|(_, name)| *name).chain(usual_name);
            match names.find(|name| self.is_like(field, name)) {
                Some(name) => self.give(field, name),
                None => {
                    let is_taken = |name: &str| self.has(name) || usual.has(name);
                    let name = own_name(label, is_taken);
                    self.give(field, &name);
                }
            }
        }
    }

    /// Whether a variable could have a field's values.
    fn is_like(&self, field: usize, name: &str) -> bool {
        let test: Test = match (Variable::named(name).kind, name) {
            (_, "upstream_addr") => are_upstreams,
            (Kind::Time, _) => is_time,
            (Kind::Address, _) => is_address,
            (Kind::Integer | Kind::Port | Kind::IntegerList, _) => is_integer,
            (Kind::Status | Kind::StatusList, _) => is_status,
            (Kind::Seconds | Kind::SecondsList | Kind::Decimal, _) => is_decimal,
            (Kind::Word | Kind::Mark, _) => |value| !value.contains(&b' '),
            _ => |_| true,
        };
        let is_list = Variable::named(name).kind.is_list();
        self.columns.values(field).all(|value| {
            if is_list {
                list_items(value).all(test)
            } else {
                test(value)
            }
        })
    }

    fn by_value(&mut self) {
        self.times();
        for (name, test) in ALL_ALIKE {
            self.give_first(name, |names, field| names.columns.are_all(field, *test));
        }
        for (name, test) in SOME_ALIKE {
            self.give_first(name, |names, field| {
                names.columns.share(field, *test) >= SOME
            });
        }
        for (name, test) in MOST_ALIKE {
            // `$uri` and the like are no second target.
            if *name != "request_uri" || !self.has("request") {
                self.give_first(name, |names, field| {
                    names.columns.share(field, *test) > HALF
                });
            }
        }
        self.give_first("upstream_addr", |names, field| {
            names.columns.are_all(field, are_upstreams)
        });
        self.upstream_status();
        self.durations();
        if self.has("remote_addr") {
            self.give_first("http_x_forwarded_for", |names, field| {
                names.is_quoted(field) && names.columns.are_all(field, is_address_list)
            });
        }
        self.give_first("host", |names, field| {
            names.columns.are_all(field, is_domain)
        });
    }

    fn is_quoted(&self, field: usize) -> bool {
        self.columns.literals[field].ends_with('"')
    }

    fn times(&mut self) {
        for field in 0..self.of.len() {
            if self.of[field].is_some() || !self.columns.are_all(field, is_time) {
                continue;
            }
            let name = match self.columns.values(field).next() {
                Some([_, _, b'/', ..]) => "time_local",
                Some([_, _, _, _, b'-', ..]) => "time_iso8601",
                _ => "msec",
            };
            self.give(field, name);
        }
    }

    /// As a rule it is what Nginx answers.
    fn upstream_status(&mut self) {
        let status = self.place("status");
        self.give_first("upstream_status", |names, field| {
            let answers = names.columns.rows.iter().filter_map(|row| {
                let answered = row.fields.values[field];
                let status = status.map(|status| row.fields.values[status]);
                is_status(answered).then_some(status.or(row.status) == Some(answered))
            });
            let (equal, other): (Vec<bool>, Vec<bool>) = answers.partition(|is_equal| *is_equal);
            names.is_like(field, "upstream_status")
                && (names.columns.is_missing_somewhere(field) || names.has("upstream_addr"))
                && equal.len() > other.len()
        });
    }

    /// A request always has a time; an upstream's is missing where there was none, or is a list.
    fn durations(&mut self) {
        let lasts: Vec<usize> = self
            .open()
            .filter(|field| self.columns.are_all(*field, are_durations))
            .collect();
        let is_always = |field: &&usize| {
            !self.columns.is_missing_somewhere(**field)
                && self.columns.are_all(**field, is_duration)
        };
        let request = lasts.iter().find(is_always).copied();
        if let Some(field) = request {
            self.give(field, "request_time");
        }
        let mut others = lasts.iter().filter(|field| Some(**field) != request);
        // Of several nobody knows which one is meant.
        if let (Some(field), None) = (others.next(), others.next()) {
            self.give(*field, "upstream_response_time");
        }
    }

    /// What only the neighbours tell.
    fn by_place(&mut self) {
        let size = match self.place("status") {
            Some(status) => Some(status + 1),
            None => (self.base.last().is_some_and(|last| last == "status")).then_some(0),
        };
        let is_size = |field| self.is_open(field) && self.columns.are_all(field, is_integer);
        // Of two numbers one may be the request's length.
        if let Some(field) = size.filter(|field| is_size(*field) && !is_size(field + 1)) {
            self.give(field, "body_bytes_sent");
        }
        if let Some(agent) = self.place("http_user_agent")
            && let Some(field) = agent.checked_sub(1).filter(|field| self.is_open(*field))
            && self.is_quoted(field)
            && (self.columns.is_missing(field) || self.columns.share(field, is_url) >= SOME)
        {
            self.give(field, "http_referer");
        }
        self.user();
    }

    fn is_open(&self, field: usize) -> bool {
        self.of.get(field).is_some_and(Option::is_none)
    }

    /// The user stands right after the client, or after the hyphen that logs have there from old.
    fn user(&mut self) {
        let Some(client) = self.place("remote_addr") else {
            return;
        };
        let mut field = client + 1;
        if self.is_open(field) && self.columns.is_missing(field) && self.is_open(field + 1) {
            field += 1;
        }
        if self.is_open(field)
            && self.columns.is_missing_somewhere(field)
            && self.columns.share(field, is_integer) <= HALF
        {
            self.give(field, "remote_user");
        }
    }
}
