//! Repositories as they were at a moment.

mod collected;
mod hosted;
pub(crate) mod images;
mod members;
mod replicas;
mod together;

use acceptance::Result;
use acceptance::http::{Answer, Request};

/// What was the case at a moment may be kept for good.
const FOR_GOOD: &str = "private, max-age=31536000, immutable";

/// Refusals have the shapes of their formats here.
async fn ask(request: Request) -> Result<Answer> {
    request.send().await
}

/// The moment as container clients write it.
pub(crate) fn compact(moment: &str) -> String {
    let digits: String = moment.chars().take(19).filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(8);
    format!("at-{day}t{time}z")
}
