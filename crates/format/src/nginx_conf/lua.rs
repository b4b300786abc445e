//! Where a block of Lua ends: `content_by_lua_block { … }` and its like, whose content is not Nginx's grammar.

/// Whether the block of a directive of this name holds Lua.
pub(super) fn is_lua(directive: &str) -> bool {
    directive.ends_with("_by_lua_block")
}

/// The offset after the `}` that closes the block whose content `text` begins with; `None` if nothing closes it.
///
/// Braces in strings and comments of Lua do not count.
pub(super) fn block_end(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    let mut at = 0;
    loop {
        at += text[at..].find(['{', '}', '"', '\'', '-', '['])?;
        let rest = &text[at..];
        at += match rest.as_bytes()[0] {
            b'{' => {
                depth += 1;
                1
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
                1
            }
            b'-' => comment(rest)?,
            b'[' => long_bracket(rest)?,
            quote => quoted(rest, quote)?,
        };
    }
}

/// The length of the comment that `text` begins with; of a single `-`, 1.
fn comment(text: &str) -> Option<usize> {
    let Some(rest) = text.strip_prefix("--") else {
        return Some(1);
    };
    match long_bracket_level(rest) {
        Some(_) => Some(2 + long_bracket(rest)?),
        None => text.find('\n'),
    }
}

/// The length of `[[…]]` or `[=[…]=]`; of a `[` that begins neither, 1.
fn long_bracket(text: &str) -> Option<usize> {
    let Some(level) = long_bracket_level(text) else {
        return Some(1);
    };
    let closing = format!("]{}]", "=".repeat(level));
    Some(text.find(&closing)? + closing.len())
}

/// The number of `=` between the brackets that open a long string.
fn long_bracket_level(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('[')?;
    let after = rest.trim_start_matches('=');
    after.starts_with('[').then(|| rest.len() - after.len())
}

fn quoted(text: &str, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `content` closed by a brace, with another one after it that is not to be reached.
    #[track_caller]
    fn check(content: &str) {
        let text = format!("{content}}} }}");
        assert_eq!(block_end(&text), Some(content.len() + 1), "{content}");
    }

    #[test]
    fn braces_are_balanced() {
        check("");
        check(" local t = {{1}, {}} ");
    }

    #[test]
    fn braces_in_strings_do_not_count() {
        check(r#" ngx.say("}") "#);
        check(r#" ngx.say('{') "#);
        check(r#" ngx.say("\"}") "#);
        check(" x = [[ }} ]] ");
        check(" x = [==[ ]] } ]=] ]==] ");
    }

    #[test]
    fn braces_in_comments_do_not_count() {
        check(" -- }\n");
        check(" -- it's {\n");
        check(" --[[ } ' ]] ");
        check(" --[=[ } ]] ]=] ");
    }

    #[test]
    fn minus_and_index_are_neither() {
        check(" x = a[1] - b[c[2]] ");
    }

    #[test]
    fn what_is_not_closed_has_no_end() {
        for text in ["", "{}", "\"}", "'\\", "--}", "[[}", "--[[}", "é{"] {
            assert_eq!(block_end(text), None, "{text}");
        }
    }
}
