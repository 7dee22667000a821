//! docker-compose.yml gives no service more than it needs, and the image is built from all that the program is made of. The files are read
//! line by line, in the form in which they are written.

use std::path::Path;

use crate::support::process::repository;

/// The services, each with the lines below its name.
fn services() -> Vec<(String, String)> {
    let file = include_str!("../../docker-compose.yml");
    let (_, services) = file.split_once("\nservices:\n").expect("services");
    let (services, _) = services.split_once("\nnetworks:\n").expect("networks behind the services");
    let mut found: Vec<(String, String)> = Vec::new();
    for line in services.lines() {
        let name = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'));
        match name.filter(|name| !name.starts_with([' ', '#'])) {
            Some(name) => found.push((name.to_owned(), String::new())),
            None => found.last_mut().into_iter().for_each(|(_, lines)| *lines += &format!("{line}\n")),
        }
    }
    found
}

/// The text behind `key:` in a service.
fn value<'a>(service: &'a str, key: &str) -> Option<&'a str> {
    service.lines().find_map(|line| line.strip_prefix(&format!("    {key}: ")))
}

#[test]
fn every_service_of_compose_is_bounded_and_pinned() {
    let services = services();
    let names: Vec<_> = services.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["keys", "redis", "origin", "cache", "pushpin", "front"]);
    for (name, service) in &services {
        for key in ["mem_limit", "pids_limit"] {
            assert!(value(service, key).is_some(), "{name} has no {key}");
        }
        assert_eq!(value(service, "read_only"), Some("true"), "{name}");
        assert_eq!(value(service, "cap_drop"), Some("[ALL]"), "{name}");
        assert_eq!(value(service, "security_opt"), Some(r#"["no-new-privileges:true"]"#), "{name}");
        let image = value(service, "image").expect("an image");
        if value(service, "build").is_none() {
            // A version of three numbers, or a day.
            let (_, tag) = image.split_once(':').expect("a tag");
            let exact = tag.split('-').any(|part| {
                let numbers = part.split('.').filter(|number| number.parse::<u32>().is_ok()).count();
                numbers == 3 || part.len() == 8 && numbers == 1
            });
            assert!(exact, "{name} runs {image}, which may be another one tomorrow");
        }
    }
}

#[test]
fn compose_publishes_the_front_alone() {
    for (name, service) in services() {
        assert_eq!(value(&service, "ports").is_some(), name == "front", "{name}");
        let public = service.lines().any(|line| line.starts_with("    networks:") && line.contains("public"));
        assert_eq!(public, name == "front", "{name}");
    }
    let file = include_str!("../../docker-compose.yml");
    let (_, networks) = file.split_once("\nnetworks:\n").expect("networks");
    let (networks, _) = networks.split_once("\n\n").expect("an end of them");
    for network in networks.lines().filter(|line| !line.starts_with("  public:")) {
        assert!(network.ends_with(": { internal: true }"), "{network} has a way out");
    }
}

#[test]
fn a_service_of_compose_sees_the_secrets_alone_that_it_needs() {
    for (name, service) in services() {
        let seen = ["grip", "purge", "redis"].map(|key| service.contains(&format!("{key}-key:/keys/{key}")));
        let needed = match name.as_str() {
            "keys" | "origin" => [true, true, true],
            "redis" => [false, false, true],
            "cache" => [false, true, false],
            "pushpin" => [true, false, false],
            _ => [false, false, false],
        };
        assert_eq!(seen, needed, "{name}");
    }
}

/// The files outside of `src` whose text the sources in a directory include.
fn included(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(included(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            let files = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
            let files = files.map(|file| directory.join(file).canonicalize().expect("an included file"));
            found.extend(files.filter(|file| !file.starts_with(repository("src"))).map(|file| {
                file.strip_prefix(repository("")).expect("a file of the repository").display().to_string()
            }));
        }
    }
    found
}

#[test]
fn the_image_is_built_from_all_files_that_the_program_includes() {
    let (image, context) = (include_str!("../../Dockerfile"), include_str!("../../.dockerignore"));
    let files = included(&repository("src"));
    assert!(files.len() > 1, "{files:?}");
    for file in files {
        assert!(image.lines().any(|line| line == format!("COPY {file} {file}")), "no COPY of {file}");
        assert!(context.lines().any(|line| line == format!("!{file}")), ".dockerignore leaves out {file}");
    }
}
