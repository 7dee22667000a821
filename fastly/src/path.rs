//! Gives each path one spelling.

/// The path without needless encoding: `%6D` is `m` (RFC 3986, section 6.2.2.2). Origins decode it too. Without this step,
/// `/%6Detrics` would be one resource for this program and another for the origins, and each spelling of a counter would have an
/// entry in the cache. Characters that must be encoded, such as `%2F`, stay as they are. A `%` that encodes no character becomes
/// `%25`, as a later reader of the path could otherwise take it and the next characters for a code.
pub fn normalize_path(path: &str) -> String {
    let mut spelt = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, code) = rest.split_at(at);
        spelt.push_str(before);
        let length = match encoded(code) {
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
                spelt.push(char::from(byte));
                3
            }
            Some(_) => {
                spelt.push_str(&code[..3]);
                3
            }
            None => {
                spelt.push_str("%25");
                1
            }
        };
        rest = &code[length..];
    }
    spelt.push_str(rest);
    spelt
}

/// The resources whose paths list names.
const LISTS: [&str; 2] = ["/counters/", "/topics/"];

/// Whether the path is below one of the resources whose paths list names. Such a path says all, so its query does not count.
pub(crate) fn lists_names(path: &str) -> bool {
    LISTS.iter().any(|resource| path.starts_with(resource))
}

/// The path of a recovery, `/counters/{id}/recover` or `/topics/{name}/recover`, and not that of the counter "recover".
pub(crate) fn is_recovery(path: &str) -> bool {
    path.trim_end_matches('/').strip_suffix("/recover").is_some_and(lists_names)
}

/// The one spelling of a path that lists counters or topics: `/counters/2,1,2/` is `/counters/1,2/`, so that the cache keeps one
/// answer for all spellings. Any other path stays as it is; the origin refuses a list that names one counter only.
pub fn sort_names(path: String) -> String {
    let Some(resource) = LISTS.into_iter().find(|resource| path.starts_with(resource)) else { return path };
    let rest = &path[resource.len()..];
    let (list, end) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let list = list.replace("%2C", ",").replace("%2c", ",");
    if !list.contains(',') {
        return path;
    }
    let mut names: Vec<&str> = list.split(',').collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == 1 {
        return path;
    }
    format!("{resource}{}{end}", names.join(","))
}

/// The part of a path behind a counter, such as `history`; `None` if the path is the counter itself, or has more parts.
pub(crate) fn resource_of_counter(path: &str) -> Option<&str> {
    let (id, resource) = path.strip_prefix("/counters/")?.split_once('/')?;
    (!id.is_empty() && !resource.is_empty() && !resource.contains('/')).then_some(resource)
}

/// The byte that a `%` and two digits at the beginning of the text encode, if they do.
fn encoded(text: &str) -> Option<u8> {
    let digits = text.get(1..3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_need_no_encoding_are_decoded() {
        for (path, spelt) in [
            ("/counters/2/", "/counters/2/"),
            ("/%6detrics", "/metrics"),
            ("/%6D%65%74%72%69%63%73", "/metrics"),
            ("/counters/%7e%2D%5F%2e/recove%72", "/counters/~-_./recover"),
            ("/%63ounters/%32", "/counters/2"),
        ] {
            assert_eq!(normalize_path(path), spelt);
        }
    }

    #[test]
    fn a_list_has_one_spelling() {
        for (path, sorted) in [
            ("/counters/b,a,b/", "/counters/a,b/"),
            ("/counters/2%2c1%2C2", "/counters/1,2"),
            ("/counters/1,1/", "/counters/1,1/"),
            ("/counters/2,1/recover", "/counters/1,2/recover"),
            ("/counters/2/", "/counters/2/"),
            ("/counters/", "/counters/"),
            ("/assets/b,a", "/assets/b,a"),
            ("/topics/site-b,page-a%2Csite-b/", "/topics/page-a,site-b/"),
            ("/topics/counter-1,counter-1", "/topics/counter-1,counter-1"),
        ] {
            assert_eq!(sort_names(path.to_owned()), sorted);
        }
    }

    #[test]
    fn a_recovery_is_known_by_its_path() {
        for path in ["/counters/2/recover", "/counters/1+2/recover/", "/topics/counter-2+site-a/recover"] {
            assert!(is_recovery(path), "{path}");
        }
        for path in ["/counters/recover", "/counters/recover/", "/topics/recover", "/nocount/recover"] {
            assert!(!is_recovery(path), "{path}");
        }
    }

    #[test]
    fn characters_that_need_encoding_stay_and_nothing_is_decoded_twice() {
        for path in ["/a%2Fb", "/a%2fb", "/%00", "/%20%3F%23", "/%C3%A9", "/%256d"] {
            assert_eq!(normalize_path(path), path);
        }
        for (path, spelt) in [
            ("/%%36d", "/%256d"),
            ("/%zz", "/%25zz"),
            ("/%", "/%25"),
            ("/%6", "/%256"),
            ("/%+6d", "/%25+6d"),
            ("/\u{e9}%\u{e9}", "/\u{e9}%25\u{e9}"),
        ] {
            assert_eq!(normalize_path(path), spelt);
            assert_eq!(normalize_path(spelt), spelt);
        }
    }
}
