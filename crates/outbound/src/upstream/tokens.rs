//! Tokens that token services gave us: each for one origin and one scope, until it expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Secret, Timestamp};
use reqwest::Url;
use serde::Deserialize;

use super::challenge::Challenge;
use super::failure::Failure;

/// Tokens that are remembered.
const MOST: usize = 256;

/// How long a token lasts when nobody says so, and the longest that we believe.
const LIFE: (u64, u64) = (60, 3600);

/// A token is not used when it is about to expire.
const MARGIN: Duration = Duration::from_secs(10);

/// A token and its end.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) value: Secret<String>,
    until: Timestamp,
}

/// What a token service answers.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Token {
    /// From a token service's answer, which came at `now`; none when it cannot be understood.
    pub(crate) fn read(body: &[u8], now: Timestamp) -> Option<Self> {
        let given: Given = model::json::from_slice(body).ok()?;
        let value = given.token.or(given.access_token).filter(|token| !token.is_empty())?;
        let life = Duration::from_secs(given.expires_in.unwrap_or(LIFE.0).min(LIFE.1));
        Some(Self { value: Secret::new(value), until: now.plus(life).minus(MARGIN) })
    }
}

/// Who asked for a token, and which.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Purpose {
    /// The origin that wants to see it: the only one that does.
    pub(crate) origin: String,
    pub(crate) challenge: Challenge,
}

type Cell = Arc<tokio::sync::Mutex<Option<Token>>>;

/// The tokens of one upstream. One task at a time asks for a token, the others wait for what it gets.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<Purpose, Cell>>);

impl Tokens {
    /// A token that is known to serve for `url`, so that no challenge is needed.
    pub(crate) fn known(&self, url: &Url, now: Timestamp) -> Option<Secret<String>> {
        let origin = crate::address::origin(url);
        let cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = cells.iter().filter(|(own, _)| own.origin == origin && own.challenge.covers(url.path()));
        let mut held = fitting.filter_map(|(_, cell)| cell.try_lock().ok()?.clone());
        held.find(|token| token.until > now).map(|token| token.value)
    }

    /// The token for `purpose`, from `fetch` unless one is held that is neither too old nor `rejected`.
    pub(crate) async fn get(
        &self,
        purpose: Purpose,
        rejected: Option<&Secret<String>>,
        now: Timestamp,
        fetch: impl Future<Output = Result<Token, Failure>>,
    ) -> Result<Secret<String>, Failure> {
        let cell = self.cell(purpose);
        let mut held = cell.lock().await;
        match held.as_ref().filter(|token| token.until > now && Some(&token.value) != rejected) {
            Some(token) => Ok(token.value.clone()),
            None => Ok(held.insert(fetch.await?).value.clone()),
        }
    }

    fn cell(&self, purpose: Purpose) -> Cell {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() >= MOST && !cells.contains_key(&purpose) {
            // Whoever holds a cell keeps it; the next one just asks again.
            let oldest =
                cells.iter().min_by_key(|(_, cell)| cell.try_lock().ok().and_then(|held| Some(held.as_ref()?.until)));
            let oldest = oldest.map(|(purpose, _)| purpose.clone());
            oldest.and_then(|oldest| cells.remove(&oldest));
        }
        Arc::clone(cells.entry(purpose).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose(number: usize) -> Purpose {
        let scope = Some(format!("repository:r{number}:pull"));
        let challenge = Challenge { realm: "https://t.example".to_owned(), service: None, scope };
        Purpose { origin: "https://a.example".to_owned(), challenge }
    }

    fn token(value: &str, life: u64) -> Token {
        let body = format!(r#"{{"token":"{value}","expires_in":{life}}}"#);
        Token::read(body.as_bytes(), Timestamp(0)).expect("a token")
    }

    #[test]
    fn answers_of_token_services_are_read() {
        let second = Timestamp(0).plus(Duration::from_secs(1));
        let read =
            |body: &str| Token::read(body.as_bytes(), second).map(|token| (token.value.expose().clone(), token.until));
        let at = |seconds| Timestamp(0).plus(Duration::from_secs(seconds));
        assert_eq!(read(r#"{"token":"a","expires_in":300}"#), Some(("a".to_owned(), at(291))));
        assert_eq!(read(r#"{"access_token":"b"}"#), Some(("b".to_owned(), at(51))));
        assert_eq!(read(r#"{"token":"c","expires_in":999999999999}"#), Some(("c".to_owned(), at(3591))));
        for bad in ["", "{}", r#"{"token":""}"#, r#"{"token":1}"#, "[]", r#"{"token":"a","expires_in":-1}"#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_token_serves_its_origin_and_scope_until_it_expires_or_is_rejected() {
        let tokens = Tokens::default();
        let later = Timestamp(0).plus(Duration::from_secs(95));
        let get = async |number, rejected: Option<&Secret<String>>, now, fresh: &str| {
            let fetch = async { Ok(token(fresh, 100)) };
            tokens.get(purpose(number), rejected, now, fetch).await.expect("a token").expose().clone()
        };
        assert_eq!(get(1, None, Timestamp(0), "one").await, "one");
        assert_eq!(get(1, None, Timestamp(0), "two").await, "one");
        assert_eq!(get(2, None, Timestamp(0), "three").await, "three");
        assert_eq!(get(1, Some(&Secret::new("one".to_owned())), Timestamp(0), "four").await, "four");
        let known = |url: &str, now| {
            let url = Url::parse(url).expect("valid");
            tokens.known(&url, now).map(|token| token.expose().clone())
        };
        assert_eq!(known("https://a.example/v2/r1/blobs/x", Timestamp(0)).as_deref(), Some("four"));
        assert_eq!(known("https://a.example/v2/r3/blobs/x", Timestamp(0)), None);
        assert_eq!(known("https://b.example/v2/r1/blobs/x", Timestamp(0)), None);
        assert_eq!(known("https://a.example/v2/r1/blobs/x", later), None);
        assert_eq!(get(1, None, later, "five").await, "five");
    }

    #[tokio::test]
    async fn one_asks_and_the_others_wait_for_what_it_gets() {
        let (tokens, asked) = (Tokens::default(), std::cell::Cell::new(0));
        let get = |_| {
            tokens.get(purpose(1), None, Timestamp(0), async {
                asked.set(asked.get() + 1);
                tokio::task::yield_now().await;
                Ok(token("x", 100))
            })
        };
        assert!(futures_util::future::join_all((0..9).map(get)).await.iter().all(Result::is_ok));
        assert_eq!(asked.get(), 1);
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let tokens = Tokens::default();
        for number in 0..2 * MOST {
            tokens.get(purpose(number), None, Timestamp(0), async { Ok(token("x", 100)) }).await.expect("a token");
        }
        assert_eq!(tokens.0.lock().expect("not poisoned").len(), MOST);
    }
}
