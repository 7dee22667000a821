//! The documents name only tests, files and headings that exist, and `make test` names every suite.

use std::fs;
use std::path::{Path, PathBuf};

fn files(directory: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | "node_modules" | ".git") {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

/// The documents with their names, and all sources as one text.
fn documents_and_sources() -> (Vec<(String, String)>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut documents, mut sources) = (Vec::new(), Vec::new());
    files(root, "md", &mut documents);
    for directory in ["src", "tests", "fastly/src"] {
        files(&root.join(directory), "rs", &mut sources);
    }
    let read = |path: &PathBuf| fs::read_to_string(path).expect("a text");
    let named = documents.iter().map(|path| (path.display().to_string(), read(path))).collect();
    (named, sources.iter().map(read).collect())
}

/// The words between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).flat_map(str::split_whitespace)
}

#[test]
fn every_test_that_a_document_names_exists() {
    let (documents, sources) = documents_and_sources();
    let mut seen = 0;
    for (path, text) in documents {
        let looks_like_a_test = |word: &&str| {
            word.matches('_').count() >= 3
                && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        for name in quoted(&text).filter(looks_like_a_test) {
            seen += 1;
            // A name that is not that of a test is that of a metric, with the type at its end.
            let metric = name.strip_prefix("livecounter_").unwrap_or(name);
            let metric = format!("\"{}\"", metric.strip_suffix("_total").unwrap_or(metric));
            let known = sources.contains(&format!("fn {name}(")) || sources.contains(&metric);
            assert!(known, "{path} names {name}, which is nowhere");
        }
    }
    assert!(seen > 20, "{seen} names of tests were found in the documents");
}

#[test]
fn every_source_file_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (documents, _) = documents_and_sources();
    let mut seen = 0;
    for (path, text) in documents {
        for name in quoted(&text).map(|word| word.trim_end_matches([',', ';', ':', ')'])) {
            let ours =
                ["src/", "tests/", "fastly/", "pushpin/", "docs/"].iter().any(|root| name.starts_with(root));
            let is_file = name.ends_with(".rs") || name.ends_with(".md") || name.ends_with(".json");
            if ours && is_file && !name.contains(['*', '{', '…']) {
                seen += 1;
                assert!(root.join(name).exists(), "{path} names {name}, which does not exist");
            }
        }
    }
    assert!(seen > 20, "{seen} files were found in the documents");
}

/// The text by which a link names a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let (documents, _) = documents_and_sources();
    let mut seen = 0;
    for (path, text) in &documents {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.contains(' ')) {
            seen += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = Path::new(path);
            let file = if file.is_empty() { path.to_owned() } else { path.with_file_name("").join(file) };
            assert!(file.exists(), "{}: {target} leads nowhere", path.display());
            if !heading.is_empty() && file.is_file() {
                let linked = fs::read_to_string(&file).expect("a text");
                let headings = linked.lines().filter_map(|line| line.strip_prefix('#'));
                let found =
                    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|known| known == heading);
                assert!(found, "{}: there is no heading for {target}", path.display());
            }
        }
    }
    assert!(seen > 50, "{seen} links were found in the documents");
}

/// The decisions: each with its number, the name of its file and its text, in the order of the numbers.
fn decisions() -> Vec<(u32, String, String)> {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions"), "md", &mut paths);
    let decision = |path: PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let number = name.split_once('-')?.0.parse().ok()?;
        Some((number, name, fs::read_to_string(path).expect("a text")))
    };
    let mut decisions: Vec<_> = paths.into_iter().filter_map(decision).collect();
    decisions.sort();
    decisions
}

#[test]
fn the_index_has_every_decision_once_and_an_earlier_one_names_the_later() {
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions/README.md");
    let index = fs::read_to_string(index).expect("the index");
    let rows: Vec<&str> =
        index.lines().filter(|line| line.starts_with("| ") && line.contains(".md)")).collect();
    let decisions = decisions();
    assert_eq!(rows.len(), decisions.len(), "each decision has one row");
    for (row, (number, name, text)) in rows.into_iter().zip(&decisions) {
        let title = text.lines().next().and_then(|line| line.strip_prefix(&format!("# {number}. ")));
        let title = title.unwrap_or_else(|| panic!("{name} begins with # {number}. and its title"));
        let (own, later) = row.trim_end_matches(" |").rsplit_once(" | ").expect("three columns");
        assert_eq!(own, format!("| {number} | [{title}]({name})"));
        for later in later.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(text.contains(later), "{name} does not say that {later} goes on from it");
        }
    }
}

#[test]
fn make_test_runs_every_suite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(root.join("Makefile")).expect("a text");
    let (tested, _) = makefile.split_once("\nchaos: ").expect("the target behind `test`");
    let mut suites = 0;
    for entry in fs::read_dir(root.join("tests")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.join("main.rs").is_file() {
            let suite = path.file_name().and_then(|name| name.to_str()).expect("a name");
            assert!(tested.contains(&format!("--test {suite} -")), "{suite}");
            suites += 1;
        }
    }
    assert!(suites > 5, "{suites} suites");
}
