//! JSONP: an answer in JSON as a script that calls a function of the page. A page that loads the script trusts the service that
//! writes it; only names of functions may be asked for, so that no other page can have the service write another script.

use actix_web::http::header::HeaderValue;

use crate::http::error::ApiError;

/// The media type of a script. The middleware adds `nosniff` to every answer.
pub(super) static SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

/// The longest name of a function.
const LONGEST: usize = 64;

/// The name of a function of a page: 1 to 64 of `A-Z a-z 0-9 _ $ .`, not with a digit or a dot in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Callback(String);

impl Callback {
    /// Checks the name of a function, which the request gives in this parameter; 400 if it is none.
    pub(super) fn parse(parameter: &str, text: &str) -> Result<Self, ApiError> {
        let begins = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
        let goes_on = |byte: u8| begins(byte) || byte.is_ascii_digit() || byte == b'.';
        let name = text.as_bytes();
        let fits =
            (1..=LONGEST).contains(&name.len()) && begins(name[0]) && name.iter().all(|byte| goes_on(*byte));
        if fits {
            return Ok(Callback(text.to_owned()));
        }
        Err(ApiError::BadRequest(format!(
            "{parameter} must be the name of a function: 1 to 64 of A-Z a-z 0-9 _ $ . with a letter, _ or $ in front"
        )))
    }

    /// A script that calls the function with this value, if the page has the function. `json` must be JSON as serde writes it.
    ///
    /// The comment in front keeps the script from being read as a file of another kind, whose first bytes the name might be.
    pub(super) fn call(&self, json: &str) -> String {
        let Callback(name) = self;
        // Two characters end a line in scripts that were written for old browsers, but not in JSON.
        let json = json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        format!("/**/typeof {name}===\"function\"&&{name}({json});\n")
    }

    /// A script that calls the function with this value, as busuanzi writes it: nothing happens if the page has no such function. `json` must
    /// be numbers only.
    pub(super) fn try_call(&self, json: &str) -> String {
        let Callback(name) = self;
        format!("try{{{name}({json});}}catch(e){{}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_callback_is_the_name_of_a_function() {
        for name in ["cb", "$", "_a1", "App.count", "websiteVisits", &"x".repeat(64)] {
            assert!(Callback::parse("callback", name).is_ok(), "{name}");
        }
        for name in [
            "",
            "1a",
            ".a",
            "a()",
            "a(1)//",
            "a b",
            "a;b",
            "alert(1)",
            "a\n",
            "a-b",
            "a[0]",
            "é",
            "a<b",
            "*/a",
            "a'",
            &"x".repeat(65),
        ] {
            assert!(Callback::parse("callback", name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_call_begins_with_a_comment_and_ends_no_line() {
        let callback = Callback::parse("callback", "cb").expect("a name");
        assert_eq!(callback.call("{\"a\":1}"), "/**/typeof cb===\"function\"&&cb({\"a\":1});\n");
        assert_eq!(callback.call("\"\u{2028}\u{2029}\"").matches(['\u{2028}', '\u{2029}']).count(), 0);
    }

    proptest! {
        #[test]
        fn no_callback_has_a_character_that_ends_a_name(text in "\\PC{0,70}") {
            if let Ok(Callback(name)) = Callback::parse("callback", &text) {
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$.".contains(&b)));
            }
        }
    }
}
