//! npm in a directory of the test, with packages in the versions of a lock file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::site;

/// The JavaScript package of this repository.
pub(crate) fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/js")
}

/// A copy of the package with what its tests need.
pub(crate) async fn installed_package() -> TempDir {
    let work = tempfile::tempdir().expect("a directory");
    copy(&package(), work.path());
    npm(work.path(), &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], &[]).await;
    work
}

/// Builds the example with this name for the counter at `url`, and returns the files of the page.
pub(crate) async fn build_example(name: &str, url: &str) -> site::Files {
    let work = tempfile::tempdir().expect("a directory to build in");
    copy(&package(), &work.path().join("clients/js"));
    let example = Path::new("docs/examples").join(name);
    let directory = work.path().join(&example);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(&example), &directory);
    npm(&directory, &["ci", "--no-audit", "--no-fund"], &[]).await;
    npm(&directory, &["run", "build"], &[("VITE_COUNTER_URL", url)]).await;
    site::files_in(&directory.join("dist"))
}

/// Runs npm to its end. Panics with its output if it fails or takes too long.
pub(crate) async fn npm(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(directory).envs(environment.iter().copied()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(240), command.output()).await;
    let output = output.expect("npm ends in time").expect("npm starts: install Node.js 18 or later with npm");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "npm {}: {out}{err}", arguments.join(" "));
}

/// Copies a file, or a directory with all that is in it but what npm has made there.
pub(crate) fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).expect("a new directory");
        for entry in std::fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            if !["node_modules", "dist"].iter().any(|made| entry.file_name() == *made) {
                copy(&entry.path(), &to.join(entry.file_name()));
            }
        }
    } else {
        std::fs::copy(from, to).expect("a file");
    }
}
