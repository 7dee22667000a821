//! What `livecounter import` reads, and what it refuses.

use std::path::Path;

use crate::import::run;
use crate::program::output;

/// The exit status and what standard error says, without the name of the program.
fn refused(directory: &Path, words: &[&str], input: &[u8]) -> String {
    let output = run(directory, &[], words, input);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
    let left = std::fs::read_dir(directory).expect("the directory").count();
    assert_eq!(left, 0, "{words:?} left something behind");
    text.strip_prefix("livecounter: ").expect(&text).trim_end().to_owned()
}

/// The counters that an export shows after this input was set.
fn stored(input: &[u8]) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let set = run(directory.path(), &[], &["import", "--set"], input);
    assert!(set.status.success(), "{set:?}");
    let exported = run(directory.path(), &[], &["export"], b"");
    let text = String::from_utf8(exported.stdout).expect("text");
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[1..lines.len() - 1].to_vec()
}

#[test]
fn lines_may_be_written_in_several_ways() {
    let two = ["{\"id\":\"a\",\"value\":1}", "{\"id\":\"b\",\"value\":2}"];
    for input in [
        "{\"id\":\"b\",\"value\":2}\n{\"id\":\"a\",\"value\":1}\n",
        "\u{feff}{\"id\":\"b\",\"value\":2}\r\n\r\n  \n{\"value\": 1, \"id\": \"\\u0061\"}",
        "{\"format\":\"livecounter\",\"version\":1}\r\n{\"id\":\"a\",\"value\":1}\r\n\n{\"id\":\"b\",\"value\":2}\n{\"end\":true,\"counters\":2}",
    ] {
        assert_eq!(stored(input.as_bytes()), two, "{input}");
    }
    assert_eq!(
        stored(b"{\"namespace\":\"site.org\",\"key\":\"visits\",\"value\":42,\"ttl\":1,\"created\":2}"),
        ["{\"id\":\"site.org~visits\",\"value\":42}"]
    );
    assert_eq!(
        stored(b"{\"key\":\"aaa\",\"value\":1}\n{\"namespace\":\"default\",\"key\":\"bbb\",\"value\":2}\n"),
        ["{\"id\":\"default~aaa\",\"value\":1}", "{\"id\":\"default~bbb\",\"value\":2}"]
    );
    let long = format!("{{\"id\":\"a\",\"value\":1{}}}\n{{\"id\":\"b\",\"value\":2}}", " ".repeat(4_000));
    assert_eq!(stored(long.as_bytes()), two);
}

#[test]
fn what_is_not_lines_of_counters_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    for (input, expected) in [
        (&b""[..], "nothing is stored: the input is empty"),
        (b"\n \r\n", "nothing is stored: the input is empty"),
        (
            b"\x1f\x8b\x08\x00\x00\n",
            "nothing is stored: the input is compressed with gzip: unpack it first, as gunzip -c does",
        ),
        (b"PK\x03\x04\x14\x00", "nothing is stored: the input is a ZIP file: unpack it first"),
        (
            b"{\"format\":\"livecounter\",\"version\":2}\n{\"gauge\":1}\n{\"end\":true,\"counters\":1}\n",
            "nothing is stored: the input is an export of version 2, which this program does not know",
        ),
        (
            b"{\"format\":\"dump\",\"version\":1}\n",
            "nothing is stored: the input is of another format than livecounter",
        ),
        (b"\xff\xfe{\x00", "nothing is stored: the input is UTF-16; it must be UTF-8"),
    ] {
        for mode in ["--set", "--add"] {
            assert_eq!(refused(directory.path(), &["import", mode], input), expected);
        }
    }
    let missing = refused(directory.path(), &["import", "--set", "none"], b"");
    assert!(missing.starts_with("cannot read none: No such file"), "{missing}");
    let folder = refused(directory.path(), &["import", "--set", "."], b"");
    assert_eq!(folder, "cannot read .: it is a directory");
}

#[test]
fn bad_lines_are_named_by_number_and_nothing_is_stored() {
    let directory = tempfile::tempdir().expect("a directory");
    let id = "must be JSON like {\"id\":\"2\",\"value\":26}";
    let first = "{\"format\":\"livecounter\",\"version\":1}\n";
    let good = "{\"id\":\"good\",\"value\":1}\n";
    let long = format!("{{\"id\":\"a\",\"value\":1{}}}", " ".repeat(10_000));
    for (lines, expected) in [
        ("2,26".to_owned(), format!("line 2: {id}")),
        (long, "line 2: has 10020 bytes; a line has at most 4096".to_owned()),
        ("{\"id\":\"b\",\"value\":1}\n".repeat(2), "line 3: line 2 sets the counter b already".to_owned()),
        (
            "{\"id\":\"aaa~bbb\",\"value\":1}\n{\"namespace\":\"aaa\",\"key\":\"bbb\",\"value\":1}"
                .to_owned(),
            "line 3: another name of the input is the counter aaa~bbb as well".to_owned(),
        ),
        (
            "{\"page\":\"example.com/a\",\"value\":1}".to_owned(),
            "line 2: a page cannot be set, only added, as its site counts along".to_owned(),
        ),
        (first.to_owned(), "line 2: is the first line of an export, and stands behind others".to_owned()),
        (
            "{\"end\":true,\"counters\":1}".to_owned(),
            "line 2: is the last line of an export without its first line".to_owned(),
        ),
    ] {
        let text = refused(directory.path(), &["import", "--set"], (good.to_owned() + &lines).as_bytes());
        let line = "nothing is stored: 1 line of the input cannot be used\n  ";
        assert_eq!(text, line.to_owned() + &expected);
    }
    for (lines, expected) in [
        ("", "line 3: the last line of the export is missing: the file was cut"),
        ("{\"end\":true,\"counters\":2}\n", "line 3: names 2 counters, but 1 stand before it"),
        (
            "{\"end\":true,\"counters\":1}\n{\"id\":\"b\",\"value\":1}",
            "line 4: stands behind the last line of the export",
        ),
    ] {
        let input = [first, good, lines].concat();
        let text = refused(directory.path(), &["import", "--add"], input.as_bytes());
        assert!(text.ends_with(expected), "{text}");
    }
    let invalid = refused(directory.path(), &["import", "--set"], b"{\"id\":\"\xff\",\"value\":1}\n");
    assert!(invalid.ends_with("line 1: byte 8 is not UTF-8"), "{invalid}");
}

#[test]
fn ten_bad_lines_are_named_and_the_others_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = "{\"id\":\"é\",\"value\":1}\n".repeat(1_234);
    let text = refused(directory.path(), &["import", "--add", "-"], input.as_bytes());
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "nothing is stored: 1234 lines of the input cannot be used");
    assert!(lines[10].starts_with("  line 10: a counter id consists of"), "{text}");
    assert_eq!(lines[11..], ["  and 1224 more"]);
}

#[test]
fn sums_of_the_input_out_of_range_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = "{\"id\":\"a\",\"value\":9007199254740991}\n{\"id\":\"a\",\"value\":1}\n";
    let text = refused(directory.path(), &["import", "--add"], input.as_bytes());
    assert!(text.ends_with("line 2: the sum for the counter a leaves ±9007199254740991"), "{text}");
}

#[test]
fn a_dry_run_checks_the_input_and_opens_no_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let input = b"{\"id\":\"a\",\"value\":1}\n{\"id\":\"b\",\"value\":0}\n";
    for (words, expected) in [
        (["import", "--set", "--dry-run"], "2 counters would be set\n"),
        (["import", "--add", "--dry-run"], "2 values for 2 counters would be added\n"),
    ] {
        let run = run(directory.path(), &[], &words, input);
        assert_eq!(String::from_utf8_lossy(&run.stdout), expected, "{run:?}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("the directory").count(), 0);
    }
    refused(directory.path(), &["import", "--set", "--dry-run"], b"2");
}

#[test]
fn words_that_are_missing_or_exclude_each_other_are_named() {
    for (words, expected) in [
        (&["import"][..], "import needs --set or --add."),
        (&["import", "--set", "--add"], "--set and --add exclude each other."),
        (&["import", "--set", "--import-id=a"], "--set and --import-id exclude each other."),
        (&["import", "--ad"], "there is no option \"--ad\"; did you mean --add?"),
        (&["import", "--set", "a", "b"], "unexpected word \"b\"."),
        (&["--set", "import"], "--set belongs to import and stands behind that word."),
    ] {
        let output = output(&[], words);
        let text = String::from_utf8_lossy(&output.stderr);
        let expected = format!("livecounter: {expected} See livecounter --help\n");
        assert_eq!((output.status.code(), &*text), (Some(2), expected.as_str()));
    }
}
