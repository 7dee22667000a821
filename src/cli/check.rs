//! The command `livecounter check`.

use std::process::ExitCode;

use livecounter::app;

use super::flags::Flags;
use super::task::{print, with_settings};

/// Say whether the settings can be used, and how the service would run with them
///
/// The exit status is 0 if they can be used and 2 if not. It opens no file and connects to nothing.
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
