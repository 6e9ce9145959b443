//! Every route × method × principal × visibility against one permission model. The table is the server's own: a new
//! endpoint is in the walk as soon as it exists.

mod model;
mod people;
mod table;

use acceptance::http::Answer;
use acceptance::{Result, Trouble};

use crate::shape::ask;
use crate::site::{Site, ensure};
use model::{Access, Role, Target, Verdict, verdict};
use people::{People, Principal};
use table::{LIST, Row};

/// What nobody may do in the walk, because it ends the walk; the tests of identity do it.
const ENDING: [&str; 1] = ["/v1/admin/auth/pats/revoke-all"];

#[tokio::test]
async fn every_route_for_every_principal_and_visibility() -> Result<()> {
    let site = Site::embedded().await?;
    let people = People::gather(&site).await?;
    let rows = table::rows(&site.server.http()?).await?;
    ensure(rows.len() >= 40, format!("only {} rows: the table is not whole", rows.len()))?;
    let mut cases = 0;
    for row in &rows {
        for target in row.targets() {
            for principal in people.all() {
                visit(&site, row, target, principal).await?;
                cases += 1;
            }
        }
    }
    println!("{} rows, {cases} cases", rows.len());
    ensure(cases > 1500, format!("only {cases} cases"))?;
    let kept = site.admin.get("/repository/private/kept.txt").send().await?.expect(&[200])?;
    ensure(kept.text() == "kept", "nobody who was refused changed anything")?;
    ensure(
        site.admin.get("/v1/repos").send().await?.json()?["items"].as_array().is_some_and(|all| all.len() == 3),
        "or made a repository",
    )
}

async fn visit(site: &Site, row: &Row, target: Target, principal: &Principal) -> Result<()> {
    let expected = verdict(row.access, principal, target);
    if expected == Verdict::Allowed && ENDING.contains(&row.template.as_str()) {
        return Ok(());
    }
    for body in row.bodies() {
        let request = principal.dress(site.server.http()?.request(&row.method, &row.path(target)));
        let answer = ask(body.give(request)).await?;
        judge(row, target, expected, &answer).map_err(|trouble| {
            let case = format!("{} {} as {} with {body:?}", row.method, row.path(target), principal.name);
            Trouble::new(format!("{case}: expected {expected:?}: {trouble:?}\n{} {}", answer.status, answer.text()))
        })?;
    }
    Ok(())
}

fn judge(row: &Row, target: Target, expected: Verdict, answer: &Answer) -> Result<()> {
    let names_repository = answer.text().contains("the repository ");
    match expected {
        Verdict::Allowed => {
            ensure(!matches!(answer.status, 401 | 403 | 405), "refused")?;
            ensure(answer.status != 404 || row.method == "HEAD" || !names_repository, "not found")?;
            ensure(!row.succeeds || target == Target::Remote || answer.status == 200, "it should have succeeded")
        }
        Verdict::Unauthorized => {
            ensure(answer.status == 401, "let in")?;
            let challenges: Vec<_> = answer.all("www-authenticate").collect();
            let challenges = challenges.join(", ");
            ensure(challenges.contains("Basic realm=") && challenges.contains("Bearer"), "no challenge")
        }
        Verdict::Forbidden => ensure(answer.status == 403, "not forbidden"),
        Verdict::NotFound => {
            ensure(answer.status == 404, "known")?;
            ensure(row.method == "HEAD" || names_repository, "it says more than that the repository was not found")
        }
    }
}

/// Whoever may read a repository finds it in the list of them, and nobody else finds its key there: neither in the page, nor
/// in the document, nor by going on behind any key.
#[tokio::test]
async fn the_list_of_repositories_has_what_may_be_read() -> Result<()> {
    let site = Site::embedded().await?;
    let people = People::gather(&site).await?;
    for principal in people.all().filter(|principal| principal.valid || principal.anonymous) {
        let (mut readable, mut hidden) = (Vec::new(), Vec::new());
        for target in Target::ALL {
            let reads = verdict(Access::Repo(Role::Read), principal, target) == Verdict::Allowed;
            if reads { readable.push(target.key()) } else { hidden.push(target.key()) }
        }
        readable.sort_unstable();
        let told = async |query: &str| -> Result<Answer> {
            let request = principal.dress(site.server.http()?.get(&format!("{LIST}{query}")));
            ask(request).await?.expect(&[200])
        };
        let document = told("").await?.json()?;
        let listed: Vec<_> = document["items"].as_array().into_iter().flatten().collect();
        let names: Vec<_> = listed.iter().filter_map(|one| one["name"].as_str()).collect();
        ensure(names == readable, format!("{}: {document}", principal.name))?;
        let page = told("?format=html").await?.text();
        ensure(readable.iter().all(|key| page.contains(&format!("href=\"./{key}/\""))), &page)?;
        let (mut seen, mut next) = (Vec::new(), "?limit=1".to_owned());
        loop {
            let page = told(&next).await?.json()?;
            seen.extend(page["items"][0]["name"].as_str().map(str::to_owned));
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            next = format!("?limit=1&cursor={cursor}");
        }
        ensure(seen == readable, format!("{}: {seen:?}", principal.name))?;
        for key in hidden {
            let told = format!("{document}{page}");
            // The word stands in no other place of either.
            ensure(!told.contains(key), format!("{} learns of {key}: {told}", principal.name))?;
        }
    }
    Ok(())
}

/// A private repository, one that never was, and one that is retired: nobody without read can tell them apart.
#[tokio::test]
async fn the_unreadable_and_the_absent_answer_alike() -> Result<()> {
    let site = Site::embedded().await?;
    let people = People::gather(&site).await?;
    for row in table::rows(&site.server.http()?).await?.iter().filter(|row| matches!(row.access, Access::Repo(_))) {
        for principal in people.all().filter(|principal| principal.repository_role().is_none()) {
            let mut answers = Vec::new();
            for target in [Target::Private, Target::Remote, Target::Absent, Target::Retired] {
                let request = site.server.http()?.request(&row.method, &row.path(target));
                let answer = ask(principal.dress(request)).await?;
                answers.push(plain(&answer, target.key()));
            }
            let same = answers.windows(2).all(|pair| pair[0] == pair[1]);
            ensure(same, format!("{} {} as {}: {answers:#?}", row.method, row.template, principal.name))?;
        }
    }
    Ok(())
}

/// Everything that a client sees, without what differs between any two requests.
fn plain(answer: &Answer, key: &str) -> (u16, Vec<String>, String) {
    let correlation = answer.header("x-correlation-id").unwrap_or_default().to_string();
    let clean = |text: &str| text.replace(&correlation, "ID").replace(key, "KEY");
    let varies = |name: &str| ["date", "x-correlation-id", "content-length"].contains(&name.to_lowercase().as_str());
    let headers = answer.headers.iter().filter(|(name, _)| !varies(name));
    (answer.status, headers.map(|(name, value)| clean(&format!("{name}: {value}"))).collect(), clean(&answer.text()))
}
