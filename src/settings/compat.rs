//! Parses the host names on which the routes of other services are answered: `[compat]`.

use super::error::SettingsError;
use super::texts::Texts;
use crate::compat::{CompatHosts, HostNames, Service};

/// Parses the host names of all services.
pub(super) fn compat(texts: &Texts) -> Result<CompatHosts, SettingsError> {
    let mut hosts = CompatHosts::default();
    for service in Service::ALL {
        let key = format!("compat.{}", service.word());
        let list = texts.list(&key)?.unwrap_or_default();
        let names = HostNames::parse(list.iter().map(String::as_str));
        hosts.set(service, names.map_err(|error| SettingsError::new(key, error))?);
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::test_load::load_file;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<CompatHosts, SettingsError> {
        load_file(file, environment).map(|settings| settings.compat)
    }

    #[test]
    fn no_service_has_hosts_unless_they_are_set() {
        let hosts = load("[compat]\n", &[]).expect("settings");
        assert!(Service::ALL.iter().all(|service| hosts.of(*service).is_empty()));
    }

    #[test]
    fn each_service_has_a_list_of_its_own() {
        let file = "[compat]\ncountapi = ['api.example.com', 'b.example.com']\ndwyl = '*'\n";
        let variable = [("LIVECOUNTER__COMPAT__VISITOR_BADGE", "a.example.com, b.example.com")];
        let hosts = load(file, &variable).expect("settings");
        for (service, host, expected) in [
            (Service::CountApi, "b.example.com:80", true),
            (Service::CountApi, "a.example.com", false),
            (Service::VisitorBadge, "a.example.com", true),
            (Service::VisitorBadge, "b.example.com", true),
            (Service::Dwyl, "other.example.com", true),
            (Service::Komarev, "a.example.com", false),
        ] {
            assert_eq!(hosts.of(service).contain(Some(host)), expected, "{service:?} {host}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_used_is_named_with_its_key() {
        for (file, expected) in [
            (
                "countapi = ['https://api.example.com']",
                "compat.countapi: \"https://api.example.com\" is no host name: write it without scheme, port and path, as in \
                 counts.example.com, or * for all hosts",
            ),
            (
                "komarev = ['*', 'a']",
                "compat.komarev: * is for all hosts, so there must be no other name beside it",
            ),
            ("dwyl = [['a']]", "compat.dwyl: must be a list of texts"),
            ("countapis = []", "compat.countapis: no such setting; did you mean compat.countapi?"),
        ] {
            let error = load(&format!("[compat]\n{file}\n"), &[]).expect_err("a refusal");
            assert_eq!(format!("{}: {}", error.key, error.problem), expected);
        }
    }
}
