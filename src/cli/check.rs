//! The command `livecounter check`.

use std::process::ExitCode;

use livecounter::app;

use super::flags::Flags;
use super::task::{print, with_settings};

/// Check the settings, and print how the service would run with them
///
/// The exit status is 0 if the settings can be used and 2 if not. The command opens no database and connects to no server.
#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) flags: Flags,
    /// Also print what is missing for an address that the public can reach, a line for each setting; then the exit status is 2
    #[arg(long)]
    pub(super) public: bool,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        if self.public {
            return check_public(&self.flags);
        }
        with_settings(&self.flags, async |settings| {
            print(&can_be_used(&app::check(&settings)?));
            Ok(())
        })
    }
}

fn can_be_used(mode: &str) -> String {
    format!("the settings can be used: {mode}\n")
}

/// Prints what is missing for the public. The exit status is 2 if anything is.
fn check_public(flags: &Flags) -> ExitCode {
    let mut count = 0;
    let status = with_settings(flags, async |settings| {
        let (mode, missing) = app::check_public(&settings)?;
        print(&can_be_used(&mode));
        count = missing.len();
        for missing in missing {
            print(&format!("missing for the public: {missing}\n"));
        }
        if count == 0 {
            print("nothing is missing for the public\n");
        }
        Ok(())
    });
    if count > 0 { ExitCode::from(2) } else { status }
}
