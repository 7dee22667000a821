//! Imports only go down, and no files use each other in a circle.

use std::fs;
use std::path::Path;

use crate::source::SourceTree;

/// Each module with those that it may use, and uses.
const MAY_USE: &[(&str, &[&str])] = &[
    ("access", &["jwt", "nearest"]),
    ("badge", &[]),
    ("compat", &[]),
    ("domain", &[]),
    ("jwt", &[]),
    ("log", &[]),
    ("nearest", &[]),
    ("sql", &["nearest"]),
    ("sse", &["domain", "store"]),
    ("exec", &["domain", "nearest"]),
    ("fastly", &["test_server"]),
    ("grip", &["jwt", "log", "test_server"]),
    ("history", &["domain"]),
    ("hits", &["domain"]),
    ("hub", &["domain"]),
    ("import", &["domain"]),
    ("store", &["domain", "nearest"]),
    ("limits", &["domain"]),
    ("settings", &["access", "compat", "domain", "hits", "jwt", "limits", "nearest"]),
    ("telemetry", &["settings"]),
    ("announcer", &["domain", "fastly", "grip", "hub", "log", "sse", "store"]),
    ("live", &["announcer", "domain", "log", "sql", "store"]),
    (
        "http",
        &[
            "access",
            "announcer",
            "badge",
            "compat",
            "domain",
            "exec",
            "grip",
            "history",
            "hits",
            "hub",
            "limits",
            "live",
            "log",
            "nearest",
            "sql",
            "sse",
            "store",
        ],
    ),
    (
        "app",
        &[
            "access",
            "announcer",
            "domain",
            "fastly",
            "grip",
            "http",
            "hub",
            "import",
            "jwt",
            "limits",
            "live",
            "settings",
            "sql",
            "store",
        ],
    ),
    ("verify", &["domain"]),
    ("cli", &["access", "app", "domain", "jwt", "nearest", "settings", "telemetry", "verify"]),
    ("main", &["cli"]),
    ("test_server", &[]),
];

fn sources(path: &Path, found: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            sources(&entry.expect("an entry").path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).expect("a source file");
        found.push((path.display().to_string(), text));
    }
}

#[test]
fn imports_only_go_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for (module, allowed) in MAY_USE {
        let mut files = Vec::new();
        for path in [root.join(module), root.join(format!("{module}.rs"))] {
            if path.exists() {
                sources(&path, &mut files);
            }
        }
        assert!(!files.is_empty(), "there is no module {module}");
        for allowed in *allowed {
            let used = files.iter().any(|(_, text)| text.contains(&format!("{allowed}::")));
            assert!(used, "{module} does not use {allowed}, so it need not be in the table");
        }
        for (path, text) in files {
            seen += 1;
            for marker in ["crate::", "livecounter::"] {
                for (_, rest) in text.match_indices(marker).map(|(at, _)| text[at..].split_at(marker.len())) {
                    let used: String =
                        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let known = MAY_USE.iter().any(|(name, _)| *name == used);
                    let fine = used == *module || allowed.contains(&used.as_str());
                    assert!(!known || fine, "{path}: {module} must not use {used}");
                }
            }
        }
    }
    let mut all = Vec::new();
    sources(&root, &mut all);
    assert_eq!(seen, all.len() - 1, "every file but lib.rs belongs to a module of the table");
}

/// The rows of the map in the document: each module with those that it may import.
fn rows_of_the_map() -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = fs::read_to_string(path).expect("the document");
    let (_, map) = text.split_once("| module | what it does | what it may import |").expect("the map");
    let rows = map.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [module, .., imports] = cells[..] else { panic!("no row of the map: {line}") };
        let imports = imports.split(", ").filter(|import| *import != "nothing of this crate");
        (module.trim_matches('`').trim_end_matches('/').to_owned(), imports.map(str::to_owned).collect())
    };
    rows.map(row).collect()
}

#[test]
fn the_map_in_the_document_is_this_table() {
    let mut table: Vec<(String, Vec<String>)> = Vec::new();
    for (module, allowed) in MAY_USE.iter().filter(|(module, _)| *module != "test_server") {
        let allowed = allowed.iter().filter(|allowed| **allowed != "test_server");
        table.push((module.to_string(), allowed.map(ToString::to_string).collect()));
    }
    let mut map = rows_of_the_map();
    table.sort();
    map.sort();
    assert_eq!(map, table);
}

/// A line for each circle of a crate: its files, and the items that each uses of the others.
fn circles(root: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<String> {
    let circles = SourceTree::read(Path::new(root), read).circles();
    let mut lines = Vec::new();
    for circle in circles {
        let pairs = circle.iter().flat_map(|(user, used)| used.iter().map(move |used| (user, used)));
        let pairs = pairs.map(|(user, (file, items))| {
            let items: Vec<&str> = items.iter().map(String::as_str).collect();
            format!("{} uses {} of {}", user.display(), items.join(" and "), file.display())
        });
        lines.push(pairs.collect::<Vec<_>>().join(", "));
    }
    lines
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &Path| fs::read_to_string(directory.join(file)).ok();
    for root in ["src/lib.rs", "src/main.rs", "fastly/src/lib.rs", "fastly/src/main.rs"] {
        let found = circles(root, &read);
        assert!(found.is_empty(), "these files use each other in a circle:\n{}", found.join("\n"));
    }
}

/// The circles of a crate whose root declares the modules `one` and `two`, with these texts.
fn circles_of(one: &str, two: &str) -> Vec<String> {
    circles("lib.rs", &|file| {
        let text = match file.to_str() {
            Some("lib.rs") => "mod one; pub mod two; pub use one::One;",
            Some("one/mod.rs") => one,
            Some("one/part.rs") => "use super::Whole; pub(crate) struct Part(Whole);",
            Some("two.rs") => two,
            _ => return None,
        };
        Some(text.to_owned())
    })
}

#[test]
fn a_circle_is_found_through_groups_re_exports_and_inline_paths() {
    let one = "use crate::two::{self, other::{X, Y}, Two as Second}; pub struct One(Second);";
    let found = ["one/mod.rs uses Two of two.rs, two.rs uses One of one/mod.rs"];
    for two in [
        "use crate::One; pub struct Two;",
        "use super::{one::One, one}; pub struct Two;",
        "pub struct Two; fn f() { if true { vec![crate::one::One::new()]; } }",
        "pub struct Two; fn f(a: &super::One) {}",
    ] {
        assert_eq!(circles_of(one, two), found, "{two}");
    }
    let whole = "mod part; pub struct One; pub struct Whole; fn f() { part::Part::new(); }";
    let found = ["one/mod.rs uses Part of one/part.rs, one/part.rs uses Whole of one/mod.rs"];
    assert_eq!(circles_of(whole, ""), found);
    let used = "mod part; pub use part::Part; pub struct One; pub struct Whole; fn f(part: &Part) {}";
    assert_eq!(circles_of(used, ""), found);
}

#[test]
fn modules_re_exports_and_tests_make_no_circle() {
    let one = "mod part; pub use part::Part; pub struct One; pub struct Whole;";
    for two in [
        "use crate::one::{One, Part}; /// [`crate::One`]\npub struct Two;",
        "pub struct Two; #[cfg(test)] mod tests { use crate::One; }",
        "pub struct Two; #[cfg(test)] use crate::One;",
    ] {
        assert_eq!(circles_of(one, two), Vec::<String>::new(), "{two}");
    }
    let one = "use crate::two; use crate::two::Two; pub struct One(two::Two);";
    let two = "use crate::one; pub struct Two; fn f(one: u8) { one.One(); } #[cfg(test)] fn g() -> One { one::One }";
    assert_eq!(circles_of(one, two), Vec::<String>::new());
}

#[test]
fn names_of_functions_and_tests_have_at_most_70_characters() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests", "fastly/src"] {
        sources(&root.join(directory), &mut files);
    }
    for (path, text) in files {
        for rest in text.split("fn ").skip(1) {
            let letters =
                rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            assert!(letters <= 70, "{path}: {} is too long a name", &rest[..letters]);
        }
    }
}
