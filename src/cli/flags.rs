//! The flags of every command that needs the settings.

use std::path::PathBuf;

use super::usage::UsageError;

/// Where settings come from, besides the environment.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Listen on this address, whatever `listen` and PORT say
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
}

impl Flags {
    /// Adds the flags that stood before the command to those behind it. Refuses a flag that stood in both places.
    pub(super) fn add(&mut self, before: Flags) -> Result<(), UsageError> {
        add(&mut self.config, before.config, "--config")?;
        add(&mut self.listen, before.listen, "--listen")
    }
}

fn add<T>(behind: &mut Option<T>, before: Option<T>, name: &str) -> Result<(), UsageError> {
    if behind.is_some() && before.is_some() {
        return Err(UsageError::given_twice(name));
    }
    *behind = behind.take().or(before);
    Ok(())
}
