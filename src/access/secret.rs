//! Secrets of keys, `lc_<id>_<160 random bits>`, and their digests, which the settings keep.

use std::fmt::Write;

use ring::digest::{SHA256, digest};

/// The beginning of every secret, by which a scanner for leaked secrets can find it.
pub(super) const MARK: &str = "lc_";
/// Crockford's Base32 in small letters. It lacks i, l, o and u, because people mistake them for other characters.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The number of characters of an id. They hold 40 bits, so two new keys hardly ever get the same id.
pub(super) const ID_LEN: usize = 8;
/// The number of characters of the random part, which hold 160 bits.
pub(super) const RANDOM_LEN: usize = 32;

/// The secret of a new key. The program shows it once and keeps it nowhere.
pub struct NewSecret {
    text: String,
}

impl NewSecret {
    /// Makes a secret from random numbers of the system, or returns the system's error if it has none.
    pub fn generate() -> Result<Self, getrandom::Error> {
        // Each character comes from one random byte: 256 is a multiple of 32, so all characters are equally likely.
        let mut bytes = [0; ID_LEN + RANDOM_LEN];
        getrandom::fill(&mut bytes)?;
        Ok(Self::of(&bytes))
    }

    fn of(bytes: &[u8; ID_LEN + RANDOM_LEN]) -> Self {
        let letters: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let (id, random) = letters.split_at(ID_LEN);
        NewSecret { text: format!("{MARK}{id}_{random}") }
    }

    /// The secret itself, for the program that will use the key.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The id, by which the service finds the key. The id is not secret.
    pub fn id(&self) -> &str {
        &self.text[MARK.len()..MARK.len() + ID_LEN]
    }

    /// Returns the digest for the configuration: SHA-256 of the whole secret, in hexadecimal digits, as `sha256sum` prints it.
    pub fn sha256(&self) -> String {
        sha256_of(&self.text).iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // cannot fail
            hex
        })
    }
}

/// Computes the digest of a secret. The secret is random, so a fast digest protects it as well as a slow one.
pub(super) fn sha256_of(secret: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    bytes
}

/// Returns the id in a text that has the form of a secret; `None` if the text has another form.
pub(super) fn id_of(text: &str) -> Option<&str> {
    let (id, random) = text.strip_prefix(MARK)?.split_once('_')?;
    (is_id(id) && random.len() == RANDOM_LEN && is_base32(random)).then_some(id)
}

/// Returns whether the text has the form of a key's id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_LEN && is_base32(text)
}

fn is_base32(text: &str) -> bool {
    text.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_its_mark_its_id_and_160_bits() {
        let secret = NewSecret::of(&std::array::from_fn(|at| at as u8));
        assert_eq!(secret.expose(), "lc_01234567_89abcdefghjkmnpqrstvwxyz01234567");
        assert_eq!(secret.id(), "01234567");
        assert_eq!(id_of(secret.expose()), Some("01234567"));
        assert_eq!(RANDOM_LEN * 5, 160);
    }

    #[test]
    fn the_kept_digest_is_what_sha256sum_prints() {
        // printf %s lc_01234567_89abcdefghjkmnpqrstvwxyz01234567 | sha256sum
        let secret = NewSecret::of(&std::array::from_fn(|at| at as u8));
        assert_eq!(secret.sha256(), "967d6e1d9e7c4250718ee87ce3ab26c21fb5dfd3192f1dfb4f71fb13cc0b63e1");
    }

    #[test]
    fn two_secrets_have_nothing_in_common() {
        let (one, other) =
            (NewSecret::generate().expect("random numbers"), NewSecret::generate().expect("random numbers"));
        assert_ne!(one.id(), other.id());
        assert_ne!(one.sha256(), other.sha256());
        assert_eq!(id_of(one.expose()), Some(one.id()));
        assert_eq!(one.expose().len(), 3 + 8 + 1 + 32);
    }

    #[test]
    fn a_text_of_another_form_is_no_secret() {
        for text in [
            "",
            "lc_",
            "lc_01234567",
            "lc_01234567_",
            "lc_01234567_89abcdefghjkmnpqrstvwxyz0123456",
            "lc_01234567_89abcdefghjkmnpqrstvwxyz012345678",
            "lc_0123456_789abcdefghjkmnpqrstvwxyz01234567",
            "lc_01234567_89abcdefghjkmnpqrstvwxyz0123456o",
            "lc_01234567_89ABCDEFGHJKMNPQRSTVWXYZ01234567",
            "LC_01234567_89abcdefghjkmnpqrstvwxyz01234567",
            " lc_01234567_89abcdefghjkmnpqrstvwxyz01234567",
            "lc_01234567_89abcdefghjkmnpqrstvwxyz01234567\n",
            "lc_0123456\u{e9}_89abcdefghjkmnpqrstvwxyz01234567",
        ] {
            assert_eq!(id_of(text), None, "{text:?}");
        }
    }
}
