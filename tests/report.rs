//! Reports as a team keeps them: a folder with its index, sections of one's own, a copy to be passed on.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::bad_input::Disk;
use crate::command::{Place, Run, combined, end};

const LOG: &str = r#"192.0.2.7 - - [09/Nov/2026:08:00:00 +0000] "GET /a?who=me HTTP/2.0" 200 5320 "https://search.example/?q=secret" "Mozilla/5.0"
2001:db8:17::1f - - [10/Nov/2026:08:00:00 +0000] "GET /b HTTP/2.0" 200 90 "-" "curl/8.5.0"
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("access.log", LOG);
    place
}

/// What the published schema says of a JSON report.
fn against_the_schema(place: &Place, report: &str) -> Run {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.schema.json");
    let script = "import json, sys, jsonschema\n\
        schema, report = (json.load(open(path)) for path in sys.argv[1:])\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        jsonschema.Draft202012Validator(schema).validate(report)\n";
    let report = place.write("held-against-the-schema.json", report);
    // Debian's own, which has its package python3-jsonschema.
    let mut python = place.program("/usr/bin/python3");
    let python = python.args(["-c", script, schema]).arg(report);
    end(python.spawn().unwrap())
}

#[track_caller]
pub(crate) fn is_as_published(place: &Place, report: &str) {
    against_the_schema(place, report).done();
}

#[test]
fn every_report_is_as_its_schema_says() {
    let place = place();
    place.write(
        "own/broken.sql",
        "-- title: T\n-- question: Q\n-- report: R\nSELECT stauts FROM requests\n",
    );
    let windows = ["2026-11-09", "2026-11-20"].map(|day| ["--day", day]);
    for more in [
        &windows[0][..],
        &windows[1],
        &["--share"],
        &["--queries", "own"],
    ] {
        let run = place.floodmark(&[&["report", "-q", "access.log", "--json", "-"], more].concat());
        is_as_published(&place, &run.stdout);
    }
    place.floodmark(&["ingest", "-q", "access.log"]).done();
    is_as_published(
        &place,
        &place.floodmark(&["report", "-q", "--json", "-"]).done(),
    );
}

#[test]
fn a_report_that_is_not_as_its_schema_says_is_found() {
    let place = place();
    let json = place.floodmark(&["report", "-q", "access.log", "--json", "-"]);
    let json: serde_json::Value = serde_json::from_str(&json.done()).unwrap();
    for (at, wrong) in [
        ("/schema", serde_json::json!(1)),
        ("/since", serde_json::json!("2026-11-09")),
        ("/weeks/0/unknown", serde_json::json!(1)),
        ("/panels/0/rows", serde_json::json!([])),
        ("/bots/0/class", serde_json::json!("robot")),
    ] {
        let mut json = json.clone();
        let (object, name) = at.rsplit_once('/').unwrap();
        json.pointer_mut(object).unwrap()[name] = wrong;
        let run = against_the_schema(&place, &json.to_string());
        assert!(run.stderr.contains("ValidationError"), "{at}: {run:#?}");
    }
}

#[test]
fn a_folder_of_reports_has_an_index_that_leads_to_each() {
    let place = place();
    let keep = |day: &str| {
        let arguments = [
            "report",
            "-q",
            "access.log",
            "--into",
            "reports",
            "--day",
            day,
        ];
        place.floodmark(&arguments).done();
        fs::read_to_string(place.path("reports/index.html")).unwrap()
    };
    let first = keep("2026-11-09");
    assert!(!first.contains("2026-11-10"), "{first}");
    let both = keep("2026-11-10");
    let of = |day: &str| both.find(&format!(r#"<a href="{day}.html">{day}</a>"#));
    assert!(
        of("2026-11-10").unwrap() < of("2026-11-09").unwrap(),
        "{both}"
    );
    assert_eq!(keep("2026-11-10"), both);
    // What is no report, or has lost its page, is not led to.
    place.write("reports/notes.json", "{}");
    place.write("reports/notes.html", "");
    fs::remove_file(place.path("reports/2026-11-09.html")).unwrap();
    let left = keep("2026-11-10");
    assert!(
        !left.contains("notes") && !left.contains("2026-11-09"),
        "{left}"
    );
}

#[test]
fn a_report_that_cannot_be_written_leaves_the_old_one() {
    let place = place();
    let page = place.write("reports/2026-11-09.html", "the old one");
    let reports = place.path("reports");
    // A folder stands where the JSON is to be.
    fs::create_dir(reports.join("2026-11-09.json")).unwrap();
    let arguments = [
        "report",
        "-q",
        "access.log",
        "--day",
        "2026-11-09",
        "--json",
        "reports/2026-11-09.json",
    ];
    let run = place.floodmark(&arguments);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr
            .contains("cannot write `reports/2026-11-09.json`"),
        "{run:#?}"
    );
    assert_eq!(fs::read_to_string(page).unwrap(), "the old one");
    assert_eq!(
        fs::read_dir(reports).unwrap().count(),
        2,
        "nothing half-written is left"
    );
}

#[test]
fn a_full_disk_keeps_the_old_report_and_says_so() {
    let place = place();
    // Room for the old files, not for another page.
    let Some(_disk) = Disk::mount(&place, "size=32k") else {
        return;
    };
    let old = ["2026-11-09.html", "2026-11-09.json", "index.html"];
    for name in old {
        place.write(&format!("disk/reports/{name}"), "the old one");
    }
    for to in [
        ["--into", "disk/reports"],
        ["--html", "disk/reports/2026-11-09.html"],
    ] {
        let arguments = ["report", "-q", "access.log", "--day", "2026-11-09"];
        let run = place.floodmark(&[&arguments[..], &to].concat());
        assert_eq!(run.code, 2, "{run:#?}");
        let said = "error: cannot write `disk/reports/2026-11-09.html`: no space left on device";
        assert!(run.stderr.contains(said), "{run:#?}");
        let reports = place.path("disk/reports");
        assert_eq!(fs::read_dir(&reports).unwrap().count(), old.len());
        for name in old {
            let kept = fs::read_to_string(reports.join(name)).unwrap();
            assert_eq!(kept, "the old one");
        }
    }
}

#[test]
fn a_page_is_no_larger_for_a_log_of_many_paths() {
    let place = Place::new();
    let sizes = [2_000, 200_000].map(|paths| {
        // As many days, whatever the number of paths: their second goes round.
        place.write("access.log", combined(0, paths));
        let files = ["--html", "r.html", "--json", "r.json", "--md", "r.md"];
        let arguments = ["report", "-q", "access.log", "--day", "2026-11-02"];
        place.floodmark(&[&arguments[..], &files].concat()).done();
        ["r.html", "r.json", "r.md"].map(|name| fs::metadata(place.path(name)).unwrap().len())
    });
    let [few, many] = sizes;
    for (few, many) in few.into_iter().zip(many) {
        assert!(many < 2 * few, "{few} bytes for few paths, {many} for many");
    }
}

#[test]
fn a_query_of_ones_own_is_a_section_and_a_broken_one_says_so() {
    let place = place();
    let query = |name: &str, sql: &str| {
        let header = format!("-- title: {name}\n-- question: How many?\n-- report: Shop\n");
        place.write(&format!("own/{name}.sql"), format!("{header}{sql}\n"));
    };
    query(
        "Carts",
        "SELECT path, count(*) AS requests FROM requests GROUP BY path ORDER BY path",
    );
    query("Wrong", "SELECT stauts FROM requests");
    place.write("own/unshown.sql", "-- title: T\n-- question: Q\nSELECT 1\n");
    let report = || {
        place.floodmark(&[
            "report",
            "-q",
            "access.log",
            "--queries",
            "own",
            "--json",
            "-",
        ])
    };
    let run = report();
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.stderr
            .contains("query `Wrong`: 1:8: no column `stauts`"),
        "{run:#?}"
    );
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let panels = json["panels"].as_array().unwrap().iter();
    let own: Vec<_> = panels.filter(|panel| panel["section"] == "Shop").collect();
    assert_eq!(own.len(), 2, "{own:#?}");
    assert_eq!(
        own[0]["rows"][0],
        serde_json::json!({"path": "/a", "requests": 1})
    );
    assert_eq!(
        (&own[1]["failed"], &own[1]["rows"]),
        (&true.into(), &serde_json::json!([]))
    );
    query("Wrong", "SELECT status FROM requests ORDER BY status");
    assert_eq!(report().code, 0);
    place.write("own/unread.sql", "SELECT 1\n");
    let run = report();
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("query `unread`, line 1: expected a header"),
        "{run:#?}"
    );
}

#[test]
fn what_is_shared_has_no_addresses_and_no_query_strings() {
    let place = place();
    let forms = |more: &[&str]| {
        let files = ["--html", "r.html", "--md", "r.md", "--json", "r.json"];
        place
            .floodmark(&[&["report", "-q", "access.log"], &files[..], more].concat())
            .done();
        let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
        ["r.html", "r.md", "r.json"].map(read).concat()
    };
    let secrets = ["192.0.2.7", "2001:db8:17::1f"];
    assert!(secrets.iter().all(|secret| forms(&[]).contains(secret)));
    let shared = forms(&["--share"]);
    assert!(!secrets.iter().any(|secret| shared.contains(secret)));
    assert!(shared.contains("192.0.2.0/24") && shared.contains("2001:db8:17::/48"));
    assert!(!shared.contains("who=me") && !shared.contains("q=secret"));
}

#[test]
fn any_number_of_threads_makes_the_same_report() {
    let place = place();
    let report = |threads: &str| {
        let arguments = [
            "report",
            "-q",
            "access.log",
            "--html",
            "-",
            "--threads",
            threads,
        ];
        place.floodmark(&arguments).done()
    };
    assert_eq!(report("1"), report("3"));
}

#[test]
fn open_shows_the_page_and_needs_one() {
    let place = place();
    let browser = place.write("bin/xdg-open", "#!/bin/sh\necho \"$1\" > shown\n");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
    let mut report = place.command(&["report", "-q", "access.log", "--html", "r.html", "--open"]);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", place.path("bin").display());
    end(report.env("PATH", path).spawn().unwrap()).done();
    assert_eq!(fs::read_to_string(place.path("shown")).unwrap(), "r.html\n");
    let run = place.floodmark(&["report", "access.log", "--open"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("`--open`: there is no page to show"),
        "{run:#?}"
    );
}
