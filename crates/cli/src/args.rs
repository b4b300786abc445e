//! The command line as it is typed; `plan` checks it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Who the bots were, when and why errors spiked, what the uptime really was: from Nginx access logs.
#[derive(Debug, Parser)]
#[command(
    name = "floodmark",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) shared: Shared,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Report weeks against the target, incidents, error spikes, bots and traffic
    Report(ReportArgs),
    /// Answer SQL over the lake, or over raw logs with --from; without a statement, at a prompt
    Sql(SqlArgs),
    /// Run a named query; without a name, list them
    Query(QueryArgs),
    /// Read logs into the lake; what is there already is not added again
    Ingest(IngestArgs),
    /// Follow logs into the lake, through every rotation, and show what comes in
    Tail(TailArgs),
    /// Say which logs nginx.conf names, and what logs hold: format, lines, rejects, time range, zones
    Inspect(InspectArgs),
    /// Look after the lake: what it holds, whether it is whole, small files, old days
    #[command(subcommand)]
    Lake(LakeCommand),
    /// Say what is known beyond the logs: lists of the ranges that crawlers ask from, and their age
    Lists,
    /// Write labelled traffic and its truth
    Simulate(SimulateArgs),
    /// Print the completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Shared {
    /// Folder of the lake, or s3://BUCKET/PREFIX if built with S3 [default: $XDG_DATA_HOME/floodmark/lake]
    #[arg(long, global = true, value_name = "URI", env = "FLOODMARK_LAKE")]
    pub(crate) lake: Option<PathBuf>,
    /// How lines are written: a preset's name, or the text of an Nginx log_format; may be repeated, for logs with lines
    /// of several formats [default: as nginx.conf says, else detected]
    #[arg(long, global = true, value_name = "NAME|TEXT")]
    pub(crate) format: Vec<String>,
    /// Nginx's configuration: which logs there are, and their formats [default: of logs that are named, an nginx.conf
    /// beside them; else /etc/nginx/nginx.conf]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) nginx_conf: Option<PathBuf>,
    /// Where relative paths of access_log start, as for nginx -p [default: /usr/share/nginx for /etc/nginx, else the
    /// folder of nginx.conf, or the one around it if that is called conf]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) nginx_prefix: Option<PathBuf>,
    /// The port that nginx.conf is asked for, and of requests of which neither the line nor nginx.conf says it
    #[arg(long, global = true, value_name = "PORT", default_value_t = 443)]
    pub(crate) port: u16,
    /// Believe X-Forwarded-For from proxies in this range; may be repeated
    #[arg(long, global = true, value_name = "CIDR")]
    pub(crate) trust: Vec<String>,
    /// Folder of what is known beyond the logs: lists/ of the ranges that crawlers ask from, exempt.txt, maintenance.txt; `floodmark lists`
    /// says more [default: $XDG_CONFIG_HOME/floodmark, or /etc/floodmark]
    #[arg(long, global = true, value_name = "DIR", env = "FLOODMARK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Zone in which days and weeks begin and times are shown
    #[arg(long, global = true, value_name = "ZONE", default_value = "UTC")]
    pub(crate) tz: String,
    /// Folder with named queries of your own, beside those in ~/.config/floodmark/queries; in a report those with
    /// `report:` are sections
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) queries: Option<PathBuf>,
    /// Name of the log set of files given by name [default: the file's name without its rotation suffix]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) log_set: Option<String>,
    /// Keep tokens, keys and passwords in request targets and referrers
    #[arg(long, global = true)]
    pub(crate) keep_secrets: bool,
    /// Threads [default: one for each core]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Memory for what an ingest holds, and for sorts, joins and groups before they spill to disk, with K, M or G
    #[arg(long, global = true, value_name = "BYTES", default_value = "1G")]
    pub(crate) memory: String,
    /// Exit with 1 if one of these holds: verdict, rejects=1%, gaps
    #[arg(long, global = true, value_name = "CONDITIONS", value_delimiter = ',')]
    pub(crate) fail_on: Vec<String>,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more, such as each file read
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// Logs to read.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Files, globs, directories, or - for standard input [default: what nginx.conf names for --port]
    #[arg(value_name = "LOG")]
    pub(crate) logs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) logs: LogArgs,
    /// Commit what came in after this many seconds, or after 64 MB
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) flush: u64,
    /// Take what is there now into the lake, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Print a line a minute, and incidents as they open and close, also on a terminal, instead of showing a screen
    #[arg(long)]
    pub(crate) plain: bool,
    /// How minutes and incidents are printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: TailOutput,
}

/// The written forms of what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TailOutput {
    /// A line for people.
    Text,
    /// A JSON object a line: the rows of the queries `pulse` and `incidents`.
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) logs: LogArgs,
    /// Folder in which logrotate's configuration is looked through for copytruncate
    #[arg(long, value_name = "DIR", default_value = "/etc/logrotate.d")]
    pub(crate) logrotate: PathBuf,
}

/// The stretch of time a command is about.
#[derive(Debug, Args)]
pub(crate) struct WindowArgs {
    /// From this time on: 2026-11-16, 2026-11-16T08:00, with Z or +01:00, 2026-W46; or before the end: 24h, 7d, today,
    /// yesterday
    #[arg(long, value_name = "TIME", conflicts_with_all = ["day", "week", "weeks"])]
    pub(crate) since: Option<String>,
    /// Up to this time, exclusive [default: after the last request]
    #[arg(long, value_name = "TIME", conflicts_with_all = ["day", "week"])]
    pub(crate) until: Option<String>,
    /// One day: 2026-11-16
    #[arg(long, value_name = "DATE", conflicts_with = "week")]
    pub(crate) day: Option<String>,
    /// One ISO week: 2026-W46
    #[arg(long, value_name = "WEEK")]
    pub(crate) week: Option<String>,
    /// The last N weeks that have requests [default: 5]
    #[arg(long, value_name = "N", conflicts_with_all = ["day", "week"])]
    pub(crate) weeks: Option<u32>,
    /// The share of minutes a week is to be up
    #[arg(long, value_name = "SHARE", default_value = "95%")]
    pub(crate) target: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) logs: LogArgs,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the report as Markdown; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) md: Option<PathBuf>,
    /// Write the report as JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Keep the report in this folder, as a page and as JSON named after its days, with an index of all that are there
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
    /// Show the page in the browser
    #[arg(long)]
    pub(crate) open: bool,
    /// Cut addresses to their networks and drop query strings
    #[arg(long)]
    pub(crate) share: bool,
}

/// Where rows come from and how they are written.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// Read these logs instead of the lake; may be repeated
    #[arg(long, value_name = "LOG")]
    pub(crate) from: Vec<String>,
    /// How rows are written
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Output,
    /// Draw the rows: a line over the times in the first column, else a bar for each row; or as is said
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "auto", conflicts_with = "output")]
    pub(crate) chart: Option<ChartKind>,
    /// End a query that runs longer than this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// The drawn forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChartKind {
    Auto,
    Line,
    Bar,
}

/// The written forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    /// Each row on lines of its own, nothing cut.
    Record,
    Csv,
    Tsv,
    Json,
    Jsonl,
    Md,
    /// A Parquet file; its types are those of the answer.
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// The statement, or several with ; between them; - reads them from standard input [default: a prompt, or standard
    /// input if that is no terminal]
    pub(crate) statement: Option<String>,
    /// List Floodmark's own functions
    #[arg(long, conflicts_with = "statement")]
    pub(crate) functions: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The query's name
    pub(crate) name: Option<String>,
    /// A parameter of the query; may be repeated
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Print the SQL with its parameters filled in, and run nothing
    #[arg(long)]
    pub(crate) sql: bool,
    /// Tell one row as a story, counted from 1: of error_spikes, what it was, what the errors have in common, and lines
    #[arg(long, value_name = "N", conflicts_with = "sql")]
    pub(crate) explain: Option<usize>,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LakeCommand {
    /// Say what the lake holds: files, rows, lines, coverage, and how far each source is read
    Info(InfoArgs),
    /// Check the logs, each file to its last page, that each line is there once, and that minutes count them
    Verify,
    /// Put the small files of each day together, and delete what nothing needs any more
    Compact,
    /// Let go of old lines by whole days; they are not read again
    Expire(ExpireArgs),
    /// Count minutes anew from their lines, of days whose lines are all there
    Rebuild(RebuildArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// How it is written
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: InfoOutput,
}

/// The written forms of what a lake holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InfoOutput {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExpireArgs {
    /// Age from which on lines go, such as 45d; or a day, 2026-10-01, before which they go
    #[arg(long, value_name = "AGE", default_value = "45d")]
    pub(crate) lines: String,
    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// Days, such as 2026-11-16 [default: all that can be]
    #[arg(value_name = "DAY")]
    pub(crate) days: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Folder to write into
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// ISO weeks
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) weeks: u16,
    /// The Monday after the last week
    #[arg(long, value_name = "DATE", default_value = "2026-11-16")]
    pub(crate) end: chrono::NaiveDate,
    /// How many people and flood bots, against the sample logs
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) rate: f64,
    /// Host name of the site; repeated: of several, with `$server_name` in the log
    #[arg(long = "site", value_name = "NAME", default_value = "www.example.org")]
    pub(crate) sites: Vec<String>,
    /// How many times as many people come each week as the week before
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) growth: f64,
    /// Share of people's sessions from behind four addresses, as a mobile carrier has them
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) shared_share: f64,
    /// Share of people's sessions in a single-page app
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) app_share: f64,
    /// Addresses that scan so slowly that they ask for one thing every few hours
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) slow_scanners: u16,
    /// Zone of the times in the log, and of the truth's weeks
    #[arg(long, value_enum, value_name = "ZONE", default_value_t = SimulateZone::Utc)]
    pub(crate) zone: SimulateZone,
    /// Minutes between two probes of the monitor; 0: none
    #[arg(long, value_name = "MINUTES", default_value_t = 1)]
    pub(crate) monitor: u16,
    /// Share of the application's answers that fail in an outage
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub(crate) outage_share: f64,
    /// Addresses of the flood [default: 220 times the rate]
    #[arg(long, value_name = "N")]
    pub(crate) flood_bots: Option<u16>,
    /// The flood comes from everywhere, and not from a handful of networks
    #[arg(long)]
    pub(crate) flood_everywhere: bool,
    /// A balancer is in front, whose address stands in each line
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) balancer: Option<Balancer>,
}

/// What a balancer in front tells of who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Balancer {
    /// Nothing
    Silent,
    /// `X-Forwarded-For`, which the log ends with
    Forwarding,
}

/// Zones that the simulator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SimulateZone {
    /// +0000
    Utc,
    /// +0100, in summer +0200
    CentralEurope,
}
