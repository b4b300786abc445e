//! Any answer as a table, CSV, TSV, JSON, JSON lines or Markdown, written batch by batch.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use chrono_tz::Tz;

use crate::cell::{Column, Value};
use crate::error::Error;
use crate::grid::{Cell, Grid, Heading, Layout};
use crate::json;
use crate::markdown::cell as markdown_cell;
use crate::text::{Style, Tone, escape_control, grouped};

/// Rows of a table whose widths decide its columns; later rows that need more are cut, or stick out where nothing is cut.
const SIZED_ROWS: usize = 1000;

/// Columns that a cell of words keeps however narrow the terminal is.
const CELL_WIDTH_MIN: usize = 8;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// For people: aligned, cut to the terminal, times in the zone, `∅` for NULL.
    Table,
    /// For people: each row on lines of its own, a column a line, nothing cut.
    Record,
    /// RFC 4180 with a header; NULL is nothing, empty text is `""`, a formula is quoted by `'`.
    Csv,
    /// As [`TableFormat::Csv`], separated by tabs.
    Tsv,
    /// An array of objects.
    Json,
    /// An object per line.
    Jsonl,
    /// A table for a chat or a pull request.
    Markdown,
}

/// Writes a whole answer; see [`AnswerWriter`].
///
/// # Errors
///
/// The output fails, or a value has no text.
pub fn write_answer(
    out: &mut dyn Write,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = RecordBatch>,
    format: TableFormat,
    tz: Tz,
    style: Style,
) -> Result<(), Error> {
    let mut writer = AnswerWriter::new(out, schema, format, tz, style)?;
    for batch in batches {
        writer.rows(&batch)?;
    }
    writer.end()
}

/// Writes an answer in `format` as its batches come: [`AnswerWriter::rows`] for each, then [`AnswerWriter::end`].
///
/// Times are RFC 3339 UTC, in a table in the zone. Control characters are escaped in every format; JSON's own escapes undo them.
pub struct AnswerWriter<'out> {
    out: &'out mut dyn Write,
    schema: SchemaRef,
    format: TableFormat,
    tz: Tz,
    style: Style,
    /// Rows that wait for the table's widths to be known.
    waiting: Vec<Vec<Cell>>,
    sized: Option<Layout>,
    rows: u64,
}

impl std::fmt::Debug for AnswerWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerWriter")
            .field("format", &self.format)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl<'out> AnswerWriter<'out> {
    /// Begins an answer of this schema.
    ///
    /// # Errors
    ///
    /// The output fails.
    pub fn new(
        out: &'out mut dyn Write,
        schema: &SchemaRef,
        format: TableFormat,
        tz: Tz,
        style: Style,
    ) -> Result<Self, Error> {
        let mut writer = Self {
            out,
            schema: schema.clone(),
            format,
            tz,
            style,
            waiting: Vec::new(),
            sized: None,
            rows: 0,
        };
        writer.header()?;
        Ok(writer)
    }

    fn header(&mut self) -> Result<(), Error> {
        let names = || {
            self.schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
        };
        match self.format {
            TableFormat::Table | TableFormat::Record | TableFormat::Jsonl => {}
            TableFormat::Csv => writeln!(
                self.out,
                "{}",
                joined(names().map(|name| delimited(name, ',')), ",")
            )?,
            TableFormat::Tsv => writeln!(
                self.out,
                "{}",
                joined(names().map(|name| delimited(name, '\t')), "\t")
            )?,
            TableFormat::Json => write!(self.out, "[")?,
            TableFormat::Markdown => {
                writeln!(
                    self.out,
                    "| {} |",
                    joined(names().map(markdown_cell), " | ")
                )?;
                let rules = self
                    .schema
                    .fields()
                    .iter()
                    .map(|field| if is_number(field) { "---:" } else { "---" });
                writeln!(self.out, "| {} |", joined(rules.map(str::to_owned), " | "))?;
            }
        }
        Ok(())
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    ///
    /// The output fails, or a value has no text.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let schema = self.schema.clone();
        let columns = batch.columns().iter().zip(schema.fields());
        let columns: Vec<Column<'_>> = columns
            .map(|(array, field)| Column::new(field.name(), array))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            match self.format {
                TableFormat::Table => self.table_row(&columns, row)?,
                TableFormat::Record => self.record(&columns, row)?,
                TableFormat::Csv => self.delimited_row(&columns, row, ',', ",")?,
                TableFormat::Tsv => self.delimited_row(&columns, row, '\t', "\t")?,
                TableFormat::Json => {
                    let object = object(&schema, &columns, row)?;
                    write!(
                        self.out,
                        "{}\n{object}",
                        if self.rows > 0 { "," } else { "" }
                    )?;
                }
                TableFormat::Jsonl => writeln!(self.out, "{}", object(&schema, &columns, row)?)?,
                TableFormat::Markdown => {
                    let cells: Result<Vec<String>, Error> = columns
                        .iter()
                        .map(|column| markdown_value(column, row))
                        .collect();
                    writeln!(self.out, "| {} |", cells?.join(" | "))?;
                }
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Writes what waits, and the end.
    ///
    /// # Errors
    ///
    /// The output fails.
    pub fn end(mut self) -> Result<(), Error> {
        match self.format {
            TableFormat::Table => self.release()?,
            TableFormat::Json => writeln!(self.out, "{}]", if self.rows > 0 { "\n" } else { "" })?,
            _ => {}
        }
        self.out.flush()?;
        Ok(())
    }

    fn delimited_row(
        &mut self,
        columns: &[Column<'_>],
        row: usize,
        delimiter: char,
        between: &str,
    ) -> Result<(), Error> {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                write!(self.out, "{between}")?;
            }
            match column.value(row, None)? {
                Value::Null => {}
                Value::Number(text) | Value::Other(text) => write!(self.out, "{text}")?,
                Value::Text(text) => write!(self.out, "{}", delimited(&text, delimiter))?,
            }
        }
        writeln!(self.out)?;
        Ok(())
    }

    /// A row's values for people.
    fn cells(&self, columns: &[Column<'_>], row: usize) -> Result<Vec<Cell>, Error> {
        let cells = columns.iter().map(|column| {
            Ok(match column.value(row, Some(self.tz))? {
                Value::Null => Cell::toned("∅", Tone::Dim),
                Value::Number(text) if column.is_count() => Cell::from(grouped(&text)),
                Value::Number(text) | Value::Other(text) => Cell::from(text),
                Value::Text(text) => Cell::from(escape_control(&text)),
            })
        });
        cells.collect()
    }

    /// A row as a table of two columns, with a line before it that counts.
    fn record(&mut self, columns: &[Column<'_>], row: usize) -> Result<(), Error> {
        let mut grid = Grid::new([
            Heading::text(format!("row {}", self.rows + 1)),
            Heading::text(""),
        ]);
        let names = self.schema.fields().iter();
        for (field, cell) in names.zip(self.cells(columns, row)?) {
            let name = escape_control(field.name());
            grid.row([Cell::toned(name, Tone::Dim), cell]);
        }
        self.out.write_all(
            grid.draw(Style {
                width: usize::MAX,
                ..self.style
            })
            .as_bytes(),
        )?;
        Ok(())
    }

    fn table_row(&mut self, columns: &[Column<'_>], row: usize) -> Result<(), Error> {
        let cells = self.cells(columns, row)?;
        if let Some(layout) = &self.sized {
            self.out
                .write_all(layout.row(&cells, self.style).as_bytes())?;
        } else {
            self.waiting.push(cells);
            if self.waiting.len() == SIZED_ROWS {
                self.release()?;
            }
        }
        Ok(())
    }

    /// Draws the rows that wait and keeps their layout for those to come.
    fn release(&mut self) -> Result<(), Error> {
        if self.sized.is_some() {
            return Ok(());
        }
        let headings = self.schema.fields().iter().map(|field| {
            let title = escape_control(field.name());
            if is_number(field) {
                Heading::number(title)
            } else {
                Heading::text(title).shrink(CELL_WIDTH_MIN)
            }
        });
        let mut grid = Grid::new(headings);
        self.waiting.drain(..).for_each(|row| grid.row(row));
        self.out.write_all(grid.draw(self.style).as_bytes())?;
        self.sized = Some(grid.layout(self.style.width));
        Ok(())
    }
}

fn joined(cells: impl Iterator<Item = String>, between: &str) -> String {
    cells.collect::<Vec<_>>().join(between)
}

fn is_number(field: &arrow::datatypes::Field) -> bool {
    field.data_type().is_numeric()
}

/// Text as a CSV or TSV cell. A spreadsheet runs what starts with `=`, `+`, `-`, `@`, a tab or a return; a `'` in front stops it.
fn delimited(text: &str, delimiter: char) -> String {
    let formula = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    let text = format!("{formula}{}", escape_control(text));
    if text.is_empty() || text.contains([delimiter, '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn markdown_value(column: &Column<'_>, row: usize) -> Result<String, Error> {
    Ok(match column.value(row, None)? {
        Value::Null => "∅".to_owned(),
        Value::Number(text) | Value::Other(text) => text,
        Value::Text(text) => markdown_cell(&text),
    })
}

/// A row as a JSON object.
fn object(schema: &Schema, columns: &[Column<'_>], row: usize) -> Result<String, Error> {
    let mut out = String::from("{");
    for (index, (field, column)) in schema.fields().iter().zip(columns).enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&json::text(field.name()));
        out.push(':');
        column.json(row, &mut out)?;
    }
    out.push('}');
    Ok(out)
}
