//! Browsers, by what they say of themselves.
//!
//! A browser names those that it wants to be taken for as well (Chrome says `Safari`, Edge says `Chrome`), so that the one that fewest others
//! name is asked for first. Versions are the first number only: the others are zeroes in most browsers by now (User-Agent reduction, 2022).

/// What an agent that is no bot claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Browser {
    /// Its usual name.
    pub name: &'static str,
    /// The first number of its version, if it says one.
    pub version: Option<u32>,
}

/// Words with the browser's name, the rarer ones first, and the word before the version, if that is another one.
const WORDS: &[(&str, &str, Option<&str>)] = &[
    ("Edg/", "Edge", None),
    ("EdgA/", "Edge", None),
    ("EdgiOS/", "Edge", None),
    ("Edge/", "Edge", None),
    ("OPR/", "Opera", None),
    ("SamsungBrowser/", "Samsung Internet", None),
    ("Firefox/", "Firefox", None),
    ("FxiOS/", "Firefox", None),
    ("Chrome/", "Chrome", None),
    ("CriOS/", "Chrome", None),
    ("Safari/", "Safari", Some("Version/")),
];

/// The browser that an agent claims to be; `None` for anything else. That a bot claims to be one is not looked for: ask
/// [`agent`](crate::agent::agent) first.
#[must_use]
pub fn browser(user_agent: &str) -> Option<Browser> {
    WORDS.iter().find_map(|(word, name, version)| {
        let (_, behind) = user_agent.split_once(word)?;
        let number = match version {
            Some(word) => user_agent.split_once(word).map(|(_, behind)| behind),
            None => Some(behind),
        };
        Some(Browser {
            name,
            version: number.and_then(first_number),
        })
    })
}

fn first_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Browser, browser};

    #[test]
    fn browsers_are_told_from_those_they_name() {
        for (user_agent, name, version) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
                "Firefox",
                Some(132),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
                "Chrome",
                Some(131),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/130.0.0.0",
                "Edge",
                Some(130),
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0",
                "Opera",
                Some(115),
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
                "Samsung Internet",
                Some(27),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
                "Safari",
                Some(18),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
                "Chrome",
                Some(131),
            ),
            ("Safari/604.1", "Safari", None),
            ("Chrome/", "Chrome", None),
            ("Firefox/99999999999", "Firefox", None),
        ] {
            assert_eq!(
                browser(user_agent),
                Some(Browser { name, version }),
                "{user_agent}"
            );
        }
        for other in ["", "curl/8.5.0", "Mozilla/5.0", "Googlebot/2.1"] {
            assert_eq!(browser(other), None, "{other}");
        }
    }
}
