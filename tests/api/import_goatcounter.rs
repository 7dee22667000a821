//! The commands of docs/backup.md that make lines for an import of what GoatCounter exports.

use std::path::Path;
use std::process::Command;

use crate::import::{done, export_of};

/// The files of an export as JSON, in the form that GoatCounter's own documentation shows.
const PATHS: &str = r#"{"id":211,"event":false,"path":"/","title":"Home page"}
{"id":215,"event":false,"path":"/a\"b/é","title":"API, \"documented\""}
{"id":1442298,"event":true,"path":"click-banana","title":"Yellow curvy fruit"}
"#;
const HIT_STATS: &str = r#"{"hour":"2026-03-05T19:00:00Z","path_id":211,"ref_id":1,"count":4}
{"hour":"2026-03-07T15:00:00Z","path_id":215,"ref_id":30563812,"count":1}
{"hour":"2026-03-07T15:00:00Z","path_id":1442298,"ref_id":30563812,"count":1}
{"hour":"2026-03-07T15:00:00Z","path_id":211,"ref_id":30563813,"count":3}
{"hour":"2026-03-07T16:00:00Z","path_id":82905422,"ref_id":30563814,"count":2}
"#;
/// An export as CSV: a line for each view, event and bot.
const VIEWS: &str = r#"2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,FirstVisit,Date
/,"Home, ""sweet"" home",false,,Firefox 147,Linux,a,0,,,"1920,1080,1",KR-11,true,2026-07-09T01:00:00Z
/,Home page,false,,Firefox 147,Linux,a,0,,,"1920,1080,1",KR-11,false,2026-07-09T01:05:00Z
"/a""b/é","API, ""documented""",false,,Chrome 150,macOS,b,0,Google,g,,US,true,2026-07-09T02:00:00Z
/,Home page,false,,,,c,1,,,,,true,2026-07-09T02:00:00Z
click-banana,Yellow curvy fruit,true,,Chrome 150,macOS,b,0,,,,US,false,2026-07-09T02:01:00Z
"#;

/// Runs the block of the document that has this word, and exports what it has imported.
fn imported(word: &str, files: &[(&str, &str)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/backup.md")).expect("the document");
    let mut blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let (block, _) = blocks.find(|(block, _)| block.contains(word)).expect("the commands");
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("a file");
    }
    let program = Path::new(env!("CARGO_BIN_EXE_livecounter")).parent().expect("a directory");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    let mut shell = Command::new("sh");
    let shell = shell.args(["-euc", block]).current_dir(directory.path()).env("PATH", path).output();
    let output = shell.expect("a shell");
    assert!(output.status.success(), "apt-get install jq sqlite3, or see: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 values for 2 pages are added\n");
    done(directory.path(), &[], &["export", "--without-past"], "")
}

/// The export of these two pages of one site: pages are in the order of the names of their topics.
fn pages(root: u32, below: u32) -> String {
    let line = |(kind, name, value)| format!("{{\"{kind}\":\"{name}\",\"value\":{value}}}\n");
    let lines = [
        ("page", "example.com/a%22b/%C3%A9", below),
        ("page", "example.com", root),
        ("site", "example.com", root + below),
    ];
    export_of(&lines.map(line))
}

#[test]
fn the_pages_of_goatcounter_s_json_are_added_and_no_events() {
    let exported = imported("hit_stats.jsonl", &[("paths.jsonl", PATHS), ("hit_stats.jsonl", HIT_STATS)]);
    assert_eq!(exported, pages(7, 1));
}

#[test]
fn the_views_of_goatcounter_s_csv_are_added_without_bots_and_events() {
    let exported = imported("goatcounter.csv", &[("goatcounter.csv", VIEWS)]);
    assert_eq!(exported, pages(2, 1));
}
