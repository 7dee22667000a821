//! `/live-counter.js`: the module with the element that pages of all sites load to show live numbers.

use std::sync::LazyLock;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::caching::ONE_HOUR;
use super::context::WorkerContext;
use super::html::assets::Asset;
use super::pictures::share;

static MODULE: LazyLock<Asset> = LazyLock::new(|| {
    let text = without_comments(include_str!("../../clients/js/live-counter.js"));
    Asset::new("live-counter", "js", "text/javascript; charset=utf-8", text)
});

/// The module, compressed if the client accepts that; 304 if the client has it already.
pub(super) async fn module(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let mut response = MODULE.answer(&request, &ONE_HOUR, |_| ());
    share(response.headers_mut());
    context.shared.cache.file(response.headers_mut());
    response
}

/// The script without indentation, empty lines and the lines that are only comment. A comment behind code stays.
fn without_comments(script: &str) -> String {
    let mut is_comment = false;
    let mut kept = String::new();
    for line in script.lines().map(str::trim) {
        is_comment |= line.starts_with("/*");
        if !is_comment && !line.is_empty() && !line.starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
        is_comment &= !line.ends_with("*/");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_comment_are_left_out() {
        let script = "/** Says why. */\nconst a = 1; // one\n\n// A line.\n/**\n * @param {string} b\n */\nfunction c(b) {\n  return a\n    * b;\n}\n";
        assert_eq!(without_comments(script), "const a = 1; // one\nfunction c(b) {\nreturn a\n* b;\n}\n");
    }
}
