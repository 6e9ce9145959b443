//! A request as text: method and address, `Accept`, `Content-Type`, one line each, then the body.

use formats::{Asked, Format, LoginStep, Method, Operation, Site, TokenDeed};

use crate::publish;

/// A request in pieces of its text.
struct Text<'a> {
    method: Method,
    rest: &'a str,
    query: &'a str,
    accept: &'a str,
    content_type: &'a str,
    body: &'a [u8],
}

/// The bytes of a request.
pub(crate) fn write(address: &str, accept: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    [format!("{address}\n{accept}\n{content_type}\n").as_bytes(), body].concat()
}

/// Decodes a request and does what can be done of it without a registry. Whether it was understood.
pub(crate) fn run(format: &dyn Format, bytes: &[u8]) -> bool {
    let Some(text) = read(bytes) else { return false };
    let asked = Asked {
        method: text.method,
        rest: text.rest,
        path: text.rest,
        query: text.query,
        accept: text.accept,
        content_type: text.content_type,
        as_written: false,
    };
    let elsewhere = format.parse(&Asked { as_written: true, ..asked });
    if let Some((logins, step)) = format.logins().and_then(|logins| Some((logins, logins.step(&asked)?))) {
        return step != LoginStep::Password || logins.read(text.body).is_some();
    }
    let Ok(operation) = format.parse(&asked) else { return false };
    assert!(elsewhere.is_ok_and(|elsewhere| elsewhere.role() == operation.role()), "a name decides who may");
    let again = format.parse(&asked);
    assert!(again.is_ok_and(|again| format!("{again:?}") == format!("{operation:?}")), "parsing depends on chance");
    let _ = operation.role();
    answer(format, operation, &asked, text.body)
}

fn answer(format: &dyn Format, operation: Operation, asked: &Asked<'_>, body: &[u8]) -> bool {
    let site = Site { base: "https://host.example/repository/libs", auth_required: true, subject: Some("alice") };
    match operation {
        Operation::Receive(intake) => {
            let Ok(Operation::Receive(twin)) = format.parse(asked) else {
                panic!("the same request, another operation")
            };
            publish::accept(format, intake, twin, body)
        }
        Operation::Tokens(TokenDeed::Make) => format.tokens().is_some_and(|tokens| tokens.wanted(body).is_ok()),
        Operation::Say(view) => format.say(view, &site).is_some(),
        Operation::Index(package, view) => {
            let _ = format.around(&package);
            let _ = format.looks_inside(view);
            true
        }
        Operation::Part(_, part, _) => !format.belongs("1.0.0", &part),
        Operation::Checksum(of, _) => answer(format, *of, asked, body),
        _ => true,
    }
}

fn read(bytes: &[u8]) -> Option<Text<'_>> {
    let mut lines = bytes.splitn(4, |&byte| byte == b'\n');
    let mut line = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (address, accept, content_type) = (line()?, line()?, line()?);
    let (word, address) = address.split_once(' ')?;
    let (rest, query) = address.split_once('?').unwrap_or((address, ""));
    Some(Text { method: method(word)?, rest, query, accept, content_type, body: lines.next().unwrap_or_default() })
}

fn method(word: &str) -> Option<Method> {
    Some(match word {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "POST" => Method::Post,
        "PATCH" => Method::Patch,
        _ => return None,
    })
}
