//! The OpenAPI document, made from the table, and the page to browse it.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::endpoint::{Access, Endpoint, get};
use crate::problem::ProblemDocument;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/openapi.json", Access::Open, document)
            .summary("This document")
            .serves("application/json", Type::Object),
        get("/v1/docs", Access::Open, browse).summary("A page to browse it").serves("text/html", Type::String),
    ]
}

/// The document.
pub(super) fn openapi() -> OpenApi {
    let table = super::endpoints();
    let mut components = ComponentsBuilder::new()
        .security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .schema("Problem", ProblemDocument::schema());
    let mut more = Vec::new();
    ProblemDocument::schemas(&mut more);
    components = components.schemas_from_iter(more);
    let mut paths = PathsBuilder::new();
    for mut endpoint in table {
        let method = match endpoint.method.as_str() {
            "POST" => HttpMethod::Post,
            "PUT" => HttpMethod::Put,
            "PATCH" => HttpMethod::Patch,
            "DELETE" => HttpMethod::Delete,
            "HEAD" => HttpMethod::Head,
            _ => HttpMethod::Get,
        };
        paths = paths.path(endpoint.path.replace("{*", "{"), PathItem::new(method, endpoint.operation()));
        components = components.schemas_from_iter(endpoint.schemas);
    }
    let info = InfoBuilder::new()
        .title("Artifortress")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The control plane. Package managers use their own protocols under /repository/{repoKey}/."));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

async fn document() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| openapi().to_json().unwrap_or_default());
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (StatusCode::OK, kind, text.as_str()).into_response()
}

async fn browse() -> Response {
    crate::ui::api_page()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    #[test]
    fn no_two_things_share_a_name() {
        let mut known = HashMap::new();
        for endpoint in super::super::endpoints() {
            for (name, schema) in endpoint.schemas {
                let text = serde_json::to_string(&schema).expect("JSON");
                let first = known.entry(name.clone()).or_insert_with(|| text.clone());
                assert_eq!(*first, text, "two different schemas are called {name}");
            }
        }
    }
}
