//! A table of text that fits a width: the least important columns go first, then the widest text is cut.

use std::borrow::Cow;

use crate::text::{Style, Tone, cut, width};

const GAP: &str = "  ";

/// A column of a [`Grid`].
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    title: String,
    align: Align,
    /// Columns with the highest number are left out first; 0 stays.
    rank: u8,
    /// Columns it may be cut to; `None` if it is shown whole.
    shrink: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

impl Heading {
    /// A column of words.
    pub(crate) fn text(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            align: Align::Left,
            rank: 0,
            shrink: None,
        }
    }

    /// A column of numbers.
    pub(crate) fn number(title: impl Into<String>) -> Self {
        Self {
            align: Align::Right,
            ..Self::text(title)
        }
    }

    /// Left out before columns of a lower rank, where the width does not do.
    pub(crate) fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// May be cut, down to `columns`.
    pub(crate) fn shrink(self, columns: usize) -> Self {
        Self {
            shrink: Some(columns),
            ..self
        }
    }
}

/// A cell: text without control characters, and its tone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// Headings and rows.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    headings: Vec<Heading>,
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    pub(crate) fn new(headings: impl IntoIterator<Item = Heading>) -> Self {
        Self {
            headings: headings.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell for each heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Its lines, each with a newline, indented by two columns.
    pub(crate) fn draw(&self, style: Style) -> String {
        let layout = self.layout(style.width);
        let mut out = layout.line(
            self.headings
                .iter()
                .map(|heading| (heading.title.as_str(), Tone::Dim)),
            style,
        );
        for row in &self.rows {
            out.push_str(&layout.row(row, style));
        }
        out
    }

    /// Which columns are shown, and how wide.
    pub(crate) fn layout(&self, width_max: usize) -> Layout {
        let natural: Vec<usize> = (0..self.headings.len())
            .map(|index| {
                let cells = self
                    .rows
                    .iter()
                    .filter_map(|row| row.get(index))
                    .map(|cell| width(&cell.text));
                cells
                    .chain([width(&self.headings[index].title)])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let least = |index: usize| {
            self.headings[index]
                .shrink
                .map_or(natural[index], |shrink| shrink.min(natural[index]))
        };
        let mut shown: Vec<bool> = vec![true; self.headings.len()];
        let needed = |shown: &[bool], width_of: &dyn Fn(usize) -> usize| -> usize {
            (0..shown.len())
                .filter(|&index| shown[index])
                .map(|index| width_of(index) + GAP.len())
                .sum()
        };
        while needed(&shown, &least) > width_max {
            let last =
                (0..shown.len()).filter(|&index| shown[index] && self.headings[index].rank > 0);
            match last.max_by_key(|&index| (self.headings[index].rank, index)) {
                Some(index) => shown[index] = false,
                None => break,
            }
        }
        let mut widths = natural.clone();
        // Takes from the widest that may shrink, one column at a time: the text that is cut is the longest.
        while needed(&shown, &|index| widths[index]) > width_max {
            let widest =
                (0..shown.len()).filter(|&index| shown[index] && widths[index] > least(index));
            match widest.max_by_key(|&index| widths[index]) {
                Some(index) => widths[index] -= 1,
                None => break,
            }
        }
        let columns = (0..shown.len())
            .map(|index| shown[index].then_some((widths[index], self.headings[index].align)));
        Layout {
            columns: columns.collect(),
            cuts: width_max != usize::MAX,
        }
    }
}

/// How rows are set.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Width and alignment of each column; `None` where it is left out.
    columns: Vec<Option<(usize, Align)>>,
    /// Whether a cell that is wider than its column is cut.
    cuts: bool,
}

impl Layout {
    /// A row, with its newline.
    pub(crate) fn row(&self, cells: &[Cell], style: Style) -> String {
        self.line(
            cells.iter().map(|cell| (cell.text.as_str(), cell.tone)),
            style,
        )
    }

    fn line<'text>(&self, cells: impl Iterator<Item = (&'text str, Tone)>, style: Style) -> String {
        let mut out = String::new();
        // Spaces wait until something follows them, so that no line ends in one.
        let mut spaces = 0;
        for ((text, tone), column) in cells.zip(&self.columns) {
            let Some((columns, align)) = *column else {
                continue;
            };
            let text = if self.cuts {
                cut(text, columns)
            } else {
                Cow::Borrowed(text)
            };
            let padding = columns.saturating_sub(width(&text));
            let (before, after) = if align == Align::Right {
                (padding, 0)
            } else {
                (0, padding)
            };
            spaces += GAP.len() + before;
            if !text.is_empty() {
                out.extend(std::iter::repeat_n(' ', spaces));
                out.push_str(&style.paint(tone, &text));
                spaces = 0;
            }
            spaces += after;
        }
        out.push('\n');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Grid {
        let mut grid = Grid::new([
            Heading::text("path").shrink(6),
            Heading::number("requests"),
            Heading::number("bytes").rank(2),
            Heading::number("errors").rank(1),
        ]);
        grid.row([
            "/a/rather/long/path".into(),
            "1,000".into(),
            "1.0 kB".into(),
            Cell::toned("7", Tone::Bad),
        ]);
        grid.row(["".into(), "5".into(), "".into(), "".into()]);
        grid
    }

    #[test]
    fn everything_is_shown_where_there_is_room() {
        let drawn = "  path                 requests   bytes  errors\n  /a/rather/long/path     1,000  1.0 kB       7\n                              5\n";
        assert_eq!(paths().draw(Style::PLAIN), drawn);
        assert_eq!(
            paths().draw(Style {
                width: 47,
                color: false
            }),
            drawn
        );
    }

    #[test]
    fn text_is_cut_before_a_column_goes_and_the_last_rank_goes_first() {
        assert_eq!(
            paths().draw(Style {
                width: 40,
                color: false
            }),
            "  path          requests   bytes  errors\n  /a/rather/l…     1,000  1.0 kB       7\n                       5\n"
        );
        assert_eq!(
            paths().draw(Style {
                width: 28,
                color: false
            }),
            "  path      requests  errors\n  /a/rath…     1,000       7\n                   5\n"
        );
        assert_eq!(
            paths().draw(Style {
                width: 1,
                color: false
            }),
            "  path    requests\n  /a/ra…     1,000\n               5\n"
                .replace("               5", "                 5")
        );
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let drawn = paths().draw(Style {
            width: 80,
            color: true,
        });
        assert!(drawn.contains("       \x1b[1;31m7\x1b[0m\n"), "{drawn:?}");
    }
}
