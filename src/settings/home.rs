//! Parses the setting of the home page: `home.analytics`.

use super::error::SettingsError;
use super::texts::Texts;
use crate::access::{Keys, RouteKey};
use crate::domain::Route;

/// The longest name that the template for analytics puts behind the route of its key.
const LONGEST_NAME: &str = "referrers";

/// Finds the key with which the home page records its views; `None` if the setting is not set.
pub(super) fn analytics(texts: &Texts, keys: &Keys) -> Result<Option<RouteKey>, SettingsError> {
    let setting = "home.analytics";
    let Some(secret) = texts.get(setting) else { return Ok(None) };
    let key = RouteKey::find(secret, keys).map_err(|error| SettingsError::new(setting, error))?;
    let route = format!("{}/{LONGEST_NAME}", key.route).parse::<Route>();
    let route = route.map_err(|error| SettingsError::new(setting, error))?;
    if route.is_own() {
        let problem = "no client may write below a route that begins with _, which the service itself writes";
        return Err(SettingsError::new(setting, problem));
    }
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::NewSecret;
    use crate::settings::test_load::load_file;

    /// Loads settings with one key, of these scopes, and with `home.analytics`: the secret of that key, unless another text is given.
    fn load(scopes: &str, text: Option<&str>) -> Result<Option<RouteKey>, String> {
        let secret = NewSecret::generate().expect("random numbers");
        let text = text.unwrap_or(secret.expose());
        let (id, digest) = (secret.id(), secret.sha256());
        let file = format!(
            "[[keys]]\nname = 'views'\nid = '{id}'\nsha256 = '{digest}'\nscopes = [{scopes}]\n[home]\nanalytics = '{text}'\n"
        );
        load_file(&file, &[]).map(|settings| settings.home_analytics).map_err(|error| {
            assert!(!error.problem.contains(secret.expose()), "{error}");
            format!("{}: {}", error.key, error.problem)
        })
    }

    #[test]
    fn the_key_of_the_home_page_writes_below_one_route() {
        let key = load("'write:routes/site/'", None).expect("settings").expect("a key");
        assert_eq!(key.route, "site");
        let key = load("'write:routes/a/b.c/'", None).expect("settings").expect("a key");
        assert_eq!(key.route, "a/b.c");
        assert_eq!(load("'write:'", Some("")), Ok(None));
    }

    #[test]
    fn a_key_that_may_do_more_is_refused_and_never_shown() {
        for scopes in [
            "'admin'",
            "'write:'",
            "'write:routes/'",
            "'write:routes/site'",
            "'write:counters/site/'",
            "'manage:routes/site/'",
            "'read:routes/site/'",
            "'write:routes/site/', 'sql'",
            "'write:routes/site/', 'write:routes/shop/'",
        ] {
            let expected = "home.analytics: every visitor can read the secret, so the key views must have the scope \
                            write:routes/ROUTE/ alone, with the slash at the end";
            assert_eq!(load(scopes, None).expect_err("a refusal"), expected, "{scopes}");
        }
    }

    #[test]
    fn a_text_that_is_no_key_of_one_route_is_refused() {
        let other = NewSecret::generate().expect("random numbers");
        for text in ["true", "lc_", "views", other.expose()] {
            let problem = load("'write:routes/site/'", Some(text)).expect_err("a refusal");
            assert!(
                problem.starts_with("home.analytics: must be the secret of one of the keys"),
                "{problem}"
            );
            assert!(!problem.contains(other.expose()), "{problem}");
        }
        for (scopes, expected) in [
            ("'write:routes/_admin/'", "no client may write below a route that begins with _"),
            ("'write:routes/a//'", "a route has characters before and behind each slash"),
            ("'write:routes/a b/'", ""),
            ("'write:routes/1/2/3/4/5/6/7/8/9/10/'", "a route has at most 10 segments"),
        ] {
            let problem = load(scopes, None).expect_err("a refusal");
            assert!(problem.contains(expected), "{scopes}: {problem}");
        }
    }
}
