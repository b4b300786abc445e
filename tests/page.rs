//! The page of a report in a real browser: at each size and in both themes, by mouse and by keys, and for who cannot see or move well.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bad_input::not_tested;
use crate::browser::{Browser, Mouse};
use crate::command::{Place, wait_for};

/// Pixels of CSS across and down; paper is A4 at 96 an inch.
const PHONE: (u32, u32) = (390, 844);
const LAPTOP: (u32, u32) = (1366, 768);
const PAPER: (u32, u32) = (794, 1123);

/// The time that a reader waits for the first of the page.
const FIRST_PAINT_MAX_MS: f64 = 1000.0;

/// Loads of which one has to be quick: the machine may be busy.
const LOADS_MAX: usize = 10;

fn page(place: &Place, logs: &str) -> PathBuf {
    let arguments = ["report", "-q", logs, "--html", "report.html"];
    place.floodmark(&arguments).done();
    place.path("report.html")
}

#[test]
fn the_sample_report_is_at_ease_on_phone_laptop_and_paper_in_both_themes() {
    let place = Place::new();
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    let page = page(&place, logs.to_str().unwrap());
    let browser = Browser::open(&place);
    for (size, medium) in [(PHONE, "screen"), (LAPTOP, "screen"), (PAPER, "print")] {
        for scheme in ["light", "dark"] {
            let shown = format!("{medium}, {size:?}, {scheme}");
            browser.show(size, medium, scheme);
            browser.load(&page);
            assert_eq!(browser.complaints(), [] as [Value; 0], "{shown}");
            let across = browser.run(
                "const page = document.documentElement; return [innerWidth, page.scrollWidth, page.clientWidth]",
            );
            assert_eq!(across[0], size.0, "{shown}");
            assert_eq!(across[1], across[2], "{shown}: it scrolls sideways");
            assert_eq!(barriers(&browser), json!([]), "{shown}");
        }
    }
    paints_at_once(&browser, &page);
}

/// What axe-core finds to be in someone's way, where it is installed.
fn barriers(browser: &Browser) -> Value {
    let axe = std::env::var_os("FLOODMARK_TEST_AXE");
    let left_out = "FLOODMARK_TEST_AXE names no axe-core, which ./test fetches where there is npm";
    let Some(axe) = axe.or_else(|| not_tested(left_out)) else {
        return json!([]);
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    browser.run(&format!(
        "{axe};
         return axe.run(document, {{ resultTypes: ['violations'] }}).then(({{ violations }}) =>
             violations.filter(({{ impact }}) => impact === 'serious' || impact === 'critical')
                 .map(({{ id, help, nodes }}) => [id, help, nodes.length, nodes[0].html, nodes[0].failureSummary]))"
    ))
}

/// The quickest of some loads says how long a reader waits.
fn paints_at_once(browser: &Browser, page: &Path) {
    browser.show(LAPTOP, "screen", "light");
    let painted_ms = (0..LOADS_MAX).map(|_| {
        browser.load(page);
        wait_for("first paint", || {
            let painted =
                "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
            browser.run(painted).as_f64()
        })
    });
    let painted_ms: Vec<f64> = painted_ms.collect();
    let quick = painted_ms.iter().any(|&ms| ms < FIRST_PAINT_MAX_MS);
    assert!(quick, "first paint after {painted_ms:?} ms");
}

/// Six days with four visitors an hour; on the third, an hour in which all fails, on the fourth half a day without anyone.
fn six_days() -> String {
    let mut log = String::new();
    for minute in 0..6 * 1440_u32 {
        let (day, hour, in_hour) = (9 + minute / 1440, minute / 60 % 24, minute % 60);
        let fails = day == 11 && hour == 12;
        let is_quiet = day == 12 && (6..18).contains(&hour);
        if is_quiet || !fails && minute % 15 != 0 {
            continue;
        }
        let status = if fails { 502 } else { 200 };
        writeln!(
            log,
            r#"192.0.2.{} - - [{day:02}/Nov/2026:{hour:02}:{in_hour:02}:07 +0000] "GET /page HTTP/2.0" {status} 512 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0""#,
            1 + minute / 15 % 4,
        )
        .unwrap();
    }
    log
}

/// The page of that log on a laptop.
fn open(place: &Place) -> Browser {
    place.write("access.log", six_days());
    let page = page(place, "access.log");
    let browser = Browser::open(place);
    browser.show(LAPTOP, "screen", "light");
    browser.load(&page);
    browser
}

/// Where an element is shown, in pixels.
struct Area {
    left: i64,
    top: i64,
    width: i64,
    height: i64,
}

impl Area {
    /// That of an element, to which the page is scrolled.
    fn of(browser: &Browser, selector: &str) -> Self {
        let area = browser.run(&format!(
            "const element = document.querySelector(`{selector}`);
             element.scrollIntoView({{ block: 'center' }});
             // The page is told of its scrolling with the next frame.
             return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {{
                 const {{ left, top, width, height }} = element.getBoundingClientRect();
                 done([left, top, width, height].map(Math.round));
             }})))"
        ));
        let [left, top, width, height] = [0, 1, 2, 3].map(|index| area[index].as_i64().unwrap());
        Self {
            left,
            top,
            width,
            height,
        }
    }

    /// Its middle.
    fn middle(&self) -> (i64, i64) {
        (self.left + self.width / 2, self.top + self.height / 2)
    }
}

fn click(browser: &Browser, (x, y): (i64, i64)) {
    browser.mouse(&[Mouse::To(x, y), Mouse::Down, Mouse::Up]);
}

const TRAFFIC: &str = "#traffic .chart > svg";

fn says(browser: &Browser) -> String {
    let says = browser.run("return document.querySelector('.says').textContent");
    says.as_str().unwrap().to_owned()
}

#[test]
fn values_are_read_where_the_mouse_is_and_by_arrow_keys() {
    let place = Place::new();
    let browser = open(&place);
    let chart = Area::of(&browser, TRAFFIC);
    // The first of six days; an empty place above its bar will do.
    browser.mouse(&[Mouse::To(chart.left + chart.width / 12, chart.top + 3)]);
    let first = says(&browser);
    assert!(first.starts_with("Mon 2026-11-09: 96 requests"), "{first}");
    browser.mouse(&[Mouse::To(1, 1)]);
    assert_eq!(says(&browser), "");
    browser.run(&format!("document.querySelector('{TRAFFIC}').focus()"));
    let (right, left, end, escape) = ("\u{E014}", "\u{E012}", "\u{E010}", "\u{E00C}");
    for (keys, day) in [
        (right, "Mon 2026-11-09"),
        (right, "Tue 2026-11-10"),
        (end, "Sat 2026-11-14"),
        (right, "Sat 2026-11-14"),
        (left, "Fri 2026-11-13"),
    ] {
        browser.press(keys);
        let said = says(&browser);
        assert!(said.starts_with(day), "{said}");
    }
    browser.press(escape);
    assert_eq!(says(&browser), "");
    // Where nobody came, there is no share of errors: the next that has one is read.
    // The page moves to it, and a moment later Chromium tells what is under the pointer now.
    browser.run("document.querySelector('#error-spikes figure.chart > svg').focus()");
    std::thread::sleep(Duration::from_millis(500));
    browser.press(end);
    for start in ["2026-11-14 18:00", "2026-11-14 12:00"] {
        let said = says(&browser);
        assert!(
            said.starts_with(start) && said.contains("share 0.0%, lower 0.0%, upper"),
            "{said}"
        );
        browser.press(left);
    }
    for _ in 0..7 {
        browser.press(left);
    }
    assert!(
        says(&browser).starts_with("2026-11-12 00:00 – 06:00"),
        "{}",
        says(&browser)
    );
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}

/// The dates chosen, and how many bars, days and stories are shown.
fn range(browser: &Browser) -> Value {
    browser.run(&format!(
        "const dates = [...document.querySelectorAll('.range input')].map((input) => input.value);
         const shown = (marks) => [...document.querySelectorAll(marks)].filter((mark) => mark.checkVisibility()).length;
         return [...dates, shown('{TRAFFIC} g rect:first-of-type'), shown('.calendar time'), shown('#incidents .stories li')]"
    ))
}

#[test]
fn days_are_chosen_by_dragging_and_by_their_dates() {
    let place = Place::new();
    let browser = open(&place);
    let all = json!(["2026-11-09", "2026-11-14", 6, 6, 2]);
    assert_eq!(range(&browser), all);
    let chart = Area::of(&browser, TRAFFIC);
    let (_, y) = chart.middle();
    let noon = |day: i64| chart.left + chart.width * (2 * day + 1) / 12;
    browser.mouse(&[
        Mouse::To(noon(3), y),
        Mouse::Down,
        Mouse::To(noon(4), y),
        Mouse::Up,
    ]);
    // From the middle of a day to the middle of the next.
    let two = json!(["2026-11-12", "2026-11-13", 2, 2, 1]);
    assert_eq!(range(&browser), two);
    click(&browser, Area::of(&browser, ".range button").middle());
    assert_eq!(range(&browser), all);
    // A date field takes its parts as they are typed, in the browser's language.
    for (field, date) in [
        ("label:nth-of-type(1)", "11112026"),
        ("label:nth-of-type(2)", "11122026"),
    ] {
        browser.run(&format!(
            "document.querySelector('.range {field} input').focus()"
        ));
        browser.press(date);
    }
    assert_eq!(
        range(&browser),
        json!(["2026-11-11", "2026-11-12", 2, 2, 2])
    );
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}

#[test]
fn an_incident_in_a_picture_leads_to_its_story() {
    let place = Place::new();
    let browser = open(&place);
    let incident = Area::of(&browser, &format!("{TRAFFIC} a rect"));
    // A bar stands before most of it.
    let (x, _) = incident.middle();
    click(&browser, (x, incident.top + 3));
    assert_eq!(browser.run("return location.hash"), "#incident-1");
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}

#[test]
fn a_statement_is_copied_by_its_button() {
    let place = Place::new();
    let browser = open(&place);
    browser.allow("clipboard-read");
    for part in ["summary", "button"] {
        let part = Area::of(&browser, &format!("#incidents .sql {part}"));
        click(&browser, part.middle());
    }
    let button = "return document.querySelector('#incidents .sql button').textContent";
    wait_for("copy", || {
        Some(()).filter(|()| browser.run(button) == "Copied")
    });
    let copied = browser.run("return navigator.clipboard.readText()");
    let copied = copied.as_str().unwrap();
    assert!(copied.contains("FROM judged_minutes("), "{copied}");
    let again = ["sql", "-q", "--from", "access.log", "-o", "csv", copied];
    let rows = place.floodmark(&again).done();
    assert!(rows.contains("2026-11-11T12:00:00Z"), "{rows}");
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}
