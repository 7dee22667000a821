//! The badge of `komarev.com/ghpvc`: the views of a profile at GitHub. Only a request of GitHub's image proxy counts: a picture that is
//! shown elsewhere is no view of the profile. A profile is the page `github.com/{username}`.

use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::badge_parts::{COOKIE_PATH, color, picture, required, style, text};
use super::service_routes::ServiceRoutes;
use crate::badge::{Badge, BadgeText, Color, NumberFormat, Style};
use crate::domain::{LIMIT, PageAddress};
use crate::hits::HitRules;
use crate::http::context::WorkerContext;
use crate::http::error::ApiError;
use crate::http::hit_request::{is_hit, known_parameters, page_at, rules};
use crate::http::hits::{answer, count_if};
use crate::http::pictures::{SVG, error_picture, restrict};
use crate::http::query::Query;

/// How the name of GitHub's image proxy begins.
const IMAGE_PROXY: &[u8] = b"github-camo";
/// The longest name of a user at GitHub has 39 characters; some old ones are longer.
const LONGEST: usize = 64;
/// The picture of the style `pixel`, which shows nothing.
const PIXEL: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>";

/// Adds the route of the service.
pub(super) fn routes(routes: &mut ServiceRoutes<'_>) {
    routes.readable("komarev:/ghpvc/", "/ghpvc{slash:/?}", count);
}

/// How a badge should look.
struct Look {
    is_pixel: bool,
    style: Style,
    label: BadgeText,
    color: Color,
    format: NumberFormat,
    base: i64,
}

impl Look {
    const PARAMETERS: [&str; 6] = ["username", "label", "color", "style", "base", "abbreviated"];

    fn of(query: &Query) -> Result<Look, ApiError> {
        let is_short = matches!(query.get("abbreviated"), Some("true" | "1" | "yes" | "on"));
        Ok(Look {
            is_pixel: query.get("style") == Some("pixel"),
            style: style(query, Style::Flat),
            label: text(query, "label", "Profile views")?,
            color: color(query, "color", "blue")?,
            format: if is_short { NumberFormat::Short } else { NumberFormat::Plain },
            base: base(query.get("base").unwrap_or("0"))?,
        })
    }

    fn badge(self, views: i64) -> Badge {
        // Both numbers are within the limit, so their sum is far from the ends of an i64.
        let message = self.format.write(views.saturating_add(self.base));
        Badge {
            style: self.style,
            label: self.label,
            message: BadgeText::lossy(&message),
            color: self.color,
            label_color: Color::GREY,
        }
    }
}

/// Counts a view of the profile if GitHub's image proxy asks, and answers the number as a badge. An error is a picture, too.
async fn count(request: HttpRequest, context: Data<WorkerContext>) -> HttpResponse {
    let drawn = async {
        let query = known_parameters(&request, &Look::PARAMETERS)?;
        let look = Look::of(&query)?;
        let agent = request.headers().get(USER_AGENT).map(|agent| agent.as_bytes()).unwrap_or_default();
        let counts = agent.starts_with(IMAGE_PROXY) && is_hit(&request, rules(&context)?);
        let hits = count_if(&request, &context, counts, COOKIE_PATH, |rules| profile(&query, rules)).await?;
        if look.is_pixel {
            let mut response = answer(hits.cookie, SVG.clone()).body(PIXEL);
            restrict(response.headers_mut());
            return Ok(response);
        }
        Ok(picture(&look.badge(hits.value), hits.cookie))
    };
    drawn.await.unwrap_or_else(error_picture)
}

fn profile(query: &Query, rules: &HitRules) -> Result<PageAddress, ApiError> {
    let name = required(query, "username", "your-github-username")?;
    if name.len() > LONGEST || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        let problem = format!("username must be 1 to {LONGEST} letters, digits and hyphens, as at GitHub");
        return Err(ApiError::BadRequest(problem));
    }
    page_at(&format!("github.com/{name}"), rules)
}

fn base(text: &str) -> Result<i64, ApiError> {
    let number = text.parse().ok().filter(|number| (-LIMIT..=LIMIT).contains(number));
    number.ok_or_else(|| {
        ApiError::BadRequest(format!("base must be a whole number from -{LIMIT} to {LIMIT}, in plain digits"))
    })
}
