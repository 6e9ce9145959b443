//! Lists of all packages of a repository: fresh, and made once for each state.

use std::sync::Arc;

use formats::{Catalogue, Site};
use futures_util::future::join_all;
use model::VersionId;
use registry::{Promote, Read, RepoSettings, Shown};
use store::{Engine, Tx, Write};

use crate::bench::{Bench, repo_key};
use crate::both;

const SITE: Site<'static> = Site { base: "https://host/repository/py", auth_required: true, subject: None };
static ALL: Catalogue = Catalogue { view: 0, prefix: String::new(), after: String::new(), limit: None, skip: 0 };

/// So many packages at once, each with a published version.
struct Fill {
    engine: Engine,
    packages: u32,
}

macro_rules! fill {
    ($id:literal) => {
        [
            concat!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
                 INSERT INTO packages (id, repo_id, type, namespace, name, display_name, generation, created_at)
                 SELECT ",
                $id,
                ", r.id, 'pypi', '', 'package-' || n.i, 'Package-' || n.i, 2, 0
                 FROM n CROSS JOIN repositories r WHERE r.key = 'py'"
            ),
            concat!(
                "INSERT INTO versions (id, repo_id, package_id, version, state, created_by, created_at, published_by,
                     published_at, published_event)
                 SELECT ",
                $id,
                ", repo_id, id, '1.0', 'published', 'a', 0, 'a', 0, ",
                $id,
                " FROM packages"
            ),
        ]
    };
}

impl Write for Fill {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> store::Result<()> {
        let [packages, versions] = match self.engine {
            Engine::Sqlite => fill!("randomblob(16)"),
            Engine::Postgres => fill!("gen_random_uuid()"),
        };
        tx.execute(packages, store::args![self.packages]).await?;
        tx.execute(versions, &[]).await.map(drop)
    }
}

async fn list(bench: &Bench, site: &Site<'_>) -> Arc<Shown> {
    bench.grant::<Read>(&repo_key("py")).await.catalogue(&ALL, site).await.expect("a list")
}

async fn filled(bench: &Bench, packages: u32) {
    bench.repository_of("pypi", "py", RepoSettings::default()).await;
    let engine = bench.registry.store().engine();
    bench.registry.store().write(Fill { engine, packages }).await.expect("filled");
}

fn names(shown: &Shown) -> usize {
    String::from_utf8_lossy(shown.body()).matches("\"name\":").count()
}

async fn a_list_is_made_once_for_each_state(bench: &Bench) {
    filled(bench, 500).await;
    let first = list(bench, &SITE).await;
    assert_eq!(names(&first), 500);
    let all = join_all((0..16).map(|_| list(bench, &SITE))).await;
    assert!(all.iter().all(|one| Arc::ptr_eq(one, &first)), "nothing has changed");
    let elsewhere = Site { base: "https://other/repository/py", ..SITE };
    assert!(!Arc::ptr_eq(&list(bench, &elsewhere).await, &first), "addresses may be in it");
    bench.repository_of("pypi", "other", RepoSettings::default()).await;
    let grant = bench.grant::<Read>(&repo_key("other")).await;
    assert_eq!(names(&grant.catalogue(&ALL, &SITE).await.expect("a list")), 0, "of another repository");
    // A withdrawn version, and one that comes back: whoever asks next sees it.
    let version = withdraw_one(bench).await;
    assert_eq!(names(&*list(bench, &SITE).await), 499);
    let grant = bench.grant::<Promote>(&repo_key("py")).await;
    grant.restore(version).await.expect("restored");
    assert_eq!(names(&*list(bench, &SITE).await), 500);
}

async fn withdraw_one(bench: &Bench) -> VersionId {
    let sql = "SELECT id FROM versions ORDER BY id LIMIT 1";
    let look = async |session: &mut store::Session<'_>| session.row(sql, &[]).await;
    let row = bench.registry.store().read(look).await.expect("a look").expect("a version");
    let version = row.get(0).expect("an id");
    let grant = bench.grant::<Promote>(&repo_key("py")).await;
    grant.tombstone(version, "a test".to_owned(), None).await.expect("withdrawn");
    version
}

/// What is remembered has its place in the memory of all documents: what is longer is made each time.
async fn a_list_that_is_too_long_is_not_remembered(bench: &Bench) {
    filled(bench, 20_000).await;
    let first = list(bench, &SITE).await;
    assert_eq!(names(&first), 20_000);
    assert!(!Arc::ptr_eq(&list(bench, &SITE).await, &first));
}

both! {
    a_list_is_made_once_for_each_state;
    a_list_that_is_too_long_is_not_remembered;
}

/// However many ask for lists that are not there yet, two are made at a time.
#[tokio::test]
async fn embedded_few_lists_are_made_at_a_time() {
    let bench = Bench::sqlite().await;
    filled(&bench, 500).await;
    let grant = bench.grant::<Read>(&repo_key("py")).await;
    let bases: Vec<String> = (0..8).map(|number| format!("https://host-{number}/repository/py")).collect();
    let sites: Vec<_> = bases.iter().map(|base| Site { base, ..SITE }).collect();
    let mut lists: Vec<_> = sites.iter().map(|site| Box::pin(grant.catalogue(&ALL, site))).collect();
    let before = store::statements_sent();
    for list in &mut lists {
        assert!(futures_util::poll!(list).is_pending(), "a list of several pages");
    }
    assert_eq!(store::statements_sent() - before, 2, "the first pages of two lists");
    assert!(join_all(lists).await.iter().all(Result::is_ok));
    let before = store::statements_sent();
    grant.catalogue(&ALL, &SITE).await.expect("a list");
    let made = store::statements_sent() - before;
    grant.catalogue(&ALL, &SITE).await.expect("a list");
    assert_eq!((made, store::statements_sent() - before), (4, 4), "four pages, then none");
}
