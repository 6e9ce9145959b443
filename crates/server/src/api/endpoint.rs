//! An endpoint as data: where it is, who may call it, what it takes and answers.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::{Method, StatusCode};
use model::{Role, TenantRole};
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required};
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody with a valid token.
    Token,
    /// Who has the role on the tenant.
    Tenant(TenantRole),
    /// Who has the role on the repository in the path; `Read` also for anonymous-readable ones.
    Repo(Role),
}

impl Access {
    /// As programs read it: `open`, `token`, `tenant:<role>` or `repo:<role>`.
    fn word(self) -> String {
        match self {
            Self::Open => "open".to_owned(),
            Self::Token => "token".to_owned(),
            Self::Tenant(role) => format!("tenant:{}", role.word()),
            Self::Repo(role) => format!("repo:{}", role.word()),
        }
    }
}

/// A row of the table.
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The template, e.g. `/v1/repos/{repo}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    pub(crate) handler: MethodRouter<App>,
    /// The names of the query parameters that it takes.
    pub(crate) parameters: Vec<&'static str>,
    operation: OperationBuilder,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

macro_rules! methods {
    ($($name:ident $method:ident),+) => {$(
        /// An endpoint for this method.
        pub(crate) fn $name<H: Handler<T, App>, T: 'static>(path: &'static str, access: Access, handler: H) -> Endpoint {
            Endpoint::new(Method::$method, path, access, on(MethodFilter::$method, handler))
        }
    )+};
}
methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

impl Endpoint {
    fn new(method: Method, path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        let names = path.split('{').skip(1).filter_map(|part| part.split('}').next());
        let text = || Some(ObjectBuilder::new().schema_type(Type::String).build());
        let operation = names.fold(OperationBuilder::new(), |operation, name| {
            let name = name.trim_start_matches('*');
            operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .schema(text()),
            )
        });
        Self { method, path, access, handler, parameters: Vec::new(), operation, schemas: Vec::new() }
    }

    /// One line on what it does.
    pub(crate) fn summary(mut self, text: &str) -> Self {
        self.operation = self.operation.summary(Some(text));
        self
    }

    /// The JSON that it takes.
    pub(crate) fn takes<T: ToSchema + 'static>(mut self) -> Self {
        let content = ContentBuilder::new().schema(Some(self.reference::<T>()));
        self.body("application/json", content, Required::True)
    }

    /// The JSON that it takes if there is any.
    pub(crate) fn may_take<T: ToSchema + 'static>(mut self) -> Self {
        let content = ContentBuilder::new().schema(Some(self.reference::<T>()));
        self.body("application/json", content, Required::False)
    }

    /// Takes raw bytes.
    pub(crate) fn takes_bytes(self) -> Self {
        self.body("application/octet-stream", ContentBuilder::new(), Required::True)
    }

    fn body(mut self, kind: &str, content: ContentBuilder, required: Required) -> Self {
        let body = RequestBodyBuilder::new().content(kind, content.build()).required(Some(required)).build();
        self.operation = self.operation.request_body(Some(body));
        self
    }

    /// The JSON that it answers with this status.
    pub(crate) fn answers<T: ToSchema + 'static>(mut self, status: StatusCode) -> Self {
        let content = ContentBuilder::new().schema(Some(self.reference::<T>())).build();
        let response = ResponseBuilder::new()
            .description(status.canonical_reason().unwrap_or(""))
            .content("application/json", content);
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// The status that it answers without a body.
    pub(crate) fn answers_nothing(mut self, status: StatusCode) -> Self {
        let response = ResponseBuilder::new().description(status.canonical_reason().unwrap_or(""));
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// What it answers 200 with where that is not a type of ours: a media type, and whether it is a text or an object.
    pub(crate) fn serves(mut self, kind: &str, form: Type) -> Self {
        let content = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(form).build())).build();
        let response = ResponseBuilder::new().description("OK").content(kind, content);
        self.operation = self.operation.response("200", response.build());
        self
    }

    /// The raw bytes that it answers with this status.
    pub(crate) fn bytes(mut self, status: StatusCode) -> Self {
        let content = ContentBuilder::new().build();
        let response = ResponseBuilder::new().description("The bytes").content("application/octet-stream", content);
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// A query parameter; one that is not named like this is refused.
    pub(crate) fn query(mut self, name: &'static str, text: &str) -> Self {
        self.parameters.push(name);
        let schema = Some(ObjectBuilder::new().schema_type(Type::String).build());
        let parameter =
            ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).description(Some(text)).schema(schema);
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// The query parameters of lists.
    pub(crate) fn pages(self) -> Self {
        self.query("limit", "items at most: 1 to 200, default 50").query("cursor", "nextCursor of the page before")
    }

    fn reference<T: ToSchema + 'static>(&mut self) -> RefOr<Schema> {
        let name = T::name().into_owned();
        let mut more = Vec::new();
        T::schemas(&mut more);
        more.push((name.clone(), <T as PartialSchema>::schema()));
        self.schemas.extend(more);
        RefOr::Ref(Ref::from_schema_name(name))
    }

    /// Its part of the OpenAPI document.
    pub(crate) fn operation(&mut self) -> Operation {
        let problem =
            ContentBuilder::new().schema(Some(RefOr::<Schema>::Ref(Ref::from_schema_name("Problem")))).build();
        let refused = ResponseBuilder::new()
            .description("A problem: RFC 9457 with a stable `code`")
            .content("application/problem+json", problem)
            .build();
        let access = match self.access {
            Access::Open => "Open to everybody.".to_owned(),
            Access::Token => "Needs a token.".to_owned(),
            Access::Tenant(role) => format!("Needs the scope `tenant:{}`.", role.word()),
            Access::Repo(role) => format!("Needs the role `{}` on the repository.", role.word()),
        };
        let mut operation =
            std::mem::take(&mut self.operation).description(Some(access)).response("default", refused).build();
        let words = self.path.split(['/', '{', '}', '*']).filter(|word| !word.is_empty());
        let id =
            std::iter::once(self.method.as_str().to_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>();
        operation.operation_id = Some(id.join("_"));
        operation.extensions = Some([("x-access", self.access.word())].into_iter().collect());
        operation.tags = Some(vec![
            self.path.split('/').find(|word| !word.is_empty() && *word != "v1").unwrap_or("root").to_owned(),
        ]);
        if self.access != Access::Open {
            operation.security =
                Some(vec![utoipa::openapi::security::SecurityRequirement::new("token", Vec::<String>::new())]);
        }
        operation
    }
}
