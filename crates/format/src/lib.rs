//! Compiles a log format once and parses lines by it into borrowed [`Hit`]s.
//!
//! Start from [`CompiledFormat`] (a preset, the text of an Nginx `log_format`, of Apache's `LogFormat` or of a Tomcat
//! valve, a map of JSON or LTSV keys, or a format detected) and [`CompiledFormat::parse_into`]. The values of a
//! [`Hit`] are bytes of the line, still escaped as the log escapes them; [`unescape`] undoes that. [`integer`],
//! [`status`] and [`port`] read numbers, and [`Variable::read_seconds`] durations, which not every writer logs in
//! seconds. [`NginxConf`] reads which logs an nginx.conf writes, and in what formats.
//!
//! ```
//! use floodmark_format::{CompiledFormat, Hit, status, unescape};
//!
//! let format = CompiledFormat::named("combined")?;
//! let line = br#"192.0.2.7 - - [10/Jun/2024:06:13:21 +0000] "GET /a?b=1 HTTP/1.1" 200 512 "-" "caf\xC3\xA9""#;
//! let mut hit = Hit::default();
//! format.parse_into(line, &mut hit)?;
//!
//! assert_eq!(hit.time_us, Some(1_718_000_001_000_000));
//! assert_eq!(hit.request.path, Some(&b"/a"[..]));
//! let value = |name| {
//!     let slot = format.variables().iter().position(|variable| variable.name == name)?;
//!     hit.values[slot]
//! };
//! assert_eq!(value("status").and_then(status), Some(200));
//! assert_eq!(value("http_referer"), None);
//! assert_eq!(unescape(format.escape(), value("http_user_agent").unwrap_or_default()), "café");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Absent on purpose: I/O, allocation per line, Arrow, and any judgment about what a line means.

mod alb;
mod apache;
mod detect;
mod error;
mod escape;
mod fields;
mod fit;
mod format;
mod hit;
mod hour;
mod json;
mod keys;
mod layout;
mod line;
mod ltsv;
mod nginx_conf;
mod number;
mod percent;
mod preset;
mod request;
mod run;
mod step;
mod tell;
mod template;
mod time;
mod time_pattern;
mod tomcat;
mod variable;

pub use detect::{Detected, FORMATS_MAX};
pub use error::{FormatError, LineError, LineErrorKind};
pub use escape::{Escape, unescape};
pub use format::{CompiledFormat, Layer};
pub use hit::Hit;
pub use nginx_conf::{
    AccessLog, ConfError, ConfFile, ConfOptions, LogFormat, LogNote, LogParameters, NginxConf,
    Origin, Unlogged, Unreadable,
};
pub use number::{integer, port, seconds, seconds_list, status};
pub use request::RequestParts;
pub use variable::{Absent, Kind, Unit, Variable};
