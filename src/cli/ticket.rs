//! The command `livecounter ticket`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args};
use livecounter::access::{LONGEST_TICKET, Scope, new_ticket};
use livecounter::app::StartError;
use livecounter::jwt::SigningKey;
use livecounter::settings::{Settings, SettingsError};

use super::flags::Flags;
use super::task::{print, with_settings};

/// Print a ticket, which gives a browser some rights for a short time
///
/// The ticket is signed with access.ticket_key. If that setting is a public key, give the file of its private key with --signing-key.
#[derive(Args, Debug, PartialEq, Eq)]
#[command(mut_arg("listen", |listen| listen.hide(true)))]
pub(super) struct Ticket {
    #[command(flatten)]
    pub(super) flags: Flags,
    /// A scope of the ticket, such as write:counters/1/; repeat the option for more scopes
    #[arg(long = "scope", value_name = "SCOPE", required = true, action = ArgAction::Append)]
    scopes: Vec<Scope>,
    /// How long the ticket is valid, from 1s to 1h
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = time)]
    good_for: Duration,
    /// Sign with the key in this file, not with access.ticket_key
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).ok().filter(|time| time.subsec_nanos() == 0);
    time.filter(|time| (Duration::from_secs(1)..=LONGEST_TICKET).contains(time))
        .ok_or_else(|| "must be whole seconds from 1s to 1h, such as 10m".to_owned())
}

impl Ticket {
    pub(super) fn run(self) -> ExitCode {
        with_settings(&self.flags, async |settings| {
            let key = self.key(&settings)?;
            print(&format!("{}\n", new_ticket(&key, &self.scopes, self.good_for)?));
            Ok(())
        })
    }

    /// Returns the key that signs, or the problem with the setting or the file.
    fn key(&self, settings: &Settings) -> Result<SigningKey, StartError> {
        let (name, text) = match (&self.signing_key, &settings.access_ticket_key) {
            (Some(file), _) => match std::fs::read_to_string(file) {
                Ok(text) => ("--signing-key", text),
                Err(error) => return Err(SettingsError::new("--signing-key", error).into()),
            },
            (None, Some(key)) => ("access.ticket_key", key.expose().to_owned()),
            (None, None) => {
                let problem =
                    "is not set, so no ticket would be taken: make a secret with openssl rand -base64 32";
                return Err(SettingsError::new("access.ticket_key", problem).into());
            }
        };
        // Editors end a file with a line break, which is not part of the secret.
        let text = if self.signing_key.is_some() { text.trim_end() } else { &text };
        text.parse().map_err(|error| settings.locate(SettingsError::new(name, error)).into())
    }
}
