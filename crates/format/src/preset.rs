//! The formats that have a name.

/// All names, as people are shown them.
pub(crate) const NAMES: &[&str] = &[
    "combined",
    "main",
    "common",
    "vhost_combined",
    "ingress",
    JSON,
    LTSV,
    ALB,
    "apache_combined",
    "apache_common",
    "apache_vhost_combined",
    "tomcat",
    "tomcat_json",
    "tomcat9_json",
];

/// Any JSON object with Nginx's variables, or usual names for them, as keys.
pub(crate) const JSON: &str = "json";

/// Labelled tab-separated values.
pub(crate) const LTSV: &str = "ltsv";

/// AWS's Application Load Balancer.
pub(crate) const ALB: &str = "alb";

/// The keys of Tomcat's JsonAccessLogValve, whose `elapsedTime` is `%D`.
macro_rules! tomcat_keys {
    ($elapsed_divisor:literal) => {
        concat!(
            "remote_addr=host remote_addr=remoteAddr server_addr=localAddr host=localServerName ",
            "remote_logname=logicalUserName body_bytes_sent=size body_bytes_sent=byteSentNC ",
            "session_id=sessionId thread_name=threadName connection_status=connectionStatus ",
            "http_x_request_id=requestHeaders.X-Request-ID ",
            "first_byte_time=firstByteTime/1000 request_time_s=elapsedTimeS request_time=elapsedTime/",
            $elapsed_divisor,
        )
    };
}

/// Presets whose text belongs to a family that is not Nginx's: name, family, and the text in it.
pub(crate) const OF_FAMILIES: &[(&str, &str, &str)] = &[
    (
        "apache_combined",
        "apache",
        r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#,
    ),
    ("apache_common", "apache", r#"%h %l %u %t "%r" %>s %b"#),
    (
        "apache_vhost_combined",
        "apache",
        r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#,
    ),
    // What Tomcat's own server.xml has.
    ("tomcat", "tomcat", "common"),
    ("tomcat_json", "json", tomcat_keys!("1000000")),
    ("tomcat9_json", "json", tomcat_keys!("1000")),
];

/// Name and `log_format` text.
pub(crate) const TEXTS: &[(&str, &str)] = &[
    (
        "combined",
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    ),
    (
        "main",
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#,
    ),
    (
        "common",
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#,
    ),
    (
        "vhost_combined",
        r#"$host:$server_port $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    ),
    // `upstreaminfo` in the nginx.conf that the ingress-nginx controller writes.
    (
        "ingress",
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id"#,
    ),
];

/// The text of a preset that has one.
pub(crate) fn text(name: &str) -> &'static str {
    TEXTS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("", |(_, text)| text)
}

/// The preset whose name is at most a third of its letters away from `name`.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let near = NAMES
        .iter()
        .map(|known| (edits(&name, known), *known))
        .filter(|(edits, known)| edits * 3 <= known.len() + 1);
    near.min().map(|(_, known)| known)
}

/// How many letters to insert, leave out or replace to make one word of the other.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_its_preset() {
        assert_eq!(nearest("combind"), Some("combined"));
        assert_eq!(nearest("Main"), Some("main"));
        assert_eq!(nearest("vhost-combined"), Some("vhost_combined"));
        assert_eq!(nearest("squid"), None);
        assert_eq!(nearest(""), None);
    }
}
