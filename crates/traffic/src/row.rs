//! The derived column `bot`: what one row shows by itself.

use crate::agent::{Agent, AgentKind};
use crate::scan::Scan;

/// Version of the rules behind the column `bot`, stored beside it; it grows with every change of a table or a rule.
pub const RULES_VERSION: &str = "1";

/// What a row alone shows of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowBot {
    /// An uptime probe: evidence, never a visitor.
    Probe,
    /// A program that says so.
    Declared,
    /// A scanner by what it asks for, or by its own word.
    Scanner,
    /// Nothing shows; behaviour may still tell ([`class`](crate::session::class)).
    None,
}

impl RowBot {
    /// The value of the column `bot`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Declared => "declared",
            Self::Scanner => "scanner",
            Self::None => "none",
        }
    }
}

/// Judges one row, and names the rule.
///
/// `probe` says that the sender is a known or learned probe; `status` is the answer's (`None`: not logged), see [`Scan::holds`].
/// What is asked for outweighs what the agent says, because an agent is easily forged. Package clients and webhooks declare
/// themselves and are still `none`, with their rule: they are exempt.
#[must_use]
pub fn row_bot(
    agent: Option<&Agent>,
    probe: bool,
    scan: Option<&Scan>,
    status: Option<i16>,
) -> (RowBot, &'static str) {
    let kind = agent.map(|agent| agent.kind);
    if probe || kind == Some(AgentKind::Probe) {
        return (RowBot::Probe, if probe { "probe" } else { "agent_probe" });
    }
    if let Some(scan) = scan.filter(|scan| scan.holds(status)) {
        return (RowBot::Scanner, scan.rule);
    }
    match kind {
        Some(AgentKind::Scanner) => (RowBot::Scanner, "agent_scanner"),
        Some(AgentKind::Package) => (RowBot::None, "package_client"),
        Some(AgentKind::Webhook) => (RowBot::None, "webhook"),
        Some(kind) => (RowBot::Declared, kind.as_str()),
        None => (RowBot::None, "none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::agent;
    use crate::scan::scan;

    #[track_caller]
    fn check(user_agent: &str, path: &str, status: i16, expected: (RowBot, &str)) {
        let agent = agent(user_agent);
        let scan = scan(Some("GET"), Some(path), None, None);
        assert_eq!(
            row_bot(agent.as_ref(), false, scan.as_ref(), Some(status)),
            expected
        );
    }

    #[test]
    fn the_request_outweighs_the_agent() {
        check(
            "Googlebot/2.1",
            "/.env",
            404,
            (RowBot::Scanner, "sensitive_path"),
        );
        check("Googlebot/2.1", "/", 200, (RowBot::Declared, "search"));
    }

    #[test]
    fn a_weak_sign_counts_where_it_was_refused() {
        check(
            "Mozilla/5.0",
            "/wp-login.php",
            404,
            (RowBot::Scanner, "probing_path"),
        );
        check("Mozilla/5.0", "/wp-login.php", 200, (RowBot::None, "none"));
    }

    #[test]
    fn probes_and_package_clients_are_no_visitors() {
        check(
            "ELB-HealthChecker/2.0",
            "/wp-login.php",
            404,
            (RowBot::Probe, "agent_probe"),
        );
        check(
            "pip/24.0",
            "/simple/",
            200,
            (RowBot::None, "package_client"),
        );
        check("zgrab/0.x", "/", 200, (RowBot::Scanner, "agent_scanner"));
    }

    #[test]
    fn a_learned_probe_is_a_probe_whatever_its_agent() {
        assert_eq!(
            row_bot(None, true, None, Some(200)),
            (RowBot::Probe, "probe")
        );
    }
}
