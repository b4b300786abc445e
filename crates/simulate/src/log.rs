//! The access logs as Nginx writes and logrotate rotates them, and the class of each line beside them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use chrono::DateTime;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use crate::dice::{Actor, Dice};
use crate::network;
use crate::story::{HOUR_US, SECOND_US, Story};
use crate::world::{Class, Hit};
use crate::{Error, LoggedAddress};

/// The live log.
pub(crate) const LIVE: &str = "access.log";
const TRUTH: &str = "truth.csv.gz";
/// Labels held back so that those of one visitor can be written together: about 30 MB.
const LABELS_MAX: usize = 500_000;

/// Writes lines given in order to the file of their time; `finish` makes them whole.
pub(crate) struct LogWriter<'story> {
    story: &'story Story,
    out: PathBuf,
    /// When logrotate runs: Sundays, some seconds after noon (UTC).
    rotations_us: Vec<i64>,
    file_index: usize,
    log: Log,
    line_number: u64,
    labels: Vec<Label>,
    truth: GzEncoder<BufWriter<File>>,
    pub(crate) files: Vec<PathBuf>,
}

/// What a line of the current file is; the order of the fields is that of the rows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Label {
    class: Class,
    agent: Rc<str>,
    client: IpAddr,
    line_number: u64,
}

/// A rotated log, or the live one.
enum Log {
    Rotated(Box<GzEncoder<BufWriter<File>>>),
    Live(BufWriter<File>),
}

impl<'story> LogWriter<'story> {
    pub(crate) fn create(
        out: &Path,
        seed: u64,
        story: &'story Story,
    ) -> Result<LogWriter<'story>, Error> {
        let late_us = Dice::new(seed, Actor::Log, 0, 0).range(2..50) * SECOND_US;
        let sundays = (0..story.days).filter(|day| Story::weekday(*day) == 6);
        let rotations_us: Vec<i64> = sundays
            .map(|day| story.day_start_us(day) + 12 * HOUR_US + late_us)
            .collect();
        let first = file_name(0, rotations_us.len());
        let truth_path = out.join(TRUTH);
        let mut truth = gzip(create(&truth_path)?);
        writeln!(truth, "file,line,class,client,http_user_agent")
            .map_err(|source| Error::write(&truth_path, source))?;
        let log = open(&out.join(&first), &first)?;
        Ok(LogWriter {
            story,
            out: out.to_path_buf(),
            rotations_us,
            file_index: 0,
            log,
            line_number: 0,
            labels: Vec::new(),
            truth,
            files: vec![out.join(first), truth_path],
        })
    }

    /// `logged_us` says into which file, the hit's end what time stands in the line.
    pub(crate) fn write(&mut self, logged_us: i64, hit: &Hit) -> Result<(), Error> {
        while self
            .rotations_us
            .get(self.file_index)
            .is_some_and(|rotation_us| logged_us >= *rotation_us)
        {
            self.rotate()?;
        }
        self.line_number += 1;
        let name = file_name(self.file_index, self.rotations_us.len());
        let line = line(self.story, hit);
        self.log
            .writer()
            .write_all(&line)
            .map_err(|source| Error::write(&self.out.join(&name), source))?;
        let agent = hit.agent.clone().unwrap_or_else(|| "-".into());
        self.labels.push(Label {
            class: hit.class,
            agent,
            client: judged_client(self.story, hit),
            line_number: self.line_number,
        });
        if self.labels.len() == LABELS_MAX {
            self.flush_labels()
        } else {
            Ok(())
        }
    }

    /// Writes the labels so far, those of one visitor together, which compresses to two thirds of the order of the lines.
    fn flush_labels(&mut self) -> Result<(), Error> {
        let name = file_name(self.file_index, self.rotations_us.len());
        self.labels.sort();
        for Label {
            class,
            agent,
            client,
            line_number,
        } in self.labels.drain(..)
        {
            writeln!(
                self.truth,
                "{name},{line_number},{},{client},{}",
                class.name(),
                csv_cell(&agent)
            )
            .map_err(|source| Error::write(&self.out.join(TRUTH), source))?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Vec<PathBuf>, Error> {
        self.flush_labels()?;
        while self.file_index < self.rotations_us.len() {
            self.rotate()?;
        }
        let live = self.out.join(LIVE);
        self.log
            .close()
            .map_err(|source| Error::write(&live, source))?;
        close(self.truth).map_err(|source| Error::write(&self.out.join(TRUTH), source))?;
        Ok(self.files)
    }

    fn rotate(&mut self) -> Result<(), Error> {
        self.flush_labels()?;
        let before = self
            .out
            .join(file_name(self.file_index, self.rotations_us.len()));
        self.file_index += 1;
        self.line_number = 0;
        let name = file_name(self.file_index, self.rotations_us.len());
        let next = open(&self.out.join(&name), &name)?;
        self.files.push(self.out.join(name));
        std::mem::replace(&mut self.log, next)
            .close()
            .map_err(|source| Error::write(&before, source))
    }
}

impl Log {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Log::Rotated(writer) => writer,
            Log::Live(writer) => writer,
        }
    }

    fn close(self) -> std::io::Result<()> {
        match self {
            Log::Rotated(writer) => close(*writer),
            Log::Live(mut writer) => writer.flush(),
        }
    }
}

/// The oldest has the highest number, as logrotate counts; the newest is live.
fn file_name(index: usize, rotations: usize) -> String {
    match rotations - index {
        0 => LIVE.to_owned(),
        number => format!("{LIVE}.{number}.gz"),
    }
}

/// Says that `out` holds a log of an earlier run which this one would leave beside its own.
pub(crate) fn refuse_stale(out: &Path, weeks: u16) -> Result<(), Error> {
    for number in u32::from(weeks) + 1..=u32::from(weeks) + 1_000 {
        let path = out.join(format!("{LIVE}.{number}.gz"));
        if path.exists() {
            return Err(Error::StaleLog { path });
        }
    }
    Ok(())
}

fn open(path: &Path, name: &str) -> Result<Log, Error> {
    let file = create(path)?;
    Ok(if name == LIVE {
        Log::Live(file)
    } else {
        Log::Rotated(Box::new(gzip(file)))
    })
}

pub(crate) fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    let file = File::create(path).map_err(|source| Error::Create {
        path: path.to_path_buf(),
        source,
    })?;
    Ok(BufWriter::new(file))
}

/// Without a name or a time in its header: the same lines are the same bytes.
fn gzip(file: BufWriter<File>) -> GzEncoder<BufWriter<File>> {
    GzBuilder::new().mtime(0).write(file, Compression::best())
}

fn close(writer: GzEncoder<BufWriter<File>>) -> std::io::Result<()> {
    writer.finish()?.flush()
}

/// What the log can tell of who asked.
fn judged_client(story: &Story, hit: &Hit) -> IpAddr {
    match story.logged_address {
        LoggedAddress::Client | LoggedAddress::Forwarded => hit.client,
        LoggedAddress::Balancer => network::BALANCER,
    }
}

/// What `log_format timed` has beyond its usual fields.
pub(crate) fn more_fields(story: &Story) -> &'static str {
    match (story.logged_address, story.sites.len()) {
        (LoggedAddress::Forwarded, 1) => r#" "$http_x_forwarded_for""#,
        (LoggedAddress::Forwarded, _) => r#" "$http_x_forwarded_for" $server_name"#,
        (_, 1) => "",
        (_, _) => " $server_name",
    }
}

/// The line of `log_format timed`, with its newline.
fn line(story: &Story, hit: &Hit) -> Vec<u8> {
    let mut line = Vec::with_capacity(256);
    let offset_us = story.zone.offset_us(hit.end_us);
    let time = DateTime::from_timestamp_micros(hit.end_us + offset_us)
        .unwrap_or_default()
        .format("%d/%b/%Y:%H:%M:%S");
    let remote_addr = match story.logged_address {
        LoggedAddress::Client => hit.client,
        LoggedAddress::Balancer | LoggedAddress::Forwarded => network::BALANCER,
    };
    let (user, hours) = (hit.user.unwrap_or("-"), offset_us / HOUR_US);
    line.extend(format!("{remote_addr} - {user} [{time} +{hours:02}00] \"").bytes());
    escape(&mut line, &hit.request);
    line.extend(format!("\" {} {} \"", hit.status, hit.bytes).bytes());
    escape(&mut line, hit.referer.as_deref().unwrap_or("-").as_bytes());
    line.extend(b"\" \"");
    escape(&mut line, hit.agent.as_deref().unwrap_or("-").as_bytes());
    let (seconds, millis) = (hit.request_ms / 1_000, hit.request_ms % 1_000);
    line.extend(format!("\" {seconds}.{millis:03} \"").bytes());
    match hit.upstream_status {
        Some(status) => line.extend(status.to_string().bytes()),
        None => line.push(b'-'),
    }
    line.push(b'"');
    if story.logged_address == LoggedAddress::Forwarded {
        // Who lies about the address does so in each request.
        let lies = hit.class == Class::Scanner && is_even(hit.client);
        let forged = if lies { "127.0.0.1, " } else { "" };
        line.extend(format!(" \"{forged}{}\"", hit.client).bytes());
    }
    if story.sites.len() > 1 {
        line.push(b' ');
        line.extend(story.sites[hit.site].bytes());
    }
    line.push(b'\n');
    line
}

fn is_even(client: IpAddr) -> bool {
    match client {
        IpAddr::V4(client) => client.to_bits() % 2 == 0,
        IpAddr::V6(client) => client.to_bits() % 2 == 0,
    }
}

/// As Nginx's escape=default does: `\xHH` for `"`, `\`, and what is no printable ASCII.
fn escape(line: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => line.extend(format!("\\x{byte:02X}").bytes()),
            _ => line.push(*byte),
        }
    }
}

/// RFC 4180: quoted only where it must be.
fn csv_cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// When each hit is written: its end, but for a worker process whose clock or turn came late now and then.
pub(crate) fn logged_us(dice: &mut Dice, hit: &Hit) -> i64 {
    let late_us = if dice.chance(0.003) {
        dice.range(200_000..1_500_000)
    } else {
        dice.range(0..3_000)
    };
    hit.end_us + late_us
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Zone};

    #[test]
    fn a_hostile_line_is_escaped_as_nginx_does() {
        let hit = Hit {
            end_us: 1_794_787_199_999_999,
            class: Class::Scanner,
            client: network::v4(203, 0, 113, 8),
            site: 1,
            user: None,
            request: b"\x16\x03\xffA\"\\".to_vec(),
            status: 400,
            bytes: 157,
            referer: None,
            agent: Some("a \"b\"".into()),
            request_ms: 1_023,
            upstream_status: None,
        };
        let check = |options: &Options, expected: &str| {
            let line = line(&Story::tell(options), &hit);
            let line = String::from_utf8(line).expect("ASCII");
            assert_eq!(line, format!("{expected}\n"));
        };
        check(
            &Options::default(),
            r#"203.0.113.8 - - [15/Nov/2026:23:59:59 +0000] "\x16\x03\xFFA\x22\x5C" 400 157 "-" "a \x22b\x22" 1.023 "-""#,
        );
        let everything = Options {
            sites: vec!["one.example".into(), "two.example".into()],
            zone: Zone::CentralEurope,
            logged_address: LoggedAddress::Forwarded,
            ..Options::default()
        };
        check(
            &everything,
            r#"10.0.0.10 - - [16/Nov/2026:00:59:59 +0100] "\x16\x03\xFFA\x22\x5C" 400 157 "-" "a \x22b\x22" 1.023 "-" "127.0.0.1, 203.0.113.8" two.example"#,
        );
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(csv_cell("curl/8.14.1"), "curl/8.14.1");
        assert_eq!(
            csv_cell(r#"pip {"ci":true}, x"#),
            r#""pip {""ci"":true}, x""#
        );
    }
}
