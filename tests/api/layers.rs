//! Imports only go down: the table of the house.

use std::fs;
use std::path::Path;

/// Each module with those it may use. `domain` and `sse` know nobody.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("log", &[]),
    ("nearest", &[]),
    ("sse", &[]),
    ("fastly", &["test_server"]),
    ("grip", &["log", "test_server"]),
    ("hub", &["domain"]),
    ("store", &["domain", "nearest"]),
    ("limits", &["domain"]),
    ("settings", &["domain", "limits", "nearest"]),
    ("telemetry", &["settings"]),
    ("announcer", &["domain", "fastly", "grip", "hub", "log", "sse", "store"]),
    ("live", &["announcer", "domain", "store"]),
    ("http", &["announcer", "domain", "grip", "hub", "limits", "live", "log", "nearest", "sse", "store"]),
    (
        "app",
        &[
            "announcer",
            "domain",
            "fastly",
            "grip",
            "http",
            "hub",
            "limits",
            "live",
            "settings",
            "store",
            "telemetry",
        ],
    ),
    ("cli", &["app", "nearest", "settings", "telemetry"]),
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
