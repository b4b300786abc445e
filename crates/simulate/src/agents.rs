//! What visitors call themselves.

use std::rc::Rc;

use crate::dice::Dice;

/// A browser and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    pub(crate) agent: Rc<str>,
    pub(crate) mobile: bool,
    /// Asks for `apple-touch-icon` when it sees a site for the first time.
    pub(crate) apple: bool,
}

#[derive(Debug, Clone, Copy)]
enum Family {
    ChromeWindows,
    ChromeMac,
    ChromeLinux,
    ChromeAndroid,
    Edge,
    Samsung,
    FirefoxWindows,
    FirefoxLinux,
    FirefoxAndroid,
    SafariMac,
    SafariPhone,
    Old,
}

const FAMILIES: [(Family, u32); 12] = [
    (Family::ChromeWindows, 27),
    (Family::ChromeMac, 9),
    (Family::ChromeLinux, 3),
    (Family::ChromeAndroid, 20),
    (Family::Edge, 7),
    (Family::Samsung, 3),
    (Family::FirefoxWindows, 5),
    (Family::FirefoxLinux, 2),
    (Family::FirefoxAndroid, 1),
    (Family::SafariMac, 6),
    (Family::SafariPhone, 16),
    (Family::Old, 1),
];

/// Most have the newest version or the one before; a tail never updates.
const CHROME: [(u32, u32); 7] = [
    (154, 42),
    (153, 33),
    (152, 9),
    (150, 5),
    (146, 4),
    (138, 4),
    (131, 3),
];
const FIREFOX: [(u32, u32); 5] = [(156, 45), (155, 30), (153, 8), (140, 12), (128, 5)];
const SAFARI_PHONE: [((&str, &str), u32); 5] = [
    (("18_7", "27.0"), 46),
    (("18_7", "26.6"), 28),
    (("18_7", "26.3"), 10),
    (("18_6", "18.6"), 10),
    (("17_7", "17.7"), 6),
];
const SAFARI_MAC: [(&str, u32); 4] = [("27.0", 40), ("26.6", 35), ("18.6", 18), ("17.6", 7)];
const OLD: [&str; 3] = [
    "Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0",
];

pub(crate) fn browser(dice: &mut Dice) -> Browser {
    let chrome = |platform: &str, version: u32, mobile: &str| {
        format!(
            "Mozilla/5.0 ({platform}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 {mobile}Safari/537.36"
        )
    };
    const WINDOWS: &str = "Windows NT 10.0; Win64; x64";
    const MAC: &str = "Macintosh; Intel Mac OS X 10_15_7";
    const ANDROID: &str = "Linux; Android 10; K";
    let (agent, mobile, apple) = match dice.weighed(&FAMILIES) {
        Family::ChromeWindows => (chrome(WINDOWS, *dice.weighed(&CHROME), ""), false, false),
        Family::ChromeMac => (chrome(MAC, *dice.weighed(&CHROME), ""), false, false),
        Family::ChromeLinux => (
            chrome("X11; Linux x86_64", *dice.weighed(&CHROME), ""),
            false,
            false,
        ),
        Family::ChromeAndroid => (
            chrome(ANDROID, *dice.weighed(&CHROME), "Mobile "),
            true,
            false,
        ),
        Family::Edge => {
            let version = *dice.weighed(&CHROME);
            (
                format!("{} Edg/{version}.0.0.0", chrome(WINDOWS, version, "")),
                false,
                false,
            )
        }
        Family::Samsung => {
            let agent = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/30.0 Chrome/146.0.0.0 Mobile Safari/537.36";
            (agent.to_owned(), true, false)
        }
        Family::FirefoxWindows => (firefox(WINDOWS, *dice.weighed(&FIREFOX)), false, false),
        Family::FirefoxLinux => (
            firefox("X11; Linux x86_64", *dice.weighed(&FIREFOX)),
            false,
            false,
        ),
        Family::FirefoxAndroid => {
            let version = *dice.weighed(&FIREFOX);
            (
                format!(
                    "Mozilla/5.0 (Android 15; Mobile; rv:{version}.0) Gecko/{version}.0 Firefox/{version}.0"
                ),
                true,
                false,
            )
        }
        Family::SafariMac => {
            let version = dice.weighed(&SAFARI_MAC);
            (
                format!(
                    "Mozilla/5.0 ({MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version} Safari/605.1.15"
                ),
                false,
                true,
            )
        }
        Family::SafariPhone => {
            let (system, version) = dice.weighed(&SAFARI_PHONE);
            let agent = format!(
                "Mozilla/5.0 (iPhone; CPU iPhone OS {system} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version} Mobile/15E148 Safari/604.1"
            );
            (agent, true, true)
        }
        Family::Old => ((*dice.pick(&OLD)).to_owned(), false, false),
    };
    Browser {
        agent: agent.into(),
        mobile,
        apple,
    }
}

fn firefox(platform: &str, version: u32) -> String {
    format!("Mozilla/5.0 ({platform}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0")
}

/// The agents that come with attack kits: a browser's of years ago, a tool's own, something cut off, or none.
pub(crate) fn scanner(dice: &mut Dice) -> Option<Rc<str>> {
    const KITS: [(Option<&str>, u32); 12] = [
        (
            Some(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/78.0.3904.108 Safari/537.36",
            ),
            12,
        ),
        (
            Some("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:62.0) Gecko/20100101 Firefox/62.0"),
            8,
        ),
        (
            Some(
                "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Safari/537.36",
            ),
            8,
        ),
        (
            Some(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36",
            ),
            14,
        ),
        (Some("Mozilla/5.0"), 8),
        (Some("Mozilla/5.0 zgrab/0.x"), 8),
        (Some("Go-http-client/1.1"), 8),
        (Some("python-requests/2.32.3"), 7),
        (Some("curl/7.29.0"), 5),
        (Some("Hello, world"), 3),
        (Some(""), 3),
        (None, 16),
    ];
    dice.weighed(&KITS).map(Rc::from)
}
