//! The command `livecounter key new`.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Subcommand};
use livecounter::access::{AccessKey, KeyError, NewSecret, Scope};

use super::task::{fail, print, refuse};

/// Make a key with which a program may add to, set, delete or list counters
#[derive(Args, Debug, PartialEq, Eq)]
#[command(arg_required_else_help = false)]
pub(super) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

/// The commands of `livecounter key`.
#[derive(Debug, PartialEq, Eq, Subcommand)]
enum KeyCommand {
    New(New),
}

/// Print the secret of a new key, and the table for the configuration file
///
/// The secret cannot be shown again. The command changes nothing: the service accepts the key when the table is in its configuration
/// file and the service has been started again or has received SIGHUP.
#[derive(Args, Debug, PartialEq, Eq)]
struct New {
    /// The name of the key in logs and error messages: up to 64 characters of A-Z a-z 0-9 . _ -
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// A scope of the key: read:, write: or manage: and a prefix such as counters/shop-, or sql, or admin; repeat the option for more scopes
    #[arg(long = "scope", value_name = "SCOPE", required = true, action = ArgAction::Append)]
    scopes: Vec<Scope>,
}

impl Key {
    pub(super) fn run(self) -> ExitCode {
        let KeyCommand::New(new) = self.command;
        new.run()
    }
}

impl New {
    fn run(self) -> ExitCode {
        if let Err(problem) = AccessKey::check_name(&self.name) {
            return refuse(&KeyError::to_string(&problem));
        }
        match NewSecret::generate() {
            Ok(secret) => {
                print(&format!("{}\n\n{}", secret.expose(), self.table(&secret)));
                ExitCode::SUCCESS
            }
            Err(error) => fail(&format!("the system has no random numbers: {error}")),
        }
    }

    /// Returns the table for the configuration file. Names and scopes have no characters that TOML would need to escape.
    fn table(&self, secret: &NewSecret) -> String {
        let scopes: Vec<String> = self.scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
        format!(
            "[[keys]]\nname = \"{}\"\nid = \"{}\"\nsha256 = \"{}\"\nscopes = [{}]\n",
            self.name,
            secret.id(),
            secret.sha256(),
            scopes.join(", ")
        )
    }
}
