//! A prompt for statements: each is asked of the lake as it is then.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Command as Program;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use floodmark_query::statements;
use floodmark_report::TableFormat;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Config};
use signal_hook::consts::SIGINT;

use super::asking::ask;
use super::command::{self, Command};
use super::editor::Editor;
use crate::args::{Output, QueryArgs, SqlArgs};
use crate::commands::answer::{Asked, Asks, table_format};
use crate::commands::explain::explain;
use crate::commands::query;
use crate::plan::Plan;
use crate::queries::Queries;
use crate::say::{self, Level};
use crate::{Outcome, explained, folders, out};

const PROMPT: &str = "floodmark> ";
/// Lines that are remembered from one time to the next.
const HISTORY_MAX: usize = 10_000;

/// Reads and answers until the person has had enough.
pub(super) async fn run(plan: &Plan, args: &SqlArgs) -> Result<Outcome> {
    if args.answer.from.iter().any(|log| log == "-") {
        bail!(
            "`--from -`: standard input is where statements are typed\nhint: name a file, or give a statement"
        );
    }
    if args.answer.output == Output::Parquet {
        bail!(
            "`--output parquet`: expected a statement and a file\nhint: `floodmark sql 'SELECT …' -o parquet > FILE`"
        );
    }
    let mut prompt = Prompt::open(plan, args).await?;
    plan.voice.notice(r"`\?` for help, `\q` or Ctrl-D to end");
    prompt.run().await?;
    Ok(Outcome::Done)
}

struct Prompt {
    plan: Plan,
    from: Vec<String>,
    timeout: Option<u64>,
    output: Output,
    line: rustyline::Editor<Editor, FileHistory>,
    history: Option<PathBuf>,
    /// Set by Ctrl-C while a statement runs.
    interrupted: Arc<AtomicBool>,
    /// The statement asked last.
    last: String,
    /// What stands in the next line already.
    initial: String,
}

impl Prompt {
    async fn open(plan: &Plan, args: &SqlArgs) -> Result<Self> {
        let (from, timeout) = (&args.answer.from, args.answer.timeout);
        // Says what the logs are, and that there are any, before the first question.
        let asked = Asked::open(plan, from, Asks::Statement, timeout).await?;
        let has_color = say::style().color;
        let config = Config::builder()
            .max_history_size(HISTORY_MAX)?
            .completion_type(CompletionType::List)
            .color_mode(if has_color {
                ColorMode::Enabled
            } else {
                ColorMode::Disabled
            })
            .auto_add_history(true)
            .history_ignore_space(true)
            .build();
        let mut line = rustyline::Editor::with_config(config)?;
        let queries = Queries::read(plan)?;
        line.set_helper(Some(Editor {
            vocabulary: asked.engine.vocabulary().await?,
            queries: queries.iter().map(|query| query.name.clone()).collect(),
            has_color,
        }));
        let history = history_file();
        if let Some(file) = &history {
            // A prompt without a history is one, too.
            let _ = line.load_history(file);
        }
        let interrupted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))?;
        let mut plan = plan.clone();
        plan.voice.level = plan.voice.level.min(Level::Normal);
        Ok(Self {
            plan,
            from: from.clone(),
            timeout,
            output: args.answer.output,
            line,
            history,
            interrupted,
            last: String::new(),
            initial: String::new(),
        })
    }

    async fn run(&mut self) -> Result<()> {
        loop {
            let initial = std::mem::take(&mut self.initial);
            let typed = match self.line.readline_with_initial(PROMPT, (&initial, "")) {
                Ok(typed) => typed,
                // Ctrl-C lets go of the line.
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(error).context("cannot read from the terminal"),
            };
            if let Some(file) = &self.history {
                let _ = self.line.append_history(file);
            }
            match self.take(typed.trim()).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if out::is_closed_pipe(&error) => return Err(error),
                Err(error) => say::line(&format!("error: {}", explained(&error))),
            }
        }
    }

    /// Does what was typed; false if it was to end.
    async fn take(&mut self, typed: &str) -> Result<bool> {
        if !typed.starts_with('\\') {
            for statement in statements(typed) {
                self.last = statement.to_owned();
                self.ask(statement).await?;
            }
            return Ok(true);
        }
        match Command::read(typed)? {
            Command::Quit => return Ok(false),
            Command::Help => out::print(&command::help())?,
            Command::Describe(None) => out::print(&command::tables(self.vocabulary()))?,
            Command::Describe(Some(table)) => {
                out::print(&command::columns(self.vocabulary(), &table)?)?;
            }
            Command::Functions(None) => out::print(&command::list_of_functions())?,
            Command::Functions(Some(name)) => out::print(&command::function(&name)?)?,
            Command::Queries => out::print(&query::list(&Queries::read(&self.plan)?))?,
            Command::Query(args) => self.query(&args).await?,
            Command::Output(output) => self.output = output,
            Command::Expand => {
                self.output = match self.output {
                    Output::Record => Output::Table,
                    _ => Output::Record,
                };
            }
            Command::Edit => self.initial = edited(&self.last)?,
        }
        Ok(true)
    }

    fn vocabulary(&self) -> &floodmark_query::Vocabulary {
        &self.line.helper().expect("it was given one").vocabulary
    }

    async fn ask(&mut self, statement: &str) -> Result<()> {
        let asked = self.asked(Asks::Statement).await?;
        if let Some(helper) = self.line.helper_mut() {
            helper.vocabulary = asked.engine.vocabulary().await?;
        }
        self.answer(&asked, statement.to_owned()).await
    }

    async fn query(&mut self, args: &QueryArgs) -> Result<()> {
        let queries = Queries::read(&self.plan)?;
        let query = queries.find(args.name.as_deref().unwrap_or_default())?;
        let asked = self.asked(Asks::Query).await?;
        let settings = query::settings(&self.plan, args, &asked).await?;
        let statement = asked.engine.statement(query, &settings).await?;
        if args.sql {
            return out::print(&format!("{statement}\n"));
        }
        if let Some(number) = args.explain {
            return explain(&asked.engine, &query.name, number, &settings).await;
        }
        self.answer(&asked, statement).await
    }

    /// The lake, or the logs, as they are now.
    async fn asked(&self, asks: Asks) -> Result<Asked> {
        let mut plan = self.plan.clone();
        // Which logs there are, and how they are read, was said when the prompt began.
        plan.voice.level = plan.voice.level.min(Level::Quiet);
        Asked::open(&plan, &self.from, asks, self.timeout).await
    }

    async fn answer(&self, asked: &Asked, statement: String) -> Result<()> {
        let format = table_format(self.output).unwrap_or(TableFormat::Table);
        let answered = ask(
            &self.plan,
            &asked.engine,
            statement,
            format,
            &self.interrupted,
        )
        .await?;
        asked.footer(
            &self.plan,
            answered.rows,
            answered.bytes,
            Some(answered.took),
        );
        Ok(())
    }
}

/// Where lines are remembered, in a folder that is the person's alone; `None` if there is no such place.
fn history_file() -> Option<PathBuf> {
    let folder = folders::state()?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(&folder).ok()?;
    Some(folder.join("sql_history"))
}

/// A statement as it is when the editor has ended.
fn edited(statement: &str) -> Result<String> {
    let file = tempfile::Builder::new()
        .prefix("floodmark-")
        .suffix(".sql")
        .tempfile()?;
    fs::write(file.path(), format!("{statement};\n"))?;
    let mut editors = ["VISUAL", "EDITOR"].iter().filter_map(std::env::var_os);
    let editor = editors.find(|editor| !editor.is_empty());
    let editor = editor.unwrap_or_else(|| "vi".into());
    let mut script = editor.clone();
    script.push(" \"$1\"");
    let ended = Program::new("sh")
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(file.path())
        .status()?;
    if !ended.success() {
        bail!(
            "`{}` has ended with {ended}\nhint: `$EDITOR` names another",
            editor.display()
        );
    }
    let text = fs::read_to_string(file.path()).context("cannot read what was edited")?;
    Ok(text.trim().to_owned())
}
