//! Reads the forms of the pages for administrators.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;

use crate::http::amount::BODY_LIMIT;
use crate::http::body::whole_body;
use crate::http::error::ApiError;

/// The fields of a form.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the body of the request; 415 if it is no form, 413 if it is too long.
    pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Form, ApiError> {
        Form::read_up_to(BODY_LIMIT, request, payload).await
    }

    /// The same for a form that has another greatest length, in bytes.
    pub(super) async fn read_up_to(
        most: usize,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Form, ApiError> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(ApiError::UnsupportedMediaType);
        }
        let body = whole_body(request, payload, most).await?;
        Ok(Form(form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// The text of a field without white space around it; empty if the form does not have the field.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text.trim())
    }
}
