//! What each function is for: the head of its own file.

use std::sync::LazyLock;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(include_str!(concat!($name, ".rs"))),*]
    };
}

const FILES: &[&str] = files![
    "approx_quantile",
    "binomial_tail",
    "bot",
    "browser",
    "claim",
    "class_decides",
    "compact",
    "error_spike",
    "histogram",
    "hll",
    "ip",
    "local_time",
    "minute_range",
    "minute_state",
    "minute_tally",
    "outcome",
    "path",
    "robust_z",
    "scan_rule",
    "status_class",
    "uptime_verdict",
    "visit",
    "visit_days",
    "visit_minutes",
    "visitor_class",
    "vouched",
];

/// What one or several functions that belong together are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionHelp {
    /// How each is called: `ip_in(addr, cidr)`.
    pub calls: Vec<&'static str>,
    /// In a few words.
    pub summary: &'static str,
    /// Types, NULLs, units, errors: Markdown.
    pub text: String,
    /// A statement that uses it; `None` where a named query shows it.
    pub example: Option<String>,
}

impl FunctionHelp {
    /// Whether it is about the function of that name.
    #[must_use]
    pub fn is_about(&self, name: &str) -> bool {
        let mut names = self.calls.iter().map(|call| name_of(call));
        names.any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The name in `name(arguments) OVER (…)`.
fn name_of(call: &str) -> &str {
    call.split('(').next().unwrap_or(call)
}

static FUNCTIONS: LazyLock<Vec<FunctionHelp>> = LazyLock::new(|| {
    let files = FILES.iter();
    files.filter_map(|file| read(file)).collect()
});

/// All functions that SQL has here and nowhere else, in alphabetical order of their files.
#[must_use]
pub fn functions() -> &'static [FunctionHelp] {
    &FUNCTIONS
}

fn read(file: &'static str) -> Option<FunctionHelp> {
    let head = file.lines().map_while(|line| line.strip_prefix("//!"));
    let mut lines = head.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let (calls, summary) = lines.next()?.split_once(": ")?;
    let mut text = Vec::new();
    let mut example = Vec::new();
    let mut is_example = false;
    for line in lines {
        match line {
            "```sql" | "```" => is_example = line != "```",
            _ if is_example => example.push(line),
            _ => text.push(line),
        }
    }
    // Links are for those who read the code.
    let text = text.join("\n").replace("[`", "`").replace("`]", "`");
    Some(FunctionHelp {
        calls: calls.split('`').skip(1).step_by(2).collect(),
        summary,
        text: text.trim().to_owned(),
        example: (!example.is_empty()).then(|| example.join("\n")),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::{Engine, EngineOptions, RawLogs};

    fn registered(context: &SessionContext) -> BTreeSet<String> {
        let state = context.state();
        let names = state.scalar_functions().keys();
        let names = names.chain(state.aggregate_functions().keys());
        names
            .chain(state.window_functions().keys())
            .cloned()
            .collect()
    }

    #[test]
    fn each_function_has_its_help() {
        let plain = SessionContext::new();
        let ours = SessionContext::new();
        super::super::register(&ours, &std::sync::Arc::default());
        let ours: BTreeSet<String> = &registered(&ours) - &registered(&plain);
        let calls = functions().iter().flat_map(|help| help.calls.iter());
        let told: BTreeSet<String> = calls.map(|call| name_of(call).to_owned()).collect();
        assert_eq!(told, ours);
    }

    #[tokio::test]
    async fn each_example_runs() {
        let logs = RawLogs { files: Vec::new() };
        let engine = Engine::over_logs(&logs, &EngineOptions::default()).await;
        let engine = engine.unwrap();
        for help in functions() {
            match &help.example {
                Some(example) => {
                    let answer = engine.sql(example).await;
                    assert!(answer.is_ok(), "{example}: {answer:?}");
                }
                None => assert!(help.text.contains("shows it in use"), "{help:?}"),
            }
        }
    }
}
