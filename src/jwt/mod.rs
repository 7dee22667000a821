//! JSON Web Tokens: the keys that sign and verify tokens, and the one library that both kinds of keys use. `grip` uses this module
//! for the tokens of proxies, and `access` for tickets.

mod crypto;
mod key;
mod key_text;
mod token;

pub use crypto::install;
pub use key::{SigningKey, VerifyKey, bearer_bytes};
pub use key_text::ParseKeyError;
pub use token::{InvalidToken, LEEWAY, LONGEST_TOKEN, OutOfTime, TokenTimes, TokenVerifier};
