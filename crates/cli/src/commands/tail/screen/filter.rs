//! From what a person types after `/` to a condition of SQL.

use std::net::IpAddr;

/// Which lines are counted: what was typed, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) typed: String,
    /// What may stand after `WHERE`.
    pub(super) condition: String,
}

impl Filter {
    /// A path's beginning, an address or a range of them, a status or a class of it, a condition, else a part of the agent; `None` for nothing.
    pub(super) fn of(typed: &str) -> Option<Self> {
        let typed = typed.trim();
        let condition = match typed {
            "" => return None,
            path if path.starts_with('/') => format!("starts_with(path, {})", quoted(path)),
            status if is_status(status) => format!("status = {status}"),
            class if is_status_class(class) => {
                let hundreds = &class[..1];
                format!("status BETWEEN {hundreds}00 AND {hundreds}99")
            }
            address if address.parse::<IpAddr>().is_ok() => format!("client = {}", quoted(address)),
            range if is_range(range) => format!("ip_in(client, {})", quoted(range)),
            condition if is_condition(condition) => condition.to_owned(),
            agent => format!(
                "contains(lower(http_user_agent), {})",
                quoted(&agent.to_lowercase())
            ),
        };
        Some(Self {
            typed: typed.to_owned(),
            condition,
        })
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn is_status(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `5xx`.
fn is_status_class(text: &str) -> bool {
    matches!(text.as_bytes(), [b'1'..=b'5', b'x' | b'X', b'x' | b'X'])
}

/// `192.0.2.0/24`.
fn is_range(text: &str) -> bool {
    let parts = text.split_once('/');
    parts.is_some_and(|(address, bits)| {
        address.parse::<IpAddr>().is_ok() && bits.parse::<u8>().is_ok()
    })
}

/// Whether it compares something, as agents do not.
fn is_condition(text: &str) -> bool {
    let words = [
        " like ",
        " ilike ",
        " in ",
        " in(",
        " is ",
        " between ",
        " not ",
    ];
    let lower = format!(" {} ", text.to_lowercase());
    text.contains(['=', '<', '>']) || words.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, condition: &str) {
        assert_eq!(
            Filter::of(typed).map(|filter| filter.condition).as_deref(),
            Some(condition)
        );
    }

    #[test]
    fn what_is_typed_is_a_condition() {
        check("/cart", "starts_with(path, '/cart')");
        check(" 404 ", "status = 404");
        check("5xx", "status BETWEEN 500 AND 599");
        check("192.0.2.7", "client = '192.0.2.7'");
        check("2001:db8::/32", "ip_in(client, '2001:db8::/32')");
        check(
            "status >= 500 AND path = '/'",
            "status >= 500 AND path = '/'",
        );
        check("bot IN ('scanner')", "bot IN ('scanner')");
        check("Googlebot", "contains(lower(http_user_agent), 'googlebot')");
        check("o'clock", "contains(lower(http_user_agent), 'o''clock')");
        assert_eq!(Filter::of("  "), None);
    }
}
