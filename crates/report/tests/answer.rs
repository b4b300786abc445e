//! Any answer in each format.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its stage may panic"
)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int16Array, Int64Array, ListArray,
    StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use floodmark_report::{Style, TableFormat, write_answer};

fn batch() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "time",
            Arc::new(
                TimestampMicrosecondArray::from(vec![
                    Some(1_795_003_200_000_000),
                    Some(1_795_003_200_250_000),
                    None,
                ])
                .with_timezone("UTC"),
            ),
        ),
        (
            "path",
            Arc::new(StringViewArray::from(vec![Some("/a,b\"c"), Some(""), None])),
        ),
        (
            "agent",
            Arc::new(StringViewArray::from(vec![
                Some("=HYPERLINK(1)"),
                Some("\tx\u{1b}[2J"),
                Some("-"),
            ])),
        ),
        (
            "status",
            Arc::new(Int16Array::from(vec![Some(200), Some(-1), None])),
        ),
        (
            "requests",
            Arc::new(Int64Array::from(vec![Some(1_234_567), Some(-5), Some(0)])),
        ),
        (
            "p95",
            Arc::new(Float64Array::from(vec![
                Some(0.1 + 0.2),
                Some(f64::NAN),
                None,
            ])),
        ),
        (
            "ok",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![Some(20_775), None, None])),
        ),
        (
            "codes",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
                Some(vec![Some(1), None]),
                Some(vec![]),
                None,
            ])),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[track_caller]
fn check(format: TableFormat, style: Style, batches: Vec<RecordBatch>, expected: &str) {
    let mut out = Vec::new();
    write_answer(
        &mut out,
        &batch().schema(),
        batches,
        format,
        chrono_tz::Europe::Berlin,
        style,
    )
    .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn csv_tells_null_from_empty_and_disarms_formulas() {
    check(
        TableFormat::Csv,
        Style::PLAIN,
        vec![batch()],
        concat!(
            "time,path,agent,status,requests,p95,ok,day,codes\n",
            "2026-11-18T12:00:00Z,\"/a,b\"\"c\",'=HYPERLINK(1),200,1234567,0.30000000000000004,true,2026-11-18,\"[1, ]\"\n",
            "2026-11-18T12:00:00.250Z,\"\",'\\x09x\\x1B[2J,-1,-5,NaN,,,[]\n",
            ",,'-,,0,,false,,\n",
        ),
    );
}

#[test]
fn tsv_is_separated_by_tabs() {
    let batch = batch().project(&[1, 3]).unwrap();
    let mut out = Vec::new();
    write_answer(
        &mut out,
        &batch.schema(),
        [batch],
        TableFormat::Tsv,
        chrono_tz::UTC,
        Style::PLAIN,
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "path\tstatus\n\"/a,b\"\"c\"\t200\n\"\"\t-1\n\t\n"
    );
}

#[test]
fn json_is_an_array_and_json_lines_are_not() {
    let first = r#"{"time":"2026-11-18T12:00:00Z","path":"/a,b\"c","agent":"=HYPERLINK(1)","status":200,"requests":1234567,"p95":0.30000000000000004,"ok":true,"day":"2026-11-18","codes":[1,null]}"#;
    let second = r#"{"time":"2026-11-18T12:00:00.250Z","path":"","agent":"\tx\u001b[2J","status":-1,"requests":-5,"p95":null,"ok":null,"day":null,"codes":[]}"#;
    let third = r#"{"time":null,"path":null,"agent":"-","status":null,"requests":0,"p95":null,"ok":false,"day":null,"codes":null}"#;
    let array = format!("[\n{first},\n{second},\n{third}\n]\n");
    check(TableFormat::Json, Style::PLAIN, vec![batch()], &array);
    check(
        TableFormat::Jsonl,
        Style::PLAIN,
        vec![batch()],
        &format!("{first}\n{second}\n{third}\n"),
    );
    serde_json::from_str::<serde_json::Value>(&array).unwrap();
    check(TableFormat::Json, Style::PLAIN, vec![], "[]\n");
    check(TableFormat::Jsonl, Style::PLAIN, vec![], "");
}

#[test]
fn a_table_is_in_the_zone_and_cut_to_the_terminal() {
    check(
        TableFormat::Table,
        Style {
            width: 100,
            color: false,
        },
        vec![batch()],
        concat!(
            "  time                       path    agent          status   requests  p95  ok     day         codes\n",
            "  2026-11-18 13:00:00+01:00  /a,b\"c  =HYPERLINK(1)     200  1,234,567  0.3  true   2026-11-18  [1, ]\n",
            "  2026-11-18 13:00:00.250+…          \\x09x\\x1B[2J       -1         -5  NaN  ∅      ∅           []\n",
            "  ∅                          ∅       -                   ∅          0    ∅  false  ∅           ∅\n",
        ),
    );
}

#[test]
fn a_file_gets_the_whole_table() {
    check(
        TableFormat::Table,
        Style::PLAIN,
        vec![batch().slice(1, 1)],
        concat!(
            "  time                           path  agent         status  requests  p95  ok  day  codes\n",
            "  2026-11-18 13:00:00.250+01:00        \\x09x\\x1B[2J      -1        -5  NaN  ∅   ∅    []\n",
        ),
    );
}

#[test]
fn markdown_is_a_table_for_a_chat() {
    check(
        TableFormat::Markdown,
        Style::PLAIN,
        vec![batch()],
        concat!(
            "| time | path | agent | status | requests | p95 | ok | day | codes |\n",
            "| --- | --- | --- | ---: | ---: | ---: | --- | --- | --- |\n",
            "| 2026-11-18T12:00:00Z | /a,b\"c | =HYPERLINK(1) | 200 | 1234567 | 0.30000000000000004 | true | 2026-11-18 | \\[1, \\] |\n",
            "| 2026-11-18T12:00:00.250Z |  | \\\\x09x\\\\x1B\\[2J | -1 | -5 | NaN | ∅ | ∅ | \\[\\] |\n",
            "| ∅ | ∅ | - | ∅ | 0 | ∅ | false | ∅ | ∅ |\n",
        ),
    );
}

#[test]
fn batches_make_the_same_answer_as_one() {
    let write = |batches: Vec<RecordBatch>, format| {
        let mut out = Vec::new();
        write_answer(
            &mut out,
            &batch().schema(),
            batches,
            format,
            chrono_tz::UTC,
            Style {
                width: 80,
                color: true,
            },
        )
        .unwrap();
        out
    };
    for format in [
        TableFormat::Table,
        TableFormat::Csv,
        TableFormat::Json,
        TableFormat::Jsonl,
        TableFormat::Markdown,
    ] {
        let slices = (0..3).map(|row| batch().slice(row, 1)).collect();
        assert_eq!(write(slices, format), write(vec![batch()], format));
    }
}
