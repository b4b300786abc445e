//! What a configuration of logrotate says about a log.

use std::path::Path;

use glob::{MatchOptions, Pattern};

/// Directives that begin a script, whose lines are the shell's.
const SCRIPTS: &[&str] = &[
    "firstaction",
    "lastaction",
    "postrotate",
    "prerotate",
    "preremove",
];

/// Whether a configuration of logrotate, the text of one file, has the log at `path` copied and then truncated
/// (`copytruncate`): lines that are written between the two are lost.
///
/// `copytruncate` outside of braces holds for the blocks after it, as logrotate has it. Files that it includes are not
/// looked at, and what is not understood is passed over.
///
/// ```
/// use floodmark_source::copytruncated;
///
/// let conf = "/var/log/nginx/*.log {\n  daily\n  copytruncate\n}\n";
/// assert!(copytruncated(conf, "/var/log/nginx/access.log".as_ref()));
/// assert!(!copytruncated(conf, "/srv/logs/access.log".as_ref()));
/// ```
pub fn copytruncated(conf: &str, path: &Path) -> bool {
    let mut is_default = false;
    // Of the block being read, if one is.
    let mut in_block: Option<bool> = None;
    let mut is_named = false;
    let mut in_script = false;
    for line in conf.lines().map(str::trim_start) {
        if in_script {
            in_script = line.trim_end() != "endscript";
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let names_logs = line.starts_with(['/', '"', '\'']);
        for (index, word) in words(line).iter().enumerate() {
            let setting = in_block.as_mut().unwrap_or(&mut is_default);
            match word.as_str() {
                "copytruncate" => *setting = true,
                "nocopytruncate" => *setting = false,
                "{" => in_block = Some(is_default),
                "}" => {
                    if in_block.take() == Some(true) && is_named {
                        return true;
                    }
                    is_named = false;
                }
                script if index == 0 && SCRIPTS.contains(&script) => in_script = true,
                pattern if names_logs && in_block.is_none() => is_named |= fits(pattern, path),
                _ => {}
            }
        }
    }
    false
}

fn fits(pattern: &str, path: &Path) -> bool {
    let options = MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..MatchOptions::new()
    };
    Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path_with(path, options))
}

/// The words of a line without their quotes; a brace is one by itself.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '{' | '}') => words.extend([character.to_string(), String::new()]),
            (None, _) if character.is_whitespace() => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(character);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(conf: &str, expected: bool) {
        let path = Path::new("/var/log/nginx/access.log");
        assert_eq!(copytruncated(conf, path), expected, "{conf}");
    }

    #[test]
    fn the_block_that_names_the_log_decides() {
        check("/var/log/nginx/*.log {\n  daily\n  copytruncate\n}\n", true);
        check(
            "/var/log/nginx/*.log {\n  daily\n}\n/srv/*.log {\n  copytruncate\n}\n",
            false,
        );
        check(
            "/srv/*.log\n\"/var/log/nginx/access.log\"\n{\n copytruncate\n}\n",
            true,
        );
        check(
            "/srv/*.log '/var/log/nginx/access.log'{ copytruncate }",
            true,
        );
        check("/var/log/*.log { copytruncate\n}", false);
        check(
            "/var/log/nginx/access.log {\n copytruncate\n nocopytruncate\n}",
            false,
        );
    }

    #[test]
    fn what_stands_outside_of_blocks_holds_after_it() {
        check("copytruncate\n/var/log/nginx/*.log {\n}\n", true);
        check("/var/log/nginx/*.log {\n}\ncopytruncate\n", false);
        check(
            "copytruncate\n/var/log/nginx/*.log {\n nocopytruncate\n}\n",
            false,
        );
        check(
            "include /var/log/nginx/access.log\n/srv/a { copytruncate\n }",
            false,
        );
    }

    #[test]
    fn comments_and_scripts_do_not_count() {
        check("/var/log/nginx/*.log {\n # copytruncate\n}\n", false);
        check(
            "/var/log/nginx/*.log {\n postrotate\n  copytruncate }\n endscript\n}\n",
            false,
        );
        check(
            "/var/log/nginx/*.log {\n prerotate\n  if [ -d /x ]; then {\n endscript\n copytruncate\n}\n",
            true,
        );
    }

    #[test]
    fn rubbish_is_passed_over() {
        check("}}}{{{ \"", false);
        check("/var/log/nginx/[ { copytruncate }", false);
        check("{ copytruncate }", false);
        check("/var/log/nginx/access.log { copytruncate", false);
    }
}
