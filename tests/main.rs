//! One integration binary: the command and the engine as a user meets them.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod bad_input;
mod bad_question;
mod browser;
mod care;
mod clock;
mod command;
mod evaluation;
mod faults;
mod formats;
mod fresh;
mod from_minutes;
mod guard;
mod hostile;
mod lake;
mod logs;
mod minutes;
mod nginx_conf;
mod odd_logs;
mod page;
mod prompt;
mod queries;
mod raw;
mod raw_span;
mod report;
mod requests;
#[cfg(feature = "s3")]
mod s3;
mod same_answers;
mod screen;
mod servers;
mod service;
mod tail;
mod terminal;
#[path = "../crates/format/tests/nginx/writer.rs"]
mod writer;
