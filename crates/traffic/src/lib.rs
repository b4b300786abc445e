//! Pure judgments about bots, spikes, minutes and uptime.
//!
//! Start from [`judge_minutes`](minute::judge_minutes) and [`uptime`](uptime::uptime) for "were we up?",
//! [`spikes`](spike::spikes) for "what broke?", [`agent`](agent::agent), [`scan`](scan::scan) and [`judge`](visitor::judge) for "who was
//! that?". Every function takes the time as an argument and does no I/O; absent here on purpose are Arrow, SQL and the clock.
//!
//! ```
//! use floodmark_traffic::minute::{Minute, MinuteState, judge_minutes};
//! use floodmark_traffic::uptime::{Verdict, uptime};
//!
//! let served = |minute| Minute { minute, good: 40, covered: true, ..Minute::default() };
//! let failed = |minute| Minute { minute, bad: 40, bad_clients: 9, covered: true, ..Minute::default() };
//! let minutes: Vec<Minute> = (0..100).map(|minute| if minute < 2 { failed(minute) } else { served(minute) }).collect();
//! let judged = judge_minutes(&minutes, &[])?;
//! assert_eq!(judged[0].state, MinuteState::Down);
//! let week = uptime(&judged, 0.95);
//! assert_eq!((week.uptime, week.verdict), (Some(0.98), Verdict::Pass));
//! # Ok::<(), floodmark_traffic::Error>(())
//! ```

pub mod agent;
mod agent_table;
pub mod beta;
pub mod browser;
pub mod claims;
pub mod crowd;
mod error;
pub mod frequent;
pub mod histogram;
pub mod hyper_log_log;
pub mod minute;
pub mod outcome;
pub mod path;
pub mod prefix;
pub mod probe;
pub mod quantile;
pub mod row;
pub mod scan;
pub mod session;
pub mod silence;
pub mod spike;
pub mod tally;
pub mod uptime;
pub mod visit;
pub mod visitor;

pub use error::Error;
