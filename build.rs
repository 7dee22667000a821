//! Tells the linker to put the functions that an idle process runs beside each other (`src/start.ld`), so that the process maps few
//! pages of the program: docs/decisions/0067-code-of-an-idle-process-side-by-side.md

use std::env;
use std::path::Path;

const LIST: &str = "src/start.ld";

/// The target whose functions the list names, and whose linker comes with Rust. Elsewhere the program is linked as usual.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    println!("cargo::rerun-if-changed={LIST}");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let variable = |name| env::var(name).unwrap_or_default();
    // A linker that somebody has chosen may not know what is in the list.
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    let is_usual =
        variable("RUSTC_LINKER").is_empty() && !flags.contains("linker") && !flags.contains("fuse-ld");
    if variable("PROFILE") == "release" && variable("TARGET") == TARGET && is_usual {
        let list = Path::new(&variable("CARGO_MANIFEST_DIR")).join(LIST);
        println!("cargo::rustc-link-arg-bins=-T{}", list.display());
    }
}
