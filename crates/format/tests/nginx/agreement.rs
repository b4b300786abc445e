//! What the parser and the reference have to agree on.

use floodmark_format::{CompiledFormat, Hit, Kind, Variable, unescape};

use crate::reference::{Reading, Reference, text_of_written};
use crate::writer::{LogFormat, Values, bytes_of, write_value};

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nginx could have written it, in so many ways; both read it alike.
    Read { ways: u64 },
    /// Nginx could not; the parser reads it as another server's.
    OthersLine,
    /// It could, but the format leaves open how it divides.
    Open,
    /// Neither reads it.
    Rejected,
}

/// Parses a line both ways.
///
/// A line that Nginx could have written has to be read, and as the reference reads it. Of any other line the parser
/// may say no; if it does not, literals and values must make up the line again.
///
/// # Errors
///
/// Where they disagree, in words.
pub(crate) fn compare(
    format: &CompiledFormat,
    reference: &Reference,
    line: &[u8],
) -> Result<Verdict, String> {
    // What editors add is no part of a line: a carriage return at its end, a byte order mark at its start. Nor is the
    // hole that truncation leaves before it.
    let own = line.strip_suffix(b"\r").unwrap_or(line);
    let own = match own.strip_prefix(b"\xEF\xBB\xBF") {
        Some(own) => own,
        None => &own[own.iter().take_while(|byte| **byte == 0).count()..],
    };
    let mut hit = Hit::default();
    let parsed = format.parse_into(line, &mut hit);
    let is_tiled = reference.is_tiled(own, &hit.values);
    let verdict = match (reference.read(own), parsed) {
        (None, Err(_)) => Ok(Verdict::Rejected),
        (None, Ok(())) if is_tiled => Ok(Verdict::OthersLine),
        (None, Ok(())) => Err(format!("the values do not make up the line: {hit:?}")),
        (Some(expected), Ok(())) => match difference(format, &hit, &expected) {
            None => Ok(Verdict::Read {
                ways: expected.ways,
            }),
            Some(_) if reference.is_open() && is_tiled => Ok(Verdict::Open),
            Some(difference) => Err(format!("{difference} (of {} ways)", expected.ways)),
        },
        // FIXME: the parser takes the first place for such a field and may find that the rest does not fit: then a line
        // that could be read is rejected, as `a b c:1` is in `$http_a $host:$server_port`.
        (Some(_), Err(_)) if reference.is_open() => Ok(Verdict::Open),
        (Some(expected), Err(error)) => Err(format!(
            "Nginx could have written this in {} ways: {}",
            expected.ways,
            error.render(format, line)
        )),
    };
    verdict.map_err(|what| {
        format!(
            "{what}\nformat: {}\nline: {}",
            format.text(),
            line.escape_ascii()
        )
    })
}

/// Checks that what is read from a line that was written is what was written, and that it writes the same line again.
///
/// # Errors
///
/// What is not, in words.
pub(crate) fn comes_back(
    format: &CompiledFormat,
    values: &Values,
    line: &[u8],
) -> Result<(), String> {
    let hit = format
        .parse(line)
        .map_err(|error| error.render(format, line))?;
    let writer = LogFormat::read(format.text()).ok_or("no format of Nginx's")?;
    let mut read = Values::new();
    for (variable, raw) in format.variables().iter().zip(&hit.values) {
        let text = raw.map(|raw| unescape(format.escape(), raw));
        read.extend(text.map(|text| (variable.name.clone(), bytes_of(&text))));
    }
    let again = writer.write_line(&read);
    if again != line {
        let (again, line) = (again.escape_ascii(), line.escape_ascii());
        return Err(format!("{line}\nbecame\n{again}"));
    }
    // As logged: Nginx writes a missing value and a lone hyphen, or nothing, alike.
    let logged = |value: Option<&Vec<u8>>| {
        let mut raw = Vec::new();
        write_value(format.escape(), value.map(Vec::as_slice), &mut raw);
        raw.escape_ascii().to_string()
    };
    for name in writer.names() {
        let (found, written) = (logged(read.get(name)), logged(values.get(name)));
        if found != written {
            return Err(format!("${name} was `{written}` and is `{found}`"));
        }
    }
    Ok(())
}

/// Where a hit is not what it should be, in words.
fn difference(format: &CompiledFormat, hit: &Hit<'_>, expected: &Reading) -> Option<String> {
    if hit.time_us != expected.time_us {
        return Some(format!(
            "time {:?}, expected {:?}",
            hit.time_us, expected.time_us
        ));
    }
    for (variable, (found, expected)) in format
        .variables()
        .iter()
        .zip(hit.values.iter().zip(&expected.values))
    {
        let escape = format.escape();
        let text = found.map(|raw| unescape(escape, raw).into_owned());
        let expected_text = expected.as_ref().map(|raw| text_of_written(escape, raw));
        if *found != expected.as_deref() || text != expected_text {
            let shown = |raw: Option<&[u8]>| {
                raw.map_or("missing".to_owned(), |raw| {
                    format!("`{}`", raw.escape_ascii())
                })
            };
            return Some(format!(
                "${} is {}, that is {text:?}; expected {}, that is {expected_text:?}",
                variable.name,
                shown(*found),
                shown(expected.as_deref())
            ));
        }
    }
    (!request_is_whole(hit, format))
        .then(|| format!("the parts of the request do not make it up: {hit:?}"))
}

/// Whether the parts of the request, put together, are what was logged. A protocol that it does not have may be the one that was logged by itself.
fn request_is_whole(hit: &Hit<'_>, format: &CompiledFormat) -> bool {
    let value = |is_wanted: fn(&Variable) -> bool| {
        let slot = format.variables().iter().position(is_wanted);
        slot.and_then(|slot| hit.values[slot])
    };
    let Some(request) = value(|variable| variable.kind == Kind::Request) else {
        return true;
    };
    let parts = &hit.request;
    let Some(method) = parts.method else {
        return parts.whole.unwrap_or_default() == request;
    };
    let together = |protocol: Option<&[u8]>| {
        let mut together = [method, b" ", parts.path.unwrap_or_default()].concat();
        for (separator, part) in [(b'?', parts.args), (b' ', protocol)] {
            together.extend(
                part.map(|part| [&[separator], part].concat())
                    .unwrap_or_default(),
            );
        }
        together
    };
    let alone = value(|variable| variable.name == "server_protocol");
    together(parts.protocol) == request || (alone == parts.protocol && together(None) == request)
}
