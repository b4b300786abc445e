//! Whose bytes a file holds, and that each line is read once.

use std::fs;

use crate::splits::{gzip, zstd};
use crate::world::{World, lines};
use floodmark_source::{LastLine, SourceId};
use proptest::prelude::*;

/// Names to read and the outcomes expected of them.
type Step<'case> = (&'case [&'case str], &'case [&'case str]);

/// Ingests step by step. In all, the lines of `expected` are read, each once and in this order.
#[track_caller]
fn check(world: &mut World, steps: &[Step<'_>], expected: &str) {
    let mut read = Vec::new();
    for (names, outcomes) in steps {
        let run = world.ingest(names);
        assert_eq!(run.outcomes, *outcomes);
        assert_eq!(run.failures, [""; 0]);
        read.extend(run.lines);
    }
    let texts: Vec<&str> = read.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, expected.lines().collect::<Vec<_>>());
}

#[test]
fn the_same_bytes_add_nothing_under_any_name_and_compression() {
    let mut world = World::new();
    let log = lines("a", 0, 500);
    world.write("access.log", &log);
    world.write("copy.log", &log);
    world.write("access.log.1", &log);
    world.write("access.log.2.gz", gzip(&log));
    world.write("access.log.3", zstd(&log));
    let nothing = format!("nothing new in {}", log.len());
    check(
        &mut world,
        &[
            (&["access.log"], &["access.log: new"]),
            (&["access.log"], &[&format!("access.log: {nothing}")]),
            (
                &["copy.log"],
                &[&format!("copy.log: {nothing}, of access.log")],
            ),
            (&["access.log.1"], &[&format!("access.log.1: {nothing}")]),
            (
                &["access.log.2.gz"],
                &[&format!("access.log.2.gz: {nothing}")],
            ),
            (&["access.log.3"], &[&format!("access.log.3: {nothing}")]),
        ],
        &log,
    );
    assert_eq!(world.known().len(), 1);
}

#[test]
fn appended_lines_are_read_alone_under_any_name_and_compression() {
    let mut world = World::new();
    let log = lines("a", 0, 400);
    let end = |n: usize| lines("a", 0, n).len();
    world.write("access.log", lines("a", 0, 100));
    world.write("moved.log", lines("a", 0, 200));
    world.write("access.log.1.gz", gzip(lines("a", 0, 300)));
    world.write("access.log.1.zst", zstd(&log));
    check(
        &mut world,
        &[
            (&["access.log"], &["access.log: new"]),
            (
                &["moved.log"],
                &[&format!(
                    "moved.log: continues at {}, of access.log",
                    end(100)
                )],
            ),
            (
                &["access.log.1.gz"],
                &[&format!("access.log.1.gz: continues at {}", end(200))],
            ),
            (
                &["access.log.1.zst"],
                &[&format!("access.log.1.zst: continues at {}", end(300))],
            ),
        ],
        &log,
    );
}

#[test]
fn offsets_go_on_in_the_source_whatever_the_file() {
    let mut world = World::new();
    world.write("access.log", "one\n");
    world.ingest(&["access.log"]);
    world.write("access.log.1.gz", gzip("one\ntwo\nthree\n"));
    let id = world.known()[0].id.clone();
    assert_eq!(id.log_set(), "access.log");
    let run = world.ingest(&["access.log.1.gz"]);
    assert_eq!(
        run.lines,
        [
            (id.to_string(), 4, "two".to_owned()),
            (id.to_string(), 8, "three".to_owned())
        ]
    );
}

#[test]
fn a_concatenation_in_order_adds_nothing_but_what_comes_after() {
    for (name, pack) in [
        ("all.log", (|log| log.into()) as fn(&str) -> Vec<u8>),
        ("all.log.gz", |log| gzip(log)),
    ] {
        let mut world = World::new();
        let (a, b, c) = (lines("a", 0, 150), lines("b", 0, 90), lines("c", 0, 3));
        world.write("access.log.2", &a);
        world.write("access.log.1", &b);
        world.write("access.log", &c);
        // Several members where it is compressed.
        world.write(name, [&a, &b, &c].map(|log| pack(log)).concat());
        let all = format!("{a}{b}{c}");
        check(
            &mut world,
            &[
                (
                    &["access.log", "access.log.1", "access.log.2"],
                    &["access.log.2: new", "access.log.1: new", "access.log: new"],
                ),
                (
                    &[name],
                    &[&format!(
                        "{name}: nothing new in {}, of access.log",
                        all.len()
                    )],
                ),
            ],
            &all,
        );
        let more = lines("c", 3, 9);
        world.write(name, [&a, &b, &c, &more].map(|log| pack(log)).concat());
        check(
            &mut world,
            &[(
                &[name],
                &[&format!(
                    "{name}: continues at {}, of access.log",
                    all.len()
                )],
            )],
            &more,
        );
        // The lines continue the last part, so the live log that has them too adds nothing.
        world.append("access.log", &more);
        let size = lines("c", 0, 9).len();
        check(
            &mut world,
            &[(
                &["access.log"],
                &[&format!("access.log: nothing new in {size}")],
            )],
            "",
        );
    }
}

#[test]
fn a_concatenation_in_the_same_run_as_its_parts_adds_nothing() {
    let mut world = World::new();
    let (a, b) = (lines("a", 0, 150), lines("b", 0, 90));
    world.write("1-all.log", format!("{a}{b}"));
    world.write("access.log.2", &a);
    world.write("access.log.1.gz", gzip(&b));
    check(
        &mut world,
        &[(
            &["1-all.log", "access.log.2", "access.log.1.gz"],
            &[
                &format!(
                    "1-all.log: nothing new in {}, of access.log",
                    a.len() + b.len()
                ),
                "access.log.2: new",
                "access.log.1.gz: new",
            ],
        )],
        &format!("{a}{b}"),
    );
}

#[test]
fn the_rest_of_a_concatenation_that_is_part_of_a_source_is_known() {
    let mut world = World::new();
    let (a, b) = (lines("a", 0, 150), lines("b", 0, 90));
    world.write("access.log.1", &a);
    world.write("access.log", &b);
    world.ingest(&["access.log.1", "access.log"]);
    let earlier = format!("{a}{}", lines("b", 0, 20));
    world.write("all.log", &earlier);
    let outcome = format!("all.log: nothing new in {}, of access.log", earlier.len());
    check(&mut world, &[(&["all.log"], &[&outcome])], "");
}

#[test]
fn an_older_copy_is_ignored_if_rotated_or_compressed() {
    let mut world = World::new();
    let (log, part) = (lines("a", 0, 100), lines("a", 0, 30));
    world.write("access.log", &log);
    world.write("access.log.1", &part);
    world.write("part.log.gz", gzip(&part));
    let older = format!("older copy, {} of {}", part.len(), log.len());
    check(
        &mut world,
        &[
            (&["access.log"], &["access.log: new"]),
            (&["access.log.1"], &[&format!("access.log.1: {older}")]),
            (
                &["part.log.gz"],
                &[&format!("part.log.gz: {older}, of access.log")],
            ),
        ],
        &log,
    );
}

#[test]
fn a_live_log_that_shrank_goes_on_from_its_present_length() {
    let mut world = World::new();
    let (log, part) = (lines("a", 0, 100), lines("a", 0, 30));
    world.write("access.log", &log);
    world.ingest(&["access.log"]);
    world.write("access.log", &part);
    let shrunk = format!("access.log: shrunk from {} to {}", log.len(), part.len());
    check(
        &mut world,
        &[
            (&["access.log"], &[&shrunk]),
            (
                &["access.log"],
                &[&format!("access.log: nothing new in {}", part.len())],
            ),
        ],
        "",
    );
    let second = world.known()[1].clone();
    assert_eq!(
        (second.id.as_str().rsplit('/').next(), second.offset),
        (Some("2"), part.len() as u64)
    );
    world.append("access.log", "other 1\nother 2\n");
    let continues = format!("access.log: continues at {}", part.len());
    check(
        &mut world,
        &[(&["access.log"], &[&continues])],
        "other 1\nother 2\n",
    );
}

#[test]
fn other_bytes_after_the_same_first_line_are_another_source() {
    let mut world = World::new();
    world.write("access.log.2", format!("first\n{}", lines("a", 0, 10)));
    world.write("access.log.1", format!("first\n{}", lines("b", 0, 20)));
    world.write("access.log", format!("first\n{}", lines("c", 0, 30)));
    let steps: &[Step<'_>] = &[
        (
            &["access.log.2", "access.log.1"],
            &["access.log.2: new", "access.log.1: new"],
        ),
        (&["access.log"], &["access.log: new"]),
        (
            &["access.log.2", "access.log.1", "access.log"],
            &[
                "access.log.2: nothing new in 206",
                "access.log.1: nothing new in 416",
                "access.log: nothing new in 626",
            ],
        ),
    ];
    let expected = format!(
        "first\n{}first\n{}first\n{}",
        lines("a", 0, 10),
        lines("b", 0, 20),
        lines("c", 0, 30)
    );
    check(&mut world, steps, &expected);
    let ns: Vec<String> = world
        .known()
        .iter()
        .map(|known| known.id.to_string())
        .collect();
    assert!(
        ns.iter()
            .zip(["/1", "/2", "/3"])
            .all(|(id, n)| id.ends_with(n)),
        "{ns:?}"
    );
}

#[test]
fn copies_in_one_run_are_read_once() {
    let mut world = World::new();
    let log = lines("a", 0, 100);
    world.write("a.log", &log);
    world.write("a2.log", &log);
    world.write("a3.log.gz", gzip(&log));
    check(
        &mut world,
        &[(
            &["a3.log.gz", "a.log", "a2.log"],
            &[
                "a3.log.gz: same as a.log, of a.log",
                "a.log: new",
                "a2.log: same as a.log, of a.log",
            ],
        )],
        &log,
    );
}

#[test]
fn copies_of_growing_length_in_one_run_are_read_once_and_in_order() {
    let mut world = World::new();
    world.write("long.log", lines("a", 0, 300));
    world.write("short.log", lines("a", 0, 100));
    world.write("middle.log.gz", gzip(lines("a", 0, 200)));
    let end = |n: usize| lines("a", 0, n).len();
    check(
        &mut world,
        &[(
            &["long.log", "middle.log.gz", "short.log"],
            &[
                "short.log: new",
                &format!("middle.log.gz: continues at {}, of short.log", end(100)),
                &format!("long.log: continues at {}, of short.log", end(200)),
            ],
        )],
        &lines("a", 0, 300),
    );
}

#[test]
fn a_line_cut_off_in_a_copy_is_read_whole_from_the_longer_one() {
    for last_line in [LastLine::Take, LastLine::Wait] {
        let mut world = World::new();
        world.last_line = last_line;
        world.write("access.log.1", "one\ntwo\nthr");
        world.write("access.log.2", "one\ntwo\nthree\nfour\n");
        check(
            &mut world,
            &[(
                &["access.log.1", "access.log.2"],
                &["access.log.1: new", "access.log.2: continues at 8"],
            )],
            "one\ntwo\nthree\nfour\n",
        );
    }
}

#[test]
fn copies_that_end_in_the_same_unterminated_line_give_it_once() {
    let mut world = World::new();
    world.last_line = LastLine::Take;
    world.write("a.log", "one\ntwo");
    world.write("b.log.gz", gzip("one\ntwo"));
    let outcomes: Step<'_> = (
        &["a.log", "b.log.gz"],
        &["a.log: new", "b.log.gz: same as a.log, of a.log"],
    );
    check(&mut world, &[outcomes], "one\ntwo");
}

#[test]
fn an_unterminated_last_line_waits_for_its_newline() {
    let mut world = World::new();
    world.write("access.log", "on");
    check(&mut world, &[(&["access.log"], &["access.log: new"])], "");
    assert!(
        world.known().is_empty(),
        "a source exists once its first line is complete"
    );
    world.append("access.log", "e\ntw");
    check(
        &mut world,
        &[(&["access.log"], &["access.log: new"])],
        "one",
    );
    world.append("access.log", "o\n");
    check(
        &mut world,
        &[(&["access.log"], &["access.log: continues at 4"])],
        "two",
    );
}

#[test]
fn a_compressed_file_is_final_and_its_last_line_needs_no_newline() {
    let mut world = World::new();
    world.write("access.log", "one\ntwo");
    world.ingest(&["access.log"]);
    world.write("access.log.1.gz", gzip("one\ntwo"));
    let steps: [Step<'_>; 2] = [
        (&["access.log.1.gz"], &["access.log.1.gz: continues at 4"]),
        (&["access.log.1.gz"], &["access.log.1.gz: nothing new in 7"]),
    ];
    check(&mut world, &steps, "two");
}

#[test]
fn empty_files_are_fine() {
    let mut world = World::new();
    world.write("access.log", "");
    world.write("access.log.1.gz", gzip(""));
    let outcomes = ["access.log.1.gz: empty", "access.log: empty"];
    check(
        &mut world,
        &[(&["access.log", "access.log.1.gz"], &outcomes)],
        "",
    );
}

#[test]
fn what_a_truncated_copy_lacks_comes_from_a_whole_one() {
    let mut world = World::new();
    let log = lines("a", 0, 40_000);
    let packed = gzip(&log);
    world.write("access.log.2.gz", &packed[..packed.len() / 2]);
    world.write("access.log.1.gz", &packed);
    let run = world.ingest(&["access.log.2.gz", "access.log.1.gz"]);
    assert_eq!(run.texts(), log.lines().collect::<Vec<_>>());
}

#[test]
fn a_truncated_file_gives_its_whole_lines_then_fails_and_can_be_replaced() {
    let mut world = World::new();
    let log = lines("a", 0, 40_000);
    let packed = gzip(&log);
    world.write("access.log.1.gz", &packed[..packed.len() / 2]);
    let run = world.ingest(&["access.log.1.gz"]);
    let read = run.lines.len();
    assert!((10_000..30_000).contains(&read), "{read}");
    assert_eq!(run.texts(), log.lines().take(read).collect::<Vec<_>>());
    let [failure] = &run.failures[..] else {
        panic!("{:?}", run.failures)
    };
    let (message, hint) = failure.split_once('\n').unwrap();
    let offset = message
        .strip_prefix("`access.log.1.gz` is truncated: its gzip stream ends too early, after ")
        .and_then(|rest| rest.strip_suffix(" decompressed bytes"))
        .unwrap_or_else(|| panic!("{message}"));
    let whole = &log[..offset.parse().unwrap()];
    assert_eq!(whole.matches('\n').count(), read);
    assert_eq!(
        hint,
        "hint: the lines up to there were read; copy the file again, or wait until it has been written in full"
    );

    let again = world.ingest(&["access.log.1.gz"]);
    assert_eq!(
        (again.lines.len(), again.failures.len()),
        (0, 1),
        "it still fails, with nothing new"
    );
    world.write("access.log.1.gz", &packed);
    let run = world.ingest(&["access.log.1.gz"]);
    assert_eq!(run.texts(), log.lines().skip(read).collect::<Vec<_>>());
    assert_eq!(run.failures, [""; 0]);
}

#[test]
fn a_bad_file_does_not_stop_the_others() {
    let mut world = World::new();
    let mut damaged = gzip(lines("a", 0, 5_000));
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    world.write("access.log.2.gz", &damaged);
    world.write("access.log.1", lines("b", 0, 5));
    let run = world.ingest(&["access.log.2.gz", "access.log.1"]);
    assert_eq!(run.failures.len(), 1, "{:?}", run.failures);
    let bytes = lines("a", 0, 5_000).len();
    assert_eq!(
        run.failures[0],
        format!(
            "`access.log.2.gz` is damaged: its gzip stream cannot be decoded beyond {bytes} decompressed bytes \
             (corrupt gzip stream does not have a matching checksum)\n\
             hint: the lines up to there were read; `gzip -t` checks the file, copy it again if it fails"
        )
    );
    assert_eq!(run.lines.len(), 5_005);
}

/// A pipe to which `bytes` are written once it is opened.
fn pipe(world: &World, name: &str, bytes: Vec<u8>) -> std::thread::JoinHandle<()> {
    let path = world.path(name);
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    std::thread::spawn(move || fs::write(path, bytes).unwrap())
}

#[test]
fn a_pipe_is_known_again_by_its_bytes() {
    let mut world = World::new();
    let log = lines("a", 0, 20_000);
    let more = lines("a", 20_000, 20_100);
    for (name, bytes, outcome, expected) in [
        (
            "new",
            log.clone().into_bytes(),
            "new: new".to_owned(),
            log.as_str(),
        ),
        (
            "again",
            log.clone().into_bytes(),
            format!("again: nothing new in {}", log.len()),
            "",
        ),
        (
            "packed",
            gzip(&log),
            format!("packed: nothing new in {}", log.len()),
            "",
        ),
        (
            "more",
            zstd(format!("{log}{more}")),
            format!("more: continues at {}", log.len()),
            &more,
        ),
    ] {
        let writer = pipe(&world, name, bytes);
        check(&mut world, &[(&[name], &[&outcome])], expected);
        writer.join().unwrap();
    }
    assert_eq!(world.known()[0].id.log_set(), "stdin");
}

#[test]
fn a_pipe_with_the_bytes_of_a_file_of_the_run_adds_nothing() {
    let mut world = World::new();
    let log = lines("a", 0, 20_000);
    world.write("access.log", &log);
    let writer = pipe(&world, "pipe", gzip(&log));
    let outcomes = ["pipe: same as access.log, of access.log", "access.log: new"];
    check(&mut world, &[(&["pipe", "access.log"], &outcomes)], &log);
    writer.join().unwrap();
}

/// What happens to logs in a server's life.
#[derive(Debug, Clone)]
enum Event {
    Append(usize),
    Rotate,
    Compress(usize),
    Copy(usize),
    Concatenate { is_compressed: bool },
    IngestLive,
    IngestAll,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..400_usize).prop_map(Event::Append),
        3 => Just(Event::Rotate),
        2 => any::<usize>().prop_map(Event::Compress),
        2 => any::<usize>().prop_map(Event::Copy),
        1 => any::<bool>().prop_map(|is_compressed| Event::Concatenate { is_compressed }),
        3 => Just(Event::IngestLive),
        3 => Just(Event::IngestAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_line_is_read_once_whatever_happens_to_its_file(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World::new();
        world.write("access.log", "");
        // The rotated files, oldest first, with their bytes; then all files there are.
        let mut live = String::new();
        let mut rotated: Vec<(String, String)> = Vec::new();
        let mut copies: Vec<String> = Vec::new();
        let mut written = 0;
        let mut read: Vec<String> = Vec::new();
        for (step, event) in events.into_iter().chain([Event::IngestAll]).enumerate() {
            match event {
                Event::Append(count) => {
                    let more = lines("a", written, written + count);
                    world.append("access.log", &more);
                    live.push_str(&more);
                    written += count;
                }
                Event::Rotate if live.is_empty() => {}
                Event::Rotate => {
                    let name = format!("access.log-{}", 1_700_000_000 + step);
                    fs::rename(world.path("access.log"), world.path(&name)).unwrap();
                    rotated.push((name, std::mem::take(&mut live)));
                    world.write("access.log", "");
                }
                Event::Compress(which) if !rotated.is_empty() => {
                    let which = which % rotated.len();
                    let (name, bytes) = &mut rotated[which];
                    if !name.ends_with(".gz") {
                        fs::remove_file(world.path(name)).unwrap();
                        name.push_str(".gz");
                        world.write(name, gzip(bytes));
                    }
                }
                Event::Copy(which) => {
                    let all: Vec<&String> = rotated.iter().map(|(_, bytes)| bytes).chain([&live]).collect();
                    let name = format!("copy{step}.log.1");
                    world.write(&name, all[which % all.len()]);
                    copies.push(name);
                }
                Event::Concatenate { is_compressed } => {
                    let parts = rotated.iter().map(|(_, bytes)| bytes.as_str()).chain([live.as_str()]);
                    let name = format!("all{step}.log.1");
                    if is_compressed {
                        world.write(&name, parts.map(gzip).collect::<Vec<_>>().concat());
                    } else {
                        world.write(&name, parts.collect::<String>());
                    }
                    copies.push(name);
                }
                Event::Compress(_) => {}
                Event::IngestLive => {
                    let run = world.ingest(&["access.log"]);
                    prop_assert!(run.failures.is_empty(), "{:?}", run);
                    read.extend(run.lines.into_iter().map(|(_, _, text)| text));
                }
                Event::IngestAll => {
                    let names: Vec<&str> = copies
                        .iter()
                        .map(String::as_str)
                        .chain(["access.log"])
                        .chain(rotated.iter().map(|(name, _)| name.as_str()))
                        .collect();
                    let run = world.ingest(&names);
                    prop_assert!(run.failures.is_empty(), "{:?}", run);
                    read.extend(run.lines.into_iter().map(|(_, _, text)| text));
                    let mut sorted = read.clone();
                    sorted.sort();
                    let expected = lines("a", 0, written);
                    prop_assert_eq!(sorted, expected.lines().collect::<Vec<_>>());
                }
            }
        }
    }
}

#[test]
fn an_id_is_made_of_log_set_first_line_and_count() {
    let mut world = World::new();
    world.write("access.log.1", "hello\nworld\n");
    world.ingest(&["access.log.1"]);
    // printf 'hello\n' | sha256sum
    let id: SourceId = "access.log/5891b5b522d5df08/1".parse().unwrap();
    assert_eq!(world.known()[0].id, id);
}
