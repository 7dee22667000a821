//! JSON Web Tokens: the keys that sign and verify them, and the one library behind both. For whatever signs or verifies
//! tokens here: `grip` for those of proxies, `access` for tickets.

mod crypto;
mod key;
mod token;

pub use crypto::install;
pub use key::{ParseKeyError, SigningKey, VerifyKey, bearer_bytes};
pub use token::{InvalidToken, LEEWAY, LONGEST_TOKEN, OutOfTime, TokenTimes, TokenVerifier};
