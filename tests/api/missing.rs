//! The answer to a path that does not exist: a page for a browser, a problem for other clients.

use reqwest::Method;

use crate::program::{Program, program};
use crate::support::app::TestApp;
use crate::support::http::{Ask, client, header};

/// What a browser accepts when it opens an address.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_browser_gets_a_page_for_a_path_that_does_not_exist() {
    let app = TestApp::spawn().await;
    for path in ["/nothing", "/counters/2/nothing", "/admin/nothing", "/<script>"] {
        let answer = client().get(format!("{}{path}", app.address)).header("accept", BROWSER).answer().await;
        assert_eq!(answer.status(), 404, "{path}");
        for (name, expected) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("vary", "accept"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(&answer, name), expected, "{path}");
        }
        assert!(header(&answer, "content-security-policy").contains("default-src 'none'"), "{path}");
        let page = answer.text().await.expect("a page");
        assert!(page.contains("<a href=\"/\">") && !page.contains("<script"), "{path}: {page}");
        // The files of the page are there.
        for file in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let answer = client().get(format!("{}{file}", app.address)).answer().await;
            assert_eq!(answer.status(), 200, "{file}");
        }
    }
}

#[tokio::test]
async fn other_clients_get_a_problem_for_a_path_that_does_not_exist() {
    let app = TestApp::spawn().await;
    for (method, accept) in [
        (Method::GET, "*/*"),
        (Method::GET, "application/json"),
        (Method::GET, "text/html;q=0, */*"),
        (Method::POST, BROWSER),
        (Method::DELETE, BROWSER),
    ] {
        let request = client().request(method.clone(), format!("{}/nothing", app.address));
        let answer = request.header("accept", accept).answer().await;
        assert_eq!(answer.status(), 404, "{method} {accept}");
        assert_eq!(header(&answer, "content-type"), "application/problem+json", "{method} {accept}");
    }
}

#[tokio::test]
async fn the_listener_for_operators_has_no_pages() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = program(directory.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("LIVECOUNTER__OPS__LISTEN", "127.0.0.1:0");
    let mut program = Program::run(command);
    let operators = program.until_logged("serving operators on http://");
    let address = operators.split('/').next().expect("an address");
    let answer = client().get(format!("http://{address}/nothing")).header("accept", BROWSER).answer().await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-type")),
        (404, "application/problem+json")
    );
}
