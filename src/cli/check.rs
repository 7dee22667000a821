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
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        with_settings(&self.flags, async |settings| {
            print(&format!("the settings can be used: {}\n", app::check(&settings)?));
            Ok(())
        })
    }
}
