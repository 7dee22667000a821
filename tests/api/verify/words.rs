//! Words that are no use of the command: one line, exit status 2, and no request.

use crate::support::verify::{verify, verify_with};

#[tokio::test]
async fn wrong_words_are_one_line_and_status_2() {
    let long = "x".repeat(65);
    for (url, words, text) in [
        ("ftp://127.0.0.1:1/", &[][..], "must begin with http:// or https://"),
        ("127.0.0.1:1", &[], "must be the address of a service"),
        ("http://user:hush@127.0.0.1:1/", &[], "must have no user and no password"),
        ("http://127.0.0.1:1/?_key=hush", &[], "must end with the path"),
        ("http://127.0.0.1:1/", &["--counter", "a b"], "--counter"),
        ("http://127.0.0.1:1/", &["--counter", &long], "--counter"),
        ("http://127.0.0.1:1/", &["--timeout", "0s"], "from 1s to 1m"),
        ("http://127.0.0.1:1/", &["--key-file", "/nowhere/key"], "--key-file: cannot read /nowhere/key"),
        ("http://127.0.0.1:1/", &["--key-file", "/dev/null"], "--key-file: must be a key or a ticket"),
        ("http://127.0.0.1:1/", &["--key-file", "/dev/zero"], "--key-file: must be a key or a ticket"),
        ("http://127.0.0.1:1/", &["http://127.0.0.1:2/"], "unexpected"),
    ] {
        let refused = verify(url, words).await;
        assert_eq!((refused.status, refused.output.as_str()), (Some(2), ""), "{refused:?}");
        assert_eq!(refused.errors.lines().count(), 1, "{refused:?}");
        assert!(refused.errors.contains(text) && !refused.errors.contains("hush"), "{refused:?}");
    }
    let refused = verify_with("http://127.0.0.1:1/", &[], &[("LIVECOUNTER_VERIFY_KEY", "hush hush")]).await;
    assert_eq!(refused.status, Some(2), "{refused:?}");
    let expected = "livecounter: LIVECOUNTER_VERIFY_KEY: must be a key or a ticket: one line of visible ASCII characters\n";
    assert_eq!(refused.errors, expected);
}
