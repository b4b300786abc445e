//! Pictures as numbers: bars and lines over the window, hours by weekday. The template only writes them down.
//!
//! Across, a position is a percentage, so a picture fits a phone and a wall; up, it is pixels, so text stays readable.

use chrono_tz::Tz;
use floodmark_query::ChartKind;
use serde::Serialize;

use crate::model::{IncidentKind, Report, Traffic};
use crate::panel::{Panel, Unit, Value};
use crate::text::{count, escape_control, minutes as lasting, percent, width};
use crate::time::{DAY_US, HOUR_US, TimeUs, day_start, span};
use crate::timeline::{share, slot_name, slot_us, slots};

/// Height of a chart's plot, and of the line of dates below it.
const PLOT_PX: f64 = 150.0;
const DATES_PX: f64 = 22.0;

/// Incidents that are shaded: more would be a grey picture.
const SHADES_MAX: usize = 500;

/// Bars over the window.
#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    title: String,
    height: String,
    plot: String,
    shades: Vec<Shade>,
    bars: Vec<Bar>,
    /// Drawn over the bars, which then only catch the pointer.
    lines: Vec<Line>,
    /// Areas beneath the lines.
    bands: Vec<Line>,
    levels: Vec<Level>,
    dates: Vec<Date>,
    /// Classes and names of what is drawn.
    keys: Vec<(&'static str, String)>,
}

/// A line, or the edge of an area, over a plot that is [`LINE_WIDTH`] wide and as high as any.
#[derive(Debug, Serialize)]
struct Line {
    class: &'static str,
    points: String,
}

/// Units across a plot that lines are drawn in, whatever its width is.
const LINE_WIDTH: f64 = 1000.0;

#[derive(Debug, Serialize)]
struct Shade {
    /// The story that it links to.
    story: String,
    x: String,
    width: String,
    class: &'static str,
    text: String,
}

/// A part of a row, of one colour.
#[derive(Debug, Serialize)]
pub(crate) struct Stretch {
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) class: &'static str,
    pub(crate) text: String,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: String,
    width: String,
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    y: String,
    height: String,
    class: &'static str,
}

#[derive(Debug, Serialize)]
struct Level {
    y: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct Date {
    x: String,
    text: String,
    anchor: &'static str,
    /// Left out on a phone.
    minor: bool,
}

/// Marks and names of the classes that a day's requests are drawn in, from the bottom up.
const DAY_CLASSES: [(&str, &str); 8] = [
    ("people", "people"),
    ("declared", "declared bots"),
    ("fake", "fakes"),
    ("scanner", "scanners"),
    ("flood", "floods"),
    ("robotic", "robotic"),
    ("packages", "package clients"),
    ("probes", "probes"),
];

/// A day's requests by these classes.
fn by_class(day: &Traffic) -> [i64; 8] {
    [
        day.people,
        day.declared,
        day.fake,
        day.scanner,
        day.flood,
        day.robotic,
        day.package_client,
        (day.requests - day.people - day.bots).max(0),
    ]
}

/// A bar to be: a stretch of time, and values from the bottom up, each with its class.
struct Column {
    start: TimeUs,
    end: TimeUs,
    text: String,
    values: Vec<(f64, &'static str)>,
}

/// Requests over time: by class per day, or, for a window of a few days, good and bad per slot.
pub(crate) fn requests(report: &Report) -> Option<Chart> {
    const DAYS_MIN: usize = 4;
    let tz = report.tz;
    if report.traffic.len() >= DAYS_MIN {
        let columns = report.traffic.iter().map(|day| {
            let start = day_start(day.day, tz);
            let end = day
                .day
                .succ_opt()
                .map_or(TimeUs(start.0 + DAY_US), |next| day_start(next, tz));
            let classes = || DAY_CLASSES.into_iter().zip(by_class(day));
            let facts = classes().filter(|&(_, number)| number > 0);
            let facts = facts.map(|((_, name), number)| format!("{} {name}", count(number)));
            let text = format!(
                "{}: {} requests: {}",
                day.day.format("%a %Y-%m-%d"),
                count(day.requests),
                facts.collect::<Vec<_>>().join(", ")
            );
            let values = classes().map(|((mark, _), number)| (float(number), mark));
            Column {
                start,
                end,
                text,
                values: values.collect(),
            }
        });
        let is_drawn = |index: usize| {
            let mut days = report.traffic.iter();
            days.any(|day| by_class(day)[index] > 0)
        };
        let keys = DAY_CLASSES.into_iter().enumerate();
        let keys = keys.filter(|&(index, _)| is_drawn(index));
        return chart(
            report,
            "Requests per day".to_owned(),
            columns.collect(),
            None,
            keys.map(|(_, key)| key).collect(),
            |value| count(whole(value)),
        );
    }
    let columns = slots(report).into_iter().map(|slot| {
        let text = format!(
            "{}: {} requests, {} bad",
            span(slot.start, slot.end, tz),
            count(slot.requests),
            count(slot.bad)
        );
        let good = float(slot.requests - slot.bad);
        Column {
            start: slot.start,
            end: slot.end,
            text,
            values: vec![(float(slot.bad), "bad"), (good, "people")],
        }
    });
    let keys = vec![("people", "good and neutral"), ("bad", "bad")];
    let title = format!("Requests {}", slot_name(slot_us(report)));
    chart(report, title, columns.collect(), None, keys, |value| {
        count(whole(value))
    })
}

/// The name of an incident's story within the page.
pub(crate) fn incident_id(index: usize) -> String {
    format!("incident-{}", index + 1)
}

/// The lines of a panel over time: its column `x`, a line for each column `y`, and a band between columns `lower…` and `upper…`.
pub(crate) fn panel_lines(report: &Report, panel: &Panel) -> Option<Chart> {
    const CLASSES: [&str; 4] = ["line-1", "line-2", "line-3", "line-4"];
    let columns = panel.charted(ChartKind::Line)?;
    let (&x, ys) = columns.split_first()?;
    let ys = &ys[..ys.len().min(CLASSES.len())];
    let unit = Unit::of(&panel.columns[*ys.first()?]);
    let band = bounds(panel);
    let rows = timed_rows(report, panel, x)?;
    let told: Vec<usize> = ys
        .iter()
        .copied()
        .chain(band.into_iter().flatten())
        .collect();
    let bars: Vec<Column> = rows
        .iter()
        .map(|row| hit(report, panel, row, &told))
        .collect();
    let step = round_step(highest(&bars).max(f64::MIN_POSITIVE) / 3.0);
    let plot = Plot {
        rows,
        since: report.since,
        length_us: report.until.0 - report.since.0,
        top: highest_level(&bars, step),
        // Else an outage's share would make a flat line of the usual ones and of how sure these are.
        by_root: unit == Unit::Share && band.is_some(),
    };
    let names = ys.iter().map(|&y| Panel::heading(&panel.columns[y]));
    let mut keys: Vec<(&'static str, String)> = CLASSES.into_iter().zip(names).collect();
    keys.extend(band.map(|bounds| {
        let [lower, upper] = bounds.map(|column| Panel::heading(&panel.columns[column]));
        ("band", format!("{lower} to {upper}"))
    }));
    let (title, least) = (panel.title.clone(), Some(f64::MIN_POSITIVE));
    let mut drawn = chart(report, title, bars, least, keys, |value| unit.show(value))?;
    if plot.by_root {
        drawn.levels = root_levels(plot.top);
    }
    let lines = ys.iter().zip(CLASSES);
    drawn.lines = lines.flat_map(|(&y, class)| plot.lines(y, class)).collect();
    drawn.bands = band.map_or_else(Vec::new, |bounds| plot.bands(bounds));
    Some(drawn)
}

/// A row of a panel and the time that it is about.
struct TimedRow<'panel> {
    start: TimeUs,
    end: TimeUs,
    values: &'panel [Value],
}

/// The rows of a panel, if each has a time: it lasts until the next, the last one as long as the one before it.
fn timed_rows<'panel>(
    report: &Report,
    panel: &'panel Panel,
    x: usize,
) -> Option<Vec<TimedRow<'panel>>> {
    let start = |row: &Vec<Value>| match row[x] {
        Value::Time(time) => Some(time),
        Value::Day(day) => Some(day_start(day, report.tz)),
        _ => None,
    };
    let starts: Vec<TimeUs> = panel.rows.iter().map(start).collect::<Option<_>>()?;
    let last = match starts.as_slice() {
        [.., before, last] => TimeUs(last.0 + (last.0 - before.0)),
        _ => report.until,
    };
    let ends = starts.iter().skip(1).chain([&last]);
    let rows = starts.iter().zip(ends).zip(&panel.rows);
    let rows = rows.map(|((&start, &end), values)| TimedRow { start, end, values });
    Some(rows.collect())
}

/// What catches the pointer over a row, as high as its highest number, and says the numbers.
fn hit(report: &Report, panel: &Panel, row: &TimedRow<'_>, columns: &[usize]) -> Column {
    let numbers = columns.iter().filter_map(|&y| row.values[y].number());
    let facts = columns.iter().filter_map(|&y| {
        let value = row.values[y].show(Unit::of(&panel.columns[y]), report.tz)?;
        Some(format!("{} {value}", Panel::heading(&panel.columns[y])))
    });
    Column {
        start: row.start,
        end: row.end,
        text: format!(
            "{}: {}",
            span(row.start, row.end, report.tz),
            facts.collect::<Vec<_>>().join(", ")
        ),
        values: vec![(numbers.fold(0.0, f64::max), "hit")],
    }
}

/// Rows as points of a plot.
struct Plot<'panel> {
    rows: Vec<TimedRow<'panel>>,
    /// Where the plot begins, and how much time it is about.
    since: TimeUs,
    length_us: i64,
    /// The number at its upper edge.
    top: f64,
    /// Whether a number stands as high as its root.
    by_root: bool,
}

impl Plot<'_> {
    /// A column's numbers, a point for each row that has one.
    fn points(&self, column: usize) -> impl Iterator<Item = Option<String>> {
        self.rows.iter().map(move |row| {
            let middle = (row.start.0 + row.end.0) / 2 - self.since.0;
            let across = share(middle, self.length_us).clamp(0.0, 1.0) * LINE_WIDTH;
            let height = row.values[column].number()? / self.top;
            let height = if self.by_root { height.sqrt() } else { height };
            Some(format!("{},{}", px(across), px(PLOT_PX - height * PLOT_PX)))
        })
    }

    fn lines(&self, column: usize, class: &'static str) -> Vec<Line> {
        let lines = runs(self.points(column)).into_iter().map(|mut run| {
            // A line to where it is makes a dot.
            if let [only] = run.as_slice() {
                run.push(only.clone());
            }
            let points = run.join(" ");
            Line { class, points }
        });
        lines.collect()
    }

    fn bands(&self, [lower, upper]: [usize; 2]) -> Vec<Line> {
        let edges = self.points(lower).zip(self.points(upper));
        let edges = edges.map(|(lower, upper)| Some((lower?, upper?)));
        let bands = runs(edges).into_iter().map(|run| {
            let (mut lower, upper): (Vec<String>, Vec<String>) = run.into_iter().unzip();
            lower.reverse();
            Line {
                class: "band",
                points: [upper, lower].concat().join(" "),
            }
        });
        bands.collect()
    }
}

/// Levels of shares that are drawn by their roots, as far apart as text is high.
fn root_levels(top: f64) -> Vec<Level> {
    const SHARES: [f64; 7] = [1.0, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001];
    const APART_PX: f64 = 18.0;
    let mut levels = Vec::new();
    let mut lowest_px = f64::NEG_INFINITY;
    for share in SHARES.into_iter().filter(|&share| share <= top) {
        let y = PLOT_PX - (share / top).sqrt() * PLOT_PX;
        if y - lowest_px >= APART_PX && PLOT_PX - y >= APART_PX {
            lowest_px = y;
            levels.push(Level {
                y: px(y),
                text: percent(share).replace(".0%", "%"),
            });
        }
    }
    levels
}

/// The columns between which the truth lies: those whose names begin with `lower` and `upper`.
fn bounds(panel: &Panel) -> Option<[usize; 2]> {
    let bound = |side: &str| {
        let mut names = panel.columns.iter();
        names.position(|name| name.starts_with(side))
    };
    Some([bound("lower")?, bound("upper")?])
}

/// The stretches in which there is something: a picture does not go on over what nobody knows.
fn runs<T>(points: impl Iterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut runs = vec![Vec::new()];
    for point in points {
        match (point, runs.last_mut()) {
            (Some(point), Some(run)) => run.push(point),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// The picture of a panel in characters, where it has one that has a form in these; a line over time has so many `cells`.
pub(crate) fn picture_in_text(panel: &Panel, cells: usize, tz: Tz) -> Option<Vec<String>> {
    hours_in_text(panel).or_else(|| lines_in_text(panel, cells, tz))
}

/// The lines of a panel in so many characters each: as high as the greatest number in each stretch of rows, `·` where there is none.
fn lines_in_text(panel: &Panel, cells: usize, tz: Tz) -> Option<Vec<String>> {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = panel.charted(ChartKind::Line)?;
    let (&x, ys) = columns.split_first()?;
    let stretch = panel.rows.len().div_ceil(cells.max(1)).max(1);
    let name = |&y: &usize| escape_control(&Panel::heading(&panel.columns[y])).into_owned();
    let names = ys.iter().map(name);
    let name_width = names.map(|name| width(&name)).max()?;
    let lines = ys.iter().map(|&y| {
        let unit = Unit::of(&panel.columns[y]);
        let most_of = |rows: &[Vec<Value>]| {
            let numbers = rows.iter().filter_map(|row| row[y].number());
            numbers.reduce(f64::max)
        };
        let most = most_of(&panel.rows).unwrap_or_default();
        let cells = panel.rows.chunks(stretch).map(|rows| match most_of(rows) {
            Some(number) => STEPS[step_of(number, most, STEPS.len())],
            None => '·',
        });
        let name = name(&y);
        let gap = " ".repeat(name_width - width(&name));
        format!(
            "{name}{gap} {} up to {}",
            cells.collect::<String>(),
            unit.show(most)
        )
    });
    let at = |row: &Vec<Value>| match &row[x] {
        time @ (Value::Time(_) | Value::Day(_)) => time.show(Unit::Count, tz),
        _ => None,
    };
    let from_to = format!(
        "from {} to {}",
        at(panel.rows.first()?)?,
        at(panel.rows.last()?)?
    );
    Some([from_to].into_iter().chain(lines).collect())
}

/// The highest of some columns.
fn highest(columns: &[Column]) -> f64 {
    let heights = columns
        .iter()
        .map(|column| column.values.iter().map(|(value, _)| value).sum::<f64>());
    heights.fold(0.0, f64::max)
}

/// Hours of the week, as dark as a number is high.
#[derive(Debug, Serialize)]
pub(crate) struct Heat {
    days: Vec<HeatDay>,
}

#[derive(Debug, Serialize)]
struct HeatDay {
    name: &'static str,
    text: String,
    cells: Vec<Stretch>,
}

/// The picture of a panel whose columns are hours, weekdays (1 is Monday) and a number.
pub(crate) fn panel_heat(report: &Report, panel: &Panel) -> Option<Heat> {
    const CLASSES: [&str; 6] = ["heat-0", "heat-1", "heat-2", "heat-3", "heat-4", "heat-5"];
    let week = hours_of_week(panel)?;
    let column = panel.charted(ChartKind::Heat)?[2];
    let unit = Unit::of(&panel.columns[column]);
    let most = week.iter().flatten().copied().fold(0.0, f64::max);
    let days = week.iter().zip(WEEKDAYS).map(|(hours, name)| {
        let cells = hours.iter().zip(0_i32..).map(|(&number, hour)| Stretch {
            x: across(f64::from(hour) / 24.0),
            width: across(1.0 / 24.0),
            class: CLASSES[darkness(number, most)],
            text: format!("{name} {hour:02}:00: {}", unit.show(number)),
        });
        let sum: f64 = hours.iter().sum();
        HeatDay {
            name,
            text: format!("{name}: {}", unit.show(sum)),
            cells: cells.collect(),
        }
    });
    (report.until > report.since && most > 0.0).then_some(Heat {
        days: days.collect(),
    })
}

/// Names of the days of the week, Monday first.
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The numbers of such a panel by weekday and hour, 0 where there is no row.
fn hours_of_week(panel: &Panel) -> Option<[[f64; 24]; 7]> {
    let columns = panel.charted(ChartKind::Heat)?;
    let &[x, y, z] = columns.as_slice() else {
        return None;
    };
    let mut week = [[0.0; 24]; 7];
    for row in &panel.rows {
        if let (Value::Int(hour), Value::Int(weekday), Some(number)) =
            (&row[x], &row[y], row[z].number())
            && let (Ok(hour), Ok(weekday)) = (usize::try_from(*hour), usize::try_from(*weekday))
            && let Some(cell) = weekday
                .checked_sub(1)
                .and_then(|weekday| week.get_mut(weekday)?.get_mut(hour))
        {
            *cell = number;
        }
    }
    Some(week)
}

/// The same in characters: a line of hours, then one for each weekday.
fn hours_in_text(panel: &Panel) -> Option<Vec<String>> {
    const SHADES: [&str; 6] = ["·", "░", "░", "▒", "▓", "█"];
    let week = hours_of_week(panel)?;
    let most = week.iter().flatten().copied().fold(0.0, f64::max);
    let shade = |&number: &f64| SHADES[darkness(number, most)];
    let days = week.iter().zip(WEEKDAYS);
    let days = days.map(|(hours, name)| {
        let hours: String = hours.iter().map(shade).collect();
        format!("{name} {hours}")
    });
    let hours = "    0     6     12    18".to_owned();
    Some([hours].into_iter().chain(days).collect())
}

/// A number as one of six steps up to `most`; only nothing is the first.
fn darkness(number: f64, most: f64) -> usize {
    if most > 0.0 && number > 0.0 {
        1 + step_of(number, most, 5)
    } else {
        0
    }
}

/// A number as one of so many steps up to `most`, from 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a handful of steps"
)]
fn step_of(number: f64, most: f64, steps: usize) -> usize {
    let share = if most > 0.0 { number / most } else { 0.0 };
    (share * steps as f64).ceil().clamp(1.0, steps as f64) as usize - 1
}

fn chart(
    report: &Report,
    title: String,
    columns: Vec<Column>,
    top_min: Option<f64>,
    keys: Vec<(&'static str, impl Into<String>)>,
    level_text: impl Fn(f64) -> String,
) -> Option<Chart> {
    if report.until <= report.since || columns.is_empty() {
        return None;
    }
    let mut keys: Vec<(&'static str, String)> = keys
        .into_iter()
        .map(|(class, name)| (class, name.into()))
        .collect();
    let step = round_step(highest(&columns).max(top_min.unwrap_or(1.0)) / 3.0);
    let top = highest_level(&columns, step);
    let levels = (1..=5)
        .map(|level| f64::from(level) * step)
        .filter(|&level| level <= top * 1.000_001);

    let levels = levels
        .map(|level| Level {
            y: px(PLOT_PX - level / top * PLOT_PX),
            text: level_text(level),
        })
        .collect();
    let bars = columns
        .into_iter()
        .filter_map(|column| bar(report, column, top))
        .collect();
    let shades: Vec<Shade> = report
        .incidents
        .iter()
        .enumerate()
        .take(SHADES_MAX)
        .filter_map(|(index, incident)| {
            let (x, width) = place(report, incident.start, incident.end)?;
            let class = match incident.kind {
                IncidentKind::Outage => "shade-outage",
                IncidentKind::Degraded => "shade-degraded",
                IncidentKind::Gap => "shade-gap",
            };
            let text = format!(
                "{}: {}, {}",
                incident.kind.name(),
                span(incident.start, incident.end, report.tz),
                lasting(incident.minutes)
            );
            Some(Shade {
                story: incident_id(index),
                x,
                width,
                class,
                text,
            })
        })
        .collect();
    for (class, name) in [
        ("shade-outage", "outage"),
        ("shade-degraded", "degraded"),
        ("shade-gap", "gap"),
    ] {
        if shades.iter().any(|shade| shade.class == class) {
            keys.push((class, name.to_owned()));
        }
    }
    Some(Chart {
        title,
        height: px(PLOT_PX + DATES_PX),
        plot: px(PLOT_PX),
        shades,
        bars,
        lines: Vec::new(),
        bands: Vec::new(),
        levels,
        dates: dates(report),
        keys,
    })
}

/// The lowest multiple of `step` that no column exceeds.
fn highest_level(columns: &[Column], step: f64) -> f64 {
    ((highest(columns) / step).ceil() * step).max(step)
}

/// 1, 2 or 5 times a power of ten: the least that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&round| round >= step * 0.999_999)
        .unwrap_or(step)
}

/// A bar, if anything of it is to be seen within the window.
fn bar(report: &Report, column: Column, top: f64) -> Option<Bar> {
    let (x, width) = place(report, column.start, column.end)?;
    let mut y = PLOT_PX;
    let mut parts = Vec::new();
    for (value, class) in column.values {
        let height = value / top * PLOT_PX;
        y -= height;
        if height > 0.0 {
            parts.push(Part {
                y: px(y),
                height: px(height),
                class,
            });
        }
    }
    (!parts.is_empty()).then_some(Bar {
        x,
        width,
        text: column.text,
        parts,
    })
}

/// Where a stretch lies in the window, if it does.
fn place(report: &Report, start: TimeUs, end: TimeUs) -> Option<(String, String)> {
    let (start, end) = (start.max(report.since), end.min(report.until));
    let length = report.until.0 - report.since.0;
    (start < end).then(|| {
        (
            across(share(start.0 - report.since.0, length)),
            across(share(end.0 - start.0, length)),
        )
    })
}

/// Dates below a picture: days, or hours of a short window.
fn dates(report: &Report) -> Vec<Date> {
    const DATES: i64 = 8;
    let length = report.until.0 - report.since.0;
    let hourly = length <= 3 * DAY_US;
    let steps: &[i64] = if hourly {
        &[1, 2, 3, 6, 12]
    } else {
        &[24, 2 * 24, 7 * 24, 14 * 24, 28 * 24, 91 * 24, 364 * 24]
    };
    let step = steps
        .iter()
        .map(|hours| hours * HOUR_US)
        .find(|step| length / step <= DATES)
        .unwrap_or(length / DATES);
    let first = day_start(report.since.day(report.tz), report.tz);
    let mut dates = Vec::new();
    let mut at = first.0;
    while at < report.until.0 {
        let day = TimeUs(at);
        // Days are found anew, because one may have 23 or 25 hours.
        let time = if hourly {
            day
        } else {
            day_start(TimeUs(at + HOUR_US).day(report.tz), report.tz)
        };
        let position = share(time.0 - report.since.0, length);
        // A date at the right edge would be cut off.
        if (0.0..0.97).contains(&position) {
            let text = if hourly && time != day_start(time.day(report.tz), report.tz) {
                time.show(report.tz, "%H:%M")
            } else {
                time.show(report.tz, "%-d %b")
            };
            dates.push(Date {
                x: across(position),
                text,
                anchor: "start",
                minor: dates.len() % 2 == 1,
            });
        }
        at += step;
    }
    dates
}

/// A share as a position across.
pub(crate) fn across(share: f64) -> String {
    format!("{}%", trimmed(share * 100.0, 3))
}

fn px(number: f64) -> String {
    trimmed(number, 1)
}

/// With no more decimals than needed: a page has ten thousand of them.
fn trimmed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a height in a picture")]
fn float(number: i64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a level of a chart, below the highest count"
)]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_round() {
        assert_eq!(
            [0.34, 1.0, 3.0, 7.0, 1200.0].map(round_step),
            [0.5, 1.0, 5.0, 10.0, 2000.0]
        );
    }

    #[test]
    fn only_nothing_has_no_colour() {
        assert_eq!(
            [0.0, 1.0, 20.0, 21.0, 100.0].map(|number| darkness(number, 100.0)),
            [0, 1, 1, 2, 5]
        );
        assert_eq!(darkness(0.0, 0.0), 0);
    }

    #[test]
    fn positions_are_short() {
        assert_eq!(
            [0.0, 0.5, 1.0 / 3.0, 1.0].map(across),
            ["0%", "50%", "33.333%", "100%"]
        );
    }
}
