//! Lists: bounded pages behind opaque cursors.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::Problem;

/// `?limit=` and `?cursor=`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Written by hand: the derived one calls every page `Page`, whatever is on it.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name())).description(Some("The items."));
        let cursor = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Where the next page begins; absent on the last one."));
        let page = ObjectBuilder::new().property("items", items).property("nextCursor", cursor).required("items");
        page.description(Some("A page of a list.")).into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("Page_{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
    }
}

impl Paging {
    /// Most items of a page.
    pub const MAX: u32 = 200;

    /// For lists that have more parameters than these.
    pub fn new(limit: Option<u32>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// Items at most: 1 to 200, default 50.
    pub fn limit(&self) -> Result<u32, Problem> {
        match self.limit.unwrap_or(50) {
            limit @ 1..=Self::MAX => Ok(limit),
            _ => Err(Problem::bad_request("limit must be between 1 and 200").field("limit", "1 to 200")),
        }
    }

    /// The key after which the page begins.
    pub fn after(&self) -> Result<Option<String>, Problem> {
        let refused = || Problem::bad_request("this is not a cursor of ours").field("cursor", "not from nextCursor");
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
        String::from_utf8(bytes).map(Some).map_err(|_| refused())
    }
}

impl<T> Page<T> {
    /// Cuts what was read with `limit + 1` down to a page; `key` names where the next one begins.
    pub fn cut<S>(mut read: Vec<S>, limit: u32, key: impl Fn(&S) -> String, view: impl Fn(S) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = read.len() > limit;
        read.truncate(limit);
        Self::of(read, more, key, view)
    }

    /// A page of a list that was read whole, because it is short; `key` names its items and sorts them.
    pub fn within<S>(
        mut whole: Vec<S>,
        paging: &Paging,
        key: impl Fn(&S) -> String,
        view: impl Fn(S) -> T,
    ) -> Result<Self, Problem> {
        let (limit, after) = (paging.limit()?, paging.after()?);
        whole.retain(|item| after.as_ref().is_none_or(|after| key(item) > *after));
        whole.sort_by_cached_key(&key);
        Ok(Self::cut(whole, limit, key, view))
    }

    /// A page of what was read, when it is known whether there is more.
    pub fn of<S>(read: Vec<S>, more: bool, key: impl Fn(&S) -> String, view: impl Fn(S) -> T) -> Self {
        let next_cursor = read.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        Self { items: read.into_iter().map(view).collect(), next_cursor }
    }
}
